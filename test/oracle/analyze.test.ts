// ANALYZE, against PostgreSQL.
// Goal: where the sample is the whole table, pg_statistic and pg_class hold after ours what they hold after stock's own
// ANALYZE, value for value, and its planner estimates the same rows; where it is a part, the estimates are near the
// truth. Method: tables of all kinds made by stock, analyzed by us, read by stock, analyzed by stock, read again.
import type pg from 'pg'
import { expect, test } from 'vitest'
import { type AnalyzeProgress, Cluster, type Session } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const quiet = { autovacuum: false }

type StatisticRow = Record<string, string | number | null>

const five = (columns: (n: number) => string) => [1, 2, 3, 4, 5].map(columns).join(', ')

// Floats as their bytes, since their text may be shorter than they are.
const statistics = `select s.starelid::regclass::text as relation, a.attname, a.atttypid::regtype::text as type,
    s.stainherit, float4send(s.stanullfrac)::text as nullfrac, s.stawidth, float4send(s.stadistinct)::text as distinct,
    s.stanullfrac, s.stadistinct,
    ${five(
      (
        n,
      ) => `s.stakind${n}, s.staop${n}::regoperator::text as staop${n}, s.stacoll${n}::text as stacoll${n},
      array_send(s.stanumbers${n})::text as sent_numbers${n}, s.stanumbers${n}::text as stanumbers${n},
      s.stavalues${n}::text as stavalues${n}, pg_column_size(s.stavalues${n}) as size${n}`,
    )}
  from pg_statistic s join pg_attribute a on a.attrelid = s.starelid and a.attnum = s.staattnum
  where s.starelid::regclass::text <> 'pg_class'
  order by s.starelid, s.staattnum`

const sizes = `select oid::regclass::text as relation, relpages, reltuples, relallvisible, relallfrozen
  from pg_class where relkind in ('r', 'i', 'm') order by oid`

async function rowsOf(client: pg.Client, query: string): Promise<StatisticRow[]> {
  return (await client.query<StatisticRow>(query)).rows
}

// How many rows the planner takes a query to give.
async function estimate(client: pg.Client, query: string): Promise<number> {
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }>(
    `explain (format json) ${query}`,
  )
  return rows[0]?.['QUERY PLAN'][0]?.Plan['Plan Rows'] as number
}

async function estimates(client: pg.Client): Promise<number[]> {
  const found: number[] = []
  for (const query of queries) found.push(await estimate(client, query))
  return found
}

async function analyzed(directory: string, work: (session: Session) => Promise<unknown>) {
  await using cluster = await Cluster.open(directory, { settings: quiet })
  await using session = await cluster.connect()
  await work(session)
}

