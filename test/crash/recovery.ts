// Opening a directory after a crash: by our own recovery, or by stock's first where this build's cannot replay it.
import type { NativeDisk } from '../../src-ts/binding/native.ts'
import { Cluster, PgError, type SettingsInput } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'

let told = false

function isForStock(error: unknown): boolean {
  if (!(error instanceof PgError)) return false
  if (error.code === '0A000') return true
  return error.code === '55000' && error.message === 'database system was not shut down cleanly'
}

/** `onStock` is told when stock had to recover. */
export async function openRecovered(
  directory: string,
  options: { settings?: SettingsInput; disk?: NativeDisk },
  onStock: () => void = () => undefined,
): Promise<Cluster> {
  try {
    return await Cluster.open(directory, options)
  } catch (error) {
    if (!isForStock(error)) throw error
    if (!told) console.warn(`stock recovers, since ours says "${(error as PgError).message}"`)
    told = true
    onStock()
    const oracle = Oracle.adopt(directory)
    await oracle.start({ shared_buffers: '4MB', max_wal_size: '32MB', min_wal_size: '2MB' })
    await oracle.stop('fast')
    return Cluster.open(directory, options)
  }
}
