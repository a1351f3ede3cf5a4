// Scope: the tables of a query and the columns that names in it mean.
import { PgError } from '../errors/pg-error.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { type ColumnReference, nativeType, type ResultType, type Typed } from './expression.ts'
import type { Query, Select } from './query.ts'
import { isSetOperation, operandsOf } from './set-operation.ts'

export interface ScopeTable {
  relation: RelationInfo
  /** The name by which the query knows it. */
  alias: string
  /** Of a semi or anti join: only `on` may name its columns. */
  isHidden: boolean
}

/** A column that a name means. */
export interface ScopeColumn extends Typed {
  /** Without the table's. */
  name: string
}

function collationOf(relation: RelationInfo, attribute: number): number {
  return relation.access.descriptor.attributes[attribute - 1]?.collation ?? 0
}

export class Scope {
  /** Of the whole plan. */
  readonly tables: readonly ScopeTable[]
  /** The first one that is known here. */
  readonly first: number
  readonly #end: number

  /**
   * Of a SELECT among several, only `count` tables are known to it, from `first` on. Throws 42712 when two of them go
   * by the same name.
   */
  constructor(tables: readonly ScopeTable[], first = 0, count = tables.length) {
    this.first = first
    this.#end = first + count
    const seen = new Set<string>()
    for (const { alias } of tables.slice(first, this.#end)) {
      if (seen.has(alias)) {
        throw new PgError('42712', `table name "${alias}" specified more than once`)
      }
      seen.add(alias)
    }
    this.tables = tables
  }

  /** The column of that name, alone or after its table's; of hidden tables, too. Throws 42703, 42702, 42P01. */
  column(name: string, ofHidden = false): ScopeColumn {
    return this.#column(
      name,
      (one, table) => table >= this.first && table < this.#end && (ofHidden || !one.isHidden),
    )
  }

  /** The same in the conditions of the join of a table: what it and those before it have. */
  columnOfJoin(name: string, joined: number): ScopeColumn {
    return this.#column(
      name,
      (one, table) => table === joined || (table >= this.first && table < joined && !one.isHidden),
    )
  }

  #column(name: string, isKnown: (one: ScopeTable, table: number) => boolean): ScopeColumn {
    const found = this.tables.flatMap((one, table) =>
      isKnown(one, table) ? this.#columnsOf(table, name) : [],
    )
    if (found.length > 1) throw new PgError('42702', `column reference "${name}" is ambiguous`)
    if (found[0] !== undefined) return found[0]
    const dot = name.indexOf('.')
    if (dot < 0) throw new PgError('42703', `column "${name}" does not exist`, { column: name })
    const [alias, column] = [name.substring(0, dot), name.substring(dot + 1)]
    const table = this.tables.findIndex((one, i) => one.alias === alias && isKnown(one, i))
    if (table < 0) {
      throw new PgError('42P01', `missing FROM-clause entry for table "${alias}"`, { table: alias })
    }
    const [qualified] = this.#columnsOf(table, column)
    if (qualified === undefined) {
      throw new PgError('42703', `column ${alias}.${column} does not exist`, { column })
    }
    return qualified
  }

  /** A column's name after its table's, as messages have it. */
  qualifiedName(name: string): string {
    const { table, attribute } = this.column(name).expression as unknown as ColumnReference
    const { alias, relation } = this.tables[table] as ScopeTable
    const column = relation.columns.find((one) => one.attribute === attribute)
    return `${alias}.${column?.name}`
  }

  /** All columns of all tables, in order. */
  columns(): ScopeColumn[] {
    return this.tables
      .slice(this.first, this.#end)
      .flatMap(({ isHidden }, i) => (isHidden ? [] : this.#columnsOf(this.first + i)))
  }

  typeOf({ table, attribute }: ColumnReference): ResultType {
    const { relation } = this.tables[table] as ScopeTable
    const column = relation.columns.find((one) => one.attribute === attribute)
    if (column === undefined) throw new RangeError(`relation has no column number ${attribute}`)
    return { codec: column.codec, collation: collationOf(relation, attribute) }
  }

  #columnsOf(table: number, wanted?: string): ScopeColumn[] {
    const { relation } = this.tables[table] as ScopeTable
    return relation.columns
      .filter(({ name }) => wanted === undefined || name === wanted)
      .map(({ name, attribute, codec }) => {
        const type = { codec, collation: collationOf(relation, attribute) }
        return {
          name,
          type,
          expression: { kind: 'column', type: nativeType(type), table, attribute },
        }
      })
  }
}

interface NamedTable {
  table: string
  alias: string | undefined
  isHidden: boolean
}

/** The tables that a SELECT names, in order. */
export function tablesOfSelect({ from, join = [] }: Select): NamedTable[] {
  const first = typeof from === 'string' ? { table: from, as: undefined } : from
  return [
    { table: first.table, alias: first.as, isHidden: false },
    ...join.map(({ table, as, type }) => ({
      table,
      alias: as,
      isHidden: type === 'semi' || type === 'anti',
    })),
  ]
}

/** The tables that a query names, in order. Throws 42601. */
export function tablesOfQuery(query: Query): NamedTable[] {
  return isSetOperation(query)
    ? operandsOf(query).queries.flatMap(tablesOfQuery)
    : tablesOfSelect(query)
}
