// What VACUUM goes by, where no option says otherwise.
// Goal: the settings of the session and of autovacuum and the storage parameters of a table mean what they mean to PostgreSQL.
// Method: tables that stock made, with parameters; the effect of each setting on what a vacuum does.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const rows = 120_000
// Two bytes a dead row and twelve a page: what 64 kB hold are some 28,000.
const smallest = 64 * 1024

async function makeDead(session: Session): Promise<void> {
  await session.createTable('public.t', { columns: { id: 'int4 not null' }, primaryKey: ['id'] })
  const t = session.table<{ id: number }>('t')
  await t.insertMany(Array.from({ length: rows }, (_, id) => ({ id })))
  await session.transaction(async (tx) => {
    for (let id = 0; id < rows; id += 10) for (let i = 0; i < 9; i++) await tx.delete(t, id + i)
  })
}

test('dead rows are collected within maintenance_work_mem', { timeout: 120_000 }, async () => {
  await using cluster = await Cluster.open(temporaryDirectory('vacuum-settings'), {
    create: true,
    settings: { fsync: false, autovacuum: false, track_counts: false },
  })
  await using session = await cluster.connect()
  await makeDead(session)
  session.set('maintenance_work_mem', '64kB')
  let most = 0
  let allowed = 0
  const [report] = await session.vacuum('t', {
    onProgress: ({ dead_tuple_bytes, max_dead_tuple_bytes }) => {
      most = Math.max(most, dead_tuple_bytes)
      allowed = max_dead_tuple_bytes
    },
  })
  expect(allowed).toBe(smallest)
  // What a page adds at most is over the limit.
  expect(most).toBeLessThan(smallest + 1024)
  expect(report?.tuplesRemoved).toBe((rows / 10) * 9)
  expect(report?.indexScans).toBeGreaterThanOrEqual(3)
  expect(await session.table('t').aggregate({ count: true })).toEqual({ count: rows / 10 })
})

test('autovacuum goes by autovacuum_work_mem', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('vacuum-settings')
  {
    await using cluster = await Cluster.open(directory, {
      create: true,
      settings: { fsync: false, autovacuum: false },
    })
    await using session = await cluster.connect()
    await makeDead(session)
  }
  const told: string[] = []
  await using _cluster = await Cluster.open(directory, {
    settings: {
      fsync: false,
      autovacuum_naptime: '1s',
      autovacuum_work_mem: '64kB',
      log_autovacuum_min_duration: 0,
    },
    onLog: ({ message }) => told.push(message),
  })
  const scans = () =>
    told.flatMap((line) => /of table "[^"]*public\.t": index scans: (\d+)/.exec(line)?.[1] ?? [])
  for (let i = 0; i < 1000 && scans().length === 0; i++) await sleep(50)
  expect(Number(scans()[0])).toBeGreaterThanOrEqual(3)
})

test('storage parameters and the session say what is truncated and cleaned up', async () => {
  await using stock = await Oracle.initdb()
  await stock.start({ autovacuum: 'off' })
  const client = await stock.client()
  const tables: Record<string, string> = {
    plain: '',
    kept: 'with (vacuum_truncate = off)',
    cut: 'with (vacuum_truncate = true)',
    uncleaned: 'with (vacuum_index_cleanup = off)',
    few: '',
    cleaned: 'with (vacuum_index_cleanup = yes)',
  }
  for (const [name, parameters] of Object.entries(tables)) {
    await client.query(`create table ${name} (id int4 primary key) ${parameters}`)
    // So few dead rows in so many pages that indexes are left alone unless it is said; or whole pages of them.
    const isFew = name === 'few' || name === 'cleaned'
    const count = isFew ? 30_000 : 5000
    await client.query(`insert into ${name} select generate_series(1, ${count})`)
    await client.query(`delete from ${name} where id > ${isFew ? count - 10 : 1000}`)
  }
  await stock.stop()
  await using cluster = await Cluster.open(stock.dir, { settings: { autovacuum: false } })
  await using session = await cluster.connect()
  session.set('vacuum_truncate', false)
  const vacuumed = async (name: string, options = {}) => {
    const [report] = await session.vacuum(name, options)
    return {
      isCut: (report?.remainingPages ?? 0) < (report?.pages ?? 0),
      scans: report?.indexScans,
    }
  }
  expect(await vacuumed('plain')).toEqual({ isCut: false, scans: 1 })
  expect(await vacuumed('kept')).toEqual({ isCut: false, scans: 1 })
  expect(await vacuumed('cut')).toEqual({ isCut: true, scans: 1 })
  session.reset('vacuum_truncate')
  expect(await vacuumed('kept')).toMatchObject({ isCut: false })
  expect(await vacuumed('kept', { truncate: true })).toMatchObject({ isCut: true })
  expect(await vacuumed('uncleaned')).toEqual({ isCut: false, scans: 0 })
  expect(await vacuumed('uncleaned', { indexCleanup: 'on' })).toMatchObject({ scans: 1 })
  expect(await vacuumed('few')).toEqual({ isCut: false, scans: 0 })
  expect(await vacuumed('cleaned')).toEqual({ isCut: false, scans: 1 })
})
