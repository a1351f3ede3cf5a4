// VACUUM, against PostgreSQL.
// Goal: what a vacuum of ours leaves is sound, loses no row that anybody sees, and is, page for page, what stock's
// vacuum of the same directory leaves; stock replays its log. Method: tables with dead rows of every kind, made by one
// engine, copied, vacuumed by both; pages compared but for LSN and checksum; amcheck and pg_visibility on ours.
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Random } from './types-inputs.ts'

const quiet = { autovacuum: false, checkpoint_timeout: '1h', max_wal_size: '10GB' }
const blockSize = 8192

interface Item {
  id: number
  k: number
  body: string
}

async function makeItems(session: Session, name = 'items'): Promise<void> {
  await session.createTable(`public.${name}`, {
    columns: { id: 'int8 not null', k: 'int4', body: 'text' },
    primaryKey: ['id'],
  })
  await session.createIndex(`public.${name}`, { columns: ['k'] })
}

// Rows and their dead versions: deleted, updated with and without a change of an indexed column, rolled back,
// wide enough for TOAST now and then. Returns what is left.
async function fillItems(
  session: Session,
  random: Random,
  rows: number,
  name = 'items',
): Promise<Map<number, Item>> {
  const items = session.table<Item>(`public.${name}`)
  const model = new Map<number, Item>()
  const item = (id: number): Item => ({
    id,
    k: random.int(0, 200),
    body: random.int(0, 60) === 0 ? `${id}`.repeat(3000) : 'x'.repeat(random.int(0, 60)),
  })
  for (let id = 0; id < rows; id++) model.set(id, item(id))
  await items.insertMany([...model.values()])
  await session.transaction(async (tx) => {
    for (let id = 0; id < rows; id++) {
      const old = model.get(id) as Item
      switch (random.int(0, 5)) {
        case 0:
          await tx.delete(items, id)
          model.delete(id)
          break
        case 1: {
          const body = `changed ${id}`
          await tx.update(items, id, { body })
          model.set(id, { ...old, body })
          break
        }
        case 2: {
          const { k, body } = item(id)
          await tx.update(items, id, { k, body })
          model.set(id, { ...old, k, body })
          break
        }
      }
    }
  })
  await session
    .transaction(async (tx) => {
      for (const id of [...model.keys()].slice(0, 200)) {
        await tx.update(items, id, { body: 'never' })
        await tx.update(items, id, { k: -1 })
      }
      tx.insert(items, ...Array.from({ length: 300 }, (_, i) => item(rows + i)))
      throw new Error('on purpose')
    })
    .catch((error: Error) => expect(error.message).toBe('on purpose'))
  return model
}

function expectItems(session: Session, model: ReadonlyMap<number, Item>, name = 'items'): void {
  const items = session.table<Item>(`public.${name}`)
  const byId = (a: Item, b: Item) => a.id - b.id
  const wanted = [...model.values()].sort(byId)
  expect([...items.scan()].sort(byId)).toEqual(wanted)
  expect([...items.range()]).toEqual(wanted)
  expect([...items.range({ index: `${name}_k_idx` })].sort(byId)).toEqual(wanted)
}

async function readItems(client: pg.Client, name = 'items'): Promise<Item[]> {
  const { rows } = await client.query<{ id: string; k: number; body: string }>(
    `select id, k, body from ${name} order by id`,
  )
  return rows.map(({ id, k, body }) => ({ id: Number(id), k, body }))
}

const sortedItems = (model: ReadonlyMap<number, Item>) =>
  [...model.values()].sort((a, b) => a.id - b.id)

async function expectSound(client: pg.Client): Promise<void> {
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
}

/** Paths below the data directory of a table's files and those of its indexes and TOAST table, by a name for each. */
async function filesOf(client: pg.Client, table: string): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; path: string }>(
    `select c.relname as name, pg_relation_filepath(c.oid) as path from pg_class c
      where c.oid = $1::regclass
         or c.oid in (select indexrelid from pg_index where indrelid = $1::regclass)
         or c.oid = (select reltoastrelid from pg_class where oid = $1::regclass)
         or c.oid in (select indexrelid from pg_index where indrelid =
              (select reltoastrelid from pg_class where oid = $1::regclass))`,
    [table],
  )
  return Object.fromEntries(rows.map(({ name, path }) => [name, path]))
}

// The pages of a fork without what may differ: LSN and checksum, and the hole between line pointers and tuples.
function pagesOf(path: string): string[] {
  if (!existsSync(path)) return []
  const bytes = readFileSync(path)
  const pages: string[] = []
  for (let at = 0; at < bytes.length; at += blockSize) {
    const page = Buffer.from(bytes.subarray(at, at + blockSize))
    page.fill(0, 0, 10)
    const [lower, upper] = [page.readUInt16LE(12), page.readUInt16LE(14)]
    if (lower < upper && !path.includes('_')) page.fill(0, lower, upper)
    // A deleted page of a B-tree keeps what was on it.
    pages.push(page.toString('hex'))
  }
  return pages
}

