// Goal: what the disk refuses fails the transaction that needed it, with PostgreSQL's error; what can no longer be made
// durable poisons the cluster, and recovery brings back all that was acknowledged. Method: named faults; then a small
// workload with a fault at each of its operations in turn.
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import type { FaultRule, NativeDisk, OperationKind } from '../../src-ts/binding/native.ts'
import { Cluster, type Session, type Table } from '../../src-ts/index.ts'
import { Random } from '../support/random.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { judgeByUs, verifyComplaints } from './judges.ts'
import { LaneJudge } from './ledger.ts'
import { initOptions, runWorkload, settings } from './workload.ts'

interface Row {
  id: number
  t: string
}

const full = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? 18)
let prepared: string

beforeAll(async () => {
  console.log(`faults: PGDATA_SEED=${seed}`)
  prepared = join(memoryDirectory('faults'), 'prepared')
  await Cluster.init(prepared, initOptions)
  await using cluster = await Cluster.open(prepared, { settings })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key', t: 'text not null' } })
  await session.createIndex('t', { name: 't_t', columns: ['t'] })
  await session.table<Row>('t').insertMany(rows(0, 2000))
})

function rows(first: number, count: number): Row[] {
  return Array.from({ length: count }, (_, n) => ({
    id: first + n,
    t: `row ${first + n} ${'.'.repeat(150)}`,
  }))
}

// What makes the log durable: a sync, or a write that lasts at once.
const durable: OperationKind[] = ['write', 'sync']

interface Opened {
  directory: string
  cluster: Cluster
  session: Session
  table: Table<Row>
  disk: NativeDisk
}

// A copy of the prepared cluster, with nothing of it in the pool.
async function opened(): Promise<Opened> {
  const directory = memoryDirectory('run')
  cpSync(prepared, directory, { recursive: true })
  const disk = new binding.Disk()
  const cluster = await Cluster.open(directory, { settings, disk })
  const session = await cluster.connect()
  return { directory, cluster, session, table: session.table<Row>('t'), disk }
}

const ids = (table: Table<Row>) => [...table.range({ columns: ['id'] })].map(({ id }) => id)
const upTo = (count: number) => Array.from({ length: count }, (_, id) => id)

test('a table that cannot grow fails the transaction, and the cluster lives on', async () => {
  for (const fault of ['no_space', 'short_write'] as const) {
    const { cluster, session, table, disk } = await opened()
    disk.fail({
      fault,
      kinds: ['write', 'allocate'],
      path: '/base/',
      times: Number.POSITIVE_INFINITY,
    })
    await expect(table.insertMany(rows(2000, 1000))).rejects.toMatchObject({
      code: '53100',
      message: expect.stringMatching(/^could not extend relation "base\/5\/\d+" to \d+ blocks$/),
      hint: 'Check free disk space.',
    })
    expect(disk.faultsMet()).toBeGreaterThan(0)
    disk.clearFaults()
    expect(ids(table)).toEqual(upTo(2000))
    await table.insertMany(rows(2000, 1000))
    expect(ids(table)).toEqual(upTo(3000))
    await session.close()
    await cluster.close()
  }
})

test('an index that cannot grow fails the transaction, and the cluster lives on', async () => {
  const { cluster, directory, table, disk } = await opened()
  // The heap has room: rows go, their space is not given back, and the index gets new entries.
  const random = new Random(seed)
  let failed = 0
  for (let skip = 0; skip < 40; skip++) {
    disk.clearFaults()
    disk.fail({ fault: 'no_space', kinds: ['write', 'allocate'], path: '/base/', skip, times: 1 })
    const first = random.int(10_000, 1_000_000) * 1000
    try {
      await table.insertMany(rows(first, 300))
      for (const { id } of rows(first, 300)) await table.delete(id)
    } catch (error) {
      expect(error).toMatchObject({ code: '53100' })
      failed++
    }
  }
  expect(failed).toBeGreaterThan(5)
  disk.clearFaults()
  expect(ids(table).filter((id) => id < 2000)).toEqual(upTo(2000))
  await cluster.close()
  expect(await verifyComplaints(directory)).toEqual([])
})

