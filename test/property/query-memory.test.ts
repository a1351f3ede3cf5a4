// Queries that need more memory than they may take.
// Goal: sorts, joins, groups, distinct rows and set operations are the same with little memory as with much; what went to disk is gone after the
// end, an error, a cancel and an early leave. Method: the same queries in sessions of different work_mem; the directory of
// temporary files looked at while they run and afterwards.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Cluster, type Query, type Session } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const count = 40_000
let directory: string
let cluster: Cluster
let little: Session
let much: Session

function temporaryFiles(): string[] {
  try {
    return readdirSync(join(directory, 'base', 'pgsql_tmp'))
  } catch {
    return []
  }
}

async function filesWritten(): Promise<number> {
  await nextTurn()
  return cluster.databaseStatistics().find(({ datname }) => datname === 'postgres')?.temp_files ?? 0
}

beforeAll(async () => {
  directory = temporaryDirectory('query-memory')
  cluster = await Cluster.open(directory, {
    create: true,
    settings: { fsync: false, autovacuum: false },
  })
  little = await cluster.connect()
  much = await cluster.connect()
  little.set('work_mem', '64kB')
  much.set('work_mem', '256MB')
  // Joins are to be those by hashes, which need memory for a table.
  for (const session of [little, much]) session.set('enable_mergejoin', false)
  for (const [name, rows] of [
    ['t', count],
    ['u', count / 2],
  ] as const) {
    await much.createTable(name, {
      columns: { id: 'int4 primary key', k: 'int4', name: 'text', amount: 'numeric', one: 'int4' },
    })
    await much.table(name).insertMany(
      Array.from({ length: rows }, (_, id) => {
        const scattered = (id * 7919) % count
        const k = id % 13 === 0 ? null : scattered
        return { id, k, name: `the name ${scattered % 20_000}`, amount: `${scattered}.5`, one: 1 }
      }),
    )
  }
})

afterAll(async () => {
  await cluster?.close()
})

const sorted: Query = { from: 't', orderBy: ['name', { column: 'id', direction: 'desc' }] }
const joined: Query = {
  from: 't',
  join: [{ table: 'u', type: 'full', on: { 't.k': 'u.k' } }],
  columns: ['t.id', { as: 'other', column: 'u.id' }, { as: 'name', column: 'u.name' }],
}
const looped = (type: 'left' | 'semi' | 'anti'): Query => ({
  from: 't',
  columns: ['t.id'],
  join: [{ table: 'u', type, on: { '>': [{ add: ['t.id', 'u.id'] }, count * 1.5 - 40] } }],
})
const grouped: Query = {
  from: 't',
  groupBy: ['name'],
  aggregates: {
    n: { count: '*' },
    total: { sum: 'amount' },
    low: { min: 'amount' },
    high: { max: 'name' },
    mean: { avg: 'k' },
  },
}
const distinct: Query = { from: 't', columns: ['k', 'name'], distinct: true }
const sides = [
  { from: 't', columns: ['k', 'name'] },
  { from: 'u', columns: ['k', 'name'] },
]
const different: Query = { except: sides, all: true }

