// Goal: rows that are older than a column have the value that stock PostgreSQL gives them, in the library and in dump.
// Method: stock adds columns with defaults to a filled table, which writes no rows; we read, change and hand back.
import { afterAll, expect, it } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'

let oracle: Oracle | undefined
afterAll(() => oracle?.[Symbol.asyncDispose]())

const added = {
  b: 'true',
  i: '7',
  big: '9007199254740993',
  f: '1.5',
  n: "'12345.6789'",
  t: "'text, é'",
  long: "repeat('x', 3000)",
  u: "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
  d: "'2020-02-29'",
  ts: "'2024-05-06 07:08:09.123456+00'",
  j: '\'{"a": [1, null]}\'',
  list: "'{1,2,NULL}'",
} as const
const types: Record<keyof typeof added, string> = {
  b: 'bool',
  i: 'int4',
  big: 'int8',
  f: 'float8',
  n: 'numeric',
  t: 'text',
  long: 'text',
  u: 'uuid',
  d: 'date',
  ts: 'timestamptz',
  j: 'jsonb',
  list: 'int4[]',
}

it('gives rows older than a column its missing value', { timeout: 60_000 }, async () => {
  oracle = await Oracle.initdb({ args: ['--locale-provider=builtin', '--locale=C.UTF-8'] })
  await oracle.start()
  const client = await oracle.client()
  await client.query('create table t (id int8 primary key, dropped text)')
  await client.query("insert into t select g, 'gone' from generate_series(1, 100) g")
  await client.query('alter table t drop column dropped')
  for (const [name, value] of Object.entries(added)) {
    await client.query(
      `alter table t add column ${name} ${types[name as keyof typeof added]} default ${value}`,
    )
  }
  await client.query('insert into t (id, i) values (101, 8)')
  const missing = await client.query(
    "select count(*)::int as n from pg_attribute where attrelid = 't'::regclass and atthasmissing",
  )
  expect(missing.rows).toEqual([{ n: Object.keys(added).length }])
  await oracle.stop()

  const cluster = await Cluster.open(oracle.dir, { int8: 'bigint' })
  const session = await cluster.connect()
  const table = session.table('t')
  const rows = [...table.scan()]
  expect(rows).toHaveLength(101)
  for (const row of rows) {
    expect(row).toMatchObject({
      b: true,
      i: row.id === 101n ? 8 : 7,
      big: 9007199254740993n,
      f: 1.5,
      n: '12345.6789',
      t: 'text, é',
      long: 'x'.repeat(3000),
      u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      d: '2020-02-29',
      j: { a: [1, null] },
      list: [1, 2, null],
    })
  }
  expect(table.get(5n)).toMatchObject({ i: 7 })
  // Writing an old row fills the missing values in.
  await table.update(5n, { t: 'changed' })
  await cluster.close()

  await oracle.start()
  const again = await oracle.client()
  const answer = await again.query(
    "select count(*)::int as n from t where length(long) = 3000 and i in (7, 8) and d = '2020-02-29'",
  )
  expect(answer.rows).toEqual([{ n: 101 }])
  expect((await again.query('select t, i from t where id = 5')).rows).toEqual([
    { t: 'changed', i: 7 },
  ])
  expect(await amcheck(again)).toEqual([])
})
