// Tables for tests of queries: columns of the ordinary types, with nulls, duplicates and edge values, made by SQL from a
// seed.
import type { Random } from './random.ts'

export type Family = 'number' | 'text' | 'time' | 'other'

export interface QueryColumn {
  name: string
  type: string
  family: Family
  /** Values as SQL reads them; few, so that they repeat. */
  pool: string[]
}

export interface QueryTable {
  name: string
  columns: QueryColumn[]
  /** Columns that an index begins with. */
  indexed: string[]
}

const kinds: { type: string; family: Family; pool: (random: Random) => string }[] = [
  { type: 'int2', family: 'number', pool: (r) => String(r.int(-20, 20)) },
  { type: 'int4', family: 'number', pool: (r) => String(r.int(-50, 50)) },
  { type: 'int8', family: 'number', pool: (r) => String(r.int(-1000, 1000) * 1_000_003) },
  { type: 'float4', family: 'number', pool: (r) => String(r.int(-400, 400) / 8) },
  {
    type: 'float8',
    family: 'number',
    pool: (r) => r.pick(['NaN', '-0', '1e15', String(r.int(-999, 999) / 7)]),
  },
  { type: 'numeric', family: 'number', pool: (r) => numericText(r) },
  { type: 'numeric(8,3)', family: 'number', pool: (r) => String(r.int(-99_999, 99_999) / 1000) },
  {
    type: 'text',
    family: 'text',
    pool: (r) => r.text(['a', 'b', 'ä', '%', '_', '\\', ' ', '日'], 5),
  },
  { type: 'varchar(8)', family: 'text', pool: (r) => r.text(['x', 'y', 'Z', 'é'], 8) },
  { type: 'char(6)', family: 'text', pool: (r) => r.text(['m', 'n', ' '], 6) },
  { type: 'bool', family: 'other', pool: (r) => r.pick(['true', 'false']) },
  {
    type: 'date',
    family: 'time',
    pool: (r) => `20${10 + r.int(0, 20)}-0${r.int(1, 9)}-1${r.int(0, 9)}`,
  },
  {
    type: 'timestamp',
    family: 'time',
    pool: (r) => `2020-01-0${r.int(1, 9)} 0${r.int(0, 9)}:00:00.${r.int(0, 9)}`,
  },
  {
    type: 'uuid',
    family: 'other',
    pool: (r) => `${r.int(10, 99)}000000-0000-4000-8000-0000000000${r.int(10, 99)}`,
  },
  {
    type: 'bytea',
    family: 'other',
    pool: (r) => `\\x${r.int(0, 255).toString(16).padStart(2, '0')}`,
  },
]

function numericText(random: Random): string {
  const whole = random.pick(['0', '7', '123', '99999999', random.digits(random.int(1, 30))])
  const fraction = random.pick(['', '.5', '.0001', `.${random.digits(random.int(1, 25))}`])
  return (random.chance(0.4) ? '-' : '') + whole.replace(/^0+(?=\d)/, '') + fraction
}

/** Tables whose columns cover the types, `columnsMax` in each. */
export function queryTables(random: Random, count: number, columnsMax: number): QueryTable[] {
  return Array.from({ length: count }, (_, t) => {
    const columns: QueryColumn[] = [
      { name: 'id', type: 'int4', family: 'number', pool: [] },
      { name: 'k', type: 'int4', family: 'number', pool: ['1', '2', '3', '4', '5', '6', '7'] },
    ]
    for (let c = 0; c < columnsMax; c++) {
      const kind = kinds[(t * columnsMax + c) % kinds.length] as (typeof kinds)[number]
      const pool = Array.from({ length: random.int(2, 12) }, () => kind.pool(random))
      columns.push({ name: `c${c}`, type: kind.type, family: kind.family, pool })
    }
    return { name: `t${t}`, columns, indexed: ['id', 'k'] }
  })
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

/** The statements that make the table and its rows; the ids are 1, 2, … */
export function tableSql(random: Random, table: QueryTable, rows: number): string[] {
  const { name, columns } = table
  const list = columns.map((one) => `${one.name} ${one.type}`).join(', ')
  const statements = [`create table ${name} (${list}, primary key (id))`]
  for (let from = 1; from <= rows; from += 500) {
    const tuples: string[] = []
    for (let id = from; id < from + 500 && id <= rows; id++) {
      const cells = columns.map(({ name: column, pool }) => {
        if (column === 'id') return String(id)
        return random.chance(0.15) ? 'null' : quoted(random.pick(pool))
      })
      tuples.push(`(${cells.join(', ')})`)
    }
    statements.push(`insert into ${name} values ${tuples.join(', ')}`)
  }
  return [...statements, ...indexSql(random, table)]
}

// Indexes, of which some have an order of their own, and what ANALYZE finds out, of some tables.
function indexSql(random: Random, { name, columns, indexed }: QueryTable): string[] {
  const statements = [`create index on ${name} (k)`]
  for (let i = random.int(1, 4); i > 0; i--) {
    const keys = Array.from({ length: random.int(1, 2) }, () => random.pick(columns).name)
    const list = [...new Set(keys)].map(
      (key) => `${key}${random.pick(['', ' desc', ' nulls first'])}`,
    )
    statements.push(`create index on ${name} (${list.join(', ')})`)
    indexed.push(keys[0] as string)
  }
  if (random.chance(0.7)) statements.push(`analyze ${name}`)
  return statements
}
