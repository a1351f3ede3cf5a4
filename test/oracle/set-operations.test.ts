// Set operations against PostgreSQL.
// Goal: UNION, INTERSECT and EXCEPT, with and without ALL, give stock's rows, types and errors, whatever memory they may take,
// and explain tells them as stock does. Method: random operations on random tables, run by stock as SQL and by us as
// objects with little, ordinary and much work_mem, on copies of the same directory; plans and their costs as texts.
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster, type ExplainNode, type Query, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { openOptions, ourOutcome, stockOutcome } from '../support/query-outcome.ts'
import { queryTables, tableSql } from '../support/query-tables.ts'
import { Random } from '../support/random.ts'
import { SetGenerator } from '../support/set-generator.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 })

const seed = Number(process.env.PGDATA_SEED ?? 18)
const operations = process.env.PGDATA_TEST_FULL ? 4000 : 300
const random = new Random(seed)
const tables = queryTables(random, 4, 8)
let oracle: Oracle
let client: pg.Client
let cluster: Cluster
let session: Session
let copy: string

beforeAll(async () => {
  console.log(`set operations: PGDATA_SEED=${seed}`)
  oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  client = await oracle.client()
  for (const [i, table] of tables.entries()) {
    // One that is not kept in little memory, in any case.
    const rows = i === 0 ? 3000 : random.pick([0, 30, 700, 3000])
    for (const sql of tableSql(random, table, rows)) await client.query(sql)
  }
  await client.query(`
    create table t (id int4, k int4, name text, amount numeric, big int8 not null);
    insert into t select i, nullif(i % 97, 0), 'name ' || (i * 7919 % 20000), i * 1.5, i / 3
      from generate_series(1, 20000) i;
    create table u (id int4, t int4, note text, f float4, v varchar(9), c char(3), d date, n name, j json, b bytea);
    insert into u select i, i * 37 % 20000, 'note ' || i % 5 from generate_series(1, 3000) i;
    create table small (id int4, k int4);
    insert into small select i, i from generate_series(1, 50) i`)
  await client.query('vacuum analyze t, u, small')
  await client.end()
  await oracle.stop()
  copy = temporaryPath('set-operations')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  cluster = await Cluster.open(copy, { ...openOptions, settings: { fsync: false } })
  session = await cluster.connect()
})

afterAll(async () => {
  await client?.end()
  await cluster?.close()
  await oracle?.stop()
})

test('random operations give what stock gives', async () => {
  const bySize: [string, Session][] = []
  for (const memory of ['64kB', '4MB', '256MB']) {
    const limited = await cluster.connect()
    limited.set('work_mem', memory)
    bySize.push([memory, limited])
  }
  const generator = new SetGenerator(random, tables)
  const counts = { rows: 0, some: 0, errors: 0 }
  for (let i = 0; i < operations; i++) {
    const generated = generator.next()
    const stock = await stockOutcome(client, generated)
    const what = `operation ${i}: ${generated.sql}\n${JSON.stringify(generated.query)}`
    for (const [memory, limited] of bySize) {
      const ours = await ourOutcome(limited, generated, stock.fields)
      expect(ours, `work_mem ${memory}, ${what}`).toEqual(stock.outcome)
    }
    if (stock.outcome.error !== undefined) counts.errors++
    else counts.rows++
    if ((stock.outcome.rows?.length ?? 0) > 0) counts.some++
  }
  console.log(counts)
  expect(counts.rows).toBeGreaterThan(operations / 2)
  expect(counts.some).toBeGreaterThan(operations / 3)
  expect(readdirSync(join(copy, 'base', 'pgsql_tmp'))).toEqual([])
})

const t = (...columns: string[]): Query => ({ from: 't', columns })
const u = (...columns: string[]): Query => ({ from: 'u', columns })
const small = (...columns: string[]): Query => ({ from: 'small', columns })

