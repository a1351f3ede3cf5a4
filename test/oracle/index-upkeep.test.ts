// Dead index entries, against PostgreSQL.
// Goal: an index whose rows are changed all the time stays as small as stock's: scans mark entries of dead rows, and
// entries are deleted where room is needed. What is left is sound, and the log of it is replayed by stock and by us.
// Method: the same workload on both engines, of which both are told statement by statement; page counts compared, and
// what pg_walinspect says was logged; amcheck.
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Random } from './types-inputs.ts'

const quiet = {
  autovacuum: false,
  checkpoint_timeout: '1h',
  max_wal_size: '10GB',
  wal_keep_size: '10GB',
}

interface Item {
  id: number
  k: number
  counter: number
  body: string
}

// `counter` changes with every update, so that none is heap-only; the other indexes keep their keys.
const indexes = ['items_pkey', 'items_k_idx', 'items_counter_idx', 'items_body_idx'] as const
type Sizes = Record<(typeof indexes)[number] | 'items', number>

const bodyOf = (id: number) => `body of ${id} `.padEnd(40, 'x')

// Which rows are updated, in batches of one transaction each.
function* churn(rows: number, rounds: number): Generator<number[]> {
  const random = new Random(7)
  for (let round = 0; round < rounds; round++)
    yield Array.from({ length: rows / 10 }, () => random.int(0, rows - 1))
}

const sizesQuery = `select relname as name, (pg_relation_size(oid) / 8192)::int as pages from pg_class
  where relname in ('items', ${indexes.map((name) => `'${name}'`).join(', ')})`

async function sizesOf(client: pg.Client): Promise<Sizes> {
  const { rows } = await client.query<{ name: string; pages: number }>(sizesQuery)
  return Object.fromEntries(rows.map(({ name, pages }) => [name, pages])) as Sizes
}

async function expectSound(client: pg.Client): Promise<void> {
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
}

async function makeItems(session: Session, rows: number) {
  await session.createTable('public.items', {
    columns: { id: 'int4 not null', k: 'int4', counter: 'int4', body: 'text' },
    primaryKey: ['id'],
  })
  for (const column of ['k', 'counter', 'body'])
    await session.createIndex('public.items', { columns: [column] })
  const items = session.table<Item>('public.items')
  for (let id = 0; id < rows; id++)
    await items.insert({ id, k: id % 50, counter: 0, body: bodyOf(id) })
  return items
}

async function makeItemsOfStock(client: pg.Client, rows: number): Promise<void> {
  await client.query('create table items (id int4 primary key, k int4, counter int4, body text)')
  for (const column of ['k', 'counter', 'body'])
    await client.query(`create index on items (${column})`)
  for (let id = 0; id < rows; id++)
    await client.query('insert into items values ($1, $2, 0, $3)', [id, id % 50, bodyOf(id)])
}

function copyOf(directory: string): string {
  const copy = temporaryDirectory('copy')
  cpSync(directory, copy, { recursive: true })
  rmSync(join(copy, 'postmaster.pid'), { force: true })
  return copy
}

async function recordsOf(client: pg.Client, log: string): Promise<Record<string, number>> {
  const start = /redo starts at ([0-9A-F/]+)/.exec(log)?.[1]
  const end = /redo done at ([0-9A-F/]+)/.exec(log)?.[1]
  await client.query('create extension if not exists pg_walinspect')
  const { rows } = await client.query<{ type: string; records: number }>(
    `select record_type as type, count(*)::int as records from pg_get_wal_records_info($1, $2)
      where resource_manager = 'Btree' group by 1`,
    [start, end],
  )
  return Object.fromEntries(rows.map(({ type, records }) => [type, records]))
}

