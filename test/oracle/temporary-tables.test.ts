// Goal: temporary tables are their session's alone, and what a crash leaves of them harms nobody. Method: they are used
// beside other sessions and in all kinds of transactions; either engine goes on with an image of the other one's crash; the
// rows of catalogs are compared with those that PostgreSQL makes.
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { copyOf } from '../support/crash-images.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const refused = expect.objectContaining({
  code: '0A000',
  message: 'cannot access temporary tables of other sessions',
})

test('one that a crash of PostgreSQL left is refused', { timeout: 120_000 }, async () => {
  await using oracle = await Oracle.initdb()
  await oracle.start({ autovacuum: 'off' })
  const client = await oracle.client()
  await client.query('create temp table t (id int primary key, v text)')
  await client.query("insert into t select i, repeat('x', 100) from generate_series(1, 20000) i")
  await client.query('create index t_v on t (v)')
  await client.query('create table kept (id int primary key)')
  const { rows } = await client.query<{ schema: string; path: string }>(
    "select relnamespace::regnamespace::text as schema, pg_relation_filepath(oid) as path from pg_class where oid = 't'::regclass",
  )
  const { schema, path } = rows[0] as { schema: string; path: string }
  await oracle.kill9()
  rmSync(join(oracle.dir, 'postmaster.pid'), { force: true })
  expect(path).toMatch(/^base\/5\/t\d+_\d+$/)
  {
    await using cluster = await Cluster.open(oracle.dir)
    await using session = await cluster.connect()
    expect(() => session.table(`${schema}.t`)).toThrow(refused)
    await expect(session.dropTable(`${schema}.t`)).rejects.toThrow(refused)
    await expect(session.dropIndex(`${schema}.t_v`)).rejects.toThrow(refused)
    await expect(session.dropSchema(schema, { cascade: true })).rejects.toThrow(refused)
    await expect(session.truncate(`${schema}.t`)).rejects.toThrow(refused)
    await expect(session.createIndex(`${schema}.t`, { columns: ['v'] })).rejects.toThrow(refused)
    await expect(session.reindex({ table: `${schema}.t` })).rejects.toThrow(refused)
    await expect(session.vacuum(`${schema}.t`)).rejects.toThrow(refused)
    await session.vacuum()
    await session.analyze()
    await session.reindex({ schema: 'public' })
    await session.table('kept').insert({ id: 1 })
  }
  const found = await pgdata(['verify', oracle.dir])
  expect(found.stdout.toString() + found.stderr).not.toContain(schema)
  expect(found.status).toBe(0)
  for (const command of ['dump', 'verify']) {
    const named = command === 'dump' ? [`${schema}.t`] : ['-r', `${schema}.t`]
    const outcome = await pgdata([command, oracle.dir, ...named])
    expect(outcome.stderr).toContain('cannot access temporary tables of other sessions')
    expect(outcome.status).toBe(2)
  }
  await oracle.start({ autovacuum: 'off' })
  const after = await oracle.client()
  expect((await after.query('select id from kept')).rows).toEqual([{ id: 1 }])
  expect(await amcheck(after)).toEqual([])
  // As autovacuum does.
  await after.query(`drop table ${schema}.t`)
  expect(readdirSync(join(oracle.dir, 'base/5')).filter((name) => name.startsWith('t'))).toEqual([])
})

interface Row {
  id: number
  v: string
}
const rows = [...Array(20000).keys()].map((id) => ({ id, v: `row ${id} ${'x'.repeat(60)}` }))
// Out of line, in the TOAST table.
const long = [...Array(8000).keys()].map((i) => `word ${i * 7919}`).join(' ')

const temporaryFiles = (directory: string) =>
  readdirSync(join(directory, 'base/5')).filter((name) => name.startsWith('t'))

const columns = { id: 'int4 primary key', v: 'text' }

