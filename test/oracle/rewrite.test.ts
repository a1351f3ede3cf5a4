// VACUUM FULL, CLUSTER and REINDEX, against PostgreSQL.
// Goal: a table or index that was written anew has the same rows, is sound for stock, as small as stock makes it, and all
// of it or nothing survives a crash. Method: tables with dead, long and old row versions, rewritten by us; stock opens the
// directory, shut down or crashed in the middle, checks it and does the same again.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const quiet = { autovacuum: false, checkpoint_timeout: '1h', max_wal_size: '10GB' }

interface Item {
  id: number
  k: number
  body: string
}

const rowCount = 3000
// Every fiftieth goes out of line.
const bodyOf = (id: number) => {
  if (id % 50 !== 0) return `body of ${id}`
  return Array.from({ length: 150 }, (_, i) =>
    createHash('md5').update(`${id} ${i}`).digest('hex'),
  ).join('')
}

// Rows in no order of `k`, a third of them dead, many updated; some values out of line.
async function makeItems(session: Session): Promise<Item[]> {
  await session.createTable('public.items', {
    columns: { id: 'int4 not null', k: 'int4 not null', body: 'text' },
    primaryKey: ['id'],
  })
  await session.createIndex('public.items', { name: 'items_k', columns: ['k'], unique: true })
  await session.createIndex('public.items', { name: 'items_k_id', columns: ['k', 'id'] })
  const items = session.table<Item>('public.items')
  const rows = Array.from({ length: rowCount }, (_, id) => ({
    id,
    k: (id * 1597) % rowCount,
    body: id % 50 === 0 ? 'short' : bodyOf(id),
  }))
  await items.insertMany(rows)
  await session.transaction(async (tx) => {
    for (const { id } of rows) {
      if (id % 3 === 1) await tx.delete(items, id)
      else if (id % 50 === 0) await tx.update(items, id, { body: bodyOf(id) })
      else if (id % 7 === 0) await tx.update(items, id, { k: rowCount + id })
    }
  })
  return rows
    .filter(({ id }) => id % 3 !== 1)
    .map(({ id, k }) => ({
      id,
      k: id % 50 !== 0 && id % 7 === 0 ? rowCount + id : k,
      body: bodyOf(id),
    }))
}

function expectItems(session: Session, rows: readonly Item[]): void {
  const items = session.table<Item>('public.items')
  expect([...items.range()]).toEqual(rows)
  const byId = (a: Item, b: Item) => a.id - b.id
  expect([...items.scan()].sort(byId)).toEqual(rows)
  const byK = [...items.range({ index: 'items_k' })]
  expect(byK.map(({ k }) => k)).toEqual(rows.map(({ k }) => k).sort((a, b) => a - b))
  expect([...items.range({ index: 'items_k_id' })].sort(byId)).toEqual(rows)
}

async function rowsOf(client: pg.Client): Promise<Item[]> {
  return (await client.query<Item>('select * from items order by id')).rows
}

async function expectSound(client: pg.Client): Promise<void> {
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
}

interface ClassRow {
  relname: string
  relfilenode: number
  relpages: number
  reltuples: number
  pages: number
}

// Of the table, its indexes, its TOAST table and that one's index.
async function classRows(client: pg.Client): Promise<ClassRow[]> {
  const { rows } = await client.query<ClassRow>(
    `with t as (select oid, reltoastrelid from pg_class where relname = 'items')
     select case when relkind = 't' then 'toast' when relname like 'pg_toast%' then 'toast_index' else relname end
              as relname, relfilenode::int8::int, relpages, reltuples, (pg_relation_size(c.oid) / 8192)::int as pages
       from pg_class c, t where c.oid in (t.oid, t.reltoastrelid)
         or c.oid in (select indexrelid from pg_index where indrelid in (t.oid, t.reltoastrelid)) order by 1`,
  )
  return rows
}

function copyOf(directory: string): string {
  const copy = temporaryDirectory('copy')
  cpSync(directory, copy, { recursive: true })
  rmSync(join(copy, 'postmaster.pid'), { force: true })
  return copy
}

