// Variable: an operand of a condition as estimates see it: a column of a table, with what is known of it, or something else.
//
// Source: examine_variable and get_variable_numdistinct in src/backend/utils/adt/selfuncs.c, PostgreSQL 18.
import type { NativeExpression } from '../binding/native.ts'
import type { TypeCodec } from '../types/index.ts'
import type { ColumnReference } from './expression.ts'
import { typeOids } from './operator-types.ts'
import type { ColumnStatistics, TableStatistics } from './table-statistics.ts'

/** Which columns of tables the columns of an operator's batches are; undefined where they are computed. */
export type Origins = readonly (ColumnReference | undefined)[]

export interface Variable {
  /** Undefined for an expression. */
  column: ColumnReference | undefined
  codec: TypeCodec
  statistics: ColumnStatistics | undefined
  /** Rows of its table; 0 if there is none. */
  tuples: number
  /** No two rows have the same. */
  isUnique: boolean
  /** An index tells which values are first and last. */
  isIndexed: boolean
}

const distinctByDefault = 200
const sameOperators: readonly (readonly number[])[] = [
  [typeOids.int2, typeOids.int4, typeOids.int8],
  [typeOids.float4, typeOids.float8],
  [typeOids.text, typeOids.varchar],
]

// Operators of PostgreSQL's take both types as they are, where ours make one of the other.
function isSeenThrough(from: number, to: number): boolean {
  return sameOperators.some((types) => types.includes(from) && types.includes(to))
}

/** The column that a comparison is about, without the cast that it may need here. */
export function bareColumn<C>(
  expression: { kind: string } & C,
): (C & { kind: 'column' }) | undefined {
  const given = expression as unknown as NativeExpression
  if (given.kind === 'column') return given as unknown as C & { kind: 'column' }
  if (given.kind !== 'cast' || given.operand.kind !== 'column') return undefined
  const isSeen = isSeenThrough(given.operand.type.oid, given.type.oid)
  return isSeen ? (given.operand as unknown as C & { kind: 'column' }) : undefined
}

/** The table's variable of that attribute. */
export function columnVariable(
  statistics: TableStatistics,
  reference: ColumnReference,
): Variable | undefined {
  const { relation, tuples } = statistics
  const column = relation.columns.find(({ attribute }) => attribute === reference.attribute)
  if (column === undefined) return undefined
  const usable = relation.indexes.flatMap((index, i) =>
    index.unusableBecause === undefined ? [relation.access.descriptor.indexes[i]] : [],
  )
  const leading = usable.filter((index) => index?.columns[0]?.attribute === reference.attribute)
  return {
    column: reference,
    codec: column.codec,
    statistics: statistics.column(reference.attribute),
    tuples,
    isUnique: leading.some((index) => index?.unique && index.keyCount === 1),
    isIndexed: leading.length > 0,
  }
}

/** Rows, as estimates have them: a whole number, and never none. */
export function clampRows(rows: number): number {
  if (Number.isNaN(rows) || rows > 1e100) return 1e100
  return rows <= 1 ? 1 : roundEven(rows)
}

function roundEven(value: number): number {
  const whole = Math.round(value)
  return Math.abs(value % 1) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole
}

/** How many different values there are. */
export function distinctValues({ statistics, codec, tuples, isUnique }: Variable): {
  count: number
  isDefault: boolean
} {
  let distinct = statistics?.distinct ?? 0
  if (statistics === undefined && codec.oid === typeOids.bool) distinct = 2
  if (isUnique) distinct = -(1 - (statistics?.nullFraction ?? 0))
  if (distinct > 0) return { count: clampRows(distinct), isDefault: false }
  if (tuples <= 0) return { count: distinctByDefault, isDefault: true }
  if (distinct < 0) return { count: clampRows(-distinct * tuples), isDefault: false }
  if (tuples < distinctByDefault) return { count: clampRows(tuples), isDefault: false }
  return { count: distinctByDefault, isDefault: true }
}
