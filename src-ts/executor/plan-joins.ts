// Planning of what a query reads: scans of its tables, their joins, and which conditions are tested where.
//
// Source: src/backend/optimizer/plan/initsplan.c, PostgreSQL 18.
import { type AnalyzedJoin, analyzeJoin, type JoinConditions, joinOf } from './analyze-join.ts'
import { type BoundExpression, visitColumns } from './expression.ts'
import { cheapestFirst } from './expression-cost.ts'
import { type ColumnOrder, tablesOf } from './index-match.ts'
import { JoinPlanner } from './join-planner.ts'
import { mergeOrders } from './merge-planner.ts'
import type { PlanContext } from './plan-context.ts'
import type { PlanCosts } from './plan-costs.ts'
import { type Candidate, ScanPlanner, type Wanted } from './plan-scans.ts'
import type { Select } from './query.ts'
import type { Scope } from './scope.ts'

export type Stage = Pick<Candidate, 'node' | 'place'>

// The tables whose columns joins may make null.
function nullableTables(joins: readonly JoinConditions[], first: number): Set<number> {
  const nullable = new Set<number>()
  joins.forEach(({ type }, i) => {
    if (type === 'left' || type === 'full') nullable.add(first + i + 1)
    if (type === 'right' || type === 'full') {
      for (let before = 0; before <= i; before++) nullable.add(first + before)
    }
  })
  return nullable
}

// The table whose scan may test a condition of the join of `joined`, since rows that fail it could not be in the result.
function tableTesting(
  type: JoinConditions['type'],
  condition: BoundExpression,
  joined: number,
  nullableBefore: ReadonlySet<number>,
): number | undefined {
  const [table, ...rest] = tablesOf(condition)
  if (table === undefined || rest.length > 0 || type === 'full') return undefined
  if (table === joined) return type === 'right' ? undefined : table
  const isForBoth = type === 'inner' || type === 'right' || type === 'semi'
  return isForBoth && !nullableBefore.has(table) ? table : undefined
}

interface Placed {
  joins: AnalyzedJoin[]
  /** By table: what its scan tests. */
  ofScans: Map<number, BoundExpression[]>
  /** What is tested in the end. */
  late: BoundExpression[]
}

function placeConditions(
  given: readonly JoinConditions[],
  conditions: readonly BoundExpression[],
  first: number,
): Placed {
  const ofScans = new Map<number, BoundExpression[]>()
  const testByScan = (table: number, condition: BoundExpression) =>
    ofScans.set(table, [...(ofScans.get(table) ?? []), condition])
  const ofJoins = given.map(({ type, conditions: on }, i): BoundExpression[] => {
    const nullableBefore = nullableTables(given.slice(0, i), first)
    return on.filter((condition) => {
      const table = tableTesting(type, condition, first + i + 1, nullableBefore)
      if (table !== undefined) testByScan(table, condition)
      return table === undefined
    })
  })
  const nullable = nullableTables(given, first)
  const late: BoundExpression[] = []
  for (const condition of conditions) {
    const tables = [...tablesOf(condition)]
    if (tables.length === 0 && given.length === 0) tables.push(first)
    const [table] = tables
    // Where columns are null after a join that were not before, it is not the same any more.
    if (table === undefined || tables.some((one) => nullable.has(one))) late.push(condition)
    else if (tables.length === 1) testByScan(table, condition)
    else ofJoins[Math.max(...tables) - first - 1]?.push(condition)
  }
  const joins = given.map(({ type }, i) =>
    joinOf(type, ofJoins[i] as BoundExpression[], first + i + 1),
  )
  return { joins, ofScans, late }
}

function testedBy({ keys, filter }: AnalyzedJoin): BoundExpression[] {
  return [...keys.map(({ condition }) => condition), ...filter]
}

/**
 * The ways to get the rows of a query's tables that meet the conditions, with the columns that `read` needs; one of them may
 * have them in the order that is wanted.
 */
export function planTables(
  context: Pick<PlanContext, 'codecOf' | 'bytewiseDefaultCollation'>,
  scope: Scope,
  query: Pick<Select, 'join'>,
  conditions: readonly BoundExpression[],
  read: readonly BoundExpression[],
  costs: PlanCosts,
  order: readonly ColumnOrder[],
): Candidate[] {
  const { first } = scope
  const given = (query.join ?? []).map((join, i) =>
    analyzeJoin(context.codecOf, scope, join, first + i + 1),
  )
  const { joins, ofScans, late } = placeConditions(given, conditions, first)
  const needed = [...read, ...late, ...joins.flatMap(testedBy)]
  const planner = new ScanPlanner(scope, costs)
  const wanted = (table: number): Wanted => {
    const early = cheapestFirst(ofScans.get(table) ?? [])
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
    const orders = [order, ...joins.flatMap((join) => mergeOrders(join, table))]
    return { table, conditions: early, attributes, kept, orders }
  }
  const joinPlanner = new JoinPlanner(scope, costs, planner, context.bytewiseDefaultCollation)
  let candidates = planner.scans(wanted(first))
  joins.forEach((join, i) => {
    const later = joins.slice(i + 1).flatMap(testedBy)
    candidates = joinPlanner.joins(
      candidates,
      i === 0 ? wanted(first) : undefined,
      join,
      wanted(first + i + 1),
      [...read, ...late, ...later],
    )
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