function expectSamePages(ours: string, theirs: string, files: Record<string, string>): void {
  for (const [name, path] of Object.entries(files)) {
    for (const fork of ['', '_vm']) {
      const [mine, other] = [pagesOf(join(ours, path + fork)), pagesOf(join(theirs, path + fork))]
      expect({ name, fork, pages: mine.length }).toEqual({ name, fork, pages: other.length })
      const block = mine.findIndex((page, i) => page !== other[i])
      if (block < 0) continue
      const at = [...(mine[block] as string)].findIndex((digit, i) => digit !== other[block]?.[i])
      const around = (page: string | undefined) => page?.slice(Math.max(0, at - 32), at + 64)
      expect({ name, fork, block, byte: at >> 1, bytes: around(mine[block]) }).toEqual({
        name,
        fork,
        block,
        byte: at >> 1,
        bytes: around(other[block]),
      })
    }
  }
}

function copyOf(directory: string): string {
  const copy = temporaryDirectory('copy')
  cpSync(directory, copy, { recursive: true })
  rmSync(join(copy, 'postmaster.pid'), { force: true })
  return copy
}

async function statistics(client: pg.Client, table: string) {
  const { rows } = await client.query(
    `select relname, relpages, reltuples, relallvisible, relallfrozen from pg_class
      where oid = $1::regclass or oid in (select indexrelid from pg_index where indrelid = $1::regclass)
         or oid = (select reltoastrelid from pg_class where oid = $1::regclass)
      order by relname`,
    [table],
  )
  return rows
}

