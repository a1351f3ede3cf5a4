// Tables handed over between pgdata and PostgreSQL, both ways.
// Goal: whatever one of them makes, the other reads the same, continues and finds sound. Method: random tables of
// all supported types, with wide values, nulls and indexes of many shapes; all values are compared as text, index
// order with PostgreSQL's; PostgreSQL's amcheck looks at what we wrote.
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import {
  createIndexSql,
  createTableSql,
  insertBySql,
  objectRows,
  openOptions,
  primaryKey,
  type RandomTable,
  randomRows,
  randomTable,
  ranksBySql,
  readBySql,
  readByTable,
  sorted,
  type TextRow,
} from '../support/random-tables.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const isFull = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? (isFull ? Math.floor(Math.random() * 2 ** 31) : 18))
const rowCounts = [0, 1, 20_000, 300, 2000, 40, 700]

interface Made {
  table: RandomTable
  rows: TextRow[]
}

function makeTables(random: Random, count: number): Made[] {
  return Array.from({ length: count }, (_, position) => {
    const table = randomTable(random, position)
    const wanted = rowCounts[position % rowCounts.length] as number
    const rows = randomRows(random, table, 1, isFull && position === 2 ? 200_000 : wanted)
    return { table, rows }
  })
}

// One difference is more telling than two long lists.
function expectSameRows(table: RandomTable, got: readonly TextRow[], wanted: readonly TextRow[]) {
  const [ours, theirs] = [sorted(got), sorted(wanted)]
  const at = ours.findIndex((row, i) => row !== theirs[i])
  const shorten = (row: string | undefined) => row?.slice(0, 2000)
  if (at >= 0) {
    expect({ table, row: shorten(ours[at]) }).toEqual({ table, row: shorten(theirs[at]) })
  }
  expect({ table: table.name, rows: ours.length }).toEqual({
    table: table.name,
    rows: theirs.length,
  })
}

// Reads the table every way there is: by scan, and by every index in both directions, whose order `ranks` gives.
function expectToRead(
  session: Session,
  table: RandomTable,
  wanted: readonly TextRow[],
  ranks: ReadonlyMap<string, ReadonlyMap<string, number>>,
) {
  expectSameRows(table, readByTable(session, table), wanted)
  const keys = wanted.map(([key]) => key as string).sort()
  for (const index of [primaryKey(table), ...table.indexes]) {
    const rank = ranks.get(index.name) as ReadonlyMap<string, number>
    for (const reverse of [false, true]) {
      // The rows behind an index are those of the scan; all of them again where they are few.
      if (wanted.length <= 1000) {
        expectSameRows(table, readByTable(session, table, index.name, reverse), wanted)
      }
      const rows = session
        .table<{ key: number }>(table.name)
        .range({ index: index.name, reverse, columns: ['key'] })
      const found = [...rows].map(({ key }) => String(key))
      const places = found.map((key) => rank.get(key) as number)
      const unordered = places.findIndex((place, i) => {
        const before = places[i - 1] ?? place
        return reverse ? place > before : place < before
      })
      expect({
        index,
        reverse,
        unordered: unordered < 0 ? [] : found.slice(unordered - 1, unordered + 1),
      }).toEqual({ index, reverse, unordered: [] })
      found.sort()
      expect({ index, same: found.join() === keys.join() }).toEqual({ index, same: true })
    }
  }
}

async function ranksOf(client: pg.Client, table: RandomTable) {
  const ranks = new Map<string, Map<string, number>>()
  for (const index of [primaryKey(table), ...table.indexes]) {
    ranks.set(index.name, await ranksBySql(client, table, index))
  }
  return ranks
}

async function expectSound(client: pg.Client) {
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
}

function lastKey(rows: readonly TextRow[]): number {
  return rows.reduce((last, [key]) => Math.max(last, Number(key)), 0)
}

// Changes by us: rows after the present ones, updates of indexed and other columns, deletions, one transaction
// rolled back. Returns the rows that must be there afterwards.
async function changeByTable(
  session: Session,
  random: Random,
  { table, rows }: Made,
): Promise<TextRow[]> {
  const opened = session.table(table.name)
  const after = new Map(rows.map((row) => [row[0] as string, row]))
  const nextKey = lastKey(rows) + 1
  const more = randomRows(random, table, nextKey, random.pick([1, 150, 900]))
  expect(await opened.insertMany(objectRows(table, more))).toBe(more.length)
  for (const row of more) after.set(row[0] as string, row)
  const changedColumns = [0, 1, 2].map(() =>
    table.columns.map((_, i) => i > 0 && random.chance(0.4)),
  )
  await session.transaction(async (tx) => {
    for (const [key, row] of [...after].filter(() => random.chance(0.1))) {
      if (random.chance(0.3)) {
        expect(await tx.delete(opened, Number(key))).toBe(true)
        after.delete(key)
        continue
      }
      const isChanged = random.pick(changedColumns)
      const [fresh] = randomRows(random, table, Number(key), 1) as [TextRow]
      const changed = row.map((value, i) => (isChanged[i] ? fresh[i] : value)) as TextRow
      const changes = Object.fromEntries(
        table.columns.flatMap(({ name }, i) => (isChanged[i] ? [[name, changed[i]]] : [])),
      )
      expect(await tx.update(opened, Number(key), changes)).toBe(true)
      after.set(key, changed)
    }
  })
  const rolledBack = new Error('rolled back')
  await expect(
    session.transaction((tx) => {
      tx.insert(opened, ...objectRows(table, randomRows(random, table, nextKey + 100_000, 20)))
      throw rolledBack
    }),
  ).rejects.toBe(rolledBack)
  return [...after.values()]
}

