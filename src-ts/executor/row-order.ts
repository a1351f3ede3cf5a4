// ORDER BY, LIMIT and OFFSET.
import type { NativePlanNode, NativeSortKey } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { malformed, nativeType, type ResultType } from './expression.ts'
import { defaultCollation } from './operator-types.ts'
import type { Expression, OrderBy } from './query.ts'

export interface RowCounts {
  /** Undefined: all. */
  limit: number | undefined
  offset: number
}

function count(name: 'limit' | 'offset', given: number | bigint | undefined): number | undefined {
  if (given === undefined) return undefined
  const value = Number(given)
  if (Number.isSafeInteger(value) && value >= 0) return value
  const isLimit = name === 'limit'
  if (value < 0) {
    throw new PgError(
      isLimit ? '2201W' : '2201X',
      `${isLimit ? 'LIMIT' : 'OFFSET'} must not be negative`,
    )
  }
  throw malformed(`"${name}" takes a whole number`)
}

/** Throws 2201W, 2201X. */
export function rowCounts(query: { limit?: number | bigint; offset?: number | bigint }): RowCounts {
  return { limit: count('limit', query.limit), offset: count('offset', query.offset) ?? 0 }
}

export function limitNode(child: NativePlanNode, { limit, offset }: RowCounts): NativePlanNode {
  if (limit === undefined && offset === 0) return child
  return { node: 'limit', child, ...(limit !== undefined && { limit }), offset }
}

/** What is ordered by, and how. */
export function analyzeOrder(given: OrderBy): {
  column: string | Expression
  descending: boolean
  nullsFirst: boolean
} {
  const { column, direction = 'asc', nulls } = typeof given === 'string' ? { column: given } : given
  if (direction !== 'asc' && direction !== 'desc')
    throw malformed(`unknown direction "${direction}"`)
  const descending = direction === 'desc'
  return { column, descending, nullsFirst: nulls === undefined ? descending : nulls === 'first' }
}

// C, POSIX, ucs_basic, pg_c_utf8. Source: src/include/catalog/pg_collation.dat, PostgreSQL 18.
const bytewiseCollations: readonly number[] = [950, 951, 962, 811]

/** Can values be sorted, or does their order depend on a collation that we do not have? */
export function isSortable({ collation }: ResultType, bytewiseDefaultCollation: boolean): boolean {
  if (collation === defaultCollation) return bytewiseDefaultCollation
  return collation === 0 || bytewiseCollations.includes(collation)
}

/** A sort of batches of such columns, of which `counts` says what is asked for. */
export function sortNode(
  child: NativePlanNode,
  columns: readonly { type: ResultType }[],
  keys: NativeSortKey[],
  { limit, offset }: RowCounts,
): NativePlanNode {
  const wanted = limit === undefined ? undefined : limit + offset
  return {
    node: 'sort',
    child,
    columns: columns.map(({ type }) => nativeType(type)),
    keys,
    ...(wanted !== undefined && wanted > 0 && { limit: wanted }),
  }
}
