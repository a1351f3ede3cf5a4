// Planning of min and max by indexes: each is the first row in its column's order that has a value.
//
// Source: preprocess_minmax_aggregates and build_minmax_path in src/backend/optimizer/plan/planagg.c, create_minmaxagg_path in
// src/backend/optimizer/util/pathnode.c, create_minmaxagg_plan in src/backend/optimizer/plan/createplan.c, PostgreSQL 18.
import type { NativePlanNode } from '../binding/native.ts'
import type { AnalyzedCall, Grouping } from './analyze-aggregates.ts'
import { columnOrder, neededOrder } from './choose-plan.ts'
import { type BoundExpression, nativeType, place } from './expression.ts'
import { ExpressionList } from './expression-list.ts'
import { satisfies } from './index-match.ts'
import type { PlanContext } from './plan-context.ts'
import type { PlanCosts } from './plan-costs.ts'
import { planTables, type Stage } from './plan-joins.ts'
import type { Candidate } from './plan-scans.ts'
import type { Scope } from './scope.ts'

type Column = Extract<BoundExpression, { attribute: number }>
type PlanOf = Pick<PlanContext, 'codecOf' | 'bytewiseDefaultCollation'>

function columnOf({ function: name, argument }: AnalyzedCall): Column | undefined {
  return (name === 'min' || name === 'max') && argument?.kind === 'column' ? argument : undefined
}

function canBeNull({ tables }: Scope, { table, attribute }: Column): boolean {
  return tables[table]?.relation.access.descriptor.attributes[attribute - 1]?.notNull !== true
}

// Of which the first row comes cheapest.
function cheapestOf(costs: PlanCosts, scans: readonly Candidate[]) {
  let best: { scan: Candidate; cost: number; disabled: number } | undefined
  for (const scan of scans) {
    const { startup, total, rows, disabled } = costs.of(scan.node)
    const cost = startup + (total - startup) / Math.max(rows, 1)
    const isBetter =
      best === undefined ||
      disabled < best.disabled ||
      (disabled === best.disabled && cost < best.cost)
    if (isBetter) best = { scan, cost, disabled }
  }
  return best
}

// The first row with a value of the column, in its order.
function extremeNode(
  context: PlanOf,
  costs: PlanCosts,
  scope: Scope,
  conditions: readonly BoundExpression[],
  column: Column,
  descending: boolean,
): { node: NativePlanNode; cost: number } | undefined {
  const isNull: BoundExpression = { kind: 'is null', operand: column }
  const tested: BoundExpression[] = canBeNull(scope, column)
    ? [{ kind: 'not', operand: isNull }, ...conditions]
    : [...conditions]
  // Nulls come last as the aggregate goes; of an index where they come first the other way is tried.
  for (const nullsFirst of [descending, !descending]) {
    const key = { expression: column, descending, nullsFirst }
    const order = columnOrder(neededOrder([key], tested))
    const scans = planTables(context, scope, {}, tested, [column], costs, order)
    const found = cheapestOf(
      costs,
      scans.filter((scan) => satisfies(scan.order, order)),
    )
    if (found === undefined) continue
    const { scan, cost } = found
    const child: NativePlanNode = {
      node: 'project',
      child: scan.node,
      expressions: [scan.place(column)],
    }
    const node: NativePlanNode = { node: 'limit', child, limit: 1, offset: 0 }
    costs.set(node, { ...costs.of(child), total: cost, rows: 1 })
    return { node, cost }
  }
  return undefined
}

/**
 * The one row of a query without groups, of one table, whose aggregates are all min or max of columns that come in the order of
 * an index; undefined where that is not so.
 */
export function extremesStage(
  context: PlanOf,
  costs: PlanCosts,
  scope: Scope,
  { keys, calls }: Grouping,
  conditions: readonly BoundExpression[],
): Stage | undefined {
  if (keys.length > 0 || calls.length === 0) return undefined
  const children: NativePlanNode[] = []
  const columns: AnalyzedCall[] = []
  const places: number[] = []
  const known = { min: new ExpressionList(), max: new ExpressionList() }
  const numbers = { min: [] as number[], max: [] as number[] }
  let total = 0
  for (const call of calls) {
    const column = columnOf(call)
    if (column === undefined) return undefined
    const name = call.function as 'min' | 'max'
    const before = known[name].placeOf(column)
    if (before !== undefined) {
      places.push(numbers[name][before] as number)
      continue
    }
    const found = extremeNode(context, costs, scope, conditions, column, name === 'max')
    if (found === undefined) return undefined
    known[name].add(column)
    numbers[name].push(children.length)
    places.push(children.length)
    children.push(found.node)
    columns.push(call)
    total += found.cost
  }
  const node: NativePlanNode = {
    node: 'first values',
    children,
    columns: columns.map(({ type }) => nativeType(type)),
  }
  const estimates = children.map((child) => costs.of(child))
  costs.set(node, {
    startup: total,
    total: total + costs.settings.cpu_tuple_cost,
    rows: 1,
    width: costs.width(
      columns.map(({ type }, index) => ({ kind: 'column', type: nativeType(type), index })),
      node,
    ),
    disabled: estimates.reduce((sum, { disabled }) => sum + disabled, 0),
  })
  return {
    node,
    place: (expression) => place(expression, ({ attribute }) => places[attribute] as number),
  }
}