test('made, indexed, written, read, emptied, undone, dropped', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('tt')
  await using cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await session.createTable('kept', { columns })
  await session.table('kept').insertMany(rows.slice(0, 10))
  await session.createTable('t', { columns, temporary: true })
  const t = session.table<Row>('t')
  await t.insertMany(rows)
  await session.createIndex('t', { columns: [{ column: 'id', desc: true }] })
  await t.update(5, { v: 'five' })
  await t.update(6, { v: long })
  await t.delete(7)
  expect(t.get(5)).toEqual({ id: 5, v: 'five' })
  expect(t.get(6)).toEqual({ id: 6, v: long })
  expect(t.get(7)).toBeUndefined()
  expect(await t.aggregate({ count: true })).toMatchObject({ count: 19999 })
  expect([...t.range({ from: 10, to: 13 })].map(({ id }) => id)).toEqual([10, 11, 12, 13])
  expect([...t.scan({ where: { v: 'five' } })]).toEqual([{ id: 5, v: 'five' }])
  const joined = session.query({
    from: 'kept',
    join: [{ table: 't', on: { 't.id': 'kept.id' } }],
    columns: ['kept.id'],
  })
  expect(await joined.all()).toHaveLength(9)
  await expect(t.insert({ id: 5, v: 'again' })).rejects.toMatchObject({ code: '23505' })
  // It hides a table of the same name, and has another one's number.
  await session.createTable('public.t', { columns: { other: 'int4' } })
  expect([...session.table('public.t').scan()]).toEqual([])
  expect([...session.table<Row>('t').scan()]).toHaveLength(19999)
  expect(session.table<Row>('pg_temp.t').get(5)).toEqual({ id: 5, v: 'five' })

  await expect(
    session.transaction(async (tx) => {
      await tx.truncate('t')
      expect(t.get(5)).toBeUndefined()
      await tx.createTable('u', { columns, temporary: true })
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  expect(t.get(5)).toEqual({ id: 5, v: 'five' })
  expect(() => session.table('u')).toThrow(expect.objectContaining({ code: '42P01' }))
  await session.truncate('t')
  expect([...t.scan()]).toEqual([])
  await session.transaction(async (tx) => {
    await tx.insertMany(t, rows.slice(0, 100))
    await tx
      .savepoint(async (inner) => {
        await inner.createTable('u', { columns, temporary: true })
        await inner.dropTable('t')
        throw new Error('undo')
      })
      .catch(() => undefined)
  })
  expect([...t.scan()]).toHaveLength(100)
  await session.dropTable('t')
  expect(() => session.table<Row>('t').get(1)).toThrow()
  expect(temporaryFiles(directory)).toEqual([])
  await session.close()
})

test('its session alone sees it, and it is gone with the session', {
  timeout: 60_000,
}, async () => {
  const directory = temporaryDirectory('ts')
  await using cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await using other = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  const t = session.table<Row>('t')
  await t.insertMany(rows)
  const schema = `pg_temp_${session.id - 1}`
  expect(() => other.table('t')).toThrow(expect.objectContaining({ code: '42P01' }))
  expect(() => other.table(`${schema}.t`)).toThrow(refused)
  await expect(other.dropTable(`${schema}.t`)).rejects.toThrow(refused)
  await expect(other.createTable(`${schema}.u`, { columns })).rejects.toMatchObject({
    code: '42P16',
    message: 'cannot create relations in temporary schemas of other sessions',
  })
  await expect(other.createTable('public.u', { columns, temporary: true })).rejects.toMatchObject({
    code: '42P16',
    message: 'cannot create temporary relation in non-temporary schema',
  })
  await other.createTable('t', { columns, temporary: true })
  expect([...other.table('t').scan()]).toEqual([])
  await other.vacuum()
  await other.analyze()

  await session.transaction(
    async (tx) => {
      await tx.insert(t, { id: 50_000, v: 'in a read-only transaction' })
    },
    { readOnly: true },
  )
  expect(t.get(50_000)?.v).toBe('in a read-only transaction')
  await session.createTable('kept', { columns })
  await expect(
    session.transaction(
      async (tx) => {
        await tx.insert(t, { id: 50_001, v: '' })
        await tx.insert(session.table('kept'), { id: 1, v: '' })
      },
      { readOnly: true },
    ),
  ).rejects.toMatchObject({ code: '25006' })
  await expect(other.vacuum(`${schema}.t`)).rejects.toThrow(refused)
  await expect(other.analyze(`${schema}.t`)).rejects.toThrow(refused)

  expect(temporaryFiles(directory).length).toBeGreaterThan(0)
  await session.close()
  await other.close()
  expect(temporaryFiles(directory)).toEqual([])
  await using third = await cluster.connect()
  const left = third.table<{ relpersistence: string }>('pg_catalog.pg_class').scan({
    where: { relpersistence: 't' },
  })
  expect([...left]).toEqual([])
})

test('cannot be part of a prepared transaction', { timeout: 60_000 }, async () => {
  await using cluster = await Cluster.open(temporaryDirectory('tp'), {
    create: true,
    settings: { max_prepared_transactions: 5 },
  })
  await using session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  const t = session.table<Row>('t')
  const message = 'cannot PREPARE a transaction that has operated on temporary objects'
  const prepared = session.prepareTransaction('p', async (tx) => {
    await tx.insert(t, { id: 1, v: '' })
  })
  await expect(prepared).rejects.toMatchObject({ code: '0A000', message })
  expect(t.get(1)).toBeUndefined()
})

test('its rows are not logged', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('tw')
  await using cluster = await Cluster.open(directory, { create: true })
  await using session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  await session.createIndex('t', { columns: [{ column: 'id', desc: true }] })
  const { wal_bytes: before = 0 } = cluster.statistics()
  const t = session.table<Row>('t')
  await t.insertMany(rows)
  await t.update(6, { v: long })
  await t.delete(7)
  const { wal_bytes: after = 0 } = cluster.statistics()
  // Three commits, of 2 MB of rows.
  expect(after - before).toBeLessThan(1000)
  const numbers = temporaryFiles(directory).map((name) => /_(\d+)/.exec(name)?.[1])
  expect(numbers.length).toBeGreaterThan(3)
  await session.dropTable('t')
  expect(temporaryFiles(directory)).toEqual([])
  // Neither is anything said of its files.
  const log = (await pgdata(['wal', directory])).stdout.toString()
  expect(log).toContain('COMMIT')
  for (const number of numbers)
    expect(
      log.split('\n').filter((line) => line.match(new RegExp(`(1663|base)/5/${number}\\b`))),
    ).toEqual([])
})

test('temp_buffers: what fits stays in memory', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('tb')
  await using cluster = await Cluster.open(directory, { create: true })
  const written: boolean[] = []
  for (const buffers of ['800kB', '64MB']) {
    await using session = await cluster.connect()
    session.set('temp_buffers', buffers)
    await session.createTable('t', { columns: { id: 'int4', v: 'text' }, temporary: true })
    const t = session.table<Row>('t')
    await t.insertMany(rows)
    expect([...t.scan()].map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
    const [main] = temporaryFiles(directory).map((name) =>
      readFileSync(join(directory, 'base/5', name)),
    )
    written.push(main?.some((byte) => byte !== 0) ?? false)
    expect(() => session.set('temp_buffers', '1MB')).toThrow(
      expect.objectContaining({
        code: '22023',
        message: 'invalid value for parameter "temp_buffers": 128',
        detail:
          '"temp_buffers" cannot be changed after any temporary tables have been accessed in the session.',
      }),
    )
    session.set('temp_buffers', buffers)
  }
  expect(written).toEqual([true, false])
})

test('after a crash of ours both engines go on without them', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('tc')
  const cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  await session.createTable('kept', { columns })
  await session.table('t').insertMany(rows)
  await session.table('kept').insertMany(rows)
  await cluster.checkpoint()
  await session.table('t').delete(3)
  await session.table('kept').delete(3)
  const schema = `pg_temp_${session.id - 1}`
  const images = [copyOf(directory), copyOf(directory)]
  for (const image of images) rmSync(join(image, 'postmaster.pid'), { force: true })
  await cluster.close()
  const [forStock, forUs] = images as [string, string]
  {
    await using oracle = Oracle.adopt(forStock)
    await oracle.start({ autovacuum: 'off' })
    const client = await oracle.client()
    expect(temporaryFiles(forStock)).toEqual([])
    expect((await client.query('select count(*)::int as n from kept')).rows).toEqual([{ n: 19999 }])
    expect(await amcheck(client)).toEqual([])
    await client.query(`drop table ${schema}.t`)
    await client.query('create temp table t (id int4)')
  }
  {
    await using again = await Cluster.open(forUs)
    expect(temporaryFiles(forUs)).toEqual([])
    await using first = await again.connect()
    await using second = await again.connect()
    expect([...second.table('kept').scan()]).toHaveLength(19999)
    // The session of that number takes the schema over, empty.
    for (const each of [first, second]) {
      await each.createTable('mine', { columns, temporary: true })
      expect(() => each.table('t')).toThrow(expect.objectContaining({ code: '42P01' }))
    }
  }
  {
    await using oracle = Oracle.adopt(directory)
    await oracle.start({ autovacuum: 'off' })
    const client = await oracle.client()
    const { rows: left } = await client.query(
      "select relname from pg_class where relpersistence = 't'",
    )
    expect(left).toEqual([])
    expect(await amcheck(client)).toEqual([])
  }
})

