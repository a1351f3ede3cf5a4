// Aggregates over a table, and full scans, against PostgreSQL.
// Goal: count, sum, min, max and avg are stock's, of every type that has them, to the last bit of a float: with nulls, NaN,
// infinities and zeroes of both signs, rows older than a column, values out of line, and dead rows between. So is what a scan
// gives. Method: stock makes tables, vacuumed ones and others; it and we compute the same over rows that meet the same
// conditions.
import { cpSync } from 'node:fs'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const seed = Number(process.env.PGDATA_SEED ?? 18)
const integers = ['small', 'number', 'whole', 'oid_value'] as const
const floats = ['single', 'real', 'late'] as const

let oracle: Oracle
let client: pg.Client
let cluster: Cluster
let session: Session

function randomValues(random: Random, special: readonly string[]): unknown[] {
  const orNull = (value: unknown, chance = 0.08) => (random.chance(chance) ? null : value)
  const float = () =>
    random.chance(0.02)
      ? random.pick(special)
      : `${(random.next() - 0.5) * 10 ** random.int(-5, 8)}`
  return [
    orNull(random.int(-32768, 32767)),
    orNull('tag'.repeat(random.chance(0.01) ? 3000 : random.int(0, 40))),
    orNull(random.chance(0.5)),
    orNull(random.int(-(2 ** 31), 2 ** 31 - 1)),
    orNull(`${BigInt(random.int(-(2 ** 31), 2 ** 31)) * 2n ** 31n}`),
    orNull(`${Math.fround(Number(float()))}`),
    orNull(float()),
    orNull(random.int(0, 2 ** 32 - 1)),
    orNull(random.pick(['', 'note', 'a longer note that has more than a few bytes']), 0.2),
  ]
}

const columns = 'small, tag, flag, number, whole, single, real, oid_value, note'

async function fill(table: string, random: Random, rows: number, special: readonly string[]) {
  for (let done = 0; done < rows; done += 200) {
    const values = Array.from({ length: 200 }, () => randomValues(random, special))
    const marks = values.map((row, i) => `(${row.map((_, k) => `$${i * 9 + k + 1}`).join()})`)
    await client.query(`insert into ${table} (${columns}) values ${marks.join()}`, values.flat())
  }
}

