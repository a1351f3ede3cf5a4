// Plans, as they are chosen.
// Goal: a query is planned as stock plans it, for the same costs. Method: stock makes and analyzes tables with indexes; it and we
// explain the same queries on the same data, with costs, kept from the kinds of plans that we do not make.
import { cpSync } from 'node:fs'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  Cluster,
  type DeleteRequest,
  type InsertRequest,
  type Query,
  type Session,
  type UpdateRequest,
} from '../../src-ts/index.ts'
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
    create table t (id int4 primary key, k int4, name text, amount numeric, big int8 not null, flag bool);
    insert into t select i, nullif(i % 97, 0), 'name ' || (i * 7919 % ${rowCount}), i * 1.5, i / 3, i % 10 = 0
      from generate_series(1, ${rowCount}) i;
    create index t_k on t (k);
    create index t_name on t (name);
    create index t_big on t (big desc, k);
    create table u (id int4 primary key, t int4, note text);
    insert into u select i, i * 37 % ${rowCount}, 'note ' || i % 5 from generate_series(1, 3000) i;
    create index u_t on u (t);
    create table small (id int4, k int4);
    insert into small select i, i from generate_series(1, 50) i;
    create table kept (id int4 primary key, k int4, name varchar(40), price numeric(8,3), code char(3));
    insert into kept select i, i from generate_series(1, 50) i;
    create table sparse (a int4, b int4);
    insert into sparse select i % 100, i * 7919 % 10007 from generate_series(1, 20000) i;
    create index sparse_a on sparse (a);
    create index sparse_b on sparse (b);
    create table unknown (id int4 primary key, k int4);
    insert into unknown select i, i from generate_series(1, 500) i`)
  await client.query('vacuum analyze t, u, small, sparse')
  await client.query('delete from sparse where a = 5')
  await client.query('vacuum sparse')
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('explain-costs')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  await client.query(`
    set enable_incremental_sort = off; set enable_memoize = off;
    set max_parallel_workers_per_gather = 0`)
  cluster = await Cluster.open(copy, { settings: { fsync: false } })
  session = await cluster.connect()
})

afterAll(async () => {
  await client?.end()
  await cluster?.close()
  await oracle?.stop()
})

async function stockText(sql: string): Promise<string> {
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${sql}`)
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

const scans: [string, Query][] = [
  ['select * from t', { from: 't' }],
  ['select * from unknown', { from: 'unknown' }],
  ['select * from t where id = 5', { from: 't', where: { id: 5 } }],
  ['select name from t where id = 5', { from: 't', columns: ['name'], where: { id: 5 } }],
  ['select * from unknown where id = 5', { from: 'unknown', where: { id: 5 } }],
  ['select * from t where id < 100', { from: 't', where: { id: { '<': 100 } } }],
  ['select * from t where id <= 15000', { from: 't', where: { id: { '<=': 15000 } } }],
  [
    'select id from t where id between 100 and 200 and k > 5',
    { from: 't', columns: ['id'], where: { id: { between: [100, 200] }, k: { '>': 5 } } },
  ],
  ['select * from t where k = 5', { from: 't', where: { k: 5 } }],
  ['select * from t where k < 10', { from: 't', where: { k: { '<': 10 } } }],
  [
    'select * from t where k = 5 and amount > 100',
    { from: 't', where: { k: 5, amount: { '>': 100 } } },
  ],
  [
    'select * from t where id in (1, 2, 30, 4000)',
    { from: 't', where: { id: { in: [1, 2, 30, 4000] } } },
  ],
  ['select * from t where k is null', { from: 't', where: { k: null } }],
  [`select * from t where name = 'name 77'`, { from: 't', where: { name: 'name 77' } }],
  [`select * from t where name > 'name 9'`, { from: 't', where: { name: { '>': 'name 9' } } }],
  [
    `select * from t where name like 'name 77%'`,
    { from: 't', where: { name: { like: 'name 77%' } } },
  ],
  [
    `select * from t where name like 'name 1%'`,
    { from: 't', where: { name: { like: 'name 1%' } } },
  ],
  [
    `select * from t where name like 'name 77'`,
    { from: 't', where: { name: { like: 'name 77' } } },
  ],
  [
    `select * from t where name like 'na\\%e\\_%7'`,
    { from: 't', where: { name: { like: 'na\\%e\\_%7' } } },
  ],
  [`select * from t where name like '%77'`, { from: 't', where: { name: { like: '%77' } } }],
  [
    `select * from t where name like 'name 7%' and name > 'name 75'`,
    { from: 't', where: { name: { like: 'name 7%', '>': 'name 75' } } },
  ],
  ['select * from t where big = 50 and k = 5', { from: 't', where: { big: 50, k: 5 } }],
  ['select * from t where big > 6600', { from: 't', where: { big: { '>': 6600 } } }],
  ['select * from t where amount > 29990', { from: 't', where: { amount: { '>': 29990 } } }],
  [
    'select * from t where k = 5 or amount = 7',
    { from: 't', where: { or: [{ k: 5 }, { amount: 7 }] } },
  ],
  ['select * from t where not (k = 5)', { from: 't', where: { not: { k: 5 } } }],
  [
    'select * from t where k in (1, 2, 3) and amount < 50',
    { from: 't', where: { amount: { '<': 50 }, k: { in: [1, 2, 3] } } },
  ],
]

