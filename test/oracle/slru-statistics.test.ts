// Statistics of the areas of small pages, against PostgreSQL.
// Goal: the same operations leave the same numbers in pg_stat_slru and here, and the numbers survive the handover both
// ways. Method: one list of operations, done by both after a reset; the rows beside each other, as the views and as the
// file after a clean shutdown have them; that file read by the other engine.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import {
  PgStat_ArchiverStats,
  PgStat_BgWriterStats,
  PgStat_CheckpointerStats,
  PgStat_IO,
  PgStat_SLRUStats,
  PgStat_WalStats,
} from '../../src-ts/binding/layouts.generated.ts'
import { Cluster, type Session, type SlruName, type SlruStatistics } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const settings = { autovacuum: false, track_commit_timestamp: true }

// In the order of the file.
const names = [
  'commit_timestamp',
  'multixact_member',
  'multixact_offset',
  'notify',
  'serializable',
  'subtransaction',
  'transaction',
  'other',
] as const satisfies readonly SlruName[]

// Columns of the view, and what the file calls them.
const inFileNames = {
  blks_zeroed: 'blocks_zeroed',
  blks_hit: 'blocks_hit',
  blks_read: 'blocks_read',
  blks_written: 'blocks_written',
  blks_exists: 'blocks_exists',
  flushes: 'flush',
  truncates: 'truncate',
} as const satisfies Partial<Record<keyof SlruStatistics, keyof typeof PgStat_SLRUStats>>
type Count = keyof typeof inFileNames
const counts = Object.keys(inFileNames) as Count[]

type Rows = Record<SlruName, Record<Count, number>>

function byName(rows: readonly SlruStatistics[]): Rows {
  expect(rows.map(({ name }) => name)).toEqual(names)
  return Object.fromEntries(
    rows.map((row) => [
      row.name,
      Object.fromEntries(counts.map((name) => [name, Number(row[name])])),
    ]),
  ) as Rows
}

// Each session's own counts are added when it is told to.
async function ofStock(...clients: pg.Client[]): Promise<Rows> {
  for (const client of clients) await client.query('select pg_stat_force_next_flush()')
  for (const client of clients.slice(1)) await client.query('select 1')
  const { rows } = await (clients[0] as pg.Client).query('select * from pg_stat_slru')
  return byName(rows)
}

const ofOurs = (cluster: Cluster) => byName(cluster.clusterStatistics()?.slru ?? [])

async function setUpStock(client: pg.Client): Promise<void> {
  await client.query('create table t (id int8 primary key, k int4)')
  await client.query('insert into t select n, 0 from generate_series(0, 9) n')
  await client.query('vacuum t')
}

// Five savepoints one inside the other, a row that two lock, a notification.
async function workOfStock(first: pg.Client, second: pg.Client): Promise<void> {
  await first.query('begin')
  for (let id = 100; id < 105; id++) {
    await first.query('savepoint s')
    await first.query(`insert into t values (${id}, 0)`)
  }
  await first.query('commit')
  for (const each of [first, second]) {
    await each.query('begin')
    await each.query('select * from t where id = 3 for share')
  }
  await second.query('commit')
  await first.query('commit')
  await first.query('listen a')
  await first.query(`notify a, 'x'`)
  await first.query('unlisten a')
}

interface Item {
  id: number
  k: number
}

async function setUpOurs(session: Session): Promise<void> {
  await session.createTable('t', {
    columns: { id: 'int8 not null', k: 'int4' },
    primaryKey: ['id'],
  })
  await session.table<Item>('t').insertMany(Array.from({ length: 10 }, (_, id) => ({ id, k: 0 })))
  await session.vacuum('t')
}

async function workOfOurs(first: Session, second: Session): Promise<void> {
  const t = first.table<Item>('t')
  await first.transaction(async (tx) => {
    const nested = (around: typeof tx, id: number): Promise<void> =>
      around.savepoint(async (inner) => {
        await inner.insert(t, { id, k: 0 })
        if (id < 104) await nested(inner, id + 1)
      })
    await nested(tx, 100)
  })
  await first.transaction(async (tx) => {
    await tx.get(t, 3, { lock: 'for share' })
    await second.transaction(async (other) => {
      await other.get(second.table<Item>('t'), 3, { lock: 'for share' })
    })
  })
  await using stream = first.listen('a')
  await first.notify('a', 'x')
  await stream.next()
}

