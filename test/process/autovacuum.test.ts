// Autovacuum.
// Goal: tables that need it are vacuumed and analyzed without anybody asking, as their settings say; it gives way to who waits for
// a table, blocks nothing, and does not keep the process alive. Method: clusters with a short naptime; a process that
// has nothing left to do.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster, type LogRecord, type PgError, type Session } from '../../src-ts/index.ts'
import { setNextIds, xidsPerFile } from '../support/next-ids.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const settings = { autovacuum_naptime: '1s', log_autovacuum_min_duration: 0 }

interface Row {
  id: number
  body: string
}

async function makeTable(session: Session, name: string, rows: number): Promise<void> {
  await session.createTable(`public.${name}`, {
    columns: { id: 'int8 not null', body: 'text' },
    primaryKey: ['id'],
  })
  const table = session.table<Row>(name)
  await table.insertMany(Array.from({ length: rows }, (_, id) => ({ id, body: `row ${id}` })))
}

async function deleteRows(session: Session, name: string, count: number): Promise<void> {
  const table = session.table<Row>(name)
  await session.transaction(async (tx) => {
    for (let id = 0; id < count; id++) await tx.delete(table, id)
  })
}

async function until(condition: () => boolean, seconds = 20): Promise<void> {
  for (let i = 0; i < seconds * 20 && !condition(); i++) await sleep(50)
  expect(condition()).toBe(true)
}

test('vacuums tables with many dead or new rows, and no others', { timeout: 60_000 }, async () => {
  const records: LogRecord[] = []
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings,
    onLog: (record) => records.push(record),
  })
  await using session = await cluster.connect()
  for (const name of ['dead', 'quiet']) await makeTable(session, name, 500)
  await makeTable(session, 'grown', 1500)
  await deleteRows(session, 'dead', 400)
  await deleteRows(session, 'quiet', 20)
  const count = (name: string) => session.tableStatistics(name).autovacuum_count
  await until(() => count('dead') > 0 && count('grown') > 0)
  expect(session.tableStatistics('dead').n_dead_tup).toBe(0)
  expect(session.tableStatistics('dead').n_live_tup).toBe(100)
  expect(session.tableStatistics('dead').last_autovacuum).toBeInstanceOf(Date)
  expect(session.tableStatistics('dead').vacuum_count).toBe(0)
  expect(session.tableStatistics('grown').n_ins_since_vacuum).toBe(0)
  expect(count('quiet')).toBe(0)
  const told = records.find(({ message }) => message.includes('"postgres.public.dead"'))
  expect(told?.message).toMatch(
    /^automatic vacuum of table "postgres\.public\.dead": index scans: 1\npages: 0 removed/,
  )
  expect(told?.backend_type).toBe('autovacuum worker')
  const io = cluster.clusterStatistics()?.io ?? []
  expect(io.some(({ backend_type }) => backend_type === 'autovacuum worker')).toBe(true)
  const [postgres] = cluster.databaseStatistics().filter(({ datname }) => datname === 'postgres')
  expect(postgres?.sessions).toBe(1)
})

test('analyzes tables that changed, and no others', { timeout: 60_000 }, async () => {
  const records: LogRecord[] = []
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    // Too few rows for a vacuum.
    settings: { ...settings, autovacuum_vacuum_insert_threshold: -1 },
    onLog: (record) => records.push(record),
  })
  await using session = await cluster.connect()
  await makeTable(session, 'quiet', 40)
  await makeTable(session, 'grown', 100)
  const count = () => session.tableStatistics('grown').autoanalyze_count
  await until(() => count() > 0)
  expect(session.tableStatistics('grown')).toMatchObject({
    n_mod_since_analyze: 0,
    n_live_tup: 100,
    analyze_count: 0,
    autovacuum_count: 0,
  })
  expect(session.tableStatistics('grown').last_autoanalyze).toBeInstanceOf(Date)
  expect(session.tableStatistics('quiet').autoanalyze_count).toBe(0)
  const told = records.find(({ message }) => message.includes('"postgres.public.grown"'))
  expect(told?.message).toMatch(
    /^automatic analyze of table "postgres\.public\.grown"\npages: 1 of 1 scanned\ntuples: 100 in sample, 100 live, 0 dead\n/,
  )
  expect(told?.backend_type).toBe('autovacuum worker')
  // What was found is what the next threshold goes by.
  const before = count()
  await deleteRows(session, 'grown', 61)
  await until(() => count() > before)
  expect(session.tableStatistics('grown').n_live_tup).toBe(39)
})