const scalars = `
  create domain positive as int4 check (value > 0);
  create domain words as text[];
  create type mood as enum ('sad', 'ok', 'happy');
  create type pair as (a int4, b text);
  create table scalars as
    select i as id, i % 7 as few, case when i % 3 = 0 then null else i % 500 end as part,
      (i % 2 = 0) as flag, null::int4 as nothing, 42 as always, (i * 7919 % 1009)::int2 as small,
      (i::int8 * 1000003) as big, (i % 40 / 8.0)::float4 as single, sqrt(i % 300) as double,
      case i % 50 when 0 then 'NaN' when 1 then 'Infinity' else (i % 90)::text end::float8 as special,
      (i % 77 * 1.5)::numeric(10, 2) as price, (i % 13)::numeric ^ 20 as huge,
      substr('pgdata', 1 + i % 6, 1)::"char" as letter, ('n' || i % 30)::name as called,
      (i % 100)::oid as number, (i % 25)::regtype as kind
    from generate_series(1, 1500) i;
  create table texts as
    select i as id, 'word ' || (i % 11 * i % 13) as word, ('v' || i % 400)::varchar(20) as short,
      ('c' || i % 9)::char(10) as padded, decode(md5((i % 60)::text), 'hex') as bytes,
      repeat(chr(97 + i % 5), 900) as wide, repeat(md5(i::text), 40) as wider,
      case when i % 4 = 0 then repeat(md5((i % 3)::text), 200) when i % 4 = 1 then 'narrow' end as either,
      repeat('x', i % 1200) as growing, repeat(md5((i % 20)::text), 30) as often,
      ('{"a": ' || i % 17 || ', "b": ["x", ' || i % 3 || ']}')::jsonb as document,
      ('{"a": ' || i % 17 || '}')::json as plain, ('<a>' || i % 4 || '</a>') as marked,
      ('word ' || i % 90) collate "POSIX" as posix
    from generate_series(1, 700) i;
  alter table texts alter wider set storage external;
  create table times as
    select i as id, date '2020-01-01' + i % 200 as day, time '00:00' + i % 500 * interval '1 minute' as clock,
      timetz '00:00+02' + i % 50 * interval '1 minute' as zoned,
      timestamp '2020-01-01' + i * interval '1 hour' as happened,
      timestamptz '2020-01-01 00:00+00' + i % 99 * interval '1 day' as moment,
      i % 30 * interval '1 day 2 hours' as length, i % 44 * '1.10'::money as money
    from generate_series(1, 900) i;
  create table others as
    select i as id, md5((i % 350)::text)::uuid as key, (i % 70)::text::xid8 as xid8,
      ('0/' || to_hex(i % 800))::pg_lsn as lsn, ('(' || i % 5 || ',' || 1 + i % 3 || ')')::tid as place,
      (i % 8)::text::xid as xid, (i % 6)::text::cid as cid,
      (i % 12 + 1)::positive as positive, point(i, i % 3) as point
    from generate_series(1, 600) i;
  create table arrays as
    select i as id, array[i % 3, i % 7] as numbers, case when i % 5 = 0 then null else array['a' || i % 4] end as texts,
      array['w' || i % 8]::words as words, array[[i % 2, 1], [2, 3]]::int2[] as matrix,
      (i % 3 || ' ' || i % 2)::int2vector as vector, (i % 5 || ' 1')::oidvector as oids
    from generate_series(1, 400) i;
  create table unordered as
    select i as id, ('10.0.' || i % 4 || '.' || i % 9)::inet as address,
      (array['sad', 'ok', 'happy'])[1 + i % 3]::mood as mood, (i % 16)::bit(4) as bits,
      int4range(i, i + 10) as range, to_tsvector('simple', 'word ' || i) as vector, (i % 4, 'x')::pair as pair,
      array[(i % 3)::text::json] as documents, ('word ' || i % 90) collate "und-x-icu" as foreign_text
    from generate_series(1, 500) i;
  create table empty (id int4, body text);
  create table options as select i % 50 as left_out, i % 50 as rough, i % 50 as said, i % 50 as shared, 1 as gone
    from generate_series(1, 2000) i;
  alter table options alter left_out set statistics 0, alter rough set statistics 5, alter said set statistics 2000,
    alter shared set (n_distinct = -0.25), drop gone;
  create table changed as select i as id, i % 10 as few from generate_series(1, 1000) i;
  alter table changed add later text default 'later';
  update changed set few = 99 where id % 4 = 0;
  delete from changed where id % 9 = 0;
  create index on changed (few);
  create index on changed (id) where id > 500;
  create index on changed using hash (few);
  create materialized view view as select few, count(*) from scalars group by few;
  create unlogged table unlogged as select i % 3 as few from generate_series(1, 100) i;
`

// What we leave out on purpose, by the type's name: such columns have less, or nothing.
const reduced = new Set([
  'inet',
  'mood',
  'bit',
  'bit(4)',
  'pair',
  'int4range',
  'tsvector',
  'json[]',
  'aclitem[]',
])
const elementKinds = [4, 5]

// The row with what tells of array elements taken away.
function withoutElements(row: StatisticRow): StatisticRow {
  const rest = { ...row }
  for (let n = 1; n <= 5; n++) {
    if (!elementKinds.includes(row[`stakind${n}`] as number)) continue
    Object.assign(rest, {
      [`stakind${n}`]: 0,
      [`staop${n}`]: '0',
      [`stacoll${n}`]: '0',
      [`sent_numbers${n}`]: null,
      [`stanumbers${n}`]: null,
      [`stavalues${n}`]: null,
      [`size${n}`]: null,
    })
  }
  return rest
}