const byBitmaps: [string, Query][] = [
  ['select * from t where k = 5 or id = 7', { from: 't', where: { or: [{ k: 5 }, { id: 7 }] } }],
  [
    `select * from t where id = 7 or name = 'name 77' or big = 50`,
    { from: 't', where: { or: [{ id: 7 }, { name: 'name 77' }, { big: 50 }] } },
  ],
  ['select * from t where k = 5 or k = 7', { from: 't', where: { or: [{ k: 5 }, { k: 7 }] } }],
  ['select * from t where id = 5 or id = 7', { from: 't', where: { or: [{ id: 5 }, { id: 7 }] } }],
  [
    'select * from t where big = 5 or big = 6 or big = 70',
    { from: 't', where: { or: [{ big: 5 }, { big: 6 }, { big: 70 }] } },
  ],
  [
    'select * from t where (k = 5 or k = 7) and amount > 100',
    { from: 't', where: { and: [{ or: [{ k: 5 }, { k: 7 }] }, { amount: { '>': 100 } }] } },
  ],
  [
    'select * from t where k = 5 or id = 3 or k = 7',
    { from: 't', where: { or: [{ k: 5 }, { id: 3 }, { k: 7 }] } },
  ],
  [
    'select * from t where k = 5 or (id = 3 or k = 7)',
    { from: 't', where: { or: [{ k: 5 }, { or: [{ id: 3 }, { k: 7 }] }] } },
  ],
  [
    'select * from t where (k = 5 and amount > 100) or id = 7',
    { from: 't', where: { or: [{ k: 5, amount: { '>': 100 } }, { id: 7 }] } },
  ],
  [
    `select * from t where k = 5 and (big = 50 or name = 'name 77')`,
    { from: 't', where: { k: 5, or: [{ big: 50 }, { name: 'name 77' }] } },
  ],
  [
    `select * from t where name like 'name 77%' or id = 5`,
    { from: 't', where: { or: [{ name: { like: 'name 77%' } }, { id: 5 }] } },
  ],
  [
    `select * from t where (k = 5 and big = 50) or (id = 7 and (name = 'name 1' or big = 70))`,
    {
      from: 't',
      where: {
        or: [
          { k: 5, big: 50 },
          { id: 7, or: [{ name: 'name 1' }, { big: 70 }] },
        ],
      },
    },
  ],
  [
    'select * from t where k is null or id < 10',
    { from: 't', where: { or: [{ k: null }, { id: { '<': 10 } }] } },
  ],
  [
    'select * from t where k in (1, 2) or id between 5 and 10',
    { from: 't', where: { or: [{ k: { in: [1, 2] } }, { id: { between: [5, 10] } }] } },
  ],
  [
    'select * from t where k = 5 or amount = 7 or id = 4',
    { from: 't', where: { or: [{ k: 5 }, { amount: 7 }, { id: 4 }] } },
  ],
  [
    `select * from t where k = 5 and name >= 'name 7' and name < 'name 72'`,
    { from: 't', where: { k: 5, name: { '>=': 'name 7', '<': 'name 72' } } },
  ],
  [
    `select * from t where k = 5 and name like 'name 71%' and amount > 100`,
    { from: 't', where: { k: 5, name: { like: 'name 71%' }, amount: { '>': 100 } } },
  ],
  [
    `select * from t where (k = 5 or k = 6) and name >= 'name 7' and name < 'name 72'`,
    {
      from: 't',
      where: { or: [{ k: 5 }, { k: 6 }], name: { '>=': 'name 7', '<': 'name 72' } },
    },
  ],
  [
    `select * from t where (k = 5 or big = 50) and name >= 'name 7' and name < 'name 72'`,
    {
      from: 't',
      where: { or: [{ k: 5 }, { big: 50 }], name: { '>=': 'name 7', '<': 'name 72' } },
    },
  ],
  [
    `select count(*) from t where k = 5 or name = 'name 77'`,
    {
      from: 't',
      where: { or: [{ k: 5 }, { name: 'name 77' }] },
      aggregates: { count: { count: '*' } },
    },
  ],
  [
    'select u.id, t.name from u join t on t.id = u.t where t.k = 5 or t.big = 50',
    {
      from: 'u',
      columns: ['u.id', 't.name'],
      join: [{ table: 't', on: { 't.id': 'u.t' } }],
      where: { or: [{ 't.k': 5 }, { 't.big': 50 }] },
    },
  ],
]

