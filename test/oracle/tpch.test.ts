// Queries in the shape of TPC-H's, against PostgreSQL.
// Goal: joins of up to six tables, sums of what is computed, groups in an order, existence and its opposite are what stock
// gives, with little, ordinary and much work_mem. Method: stock makes the tables from a seed; each query is run by it as SQL
// and by us as an object, on a copy of the directory.
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { openOptions, ourOutcome, stockOutcome } from '../support/query-outcome.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'
import { tpchQueries, tpchSql } from '../support/tpch.ts'

const seed = Number(process.env.PGDATA_SEED ?? 18)
const count = process.env.PGDATA_TEST_FULL ? 1000 : 56
const orders = 3000
const memories = ['64kB', '4MB', '256MB']

test('TPC-H-shaped queries give what stock gives', { timeout: 600_000 }, async () => {
  console.log(`tpch: PGDATA_SEED=${seed}`)
  await using oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  let client = await oracle.client()
  for (const sql of tpchSql(seed, orders)) await client.query(sql)
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('tpch')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  await using cluster = await Cluster.open(copy, { ...openOptions, settings: { fsync: false } })
  const session = await cluster.connect()
  let rows = 0
  for (const [i, generated] of tpchQueries(new Random(seed), count).entries()) {
    const stock = await stockOutcome(client, generated)
    expect(stock.outcome.error, `${generated.sql}`).toBeUndefined()
    rows += stock.outcome.rows?.length ?? 0
    for (const memory of memories) {
      session.set('work_mem', memory)
      const ours = await ourOutcome(session, generated, stock.fields)
      expect(ours, `work_mem ${memory}, query ${i}: ${generated.sql}`).toEqual(stock.outcome)
    }
  }
  expect(rows).toBeGreaterThan(count * 3)
  expect((await cluster.databaseStatistics()).some(({ temp_files }) => temp_files > 0)).toBe(true)
  expect(readdirSync(join(copy, 'base', 'pgsql_tmp'))).toEqual([])
  await client.end()
})
