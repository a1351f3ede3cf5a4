// Goal: a directory that stock PostgreSQL left in a crash opens in pgdata, with the rows that stock's own recovery
// finds. Method: a stock server is killed in the middle of its work; one copy of what it leaves is recovered by
// stock, another by us and then started by stock, which compares rows and runs amcheck.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster } from '../../src-ts/index.ts'
import { copyOf, openedByStock, recoverByUs } from '../support/crash-images.ts'
import { Oracle } from '../support/oracle.ts'

async function crashImage(
  work: (oracle: Oracle) => Promise<void>,
  settings: Record<string, string | number | boolean> = {},
): Promise<string> {
  const oracle = await Oracle.initdb()
  await oracle.start({ max_prepared_transactions: 10, autovacuum: false, ...settings })
  await work(oracle)
  await oracle.kill9()
  return oracle.dir
}

test('recovers what has no pages of its own: outcomes, checkpoints, segment switches', async () => {
  const image = await crashImage(async (oracle) => {
    const client = await oracle.client()
    await client.query('checkpoint')
    await client.query('select pg_current_xact_id()')
    await client.query('select pg_switch_wal()')
    await client.query('select pg_current_xact_id()')
    await client.query("select pg_create_restore_point('here')")
  })
  const before = binding.readControlFile(image)
  expect(before.state).toBe('in production')
  const ours = copyOf(image)
  await recoverByUs(ours)
  const after = binding.readControlFile(ours)
  expect(after.state).toBe('shut down')
  expect(Number(after.nextXid)).toBeGreaterThan(Number(before.nextXid))
  const { complaints, log } = await openedByStock(ours)
  expect(complaints).toEqual([])
  expect(log).not.toContain('not properly shut down')
}, 60_000)

test('refuses a standby and a directory that waits for its archive', async () => {
  const image = await crashImage(async () => undefined)
  for (const name of ['standby.signal', 'recovery.signal']) {
    writeFileSync(join(image, name), '')
    await expect(Cluster.open(image)).rejects.toMatchObject({
      code: '55000',
      detail: `It has a file "${name}".`,
    })
    rmSync(join(image, name))
  }
  await recoverByUs(image)
}, 60_000)
