// The rows of session.query as a stream.
// Goal: a query sees what its transaction sees, ends when it is left or canceled, and holds nothing afterwards; what is
// wrong with it is told by PostgreSQL's codes. Method: queries over a table of some thousand rows.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type Query, type Session } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const count = 20_000
let cluster: Cluster
let session: Session

beforeAll(async () => {
  cluster = await Cluster.open(temporaryDirectory('cursor'), {
    create: true,
    settings: { fsync: false },
  })
  session = await cluster.connect()
  await session.createTable('t', {
    columns: { id: 'int4 primary key', k: 'int4', name: 'text', big: 'int8', f: 'float8' },
  })
  await session.table('t').insertMany(
    Array.from({ length: count }, (_, id) => ({
      id,
      k: id % 10,
      name: `name ${id % 100}`,
      big: 2 ** 40 + id,
      f: id / 2,
    })),
  )
})

afterAll(async () => {
  await session.close()
  await cluster.close()
})

test('all rows, and a stream of them, are the same', async () => {
  const query = session.query<{ id: number }>({ from: 't', columns: ['id'], orderBy: ['id'] })
  const all = await query.all()
  expect(all.length).toBe(count)
  const streamed: { id: number }[] = []
  for await (const row of query) streamed.push(row)
  expect(streamed).toEqual(all)
})

test('a stream that is left holds nothing', async () => {
  for await (const row of session.query({ from: 't' })) {
    expect(row).toMatchObject({ id: 0 })
    break
  }
  await session.createTable('gone', { columns: { id: 'int4' } })
  await session.table('gone').insertMany(Array.from({ length: 5000 }, (_, id) => ({ id })))
  const cursor = session.query({ from: 'gone' })[Symbol.asyncIterator]()
  expect((await cursor.next()).done).toBe(false)
  await cursor.return()
  await session.dropTable('gone')
})

test('a query is canceled by its signal', async () => {
  const controller = new AbortController()
  const cursor = session.query({ from: 't' }, { signal: controller.signal })
  const read = async () => {
    let rows = 0
    for await (const _ of cursor) if (++rows === 10) controller.abort()
    return rows
  }
  await expect(read()).rejects.toMatchObject({ code: '57014' })
  await expect(cursor.all()).rejects.toMatchObject({ code: '57014' })
})

test('a query in a transaction sees what was written before it', async () => {
  const table = session.table<{ id: number; k: number }>('t')
  await session
    .transaction(async (tx) => {
      tx.insert(table, { id: count, k: 77 })
      const rows = await tx.query({ from: 't', where: { k: 77 }, columns: ['id'] }).all()
      expect(rows).toEqual([{ id: count }])
      throw new Error('rolled back on purpose')
    })
    .catch((error) => {
      if (!/on purpose/.test(error.message)) throw error
    })
  expect(await session.query({ from: 't', where: { k: 77 } }).all()).toEqual([])
})

test('a query that outlives its transaction fails', async () => {
  let cursor: AsyncIterator<unknown> | undefined
  await session.transaction(async (tx) => {
    cursor = tx.query({ from: 't' })[Symbol.asyncIterator]()
    await cursor.next()
  })
  const drain = async () => {
    while (!(await cursor?.next())?.done);
  }
  await expect(drain()).rejects.toMatchObject({ code: '24000' })
})

test('groups, and their order', async () => {
  const rows = await session
    .query({
      from: 't',
      groupBy: ['k'],
      aggregates: { n: { count: '*' }, total: { sum: 'big' }, mean: { avg: 'f' } },
      having: { k: { '<': 3 } },
      orderBy: [{ column: 'k', direction: 'desc' }],
      limit: 2,
    })
    .all()
  const sum = (k: number) => {
    let total = 0n
    for (let id = k; id < count; id += 10) total += BigInt(2 ** 40 + id)
    return String(total)
  }
  expect(rows).toEqual([
    { k: 2, n: 2000, total: sum(2), mean: 4998.5 },
    { k: 1, n: 2000, total: sum(1), mean: 4998 },
  ])
})

test.each<[string, Query]>([
  ['42P01', { from: 'nothing' }],
  ['42P01', { from: 't', columns: ['other.id'] }],
  ['42703', { from: 't', columns: ['nothing'] }],
  ['42703', { from: 't', where: { nothing: 1 } }],
  ['42883', { from: 't', where: { '=': ['id', 'name'] } }],
  ['42883', { from: 't', columns: [{ as: 'x', add: ['name', 1] }] }],
  ['42883', { from: 't', aggregates: { x: { sum: 'name' } } }],
  ['42803', { from: 't', columns: ['id'], groupBy: ['k'] }],
  ['42702', { from: 't', join: [{ table: 't', as: 'u', on: { 't.id': 'u.k' } }], columns: ['k'] }],
  ['42712', { from: 't', join: [{ table: 't', on: { id: 'k' } }] }],
  ['42601', { from: 't', join: [{ table: 't', as: 'u', on: {} }] }],
  ['42601', { from: 't', join: [{ table: 't', as: 'u' }] }],
  ['42601', { from: 't', join: [{ table: 't', as: 'u', type: 'cross', on: { 't.id': 'u.k' } }] }],
  [
    '42P01',
    {
      from: 't',
      join: [
        { table: 't', as: 'u', on: { 'u.id': 'v.id' } },
        { table: 't', as: 'v', type: 'cross' },
      ],
    },
  ],
  [
    '42P01',
    {
      from: 't',
      join: [
        { table: 't', as: 'u', type: 'semi', on: { 't.id': 'u.k' } },
        { table: 't', as: 'v', on: { 'v.id': 'u.id' } },
      ],
    },
  ],
  ['42883', { from: 't', join: [{ table: 't', as: 'u', on: { '<': ['t.id', 'u.name'] } }] }],
  ['42701', { from: 't', columns: ['id', 'id'] }],
  ['42601', { from: 't', columns: [{ as: 'x', power: ['id', 2] } as never] }],
  ['22004', { from: 't', where: { id: { '>': null } } }],
  ['22P02', { from: 't', where: { id: 'one' } }],
  ['22012', { from: 't', columns: [{ as: 'x', divide: [1, 'id'] }] }],
  ['22003', { from: 't', columns: [{ as: 'x', multiply: ['id', 2_000_000] }] }],
  ['22025', { from: 't', where: { name: { like: 'name\\' } } }],
  ['42P10', { from: 't', columns: ['id'], distinct: true, orderBy: ['k'] }],
  ['42P18', { from: 't', columns: [{ as: 'x', value: { a: 1 } }] }],
  ['2201W', { from: 't', limit: -1 }],
  ['2201X', { from: 't', offset: -1 }],
])('%s is raised by %j', async (code, query) => {
  await expect(session.query(query).all()).rejects.toMatchObject({
    code,
    condition: expect.any(String),
  })
})