const byIndexAlone: [string, Query][] = [
  ['select id from t where id < 100', { from: 't', columns: ['id'], where: { id: { '<': 100 } } }],
  ['select k from t where k = 5', { from: 't', columns: ['k'], where: { k: 5 } }],
  [
    'select k, big from t where big > 6000 and k <> 3',
    { from: 't', columns: ['k', 'big'], where: { big: { '>': 6000 }, k: { '<>': 3 } } },
  ],
  [
    `select name from t where name like 'name 7%'`,
    { from: 't', columns: ['name'], where: { name: { like: 'name 7%' } } },
  ],
  ['select count(*) from t', { from: 't', aggregates: { count: { count: '*' } } }],
  ['select count(*) from unknown', { from: 'unknown', aggregates: { count: { count: '*' } } }],
  [
    'select sum(id) as s from t where id in (1, 5, 70)',
    { from: 't', where: { id: { in: [1, 5, 70] } }, aggregates: { s: { sum: 'id' } } },
  ],
  [
    'select id from t order by id desc limit 3',
    { from: 't', columns: ['id'], orderBy: [{ column: 'id', direction: 'desc' }], limit: 3 },
  ],
  [
    'select u.id from u join t on t.id = u.t where u.id < 20',
    {
      from: 'u',
      columns: ['u.id'],
      join: [{ table: 't', on: { 't.id': 'u.t' } }],
      where: { 'u.id': { '<': 20 } },
    },
  ],
]

const extremes: [string, Query][] = [
  ['select min(id) as low from t', { from: 't', aggregates: { low: { min: 'id' } } }],
  ['select max(k) as high from t', { from: 't', aggregates: { high: { max: 'k' } } }],
  [
    'select min(k) as low, max(k) as high, max(id) as last from t',
    { from: 't', aggregates: { low: { min: 'k' }, high: { max: 'k' }, last: { max: 'id' } } },
  ],
  [
    "select max(name) as last from t where name < 'name 5'",
    { from: 't', where: { name: { '<': 'name 5' } }, aggregates: { last: { max: 'name' } } },
  ],
  [
    'select min(id) as low from t where k = 5',
    { from: 't', where: { k: 5 }, aggregates: { low: { min: 'id' } } },
  ],
  [
    'select min(big) as low, max(big) as high from t where amount > 100',
    {
      from: 't',
      where: { amount: { '>': 100 } },
      aggregates: { low: { min: 'big' }, high: { max: 'big' } },
    },
  ],
  [
    'select min(k) as low from t where k = 5',
    { from: 't', where: { k: 5 }, aggregates: { low: { min: 'k' } } },
  ],
  ['select min(amount) as low from t', { from: 't', aggregates: { low: { min: 'amount' } } }],
  [
    'select min(id) as low, count(*) as n from t',
    { from: 't', aggregates: { low: { min: 'id' }, n: { count: '*' } } },
  ],
  [
    'select max(id) as high, max(id) + 1 as next from t',
    {
      from: 't',
      columns: ['high', { as: 'next', add: ['high', 1] }],
      aggregates: { high: { max: 'id' } },
    },
  ],
  [
    'select max(id) as high from t having max(id) > 5',
    { from: 't', aggregates: { high: { max: 'id' } }, having: { high: { '>': 5 } } },
  ],
  ['select min(a) as low from sparse', { from: 'sparse', aggregates: { low: { min: 'a' } } }],
  [
    'select min(t.id) as low from t join u on t.id = u.t',
    {
      from: 't',
      join: [{ table: 'u', on: { 't.id': 'u.t' } }],
      aggregates: { low: { min: 't.id' } },
    },
  ],
]

const ordered: [string, Query][] = [
  ['select * from t order by id limit 10', { from: 't', orderBy: ['id'], limit: 10 }],
  [
    'select * from t order by id desc limit 10 offset 5',
    { from: 't', orderBy: [{ column: 'id', direction: 'desc' }], limit: 10, offset: 5 },
  ],
  ['select * from t order by id', { from: 't', orderBy: ['id'] }],
  ['select * from t order by amount', { from: 't', orderBy: ['amount'] }],
  ['select * from t order by amount limit 20', { from: 't', orderBy: ['amount'], limit: 20 }],
  [
    'select * from t where k = 5 order by k, id',
    { from: 't', where: { k: 5 }, orderBy: ['k', 'id'] },
  ],
  [
    'select * from t where k > 90 order by id limit 1',
    { from: 't', where: { k: { '>': 90 } }, orderBy: ['id'], limit: 1 },
  ],
]

const others: [string, Query][] = [
  [
    'select count(*) from t where id < 50',
    { from: 't', where: { id: { '<': 50 } }, aggregates: { count: { count: '*' } } },
  ],
  [
    'select id + 1 as next from t where id = 3',
    { from: 't', columns: [{ as: 'next', add: ['id', 1] }], where: { id: 3 } },
  ],
  [
    'select k, count(name) from t group by k',
    { from: 't', groupBy: ['k'], aggregates: { count: { count: 'name' } } },
  ],
]