// What PostgreSQL and pgdata write for the same temporary tables, by name and not by OID, since the schemas are others.
const described = `
  select n.nspname ~ '^pg_temp_' as is_temporary, n.nspname ~ '^pg_toast_temp_' as is_toast, nspowner, nspacl,
         regexp_replace(relname, '\\d+', 'N') as name, relkind, relpersistence, relnatts, relhasindex, relpages, reltuples,
         reltablespace, reloftype, relfrozenxid <> 0 as is_frozen, relminmxid,
         (select count(*) from pg_attribute where attrelid = c.oid)::int as attributes,
         (select array_agg(deptype::text || ' ' || refclassid::regclass::text || ' ' || (refobjid = relnamespace) order by deptype, refclassid)
            from pg_depend where objid = c.oid) as dependencies,
         (select array_agg(typname || ' ' || (typnamespace = relnamespace)) from pg_type where typrelid = c.oid) as types
    from pg_class c join pg_namespace n on n.oid = relnamespace
   where relpersistence = 't' order by 1, name`

test('the rows in the catalogs are as PostgreSQL makes them', { timeout: 120_000 }, async () => {
  await using stock = await Oracle.initdb()
  await stock.start()
  const client = await stock.client()
  await client.query('create temp table t (id int4 primary key, v text)')
  await client.query('create index on t (v)')
  await client.query('create table pg_temp.u (a int8 not null, b int4)')
  const expected = await client.query(described)
  expect(expected.rows).toHaveLength(6)

  const directory = temporaryDirectory('tr')
  const cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  await session.createIndex('t', { columns: ['v'] })
  await session.createTable('pg_temp.u', { columns: { a: 'int8 not null', b: 'int4' } })
  const image = copyOf(directory)
  rmSync(join(image, 'postmaster.pid'), { force: true })
  await cluster.close()
  await using ours = Oracle.adopt(image)
  await ours.start({ autovacuum: 'off' })
  const actual = await (await ours.client()).query(described)
  expect(actual.rows).toEqual(expected.rows)
})