const explained: [string, Query][] = [
  ['select id from t union all select id from u', { union: [t('id'), u('id')], all: true }],
  ['select id, k from t union select id, t from u', { union: [t('id', 'k'), u('id', 't')] }],
  [
    'select k from t union select id from small union select t from u',
    { union: [t('k'), small('id'), u('t')] },
  ],
  [
    '(select k from t union all select id from small) union select t from u',
    { union: [{ union: [t('k'), small('id')], all: true }, u('t')] },
  ],
  [
    '(select k from t union select id from small) union all select t from u',
    { union: [{ union: [t('k'), small('id')] }, u('t')], all: true },
  ],
  ['select k from t intersect select id from small', { intersect: [t('k'), small('id')] }],
  [
    'select k from t intersect all select id from small',
    { intersect: [t('k'), small('id')], all: true },
  ],
  ['select k from t except select id from small', { except: [t('k'), small('id')] }],
  ['select id from small except select id from t', { except: [small('id'), t('id')] }],
  ['select k from t except all select id from small', { except: [t('k'), small('id')], all: true }],
  [
    'select big, k from t except select big, id from t',
    { except: [t('big', 'k'), t('big', 'id')] },
  ],
  [
    '(select k from t union select id from small) except select t from u',
    { except: [{ union: [t('k'), small('id')] }, u('t')] },
  ],
  [
    'select k, name from t except all select id, note from u order by k desc limit 5',
    {
      except: [t('k', 'name'), u('id', 'note')],
      all: true,
      orderBy: [{ column: 'k', direction: 'desc' }],
      limit: 5,
    },
  ],
  [
    'select id from t union all select id from u limit 3 offset 1',
    { union: [t('id'), u('id')], all: true, limit: 3, offset: 1 },
  ],
  [
    'select k from t where id < 500 union all select k from t group by k',
    {
      union: [
        { from: 't', columns: ['k'], where: { id: { '<': 500 } } },
        { from: 't', groupBy: ['k'] },
      ],
      all: true,
    },
  ],
]

