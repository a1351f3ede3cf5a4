// A model of one table and its indexes: what each operation of the access layer must return.

export interface Row {
  id: number
  a: number | null
  b: string | null
  c: number
  u: number | null
  big: string | null
}
export type Column = keyof Row
export type Value = Row[Column]

export interface IndexDefinition {
  name: string
  columns: readonly { column: Column; desc?: boolean; nulls?: 'first' | 'last' }[]
  unique?: boolean
}

/** Those that are there from the beginning, then those that come and go. */
export const primaryKey: IndexDefinition = { name: 'p_pkey', columns: [{ column: 'id' }] }
export const uniqueIndex: IndexDefinition = {
  name: 'p_u_key',
  columns: [{ column: 'u' }],
  unique: true,
}
export const otherIndexes: readonly IndexDefinition[] = [
  { name: 'p_a_b', columns: [{ column: 'a' }, { column: 'b' }] },
  { name: 'p_b', columns: [{ column: 'b' }] },
  { name: 'p_a_desc', columns: [{ column: 'a', desc: true }, { column: 'c' }] },
  { name: 'p_c_first', columns: [{ column: 'c' }, { column: 'a', nulls: 'first' }] },
]

export type Operator = '=' | '<>' | '<' | '<=' | '>' | '>='
export type Filter = {
  column: Column
  operator: Operator | 'is null' | 'is not null'
  value?: Value
}

export interface Bounds {
  from?: Value[]
  after?: Value[]
  to?: Value[]
  before?: Value[]
}

/** Text is ordered by its bytes, as the collation C.UTF-8 does. */
export function compare(a: NonNullable<Value>, b: NonNullable<Value>): number {
  if (typeof a === 'string' && typeof b === 'string') {
    return Buffer.compare(Buffer.from(a), Buffer.from(b))
  }
  return (a as number) - (b as number)
}

export function meets(row: Row, filter: Filter): boolean {
  const value = row[filter.column]
  if (filter.operator === 'is null') return value === null
  if (filter.operator === 'is not null') return value !== null
  if (value === null) return false
  const order = compare(value, filter.value as NonNullable<Value>)
  switch (filter.operator) {
    case '=':
      return order === 0
    case '<>':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

/** In the order of the index. */
export function compareKeys(index: IndexDefinition, a: Row, b: Row): number {
  for (const { column, desc = false, nulls = desc ? 'first' : 'last' } of index.columns) {
    const [one, two] = [a[column], b[column]]
    if (one === null && two === null) continue
    if (one === null || two === null) return (one === null) === (nulls === 'first') ? -1 : 1
    const order = compare(one, two)
    if (order !== 0) return desc ? -order : order
  }
  return 0
}

// Where a row's key stands against a bound, in the order of the index: as SQL compares rows, so that a null where it is
// decided makes it unknown, which is NaN here and fails every comparison.
function compareToBound(index: IndexDefinition, row: Row, bound: readonly Value[]): number {
  for (const [i, wanted] of bound.entries()) {
    const { column, desc = false } = index.columns[i] as IndexDefinition['columns'][number]
    const value = row[column]
    if (value === null) return Number.NaN
    const order = compare(value, wanted as NonNullable<Value>)
    if (order !== 0) return desc ? -order : order
  }
  return 0
}

export function isWithin(index: IndexDefinition, row: Row, bounds: Bounds): boolean {
  const lower = bounds.from ?? bounds.after
  const upper = bounds.to ?? bounds.before
  if (lower !== undefined) {
    const order = compareToBound(index, row, lower)
    if (!(bounds.from !== undefined ? order >= 0 : order > 0)) return false
  }
  if (upper !== undefined) {
    const order = compareToBound(index, row, upper)
    if (!(bounds.to !== undefined ? order <= 0 : order < 0)) return false
  }
  return true
}

/** Refused because a unique index has the key. */
export class Duplicate extends Error {}

export class Model {
  constructor(public rows = new Map<number, Row>()) {}

  copy(): Model {
    return new Model(new Map(this.rows))
  }

  /** Throws Duplicate, changing nothing. */
  insert(rows: readonly Row[]): void {
    const ids = new Set(this.rows.keys())
    const uniques = this.#uniques()
    for (const { id, u } of rows) {
      if (ids.has(id) || (u !== null && uniques.has(u))) throw new Duplicate()
      ids.add(id)
      if (u !== null) uniques.add(u)
    }
    for (const row of rows) this.rows.set(row.id, row)
  }

  /** Whether the row is there; throws Duplicate, changing nothing. */
  update(id: number, changes: Partial<Row>): boolean {
    const old = this.rows.get(id)
    if (old === undefined) return false
    const row = { ...old, ...changes }
    if (row.id !== id && this.rows.has(row.id)) throw new Duplicate()
    if (row.u !== null && row.u !== old.u && this.#uniques().has(row.u)) throw new Duplicate()
    this.rows.delete(id)
    this.rows.set(row.id, row)
    return true
  }

  delete(id: number): boolean {
    return this.rows.delete(id)
  }

  scan(filters: readonly Filter[]): Row[] {
    return [...this.rows.values()].filter((row) => filters.every((filter) => meets(row, filter)))
  }

  range(
    index: IndexDefinition,
    bounds: Bounds,
    filters: readonly Filter[],
    reverse: boolean,
  ): Row[] {
    const rows = this.scan(filters).filter((row) => isWithin(index, row, bounds))
    rows.sort((a, b) => compareKeys(index, a, b))
    return reverse ? rows.reverse() : rows
  }

  #uniques(): Set<number> {
    return new Set([...this.rows.values()].flatMap(({ u }) => (u === null ? [] : [u])))
  }
}