const queries: [string, Query, 'order' | 'set'][] = [
  ['a sort', sorted, 'order'],
  ['a sort by two columns, one of them null', { ...sorted, orderBy: ['k', 'id'] }, 'order'],
  ['the first rows of a sort', { ...sorted, limit: 5000, offset: 3 }, 'order'],
  ['a full join', joined, 'set'],
  ...(['inner', 'left', 'right'] as const).map((type): [string, Query, 'set'] => [
    `a ${type} join`,
    { ...joined, join: [{ table: 'u', type, on: { 't.k': 'u.k' } }] },
    'set',
  ]),
  ...(['semi', 'anti'] as const).map((type): [string, Query, 'set'] => [
    `a ${type} join`,
    { from: 't', columns: ['id', 'k'], join: [{ table: 'u', type, on: { 't.k': 'u.k' } }] },
    'set',
  ]),
  [
    'a join whose keys are all the same',
    {
      from: 't',
      join: [{ table: 'u', on: { 't.one': 'u.one' } }],
      where: { 't.id': { '<': 3 } },
      columns: ['t.id', { as: 'other', column: 'u.id' }],
    },
    'set',
  ],
  [
    'a join without partners',
    {
      from: 't',
      join: [{ table: 'u', type: 'left', on: { 't.name': 'u.name' } }],
      where: { 't.id': { '>': count } },
      columns: ['t.id', { as: 'other', column: 'u.id' }],
    },
    'set',
  ],
  ...(['left', 'semi', 'anti'] as const).map((type): [string, Query, 'set'] => [
    `a ${type} join by a nested loop`,
    { ...looped(type), where: { 't.id': { '>': count - 60 } } },
    'set',
  ]),
  ['groups', grouped, 'set'],
  ['distinct rows', distinct, 'set'],
  ['a union', { union: sides }, 'set'],
  ['an intersection', { intersect: sides }, 'set'],
  ['an intersection of all rows', { intersect: sides, all: true }, 'set'],
  ['a difference', { except: sides }, 'set'],
  ['a difference of all rows', different, 'set'],
  [
    'window functions',
    {
      from: 't',
      columns: ['id'],
      windows: {
        place: { rowNumber: true, orderBy: ['name', 'id'] },
        running: { sum: 'amount', orderBy: ['name'] },
        last: { max: 'name' },
      },
    },
    'set',
  ],
  [
    'groups of a join, sorted',
    {
      from: 't',
      join: [{ table: 'u', on: { 't.name': 'u.name' } }],
      groupBy: ['t.name'],
      aggregates: { n: { count: '*' }, id: { max: 'u.id' } },
      orderBy: ['id', 'name'],
    },
    'order',
  ],
]

async function rowsOf(session: Session, query: Query, compare: 'order' | 'set'): Promise<string[]> {
  const rows = (await session.query(query).all()).map((row) => JSON.stringify(row))
  return compare === 'set' ? rows.sort() : rows
}

test.each(queries)('%s is the same with little memory', async (_, query, compare) => {
  const expected = await rowsOf(much, query, compare)
  const before = await filesWritten()
  expect(await rowsOf(little, query, compare)).toEqual(expected)
  expect(await filesWritten()).toBeGreaterThan(before)
  expect(temporaryFiles()).toEqual([])
})

test('what fits writes no file', async () => {
  const before = await filesWritten()
  for (const [, query] of queries) await much.query(query).all()
  expect(await filesWritten()).toBe(before)
})

test('hash_mem_multiplier is about joins and groups', async () => {
  await using session = await cluster.connect()
  session.set('work_mem', '64kB')
  session.set('hash_mem_multiplier', 1000)
  session.set('enable_mergejoin', false)
  const before = await filesWritten()
  for (const query of [joined, grouped, distinct]) await session.query(query).all()
  expect(await filesWritten()).toBe(before)
  await session.query(sorted).all()
  expect(await filesWritten()).toBeGreaterThan(before)
})

// Each is stopped when its first row comes: with files on disk.
const stopped: [string, Query][] = [
  ['sort', sorted],
  ['join', joined],
  // Of few rows with all others: it has to come to its end.
  ['nested loop', { ...looped('left'), where: { 't.id': { '>': count - 60 } } }],
  ['groups', grouped],
  ['distinct rows', distinct],
  ['difference', different],
  ['window', { from: 't', windows: { last: { max: 'name' } } }],
]

