// Access to json and jsonb documents in queries, against PostgreSQL.
// Goal: what keys and places lead to is what -> and ->> give, as a document, as text and as a number, of json as it was
// written and of jsonb. Method: stock stores documents, those with traps and random ones; it and we follow the same paths in
// each; results are compared as texts. Errors have its codes and words.
import { cpSync } from 'node:fs'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster, type Expression, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const seed = Number(process.env.PGDATA_SEED ?? 18)
type Path = readonly [string | number, ...(string | number)[]]

const trapped = [
  '{}',
  '[]',
  '5',
  'null',
  '"text"',
  'true',
  '[null]',
  '[[1, 2], {"a": 3}]',
  '{"a": 1, "a": {"b": 2}}',
  '{"a": null, "b": [true, false, null, -0.50, 1e3, 12345678901234567890.5]}',
  ' { "a" : [ 1 , { "b" : "x y" } ] , "b" : "é\\u00e9\\ud83d\\ude00" } ',
  '{"\\u0061": "by escape", "": "no name", "a\\"b": "quoted"}',
  '{"a": "line\\nfeed \\"quoted\\" \\\\ \\/ \\b\\f\\r\\t \\u0001"}',
  '{"a": {"a": {"a": {"a": ["deep", {"a": "]}"}]}}}}',
  `{"a": [${Array.from({ length: 100 }, (_, i) => i).join(',')}], "b": {"a": 0.000100}}`,
  `{${Array.from({ length: 90 }, (_, i) => `"k${i}": ${i}, "long key ${i}": "${'v'.repeat(i)}"`).join(',')}, "a": 7}`,
  `{"a": "${'long '.repeat(2000)}", "b": [${'1,'.repeat(3000)}2]}`,
]

const paths: Path[] = [
  ['a'],
  ['b'],
  [''],
  ['a"b'],
  ['k77'],
  ['long key 3'],
  [0],
  [1],
  [-1],
  [-2],
  [99],
  [2147483647],
  [-2147483648],
  ['a', 'b'],
  ['a', 0],
  ['a', 1, 'b'],
  ['a', -1],
  ['b', 3],
  ['b', -2],
  ['b', 4],
  ['b', 5],
  [0, 0],
  [0, -1],
  [1, 'a'],
  ['a', 'a', 'a', 'a', 1, 'a'],
  ['a', 0, 0],
]

// `isWhole`: an array or an object.
function randomDocument(random: Random, depth: number, isWhole = false): string {
  const space = () => random.pick(['', '', ' ', '\n'])
  const kind = random.int(isWhole ? 4 : 0, depth === 0 ? 3 : 5)
  if (kind === 0) return random.pick(['null', 'true', 'false'])
  if (kind === 1) return `${random.int(-99, 99)}${random.pick(['', '.50', '.001', 'e2', 'e-3'])}`
  if (kind <= 3) return JSON.stringify(random.text(['a', 'ä', '"', '\\', '\n', '😀', '}', ','], 6))
  const parts = Array.from({ length: random.int(0, 4) }, () => {
    const value = `${space()}${randomDocument(random, depth - 1)}${space()}`
    return kind === 4 ? value : `${space()}"${random.pick(['a', 'b', 'c'])}"${space()}:${value}`
  })
  return kind === 4 ? `[${parts.join(',')}]` : `{${parts.join(',')}}`
}

let oracle: Oracle
let client: pg.Client
let cluster: Cluster
let session: Session