const onT = { 't.id': 'u.t' }
const joins: [string, Query][] = [
  [
    'select u.id, t.name from u join t on t.id = u.t where u.id < 20',
    {
      from: 'u',
      columns: ['u.id', 't.name'],
      join: [{ table: 't', on: onT }],
      where: { 'u.id': { '<': 20 } },
    },
  ],
  [
    'select u.id, t.name from u left join t on t.id = u.t where u.id < 20',
    {
      from: 'u',
      columns: ['u.id', 't.name'],
      join: [{ table: 't', type: 'left', on: onT }],
      where: { 'u.id': { '<': 20 } },
    },
  ],
  [
    'select u.id, t.name from t join u on t.id = u.t where t.k = 5',
    { from: 't', columns: ['u.id', 't.name'], join: [{ table: 'u', on: onT }], where: { k: 5 } },
  ],
  [
    'select u.id, t.name from t join u on t.id = u.t',
    { from: 't', columns: ['u.id', 't.name'], join: [{ table: 'u', on: onT }] },
  ],
  [
    'select t.id from t where t.id < 3000 and exists (select from u where t.id = u.t)',
    {
      from: 't',
      columns: ['t.id'],
      join: [{ table: 'u', type: 'semi', on: onT }],
      where: { 't.id': { '<': 3000 } },
    },
  ],
]

const below = { '<': ['t.id', 'u.id'] }
const pairs: [string, Query][] = [
  [
    'select s.id, u.id as other from small s cross join u',
    {
      from: { table: 'small', as: 's' },
      columns: ['s.id', { as: 'other', column: 'u.id' }],
      join: [{ table: 'u', type: 'cross' }],
    },
  ],
  [
    'select s.k from small s join u on s.id < u.id',
    {
      from: { table: 'small', as: 's' },
      columns: ['s.k'],
      join: [{ table: 'u', on: { '<': ['s.id', 'u.id'] } }],
    },
  ],
  [
    `select s.k, u.note from small s left join u on s.k <> u.t and u.note = 'note 3' and s.id < 10`,
    {
      from: { table: 'small', as: 's' },
      columns: ['s.k', 'u.note'],
      join: [
        {
          table: 'u',
          type: 'left',
          on: {
            's.k': { '<>': { column: 'u.t' } },
            'u.note': { '=': 'note 3' },
            's.id': { '<': 10 },
          },
        },
      ],
    },
  ],
  [
    'select s.k, u.note from small s right join u on s.k > u.t',
    {
      from: { table: 'small', as: 's' },
      columns: ['s.k', 'u.note'],
      join: [{ table: 'u', type: 'right', on: { '>': ['s.k', 'u.t'] } }],
    },
  ],
  [
    'select s.k from small s join u on s.k = u.t or s.id = u.id where u.id < 100',
    {
      from: { table: 'small', as: 's' },
      columns: ['s.k'],
      join: [{ table: 'u', on: { or: [{ 's.k': 'u.t' }, { 's.id': 'u.id' }] } }],
      where: { 'u.id': { '<': 100 } },
    },
  ],
  [
    'select u.id, t.name from u join t on t.id = u.t and t.id < u.id',
    { from: 'u', columns: ['u.id', 't.name'], join: [{ table: 't', on: { ...onT, ...below } }] },
  ],
  [
    'select u.id, t.name from u left join t on t.id = u.t and t.id < u.id where u.id < 20',
    {
      from: 'u',
      columns: ['u.id', 't.name'],
      join: [{ table: 't', type: 'left', on: { ...onT, ...below } }],
      where: { 'u.id': { '<': 20 } },
    },
  ],
  [
    'select u.id, t.name from u join t on t.id > u.t where u.id = 7',
    {
      from: 'u',
      columns: ['u.id', 't.name'],
      join: [{ table: 't', on: { '>': ['t.id', 'u.t'] } }],
      where: { 'u.id': 7 },
    },
  ],
  [
    'select u.id, s.k from u cross join small s where u.id = s.k and u.t + s.id > 5',
    {
      from: 'u',
      columns: ['u.id', 's.k'],
      join: [{ table: 'small', as: 's', type: 'cross' }],
      where: {
        'u.id': { '=': { column: 's.k' } },
        '>': [{ add: ['u.t', 's.id'] }, 5],
      },
    },
  ],
  [
    'select s.k from small s where exists (select from u where u.t < s.k)',
    {
      from: { table: 'small', as: 's' },
      columns: ['s.k'],
      join: [{ table: 'u', type: 'semi', on: { '<': ['u.t', 's.k'] } }],
    },
  ],
  [
    "select s.k from small s where not exists (select from u where u.note = 'x' and u.t < s.k)",
    {
      from: { table: 'small', as: 's' },
      columns: ['s.k'],
      join: [{ table: 'u', type: 'anti', on: { 'u.note': { '=': 'x' }, '<': ['u.t', 's.k'] } }],
    },
  ],
  [
    'select a.id from t a full join u b on a.id = b.t and a.k > b.id',
    {
      from: { table: 't', as: 'a' },
      columns: ['a.id'],
      join: [
        {
          table: 'u',
          as: 'b',
          type: 'full',
          on: { 'a.id': 'b.t', 'a.k': { '>': { column: 'b.id' } } },
        },
      ],
    },
  ],
]

