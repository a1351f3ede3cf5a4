// track_io_timing and track_wal_io_timing, against PostgreSQL.
// Goal: the same work leaves times in the same columns of pg_stat_io and pg_stat_database, and none where a setting is off.
// Method: one list of steps, done by stock and here; of each kind of IO whether it was counted, and whether it was timed.
import type pg from 'pg'
import { expect, test, vi } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// The pool is smaller than the table, and nobody but who works and the checkpointer writes pages.
const settings = {
  autovacuum: 'off',
  bgwriter_lru_maxpages: 0,
  checkpoint_timeout: '1h',
  shared_buffers: '1MB',
  wal_sync_method: 'fdatasync',
}
const bothOn = { track_io_timing: 'on', track_wal_io_timing: 'on' }

const operations = {
  read: 'reads',
  write: 'writes',
  writeback: 'writebacks',
  extend: 'extends',
  fsync: 'fsyncs',
} as const
type Operation = keyof typeof operations
type Row = Record<string, unknown>

// What stock and pgdata are asked alike.
interface Subject {
  reset: () => Promise<void>
  /** Of the session that works. */
  set: (name: string, value: 'on' | 'off') => Promise<void>
  /** Writes a table and reads all of it, in several transactions. */
  work: (table: string) => Promise<void>
  checkpoint: () => Promise<void>
  io: () => Promise<Row[]>
  database: () => Promise<Row>
}

// More than fits into the segments that a new cluster has ready.
const transactions = 10
const rowsOfEach = 600
const body = 'x'.repeat(1500)

// Of one kind of row: 'timed', 'counted' or 'none'.
function told(rows: Row[], types: string[], object: string, context?: string) {
  const chosen = rows.filter(
    (row) =>
      types.includes(row.backend_type as string) &&
      row.object === object &&
      (context === undefined || row.context === context),
  )
  const sum = (column: string) => chosen.reduce((total, row) => total + Number(row[column] ?? 0), 0)
  return (operation: Operation): string => {
    const [count, time] = [sum(operations[operation]), sum(`${operation}_time`)]
    if (count === 0) expect(time).toBe(0)
    return count === 0 ? 'none' : time > 0 ? 'timed' : 'counted'
  }
}

const everybody = ['client backend', 'checkpointer', 'background writer', 'walwriter']

async function seen(subject: Subject) {
  // The checkpointer adds what it has counted a moment after it has answered.
  await vi.waitFor(
    async () =>
      expect(told(await subject.io(), ['checkpointer'], 'relation')('fsync')).not.toBe('none'),
    { timeout: 30_000 },
  )
  const rows = await subject.io()
  const database = await subject.database()
  const client = told(rows, ['client backend'], 'relation')
  const log = told(rows, ['client backend'], 'wal', 'normal')
  const newLog = told(rows, everybody, 'wal', 'init')
  const checkpointer = told(rows, ['checkpointer'], 'relation')
  return {
    client: [client('read'), client('write'), client('extend')],
    log: [log('write'), log('fsync')],
    newLog: [newLog('write'), newLog('fsync')],
    checkpointer: [checkpointer('write'), checkpointer('fsync')],
    database: [Number(database.blk_read_time) > 0, Number(database.blk_write_time) > 0],
  }
}

async function step(subject: Subject, table: string) {
  await subject.reset()
  await subject.work(table)
  await subject.checkpoint()
  return seen(subject)
}

async function ofSessions(subject: Subject) {
  const off = await step(subject, 'a')
  // From here on the log has segments in stock.
  await subject.set('track_io_timing', 'on')
  const { newLog: _ofRelations, ...relations } = await step(subject, 'b')
  await subject.set('track_io_timing', 'off')
  await subject.set('track_wal_io_timing', 'on')
  const { newLog: _ofLog, ...log } = await step(subject, 'c')
  return { off, relations, log }
}

