// Groups and distinct rows as steps of a SELECT: which of their ways is taken.
import type { NativePlanNode } from '../binding/native.ts'
import { type Grouping, groupedTable } from './analyze-aggregates.ts'
import { anyOrder, choosePlan, type OrderKey, type Wish } from './choose-plan.ts'
import { type BoundExpression, nativeType, place, type Typed } from './expression.ts'
import { addUp } from './expression-cost.ts'
import type { ColumnOrder } from './index-match.ts'
import type { NamedTyped } from './output-columns.ts'
import type { PlanCosts } from './plan-costs.ts'
import { chooseWay, expressionOrder, groupWays, type KeyOrder, keyOrder } from './plan-groups.ts'
import type { Stage } from './plan-joins.ts'
import type { Candidate } from './plan-scans.ts'
import { isSortable } from './row-order.ts'

// The keys of groups that the result's order begins with; `isAll`: nothing else follows.
function keysOfOrder(
  order: readonly OrderKey[],
  keyOf: (key: OrderKey) => number,
): { wanted: KeyOrder[]; isAll: boolean } {
  const wanted: KeyOrder[] = []
  for (const one of order) {
    const key = keyOf(one)
    if (key < 0) return { wanted, isAll: false }
    const { descending, nullsFirst } = one
    if (!wanted.some((known) => known.key === key)) wanted.push({ key, descending, nullsFirst })
  }
  return { wanted, isAll: true }
}

function groupKeyOf({ keys }: Grouping) {
  return ({ expression }: OrderKey): number =>
    expression.kind === 'column' && expression.table === groupedTable
      ? keys.findIndex((_, key) => key === expression.attribute)
      : -1
}

function outputKeyOf(output: readonly NamedTyped[]) {
  return (one: OrderKey): number =>
    output.findIndex(({ expression }) => expression === one.expression)
}

/** The order of rows by which groups could be made of them one by one, and be in the result's order. */
export function groupedOrder(grouping: Grouping, order: readonly OrderKey[]): OrderKey[] {
  const { wanted } = keysOfOrder(order, groupKeyOf(grouping))
  return expressionOrder(grouping.keys, keyOrder(grouping.keys, wanted))
}

/** The same of rows of which one is to stay of each that are alike. */
export function distinctOrder(
  output: readonly NamedTyped[],
  order: readonly OrderKey[],
): OrderKey[] {
  const { wanted } = keysOfOrder(order, outputKeyOf(output))
  return expressionOrder(output, keyOrder(output, wanted))
}

/** Those of the rows, of so many columns, that meet the conditions. */
export function filteredStage(
  stage: Stage,
  conditions: readonly BoundExpression[],
  columns: number,
): Stage {
  if (conditions.length === 0) return stage
  const { node: child, place: placed } = stage
  const node: NativePlanNode = {
    node: 'filter',
    child,
    columns,
    conditions: conditions.map(placed),
  }
  return { ...stage, node }
}

/** The groups of rows for which `having` holds. `wish`: of the groups. */
export function groupStage(
  costs: PlanCosts,
  candidates: readonly Candidate[],
  grouping: Grouping,
  conditions: readonly BoundExpression[],
  having: readonly BoundExpression[],
  { order, rows }: Wish,
  bytewiseDefaultCollation: boolean,
): { stage: Stage; isOrdered: boolean } {
  const { keys, calls } = grouping
  const { wanted, isAll } = keysOfOrder(order, groupKeyOf(grouping))
  const isKeySortable = keys.every(({ type }) => isSortable(type, bytewiseDefaultCollation))
  const groups = { keys, calls, isDistinct: false, isSortable: isKeySortable }
  const { stage: cheapest } = choosePlan(costs, candidates, anyOrder)
  const ways = candidates
    .flatMap((one) => groupWays(one, one === cheapest, one.order, groups, wanted, conditions))
    .map((way) => {
      const placed = (expression: BoundExpression) =>
        place(expression, ({ attribute }) => way.places[attribute] ?? attribute)
      const columns = keys.length + calls.length
      const { node } = filteredStage({ node: way.node, place: placed }, having, columns)
      // Keys are counted once more for each group.
      const estimate = costs.of(node)
      const ofKeys = addUp(keys.map(({ expression }) => expression)).perRow * estimate.rows
      const total = estimate.total + ofKeys * costs.settings.cpu_operator_cost
      costs.set(node, { ...estimate, total })
      return { ...way, node, stage: { node, place: placed } }
    })
  const isSorted = order.length > 0
  const { way, isOrdered } = chooseWay(costs, ways, isAll ? wanted : undefined, isSorted, rows)
  return { stage: way.stage, isOrdered: isSorted && isOrdered }
}

// In column references: the columns of the result, before rows that are alike become one.
const outputTable = -3

/** The result's columns, of rows that are alike once. */
export function distinctNode(
  costs: PlanCosts,
  candidates: readonly Candidate[],
  output: readonly NamedTyped[],
  { order, rows }: Wish,
  bytewiseDefaultCollation: boolean,
): { node: NativePlanNode; isOrdered: boolean } {
  const keys = output.map(
    ({ type }, attribute): Typed => ({
      expression: { kind: 'column', type: nativeType(type), table: outputTable, attribute },
      type,
    }),
  )
  const { wanted, isAll } = keysOfOrder(order, outputKeyOf(output))
  const isKeySortable = keys.every(({ type }) => isSortable(type, bytewiseDefaultCollation))
  const groups = { keys, calls: [], isDistinct: true, isSortable: isKeySortable }
  const { stage: cheapest } = choosePlan(costs, candidates, anyOrder)
  const ways = candidates.flatMap((one) => {
    const stage: Stage = {
      node: {
        node: 'project',
        child: one.node,
        expressions: output.map(({ expression }) => one.place(expression)),
      },
      place: (expression) => place(expression, ({ attribute }) => attribute),
    }
    const given: ColumnOrder[] = []
    for (const { column, ...direction } of one.order) {
      const attribute = output.findIndex(
        ({ expression }) =>
          expression.kind === 'column' &&
          expression.table === column.table &&
          expression.attribute === column.attribute,
      )
      if (attribute < 0) break
      given.push({ column: { table: outputTable, attribute }, ...direction })
    }
    return groupWays(stage, one === cheapest, given, groups, wanted, [])
  })
  const isSorted = order.length > 0
  const { way, isOrdered } = chooseWay(costs, ways, isAll ? wanted : undefined, isSorted, rows)
  return { node: way.node, isOrdered: isSorted && isOrdered }
}