// A row of an array, which with its elements may have grown so long that it was compressed.
function withoutSizes(row: StatisticRow): StatisticRow {
  if (!`${row['type']}`.endsWith('[]') && row['type'] !== 'words') return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => !/^size/.test(name)))
}

const isReduced = (row: StatisticRow) =>
  reduced.has(row['type'] as string) || row['attname'] === 'foreign_text'

const queries = [
  'select from scalars where few = 3',
  'select from scalars where part is null',
  'select from scalars where part between 100 and 200',
  'select from scalars where special > 60',
  "select from texts where word < 'word 3'",
  "select from texts where short like 'v1%'",
  "select from times where happened < '2020-01-15'",
  'select from options where rough = 7',
  'select distinct shared from options',
  'select from scalars a join options b on a.few = b.rough',
  'select from changed where few = 99 and id > 700',
  "select from others where key > '80000000-0000-0000-0000-000000000000'",
  "select from arrays where numbers = '{1,1}'",
]

test('tells of every type what stock tells, catalogs included', { timeout: 180_000 }, async () => {
  const oracle = await Oracle.initdb()
  await oracle.start(quiet)
  const client = await oracle.client('postgres')
  await client.query(scalars)
  await oracle.stop()

  await analyzed(oracle.dir, async (session) => {
    const reports = await session.analyze()
    const report = reports.find(({ relation }) => relation === 'public.scalars')
    expect(report).toMatchObject({ sampledRows: 1500, liveRows: 1500, deadRows: 0 })
    expect(report?.scannedPages).toBe(report?.pages)
    expect(report?.columns).toHaveLength(17)
    const changed = reports.find(({ relation }) => relation === 'public.changed')
    expect(changed).toMatchObject({ liveRows: 889, deadRows: 361 })
    expect(reports.some(({ relation }) => relation === 'pg_catalog.pg_statistic')).toBe(false)
  })

  await oracle.start(quiet)
  const reader = await oracle.client('postgres')
  const ours = await rowsOf(reader, statistics)
  const ourSizes = await rowsOf(reader, sizes)
  const ourEstimates = await estimates(reader)
  await reader.query('delete from pg_statistic')
  await reader.query('analyze')
  const theirs = await rowsOf(reader, statistics)
  const partial = 'changed_id_idx'
  const whole = (rows: StatisticRow[]) => rows.filter(({ relation }) => relation !== partial)
  const theirSizes = await rowsOf(reader, sizes)
  const isAffected = ({ relation }: StatisticRow) => /^pg_statistic|^pg_class/.test(`${relation}`)
  expect(whole(ourSizes).filter((row) => !isAffected(row))).toEqual(
    whole(theirSizes).filter((row) => !isAffected(row)),
  )
  expect(ours.length).toBeGreaterThan(400)
  expect(ours.filter((row) => !isReduced(row)).map(withoutSizes)).toEqual(
    theirs
      .filter((row) => !isReduced(row))
      .map(withoutElements)
      .map(withoutSizes),
  )
  expect(await estimates(reader)).toEqual(ourEstimates)

  // What is told of the others is right as far as it goes.
  const others = ours.filter(isReduced)
  const stock = new Map(theirs.map((row) => [`${row['relation']} ${row['attname']}`, row]))
  for (const row of others) {
    const known = stock.get(`${row['relation']} ${row['attname']}`)
    expect(row).toMatchObject({ nullfrac: known?.['nullfrac'], stawidth: known?.['stawidth'] })
    if (row['stadistinct'] !== 0) expect(row['distinct']).toBe(known?.['distinct'])
  }
  const names = others
    .filter(({ relation }) => relation === 'unordered')
    .map((row) => row['attname'])
  expect(names).toEqual(['address', 'mood', 'bits', 'pair', 'documents', 'foreign_text'])
  await oracle.stop()
})

interface Item {
  id: number
  few: number | null
  body: string
}

