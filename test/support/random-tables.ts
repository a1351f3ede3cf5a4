// Random tables for tests that hand a cluster over between pgdata and PostgreSQL: shapes, values and indexes made
// from a seed, every value as the text of the type's output function, so that both sides can take and give it.
import type pg from 'pg'
import { PgError } from '../../src-ts/errors/pg-error.ts'
import type { Session } from '../../src-ts/index.ts'
import { codecFor, parseTypeName, type TypeCodec } from '../../src-ts/types/index.ts'
import { arrayInputs, scalarInputs, type TypeInputs } from '../oracle/types-inputs.ts'
import type { Random } from './random.ts'

/** A value as text; null is NULL. */
export type TextRow = (string | null)[]

export interface RandomColumn {
  name: string
  type: string
  nullable: boolean
  /** Now and then has values of up to 1 MB. */
  wide: boolean
}

export interface RandomIndexColumn {
  column: string
  desc: boolean
  nulls: 'first' | 'last'
}

export interface RandomIndex {
  name: string
  columns: RandomIndexColumn[]
  include: string[]
  unique: boolean
}

export interface RandomTable {
  name: string
  /** The first column is the key. */
  columns: RandomColumn[]
  indexes: RandomIndex[]
}

// How clusters are opened for these tables: nothing is lost on the way to JavaScript.
export const openOptions = {
  int8: 'bigint',
  json: 'text',
  settings: { fsync: false },
} as const

// Types without a default B-tree operator class.
const withoutOrder = /^(json|xid|cid)(\[\])?$/
// bpchar without a length keeps trailing blanks that its comparison ignores, while its operator class claims that equal
// values have equal bytes (btvarstrequalimage). PostgreSQL 18 then merges '' and '  ' when a posting list is split, and
// its own amcheck finds the one "lacks matching index tuple"; an index of ours does the same.
const withoutOneImage = /^bpchar$/
// An oidvector holds no more than an index tuple, which nothing enforces on input; names of relations may not exist.
const left = /^(oidvector|int2vector|reg|cid|xid$|interval .*|json\[\]|jsonb\[\])/
const valuesPerType = 60

const pools = new Map<string, string[]>()

export function codecOf(type: string): TypeCodec {
  const { oid, typmod } = parseTypeName(type)
  return codecFor(oid, typmod, openOptions)
}

// Texts that the type takes, in its own output form, of which JavaScript's form loses nothing.
function poolOf({ type, edges, random: randomText }: TypeInputs, random: Random): string[] {
  let pool = pools.get(type)
  if (pool !== undefined) return pool
  const codec = codecOf(type)
  pool = []
  const inputs = [...edges]
  for (let i = 0; i < valuesPerType; i++) inputs.push(randomText(random))
  for (const input of inputs) {
    try {
      const text = codec.toText(codec.fromText(input))
      // Lower bounds of arrays are lost in JavaScript; some extreme values print as what is refused as input.
      if (text.length > 400 || text.startsWith('[')) continue
      const value = codec.fromLane(codec.fromText(text))
      if (codec.toText(codec.toLane(value)) === text) pool.push(text)
    } catch (error) {
      if (!(error instanceof PgError)) throw error
    }
  }
  pools.set(type, pool)
  return pool
}

const usedInputs: readonly TypeInputs[] = [...scalarInputs, ...arrayInputs].filter(
  ({ type }) => !left.test(type),
)
export const usedTypes: readonly string[] = [...new Set(usedInputs.map(({ type }) => type))]

function wideText(random: Random): string {
  const length = random.pick([1990, 2040, 3000, 9000, 40_000, 1_000_000])
  if (random.chance(0.5)) return random.text(['abc ', 'repeats '], 3).padEnd(length, 'wide value ')
  let text = ''
  while (text.length < length) text += random.int(0, 2 ** 31).toString(36)
  return text
}

/** A table whose first columns have the types at `position`, so that a run of tables covers all types. */
export function randomTable(random: Random, position: number): RandomTable {
  const count = random.int(1, 9)
  const columns: RandomColumn[] = [{ name: 'key', type: 'int4', nullable: false, wide: false }]
  for (let i = 0; i < count; i++) {
    const type = i < 5 ? usedTypes[(position * 5 + i) % usedTypes.length] : random.pick(usedTypes)
    columns.push({ name: `c${i}`, type: type as string, nullable: random.chance(0.7), wide: false })
  }
  if (random.chance(0.5)) {
    columns.push({ name: 'wide', type: random.pick(['text', 'bytea']), nullable: true, wide: true })
  }
  const keys = columns.filter(
    ({ type, wide }) => !wide && !withoutOrder.test(type) && !withoutOneImage.test(type),
  )
  const indexes: RandomIndex[] = []
  const name = `random_${position}`
  for (let i = random.int(0, 3); i > 0; i--) {
    const chosen = new Set<RandomColumn>()
    for (let n = random.int(1, 4); n > 0; n--) chosen.add(random.pick(keys))
    const unique = random.chance(0.2)
    if (unique) chosen.add(columns[0] as RandomColumn)
    const rest = keys.filter((column) => !chosen.has(column))
    indexes.push({
      name: `${name}_i${i}`,
      columns: [...chosen].map((column) => ({
        column: column.name,
        desc: random.chance(0.5),
        nulls: random.pick(['first', 'last'] as const),
      })),
      include: rest.length > 0 && random.chance(0.25) ? [random.pick(rest).name] : [],
      unique,
    })
  }
  return { name, columns, indexes }
}