test.each<[string, UpdateRequest | undefined, DeleteRequest | undefined]>([
  ['update t set k = 1', { set: { k: 1 } }, undefined],
  [
    'update t set k = k + 1, amount = amount * 2 where id = 5',
    {
      set: { k: { add: ['k', 1] }, amount: { multiply: ['amount', 2] } },
      where: { id: 5 },
    },
    undefined,
  ],
  [
    `update t set name = 'x' where k = 5 and amount > 100`,
    { set: { name: 'x' }, where: { k: 5, amount: { '>': 100 } } },
    undefined,
  ],
  ['delete from t', undefined, {}],
  ['delete from t where k = 5', undefined, { where: { k: 5 } }],
  ['delete from t where k = 5 or id = 7', undefined, { where: { or: [{ k: 5 }, { id: 7 }] } }],
  ['delete from t where id < 100', undefined, { where: { id: { '<': 100 } } }],
  [
    'delete from t where id = 7 returning id, k + 1 as next',
    undefined,
    { where: { id: 7 }, returning: ['id', { as: 'next', add: ['k', 1] }] },
  ],
])('%s', async (sql, update, deletion) => {
  const table = session.table('t')
  const text = update ? table.explainUpdate(update) : table.explainDelete(deletion)
  expect(await text).toBe(await stockText(sql))
})

// What depends on the machine, and what another way to count gives.
function withoutTimes(node: Record<string, unknown>): unknown {
  const entries = Object.entries(node).filter(
    ([name]) =>
      !/Time$|Blocks$|^WAL/.test(name) &&
      !['Heap Fetches', 'Storage', 'Maximum Storage'].includes(name),
  )
  const plans = node['Plans'] as Record<string, unknown>[] | undefined
  return { ...Object.fromEntries(entries), ...(plans && { Plans: plans.map(withoutTimes) }) }
}

test('a statement that is analyzed is done, and tells what it logged', async () => {
  const sql = 'update small set k = k + 1 where id <= 20'
  await client.query('begin')
  const { rows } = await client.query(`explain (analyze, wal, format json) ${sql}`)
  await client.query('rollback')
  const stock = rows[0]['QUERY PLAN'][0].Plan
  const [{ Plan, ...times }] = await session
    .table('small')
    .explainUpdate(
      { set: { k: { add: ['k', 1] } }, where: { id: { '<=': 20 } } },
      { analyze: true, wal: true, format: 'json' },
    )
  expect(withoutTimes(Plan)).toEqual(withoutTimes(stock))
  expect(Object.keys(times)).toEqual(['Planning Time', 'Execution Time'])
  expect(Plan['WAL Records']).toBeGreaterThanOrEqual(20)
  expect(Plan['Shared Dirtied Blocks']).toBeGreaterThan(0)
  expect(await session.query({ from: 'small', where: { id: 20 } }).all()).toEqual([
    { id: 20, k: 21 },
  ])
  const returned = await session
    .table('small')
    .explainDelete(
      { where: { id: { '>': 48 } }, returning: '*' },
      { analyze: true, costs: false, buffers: false },
    )
  expect(returned.split('\n')[0]).toMatch(/^Delete on small \(actual time=.* rows=2\.00 loops=1\)$/)
  await expect(session.table('small').explainDelete({}, { wal: true })).rejects.toMatchObject({
    code: '22023',
  })
})

interface Kept {
  id: number
  k?: number | null
  name?: string | null
}
const insertions: [string, Kept[], InsertRequest<Kept>][] = [
  ['insert into kept values (1000, 5)', [{ id: 1000, k: 5 }], {}],
  [
    `insert into kept values (1001, 5, 'x'), (1002, 6, 'y')`,
    [
      { id: 1001, k: 5, name: 'x' },
      { id: 1002, k: 6, name: 'y' },
    ],
    {},
  ],
  [
    'insert into kept (id) values (1003), (1004), (1005) returning id, k',
    [{ id: 1003 }, { id: 1004 }, { id: 1005 }],
    { returning: ['id', 'k'] },
  ],
  [
    'insert into kept values (1, 5), (1006, 5) on conflict do nothing',
    [
      { id: 1, k: 5 },
      { id: 1006, k: 5 },
    ],
    { onConflict: 'do nothing' },
  ],
  [
    'insert into kept values (1, 5) on conflict (id) do nothing returning id',
    [{ id: 1, k: 5 }],
    { onConflict: { columns: ['id'] }, returning: ['id'] },
  ],
  [
    `insert into kept values (1, 5), (2, 5), (1007, 5) on conflict on constraint kept_pkey do update set k = excluded.k
      where kept.id < 2 and kept.k <> excluded.k`,
    [
      { id: 1, k: 5 },
      { id: 2, k: 5 },
      { id: 1007, k: 5 },
    ],
    {
      onConflict: {
        constraint: 'kept_pkey',
        update: { k: { excluded: 'k' } },
        where: { id: { '<': 2 }, k: { '<>': { column: 'excluded.k' } } },
      },
    },
  ],
]

