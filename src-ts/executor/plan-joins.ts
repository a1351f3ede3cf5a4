// Planning of what a query reads: scans of its tables, and their joins.
import type { Names } from './analyze-expression.ts'
import { type BoundExpression, malformed, visitColumns } from './expression.ts'
import { type ColumnOrder, tablesOf } from './index-match.ts'
import { type AnalyzedJoin, JoinPlanner } from './join-planner.ts'
import { comparable } from './operator-types.ts'
import type { PlanCosts } from './plan-costs.ts'
import { type Candidate, ScanPlanner, type Wanted } from './plan-scans.ts'
import type { Join, Select } from './query.ts'
import type { Scope } from './scope.ts'

export type Stage = Pick<Candidate, 'node' | 'place'>

const joinTypes: readonly string[] = ['inner', 'left', 'right', 'full', 'semi', 'anti']

function analyzeJoin(names: Names, join: Join, table: number): AnalyzedJoin {
  const { type = 'inner', on } = join
  if (!joinTypes.includes(type)) throw malformed(`unknown type of join "${type}"`)
  const keys = Object.entries(on).map(([first, second]) => {
    const [a, b] = [names.column(first), names.column(second)]
    const [left, right] = tablesOf(a.expression).has(table) ? [b, a] : [a, b]
    const isPair =
      tablesOf(right.expression).has(table) &&
      [...tablesOf(left.expression)].every((earlier) => earlier < table)
    if (!isPair) throw malformed(`"on" of the join compares "${first}" with "${second}"`)
    const [one, other] = comparable(names.codecOf, '=', left, right)
    return { left: one.expression, right: other.expression }
  })
  if (keys.length === 0) throw malformed('a join needs columns in "on"')
  return { type, keys }
}

// The tables whose columns a join may make null.
function nullableTables(joins: readonly AnalyzedJoin[], first: number): Set<number> {
  const nullable = new Set<number>()
  joins.forEach(({ type }, i) => {
    if (type === 'left' || type === 'full') nullable.add(first + i + 1)
    if (type === 'right' || type === 'full') {
      for (let before = 0; before <= i; before++) nullable.add(first + before)
    }
  })
  return nullable
}

function keysOf({ keys }: AnalyzedJoin): BoundExpression[] {
  return keys.flatMap(({ left, right }) => [left, right])
}

/**
 * The ways to get the rows of a query's tables that meet the conditions, with the columns that `read` needs; one of them may
 * have them in the order that is wanted. `names` are those of all tables, of semi and anti joins, too.
 */
export function planTables(
  names: Names,
  scope: Scope,
  query: Select,
  conditions: readonly BoundExpression[],
  read: readonly BoundExpression[],
  costs: PlanCosts,
  order: readonly ColumnOrder[],
): Candidate[] {
  const { first } = scope
  const joins = (query.join ?? []).map((join, i) => analyzeJoin(names, join, first + i + 1))
  const nullable = nullableTables(joins, first)
  // A condition on one table is tested by its scan, unless its columns are null after a join where they were not.
  const ofScan = (condition: BoundExpression): number | undefined => {
    const [table, ...rest] = tablesOf(condition)
    if (rest.length > 0 || (table !== undefined && nullable.has(table))) return undefined
    return table ?? (joins.length === 0 ? first : undefined)
  }
  const late = conditions.filter((condition) => ofScan(condition) === undefined)
  const needed = [...read, ...late, ...joins.flatMap(keysOf)]
  const planner = new ScanPlanner(scope, costs)
  const wanted = (table: number): Wanted => {
    const early = conditions.filter((condition) => ofScan(condition) === table)
    const attributesOf = (expressions: readonly BoundExpression[]) => {
      const attributes = new Set<number>()
      for (const expression of expressions) {
        visitColumns(expression, (column) => {
          if (column.table === table) attributes.add(column.attribute)
        })
      }
      return [...attributes].sort((a, b) => a - b)
    }
    const attributes = attributesOf([...needed, ...early])
    const kept = attributesOf(needed)
    return { table, conditions: early, attributes, kept, order }
  }
  const joinPlanner = new JoinPlanner(scope, costs, planner)
  let candidates = planner.scans(wanted(first))
  joins.forEach((join, i) => {
    const later = joins.slice(i + 1).flatMap(keysOf)
    candidates = joinPlanner.joins(candidates, join, wanted(first + i + 1), [
      ...read,
      ...late,
      ...later,
    ])
  })
  if (late.length === 0) return candidates
  return candidates.map((candidate) => ({
    ...candidate,
    node: {
      node: 'filter',
      child: candidate.node,
      columns: candidate.columns.length,
      conditions: late.map(candidate.place),
    },
  }))
}