// What is known of a temporary table and its indexes.
const sizes = `
  select regexp_replace(relname, '\\d+', 'N') as name, relpages, reltuples, relallvisible, relallfrozen
    from pg_class where relpersistence = 't' and relkind in ('r', 'i', 't') and relname !~ '^pg_toast' order by relname`
const statistics = `
  select attname, stanullfrac, stawidth, stadistinct, stakind1, stakind2, stakind3, staop1, staop2, staop3, stacoll1, stacoll2,
         stanumbers1, stanumbers2, stanumbers3, stavalues1::text, stavalues2::text, stavalues3::text
    from pg_statistic s join pg_attribute a on attrelid = starelid and attnum = staattnum
    join pg_class c on c.oid = starelid
   where relpersistence = 't' order by attnum`

test('vacuumed and analyzed, as PostgreSQL does', { timeout: 120_000 }, async () => {
  const count = 4000
  await using stock = await Oracle.initdb()
  await stock.start({ autovacuum: 'off' })
  const client = await stock.client()
  await client.query('create temp table t (id int4 primary key, k int4, v text)')
  await client.query('create index t_k on t (k)')
  await client.query(
    `insert into t select i, nullif(i % 17, 3), 'row ' || i % 50 || repeat('x', 60) from generate_series(0, ${count - 1}) i`,
  )

  const directory = temporaryDirectory('tv')
  const cluster = await Cluster.open(directory, { create: true, settings: { autovacuum: false } })
  const session = await cluster.connect()
  await session.createTable('t', {
    columns: { id: 'int4 primary key', k: 'int4', v: 'text' },
    temporary: true,
  })
  await session.createIndex('t', { columns: ['k'], name: 't_k' })
  const t = session.table<{ id: number; k: number | null; v: string }>('t')
  await session.transaction(async (tx) => {
    for (let id = 0; id < count; id++)
      tx.insert(t, {
        id,
        k: id % 17 === 3 ? null : id % 17,
        v: `row ${id % 50}${'x'.repeat(60)}`,
      })
  })
  const image = async (query: string) => {
    const copy = copyOf(directory)
    rmSync(join(copy, 'postmaster.pid'), { force: true })
    await using ours = Oracle.adopt(copy)
    await ours.start({ autovacuum: 'off' })
    return (await (await ours.client()).query(query)).rows
  }

  await client.query('analyze t')
  const analyzed = await session.analyze('t')
  expect(analyzed).toMatchObject([{ liveRows: count, deadRows: 0, columns: ['id', 'k', 'v'] }])
  expect(await image(statistics)).toEqual((await client.query(statistics)).rows)
  expect(await image(sizes)).toEqual((await client.query(sizes)).rows)
  const plan = await session.query({ from: 't', where: { k: 5 } }).explain()
  const { rows: lines } = await client.query('explain select * from t where k = 5')
  expect(plan).toBe(lines.map((line) => line['QUERY PLAN']).join('\n'))

  // Rows at the end go, too: their pages are given back.
  await client.query(`delete from t where id % 3 = 0 or id > ${count - 1000}`)
  await t.deleteWhere({
    where: { or: [{ '=': [{ modulo: ['id', 3] }, 0] }, { id: { '>': count - 1000 } }] },
  })
  await client.query('vacuum (analyze) t')
  const [vacuumed] = await session.vacuum('t', { analyze: true })
  const { rows: left } = await client.query('select count(*)::int4 as n from t')
  expect(vacuumed).toMatchObject({
    tuplesRemoved: count - left[0].n,
    liveTuples: left[0].n,
    tuplesNotYetRemovable: 0,
    indexScans: 1,
  })
  expect(vacuumed?.remainingPages).toBeLessThan(vacuumed?.pages as number)
  expect(await image(sizes)).toEqual((await client.query(sizes)).rows)
  expect(await image(statistics)).toEqual((await client.query(statistics)).rows)
  const ids = [...t.scan()].map(({ id }) => id).sort((a, b) => a - b)
  const { rows: kept } = await client.query('select id from t order by id')
  expect(ids).toEqual(kept.map(({ id }) => id))
  expect(t.get(4)?.id).toBe(4)
  expect(t.get(3)).toBeUndefined()

  // While it goes on, the session reads and writes.
  const going = session.vacuum('t', { disablePageSkipping: true })
  expect(t.get(5)?.id).toBe(5)
  await t.insert({ id: 3, k: 1, v: 'again' })
  await going
  expect(t.get(3)?.v).toBe('again')

  // All tables: its own, too.
  const all = await session.vacuum({ full: false, analyze: true })
  const schema = `pg_temp_${session.id - 1}`
  expect(all.map(({ relation }) => relation)).toContain(`${schema}.t`)
  const [full] = await session.vacuum('t', { full: true })
  expect(full?.relation).toBe(`${schema}.t`)
  expect([...t.scan()].map(({ id }) => id).sort((a, b) => a - b)).toEqual(
    [...ids, 3].sort((a, b) => a - b),
  )
  expect(t.get(3)?.v).toBe('again')
  await session.close()
  await cluster.close()
})

