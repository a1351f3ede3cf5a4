// Cumulative statistics, against PostgreSQL.
// Goal: the same operations leave the same counters in ours and in stock, and counters survive the handover both ways.
// Method: one list of operations, done by both; the rows of the views compared; pg_stat/pgstat.stat read by the other
// engine after a clean shutdown.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { Cluster, type Session, type TableStatistics } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Item {
  id: number
  k: number
  body: string | null
}

const quiet = { autovacuum: false, checkpoint_timeout: '1h', enable_bitmapscan: false }
const rows = 300

// Views lag behind those who count until they end their sessions or a second is over.
const compared = [
  'seq_scan',
  'seq_tup_read',
  'idx_scan',
  'idx_tup_fetch',
  'n_tup_ins',
  'n_tup_upd',
  'n_tup_del',
  'n_tup_hot_upd',
  'n_tup_newpage_upd',
  'n_live_tup',
  'n_dead_tup',
  'n_mod_since_analyze',
  'n_ins_since_vacuum',
  'vacuum_count',
  'autovacuum_count',
] as const satisfies readonly (keyof TableStatistics)[]

async function workOfOurs(session: Session): Promise<void> {
  await session.createTable('public.items', {
    columns: { id: 'int8 not null', k: 'int4', body: 'text' },
    primaryKey: ['id'],
  })
  await session.createIndex('public.items', { name: 'items_k', columns: ['k'] })
  const items = session.table<Item>('public.items')
  await session.transaction((tx) => {
    for (let id = 0; id < rows; id++) tx.insert(items, { id, k: id % 10, body: 'x'.repeat(100) })
  })
  for (let id = 0; id < 20; id++) items.get(id)
  items.get(rows + 5)
  for (let i = 0; i < 3; i++) [...items.scan()]
  await session.transaction(async (tx) => {
    for (let id = 0; id < 10; id++) await tx.update(items, id, { body: 'changed' })
    for (let id = 10; id < 15; id++) await tx.update(items, id, { k: 100 })
    for (let id = 20; id < 27; id++) await tx.delete(items, id)
  })
  await session
    .transaction(async (tx) => {
      tx.insert(items, { id: 1000, k: 1, body: null }, { id: 1001, k: 1, body: null })
      await tx.update(items, 50, { k: 7777 })
      await tx.delete(items, 51)
      throw new Error('on purpose')
    })
    .catch(() => undefined)
  await session.transaction(async (tx) => {
    tx.insert(items, { id: 2000, k: 1, body: null })
    await tx
      .savepoint((inner) => {
        inner.insert(items, { id: 2001, k: 1, body: null }, { id: 2002, k: 1, body: null })
        throw new Error('on purpose')
      })
      .catch(() => undefined)
  })
}

async function workOfStock(client: pg.Client): Promise<void> {
  await client.query('create table items (id int8 not null primary key, k int4, body text)')
  await client.query('create index items_k on items (k)')
  const inTransaction = async (...commands: string[]) => {
    await client.query('begin')
    for (const command of commands) await client.query(command)
  }
  const each = (from: number, to: number, command: (id: number) => string) =>
    Array.from({ length: to - from }, (_, i) => command(from + i))
  await inTransaction(
    ...each(0, rows, (id) => `insert into items values (${id}, ${id % 10}, '${'x'.repeat(100)}')`),
  )
  await client.query('commit')
  await client.query('set enable_seqscan = off')
  for (let id = 0; id < 20; id++) await client.query(`select * from items where id = ${id}`)
  await client.query(`select * from items where id = ${rows + 5}`)
  await client.query('set enable_seqscan = on')
  for (let i = 0; i < 3; i++) await client.query('select * from items')
  await client.query('set enable_seqscan = off')
  await inTransaction(
    ...each(0, 10, (id) => `update items set body = 'changed' where id = ${id}`),
    ...each(10, 15, (id) => `update items set k = 100 where id = ${id}`),
    ...each(20, 27, (id) => `delete from items where id = ${id}`),
  )
  await client.query('commit')
  await inTransaction(
    `insert into items values (1000, 1, null), (1001, 1, null)`,
    'update items set k = 7777 where id = 50',
    'delete from items where id = 51',
  )
  await client.query('rollback')
  await inTransaction(
    'insert into items values (2000, 1, null)',
    'savepoint s',
    'insert into items values (2001, 1, null), (2002, 1, null)',
    'rollback to s',
  )
  await client.query('commit')
}

async function statisticsOfStock(
  client: pg.Client,
  table: string,
): Promise<Record<string, number>> {
  await client.query('select pg_stat_force_next_flush()')
  const { rows: found } = await client.query(
    `select * from pg_stat_all_tables where relname = $1`,
    [table],
  )
  return Object.fromEntries(compared.map((name) => [name, Number(found[0]?.[name])]))
}

const ofOurs = (statistics: TableStatistics) =>
  Object.fromEntries(compared.map((name) => [name, statistics[name]]))