test('does nothing while it is off', { timeout: 30_000 }, async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { ...settings, autovacuum: false },
  })
  await using session = await cluster.connect()
  await makeTable(session, 'dead', 500)
  await deleteRows(session, 'dead', 400)
  await sleep(2500)
  expect(session.tableStatistics('dead').autovacuum_count).toBe(0)
  expect(session.tableStatistics('dead').autoanalyze_count).toBe(0)
})

test('freezes before ids run out, also while it is off', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory()
  {
    await using cluster = await Cluster.open(directory, { create: true })
    await using session = await cluster.connect()
    await makeTable(session, 'old', 100)
  }
  // 209 million transactions later.
  setNextIds(directory, { nextXid: BigInt(xidsPerFile) * 200n })
  await using cluster = await Cluster.open(directory, {
    settings: { ...settings, autovacuum: false, log_autovacuum_min_duration: -1 },
  })
  await using session = await cluster.connect()
  await until(() => session.tableStatistics('old').autovacuum_count > 0, 90)
})

test('gives way to who waits for the table', { timeout: 60_000 }, async () => {
  const notices: PgError[] = []
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: {
      ...settings,
      deadlock_timeout: 200,
      // So slow that it would take minutes.
      autovacuum_vacuum_cost_delay: 100,
      autovacuum_vacuum_cost_limit: 1,
    },
    onNotice: (notice) => notices.push(notice),
  })
  await using session = await cluster.connect()
  await makeTable(session, 'slow', 20_000)
  await deleteRows(session, 'slow', 10_000)
  const holds = () =>
    cluster.locks().some(({ mode, granted }) => granted && mode === 'ShareUpdateExclusiveLock')
  await until(holds)
  const began = performance.now()
  await session.truncate('slow')
  expect(performance.now() - began).toBeLessThan(5000)
  await until(() => notices.some(({ message }) => message === 'canceling autovacuum task'))
  const told = notices.find(({ message }) => message === 'canceling autovacuum task')
  expect(told?.code).toBe('57014')
  expect(told?.detail).toBe('automatic vacuum of table "postgres.public.slow"')
})

test('blocks the event loop for no more than 20 ms, and ends with the cluster', {
  timeout: 60_000,
}, async () => {
  const cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { ...settings, autovacuum_vacuum_cost_delay: 10, autovacuum_vacuum_cost_limit: 10 },
  })
  const session = await cluster.connect()
  await makeTable(session, 'big', 20_000)
  await deleteRows(session, 'big', 10_000)
  const holds = () =>
    cluster.locks().some(({ mode, granted }) => granted && mode === 'ShareUpdateExclusiveLock')
  await until(holds)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(1000)
  delay.disable()
  const p99 = delay.percentile(99) / 1e6
  console.log(
    `event loop delay while a vacuum ran: 99 % below ${p99.toFixed(1)} ms, at most ${(delay.max / 1e6).toFixed(1)} ms`,
  )
  expect(p99).toBeLessThan(20)
  const began = performance.now()
  await cluster.close()
  expect(performance.now() - began).toBeLessThan(5000)
})

test('does not keep the process alive', { timeout: 60_000 }, () => {
  const script = join(import.meta.dirname, 'idle-process.ts')
  const began = performance.now()
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), script, temporaryDirectory()],
    { encoding: 'utf8', timeout: 40_000 },
  )
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(performance.now() - began).toBeLessThan(30_000)
})
