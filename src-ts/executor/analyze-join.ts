// Analysis of the joins of a query object: their conditions, and which of them are equalities of both sides.
import { PgError } from '../errors/pg-error.ts'
import { analyzeConditions } from './analyze-conditions.ts'
import { type BoundExpression, isPlainObject, malformed } from './expression.ts'
import { tablesOf } from './index-match.ts'
import type { JoinType } from './join-costs.ts'
import type { CodecOf } from './operator-types.ts'
import type { Conditions, Join } from './query.ts'
import type { Scope } from './scope.ts'

/** An equality of what one side has with what the other one has. */
export interface JoinKey {
  left: BoundExpression
  right: BoundExpression
  condition: BoundExpression
}

export interface AnalyzedJoin {
  type: JoinType
  keys: readonly JoinKey[]
  /** What else must be true of a pair of rows. */
  filter: readonly BoundExpression[]
}

/** Before it is known where the conditions are tested. */
export interface JoinConditions {
  type: JoinType
  conditions: BoundExpression[]
}

const joinTypes: readonly string[] = ['inner', 'left', 'right', 'full', 'semi', 'anti', 'cross']

// A plain text beside a column's name means a column.
function withColumns(given: unknown): Conditions {
  if (!isPlainObject(given)) throw malformed('"on" of a join takes conditions')
  const entries = Object.entries(given).map(([name, wanted]) => {
    if ((name === 'and' || name === 'or') && Array.isArray(wanted))
      return [name, wanted.map(withColumns)]
    if (name === 'not') return [name, withColumns(wanted)]
    const isColumn = typeof wanted === 'string' && name !== 'isNull'
    return [name, isColumn ? { '=': { column: wanted } } : wanted]
  })
  return Object.fromEntries(entries)
}

/** `table`: the one that is joined. */
export function analyzeJoin(
  codecOf: CodecOf,
  scope: Scope,
  { type = 'inner', on }: Join,
  table: number,
): JoinConditions {
  if (!joinTypes.includes(type)) throw malformed(`unknown type of join "${type}"`)
  if (type === 'cross') {
    if (on !== undefined) throw malformed('a cross join has no "on"')
    return { type: 'inner', conditions: [] }
  }
  if (on === undefined || Object.keys(on).length === 0)
    throw malformed('a join needs conditions in "on"')
  const names = { codecOf, column: (name: string) => scope.columnOfJoin(name, table) }
  return { type, conditions: analyzeConditions(names, withColumns(on)) }
}

function keyOf(condition: BoundExpression, table: number): JoinKey | undefined {
  if (condition.kind !== 'comparison' || condition.operator !== '=') return undefined
  const [left, right] = [tablesOf(condition.left), tablesOf(condition.right)]
  const isOfTable = (tables: Set<number>) => tables.size === 1 && tables.has(table)
  const isOfOthers = (tables: Set<number>) => tables.size > 0 && !tables.has(table)
  if (isOfOthers(left) && isOfTable(right))
    return { left: condition.left, right: condition.right, condition }
  if (isOfTable(left) && isOfOthers(right))
    return { left: condition.right, right: condition.left, condition }
  return undefined
}

/** What a join tests, of its own conditions and of the query's. Throws 0A000 for a full join that tests no equality. */
export function joinOf(
  type: JoinType,
  conditions: readonly BoundExpression[],
  table: number,
): AnalyzedJoin {
  const keys = conditions.map((condition) => keyOf(condition, table))
  const found = keys.filter((key) => key !== undefined)
  if (type === 'full' && found.length === 0) {
    throw new PgError(
      '0A000',
      'FULL JOIN is only supported with merge-joinable or hash-joinable join conditions',
    )
  }
  // PostgreSQL makes such equalities anew from what it knows to be equal.
  if (type === 'inner' || type === 'semi') {
    for (const key of found) {
      const { left, right } = key
      key.condition = { kind: 'comparison', operator: '=', left, right }
    }
  }
  return { type, keys: found, filter: conditions.filter((_, i) => keys[i] === undefined) }
}