test.each(insertions)('%s', async (sql, rows, request) => {
  const kept = session.table<Kept>('kept')
  expect(await kept.explainInsert(rows, request)).toBe(await stockText(sql))
  await client.query('begin')
  const { rows: explained } = await client.query(`explain (analyze, wal, format json) ${sql}`)
  const { rows: text } = await client.query('select id, k from kept order by id')
  await client.query('rollback')
  const [{ Plan }] = await kept.explainInsert(rows, {
    ...request,
    analyze: true,
    wal: true,
    format: 'json',
  })
  const stock = explained[0]['QUERY PLAN'][0].Plan
  expect(withoutTimes(Plan)).toEqual(withoutTimes(stock))
  expect((Plan['WAL Records'] as number) > 0).toBe(stock['WAL Records'] > 0)
  const seen = Number(Plan['Shared Hit Blocks']) + Number(Plan['Shared Read Blocks'])
  expect(seen).toBeGreaterThan(0)
  const all = await session.query({ from: 'kept', columns: ['id', 'k'], orderBy: ['id'] }).all()
  const isGiven = ({ id }: { id?: unknown }) => rows.some((row) => row.id === id)
  expect(all.filter(isGiven)).toEqual(text.filter(isGiven))
})

test('many rows are one insertion', async () => {
  const kept = session.table<Kept>('kept')
  const rows = [...Array(30_000).keys()].map((i) => ({ id: 1990 + i, k: i }))
  await kept.insert({ id: 2000 })
  const [{ Plan }] = await kept.explainInsert(rows, {
    onConflict: { columns: ['id'] },
    analyze: true,
    format: 'json',
  })
  expect(Plan).toMatchObject({
    'Conflict Arbiter Indexes': ['kept_pkey'],
    'Tuples Inserted': 29_999,
    'Conflicting Tuples': 1,
  })
  const text = await kept.explainInsert([{ id: 2000 }, { id: 90_000 }], {
    onConflict: { columns: ['id'], update: { k: 7 }, where: { k: 3 } },
    analyze: true,
    costs: false,
    buffers: false,
  })
  expect(text.replace(/actual time=\S+/g, '').replace(/Time: .*/g, 'Time')).toBe(
    `Insert on kept ( rows=0.00 loops=1)
  Conflict Resolution: UPDATE
  Conflict Arbiter Indexes: kept_pkey
  Conflict Filter: (kept.k = 3)
  Rows Removed by Conflict Filter: 1
  Tuples Inserted: 1
  Conflicting Tuples: 1
  ->  Values Scan on "*VALUES*" ( rows=2.00 loops=1)
Planning Time
Execution Time`,
  )
  await expect(kept.explainInsert([])).rejects.toMatchObject({ code: '22023' })
  await expect(kept.explainInsert([{ id: 1 }], { analyze: true })).rejects.toMatchObject({
    code: '23505',
  })
})

const groups: [string, Query][] = [
  [
    'select k, count(*) as n from t group by k',
    { from: 't', groupBy: ['k'], aggregates: { n: { count: '*' } } },
  ],
  [
    'select name, max(amount) as m from t group by name',
    { from: 't', groupBy: ['name'], aggregates: { m: { max: 'amount' } } },
  ],
  [
    'select k, name, sum(id) as s from t group by k, name order by name, k limit 5',
    {
      from: 't',
      groupBy: ['k', 'name'],
      aggregates: { s: { sum: 'id' } },
      orderBy: ['name', 'k'],
      limit: 5,
    },
  ],
  [
    'select big, count(name) as n from t group by big order by big desc limit 10',
    {
      from: 't',
      groupBy: ['big'],
      aggregates: { n: { count: 'name' } },
      orderBy: [{ column: 'big', direction: 'desc' }],
      limit: 10,
    },
  ],
  [
    'select k + 1 as next, sum(id * 2) as s from t group by k + 1 having sum(id * 2) > 5',
    {
      from: 't',
      groupBy: [{ as: 'next', add: ['k', 1] }],
      aggregates: { s: { sum: { multiply: ['id', 2] } } },
      having: { s: { '>': 5 } },
    },
  ],
  ['select k from t group by k', { from: 't', groupBy: ['k'] }],
  ['select distinct k from t', { from: 't', columns: ['k'], distinct: true }],
  [
    'select distinct big from t order by big desc limit 3',
    {
      from: 't',
      columns: ['big'],
      distinct: true,
      orderBy: [{ column: 'big', direction: 'desc' }],
      limit: 3,
    },
  ],
  [
    'select distinct name, k from t where id < 5000',
    { from: 't', columns: ['name', 'k'], where: { id: { '<': 5000 } }, distinct: true },
  ],
]

test.each(groups)('%s, by hashes or in order', async (sql, query) => {
  expect(await session.query(query).explain()).toBe(await stockText(sql))
})

test.each(groups)('%s, in order', async (sql, query) => {
  const ordered = await cluster.connect()
  ordered.set('enable_hashagg', false)
  await client.query('set enable_hashagg = off')
  const stock = await stockText(sql)
  await client.query('reset enable_hashagg')
  expect(stock).not.toContain('HashAggregate')
  expect(await ordered.query(query).explain()).toBe(stock)
  await ordered.close()
})