function stock(client: pg.Client): Subject {
  return {
    reset: async () => {
      // What was counted until now is added first, not afterwards.
      await client.query('select pg_stat_force_next_flush()')
      await client.query(`select pg_stat_reset(); select pg_stat_reset_shared('io')`)
    },
    set: async (name, value) => {
      await client.query(`set ${name} = ${value}`)
    },
    work: async (table) => {
      await client.query(`create table ${table} (id int8 primary key, body text)`)
      for (let i = 0; i < transactions; i++)
        await client.query(
          `insert into ${table} select ${i * rowsOfEach} + n, '${body}' from generate_series(1, ${rowsOfEach}) n`,
        )
      await client.query(`select sum(length(body)) from ${table}`)
    },
    checkpoint: async () => {
      await client.query('checkpoint')
    },
    io: async () => {
      await client.query('select pg_stat_force_next_flush()')
      return (await client.query('select * from pg_stat_io')).rows
    },
    database: async () =>
      (await client.query("select * from pg_stat_database where datname = 'postgres'")).rows[0],
  }
}

function ours(cluster: Cluster, session: Session): Subject {
  return {
    reset: async () => cluster.resetStatistics(),
    set: async (name, value) => session.set(name, value),
    work: async (name) => {
      await session.createTable(name, { columns: { id: 'int8 primary key', body: 'text' } })
      const table = session.table<{ id: number; body: string }>(name)
      const rows = Array.from({ length: rowsOfEach }, (_, id) => ({ id, body }))
      for (let i = 0; i < transactions; i++)
        await table.insertMany(rows.map(({ id }) => ({ id: i * rowsOfEach + id, body })))
      expect([...table.scan()]).toHaveLength(transactions * rowsOfEach)
    },
    checkpoint: () => cluster.checkpoint(),
    io: async () => (cluster.clusterStatistics()?.io ?? []) as unknown as Row[],
    database: async () =>
      cluster.databaseStatistics().find(({ datname }) => datname === 'postgres') as unknown as Row,
  }
}

const initdb = ['--wal-segsize=1']
const create = { walSegmentSize: 1 << 20 }

async function inStock<T>(
  given: Record<string, string>,
  body: (subject: Subject) => Promise<T>,
): Promise<T> {
  const oracle = await Oracle.initdb({ args: initdb })
  // A read that a worker does is timed only as long as somebody waits for it; without fsync nothing is synced and counted.
  await oracle.start({ ...settings, ...given, io_method: 'sync', fsync: true })
  const client = await oracle.client('postgres')
  try {
    return await body(stock(client))
  } finally {
    await client.end()
    await oracle.stop()
  }
}

const nothingTimed = {
  client: ['counted', 'counted', 'counted'],
  log: ['counted', 'counted'],
  newLog: ['counted', 'counted'],
  checkpointer: ['counted', 'counted'],
  database: [false, false],
}

test('a session times its own IO, of relations and of the log', { timeout: 120_000 }, async () => {
  const expected = await inStock({}, ofSessions)
  await using cluster = await Cluster.open(temporaryDirectory(), { create, settings })
  await using session = await cluster.connect()
  expect(await ofSessions(ours(cluster, session))).toEqual(expected)
  expect(expected.off).toEqual(nothingTimed)
  const { newLog: _, ...others } = nothingTimed
  expect(expected.relations).toEqual({
    ...others,
    client: ['timed', 'timed', 'timed'],
    database: [true, true],
  })
  expect(expected.log).toEqual({ ...others, log: ['timed', 'timed'] })
})

test('set for the cluster, all IO is timed, and from a reload on', {
  timeout: 120_000,
}, async () => {
  const expected = await inStock(bothOn, (subject) => step(subject, 'd'))
  await using cluster = await Cluster.open(temporaryDirectory(), { create, settings })
  await using session = await cluster.connect()
  for (const [name, value] of Object.entries(bothOn)) cluster.alterSystem(name, value)
  expect(cluster.reload()).toEqual([])
  expect(session.show('track_io_timing')).toBe('on')
  expect(await step(ours(cluster, session), 'd')).toEqual(expected)
  expect(expected).toEqual({
    client: ['timed', 'timed', 'timed'],
    log: ['timed', 'timed'],
    newLog: ['timed', 'timed'],
    checkpointer: ['timed', 'timed'],
    database: [true, true],
  })
})
