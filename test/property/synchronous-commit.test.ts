// synchronous_commit.
// Goal: a commit is acknowledged when it is durable, unless it was asked not to be; then it is durable soon after.
// Method: counts of log syncs and the flush that follows within wal_writer_delay.
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('off acknowledges before the log is durable, which it soon is', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('sc'), {
    create: true,
    settings: { wal_writer_delay: 1500 },
  })
  await using session = await cluster.connect()
  await using relaxed = await cluster.connect({ synchronousCommit: 'off' })
  await session.createTable('t', { columns: { id: 'int4 primary key' } })
  const table = session.table<{ id: number }>('t')
  const syncs = () => cluster.statistics().wal_syncs as number
  const durable = async (work: () => Promise<unknown>) => {
    const before = syncs()
    await work()
    return syncs() > before
  }
  const levels = ['on', 'local', 'remote_write', 'remote_apply'] as const
  for (const [id, synchronousCommit] of levels.entries()) {
    expect(await durable(() => table.insert({ id }, { synchronousCommit }))).toBe(true)
  }
  expect(await durable(() => table.insert({ id: -1 }))).toBe(true)
  const before = syncs()
  await table.insert({ id: -2 }, { synchronousCommit: 'off' })
  await relaxed.table<{ id: number }>('t').insert({ id: -3 })
  session.transactionSync((tx) => tx.insert(table, { id: -4 }), { synchronousCommit: 'off' })
  expect(syncs()).toBe(before)
  // Others see it at once.
  expect(relaxed.table('t').get(-2)).toEqual({ id: -2 })
  const own = () => relaxed.table<{ id: number }>('t')
  expect(await durable(() => own().insert({ id: -5 }, { synchronousCommit: 'on' }))).toBe(true)
  const again = syncs()
  await table.insert({ id: -6 }, { synchronousCommit: 'off' })
  for (let i = 0; i < 100 && syncs() === again; i++) await setTimeout(100)
  expect(syncs()).toBeGreaterThan(again)
})
