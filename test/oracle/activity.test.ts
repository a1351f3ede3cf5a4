// cluster.activity() against pg_stat_activity.
// Goal: a session that waits, that is idle in a transaction or in an aborted one, or that vacuums, and the background
// workers, are shown as PostgreSQL shows them. Method: the same situations on stock and on pgdata, and what both say of them.
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ActivityInfo, Cluster, type Session } from '../../src-ts/index.ts'
import { OpenTransaction } from '../isolation/open-transaction.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const archiving = { archive_mode: 'on', archive_command: 'true' }

let oracle: Oracle
let watcher: pg.Client
let first: pg.Client
let second: pg.Client
let cluster: Cluster
let a: Session
let b: Session

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start(archiving)
  watcher = await oracle.client()
  first = await oracle.client()
  second = await oracle.client()
  await first.query(`set application_name = 'first'; create table t (id int primary key, n int)`)
  await second.query(`set application_name = 'second'; insert into t values (1, 1)`)
  cluster = await Cluster.open(temporaryDirectory('activity'), {
    create: true,
    settings: { fsync: false, ...archiving },
  })
  a = await cluster.connect({ applicationName: 'first' })
  b = await cluster.connect({ applicationName: 'second' })
  await a.createTable('t', { columns: { id: 'int4 primary key', n: 'int4' } })
  await b.table('t').insert({ id: 1, n: 1 })
}, 60_000)

afterAll(async () => {
  await cluster.close()
  await oracle[Symbol.asyncDispose]()
})

// What does not depend on the moment, of the two sessions.
type Shown = Pick<
  ActivityInfo,
  'application_name' | 'backend_type' | 'state' | 'wait_event_type' | 'wait_event'
> & { in_transaction: boolean; has_xid: boolean; has_xmin: boolean; is_query_first: boolean }

async function stockShows(): Promise<Shown[]> {
  const { rows } = await watcher.query(
    `select application_name, backend_type, state, wait_event_type, wait_event,
       xact_start is not null as in_transaction, backend_xid is not null as has_xid,
       backend_xmin is not null as has_xmin, query_start <= state_change as is_query_first
     from pg_stat_activity where application_name in ('first', 'second')
     order by application_name`,
  )
  return rows
}

function weShow(): Shown[] {
  return cluster
    .activity()
    .filter(({ application_name }) => ['first', 'second'].includes(application_name))
    .map((row) => ({
      application_name: row.application_name,
      backend_type: row.backend_type,
      state: row.state,
      wait_event_type: row.wait_event_type,
      wait_event: row.wait_event,
      in_transaction: row.xact_start !== null,
      has_xid: row.backend_xid !== null,
      has_xmin: row.backend_xmin !== null,
      is_query_first: Number(row.query_start) <= Number(row.state_change),
    }))
    .sort((x, y) => (x.application_name < y.application_name ? -1 : 1))
}

async function whenStockShows(isThere: (rows: Shown[]) => boolean): Promise<Shown[]> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const rows = await stockShows()
    if (isThere(rows)) return rows
    await watcher.query('select pg_sleep(0.02)')
  }
  return stockShows()
}

// Snapshots are taken at other moments: stock takes one to plan a statement, we keep that of an update a little longer.
const withoutXmin = (rows: Shown[]) => rows.map((row) => ({ ...row, has_xmin: false }))
const isWaiting = (rows: Shown[]) => rows.some(({ wait_event_type }) => wait_event_type === 'Lock')

test('columns have the names of pg_stat_activity', async () => {
  const { fields } = await watcher.query('select * from pg_stat_activity limit 0')
  const stock = fields.map(({ name }) => name)
  const [row] = cluster.activity()
  const ours = Object.keys(row as ActivityInfo).filter((name) => name !== 'session')
  expect(ours.filter((name) => !stock.includes(name))).toEqual([])
  // In its order.
  expect(ours).toEqual(stock.filter((name) => ours.includes(name)))
})

test('sessions that do nothing are idle', async () => {
  await first.query('select 1')
  const stock = await whenStockShows((rows) => rows.every(({ state }) => state === 'idle'))
  expect(weShow()).toEqual(stock)
  expect(weShow()).toMatchObject([
    { state: 'idle', wait_event: 'ClientRead', in_transaction: false },
    { state: 'idle', wait_event: 'ClientRead', in_transaction: false },
  ])
})

