// Statements that change rows, against PostgreSQL.
// Goal: they change the same rows, give the same and fail alike; and stock finds nothing wrong in what they leave.
// Method: stock makes tables of all ordinary types from a seed; random statements run in transactions, some of which are
// rolled back, by stock as SQL and by us as requests, on a copy of the directory; what they give, and the tables now and
// then, are compared as texts. Then stock opens our directory.
import { cpSync } from 'node:fs'
import pg from 'pg'
import { expect, test } from 'vitest'
import { Cluster, PgError, type Session, type Transaction } from '../../src-ts/index.ts'
import { codecFor } from '../../src-ts/types/index.ts'
import { ChangeGenerator, type GeneratedChange } from '../support/change-generator.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { openOptions } from '../support/query-outcome.ts'
import { type QueryTable, queryTables, tableSql } from '../support/query-tables.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

const seed = Number(process.env.PGDATA_SEED ?? 18)
const statements = process.env.PGDATA_TEST_FULL ? 3000 : 250
const asText = { getTypeParser: () => (value: unknown) => value } as unknown as pg.CustomTypesConfig

type Outcome = number | string[] | { error: string }
type Fields = readonly pg.FieldDef[]

// Of two rows whose values fail differently, which one is told depends on the order of evaluation: row by row in stock, a
// batch's expressions one after the other in ours.
function told({ code, message, detail }: Pick<PgError, 'code' | 'message' | 'detail'>): Outcome {
  return { error: code.startsWith('22') ? '22' : `${code} ${message} ${detail ?? ''}` }
}

async function stockOutcome(
  client: pg.Client,
  sql: string,
): Promise<{ outcome: Outcome; fields: Fields }> {
  await client.query('savepoint s')
  try {
    const result = await client.query({ text: sql, rowMode: 'array', types: asText })
    const { rows, fields, rowCount } = result
    if (fields.length === 0) return { outcome: rowCount ?? 0, fields }
    return { outcome: (rows as unknown[]).map((row) => JSON.stringify(row)).sort(), fields }
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    await client.query('rollback to s')
    return { outcome: told(error as unknown as PgError), fields: [] }
  }
}

function texts(rows: readonly object[], fields: Fields): string[] {
  const codecs = fields.map(({ dataTypeID }) => codecFor(dataTypeID, -1, openOptions))
  return rows
    .map((row) => {
      expect(Object.keys(row)).toEqual(fields.map(({ name }) => name))
      return JSON.stringify(
        Object.values(row).map((value, i) => {
          const codec = codecs[i] as (typeof codecs)[number]
          return value === null ? null : codec.toText(codec.toLane(value))
        }),
      )
    })
    .sort()
}

async function ourOutcome(
  tx: Transaction,
  session: Session,
  change: GeneratedChange,
  fields: Fields,
): Promise<Outcome> {
  try {
    const table = session.table(change.table)
    const result = await tx.savepoint((sp): Promise<unknown> => {
      if (change.kind === 'insert') return sp.insertMany(table, change.rows, change.request)
      return change.kind === 'update'
        ? sp.updateWhere(table, change.request)
        : sp.deleteWhere(table, change.request)
    })
    return Array.isArray(result) ? texts(result, fields) : (result as number)
  } catch (error) {
    if (!(error instanceof PgError)) throw error
    return told(error)
  }
}

async function compareTables(client: pg.Client, session: Session, tables: readonly QueryTable[]) {
  for (const { name } of tables) {
    const { rows, fields } = await client.query({
      text: `select * from ${name}`,
      rowMode: 'array',
      types: asText,
    })
    const stock = (rows as unknown[]).map((row) => JSON.stringify(row)).sort()
    expect(texts([...session.table(name).scan()], fields)).toEqual(stock)
  }
}

class Undone extends Error {}

test('random statements change what stock changes', { timeout: 600_000 }, async () => {
  console.log(`change: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  await using oracle = await Oracle.initdb()
  await oracle.start({ fsync: 'off' })
  let client = await oracle.client()
  const tables = queryTables(random, 4, 8)
  for (const table of tables) {
    for (const sql of tableSql(random, table, random.pick([20, 200, 900]))) await client.query(sql)
    await client.query(`create index on ${table.name} (k, c0)`)
  }
  await client.end()
  await oracle.stop()
  const copy = temporaryPath('change')
  cpSync(oracle.dir, copy, { recursive: true })
  await oracle.start()
  client = await oracle.client()
  const counts = { changed: 0, errors: 0 }
  {
    await using cluster = await Cluster.open(copy, { ...openOptions, settings: { fsync: false } })
    await using session = await cluster.connect()
    const generator = new ChangeGenerator(random, tables)
    for (let i = 0; i < statements; ) {
      const isUndone = random.chance(0.6)
      await client.query('begin')
      await session
        .transaction(async (tx) => {
          for (let n = random.int(1, 5); n > 0; n--, i++) {
            const change = generator.nextChange()
            const stock = await stockOutcome(client, change.sql)
            const ours = await ourOutcome(tx, session, change, stock.fields)
            const what = `statement ${i}: ${change.sql}\n${JSON.stringify(change)}`
            expect(ours, what).toEqual(stock.outcome)
            if (typeof ours === 'object' && 'error' in ours) counts.errors++
            else counts.changed++
          }
          if (isUndone) throw new Undone()
        })
        .catch((error) => {
          if (!(error instanceof Undone)) throw error
        })
      await client.query(isUndone ? 'rollback' : 'commit')
      if (random.chance(0.1)) await compareTables(client, session, tables)
    }
    await compareTables(client, session, tables)
  }
  await client.end()
  expect(counts.changed).toBeGreaterThan(statements / 2)
  const adopted = Oracle.adopt(copy)
  await adopted.start({ fsync: 'off' })
  const checker = await adopted.client()
  expect(await amcheck(checker)).toEqual([])
  await checker.end()
  await adopted.stop()
})