beforeAll(async () => {
  console.log(`aggregates: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off', autovacuum: 'off' })
  client = await oracle.client()
  const tables = {
    plain: ['0', '-0'],
    special: ['NaN', 'Infinity', '-Infinity', '-0', '0'],
    infinite: ['Infinity', '-0', '0'],
  }
  for (const [name, special] of Object.entries(tables)) {
    await client.query(`create table ${name} (small int2, tag text, flag bool, number int4, whole int8,
      single float4, real float8, oid_value oid, note text)`)
    await fill(name, random, 1200, special)
    await client.query(`alter table ${name} add column late float8 default 0.1`)
    await fill(name, random, 400, special)
    await client.query(`update ${name} set late = real where small % 7 = 0`)
    await client.query(`delete from ${name} where small % 11 = 0`)
  }
  await client.query('create table vacuumed as select * from special')
  await client.query('create table narrow as select real, single from plain')
  await client.query('vacuum (freeze) vacuumed')
  await client.query('create table zeroes (real float8, single float4)')
  await client.query("insert into zeroes values ('-0', '-0'), (null, null), ('-0', '-0')")
  await client.query('create table empty (like plain)')
  await client.query('create table large (real float8, single float4)')
  await client.query("insert into large select '1.5e308', '3e38' from generate_series(1, 3)")
  await client.query('checkpoint')
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('aggregates')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  cluster = await Cluster.open(copy, {
    int8: 'bigint',
    settings: { fsync: false, autovacuum: false },
  })
  session = await cluster.connect()
})

afterAll(async () => {
  await client?.end()
  await cluster?.close()
  await oracle?.stop()
})

const conditions: [object | undefined, string][] = [
  [undefined, 'true'],
  [{ real: { '>=': 0.5 } }, 'real >= 0.5'],
  [
    { real: { '<': Number.POSITIVE_INFINITY }, small: { '>': -100 } },
    "real < 'Infinity' and small > -100",
  ],
  [{ tag: { '>': 'tagtag' } }, `tag > 'tagtag' collate "C"`],
  [{ flag: true, number: { '<=': 7 } }, 'flag and number <= 7'],
  [{ note: null }, 'note is null'],
  [{ whole: { '<>': 0n }, late: { '>': 0 } }, 'whole <> 0 and late > 0'],
  [{ small: { '>': 32767 } }, 'small > 32767'],
]

const asNumber = (text: string | null) => (text === null ? null : Number(text))

async function stock(table: string, column: string, where: string) {
  const { rows } = await client.query(
    `select count(*)::text, count(${column})::text as counted, sum(${column})::text, min(${column})::text,
       max(${column})::text, avg(${column})::text from ${table} where ${where}`,
  )
  return rows[0]
}

async function ours(table: string, column: string, where: object | undefined) {
  const rows = session.table<Record<string, unknown>>(table)
  const request = { count: true, sum: column, min: column, max: column, avg: column }
  return rows.aggregate(where === undefined ? request : { ...request, where })
}

test.each(['plain', 'special', 'infinite', 'vacuumed', 'empty'])('floats of %s', async (table) => {
  for (const [where, sql] of conditions) {
    for (const column of floats) {
      const wanted = await stock(table, column, sql)
      // The shortest text of a float4 is that of a float8 near it.
      const float = (text: string | null) =>
        text === null ? null : column === 'single' ? Math.fround(Number(text)) : Number(text)
      const found = await ours(table, column, where)
      expect({ table, column, sql, ...found }).toEqual({
        ...{ table, column, sql },
        count: Number(wanted.count),
        sum: float(wanted.sum),
        min: float(wanted.min),
        max: float(wanted.max),
        avg: asNumber(wanted.avg),
      })
      const query = session.query({
        from: table,
        aggregates: { counted: { count: column }, sum: { sum: column }, avg: { avg: column } },
        ...(where === undefined ? {} : { where: where as never }),
      })
      if (where !== undefined && 'note' in where) continue
      expect(await query.all()).toEqual([
        {
          counted: BigInt(wanted.counted),
          sum: float(wanted.sum),
          avg: asNumber(wanted.avg),
        },
      ])
    }
  }
})

test.each(['plain', 'vacuumed', 'empty'])('integers of %s', async (table) => {
  for (const [where, sql] of conditions) {
    for (const column of integers) {
      // PostgreSQL has no sum of oids.
      const wanted = await stock(table, column === 'oid_value' ? 'oid_value::int8' : column, sql)
      const { avg, ...found } = await ours(table, column, where)
      const text = (value: unknown) => (value === null ? null : String(value))
      expect({
        ...{ table, column, sql, count: found.count },
        ...{ sum: text(found.sum), min: text(found.min), max: text(found.max) },
      }).toEqual({
        ...{ table, column, sql, count: Number(wanted.count) },
        ...{ sum: wanted.sum, min: wanted.min, max: wanted.max },
      })
      if (wanted.avg === null) expect(avg).toBeNull()
      else expect(Number(avg) / Number(wanted.avg)).toBeCloseTo(1, 12)
    }
  }
})

test('zeroes keep their signs', async () => {
  for (const column of ['real', 'single']) {
    const wanted = await stock('zeroes', column, 'true')
    expect(await ours('zeroes', column, undefined)).toEqual({
      count: 3,
      sum: Number(wanted.sum),
      min: Number(wanted.min),
      max: Number(wanted.max),
      avg: Number(wanted.avg),
    })
  }
})

test('a sum that overflows is refused', async () => {
  const table = session.table<{ real: number; single: number }>('large')
  for (const column of ['real', 'single'] as const) {
    for (const name of ['sum', 'avg'] as const) {
      const sql = `select ${name}(${column}) from large`
      const overflows = column === 'real' || name === 'sum'
      const refused = { code: '22003', message: 'value out of range: overflow' }
      const query = session.query({ from: 'large', aggregates: { x: { [name]: column } as never } })
      if (!overflows) {
        const { rows } = await client.query(sql)
        expect(await table.aggregate({ [name]: column })).toEqual({ [name]: Number(rows[0][name]) })
        continue
      }
      await expect(client.query(sql)).rejects.toMatchObject(refused)
      await expect(table.aggregate({ [name]: column })).rejects.toMatchObject(refused)
      await expect(query.all()).rejects.toMatchObject(refused)
    }
  }
})

test.each(['plain', 'special', 'vacuumed', 'narrow'])('scans of %s', async (table) => {
  const { rows } = await client.query(`select * from ${table}`)
  const names = Object.keys(rows[0])
  const texts = (row: Record<string, unknown>) =>
    names.map((name) => (row[name] === null ? null : String(row[name])))
  const expected = rows.map((row) =>
    texts({
      ...row,
      ...('single' in row && row.single !== null && { single: Math.fround(row.single) }),
    }),
  )
  const read = session.table<Record<string, unknown>>(table)
  expect([...read.scan()].map(texts)).toEqual(expected)
  const some = names.filter((_, i) => i % 3 === 1).reverse()
  expect([...read.scan({ columns: some, limit: 700 })]).toEqual(
    [...read.scan()].slice(0, 700).map((row) => Object.fromEntries(some.map((n) => [n, row[n]]))),
  )
  const conditions = { real: { '>': 0.25 } }
  expect([...read.scan({ where: conditions })]).toEqual(
    [...read.scan()].filter(
      ({ real }) => real !== null && (Number.isNaN(real) || (real as number) > 0.25),
    ),
  )
})