test('a page that cannot be read is reported, and read when it can be', async () => {
  const { cluster, table, disk } = await opened()
  disk.fail({ fault: 'io_error', kinds: ['read'], path: '/base/', times: Number.POSITIVE_INFINITY })
  expect(() => [...table.scan()]).toThrow(
    expect.objectContaining({
      code: '58030',
      message: expect.stringMatching(/^could not read blocks? [\d.]+ of relation "base\/5\/\d+"$/),
    }),
  )
  await expect(table.update(1, { t: 'never' })).rejects.toMatchObject({ code: '58030' })
  disk.clearFaults()
  expect([...table.scan()].length).toBe(2000)
  await table.update(1, { t: 'now' })
  expect(table.get(1)?.t).toBe('now')
  await cluster.close()
})

test('a log that cannot be synced poisons the cluster; opening it again recovers', async () => {
  const { cluster, directory, session, table, disk } = await opened()
  await table.insert({ id: 2000, t: 'acknowledged' })
  disk.fail({ fault: 'io_error', kinds: durable, path: '/pg_wal/' })
  await expect(table.insert({ id: 2001, t: 'unknown' })).rejects.toMatchObject({ code: '58030' })
  await expect(table.insert({ id: 2002, t: 'never' })).rejects.toMatchObject({ code: '57P02' })
  expect(() => table.get(1)).toThrow(expect.objectContaining({ code: '57P02' }))
  await expect(cluster.checkpoint()).rejects.toMatchObject({ code: '57P02' })
  await expect(cluster.connect()).rejects.toMatchObject({ code: '57P02' })
  await session.close()
  await expect(cluster.close()).rejects.toMatchObject({ code: '57P02' })
  await expectRecovered(directory, (found) => expect([2001, 2002]).toContain(found.length))
})

test('a log that cannot grow poisons the cluster; opening it again recovers', async () => {
  const { cluster, directory, table, disk } = await opened()
  disk.fail({
    fault: 'no_space',
    kinds: ['create', 'write', 'allocate'],
    path: '/pg_wal/',
    times: Number.POSITIVE_INFINITY,
  })
  // Who first writes the log out is told at once; others learn it from there.
  await expect(table.insertMany(rows(2000, 20_000))).rejects.toMatchObject({
    code: expect.stringMatching('53100|57P02'),
  })
  await expect(table.insert({ id: 2002, t: 'never' })).rejects.toMatchObject({
    code: '57P02',
    detail: expect.stringContaining('No space left on device'),
  })
  await expect(cluster.close()).rejects.toMatchObject({ code: '57P02' })
  await expectRecovered(directory, (found) => expect(found).toEqual(upTo(2000)))
})

test('data that cannot be synced at a checkpoint poisons the cluster; opening it again recovers', async () => {
  const { cluster, directory, table, disk } = await opened()
  await table.insertMany(rows(2000, 500))
  disk.fail({ fault: 'io_error', kinds: ['sync'], path: '/base/' })
  await expect(cluster.checkpoint()).rejects.toMatchObject({ code: '58030' })
  await expect(cluster.checkpoint()).rejects.toMatchObject({ code: '57P02' })
  await expect(cluster.close()).rejects.toMatchObject({ code: '57P02' })
  await expectRecovered(directory, (found) => expect(found).toEqual(upTo(2500)))
})

test('data that cannot be written fails a checkpoint, and the next one succeeds', async () => {
  const { cluster, directory, table, disk } = await opened()
  await table.insertMany(rows(2000, 500))
  disk.fail({ fault: 'no_space', kinds: ['write'], path: '/base/' })
  await expect(cluster.checkpoint()).rejects.toMatchObject({ code: '53100' })
  await cluster.checkpoint()
  await table.insert({ id: 2500, t: 'after' })
  await cluster.close()
  await expectRecovered(directory, (found) => expect(found).toEqual(upTo(2501)))
})

test('a control file that cannot be written poisons the cluster; opening it again recovers', async () => {
  for (const kind of ['write', 'sync'] as const) {
    const { cluster, directory, table, disk } = await opened()
    await table.insertMany(rows(2000, 500))
    disk.fail({ fault: 'io_error', kinds: [kind], path: 'pg_control' })
    await expect(cluster.checkpoint()).rejects.toMatchObject({ code: '58030' })
    await expect(cluster.close()).rejects.toMatchObject({ code: '57P02' })
    await expectRecovered(directory, (found) => expect(found).toEqual(upTo(2500)))
  }
})

