// The checkpointer, the background writer and the WAL writer.
// Goal: they do their work unasked, not faster than is needed, and hurry when somebody waits. Method: their counters
// while nobody else does anything.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster, type ClusterStatistics, type Session } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  body: string
}

async function makeTable(session: Session, rows: number): Promise<void> {
  await session.createTable('t', { columns: { id: 'int8 primary key', body: 'text' } })
  const table = session.table<Row>('t')
  for (let id = 0; id < rows; id += 1000) {
    await table.insertMany(
      Array.from({ length: 1000 }, (_, i) => ({ id: id + i, body: 'x'.repeat(500) })),
    )
  }
}

const statisticsOf = (cluster: Cluster) => cluster.clusterStatistics() as ClusterStatistics

async function until(condition: () => boolean, seconds = 20): Promise<void> {
  for (let i = 0; i < seconds * 20 && !condition(); i++) await sleep(50)
  expect(condition()).toBe(true)
}

const checkpointerWrites = (cluster: Cluster) =>
  statisticsOf(cluster).io.find(
    ({ backend_type, context }) => backend_type === 'checkpointer' && context === 'normal',
  )?.writes ?? 0

test('a checkpoint by volume is spread, and hurries when somebody waits for it', {
  timeout: 60_000,
}, async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: { walSegmentSize: 1024 ** 2 },
    settings: {
      max_wal_size: '8MB',
      min_wal_size: '4MB',
      checkpoint_timeout: 60,
      autovacuum: false,
    },
  })
  await using session = await cluster.connect()
  await makeTable(session, 1000)
  const table = session.table<Row>('t')
  // Not a byte of log more than makes it due: it would have to keep up with what follows.
  const isDue = () => statisticsOf(cluster).checkpointer.num_requested > 0
  const before = statisticsOf(cluster).checkpointer
  for (let id = 1000; id < 50_000 && !isDue(); id += 100) {
    await table.insertMany(
      Array.from({ length: 100 }, (_, i) => ({ id: id + i, body: 'x'.repeat(500) })),
    )
    await sleep(40)
  }
  await sleep(1500)
  const { num_done, buffers_written } = statisticsOf(cluster).checkpointer
  expect(num_done).toBe(0)
  expect(buffers_written).toBe(before.buffers_written)
  const began = performance.now()
  await cluster.checkpoint()
  expect(performance.now() - began).toBeLessThan(3000)
  const after = statisticsOf(cluster).checkpointer
  expect(after.num_done).toBe(2)
  expect(after.num_timed).toBe(0)
  expect(after.num_requested).toBe(2)
  expect(after.buffers_written - before.buffers_written).toBeGreaterThan(400)
  expect(after.write_time - before.write_time).toBeGreaterThan(1000)
  await until(() => checkpointerWrites(cluster) > 0)
})

test('the background writer writes ahead of who needs buffers', { timeout: 60_000 }, async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { shared_buffers: '4MB', bgwriter_delay: 20, autovacuum: false },
  })
  await using session = await cluster.connect()
  await makeTable(session, 8000)
  const table = session.table<Row>('t')
  const isClean = () => statisticsOf(cluster).bgwriter.buffers_clean > 0
  for (let round = 0; round < 20 && !isClean(); round++) {
    await session.transaction(async (tx) => {
      for (let id = round; id < 8000; id += 97) await tx.update(table, id, { body: `${round}` })
    })
    for (const row of table.scan()) if (row.id === 7999) await sleep(50)
  }
  const { bgwriter, io } = statisticsOf(cluster)
  expect(bgwriter.buffers_clean).toBeGreaterThan(0)
  expect(bgwriter.buffers_alloc).toBeGreaterThan(500)
  expect(
    io.some(({ backend_type, writes }) => backend_type === 'background writer' && writes > 0),
  ).toBe(true)
})

test('who runs is logged after 15 seconds in which something happened', {
  timeout: 60_000,
}, async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { autovacuum: false, bgwriter_delay: 100 },
  })
  await using session = await cluster.connect()
  await makeTable(session, 1000)
  const before = statisticsOf(cluster).wal.wal_records
  await sleep(10_000)
  // Nothing else is logged meanwhile, and nothing after it.
  await until(() => statisticsOf(cluster).wal.wal_records > before, 30)
  await sleep(1000)
  expect(statisticsOf(cluster).wal.wal_records).toBe(before + 1)
})

test('the log of a transaction that goes on is written and synced', {
  timeout: 30_000,
}, async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { autovacuum: false, wal_writer_delay: 50 },
  })
  await using session = await cluster.connect()
  await makeTable(session, 1000)
  const table = session.table<Row>('t')
  await sleep(300)
  await session.transaction(async (tx) => {
    const before = cluster.statistics()
    for (let id = 5000; id < 5500; id++) tx.insert(table, { id, body: 'y'.repeat(500) })
    await until(() => (cluster.statistics().wal_syncs ?? 0) > (before.wal_syncs ?? 0), 5)
  })
})

test('commits that nobody waits for are flushed after wal_writer_flush_after', {
  timeout: 60_000,
}, async () => {
  const flushesOf = async (flushAfter: number | string, rows: number) => {
    await using cluster = await Cluster.open(temporaryDirectory(), {
      create: true,
      settings: {
        autovacuum: false,
        synchronous_commit: 'off',
        wal_writer_delay: 10_000,
        wal_writer_flush_after: flushAfter,
      },
    })
    await using session = await cluster.connect()
    await makeTable(session, 1)
    await cluster.checkpoint()
    const before = cluster.statistics().wal_syncs as number
    await session
      .table<Row>('t')
      .insertMany(
        Array.from({ length: rows }, (_, i) => ({ id: i + 10_000, body: 'x'.repeat(500) })),
      )
    await sleep(500)
    return (cluster.statistics().wal_syncs as number) - before
  }
  expect(await flushesOf('1MB', 1)).toBe(0)
  expect(await flushesOf('64kB', 400)).toBeGreaterThan(0)
  expect(await flushesOf(0, 1)).toBeGreaterThan(0)
})