test('a session that waits for another one to end its transaction', async () => {
  await first.query('begin; update t set n = 2 where id = 1')
  const waiting = second.query('update t set n = 3 where id = 1')
  const stock = await whenStockShows(isWaiting)
  await first.query('rollback')
  await waiting

  const open = new OpenTransaction(a, {})
  await open.begun
  await open.tx.update(a.table('t'), 1, { n: 2 })
  const oursWaiting = b.table('t').update(1, { n: 3 })
  await new Promise(setImmediate)
  const ours = weShow()
  const rows = cluster.activity().filter(({ session }) => session !== null)
  await open.rollBack()
  await oursWaiting
  expect(withoutXmin(ours)).toEqual(withoutXmin(stock))
  expect(ours).toMatchObject([
    { state: 'idle in transaction' },
    { state: 'active', wait_event_type: 'Lock', wait_event: 'transactionid' },
  ])
  expect(rows.map(({ query }) => query)).toEqual(['UPDATE public.t', 'UPDATE public.t'])
  expect(rows.map(({ session }) => session)).toEqual([a.id, b.id])
  expect(rows.map(({ datname }) => datname)).toEqual(['postgres', 'postgres'])
})

test('waits for tables and advisory locks', async () => {
  await first.query('begin; lock table t in exclusive mode')
  const waiting = second.query('begin; lock table t in share mode; commit')
  const stock = await whenStockShows(isWaiting)
  await first.query('commit')
  await waiting
  const open = new OpenTransaction(a, {})
  await open.begun
  await open.tx.lockTable(a.table('t'), 'exclusive')
  const oursWaiting = b.transaction((tx) => tx.lockTable(b.table('t'), 'share'))
  await new Promise(setImmediate)
  const ours = weShow()
  await open.commit()
  await oursWaiting
  expect(withoutXmin(ours)).toEqual(withoutXmin(stock))
  expect(ours[1]).toMatchObject({ wait_event: 'relation' })

  await first.query('begin; select pg_advisory_xact_lock(7)')
  const advisory = second.query('select pg_advisory_lock(7); select pg_advisory_unlock(7)')
  const stockAdvisory = await whenStockShows(isWaiting)
  await first.query('commit')
  await advisory
  const holding = new OpenTransaction(a, {})
  await holding.begun
  await holding.tx.advisoryLock(7)
  const locking = b.advisoryLock(7)
  await new Promise(setImmediate)
  const oursAdvisory = weShow()
  await holding.commit()
  await locking
  await b.advisoryUnlock(7)
  expect(withoutXmin(oursAdvisory)).toEqual(withoutXmin(stockAdvisory))
  expect(oursAdvisory[1]).toMatchObject({ wait_event: 'advisory', state: 'active' })
})

test('a transaction that has failed', async () => {
  await first.query('begin')
  await first.query('insert into t values (1, 1)').catch(() => undefined)
  const stock = await whenStockShows(([row]) => row?.state !== 'active')
  await first.query('rollback')
  const open = new OpenTransaction(a, {})
  await open.begun
  expect(() => open.tx.insert(a.table('t'), { id: 1, n: 1 })).toThrow()
  const ours = weShow()
  await open.rollBack()
  expect(ours).toEqual(stock)
  expect(ours[0]).toMatchObject({ state: 'idle in transaction (aborted)' })
})

test('a vacuum, and a definition that waits', async () => {
  const rows = Array.from({ length: 5000 }, (_, i) => ({ id: i + 100, n: i }))
  await a.table('t').insertMany(rows)
  const vacuum = a.vacuum('t', { vacuum_cost_delay: 20, vacuum_cost_limit: 1 })
  const shows = () => cluster.activity().find(({ session }) => session === a.id)
  for (let i = 0; i < 200 && shows()?.query !== 'VACUUM public.t'; i++)
    await new Promise((resolve) => setTimeout(resolve, 5))
  expect(shows()).toMatchObject({ state: 'active', query: 'VACUUM public.t' })
  const created = b.createIndex('t', { columns: ['n'] })
  await new Promise(setImmediate)
  expect(cluster.activity().find(({ session }) => session === b.id)).toMatchObject({
    state: 'active',
    query: 'CREATE INDEX',
    wait_event_type: 'Lock',
    wait_event: 'relation',
  })
  await vacuum
  await created
  expect(weShow().map(({ state }) => state)).toEqual(['idle', 'idle'])
})

