// Window functions against PostgreSQL.
// Goal: they give stock's rows and types, whatever memory they may take, and explain tells them as stock does where one window is
// computed at once. Method: random windows on random tables, run by stock as SQL and by us as objects with little, ordinary
// and much work_mem, on copies of the same directory.
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster, type Query, type Session, type WindowFrame } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { openOptions, ourOutcome, stockOutcome } from '../support/query-outcome.ts'
import { queryTables, tableSql } from '../support/query-tables.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'
import { WindowGenerator } from '../support/window-generator.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 })

const seed = Number(process.env.PGDATA_SEED ?? 18)
const queries = process.env.PGDATA_TEST_FULL ? 3000 : 250
const random = new Random(seed)
const tables = queryTables(random, 3, 8)
let oracle: Oracle
let client: pg.Client
let cluster: Cluster
let session: Session
let copy: string

beforeAll(async () => {
  console.log(`windows: PGDATA_SEED=${seed}`)
  oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  client = await oracle.client()
  for (const [i, table] of tables.entries()) {
    // One that is not kept in little memory, in any case.
    const rows = i === 0 ? 3000 : random.pick([30, 700, 3000])
    for (const sql of tableSql(random, table, rows)) await client.query(sql)
  }
  await client.query(`
    create table t (id int4, k int4, name text, amount numeric);
    insert into t select i, nullif(i % 97, 0), 'name ' || (i * 7919 % 20000), i * 1.5
      from generate_series(1, 20000) i`)
  await client.query('vacuum analyze t')
  await client.end()
  await oracle.stop()
  copy = temporaryPath('windows')
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

test('random windows give what stock gives', async () => {
  const bySize: [string, Session][] = []
  for (const memory of ['64kB', '4MB', '256MB']) {
    const limited = await cluster.connect()
    limited.set('work_mem', memory)
    bySize.push([memory, limited])
  }
  const generator = new WindowGenerator(random, tables)
  let some = 0
  for (let i = 0; i < queries; i++) {
    const generated = generator.next()
    const stock = await stockOutcome(client, generated)
    const what = `query ${i}: ${generated.sql}\n${JSON.stringify(generated.query)}`
    for (const [memory, limited] of bySize) {
      const ours = await ourOutcome(limited, generated, stock.fields)
      expect(ours, `work_mem ${memory}, ${what}`).toEqual(stock.outcome)
    }
    if ((stock.outcome.rows?.length ?? 0) > 0) some++
  }
  expect(some).toBeGreaterThan(queries / 2)
  expect(readdirSync(join(copy, 'base', 'pgsql_tmp'))).toEqual([])
})

const told: [string, Query][] = [
  [
    'select id, row_number() over (partition by k order by id) as n from t',
    {
      from: 't',
      columns: ['id'],
      windows: { n: { rowNumber: true, partitionBy: ['k'], orderBy: ['id'] } },
    },
  ],
  [
    'select id, sum(k) over (partition by k order by name desc) as n from t order by id limit 3',
    {
      from: 't',
      columns: ['id'],
      windows: {
        n: { sum: 'k', partitionBy: ['k'], orderBy: [{ column: 'name', direction: 'desc' }] },
      },
      orderBy: ['id'],
      limit: 3,
    },
  ],
  [
    'select id, count(*) over (partition by k) as n from t',
    { from: 't', columns: ['id'], windows: { n: { count: '*', partitionBy: ['k'] } } },
  ],
  [
    `select id, max(id) over (order by k rows between unbounded preceding and unbounded following)
      as n from t`,
    {
      from: 't',
      columns: ['id'],
      windows: { n: { max: 'id', orderBy: ['k'], frame: 'partition' } },
    },
  ],
  [
    'select id, lag(k) over (order by id) as n, lead(k, 2, 0) over (order by id) as m from t',
    {
      from: 't',
      columns: ['id'],
      windows: {
        n: { lag: 'k', orderBy: ['id'] },
        m: { lead: ['k', 2, 0], orderBy: ['id'] },
      },
    },
  ],
  [
    'select id, ntile(4) over (partition by k order by id) as n from t',
    {
      from: 't',
      columns: ['id'],
      windows: { n: { ntile: 4, partitionBy: ['k'], orderBy: ['id'] } },
    },
  ],
  [
    'select id, percent_rank() over (order by k) as n, cume_dist() over (order by k) as m from t',
    {
      from: 't',
      columns: ['id'],
      windows: {
        n: { percentRank: true, orderBy: ['k'] },
        m: { cumeDist: true, orderBy: ['k'] },
      },
    },
  ],
  [
    `select id, sum(k) over (order by id rows between 2 preceding and 1 following
      exclude current row) as n from t`,
    {
      from: 't',
      columns: ['id'],
      windows: {
        n: {
          sum: 'k',
          orderBy: ['id'],
          frame: {
            mode: 'rows',
            from: { preceding: 2 },
            to: { following: 1 },
            exclude: 'current row',
          },
        },
      },
    },
  ],
  [
    `select id, count(*) over (order by k range 5 preceding) as n,
      avg(id) over (order by k desc groups between 1 following and unbounded following) as m from t`,
    {
      from: 't',
      columns: ['id'],
      windows: {
        n: { count: '*', orderBy: ['k'], frame: { mode: 'range', from: { preceding: 5 } } },
        m: {
          avg: 'id',
          orderBy: [{ column: 'k', direction: 'desc' }],
          frame: { mode: 'groups', from: { following: 1 }, to: 'unbounded' },
        },
      },
    },
  ],
  [
    'select id, count(*) over (order by amount range between 5 preceding and 2.5 following) as n from t',
    {
      from: 't',
      columns: ['id'],
      windows: {
        n: {
          count: '*',
          orderBy: ['amount'],
          frame: { mode: 'range', from: { preceding: 5 }, to: { following: 2.5 } },
        },
      },
    },
  ],
]

test.each(told)('%s, as explain has it', async (sql, query) => {
  await client.query('set max_parallel_workers_per_gather = 0; set enable_incremental_sort = off')
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (costs off) ${sql}`)
  const stock = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(await session.query(query).explain({ costs: false })).toBe(stock)
})

const combined: [string, Query][] = [
  [
    `select k, count(*) as n, sum(id) as s, rank() over (order by count(*) desc, k) as place,
      sum(count(*)) over () as whole from t where id < 5000 group by k order by place limit 20`,
    {
      from: 't',
      where: { id: { '<': 5000 } },
      groupBy: ['k'],
      aggregates: { n: { count: '*' }, s: { sum: 'id' } },
      windows: {
        place: { rank: true, orderBy: [{ column: 'n', direction: 'desc' }, 'k'] },
        whole: { sum: 'n' },
      },
      orderBy: ['place'],
      limit: 20,
    },
  ],
  [
    `select distinct k, count(*) over (partition by k) + 1 as n,
      count(*) over (partition by k) as c from t`,
    {
      from: 't',
      columns: ['k', { as: 'n', add: ['c', 1] }],
      windows: { c: { count: '*', partitionBy: ['k'] } },
      distinct: true,
    },
  ],
  [
    `select id, avg(amount) over (partition by k + 1 order by id) as mean,
      max(name) over (partition by k + 1) as last from t where id <= 3000`,
    {
      from: 't',
      columns: ['id'],
      where: { id: { '<=': 3000 } },
      windows: {
        mean: { avg: 'amount', partitionBy: [{ add: ['k', 1] }], orderBy: ['id'] },
        last: { max: 'name', partitionBy: [{ add: ['k', 1] }] },
      },
    },
  ],
]

test.each(combined)('%s', async (sql, query) => {
  const generated = { query, sql, compare: 'set' as const }
  const stock = await stockOutcome(client, generated)
  expect(stock.outcome.rows).toBeDefined()
  const { outcome } = stock
  const ours = await ourOutcome(session, generated, stock.fields)
  expect(ours).toEqual(outcome)
})

test('a partition is within its memory, and on disk for the rest', async () => {
  const query: Query = { from: 't', windows: { last: { max: 'name' } } }
  for (const [memory, kilobytes] of [
    ['64kB', 64],
    ['512kB', 512],
    ['256MB', 262_144],
  ] as const) {
    session.set('work_mem', memory)
    const [{ Plan }] = await session.query(query).explain({ analyze: true, format: 'json' })
    expect(Plan).toMatchObject({ 'Node Type': 'WindowAgg', 'Actual Rows': 20_000 })
    const isOnDisk = kilobytes < 1000
    expect(Plan.Storage).toBe(isOnDisk ? 'Disk' : 'Memory')
    expect(Number(Plan['Temp Written Blocks']) > 0).toBe(isOnDisk)
    if (!isOnDisk) expect(Plan['Maximum Storage']).toBeLessThan(kilobytes)
  }
  session.reset('work_mem')
  expect(readdirSync(join(copy, 'base', 'pgsql_tmp'))).toEqual([])
})

// With the order, and how SQL has it.
const badFrames: [string, WindowFrame, string[], string][] = [
  ['22013', { mode: 'rows', from: { preceding: -1 } }, ['id'], 'rows -1 preceding'],
  ['22013', { mode: 'groups', from: { preceding: -1 } }, ['id'], 'groups -1 preceding'],
  ['22013', { mode: 'range', from: { preceding: -1 } }, ['id'], 'range -1 preceding'],
  ['22013', { mode: 'rows', from: { preceding: -0.5 } }, ['id'], 'rows -0.5 preceding'],
  ['0A000', { mode: 'range', from: { preceding: 1.5 } }, ['id'], 'range 1.5 preceding'],
  ['0A000', { mode: 'range', from: { preceding: 1 } }, ['name'], 'range 1 preceding'],
  ['42P20', { mode: 'range', from: { preceding: 1 } }, ['id', 'k'], 'range 1 preceding'],
  ['42P20', { mode: 'groups' }, [], 'groups unbounded preceding'],
  [
    '42P20',
    { mode: 'rows', from: 'current row', to: { preceding: 1 } },
    ['id'],
    'rows between current row and 1 preceding',
  ],
  [
    '42P20',
    { mode: 'rows', from: { following: 1 }, to: 'current row' },
    ['id'],
    'rows between 1 following and current row',
  ],
]

test('frames that make no sense are errors of stock, too', async () => {
  const codes: [string, unknown][] = []
  for (const [, , orderBy, frame] of badFrames) {
    const order = orderBy.length > 0 ? `order by ${orderBy.join(', ')} ` : ''
    const sql = `select count(*) over (${order}${frame}) from t`
    const error = await client.query(sql).then(
      () => undefined,
      (one: { code: string }) => one.code,
    )
    codes.push([frame, error])
  }
  expect(codes).toEqual(badFrames.map(([code, , , frame]) => [frame, code]))
})

test('what makes no sense', async () => {
  const errors: [string, unknown][] = [
    ['42601', { from: 't', windows: { n: { nothing: true } } }],
    ['42601', { from: 't', windows: { n: { rank: true, frame: 'groups' } } }],
    ['42601', { from: 't', windows: { n: { count: '*', frame: { mode: 'pages' } } } }],
    ['42601', { from: 't', windows: { n: { count: '*', frame: { mode: 'rows', upTo: 1 } } } }],
    ['42601', { from: 't', windows: { n: { count: '*', frame: { mode: 'rows', from: 3 } } } }],
    ['42601', { from: 't', windows: { n: { lag: ['id', 1.5] } } }],
    ['42601', { from: 't', windows: { n: { ntile: 'id' } } }],
    [
      '42804',
      {
        from: 't',
        windows: { n: { count: '*', frame: { mode: 'rows', from: { preceding: 'x' } } } },
      },
    ],
    ['22014', { from: 't', windows: { n: { ntile: 0 } } }],
    ['42883', { from: 't', windows: { n: { lag: ['id', 1, 'name'] } } }],
    ['22P02', { from: 't', windows: { n: { lag: ['id', 1, { value: 'x' }] } } }],
    ['22016', { from: 't', windows: { n: { nthValue: ['id', 0] } } }],
    ['42601', { from: 't', windows: { n: { nthValue: 'id' } } }],
    ['42703', { from: 't', windows: { n: { sum: 'nothing' } } }],
    ['42703', { from: 't', windows: { n: { rank: true } }, where: { n: 1 } }],
    ['42883', { from: 't', windows: { n: { sum: 'name' } } }],
    ['42701', { from: 't', windows: { id: { rank: true } }, columns: ['t.id', 'id'] }],
    ['42803', { from: 't', groupBy: ['k'], windows: { n: { sum: 'id' } } }],
    ...badFrames.map(([code, frame, orderBy]): [string, unknown] => [
      code,
      { from: 't', windows: { n: { count: '*', frame, orderBy } } },
    ]),
  ]
  for (const [code, query] of errors) {
    const rows = session.query(query as unknown as Query).all()
    await expect(rows, JSON.stringify(query)).rejects.toMatchObject({ code })
  }
})