// A machine under load takes its time.
describe('vacuum', { timeout: 240_000 }, () => {
  for (const freeze of [false, true]) {
    test(`leaves the pages that stock leaves${freeze ? ', freezing' : ''}`, async () => {
      const random = new Random(freeze ? 2 : 1)
      const dir = temporaryDirectory('v')
      let model: Map<number, Item>
      {
        await using cluster = await Cluster.open(dir, { create: true })
        await using session = await cluster.connect()
        await makeItems(session)
        model = await fillItems(session, random, 6000)
      }
      const theirs = copyOf(dir)
      {
        await using cluster = await Cluster.open(dir)
        await using session = await cluster.connect()
        const [report] = await session.vacuum('items', { freeze })
        expect(report?.tuplesRemoved).toBeGreaterThan(2000)
        expect(report?.indexScans).toBe(1)
        expectItems(session, model)
      }
      await using stock = Oracle.adopt(theirs)
      await stock.start(quiet)
      const client = await stock.client()
      await client.query(`vacuum ${freeze ? '(freeze)' : ''} items`)
      const wanted = await statistics(client, 'items')
      const files = await filesOf(client, 'items')
      await stock.stop()
      expectSamePages(dir, theirs, files)

      await using check = Oracle.adopt(dir)
      await check.start(quiet)
      const checker = await check.client()
      expect(await statistics(checker, 'items')).toEqual(wanted)
      expect(await readItems(checker)).toEqual(sortedItems(model))
      await expectSound(checker)
      await checker.query('vacuum (freeze, disable_page_skipping) items')
      await expectSound(checker)
      await check.stop()
    })
  }

  test('removes what stock left dead, as stock does', async () => {
    await using theirs = await Oracle.initdb()
    await theirs.start(quiet)
    const client = await theirs.client()
    await client.query('create table items (id int8 primary key, k int4, body text)')
    await client.query('create index items_k_idx on items (k)')
    await client.query(
      `insert into items select i, i % 97, case when i % 100 = 0 then repeat(md5(i::text), 200) else md5(i::text) end
         from generate_series(1, 8000) i`,
    )
    await client.query('update items set body = body || id where id % 3 = 0')
    await client.query('update items set k = k + 1 where id % 5 = 0')
    await client.query('delete from items where id % 4 = 1')
    await client.query('begin')
    await client.query('select from items where id < 50 for key share')
    const other = await theirs.client()
    await other.query('begin')
    await other.query('update items set body = $1 where id in (2, 4, 6, 8)', ['shared'])
    await other.query('commit')
    await client.query('commit')
    const wanted = await readItems(client)
    await theirs.stop()
    const ours = copyOf(theirs.dir)

    await theirs.start(quiet)
    const again = await theirs.client()
    await again.query('vacuum items')
    const files = await filesOf(again, 'items')
    await theirs.stop()
    {
      await using cluster = await Cluster.open(ours)
      await using session = await cluster.connect()
      await session.vacuum('items')
      expectItems(session, new Map(wanted.map((row) => [row.id, row])))
    }
    expectSamePages(ours, theirs.dir, files)
    await using check = Oracle.adopt(ours)
    await check.start(quiet)
    const checker = await check.client()
    expect(await readItems(checker)).toEqual(wanted)
    await expectSound(checker)
    await check.stop()
  })

  test('is replayed by stock after a crash', async () => {
    const random = new Random(3)
    const dir = temporaryDirectory('v')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await makeItems(session)
    const model = await fillItems(session, random, 5000)
    await cluster.checkpoint()
    await session.vacuum('items')
    // Empty leaves are deleted, and used again.
    const items = session.table<Item>('public.items')
    await session.transaction(async (tx) => {
      for (const id of [...model.keys()].filter((id) => id < 3000)) {
        await tx.delete(items, id)
        model.delete(id)
      }
    })
    const [report] = await session.vacuum('items')
    expect(report?.indexes[0]?.pagesNewlyDeleted).toBeGreaterThan(3)
    for (let id = 10_000; id < 12_000; id++) model.set(id, { id, k: id % 7, body: `${id}` })
    await items.insertMany([...model.values()].filter(({ id }) => id >= 10_000))
    await session.vacuum('items', { freeze: true })
    await items.insert({ id: -1, k: 1, body: 'last' })
    model.set(-1, { id: -1, k: 1, body: 'last' })
    expectItems(session, model)
    const crashed = copyOf(dir)
    await using check = Oracle.adopt(crashed)
    await check.start(quiet)
    const checker = await check.client()
    expect(await readItems(checker)).toEqual(sortedItems(model))
    await expectSound(checker)
    await check.stop()
  })

  test('vacuums the whole database, catalogs included, and moves its bounds', async () => {
    const random = new Random(4)
    const dir = temporaryDirectory('v')
    {
      await using cluster = await Cluster.open(dir, { create: true })
      await using session = await cluster.connect()
      for (let i = 0; i < 20; i++) {
        await makeItems(session, `t${i}`)
        if (i % 2 === 0) await session.dropTable(`public.t${i}`)
      }
      const model = await fillItems(session, random, 500, 't1')
      const reports = await session.vacuum({ freeze: true })
      const names = reports.map(({ relation }) => relation)
      expect(names).toContain('public.t1')
      expect(names).toContain('pg_catalog.pg_attribute')
      expect(names).toContain('pg_catalog.pg_database')
      expectItems(session, model, 't1')
      await makeItems(session, 'after')
      await fillItems(session, random, 200, 'after')
    }
    await using check = Oracle.adopt(dir)
    await check.start(quiet)
    const checker = await check.client()
    await expectSound(checker)
    const { rows } = await checker.query<{ age: number; max: number }>(
      `select age(datfrozenxid) as age,
              (select max(age(relfrozenxid)) from pg_class where relkind in ('r', 't')) as max
         from pg_database where datname = current_database()`,
    )
    expect(rows[0]?.age).toBeLessThan(40)
    expect(rows[0]?.max).toBe(rows[0]?.age)
    await check.stop()
  })

  test('runs from the command line', async () => {
    const dir = temporaryDirectory('v')
    {
      await using cluster = await Cluster.open(dir, { create: true })
      await using session = await cluster.connect()
      await makeItems(session)
      await fillItems(session, new Random(5), 500)
    }
    const { stdout, stderr, status } = await pgdata(['vacuum', dir, 'items', '--freeze', '--json'])
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    const [report] = JSON.parse(stdout.toString()) as { relation: string; tuplesRemoved: number }[]
    expect(report?.relation).toBe('public.items')
    expect(report?.tuplesRemoved).toBeGreaterThan(100)
    const table = await pgdata(['vacuum', dir, 'items'])
    expect(table.stdout.toString()).toMatch(/public\.items +\d+ +\d+ +0 +0 +0 +0 +\d+/)
    expect((await pgdata(['vacuum', dir, 'nothing'])).status).toBe(2)
  })

  test('keeps what an older snapshot sees, and gives the end of the file back', async () => {
    const dir = temporaryDirectory('v')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await using reader = await cluster.connect()
    await makeItems(session)
    const items = session.table<Item>('public.items')
    await items.insertMany(
      Array.from({ length: 5000 }, (_, id) => ({ id, k: id, body: 'b'.repeat(50) })),
    )
    const seen = await reader.transaction(
      async () => {
        const before = [...reader.table<Item>('public.items').scan()].length
        await session.transaction(async (tx) => {
          for (let id = 100; id < 5000; id++) await tx.delete(items, id)
        })
        const [report] = await session.vacuum('items')
        expect(report).toMatchObject({ tuplesRemoved: 0, tuplesNotYetRemovable: 4900 })
        return [before, [...reader.table<Item>('public.items').scan()].length]
      },
      { isolation: 'repeatable read' },
    )
    expect(seen).toEqual([5000, 5000])
    const phases = new Set<string>()
    const [report] = await session.vacuum('items', {
      onProgress: ({ phase }) => phases.add(phase),
    })
    expect(report?.tuplesRemoved).toBe(4900)
    expect(report?.remainingPages).toBeLessThan(3)
    expect(phases.size).toBeGreaterThan(0)
    expect([...items.scan()].map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    // The page that took the last row before is gone.
    await items.insert({ id: 7000, k: 1, body: 'new' })
    expect(items.get(7000)).toEqual({ id: 7000, k: 1, body: 'new' })
    await expect(session.transaction(() => session.vacuum('items'))).rejects.toMatchObject({
      code: '25001',
    })
    const [analyzed] = await session.vacuum('items', { analyze: true })
    expect(analyzed).toMatchObject({ relation: 'public.items', analyzed: { liveRows: 101 } })
    await expect(session.vacuum('items_pkey')).rejects.toMatchObject({ code: '42809' })
    await expect(session.vacuum('items', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: '57014',
    })
  })

  test('waits for who redefines the table, unless it is to leave it out', async () => {
    const dir = temporaryDirectory('v')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await using other = await cluster.connect()
    await makeItems(session)
    await fillItems(session, new Random(6), 300)
    let waiting: Promise<unknown> | undefined
    let isDone = false
    await other.transaction(async () => {
      await other.createIndex('public.items', { columns: ['body'], name: 'late' })
      expect(await session.vacuum('items', { skipLocked: true })).toEqual([])
      const aborted = new AbortController()
      const refused = session.vacuum('items', { signal: aborted.signal })
      setTimeout(() => aborted.abort(), 100)
      await expect(refused).rejects.toMatchObject({ code: '57014' })
      waiting = session.vacuum('items').then((reports) => {
        isDone = true
        return reports
      })
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(isDone).toBe(false)
    })
    // It has the new index, too.
    const [report] = (await waiting) as { indexes: { name: string }[] }[]
    expect(report?.indexes.map(({ name }) => name)).toContain('late')
    // And definitions wait for it, as do vacuums.
    await Promise.all([
      session.vacuum('items'),
      other.vacuum('items', { freeze: true }),
      session.dropIndex('late'),
    ])
  })

  test('cuts the empty end off when the table is not used for a moment', async () => {
    const dir = temporaryDirectory('v')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await using reader = await cluster.connect()
    await makeItems(session)
    await session.createTable('public.other', { columns: { id: 'int4 primary key' } })
    const items = session.table<Item>('public.items')
    const rows = Array.from({ length: 5000 }, (_, id) => ({ id, k: id, body: 'b'.repeat(50) }))
    const emptyAgain = async () => {
      await items.insertMany(rows.slice(50))
      await session.transaction(async (tx) => {
        for (const { id } of rows.slice(50)) await tx.delete(items, id)
      })
    }
    await items.insertMany(rows.slice(0, 50))
    await emptyAgain()
    // A snapshot is no obstacle, only a lock is.
    await reader.transaction(
      async () => {
        expect([...reader.table('public.other').scan()]).toEqual([])
        const [report] = await session.vacuum('items')
        expect(report?.remainingPages).toBeLessThan(3)
      },
      { isolation: 'repeatable read', readOnly: true },
    )
    await emptyAgain()
    // The reader ends soon: that is waited for. Then it stays: it is given up.
    for (const stays of [false, true]) {
      let vacuuming: ReturnType<typeof session.vacuum> | undefined
      await reader.transaction(async () => {
        expect([...reader.table<Item>('public.items').scan()]).toHaveLength(50)
        vacuuming = session.vacuum('items')
        if (stays) {
          const [report] = await vacuuming
          expect(report?.remainingPages).toBeGreaterThan(20)
          expect(report?.remainingPages).toBe(report?.pages)
          expect([...reader.table<Item>('public.items').scan()]).toHaveLength(50)
          return
        }
        await new Promise((resolve) => setTimeout(resolve, 500))
      })
      if (stays) continue
      const [report] = (await vacuuming) ?? []
      expect(report?.remainingPages).toBeLessThan(3)
      await emptyAgain()
    }
    const [report] = await session.vacuum('items')
    expect(report?.remainingPages).toBeLessThan(3)
    expect([...items.range()]).toHaveLength(50)
  })
})