async function makeItems(session: Session, rows: number, few: (id: number) => number | null) {
  await session.createTable('public.items', {
    columns: { id: 'int8 not null', few: 'int4', body: 'text' },
    primaryKey: ['id'],
  })
  await session.createIndex('public.items', { columns: ['few'] })
  const items = session.table<Item>('items')
  const body = (id: number) => `${id % 97}`.padEnd(80, 'x')
  await items.insertMany(
    Array.from({ length: rows }, (_, id) => ({ id, few: few(id), body: body(id) })),
  )
}

test('replaces what it told before, and stock reads it', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory()
  await (await Cluster.open(directory, { create: true, settings: quiet })).close()
  await analyzed(directory, async (session) => {
    // So wide that what is told of them is stored out of line.
    await makeItems(session, 2000, (id) => id % 3)
    const items = session.table<Item>('items')
    await items.insertMany(
      Array.from({ length: 1000 }, (_, i) => ({
        id: 2000 + i,
        few: null,
        body: String.fromCharCode(97 + (i % 20)).repeat(10) + `${i % 100}`.padEnd(900, `${i % 7}`),
      })),
    )
    for (let round = 0; round < 3; round++) await session.analyze('items')
    expect(session.tableStatistics('items')).toMatchObject({
      n_live_tup: 3000,
      n_dead_tup: 0,
      n_mod_since_analyze: 0,
      analyze_count: 3,
      autoanalyze_count: 0,
    })
    expect(session.tableStatistics('items').last_analyze).toBeInstanceOf(Date)
    await session.transaction(async (tx) => {
      for (let id = 0; id < 500; id++) await tx.delete(items, id)
    })
    const [some] = await session.analyze('items', { columns: ['few'] })
    expect(some).toMatchObject({ liveRows: 2500, deadRows: 500, columns: ['few'] })
    // Of the other columns nothing new is known.
    expect(session.tableStatistics('items')).toMatchObject({
      n_live_tup: 2500,
      n_dead_tup: 500,
      n_mod_since_analyze: 500,
    })
    const [report] = await session.vacuum('items', { analyze: true })
    expect(report).toMatchObject({ tuplesRemoved: 500, liveTuples: 2500 })
    expect(report?.analyzed).toMatchObject({ liveRows: 2500, deadRows: 0, sampledRows: 2500 })
    expect(session.tableStatistics('items').n_mod_since_analyze).toBe(0)
  })
  const oracle = Oracle.adopt(directory)
  await oracle.start(quiet)
  const client = await oracle.client('postgres')
  const ofItems = async () =>
    (await rowsOf(client, statistics)).filter(({ relation }) => relation === 'items')
  const ours = await ofItems()
  const ourSizes = await rowsOf(client, sizes)
  expect(ours.map(({ attname }) => attname)).toEqual(['id', 'few', 'body'])
  const { rows } = await client.query(
    "select relpages > 0 as has_pages, reltuples from pg_class where relname = 'items_few_idx'",
  )
  expect(rows).toEqual([{ has_pages: true, reltuples: 2500 }])
  await client.query('analyze items')
  expect(await ofItems()).toEqual(ours)
  expect(await rowsOf(client, sizes)).toEqual(ourSizes)
  expect(await amcheck(client)).toEqual([])
  await oracle.stop()
})

// Of pg_stats.
interface ColumnEstimate {
  null_frac: number
  n_distinct: number
  common: string[] | null
  freqs: number[] | null
  bounds: string[] | null
  correlation: number
}