test('a file that cannot be removed is removed at a later checkpoint', async () => {
  const { cluster, directory, session, table, disk } = await opened()
  await session.createTable('dropped', { columns: { id: 'int4 primary key' } })
  await cluster.checkpoint()
  const before = readdirSync(join(directory, 'base', '5')).length
  disk.fail({ fault: 'io_error', kinds: ['remove_file'], times: Number.POSITIVE_INFINITY })
  await session.dropTable('dropped')
  await cluster.checkpoint()
  await table.insert({ id: 2000, t: 'goes on' })
  disk.clearFaults()
  await cluster.checkpoint()
  expect(readdirSync(join(directory, 'base', '5')).length).toBe(before - 2)
  await cluster.close()
  await expectRecovered(directory, (found) => expect(found).toEqual(upTo(2001)))
})

test('a slow disk delays commits and nothing else', async () => {
  const { cluster, table, disk } = await opened()
  disk.fail({ fault: 'delay', kinds: durable, path: '/pg_wal/', delayMs: 200 })
  const begin = performance.now()
  const commit = table.insert({ id: 2000, t: 'late' })
  // The event loop is free meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(table.get(1)?.id).toBe(1)
  expect(performance.now() - begin).toBeLessThan(150)
  await commit
  expect(performance.now() - begin).toBeGreaterThanOrEqual(200)
  await cluster.close()
})

const everyKind: OperationKind[] = [
  'open',
  'create',
  'read',
  'write',
  'sync',
  'truncate',
  'allocate',
  'remove_file',
  'rename',
  'sync_directory',
  'look_up',
]

// The workload with a fault, then what it left. Resolves with the number of operations.
async function runWithFault(rule: FaultRule | undefined, what: string): Promise<number> {
  const directory = memoryDirectory('run')
  cpSync(prepared, directory, { recursive: true })
  const disk = new binding.Disk()
  const cluster = await Cluster.open(directory, { settings, disk })
  const isPoisoned = () => {
    try {
      cluster.statistics()
      return false
    } catch (error) {
      expect(error).toMatchObject({ code: '57P02' })
      return true
    }
  }
  const first = disk.step()
  if (rule !== undefined) disk.fail(rule)
  const lanes = await runWorkload(cluster, {
    seed,
    lanes: 1,
    transactions: 12,
    now: () => disk.step(),
    onFailure: (error) => {
      expect(error, what).toMatchObject({
        // XX000: what meets the broken invariant itself.
        code: expect.stringMatching(
          rule?.fault === 'broken_invariant'
            ? '^(XX000|57P02|25P02)$'
            : '^(53100|58030|57P02|25P02)$',
        ),
      })
      return isPoisoned() ? 'end' : 'go on'
    },
  })
  const steps = disk.step() - first
  disk.clearFaults()
  if (isPoisoned()) await expect(cluster.close(), what).rejects.toMatchObject({ code: '57P02' })
  else await cluster.close()
  const judges = lanes.map((lane) => new LaneJudge(lane))
  expect(await judgeByUs(directory, judges, Number.MAX_SAFE_INTEGER), what).toEqual([])
  rmSync(directory, { recursive: true })
  return steps
}

const faultRuns = full ? 1500 : 12

test(`${faultRuns} faults anywhere in a workload`, {
  timeout: 60_000 + faultRuns * 3000,
}, async () => {
  const random = new Random(seed)
  const steps = await runWithFault(undefined, 'no fault')
  for (let n = 0; n < faultRuns; n++) {
    const rule: FaultRule = {
      fault: random.pick([
        'io_error',
        'io_error',
        'no_space',
        'no_space',
        'short_write',
        'short_write',
        'delay',
        'power_failure',
        'broken_invariant',
      ]),
      kinds: everyKind,
      // Evenly spread, so that a full run meets most operations.
      skip: Math.floor(((n + random.next()) * steps) / faultRuns),
      times: random.pick([1, 1, 5, Number.POSITIVE_INFINITY]),
      probability: random.pick([1, 1, 0.3]),
      seed: seed + n,
      delayMs: 5,
    }
    await runWithFault(rule, JSON.stringify(rule))
  }
})

async function expectRecovered(directory: string, check: (found: number[]) => void): Promise<void> {
  await using cluster = await Cluster.open(directory, { settings })
  await using session = await cluster.connect()
  const table = session.table<Row>('t')
  check(ids(table))
  await table.insert({ id: -1, t: 'after' })
  await session.close()
  await cluster.close()
  expect(await verifyComplaints(directory)).toEqual([])
}
