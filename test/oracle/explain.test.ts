// Plans, as they are told.
// Goal: explain has PostgreSQL's shape, as text and as JSON, and what it says of a query that ran is so. Method: stock explains
// the same queries without costs, kept from the plans that we do not make; what was measured is compared with what the
// tables have, and with the limits that were set.
import { cpSync } from 'node:fs'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster, type ExplainNode, type Query, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const rowCount = 20_000
let oracle: Oracle
let client: pg.Client
let cluster: Cluster
let session: Session

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  client = await oracle.client()
  await client.query(`
    create table t (id int4 primary key, k int4, name text, amount numeric, "Mixed" bool);
    insert into t select i, nullif(i % 97, 0), 'name ' || i, i * 1.5, i % 2 = 0
      from generate_series(1, ${rowCount}) i;
    create table u (id int4, k int4);
    insert into u select i, i from generate_series(1, 50) i`)
  await client.query('vacuum analyze')
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('explain')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  await client.query(`
    set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off;
    set enable_mergejoin = off; set enable_nestloop = off; set enable_incremental_sort = off;
    set max_parallel_workers_per_gather = 0; set enable_memoize = off; set work_mem = '256MB'`)
  cluster = await Cluster.open(copy, { settings: { fsync: false } })
  session = await cluster.connect()
  session.set('enable_indexscan', false)
  session.set('enable_indexonlyscan', false)
  session.set('enable_bitmapscan', false)
  session.set('enable_nestloop', false)
})

afterAll(async () => {
  await client?.end()
  await cluster?.close()
  await oracle?.stop()
})

const join = [{ table: 'u', on: { 't.k': 'u.k' } }]

const explained: [string, Query][] = [
  ['select * from t', { from: 't' }],
  ['select * from t x', { from: { table: 't', as: 'x' } }],
  ['select id from t where id > 5', { from: 't', columns: ['id'], where: { id: { '>': 5 } } }],
  [
    `select id from t where k between 2 and 4 and name = 'it''s' and name like '%\\%'`,
    {
      from: 't',
      columns: ['id'],
      where: { k: { between: [2, 4] }, name: { like: '%\\%', '=': "it's" } },
    },
  ],
  [
    'select id from t where (k is null or k = -3) and k is not null and amount < 2.5',
    {
      from: 't',
      columns: ['id'],
      where: {
        and: [{ k: { isNull: false } }, { or: [{ k: null }, { k: { '=': -3 } }] }],
        amount: { '<': 2.5 },
      },
    },
  ],
  [
    'select id from t where k in (1, 2, -3)',
    { from: 't', columns: ['id'], where: { k: { in: [1, 2, -3] } } },
  ],
  [
    'select id from t where id + k * 2 < 7',
    { from: 't', where: { '<': [{ add: ['id', { multiply: ['k', 2] }] }, 7] }, columns: ['id'] },
  ],
  ['select id from t limit 3', { from: 't', columns: ['id'], limit: 3 }],
  [
    'select id from t order by name desc, k nulls first, id',
    {
      from: 't',
      columns: ['id'],
      orderBy: [{ column: 'name', direction: 'desc' }, { column: 'k', nulls: 'first' }, 'id'],
    },
  ],
  [
    'select id + 1 as next from t order by next limit 5',
    { from: 't', columns: [{ as: 'next', add: ['id', 1] }], orderBy: ['next'], limit: 5 },
  ],
  ['select count(*) from t', { from: 't', aggregates: { n: { count: '*' } } }],
  [
    'select k, count(*), sum(id) from t group by k having count(*) > 3',
    {
      from: 't',
      groupBy: ['k'],
      aggregates: { n: { count: '*' }, s: { sum: 'id' } },
      having: { n: { '>': 3 } },
    },
  ],
  [
    'select k, count(*) as n from t group by k order by n desc',
    {
      from: 't',
      groupBy: ['k'],
      aggregates: { n: { count: '*' } },
      orderBy: [{ column: 'n', direction: 'desc' }],
    },
  ],
  ['select distinct k from t', { from: 't', columns: ['k'], distinct: true }],
  ['select t.id from t join u on t.k = u.k', { from: 't', columns: ['t.id'], join }],
  [
    'select t.id from t left join u on t.k = u.k where t.id < 900',
    {
      from: 't',
      columns: ['t.id'],
      join: [{ ...join[0], type: 'left' } as never],
      where: { 't.id': { '<': 900 } },
    },
  ],
  [
    'select a.id from t a full join u b on a.k = b.k',
    {
      from: { table: 't', as: 'a' },
      columns: ['a.id'],
      join: [{ table: 'u', as: 'b', type: 'full', on: { 'a.k': 'b.k' } }],
    },
  ],
  [
    'select id from t where not exists (select from u where t.k = u.k)',
    { from: 't', columns: ['t.id'], join: [{ ...join[0], type: 'anti' } as never] },
  ],
]

