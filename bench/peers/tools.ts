// tools: what several peers need.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** bench/peers: from its sources and from the bundle that the runner makes of them. */
export const here = (() => {
  const directory = dirname(fileURLToPath(import.meta.url))
  const marker = '/node_modules/'
  const at = directory.indexOf(marker)
  return at < 0 ? directory : directory.slice(0, at)
})()

export const root = join(here, '../..')

export function installedVersion(name: string): string {
  const require = createRequire(join(here, 'package.json'))
  const paths = require.resolve.paths(name) ?? []
  for (const path of paths) {
    try {
      const text = readFileSync(join(path, name, 'package.json'), 'utf8')
      return (JSON.parse(text) as { version: string }).version
    } catch {
      // The next directory up.
    }
  }
  throw new Error(`${name} is not installed: npm install in bench/peers`)
}

/** Works through the items with as many in flight as there are lanes: a lane that is done takes the next item. */
export async function inTurns<T, L>(
  items: readonly T[],
  lanes: readonly L[],
  work: (item: T, lane: L) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const run = async (lane: L) => {
    while (next < items.length) await work(items[next++] as T, lane)
  }
  await Promise.all(lanes.map(run))
}

/** Bytes that a directory takes on disk. */
export function diskBytes(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512
  }
  return bytes
}

/** A directory on disk that other users may pass through, as stock PostgreSQL needs; gone at the end. */
export function workDirectory(): Disposable & { path: string } {
  const path = mkdtempSync(join(process.env.TMPDIR ?? '/tmp', 'pgdata-peers-'))
  chmodSync(path, 0o711)
  const remove = () => rmSync(path, { recursive: true, force: true })
  process.once('exit', remove)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  return { path, [Symbol.dispose]: remove }
}
