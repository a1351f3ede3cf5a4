// Queries against PostgreSQL.
// Goal: a query of ours gives the rows, the types and the errors that stock PostgreSQL gives, whatever memory it may take.
// Method: stock makes tables of all ordinary types from a seed; each of some hundred random queries is run by stock as
// SQL and by us as an object, on a copy of the directory, with little, ordinary and much work_mem; the results are compared
// as texts. Further sessions have to do without whole scans, hashes and sorts where there is another way, by indexes; without
// indexes, and without hashes or nested loops, joins are done in each of the other ways.
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { QueryGenerator } from '../support/query-generator.ts'
import { openOptions, ourOutcome, stockOutcome } from '../support/query-outcome.ts'
import { queryTables, tableSql } from '../support/query-tables.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

const seed = Number(process.env.PGDATA_SEED ?? 18)
const queries = process.env.PGDATA_TEST_FULL ? 5000 : 400
const memories = ['64kB', '4MB', '256MB']
test('random queries give what stock gives', { timeout: 600_000 }, async () => {
  console.log(`query: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  await using oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  let client = await oracle.client()
  const tables = queryTables(random, 4, 8)
  for (const table of tables) {
    for (const sql of tableSql(random, table, random.pick([0, 30, 700, 3000]))) {
      await client.query(sql)
    }
  }
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('query')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  await using cluster = await Cluster.open(copy, { ...openOptions, settings: { fsync: false } })
  const bySize: [string, Session][] = []
  for (const memory of memories) {
    const session = await cluster.connect()
    session.set('work_mem', memory)
    bySize.push([memory, session])
  }
  for (const kind of ['enable_indexscan', 'enable_bitmapscan']) {
    const session = await cluster.connect()
    session.set('work_mem', '64kB')
    for (const name of ['enable_seqscan', 'enable_hashjoin', 'enable_sort', kind]) {
      session.set(name, false)
    }
    bySize.push([`64kB without ${kind}`, session])
  }
  const inOrder = await cluster.connect()
  inOrder.set('work_mem', '64kB')
  inOrder.set('enable_hashagg', false)
  bySize.push(['64kB without enable_hashagg', inOrder])
  for (const avoided of ['enable_hashjoin', 'enable_nestloop']) {
    const session = await cluster.connect()
    session.set('work_mem', '64kB')
    for (const name of ['enable_indexscan', 'enable_bitmapscan', avoided]) session.set(name, false)
    bySize.push([`64kB without ${avoided}`, session])
  }
  const merging = await cluster.connect()
  merging.set('work_mem', '64kB')
  for (const name of ['enable_hashjoin', 'enable_nestloop']) merging.set(name, false)
  bySize.push(['64kB by merge joins', merging])
  const generator = new QueryGenerator(random, tables)
  let byBitmapAnd = 0
  const counts = {
    rows: 0,
    errors: 0,
    byIndex: 0,
    byIndexAlone: 0,
    byBitmap: 0,
    byBitmapOr: 0,
    byOrder: 0,
    byLoop: 0,
    byHash: 0,
    byMerge: 0,
    byFilter: 0,
    kept: 0,
  }
  for (let i = 0; i < queries; i++) {
    const generated = generator.next()
    const stock = await stockOutcome(client, generated)
    const what = `query ${i}: ${generated.sql}\n${JSON.stringify(generated.query)}`
    for (const [memory, session] of bySize) {
      const ours = await ourOutcome(session, generated, stock.fields)
      expect(ours, `work_mem ${memory}, ${what}`).toEqual(stock.outcome)
    }
    if (stock.outcome.error !== undefined) {
      counts.errors++
      continue
    }
    counts.rows++
    for (const [, session] of bySize) {
      const plan = await session.query(generated.query).explain()
      if (plan.includes('Index Scan using')) counts.byIndex++
      if (plan.includes('Index Only Scan using')) counts.byIndexAlone++
      if (plan.includes('Bitmap Heap Scan')) counts.byBitmap++
      if (plan.includes('BitmapOr')) counts.byBitmapOr++
      if (plan.includes('BitmapAnd')) byBitmapAnd++
      if (/Group(Aggregate)? |Unique/.test(plan)) counts.byOrder++
      if (plan.includes('Nested Loop')) counts.byLoop++
      if (/Hash .*Join/.test(plan)) counts.byHash++
      if (/Merge (\w+ )?Join/.test(plan)) counts.byMerge++
      if (plan.includes('Join Filter: ')) counts.byFilter++
      if (plan.includes('Materialize')) counts.kept++
    }
  }
  console.log({ ...counts, byBitmapAnd })
  expect(counts.rows).toBeGreaterThan(queries / 2)
  const { rows: _, errors: __, ...ways } = counts
  for (const count of Object.values(ways)) expect(count).toBeGreaterThan(queries / 20)
  // The tables are small: seldom are two indexes cheaper than one.
  expect(byBitmapAnd).toBeGreaterThan(0)
  expect(readdirSync(join(copy, 'base', 'pgsql_tmp'))).toEqual([])
  await client.end()
})