const commands: Record<string, { ours: (session: Session) => Promise<unknown>; stock: string }> = {
  'VACUUM FULL': {
    ours: (session) => session.vacuum('items', { full: true }),
    stock: 'vacuum full items',
  },
  CLUSTER: {
    ours: (session) => session.cluster('items', 'items_k'),
    stock: 'cluster items using items_k',
  },
  REINDEX: { ours: (session) => session.reindex({ table: 'items' }), stock: 'reindex table items' },
}

// A machine under load takes its time.
describe('writing anew', { timeout: 240_000 }, () => {
  for (const [name, { ours, stock }] of Object.entries(commands)) {
    test(`${name} leaves what stock leaves`, async () => {
      const dir = temporaryDirectory('full')
      let rows: Item[]
      {
        await using cluster = await Cluster.open(dir, { create: true })
        await using session = await cluster.connect()
        rows = await makeItems(session)
      }
      const theirs = copyOf(dir)
      await using other = Oracle.adopt(theirs)
      await other.start(quiet)
      const stockClient = await other.client()
      const before = await classRows(stockClient)
      await stockClient.query(stock)
      const wanted = await classRows(stockClient)
      const order = (await stockClient.query<Item>('select id from items')).rows
      await other.stop()

      await using cluster = await Cluster.open(dir)
      await using session = await cluster.connect()
      await ours(session)
      expectItems(session, rows)
      const items = session.table<Item>('public.items')
      expect([...items.scan()].map(({ id }) => ({ id }))).toEqual(order)
      // Not yet checkpointed: stock replays it.
      const crashed = copyOf(dir)
      await session.close()
      await cluster.close()

      for (const directory of [dir, crashed]) {
        await using check = Oracle.adopt(directory)
        await check.start(quiet)
        const client = await check.client()
        expect(await rowsOf(client)).toEqual(rows)
        await expectSound(client)
        const found = await classRows(client)
        // Stock does not count the rows of a TOAST table that it fills value by value.
        const withoutFile = ({ relfilenode, relname, pages, ...counts }: ClassRow) =>
          relname.startsWith('toast') ? { relname, pages } : { relname, pages, ...counts }
        expect(found.map(withoutFile)).toEqual(wanted.map(withoutFile))
        for (const [i, { relname, relfilenode }] of found.entries()) {
          const isRewritten = wanted[i]?.relfilenode !== before[i]?.relfilenode
          expect({ relname, isRewritten: relfilenode !== before[i]?.relfilenode }).toEqual({
            relname,
            isRewritten,
          })
          // After the checkpoint that shut us down, or that stock made after recovery.
          const file = join(directory, 'base', `${await databaseOid(client)}`)
          if (isRewritten) expect(existsSync(join(file, `${before[i]?.relfilenode}`))).toBe(false)
        }
        const clustered = await client.query<{ indexrelid: string }>(
          'select indexrelid::regclass::text from pg_index where indisclustered',
        )
        expect(clustered.rows).toEqual(name === 'CLUSTER' ? [{ indexrelid: 'items_k' }] : [])
        await client.query(stock)
        await expectSound(client)
        await check.stop()
      }
    })
  }

  test('keeps versions that an older snapshot sees, linked to each other', async () => {
    const dir = temporaryDirectory('full')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await using reader = await cluster.connect()
    const rows = await makeItems(session)
    const items = session.table<Item>('public.items')
    // A snapshot that holds no lock on the table.
    await reader.createTable('public.other', { columns: { id: 'int4 primary key' } })
    await reader.transaction(
      async () => {
        expect([...reader.table('public.other').scan()]).toEqual([])
        await session.transaction(async (tx) => {
          for (const { id } of rows.slice(0, 500)) await tx.update(items, id, { body: 'newer' })
          for (const { id } of rows.slice(500, 600)) await tx.delete(items, id)
        })
        for (const { id } of rows.slice(0, 100)) await items.update(id, { k: 100_000 + id })
        const [report] = await session.vacuum('items', { full: true })
        expect(report).toMatchObject({ tuplesNotYetRemovable: 700 })
        const seen = [...reader.table<Item>('public.items').scan()].sort((a, b) => a.id - b.id)
        expect(seen).toEqual(rows)
        expect([...reader.table<Item>('public.items').range()]).toEqual(rows)
      },
      { isolation: 'repeatable read', readOnly: true },
    )
    const now = [...items.range()]
    expect(now).toHaveLength(rows.length - 100)
    const crashed = copyOf(dir)
    await using check = Oracle.adopt(crashed)
    await check.start(quiet)
    const client = await check.client()
    expect(await rowsOf(client)).toEqual(now)
    await expectSound(client)
    await client.query('vacuum (freeze) items')
    await expectSound(client)
    await check.stop()
  })

  test('an index built over chains that older snapshots need is not for those snapshots', async () => {
    const dir = temporaryDirectory('full')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await using reader = await cluster.connect()
    await session.createTable('public.items', {
      columns: { id: 'int4 primary key', k: 'int4', body: 'text' },
    })
    await session.createTable('public.other', { columns: { id: 'int4 primary key' } })
    const items = session.table<Item>('public.items')
    await items.insertMany(Array.from({ length: 50 }, (_, id) => ({ id, k: id, body: 'a' })))
    await reader.transaction(
      async () => {
        expect([...reader.table('public.other').scan()]).toEqual([])
        await session.transaction(async (tx) => {
          for (let id = 0; id < 10; id++) await tx.update(items, id, { body: 'b' })
        })
        await session.createIndex('public.items', { name: 'items_body', columns: ['body'] })
      },
      { isolation: 'repeatable read', readOnly: true },
    )
    await session.createIndex('public.items', { name: 'items_k', columns: ['k'] })
    const checkXmin = async () => {
      await using check = Oracle.adopt(copyOf(dir))
      await check.start(quiet)
      const client = await check.client()
      await expectSound(client)
      const { rows } = await client.query<{ name: string; indcheckxmin: boolean }>(
        `select indexrelid::regclass::text as name, indcheckxmin from pg_index
          where indrelid = 'items'::regclass order by 1`,
      )
      await check.stop()
      return Object.fromEntries(rows.map(({ name, indcheckxmin }) => [name, indcheckxmin]))
    }
    await cluster.checkpoint()
    expect(await checkXmin()).toEqual({ items_body: true, items_k: false, items_pkey: false })
    await session.reindex({ index: 'items_body' })
    expect(await checkXmin()).toEqual({ items_body: false, items_k: false, items_pkey: false })
  })

  test('nothing is left of a rewrite that was cut short', async () => {
    const dir = temporaryDirectory('full')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    const rows = await makeItems(session)
    const images: string[] = []
    const files = () =>
      readdirSync(join(dir, 'base', '5')).filter((file) => /^[0-9]+$/.test(file) && +file >= 16384)
    await cluster.checkpoint()
    const before = files()
    // The signal is asked between the steps, with the new files there and partly written.
    const aborting = new AbortController()
    const watcher = {
      get aborted() {
        if (files().length > before.length && images.length < 3) images.push(copyOf(dir))
        return aborting.signal.aborted
      },
      reason: undefined,
      addEventListener() {},
      removeEventListener() {},
    } as unknown as AbortSignal
    await session.cluster('items', 'items_k', { signal: watcher })
    expect(images.length).toBeGreaterThan(1)
    expectItems(session, rows)
    for (const [i, image] of images.entries()) {
      if (i % 2 === 0) {
        await using reopened = await Cluster.open(image)
        await using reader = await reopened.connect()
        expectItems(reader, rows)
      }
      await using check = Oracle.adopt(image)
      await check.start(quiet)
      const client = await check.client()
      expect(await rowsOf(client)).toEqual(rows)
      await expectSound(client)
      const known = await client.query<{ file: string }>(
        `select pg_relation_filenode(oid)::text as file from pg_class
          where relkind in ('r', 'i', 't', 'm') and oid >= 16384`,
      )
      await check.stop()
      const left = readdirSync(join(image, 'base', '5')).filter(
        (file) => /^[0-9]+$/.test(file) && +file >= 16384,
      )
      // Stock leaves the files of a transaction that crashed; what we open first is cleaned up.
      if (i % 2 === 0) expect(left.sort()).toEqual(known.rows.map(({ file }) => file).sort())
    }

    // Given up in the middle: as it was, and the new files are gone.
    const now = files()
    let asked = 0
    const givenUp = {
      get aborted() {
        if (files().some((file) => !now.includes(file))) asked++
        return asked > 1
      },
      reason: undefined,
      addEventListener() {},
      removeEventListener() {},
    } as unknown as AbortSignal
    const rewriting = session.vacuum('items', { full: true, signal: givenUp })
    await expect(rewriting).rejects.toMatchObject({ code: '57014' })
    expect(asked).toBe(2)
    await cluster.checkpoint()
    expect(files().filter((file) => !now.includes(file))).toEqual([])
    expectItems(session, rows)
  })

  test('waits for whoever uses the table, and refuses what it cannot do', async () => {
    const dir = temporaryDirectory('full')
    await using cluster = await Cluster.open(dir, { create: true })
    await using session = await cluster.connect()
    await using other = await cluster.connect()
    const rows = await makeItems(session)
    const items = other.table<Item>('public.items')
    let isDone = false
    let rewriting: Promise<unknown> | undefined
    await other.transaction(async (tx) => {
      await tx.update(items, 0, { body: 'changed' })
      rewriting = session.vacuum('items', { full: true }).then(() => {
        isDone = true
      })
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(isDone).toBe(false)
    })
    await rewriting
    expectItems(session, [{ ...(rows[0] as Item), body: 'changed' }, ...rows.slice(1)])

    await expect(session.cluster('items')).rejects.toMatchObject({ code: '42704' })
    await session.cluster('items', 'items_k')
    await session.cluster('items')
    await expect(session.cluster('items', 'nothing')).rejects.toMatchObject({ code: '42704' })
    await expect(session.reindex({ index: 'items' })).rejects.toMatchObject({ code: '42809' })
    await expect(session.reindex({ index: 'nothing' })).rejects.toMatchObject({ code: '42704' })
    await expect(
      session.transaction(() => session.vacuum('items', { full: true })),
    ).rejects.toMatchObject({ code: '25001' })
    // Rolled back with the transaction that they are part of.
    await expect(
      session.transaction(async () => {
        await session.cluster('items', 'items_k_id')
        await session.reindex({ table: 'items' })
        throw new Error('on purpose')
      }),
    ).rejects.toThrow('on purpose')
    expectItems(session, [{ ...(rows[0] as Item), body: 'changed' }, ...rows.slice(1)])
  })

  test('runs from the command line', async () => {
    const dir = temporaryDirectory('full')
    {
      await using cluster = await Cluster.open(dir, { create: true })
      await using session = await cluster.connect()
      await makeItems(session)
    }
    const full = await pgdata(['vacuum', dir, 'items', '--full', '--json'])
    expect({ stderr: full.stderr, status: full.status }).toEqual({ stderr: '', status: 0 })
    const [report] = JSON.parse(full.stdout.toString()) as { tuplesRemoved: number }[]
    expect(report?.tuplesRemoved).toBeGreaterThan(1000)
    const clustered = await pgdata(['cluster', dir, 'items', 'items_k', '--json'])
    expect({ stderr: clustered.stderr, status: clustered.status }).toEqual({
      stderr: '',
      status: 0,
    })
    const reindexed = await pgdata(['reindex', dir, '--table', 'items'])
    expect(reindexed.stdout.toString().split('\n').filter(Boolean)).toHaveLength(4)
    expect((await pgdata(['reindex', dir, '--index', 'nothing'])).status).toBe(2)
  })
})

async function databaseOid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ oid: number }>(
    'select oid from pg_database where datname = current_database()',
  )
  return rows[0]?.oid as number
}