describe('upkeep of indexes', { timeout: 240_000 }, () => {
  test('updates of unchanged keys leave indexes as small as stock leaves them', async () => {
    const [rows, rounds] = [600, 30]
    await using stock = await Oracle.initdb()
    await stock.start({ ...quiet, synchronous_commit: 'off' })
    const theirs = await stock.client()
    await makeItemsOfStock(theirs, rows)
    const fresh = await sizesOf(theirs)
    for (const ids of churn(rows, rounds)) {
      await theirs.query('begin')
      for (const id of ids)
        await theirs.query('update items set counter = counter + 1 where id = $1', [id])
      await theirs.query('commit')
    }
    const wanted = await sizesOf(theirs)
    await stock.stop()

    const dir = temporaryDirectory('upkeep')
    await using cluster = await Cluster.open(dir, {
      create: true,
      settings: { synchronous_commit: 'off', wal_consistency_checking: 'all' },
    })
    await using session = await cluster.connect()
    const items = await makeItems(session, rows)
    await cluster.checkpoint()
    const counters = new Map<number, number>()
    for (const ids of churn(rows, rounds)) {
      await session.transaction(async (tx) => {
        for (const id of ids) {
          const counter = (counters.get(id) ?? 0) + 1
          counters.set(id, counter)
          expect(await tx.update(items, id, { counter })).toBe(true)
        }
      })
    }
    const expected = Array.from({ length: rows }, (_, id) => ({
      id,
      k: id % 50,
      counter: counters.get(id) ?? 0,
      body: bodyOf(id),
    }))
    expect([...items.range()]).toEqual(expected)
    // The end of the log, which is not flushed, is lost by a copy.
    await session.transaction((tx) => tx.update(items, 0, { counter: 0 }), {
      synchronousCommit: 'on',
    })
    ;(expected[0] as Item).counter = 0
    const crashed = copyOf(dir)
    const again = copyOf(dir)

    await using check = Oracle.adopt(crashed)
    await check.start(quiet)
    const checker = await check.client()
    expect(check.log()).not.toContain('inconsistent page')
    const records = await recordsOf(checker, check.log())
    const sizes = await sizesOf(checker)
    console.log('index-upkeep: pages', { fresh, stock: wanted, ours: sizes }, records)
    expect(records.DELETE).toBeGreaterThan(20)
    for (const name of indexes) {
      expect(sizes[name], name).toBeLessThanOrEqual(Math.ceil(wanted[name] * 1.15) + 1)
      expect(wanted[name], name).toBeLessThanOrEqual(Math.ceil(sizes[name] * 1.15) + 1)
    }
    const { rows: found } = await checker.query('select * from items order by id')
    expect(found).toEqual(expected)
    await expectSound(checker)
    await check.stop()

    // And replayed by us.
    await using reopened = await Cluster.open(again)
    await using reader = await reopened.connect()
    expect([...reader.table<Item>('public.items').range()]).toEqual(expected)
    expect([...reader.table<Item>('public.items').scan()]).toHaveLength(rows)
    await reader.close()
    await reopened.close()
    await using judge = Oracle.adopt(again)
    await judge.start(quiet)
    await expectSound(await judge.client())
    await judge.stop()
  })

  test('entries that scans found dead go before a page is split', async () => {
    const rows = 2500
    const returns = Array.from({ length: rows }, (_, id) => id).filter((id) => id % 10 > 1)
    await using stock = await Oracle.initdb()
    await stock.start(quiet)
    const theirs = await stock.client()
    await theirs.query('create table items (id int4 primary key, body text)')
    await theirs.query(`insert into items select i, 'first' from generate_series(0, ${rows - 1}) i`)
    await theirs.query('delete from items where id % 10 <> 0')
    await theirs.query('set enable_seqscan = off; set enable_bitmapscan = off')
    await theirs.query('select * from items where id >= 0')
    await theirs.query('begin')
    for (const id of returns) await theirs.query('insert into items values ($1, $2)', [id, 'again'])
    await theirs.query('commit')
    const pages = "select (pg_relation_size('items_pkey') / 8192)::int as pages"
    const wanted = (await theirs.query<{ pages: number }>(pages)).rows[0]?.pages
    await stock.stop()

    const dir = temporaryDirectory('upkeep')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await session.createTable('public.items', {
      columns: { id: 'int4 not null', body: 'text' },
      primaryKey: ['id'],
    })
    const items = session.table<{ id: number; body: string }>('public.items')
    await items.insertMany(Array.from({ length: rows }, (_, id) => ({ id, body: 'first' })))
    await session.transaction(async (tx) => {
      for (let id = 0; id < rows; id++) if (id % 10 !== 0) await tx.delete(items, id)
    })
    expect([...items.range()]).toHaveLength(rows / 10)
    await cluster.checkpoint()
    const marked = copyOf(dir)
    {
      // Marked: a hint that stock knows, too.
      await using check = Oracle.adopt(marked)
      await check.start(quiet)
      const checker = await check.client()
      await checker.query('create extension pageinspect')
      const { rows: found } = await checker.query<{ dead: number; live: number }>(
        "select sum(dead_items)::int as dead, sum(live_items)::int as live from bt_multi_page_stats('items_pkey', 1, -1) where type = 'l'",
      )
      expect(found[0]?.dead).toBe((rows * 9) / 10)
      await expectSound(checker)
      await check.stop()
    }
    await session.transaction(async (tx) => {
      for (const id of returns) await tx.insert(items, { id, body: 'again' })
    })
    expect([...items.range()].map(({ id }) => id)).toEqual(
      Array.from({ length: rows }, (_, id) => id).filter((id) => id % 10 !== 1),
    )
    const crashed = copyOf(dir)
    await using check = Oracle.adopt(crashed)
    await check.start(quiet)
    const checker = await check.client()
    const ours = (await checker.query<{ pages: number }>(pages)).rows[0]?.pages
    console.log('index-upkeep: pages of a key whose rows came back', { stock: wanted, ours })
    expect(ours).toBe(wanted)
    expect((await recordsOf(checker, check.log())).DELETE).toBeGreaterThan(3)
    await expectSound(checker)
    await check.stop()
  })
})