test('its TOAST table is vacuumed, too', { timeout: 60_000 }, async () => {
  await using cluster = await Cluster.open(temporaryDirectory('tx'), { create: true })
  await using session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  const t = session.table<Row>('t')
  for (let id = 0; id < 20; id++) await t.insert({ id, v: long })
  await t.deleteWhere({ where: { id: { '<': 15 } } })
  const { wal_bytes: before = 0 } = cluster.statistics()
  const reports = await session.vacuum('t')
  const { wal_bytes: after = 0 } = cluster.statistics()
  expect(reports.map(({ tuplesRemoved }) => tuplesRemoved > 0)).toEqual([true, true])
  expect(t.get(17)?.v).toBe(long)
  // The rows of catalogs, not those of the table.
  expect(after - before).toBeLessThan(100_000)
})

test('explain counts local buffers as PostgreSQL does', { timeout: 120_000 }, async () => {
  await using stock = await Oracle.initdb()
  await stock.start()
  const client = await stock.client()
  await client.query('create temp table t (id int4 primary key, v text)')
  await client.query(
    `insert into t select i, 'row ' || i || ' ' || repeat('x', 60) from generate_series(0, 19999) i`,
  )
  const { rows: explained } = await client.query(
    'explain (analyze, buffers, format json) select * from t',
  )
  const [{ Plan: expected }] = explained[0]['QUERY PLAN']

  await using cluster = await Cluster.open(temporaryDirectory('te'), { create: true })
  await using session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  await session.table<Row>('t').insertMany(rows)
  const [{ Plan: actual }] = await session
    .query({ from: 't' })
    .explain({ analyze: true, buffers: true, format: 'json' })
  // Ours came in bulk, which extends a table by many pages at once.
  const { rows: sizes } = await client.query("select (pg_relation_size('t') / 8192)::int as blocks")
  const main = Math.max(
    ...temporaryFiles(cluster.dataDirectory)
      .filter((name) => /^t\d+_\d+$/.test(name))
      .map((name) => statSync(join(cluster.dataDirectory, 'base/5', name)).size / 8192),
  )
  expect(expected['Local Hit Blocks']).toBe(sizes[0].blocks)
  expect(actual['Local Hit Blocks']).toBe(main)
  for (const kind of ['Local Read', 'Local Dirtied', 'Local Written', 'Shared Hit', 'Shared Read'])
    expect([kind, actual[`${kind} Blocks`]]).toEqual([kind, expected[`${kind} Blocks`]])
})