beforeAll(async () => {
  console.log(`json-access: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  client = await oracle.client()
  await client.query('create table docs (id int4 primary key, j json, b jsonb, n text)')
  const documents = [
    ...trapped,
    ...Array.from({ length: 400 }, () => randomDocument(random, 4, true)),
  ]
  for (const [id, document] of documents.entries()) {
    await client.query('insert into docs values ($1, $2::text::json, $2::text::jsonb)', [
      id,
      document,
    ])
  }
  await client.query('insert into docs values (-1)')
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('json')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  cluster = await Cluster.open(copy, { json: 'text', settings: { fsync: false } })
  session = await cluster.connect()
})

afterAll(async () => {
  await client?.end()
  await cluster?.close()
  await oracle?.stop()
})

const step = (one: string | number) => (typeof one === 'string' ? `'${one}'::text` : `(${one})`)

function sqlOf(column: string, path: Path, last: '->' | '->>'): string {
  return path.reduce<string>((outer, one, i) => {
    return `(${outer} ${i === path.length - 1 ? last : '->'} ${step(one)})`
  }, column)
}

async function ours(expression: Expression): Promise<unknown[]> {
  const rows = await session
    .query<{ x: unknown }>({
      from: 'docs',
      columns: ['id', { as: 'x', ...expression }],
      orderBy: ['id'],
    })
    .all()
  return rows.map(({ x }) => x)
}

async function stock(sql: string): Promise<unknown[]> {
  const { rows } = await client.query(`select (${sql})::text as x from docs order by id`)
  return rows.map(({ x }) => x)
}

test.each(['j', 'b'])('keys and places in %s', async (column) => {
  const randomPaths = [0, 1, 2, 3].map(
    (n) => ['a', 'b', n % 3, 'c', -1].slice(0, n + 1) as unknown as Path,
  )
  let found = 0
  for (const path of [...paths, ...randomPaths]) {
    const document = await ours({ json: [column, ...path] })
    expect({ path, document }).toEqual({ path, document: await stock(sqlOf(column, path, '->')) })
    const text = await ours({ jsonText: [column, ...path] })
    expect({ path, text }).toEqual({ path, text: await stock(sqlOf(column, path, '->>')) })
    found += text.filter((one) => one !== null).length
  }
  expect(found).toBeGreaterThan(500)
})

test('numbers of jsonb', async () => {
  const where = { '>': [{ jsonNumber: ['b', 'a'] }, -1] }
  // Stock tests conditions in an order of its own.
  const { rows } = await client.query(
    `select id, x::text from (select id, case when jsonb_typeof(b -> 'a') = 'number'
      then (b -> 'a')::numeric end as x from docs) s where x > -1 order by id`,
  )
  const answer = await session
    .query({
      from: 'docs',
      columns: ['id', { as: 'x', jsonNumber: ['b', 'a'] }],
      where: { and: [{ id: { in: rows.map(({ id }) => id) } }, where] },
      orderBy: ['id'],
    })
    .all()
  expect(answer).toEqual(rows)
  expect(rows.length).toBeGreaterThan(1)
  for (const [document, kind] of [
    ['"1"', 'string'],
    ['true', 'boolean'],
    ['[1]', 'array'],
    ['{}', 'object'],
  ]) {
    const message = `cannot cast jsonb ${kind} to type numeric`
    const sql = `select ('{"n": ${document}}'::jsonb -> 'n')::numeric`
    await expect(client.query(sql)).rejects.toMatchObject({ code: '22023', message })
  }
  const failing = session.query({ from: 'docs', columns: [{ as: 'x', jsonNumber: ['b', 'b'] }] })
  await expect(failing.all()).rejects.toMatchObject({
    code: '22023',
    message: expect.stringMatching(/^cannot cast jsonb \w+ to type numeric$/),
  })
})

test('conditions on what a document has', async () => {
  const query = {
    from: 'docs',
    columns: ['id'],
    where: {
      or: [
        { '=': [{ jsonText: ['b', 'a'] }, { value: '7' }] },
        { like: [{ jsonText: ['j', 'b'] }, { value: 'é%' }] },
      ],
    },
    orderBy: ['id'],
  }
  const { rows } = await client.query(
    `select id from docs where b ->> 'a' = '7' or j ->> 'b' like 'é%' order by id`,
  )
  expect(await session.query(query).all()).toEqual(rows)
  expect(rows.length).toBeGreaterThan(1)
})

test('as EXPLAIN tells it', async () => {
  const query = {
    from: 'docs',
    columns: ['id'],
    where: {
      and: [
        { '=': [{ jsonText: ['b', "it's", -2, 0] }, { value: 'x' }] },
        { '>': [{ jsonNumber: ['b', 'n'] }, 5] },
        { isNull: { json: ['j', 'a'] } },
      ],
    },
  }
  const { rows } = await client.query(
    `explain (costs off) select id from docs where b -> 'it''s' -> -2 ->> 0 = 'x'
      and (b -> 'n')::numeric > 5 and j -> 'a' is null`,
  )
  const text = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(await session.query(query).explain({ costs: false })).toBe(text)
})

test.each([
  [{ json: ['n', 'a'] }, '42883', 'operator does not exist: text -> text'],
  [{ jsonText: ['id', 0] }, '42883', 'operator does not exist: integer -> integer'],
  [{ jsonNumber: ['j', 'a'] }, '42846', 'cannot cast type json to numeric'],
  [{ constructor: ['j', 'a'] }, '42601', 'syntax error in query: unknown expression "constructor"'],
  [
    { json: ['j'] },
    '42601',
    'syntax error in query: "json" takes a document, then keys and places',
  ],
  [
    { json: ['j', 1.5] },
    '42601',
    'syntax error in query: "json" takes a document, then keys and places',
  ],
])('%j is refused', async (expression, code, message) => {
  const query = session.query({
    from: 'docs',
    columns: [{ as: 'x', ...(expression as unknown as Expression) }],
  })
  await expect(query.all()).rejects.toMatchObject({ code, message })
})

test('an escape that no text can have', async () => {
  await client.query('create table zero (j json)')
  await client.query(`insert into zero values ('{"a": "\\u0000"}')`)
  await expect(client.query(`select j ->> 'a' from zero`)).rejects.toMatchObject({ code: '22P05' })
  await session.createTable('zero', { columns: { j: 'json' } })
  await session.table('zero').insert({ j: '{"a": "\\u0000"}' })
  const query = session.query({ from: 'zero', columns: [{ as: 'x', jsonText: ['j', 'a'] }] })
  await expect(query.all()).rejects.toMatchObject({
    code: '22P05',
    message: 'unsupported Unicode escape sequence',
  })
})