test('estimates a table that is bigger than the sample', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory()
  const rows = 60_000
  await (await Cluster.open(directory, { create: true, settings: quiet })).close()
  await analyzed(directory, async (session) => {
    await makeItems(session, rows, (id) => (id % 5 === 0 ? null : id % 5))
    // So that all pages hold as many rows: a load leaves some that are nearly empty.
    await session.vacuum('items', { full: true })
    // 300 rows of as many blocks: fewer than there are.
    const [small] = await session.analyze('items', { default_statistics_target: 1 })
    expect(small).toMatchObject({ scannedPages: 300, sampledRows: 300 })
    expect(small?.pages).toBeGreaterThan(600)
    expect(Math.abs((small?.liveRows ?? 0) / rows - 1)).toBeLessThan(0.02)
    await session.set('default_statistics_target', 20)
    const [report] = await session.analyze('items')
    expect(report).toMatchObject({ sampledRows: 6000, liveRows: rows, deadRows: 0 })
  })
  const oracle = Oracle.adopt(directory)
  await oracle.start(quiet)
  const client = await oracle.client('postgres')
  const { rows: found } = await client.query<ColumnEstimate>(
    `select attname, null_frac, n_distinct, most_common_vals::text::text[] as common, most_common_freqs as freqs,
       histogram_bounds::text::text[]::int8[] as bounds, correlation from pg_stats where tablename = 'items' and attname <> 'body'
     order by attname desc`,
  )
  const [id, few] = found as [ColumnEstimate, ColumnEstimate]
  expect(id).toMatchObject({ null_frac: 0, n_distinct: -1, common: null, correlation: 1 })
  const bounds = (id.bounds ?? []).map(Number)
  expect(bounds).toHaveLength(21)
  // Each bin holds a 20th of the rows, give or take six standard deviations.
  bounds.forEach((bound, i) => {
    expect(Math.abs(bound - (i * rows) / 20)).toBeLessThan(6 * Math.sqrt(0.25 / 6000) * rows)
  })
  expect(few).toMatchObject({ n_distinct: 4, bounds: null })
  expect([...(few.common ?? [])].sort()).toEqual(['1', '2', '3', '4'])
  for (const frequency of [few.null_frac, ...(few.freqs ?? [])])
    expect(Math.abs(frequency - 0.2)).toBeLessThan(6 * Math.sqrt(0.16 / 6000))
  const distinctBodies = await estimate(client, 'select distinct body from items')
  expect(distinctBodies).toBe(97)
  await oracle.stop()
})

test('refuses what cannot be analyzed, and ends when it is told to', async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), { create: true, settings: quiet })
  await using session = await cluster.connect()
  await makeItems(session, 100, () => 1)
  const refusals: [Promise<unknown>, object][] = [
    [session.analyze('nothing'), { code: '42P01', message: 'relation "nothing" does not exist' }],
    [
      session.analyze('items_few_idx'),
      { code: '42809', message: 'cannot analyze "items_few_idx"' },
    ],
    [
      session.analyze('items', { columns: ['few', 'more'] }),
      { code: '42703', message: 'column "more" of relation "items" does not exist' },
    ],
    [
      session.analyze('items', { columns: ['few', 'few'] }),
      { code: '42701', message: 'column "few" of relation "items" appears more than once' },
    ],
    [session.analyze('items', { default_statistics_target: 0 }), { code: '22023' }],
    [session.analyze('items', { signal: AbortSignal.abort() }), { code: '57014' }],
    [session.transaction(() => session.analyze('items')), { code: '25001' }],
  ]
  for (const [refused, error] of refusals) await expect(refused).rejects.toMatchObject(error)
  expect(await session.analyze('pg_catalog.pg_statistic')).toEqual([])

  const seen: AnalyzeProgress[] = []
  await session.analyze('items', { onProgress: (progress) => seen.push(progress) })
  expect(seen.at(-1)).toMatchObject({
    relation: 'public.items',
    phase: 'finalizing analyze',
    sample_blks_total: 2,
    sample_blks_scanned: 2,
  })
  // So slow that it would take minutes.
  const slow = { vacuum_cost_delay: 100, vacuum_cost_limit: 1 }
  await session
    .table<Item>('items')
    .insertMany(Array.from({ length: 20_000 }, (_, i) => ({ id: 1000 + i, few: i, body: 'more' })))
  const controller = new AbortController()
  const stopped = session.analyze('items', {
    ...slow,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  await expect(stopped).rejects.toMatchObject({ code: '57014' })
  expect(cluster.locks().some(({ mode }) => mode === 'ShareUpdateExclusiveLock')).toBe(false)
})