interface StockPlan {
  'QUERY PLAN': string
}

async function stockText(sql: string): Promise<string> {
  const { rows } = await client.query<StockPlan>(`explain (costs off) ${sql}`)
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

// Whether a join's right side is known to be unique is not.
function withoutUnique(node: ExplainNode): ExplainNode {
  const { 'Inner Unique': _, Plans, ...rest } = node
  return Plans === undefined ? rest : { ...rest, Plans: Plans.map(withoutUnique) }
}

test.each(explained)('%s', async (sql, query) => {
  // Stock would sort for groups, which we do not.
  await client.query(`set enable_sort = ${/order by/.test(sql) ? 'on' : 'off'}`)
  expect(await session.query(query).explain({ costs: false })).toBe(await stockText(sql))
  const { rows } = await client.query(`explain (costs off, format json) ${sql}`)
  const [{ Plan }] = rows[0]['QUERY PLAN']
  expect(await session.query(query).explain({ costs: false, format: 'json' })).toEqual([
    { Plan: withoutUnique(Plan) },
  ])
})

async function analyzed(memory: string, query: Query): Promise<ExplainNode> {
  session.set('work_mem', memory)
  const [{ Plan, ...times }] = await session.query(query).explain({
    analyze: true,
    costs: false,
    format: 'json',
  })
  expect(times).toEqual({
    'Planning Time': expect.any(Number),
    'Execution Time': expect.any(Number),
  })
  return Plan
}

test('analyze tells what there was of rows', async () => {
  const plan = await analyzed('4MB', {
    from: 't',
    columns: ['t.id'],
    join,
    where: { 't.id': { '<=': 970 } },
  })
  // Of each hundred less three, fifty have a partner.
  expect(plan).toMatchObject({ 'Node Type': 'Hash Join', 'Actual Rows': 500, 'Actual Loops': 1 })
  const [scan, hash] = plan.Plans ?? []
  expect(scan).toMatchObject({ 'Actual Rows': 970, 'Rows Removed by Filter': rowCount - 970 })
  expect(hash).toMatchObject({ 'Node Type': 'Hash', 'Actual Rows': 50, 'Hash Batches': 1 })
})

test('analyze as text', async () => {
  session.set('work_mem', '4MB')
  const query: Query = { from: 't', columns: ['id'], where: { id: { '<=': 9 } }, orderBy: ['name'] }
  const text = await session.query(query).explain({ analyze: true, costs: false, buffers: false })
  const times = String.raw`\(actual time=\d+\.\d{3}\.\.\d+\.\d{3} rows=9\.00 loops=1\)`
  expect(text.split('\n')).toEqual(
    [
      `Sort ${times}`,
      '  Sort Key: name',
      String.raw`  Sort Method: quicksort  Memory: \d+kB`,
      `  ->  Seq Scan on t ${times}`,
      String.raw`        Filter: \(id <= 9\)`,
      `        Rows Removed by Filter: ${rowCount - 9}`,
      String.raw`Planning Time: \d+\.\d{3} ms`,
      String.raw`Execution Time: \d+\.\d{3} ms`,
    ].map((line) => expect.stringMatching(`^${line}$`)),
  )
})

interface UsedBlocks {
  shared: number
  temp: [number, number]
}

function usedBlocks(node: Record<string, unknown>): UsedBlocks {
  const of = (name: string) => Number(node[`${name} Blocks`])
  return {
    shared: of('Shared Hit') + of('Shared Read'),
    temp: [of('Temp Read'), of('Temp Written')],
  }
}

test('analyze tells what blocks were used, as many as in stock', async () => {
  const sorted: Query = { from: 't', columns: ['id', 'name'], orderBy: ['name'] }
  const explain = 'explain (analyze, costs off, format json) select id, name from t order by name'
  const { rows } = await client.query(explain)
  const [stock] = rows[0]['QUERY PLAN'][0].Plan.Plans
  const inMemory = await analyzed('256MB', sorted)
  const [scan] = inMemory.Plans as ExplainNode[]
  expect(usedBlocks(inMemory)).toEqual(usedBlocks(scan as ExplainNode))
  expect(usedBlocks(scan as ExplainNode)).toEqual(usedBlocks(stock))
  expect(scan).toMatchObject({ 'Local Hit Blocks': 0, 'Shared Dirtied Blocks': 0 })
  expect('WAL Records' in inMemory).toBe(false)
  expect('Shared I/O Read Time' in inMemory).toBe(false)

  const { temp } = usedBlocks(await analyzed('64kB', sorted))
  const dataBlocks = (rowCount * 20) / 8192
  expect(temp[0]).toBeGreaterThan(dataBlocks)
  expect(temp[1]).toBeGreaterThan(dataBlocks)
})

test('analyze tells of blocks as text, and of the log', async () => {
  await session.createTable('dead', { columns: { id: 'int4' } })
  const dead = session.table<{ id: number }>('dead')
  await dead.insertMany(Array.from({ length: 1000 }, (_, id) => ({ id })))
  await cluster.checkpoint()
  await dead.deleteWhere({ where: { id: { '>': 0 } } })
  session.set('track_io_timing', true)
  const options = { analyze: true, costs: false, wal: true } as const
  const first = await session.query({ from: 'dead' }).explain(options)
  const again = await session.query({ from: 'dead' }).explain(options)
  session.reset('track_io_timing')
  // Who comes first prunes the pages, or marks the rows as dead.
  expect(first).toMatch(/^ {2}Buffers: shared hit=\d+/m)
  expect(first).toMatch(/^ {2}WAL: records=\d+.* bytes=\d+$/m)
  expect(again).toMatch(/^ {2}Buffers: shared hit=\d+$/m)
  expect(again).not.toMatch(/WAL/)
  await expect(session.query({ from: 'dead' }).explain({ wal: true })).rejects.toMatchObject({
    code: '22023',
    message: 'EXPLAIN option WAL requires ANALYZE',
  })
})

const ofMemory: [string, Query][] = [
  ['Sort', { from: 't', orderBy: ['name'] }],
  [
    'Aggregate',
    { from: 't', groupBy: ['name'], aggregates: { n: { count: '*' }, s: { sum: 'k' } } },
  ],
  [
    'Hash Join',
    { from: 't', columns: ['t.id'], join: [{ table: 't', as: 'o', on: { 't.name': 'o.name' } }] },
  ],
]

test.each(ofMemory)('%s: within its memory, on disk for the rest', async (type, query) => {
  for (const [memory, kilobytes] of [
    ['64kB', 64],
    ['512kB', 512],
    ['256MB', 262_144],
  ] as const) {
    const root = await analyzed(memory, query)
    expect(root['Node Type']).toBe(type)
    const node = type === 'Hash Join' ? (root.Plans?.[1] as ExplainNode) : root
    const isOnDisk = kilobytes < 1000
    if (type === 'Sort') {
      expect(node['Sort Method']).toBe(isOnDisk ? 'external merge' : 'quicksort')
      expect(node['Sort Space Type']).toBe(isOnDisk ? 'Disk' : 'Memory')
      if (!isOnDisk) expect(node['Sort Space Used']).toBeLessThan(kilobytes)
      continue
    }
    const limit = kilobytes * 2
    // Over it goes the block in which there is no room.
    expect(node['Peak Memory Usage']).toBeLessThanOrEqual(limit + Math.max(limit / 8, 16))
    expect(Number(node['Disk Usage'] ?? 0) > 0).toBe(isOnDisk)
    const batches = node[type === 'Aggregate' ? 'HashAgg Batches' : 'Hash Batches']
    if (isOnDisk) expect(batches).toBeGreaterThan(1)
    else expect(batches).toBe(1)
  }
})

test('a plan that is not run reads nothing, and tells what is wrong with the query', async () => {
  const broken = session.query({ from: 't', columns: ['nothing'] })
  await expect(broken.explain()).rejects.toMatchObject({ code: '42703' })
  const dividing = session.query({
    from: 't',
    columns: [{ as: 'x', divide: ['id', { subtract: ['id', 7] }] }],
  })
  expect(await dividing.explain({ costs: false })).toBe('Seq Scan on t')
  await expect(dividing.explain({ analyze: true })).rejects.toMatchObject({ code: '22012' })
})