test.each([
  ...scans,
  ...byBitmaps,
  ...byIndexAlone,
  ...extremes,
  ...ordered,
  ...others,
  ...joins,
  ...pairs,
])('%s', async (sql, query) => {
  expect(await session.query(query).explain()).toBe(await stockText(sql))
})

test('a bitmap that has no room for rows keeps their pages, and tests them again', async () => {
  const limited = await cluster.connect()
  limited.set('work_mem', '64kB')
  limited.set('enable_seqscan', false)
  limited.set('enable_indexscan', false)
  const query = limited.query<{ id: number }>({
    from: 't',
    columns: ['id'],
    where: { k: { '<': 60 }, amount: { '<': 25_000 } },
  })
  const [{ Plan }] = await query.explain({ analyze: true, format: 'json' })
  expect(Plan).toMatchObject({ 'Node Type': 'Bitmap Heap Scan' })
  expect(Plan['Lossy Heap Blocks']).toBeGreaterThan(0)
  expect(Plan['Rows Removed by Index Recheck']).toBeGreaterThan(0)
  const sql = 'select id from t where k < 60 and amount < 25000'
  const { rows } = await client.query<{ id: number }>(sql)
  const ids = (all: readonly { id: number }[]) => all.map(({ id }) => id).sort((a, b) => a - b)
  expect(ids(await query.all())).toEqual(ids(rows))
  await limited.close()
})

test('bitmaps of several indexes, where nothing else is wanted', async () => {
  const avoiding = await cluster.connect()
  for (const name of ['enable_seqscan', 'enable_indexscan']) {
    avoiding.set(name, false)
    await client.query(`set ${name} = off`)
  }
  let all = ''
  for (const [sql, query] of [...scans, ...byBitmaps]) {
    // For each row of another table we search an index, but make no bitmap.
    if ('join' in query) continue
    const stock = await stockText(sql)
    // Without a condition on an index's columns stock reads the whole index.
    if (stock.includes('Bitmap Index Scan') && !stock.includes('Index Cond')) continue
    expect(await avoiding.query(query).explain(), sql).toBe(stock)
    all += stock
  }
  await client.query('reset enable_seqscan; reset enable_indexscan')
  await avoiding.close()
  expect(all).toContain('BitmapOr')
  expect(all).toContain('BitmapAnd')
})

test.each([
  [
    `select * from t where k = 5 and name >= 'name 7' and name < 'name 72'`,
    { k: 5, name: { '>=': 'name 7', '<': 'name 72' } },
    'BitmapAnd',
  ],
  [
    `select * from t where k = 5 or name = 'name 77'`,
    { or: [{ k: 5 }, { name: 'name 77' }] },
    'BitmapOr',
  ],
  // The second index is not looked into.
  ['select * from sparse where a = 5 and b < 500', { a: 5, b: { '<': 500 } }, 'BitmapAnd'],
])('%s tells what its bitmaps were', async (sql, where, kind) => {
  const avoiding = await cluster.connect()
  for (const name of ['enable_seqscan', 'enable_indexscan']) {
    avoiding.set(name, false)
    await client.query(`set ${name} = off`)
  }
  const from = sql.includes('sparse') ? 'sparse' : 't'
  const query = avoiding.query<{ id: number }>({ from, where })
  const { rows } = await client.query(`explain (analyze, format json) ${sql}`)
  const [{ Plan }] = await query.explain({ analyze: true, format: 'json' })
  const text = await query.explain({ analyze: true, costs: false })
  const { rows: lines } = await client.query(`explain (analyze, costs off, buffers off) ${sql}`)
  const found = await client.query<{ id: number }>(sql)
  await client.query('reset enable_seqscan; reset enable_indexscan')
  const stock = rows[0]['QUERY PLAN'][0].Plan
  expect(withoutTimes(Plan)).toEqual(withoutTimes(stock))
  expect(Plan['Exact Heap Blocks']).toBe(stock['Exact Heap Blocks'])
  expect(Plan.Plans?.[0]?.['Node Type']).toBe(kind)
  const shape = (all: readonly string[]) =>
    all
      .filter((line) => !/Buffers:|Time:|Planning:/.test(line))
      .map((line) => line.replace(/actual time=\S+/, ''))
  expect(shape(text.split('\n'))).toEqual(shape(lines.map((line) => line['QUERY PLAN'])))
  const ids = (all: readonly { id: number }[]) => all.map(({ id }) => id).sort((a, b) => a - b)
  expect(ids(await query.all())).toEqual(ids(found.rows))
  await avoiding.close()
})