test('background workers have the types, and rest with the events, of stock', async () => {
  const { rows } = await watcher.query(
    `select backend_type, datname, state, query, wait_event_type, wait_event, xact_start
     from pg_stat_activity where backend_type <> 'client backend'`,
  )
  const ours = cluster.activity().filter(({ session }) => session === null)
  const types = ours.map(({ backend_type }) => backend_type).sort()
  expect(types).toEqual([
    'archiver',
    'autovacuum launcher',
    'background writer',
    'checkpointer',
    'walwriter',
  ])
  // Of what both have; the rest of stock's are for replication and asynchronous reads.
  const stock = rows.filter(({ backend_type }) => types.includes(backend_type))
  expect(stock.map(({ backend_type }) => backend_type).sort()).toEqual(types)
  const picked = ['datname', 'state', 'query', 'xact_start'] as const
  for (const row of ours) {
    const same = stock.find(({ backend_type }) => backend_type === row.backend_type)
    for (const column of picked) expect(row[column]).toBe(same[column])
    expect(row.pid).toBe(process.pid)
  }
  const events = await watcher.query('select type, name from pg_wait_events')
  const known = new Set(events.rows.map(({ type, name }) => `${type}/${name}`))
  const used = [
    ...ours.map((row) => `${row.wait_event_type}/${row.wait_event}`),
    'Activity/ArchiverMain',
    'Activity/AutovacuumMain',
    'Activity/BgwriterHibernate',
    'Activity/BgwriterMain',
    'Activity/CheckpointerMain',
    'Activity/WalWriterMain',
    'Client/ClientRead',
    'Client/ClientWrite',
    'IPC/ArchiveCommand',
    'Timeout/CheckpointWriteDelay',
    'IO/WalSync',
    'BufferPin/BufferPin',
    'IPC/BufferIo',
    'IO/DataFileExtend',
    'IO/DataFileRead',
    'IO/DataFileSync',
    'IO/DataFileTruncate',
    'IO/DataFileWrite',
    'IO/SlruRead',
    'IO/SlruSync',
    'IO/SlruWrite',
    'IO/WalInitSync',
    'IO/WalInitWrite',
    'IO/WalWrite',
    'LWLock/BufferContent',
    'LWLock/BufferMapping',
    'LWLock/CommitTs',
    'LWLock/CommitTsSLRU',
    'LWLock/LockFastPath',
    'LWLock/LockManager',
    'LWLock/MultiXactMemberSLRU',
    'LWLock/MultiXactOffsetSLRU',
    'LWLock/NotifyQueue',
    'LWLock/NotifySLRU',
    'LWLock/PgStatsData',
    'LWLock/PredicateLockManager',
    'LWLock/ProcArray',
    'LWLock/SerialControl',
    'LWLock/SerialSLRU',
    'LWLock/SubtransSLRU',
    'LWLock/TwoPhaseState',
    'LWLock/WALInsert',
    'LWLock/WALWrite',
    'LWLock/XactSLRU',
    ...'relation extend frozenid page tuple transactionid virtualxid spectoken object userlock advisory'
      .split(' ')
      .map((name) => `Lock/${name}`),
  ]
  expect(used.filter((event) => event !== 'null/null' && !known.has(event))).toEqual([])
})

test('a session that waits for its commit, and one that leaves a scan open', async () => {
  await using slow = await Cluster.open(temporaryDirectory('activity'), { create: true })
  await using session = await slow.connect({ applicationName: 'slow' })
  await session.createTable('t', { columns: { id: 'int4 primary key' } })
  const table = session.table<{ id: number }>('t')
  const mine = () => slow.activity().find(({ application_name }) => application_name === 'slow')
  let committing: ActivityInfo | undefined
  const transaction = session.transaction((tx) => {
    tx.insert(table, { id: 1 })
  })
  // Its commit is under way when the turn of the event loop ends, unless the log was quicker.
  for (let i = 0; i < 1000 && committing?.query !== 'COMMIT'; i++) {
    await undefined
    committing = mine()
  }
  await transaction
  expect(committing).toMatchObject({ query: 'COMMIT', state: 'active', wait_event: 'WalSync' })
  expect(mine()).toMatchObject({ state: 'idle', wait_event: 'ClientRead', xact_start: null })

  await table.insertMany(Array.from({ length: 5000 }, (_, i) => ({ id: i + 10 })))
  const rows = table.scan()[Symbol.iterator]()
  rows.next()
  expect(mine()).toMatchObject({
    state: 'active',
    wait_event: 'ClientWrite',
    query: 'SELECT public.t',
    xact_start: expect.any(Date),
    backend_xmin: expect.any(Number),
  })
  rows.return?.()
  expect(mine()).toMatchObject({ state: 'idle', xact_start: null, backend_xmin: null })
})