/** Rows for the table, with keys from `from` on. */
export function randomRows(
  random: Random,
  table: RandomTable,
  from: number,
  count: number,
): TextRow[] {
  const inputs = table.columns.map(({ type }) =>
    poolOf(usedInputs.find((one) => one.type === type) as TypeInputs, random),
  )
  let wideLeft = 12
  return Array.from({ length: count }, (_, i) =>
    table.columns.map(({ nullable, wide, type }, c) => {
      if (c === 0) return String(from + i)
      if (nullable && random.chance(0.2)) return null
      if (wide && wideLeft > 0 && random.chance(0.1)) {
        wideLeft -= 1
        const text = wideText(random)
        return type === 'bytea' ? `\\x${Buffer.from(text).toString('hex')}` : text
      }
      return random.pick(inputs[c] as string[])
    }),
  )
}

function quote(name: string): string {
  return `"${name}"`
}

function indexColumnSql({ column, desc, nulls }: RandomIndexColumn): string {
  return `${quote(column)} ${desc ? 'desc' : 'asc'} nulls ${nulls}`
}

/** The statements that make the table in PostgreSQL; its indexes come after `rows`. */
export function createTableSql({ name, columns }: RandomTable): string {
  const list = columns.map(
    ({ name: column, type, nullable }, i) =>
      `${quote(column)} ${type}${nullable ? '' : ' not null'}${i === 0 ? ' primary key' : ''}`,
  )
  return `create table ${name} (${list.join(', ')})`
}

export function createIndexSql(table: RandomTable): string[] {
  return table.indexes.map(({ name, columns, include, unique }) => {
    const included = include.length === 0 ? '' : ` include (${include.map(quote).join(', ')})`
    return `create ${unique ? 'unique ' : ''}index ${name} on ${table.name} (${columns
      .map(indexColumnSql)
      .join(', ')})${included}`
  })
}

/** Inserts rows through SQL. */
export async function insertBySql(
  client: pg.Client,
  table: RandomTable,
  rows: readonly TextRow[],
): Promise<void> {
  const names = table.columns.map(({ name }) => quote(name)).join(', ')
  const casts = table.columns.map(({ type }, i) => `v[${i + 1}]::${type}`).join(', ')
  for (let at = 0; at < rows.length; at += 5000) {
    // One text per row keeps rows with arrays apart from each other: a JSON array of texts.
    await client.query(
      `insert into ${table.name} (${names})
       select ${casts} from (
         select array(select e from jsonb_array_elements_text(r) with ordinality as x(e, n) order by n) as v
           from jsonb_array_elements($1::jsonb) as r) as given`,
      [JSON.stringify(rows.slice(at, at + 5000))],
    )
  }
}

const asText = { getTypeParser: () => (value: unknown) => value }

/** All rows as PostgreSQL's output functions print them. */
export async function readBySql(client: pg.Client, table: RandomTable): Promise<TextRow[]> {
  const names = table.columns.map(({ name }) => quote(name)).join(', ')
  const { rows } = await client.query({
    text: `select ${names} from ${table.name}`,
    rowMode: 'array',
    types: asText as unknown as pg.CustomTypesConfig,
  })
  return rows as unknown as TextRow[]
}

/** For every row, by its key, its place in the order of the index; rows that the index holds equal share one. */
export async function ranksBySql(
  client: pg.Client,
  { name }: RandomTable,
  index: RandomIndex,
): Promise<Map<string, number>> {
  const order = index.columns.map(indexColumnSql).join(', ')
  const { rows } = await client.query<{ key: string; rank: number }>(
    `select key::text, dense_rank() over (order by ${order})::int as rank from ${name}`,
  )
  return new Map(rows.map(({ key, rank }) => [key, rank]))
}

/** JavaScript rows as the texts that PostgreSQL would print. */
export function textRows(table: RandomTable, rows: Iterable<object>): TextRow[] {
  const codecs = table.columns.map(({ name, type }) => ({ name, codec: codecOf(type) }))
  const result: TextRow[] = []
  for (const row of rows) {
    result.push(
      codecs.map(({ name, codec }) => {
        const value = (row as Record<string, unknown>)[name]
        return value === null ? null : codec.toText(codec.toLane(value))
      }),
    )
  }
  return result
}

/** Rows for Table.insertMany. */
export function objectRows(
  table: RandomTable,
  rows: readonly TextRow[],
): Record<string, string | null>[] {
  return rows.map((row) =>
    Object.fromEntries(table.columns.map(({ name }, i) => [name, row[i] as string | null])),
  )
}

/** All rows through a sequential scan, or through an index. */
export function readByTable(
  session: Session,
  table: RandomTable,
  index?: string,
  reverse = false,
): TextRow[] {
  const opened = session.table(table.name)
  return textRows(table, index === undefined ? opened.scan() : opened.range({ index, reverse }))
}

/** The rows in an order of their own, for comparing sets of rows. */
export function sorted(rows: readonly TextRow[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}

/** The primary key as an index of the table. */
export function primaryKey(table: RandomTable): RandomIndex {
  return {
    name: `${table.name}_pkey`,
    columns: [{ column: 'key', desc: false, nulls: 'last' }],
    include: [],
    unique: true,
  }
}
