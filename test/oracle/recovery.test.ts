// Goal: a directory that stock PostgreSQL left in a crash opens in pgdata, with the rows that stock's own recovery
// finds. Method: a stock server is killed in the middle of its work; one copy of what it leaves is recovered by
// stock, another by us and then started by stock, which compares rows and runs amcheck.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
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
  expect(Number(after.nextXid)).toBeGreaterThanOrEqual(Number(before.nextXid) + 2)
  const { complaints, log } = await openedByStock(ours)
  expect(complaints).toEqual([])
  expect(log).not.toContain('not properly shut down')
  expect(readFileSync(join(ours, 'PG_VERSION'), 'utf8')).toBe('18\n')
}, 60_000)