test('on commit rows are deleted, or the table is dropped', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('to')
  await using cluster = await Cluster.open(directory, {
    create: true,
    settings: { max_prepared_transactions: 5 },
  })
  await using session = await cluster.connect()
  await session.createTable('d', { columns, temporary: true, onCommit: 'delete rows' })
  await session.createTable('p', { columns, temporary: true, onCommit: 'preserve rows' })
  const d = session.table<Row>('d')
  const count = () => [...session.table('d').scan()].length
  // While its session vacuums it on another thread, no commit of that session empties it; then the vacuum's own does.
  const codes: unknown[] = []
  let isOver = false
  const over = () => {
    isOver = true
  }
  const going = session.vacuum('d').then(over, (error) => {
    over()
    expect(error).toMatchObject({ code: '55006' })
  })
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve))
    try {
      session.table('d').insertSync({ id: codes.length, v: '' })
    } catch (error) {
      codes.push((error as { code: string }).code)
    }
  }
  await going
  expect(codes).toContain('55006')
  await session.table('p').insert({ id: 1, v: '' })
  for (let round = 0; round < 2; round++) {
    const seen = await session.transaction(async (tx) => {
      await tx.insertMany(d, rows)
      await tx.update(d, 6, { v: long })
      expect(d.get(6)).toEqual({ id: 6, v: long })
      return count()
    })
    expect(seen).toBe(20000)
    expect(count()).toBe(0)
    expect(d.get(6)).toBeUndefined()
  }
  await d.insert({ id: 1, v: 'in a transaction of its own' })
  expect(count()).toBe(0)
  session.transactionSync((tx) => {
    tx.insert(d, { id: 1, v: '' })
    expect(count()).toBe(1)
  })
  expect(count()).toBe(0)
  // A scan that is not at its end has a page pinned.
  await session.transaction(async (tx) => {
    await tx.insertMany(d, rows)
    d.scan()[Symbol.iterator]().next()
  })
  expect(count()).toBe(0)
  expect([...session.table('p').scan()]).toHaveLength(1)
  // Who has not touched it can be prepared.
  await session.createTable('kept', { columns })
  await session.prepareTransaction('gid', (tx) =>
    tx.insert(session.table('kept'), { id: 1, v: '' }),
  )
  await cluster.rollbackPrepared('gid')

  await session.transaction(async (tx) => {
    await tx.createTable('gone', { columns, temporary: true, onCommit: 'drop' })
    await tx.insert(session.table('gone'), { id: 1, v: '' })
    expect([...session.table('gone').scan()]).toHaveLength(1)
    await tx
      .savepoint(async (inner) => {
        await inner.createTable('undone', { columns, temporary: true, onCommit: 'drop' })
        throw new Error('undo')
      })
      .catch(() => undefined)
  })
  expect(() => session.table('gone')).toThrow(expect.objectContaining({ code: '42P01' }))
  await session.dropTable('d')
  await session.dropTable('p')
  expect(temporaryFiles(directory)).toEqual([])
  await session.table('kept').insert({ id: 2, v: '' })
  await expect(session.createTable('x', { columns, onCommit: 'drop' })).rejects.toMatchObject({
    code: '42P16',
    message: 'ON COMMIT can only be used on temporary tables',
  })
})

