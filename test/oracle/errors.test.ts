// What pgdata says of rows that it cannot take, against what PostgreSQL says.
// Goal: the same SQLSTATE, words, detail and names of table, column and constraint; nothing of the refused rows
// is there afterwards. Method: both are given the same rows for the same tables.
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type PgError, type Session } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

type Row = Record<string, string | number | null>

let cluster: Cluster
let session: Session
let theirs: Oracle
let client: pg.Client
let directory: string

beforeAll(async () => {
  directory = temporaryDirectory('err')
  await Cluster.init(directory)
  cluster = await Cluster.open(directory)
  session = await cluster.connect()
  await session.createTable('items', {
    columns: {
      id: 'int4 primary key',
      code: 'varchar(4) not null',
      price: 'numeric(5,2)',
      tag: 'text',
    },
  })
  await session.createIndex('items', {
    name: 'items_tag_price',
    columns: ['tag', 'price'],
    unique: true,
  })
  theirs = await Oracle.initdb()
  await theirs.start()
  client = await theirs.client()
  await client.query(
    'create table items (id int primary key, code varchar(4) not null, price numeric(5,2), tag text)',
  )
  await client.query('create unique index items_tag_price on items (tag, price)')
  const first = { id: 1, code: 'a', price: '1.50', tag: 'x y' }
  await session.table<Row>('items').insert(first)
  await insert(first)
})

afterAll(async () => {
  await cluster.close()
  await theirs[Symbol.asyncDispose]()
})

function insert(row: Row): Promise<unknown> {
  const names = Object.keys(row)
  const values = names.map((_, i) => `$${i + 1}`)
  return client.query(`insert into items (${names}) values (${values})`, Object.values(row))
}

async function failure(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Error)
  const { code, message, detail, schema, table, column, constraint } = error as PgError
  return { code, message, detail, schema, table, column, constraint }
}

const refused: [string, Row][] = [
  ['a duplicate primary key', { id: 1, code: 'b' }],
  ['a duplicate key of two columns', { id: 2, code: 'b', price: '1.5', tag: 'x y' }],
  ['null in a column that takes none', { id: 3, code: null, price: '2', tag: 'z' }],
  ['a column left out that takes no null', { id: 4, tag: 'a longer text '.repeat(10) }],
  ['a null key', { id: null, code: 'c' }],
  ['a key longer than a third of a page', { id: 5, code: 'd', price: '1', tag: randomText(9000) }],
]

// Text that does not compress.
function randomText(length: number): string {
  let text = ''
  for (let n = 1; text.length < length; n++) text += ((n * 48_271) % 2_147_483_647).toString(36)
  return text.slice(0, length)
}

test.each(refused)('%s is refused as PostgreSQL does', async (_, row) => {
  const ours = await failure(session.table<Row>('items').insert(row))
  expect(ours).toEqual(await failure(insert(row)))
  expect([...session.table('items').scan()].length).toBe(1)
})

test.each([
  ['too long a text', { id: 6, code: 'abcde' }],
  ['too large a number', { id: 6, code: 'e', price: '1234' }],
  ['too large an integer', { id: '3000000000', code: 'e' }],
  ['a text that is no number', { id: 'six', code: 'e' }],
])('%s is refused with the same words', async (_, row) => {
  const { code, message, detail } = await failure(session.table<Row>('items').insert(row))
  const wanted = await failure(insert(row))
  expect({ code, message, detail }).toEqual({
    code: wanted.code,
    message: wanted.message,
    detail: wanted.detail,
  })
})

test('a row that fails takes all rows of its call with it', async () => {
  const table = session.table<Row>('items')
  const rows = Array.from({ length: 3000 }, (_, n) => ({ id: n + 10, code: 'm' }))
  rows.push({ id: 1, code: 'm' })
  expect(await failure(table.insertMany(rows))).toMatchObject({
    code: '23505',
    detail: 'Key (id)=(1) already exists.',
  })
  expect([...table.scan()].length).toBe(1)
  expect(table.get(10)).toBeUndefined()
  // Their index entries are still there, and in nobody's way.
  expect(await table.insertMany(rows.slice(0, -1))).toBe(3000)
  expect([...table.range()].length).toBe(3001)
})

test('an update to a key that is there is refused, and leaves the row', async () => {
  const table = session.table<Row>('items')
  const ours = await failure(table.update(10, { tag: 'x y', price: '1.50' }))
  await insert({ id: 10, code: 'm' })
  const theirError = await failure(
    client.query("update items set tag = 'x y', price = 1.50 where id = 10"),
  )
  expect(ours).toEqual(theirError)
  expect(table.get(10)).toMatchObject({ tag: null })
  expect(await failure(table.update(10, { code: null }))).toEqual(
    await failure(client.query('update items set code = null where id = 10')),
  )
})

test('after all that PostgreSQL finds the table sound', async () => {
  await cluster.close()
  const oracle = Oracle.adopt(directory)
  await oracle.start()
  const stock = await oracle.client()
  expect(await amcheck(stock)).toEqual([])
  expect((await stock.query('select count(*)::int as n from items')).rows).toEqual([{ n: 3001 }])
  await oracle.stop()
})