async function stockPlan(sql: string): Promise<string> {
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${sql}`)
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

test.each(explained)('%s, as explain has it', async (sql, query) => {
  await client.query('set max_parallel_workers_per_gather = 0')
  expect(await session.query(query).explain()).toBe(await stockPlan(sql))
  const { rows } = await client.query(`explain (costs off, format json) ${sql}`)
  expect(await session.query(query).explain({ costs: false, format: 'json' })).toEqual(
    rows[0]['QUERY PLAN'],
  )
})

const typed: [string, Query][] = [
  ['select note from u union select v from u', { union: [u('note'), u('v')] }],
  ['select v from u union select note from u', { union: [u('v'), u('note')] }],
  ['select c from u union all select note from u', { union: [u('c'), u('note')], all: true }],
  ['select k from t union select big from t', { union: [t('k'), t('big')] }],
  ['select big from t union all select f from u', { union: [t('big'), u('f')], all: true }],
  ['select k from t intersect select amount from t', { intersect: [t('k'), t('amount')] }],
  [
    `select id, null as x from u union all select id, k from small`,
    {
      union: [{ from: 'u', columns: ['id', { as: 'x', value: null }] }, small('id', 'k')],
      all: true,
    },
  ],
  [
    `select '7' as x from u union select k from small`,
    { union: [{ from: 'u', columns: [{ as: 'x', value: '7' }] }, small('k')] },
  ],
  [
    `select 'a' as x from u union select 'b' from small`,
    {
      union: [
        { from: 'u', columns: [{ as: 'x', value: 'a' }] },
        { from: 'small', columns: [{ as: 'x', value: 'b' }] },
      ],
    },
  ],
  ['select note from u except select note from u', { except: [u('note'), u('note')] }],
]

test.each(typed)('%s: rows and types', async (sql, query) => {
  const generated = { query, sql, compare: 'set' as const }
  const stock = await stockOutcome(client, generated)
  expect(stock.outcome.rows).toBeDefined()
  expect(await ourOutcome(session, generated, stock.fields)).toEqual(stock.outcome)
})

const broken: [string, Query][] = [
  ['select id from t union select name from t', { union: [t('id'), t('name')] }],
  ['select id from t except select id, k from t', { except: [t('id'), t('id', 'k')] }],
  ['select id from t union all select name from t', { union: [t('id'), t('name')], all: true }],
  [
    'select id from u union all select d from u union select f from u',
    { union: [u('id'), u('d'), u('f')] },
  ],
  ['select j from u union all select id from u', { union: [u('j'), u('id')], all: true }],
  [`select j from u union all select b from u`, { union: [u('j'), u('b')], all: true }],
  ['select j from u union select j from u', { union: [u('j'), u('j')] }],
  ['select j from u intersect all select j from u', { intersect: [u('j'), u('j')], all: true }],
  [
    'select id from t union select id from u order by name',
    { union: [t('id'), u('id')], orderBy: ['name'] },
  ],
  [
    'select id from t union select id from u order by id + 1',
    { union: [t('id'), u('id')], orderBy: [{ column: { add: ['id', 1] } }] },
  ],
  ['select id from t union select id from u limit -1', { union: [t('id'), u('id')], limit: -1 }],
  [
    `select id from t union select 'x' from u`,
    { union: [t('id'), { from: 'u', columns: [{ as: 'x', value: 'x' }] }] },
  ],
]

test.each(broken)('%s: the error', async (sql, query) => {
  const failed = await client.query(sql).catch((error: pg.DatabaseError) => error)
  expect(failed).toBeInstanceOf(Error)
  const { code, message } = failed as pg.DatabaseError
  await expect(session.query(query).all()).rejects.toMatchObject({ code, message })
})

test('what makes no sense, and what we do not do', async () => {
  const errors: [string, unknown][] = [
    ['42601', { union: [t('id')] }],
    ['42601', { union: t('id') }],
    ['42601', { union: [t('id'), 't'] }],
    ['42601', { union: [t('id'), u('id')], where: { id: 1 } }],
    ['42601', { union: [t('id'), u('id')], except: [t('id'), u('id')] }],
    ['42P01', { union: [t('id'), { from: 'nowhere' }] }],
    ['42703', { union: [t('id'), u('nothing')] }],
    // Each SELECT knows its own tables alone.
    ['42703', { union: [t('id'), u('amount')] }],
    ['42P01', { union: [t('id'), u('t.amount')] }],
    ['0A000', { union: [u('note'), u('n')] }],
    ['0A000', { union: [u('v'), u('c')] }],
    ['0A000', { union: [t('amount'), u('f')] }],
  ]
  for (const [code, query] of errors) {
    await expect(session.query(query as unknown as Query).all(), code).rejects.toMatchObject({
      code,
    })
  }
})

test('within their memory, on disk for the rest', async () => {
  const query: Query = { except: [t('id', 'name'), u('id', 'note')] }
  for (const [memory, kilobytes] of [
    ['64kB', 64],
    ['512kB', 512],
    ['256MB', 262_144],
  ] as const) {
    session.set('work_mem', memory)
    const [{ Plan }] = await session.query(query).explain({ analyze: true, format: 'json' })
    const plan: ExplainNode = Plan
    expect(plan).toMatchObject({ 'Node Type': 'SetOp', 'Actual Rows': 20_000 })
    const limit = kilobytes * 2
    const isOnDisk = kilobytes < 1000
    // Over it goes the block in which there is no room.
    expect(plan['Peak Memory Usage']).toBeLessThanOrEqual(limit + Math.max(limit / 8, 16))
    expect(Number(plan['Disk Usage']) > 0).toBe(isOnDisk)
    expect(Number(plan['SetOp Batches']) > 1).toBe(isOnDisk)
    expect(Number(plan['Temp Written Blocks']) > 0).toBe(isOnDisk)
  }
  session.reset('work_mem')
  expect(readdirSync(join(copy, 'base', 'pgsql_tmp'))).toEqual([])
})