test('gone with a session that a timeout ends', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('ti')
  await using cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await session.createTable('t', { columns, temporary: true })
  await session.table('t').insertMany(rows)
  const idle = session.transaction(() => new Promise(() => undefined), {
    idleInTransactionSessionTimeout: 20,
  })
  await expect(idle).rejects.toMatchObject({ code: '25P03' })
  expect(temporaryFiles(directory)).toEqual([])
  await using other = await cluster.connect()
  const catalog = other.table<{ relpersistence: string }>('pg_catalog.pg_class')
  expect([...catalog.scan({ where: { relpersistence: 't' } })]).toEqual([])
})

test('on commit is what PostgreSQL does', { timeout: 120_000 }, async () => {
  await using stock = await Oracle.initdb()
  await stock.start()
  const client = await stock.client()
  await client.query('create temp table d (id int4 primary key) on commit delete rows')
  await client.query('begin')
  await client.query('insert into d select generate_series(1, 10)')
  await client.query('create temp table gone (id int4) on commit drop')
  await client.query('commit')
  expect((await client.query('select * from d')).rows).toEqual([])
  await expect(client.query('select * from gone')).rejects.toMatchObject({ code: '42P01' })
  await client.query('insert into d values (1)')
  expect((await client.query('select * from d')).rows).toEqual([])
  await expect(client.query('create table x (id int4) on commit drop')).rejects.toMatchObject({
    code: '42P16',
    message: 'ON COMMIT can only be used on temporary tables',
  })
})