describe.each(stopped)('the files of a stopped %s are gone', (_, query) => {
  async function begun(signal?: AbortSignal) {
    const options = signal === undefined ? {} : { signal }
    const cursor = little.query(query, options)[Symbol.asyncIterator]()
    expect((await cursor.next()).done).toBe(false)
    expect(temporaryFiles().length).toBeGreaterThan(0)
    return cursor
  }
  async function drain(cursor: AsyncIterator<unknown>) {
    while (!(await cursor.next()).done);
  }

  test('when it is left', async () => {
    const cursor = await begun()
    await cursor.return?.()
    expect(temporaryFiles()).toEqual([])
  })

  test('when it is canceled', async () => {
    const controller = new AbortController()
    const cursor = await begun(controller.signal)
    controller.abort()
    expect(temporaryFiles()).toEqual([])
    await expect(drain(cursor)).rejects.toMatchObject({ code: '57014' })
  })

  test('when the transaction is rolled back', async () => {
    const left = little.transaction(async (tx) => {
      await tx.query(query)[Symbol.asyncIterator]().next()
      expect(temporaryFiles().length).toBeGreaterThan(0)
      throw new Error('rolled back on purpose')
    })
    await expect(left).rejects.toThrow('on purpose')
    expect(temporaryFiles()).toEqual([])
  })

  test('when the session ends', async () => {
    const session = await cluster.connect()
    session.set('work_mem', '64kB')
    await session.query(query)[Symbol.asyncIterator]().next()
    expect(temporaryFiles().length).toBeGreaterThan(0)
    await session.close()
    expect(temporaryFiles()).toEqual([])
  })

  test('not when another transaction of the session ends', async () => {
    const cursor = await begun()
    await little.transaction(async (tx) => {
      tx.insert(little.table('u'), { id: count, k: -1 })
    })
    await little.table('u').delete(count)
    await drain(cursor)
    expect(temporaryFiles()).toEqual([])
  })
})

test('an error of the query removes them', async () => {
  const query: Query = {
    ...sorted,
    columns: ['id', 'name', { as: 'x', divide: [1, { subtract: ['id', count - 1] }] }],
  }
  const before = await filesWritten()
  await expect(little.query(query).all()).rejects.toMatchObject({ code: '22012' })
  expect(await filesWritten()).toBeGreaterThan(before)
  expect(temporaryFiles()).toEqual([])
})

test.each(stopped)('temp_file_limit ends a %s', async (_, query) => {
  await using session = await cluster.connect()
  session.set('work_mem', '64kB')
  session.set('temp_file_limit', '200kB')
  await expect(session.query(query).all()).rejects.toMatchObject({
    code: '53400',
    message: 'temporary file size exceeds "temp_file_limit" (200kB)',
  })
  expect(temporaryFiles()).toEqual([])
})

describe('a cancel while a query works for its first row', () => {
  // All pairs of rows, eight hundred million: nothing comes to its end before it is canceled.
  const pairs = { from: 't', join: [{ table: 'u', on: { 't.one': 'u.one' } }] }
  const columns = ['t.id', { as: 'other', column: 'u.id' }]
  const nothing = { '<': [{ add: ['t.id', 'u.id'] }, 0] }
  // Many patterns for each row.
  const or = Array.from({ length: 1000 }, (_, i) => ({ name: { like: `%no%such%name%${i}` } }))
  const working: [string, Query][] = [
    ['scan', { from: 't', where: { or } }],
    ['join', { ...pairs, columns, where: nothing }],
    ['sort', { ...pairs, columns, orderBy: ['other'] }],
    ['grouping', { ...pairs, groupBy: ['t.id'], aggregates: { n: { count: '*' } } }],
    ['distinct', { ...pairs, columns, distinct: true, where: nothing }],
  ]

  test.each(working)('of a %s, by the signal', async (what, query) => {
    const controller = new AbortController()
    const cursor = little.query(query, { signal: controller.signal })[Symbol.asyncIterator]()
    const first = cursor.next()
    const ended = expect(first).rejects.toMatchObject({ code: '57014' })
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    while (what !== 'scan' && temporaryFiles().length === 0) await nextTurn()
    controller.abort(new Error('no longer wanted'))
    await ended
    expect(temporaryFiles()).toEqual([])
    expect(await little.query({ from: 't', limit: 1 }).all()).toHaveLength(1)
  })

  test.each(working)('of a %s, by statement_timeout', async (_, query) => {
    await using session = await cluster.connect()
    session.set('work_mem', '64kB')
    session.set('statement_timeout', 20)
    await expect(session.query(query).all()).rejects.toMatchObject({
      code: '57014',
      message: 'canceling statement due to statement timeout',
    })
    expect(temporaryFiles()).toEqual([])
    session.set('statement_timeout', 0)
    expect(await session.query({ from: 't', limit: 1 }).all()).toHaveLength(1)
  })
})