describe('cumulative statistics', () => {
  test('are the same for the same operations, with savepoints, rollbacks, vacuum, truncate', async () => {
    const oracle = await Oracle.initdb()
    await oracle.start(quiet)
    const client = await oracle.client('postgres')
    const directory = temporaryDirectory()
    await using cluster = await Cluster.open(directory, { create: true })
    await using session = await cluster.connect()
    try {
      await workOfStock(client)
      await workOfOurs(session)
      expect(ofOurs(session.tableStatistics('items'))).toEqual(
        await statisticsOfStock(client, 'items'),
      )
      const indexesOfStock = await client.query(
        `select indexrelname, idx_scan::int, idx_tup_read::int, idx_tup_fetch::int from pg_stat_all_indexes
         where relname = 'items' order by indexrelname`,
      )
      const indexes = session
        .indexStatistics('items')
        .map(({ indexrelname, idx_scan, idx_tup_read, idx_tup_fetch }) => ({
          indexrelname,
          idx_scan,
          idx_tup_read,
          idx_tup_fetch,
        }))
        .sort((a, b) => (a.indexrelname < b.indexrelname ? -1 : 1))
      expect(indexes).toEqual(indexesOfStock.rows)

      await client.query('vacuum items')
      await session.vacuum('items')
      expect(ofOurs(session.tableStatistics('items'))).toEqual(
        await statisticsOfStock(client, 'items'),
      )
      expect(session.tableStatistics('items').last_vacuum).toBeInstanceOf(Date)

      const items = session.table<Item>('public.items')
      await inBoth(
        client,
        [
          'insert into items values (3000, 1, null)',
          'truncate items',
          'insert into items values (3001, 1, null)',
        ],
        () =>
          session.transaction(async (tx) => {
            tx.insert(items, { id: 3000, k: 1, body: null })
            await tx.truncate('items')
            tx.insert(items, { id: 3001, k: 1, body: null })
          }),
      )
      expect(ofOurs(session.tableStatistics('items'))).toEqual(
        await statisticsOfStock(client, 'items'),
      )
      expect(session.tableStatistics('items').n_live_tup).toBe(1)
    } finally {
      await client.end()
      await oracle.stop()
    }
  })

  test('of a database count transactions, rows and sessions', async () => {
    const directory = temporaryDirectory()
    await using cluster = await Cluster.open(directory, { create: true })
    {
      await using session = await cluster.connect()
      await workOfOurs(session)
    }
    const before = cluster.databaseStatistics().find(({ datname }) => datname === 'postgres')
    await using session = await cluster.connect()
    const items = session.table<Item>('public.items')
    await session.transaction((tx) => tx.insert(items, { id: 5000, k: 1, body: null }))
    await session
      .transaction((tx) => {
        tx.insert(items, { id: 5001, k: 1, body: null })
        throw new Error('on purpose')
      })
      .catch(() => undefined)
    const after = cluster.databaseStatistics().find(({ datname }) => datname === 'postgres')
    expect(before?.sessions).toBe(1)
    expect(after?.sessions).toBe(2)
    expect((after?.xact_rollback ?? 0) - (before?.xact_rollback ?? 0)).toBe(1)
    expect(after?.xact_commit).toBeGreaterThan(before?.xact_commit ?? 0)
    expect((after?.tup_inserted ?? 0) - (before?.tup_inserted ?? 0)).toBe(2)
    expect(after?.blks_hit).toBeGreaterThan(0)
    expect(before?.session_time).toBeGreaterThan(0)
    const io = cluster
      .clusterStatistics()
      ?.io.find(
        ({ backend_type, context }) => backend_type === 'client backend' && context === 'normal',
      )
    expect(io?.hits).toBeGreaterThan(0)
    expect(cluster.clusterStatistics()?.wal.wal_bytes).toBeGreaterThan(0)
    cluster.resetStatistics()
    expect(session.tableStatistics('items').n_tup_ins).toBe(0)
    expect(cluster.clusterStatistics()?.wal.wal_records).toBeLessThan(10)
  })

  test('survive a clean handover to stock and back, and go with a crash', async () => {
    const directory = temporaryDirectory()
    let left: Record<string, number | null> = {}
    {
      await using cluster = await Cluster.open(directory, { create: true })
      await using session = await cluster.connect()
      await workOfOurs(session)
      await session.vacuum('items')
      left = ofOurs(session.tableStatistics('items')) as Record<string, number>
    }
    expect(existsSync(join(directory, 'pg_stat', 'pgstat.stat'))).toBe(true)
    const oracle = Oracle.adopt(directory)
    await oracle.start(quiet)
    const client = await oracle.client('postgres')
    expect(await statisticsOfStock(client, 'items')).toEqual(left)
    const database = await client.query(
      `select sessions::int, xact_rollback::int from pg_stat_database where datname = 'postgres'`,
    )
    expect(database.rows[0].sessions).toBeGreaterThanOrEqual(1)
    expect(database.rows[0].xact_rollback).toBeGreaterThanOrEqual(1)
    await client.query('insert into items select 9000 + n, n, null from generate_series(1, 50) n')
    await client.query('delete from items where id > 9040')
    await client.query(`create table other (a int)`)
    await client.query(`insert into other values (1), (2)`)
    left = await statisticsOfStock(client, 'items')
    await client.end()
    await oracle.stop()
    {
      await using cluster = await Cluster.open(directory)
      await using session = await cluster.connect()
      expect(existsSync(join(directory, 'pg_stat', 'pgstat.stat'))).toBe(false)
      expect(ofOurs(session.tableStatistics('items'))).toEqual(left)
      expect(session.tableStatistics('other').n_live_tup).toBe(2)
      await session.dropTable('other')
      await session.createTable('other', { columns: { a: 'int4' } })
      expect(session.tableStatistics('other').n_live_tup).toBe(0)
    }
    await oracle.start(quiet)
    await oracle.kill9()
    await using cluster = await Cluster.open(directory)
    await using session = await cluster.connect()
    expect(session.tableStatistics('items').n_tup_ins).toBe(0)
    expect(cluster.clusterStatistics()?.wal.stats_reset).toBeInstanceOf(Date)
  })
})

async function inBoth(
  client: pg.Client,
  commands: string[],
  ours: () => Promise<unknown>,
): Promise<void> {
  await client.query('begin')
  for (const command of commands) await client.query(command)
  await client.query('commit')
  await ours()
}