// Changes by PostgreSQL, which then has dead rows, pruned pages and a visibility map.
async function changeBySql(client: pg.Client, random: Random, { table, rows }: Made) {
  const nextKey = lastKey(rows) + 200_000
  await insertBySql(client, table, randomRows(random, table, nextKey, 100))
  await client.query(`delete from ${table.name} where key % 5 = 2`)
  await client.query(`update ${table.name} set key = key + 500000 where key % 7 = 3`)
  await client.query(`vacuum (freeze ${random.chance(0.5)}) ${table.name}`)
  await client.query(`update ${table.name} set key = -key where key % 11 = 4`)
}

describe.each([
  ['PostgreSQL', 31],
  ['pgdata', 47],
] as const)('tables that %s made', (maker, salt) => {
  const random = new Random(seed * 100 + salt)
  let oracle: Oracle
  let made: Made[]

  beforeAll(async () => {
    console.log(`handover: PGDATA_SEED=${seed}`)
    made = makeTables(random, 21)
    if (maker === 'PostgreSQL') {
      oracle = await Oracle.initdb()
    } else {
      const directory = temporaryDirectory('hand')
      await Cluster.init(directory)
      oracle = Oracle.adopt(directory)
    }
  })

  afterAll(async () => {
    await oracle?.[Symbol.asyncDispose]()
  })

  if (maker === 'PostgreSQL') {
    test('are made', { timeout: isFull ? 600_000 : 120_000 }, async () => {
      await oracle.start({ timezone: 'UTC' })
      const client = await oracle.client()
      for (const { table, rows } of made) {
        await client.query(createTableSql(table))
        const [first, ...rest] = createIndexSql(table)
        // One index grows with the rows, the others are built from them.
        if (first !== undefined) await client.query(first)
        await insertBySql(client, table, rows)
        for (const one of rest) await client.query(one)
      }
    })
  } else {
    test('are made', { timeout: isFull ? 600_000 : 120_000 }, async () => {
      await using cluster = await Cluster.open(oracle.dir, openOptions)
      await using session = await cluster.connect()
      for (const { table, rows } of made) {
        await session.createTable(table.name, {
          columns: table.columns.map(({ name, type, nullable }) => ({
            name,
            type: nullable ? type : `${type} not null`,
          })),
          primaryKey: ['key'],
        })
        const [first, ...rest] = table.indexes
        const options = (index: NonNullable<typeof first>) => ({
          name: index.name,
          columns: index.columns,
          include: index.include,
          unique: index.unique,
        })
        if (first !== undefined) await session.createIndex(table.name, options(first))
        await session.table(table.name).insertMany(objectRows(table, rows))
        for (const one of rest) await session.createIndex(table.name, options(one))
      }
    })

    test('are sound and the same in PostgreSQL', {
      timeout: isFull ? 600_000 : 120_000,
    }, async () => {
      await oracle.start({ timezone: 'UTC' })
      const client = await oracle.client()
      await expectSound(client)
      for (const { table, rows } of made)
        expectSameRows(table, await readBySql(client, table), rows)
    })
  }

  test('are read by us as PostgreSQL does', { timeout: isFull ? 600_000 : 120_000 }, async () => {
    const client = await oracle.client()
    const orders: Map<string, Map<string, number>>[] = []
    for (const one of made) {
      one.rows = await readBySql(client, one.table)
      orders.push(await ranksOf(client, one.table))
    }
    await oracle.stop()
    await using cluster = await Cluster.open(oracle.dir, openOptions)
    await using session = await cluster.connect()
    made.forEach(({ table, rows }, i) => {
      expectToRead(session, table, rows, orders[i] as Map<string, Map<string, number>>)
    })
  })

  test('are changed by us and sound in PostgreSQL', {
    timeout: isFull ? 600_000 : 120_000,
  }, async () => {
    {
      await using cluster = await Cluster.open(oracle.dir, openOptions)
      await using session = await cluster.connect()
      for (const one of made) {
        one.rows = await changeByTable(session, random, one)
        expectSameRows(one.table, readByTable(session, one.table), one.rows)
      }
    }
    await oracle.start({ timezone: 'UTC' })
    const client = await oracle.client()
    for (const { table, rows } of made) expectSameRows(table, await readBySql(client, table), rows)
    await expectSound(client)
  })

  test('are changed by PostgreSQL and read again', {
    timeout: isFull ? 600_000 : 120_000,
  }, async () => {
    const client = await oracle.client()
    const orders: Map<string, Map<string, number>>[] = []
    for (const one of made) {
      await changeBySql(client, random, one)
      one.rows = await readBySql(client, one.table)
      orders.push(await ranksOf(client, one.table))
    }
    await oracle.stop()
    await using cluster = await Cluster.open(oracle.dir, openOptions)
    await using session = await cluster.connect()
    made.forEach(({ table, rows }, i) => {
      expectToRead(session, table, rows, orders[i] as Map<string, Map<string, number>>)
    })
  })
})