// The rows in the file that a clean shutdown leaves.
function inFile(directory: string): Rows {
  const bytes = readFileSync(join(directory, 'pg_stat', 'pgstat.stat'))
  const sizes: Record<number, number> = {
    7: PgStat_ArchiverStats.size,
    8: PgStat_BgWriterStats.size,
    9: PgStat_CheckpointerStats.size,
    10: PgStat_IO.size,
    12: PgStat_WalStats.size,
  }
  // A format number, then entries of which there is one: 'F', the kind, the content.
  let at = 4
  while (bytes.readUInt32LE(at + 1) !== 11) {
    expect(bytes.toString('latin1', at, at + 1)).toBe('F')
    at += 5 + (sizes[bytes.readUInt32LE(at + 1)] ?? Number.NaN)
  }
  const field = (row: number, name: keyof typeof inFileNames) =>
    Number(
      bytes.readBigInt64LE(
        at + 5 + row * PgStat_SLRUStats.size + PgStat_SLRUStats[inFileNames[name]].offset,
      ),
    )
  return Object.fromEntries(
    names.map((name, row) => [
      name,
      Object.fromEntries(counts.map((count) => [count, field(row, count)])),
    ]),
  ) as Rows
}

const picked = (rows: Rows, ...areas: SlruName[]) =>
  Object.fromEntries(areas.map((area) => [area, rows[area]]))

describe('pg_stat_slru', () => {
  test('counts the same, and leaves the same in the file', { timeout: 60_000 }, async () => {
    const oracle = await Oracle.initdb()
    await oracle.start({ ...settings, checkpoint_timeout: '1h' })
    const first = await oracle.client('postgres')
    const second = await oracle.client('postgres')
    await setUpStock(first)
    await ofStock(first)
    await first.query('select pg_stat_reset_slru()')
    await workOfStock(first, second)
    const stock = await ofStock(first, second)
    await second.end()
    await first.end()
    await oracle.stop()

    const directory = temporaryDirectory()
    let ours: Rows
    {
      await using cluster = await Cluster.open(directory, { create: true, settings })
      await using session = await cluster.connect()
      await using other = await cluster.connect()
      await setUpOurs(session)
      cluster.resetSlruStatistics()
      await workOfOurs(session, other)
      ours = ofOurs(cluster)
    }
    // Looking up whether others have committed is done at other moments.
    const same: SlruName[] = ['notify', 'serializable', 'subtransaction']
    expect(picked(ours, ...same, 'other')).toEqual(picked(stock, ...same, 'other'))
    // A transaction that only notifies has an xid, and so a timestamp, with stock alone.
    expect(ours.commit_timestamp.blks_hit).toBe(stock.commit_timestamp.blks_hit - 1)
    expect(ours.multixact_member.blks_zeroed).toBe(stock.multixact_member.blks_zeroed)
    expect(ours.multixact_member.blks_hit).toBeGreaterThan(0)
    expect(ours.transaction.blks_hit).toBeGreaterThan(0)
    // With the checkpoint of the shutdown.
    const written = (rows: Rows) =>
      names.map((name) => {
        const { blks_zeroed, blks_written, flushes, truncates } = rows[name]
        return { name, blks_zeroed, blks_written, flushes, truncates }
      })
    const left = inFile(directory)
    expect(written(left)).toEqual(written(inFile(oracle.dir)))
    expect(left.transaction.flushes).toBe(1)
    expect(left.subtransaction.truncates).toBe(1)

    // Each reads the other's file, and goes on from there.
    const kept = (rows: Rows) => [
      rows.commit_timestamp.flushes,
      rows.notify.blks_zeroed,
      rows.multixact_member.blks_zeroed,
      rows.subtransaction.blks_hit,
      rows.transaction.flushes,
    ]
    const leftByStock = inFile(oracle.dir)
    const adopted = Oracle.adopt(directory)
    await adopted.start({ ...settings, checkpoint_timeout: '1h' })
    const reader = await adopted.client('postgres')
    expect(kept(await ofStock(reader))).toEqual(kept(left))
    await reader.end()
    await adopted.stop()
    await using cluster = await Cluster.open(oracle.dir, { settings })
    expect(kept(ofOurs(cluster))).toEqual(kept(leftByStock))
    cluster.resetSlruStatistics('notify')
    expect(ofOurs(cluster).notify.blks_zeroed).toBe(0)
    expect(ofOurs(cluster).subtransaction.blks_hit).toBe(leftByStock.subtransaction.blks_hit)
    cluster.resetSlruStatistics()
    expect(ofOurs(cluster).subtransaction.blks_hit).toBe(0)
  })
})