test('bitmaps that have no room for rows are put together, and their rows tested again', async () => {
  const limited = await cluster.connect()
  limited.set('work_mem', '64kB')
  for (const name of ['enable_seqscan', 'enable_indexscan']) limited.set(name, false)
  // Each row that is read is dear: two indexes are better than one.
  limited.set('cpu_tuple_cost', 10)
  const wide = { k: { '<': 60 } }
  for (const [sql, where, kind] of [
    [`k < 60 and name < 'name 3'`, { ...wide, name: { '<': 'name 3' } }, 'BitmapAnd'],
    [`k < 60 or name < 'name 3'`, { or: [wide, { name: { '<': 'name 3' } }] }, 'BitmapOr'],
    [
      `(k < 60 or big = 7) and name < 'name 3'`,
      { or: [wide, { big: 7 }], name: { '<': 'name 3' } },
      'BitmapAnd',
    ],
  ] as const) {
    const query = limited.query<{ id: number }>({ from: 't', columns: ['id'], where })
    const [{ Plan }] = await query.explain({ analyze: true, format: 'json' })
    expect(Plan.Plans?.[0]?.['Node Type'], sql).toBe(kind)
    const { rows } = await client.query<{ id: number }>(`select id from t where ${sql}`)
    const ids = (all: readonly { id: number }[]) => all.map(({ id }) => id).sort((a, b) => a - b)
    expect(ids(await query.all()), sql).toEqual(ids(rows))
    expect(Plan['Rows Removed by Index Recheck'], sql).toBeGreaterThan(0)
  }
  await limited.close()
})

test.each(extremes)('%s gives the same row', async (sql, query) => {
  const { rows } = await client.query(sql)
  const texts = (all: readonly object[]) =>
    all.map((row) => Object.values(row).map((value) => (value === null ? null : String(value))))
  expect(texts(await session.query(query).all())).toEqual(texts(rows))
})

test('min and max by an index tell what they read', async () => {
  const sql = 'select min(k) as low, max(id) as last from t having max(id) > 5'
  const query = session.query({
    from: 't',
    aggregates: { low: { min: 'k' }, last: { max: 'id' } },
    having: { last: { '>': 5 } },
  })
  const { rows } = await client.query(`explain (analyze, format json) ${sql}`)
  const [{ Plan }] = await query.explain({ analyze: true, format: 'json' })
  const stock = rows[0]['QUERY PLAN'][0].Plan
  // A scan gives some rows at a time.
  for (const root of [Plan, stock])
    for (const { Plans } of root.Plans) {
      delete Plans[0]['Actual Rows']
      delete Plans[0]['Rows Removed by Index Recheck']
    }
  expect(withoutTimes(Plan)).toEqual(withoutTimes(stock))
  const nothing = session.query({
    from: 'sparse',
    where: { a: 5 },
    aggregates: { low: { min: 'b' }, high: { max: 'b' } },
  })
  expect(await nothing.all()).toEqual([{ low: null, high: null }])
})

const switched: [string, readonly string[]][] = [
  ['without hashes', ['enable_hashjoin']],
  ['without kept rows', ['enable_hashjoin', 'enable_material']],
  ['without nested loops', ['enable_nestloop']],
  ['without indexes', ['enable_hashjoin', 'enable_indexscan', 'enable_bitmapscan']],
]

test.each(switched)('joins %s', async (_, names) => {
  const avoiding = await cluster.connect()
  try {
    for (const name of names) {
      avoiding.set(name, false)
      await client.query(`set ${name} = off`)
    }
    for (const [sql, query] of [...joins, ...pairs]) {
      expect(await avoiding.query(query).explain(), sql).toBe(await stockText(sql))
    }
  } finally {
    for (const name of names) await client.query(`reset ${name}`)
    await avoiding.close()
  }
})

test('a nested loop tells how often it read what, and what its conditions removed', async () => {
  const sql = 'select a.k from t a join u on a.k < u.t and a.k <> 7 where a.id < 40'
  const avoiding = await cluster.connect()
  for (const name of ['enable_indexscan', 'enable_bitmapscan']) {
    avoiding.set(name, false)
    await client.query(`set ${name} = off`)
  }
  const { rows } = await client.query(`explain (analyze, format json) ${sql}`)
  const [{ Plan }] = await avoiding
    .query({
      from: { table: 't', as: 'a' },
      columns: ['a.k'],
      join: [{ table: 'u', on: { '<': ['a.k', 'u.t'], 'a.k': { '<>': 7 } } }],
      where: { 'a.id': { '<': 40 } },
    })
    .explain({ analyze: true, format: 'json' })
  const { 'Inner Unique': unique, ...stock } = withoutTimes(rows[0]['QUERY PLAN'][0].Plan) as {
    'Inner Unique': boolean
  }
  expect(unique).toBe(false)
  expect(withoutTimes(Plan)).toEqual(stock)
  await client.query('reset enable_indexscan; reset enable_bitmapscan')
  await avoiding.close()
  expect(Plan['Rows Removed by Join Filter']).toBeGreaterThan(0)
})

test('a full join needs an equality', async () => {
  const sql = 'select * from small a full join unknown b on a.id < b.id'
  const refused = {
    code: '0A000',
    message: 'FULL JOIN is only supported with merge-joinable or hash-joinable join conditions',
  }
  await expect(client.query(sql)).rejects.toMatchObject(refused)
  const on = { '<': ['a.id', 'b.id'] }
  const join = [{ table: 'unknown', as: 'b', type: 'full' as const, on }]
  const query = session.query({ from: { table: 'small', as: 'a' }, columns: ['a.id'], join })
  await expect(query.all()).rejects.toMatchObject(refused)
})
