// Planning of a SELECT: the operators that run it.
import type { NativeExpression, NativePlanNode, NativeSortKey } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { analyzeGrouping, type Grouping } from './analyze-aggregates.ts'
import { analyzeConditions } from './analyze-conditions.ts'
import { analyzeTyped, type Names } from './analyze-expression.ts'
import { analyzeWindows, expressionsOf, type Windows } from './analyze-windows.ts'
import { anyOrder, choosePlan, columnOrder, neededOrder, type OrderKey } from './choose-plan.ts'
import { isCheaper } from './estimate.ts'
import { nativeType, type Typed } from './expression.ts'
import { cheapestFirst } from './expression-cost.ts'
import {
  distinctNode,
  distinctOrder,
  filteredStage,
  groupedOrder,
  groupStage,
} from './group-stages.ts'
import { comparable } from './operator-types.ts'
import { type NamedTyped, outputColumn } from './output-columns.ts'
import type { PlanContext, PlannedSelect } from './plan-context.ts'
import type { PlanCosts } from './plan-costs.ts'
import { extremesStage } from './plan-extremes.ts'
import { planTables, type Stage } from './plan-joins.ts'
import { windowStage } from './plan-windows.ts'
import type { OrderBy, Select } from './query.ts'
import { analyzeOrder, limitNode, rowCounts, sortNode } from './row-order.ts'
import type { Scope } from './scope.ts'

type SortKey = Typed & OrderKey

// What the result has by default: all columns, or those that the groups are by; then the aggregates and
// window functions that are not named.
function outputColumns(
  names: Names,
  scope: Scope,
  query: Select,
  grouping: Grouping | undefined,
  windows: Windows | undefined,
): NamedTyped[] {
  const given = query.columns?.map((column) => outputColumn(names, column))
  const ofRows = () =>
    grouping?.keys.map(({ name }) => outputColumn(names, name)) ?? scope.columns()
  const columns: NamedTyped[] = given ?? ofRows()
  const named = new Set(columns.map(({ name }) => name))
  const calls = [...(grouping?.calls ?? []), ...(windows?.calls ?? [])]
  const rest = calls.filter(({ name }) => !named.has(name))
  return [...columns, ...rest.map(({ name }) => outputColumn(names, name))]
}

// A name is the result's column, if it has one of that name.
function sortKey(names: Names, output: readonly NamedTyped[], given: OrderBy): SortKey {
  const { column, ...order } = analyzeOrder(given)
  const found =
    (typeof column === 'string' && output.find(({ name }) => name === column)) ||
    analyzeTyped(names, column)
  comparable(names.codecOf, '<', found, found)
  return { expression: found.expression, type: found.type, ...order }
}

// Computes columns; `before` says which expression each is.
function projectStage(from: Stage, columns: readonly Typed[]): NativePlanNode {
  return {
    node: 'project',
    child: from.node,
    expressions: columns.map(({ expression }) => from.place(expression)),
  }
}

function columnAt({ type }: Typed, index: number): NativeExpression {
  return { kind: 'column', type: nativeType(type), index }
}

// Of columns that have all keys.
function sortKeys(columns: readonly Typed[], order: readonly SortKey[]): NativeSortKey[] {
  return order.map(({ expression, descending, nullsFirst }) => ({
    index: columns.findIndex((one) => one.expression === expression),
    descending,
    nullsFirst,
  }))
}

/** The operators of a SELECT. */
export function planSelect(
  context: PlanContext,
  costs: PlanCosts,
  scope: Scope,
  query: Select,
): PlannedSelect {
  const rowNames: Names = { codecOf: context.codecOf, column: (name) => scope.column(name) }
  const conditions = cheapestFirst(analyzeConditions(rowNames, query.where))
  const grouping = analyzeGrouping(rowNames, scope, query)
  const groupNames = grouping?.names ?? rowNames
  const having = cheapestFirst(analyzeConditions(groupNames, query.having))
  const windows = analyzeWindows(groupNames, query.windows)
  const names = windows?.names ?? groupNames
  const output = outputColumns(names, scope, query, grouping, windows)
  const isDistinct = query.distinct === true
  const isGrouped = grouping !== undefined || isDistinct
  const isOfRows = !isGrouped && windows === undefined
  const given = (query.orderBy ?? []).map((one) => sortKey(names, output, one))
  const order = isOfRows ? neededOrder(given, conditions) : given
  const counts = rowCounts(query)
  const { limit, offset } = counts

  const ofGroups = grouping && [
    ...grouping.keys.map(({ expression }) => expression),
    ...grouping.calls.flatMap(({ argument }) => argument ?? []),
  ]
  const above = [...output, ...order].map(({ expression }) => expression)
  const ofRows = windows === undefined ? above : [...above, ...expressionsOf(windows)]
  const rows = limit === undefined ? undefined : limit + offset
  const bytewise = context.bytewiseDefaultCollation
  const isDistinctRows = isDistinct && grouping === undefined && windows === undefined
  const wishOfGroups = windows === undefined && !isDistinct ? { order, rows } : anyOrder
  const usefulOrder = (): readonly OrderKey[] => {
    if (grouping !== undefined) return groupedOrder(grouping, wishOfGroups.order)
    if (isDistinctRows) return distinctOrder(output, order)
    return isOfRows ? order : []
  }
  const candidates = planTables(
    context,
    scope,
    query,
    conditions,
    ofGroups ?? ofRows,
    costs,
    columnOrder(neededOrder(usefulOrder(), conditions)),
  )
  const chosen =
    grouping === undefined
      ? choosePlan(costs, candidates, isOfRows ? { order, rows } : anyOrder)
      : groupStage(costs, candidates, grouping, conditions, having, wishOfGroups, bytewise)
  let stage: Stage = chosen.stage
  if (grouping !== undefined && windows === undefined && query.join === undefined) {
    const extremes = extremesStage(context, costs, scope, grouping, conditions)
    const byIndexes = extremes && filteredStage(extremes, having, grouping.calls.length)
    if (byIndexes && !isCheaper(costs.of(stage.node), costs.of(byIndexes.node))) stage = byIndexes
  }
  if (windows !== undefined) stage = windowStage(costs, stage, windows, above)

  if (isDistinct) {
    for (const column of output) comparable(context.codecOf, '=', column, column)
    if (order.some(({ expression }) => !output.some((one) => one.expression === expression))) {
      throw new PgError(
        '42P10',
        'for SELECT DISTINCT, ORDER BY expressions must appear in select list',
      )
    }
    const inputs = isDistinctRows ? candidates : [{ ...stage, columns: [], order: [] }]
    const { node, isOrdered } = distinctNode(costs, inputs, output, { order, rows }, bytewise)
    const keys = sortKeys(output, order)
    const ordered = isOrdered || keys.length === 0 ? node : sortNode(node, output, keys, counts)
    return { root: limitNode(ordered, counts), output, isGrouped }
  }
  const isSorted = order.length > 0 && !(chosen.isOrdered && windows === undefined)
  if (!isSorted) {
    const root = projectStage({ ...stage, node: limitNode(stage.node, counts) }, output)
    return { root, output, isGrouped }
  }
  // Sort keys that are no columns of the result come after them.
  const extra = order.filter(
    ({ expression }) => !output.some((one) => one.expression === expression),
  )
  const columns = [...output, ...extra]
  const node = projectStage(stage, columns)
  const root = limitNode(sortNode(node, columns, sortKeys(columns, order), counts), counts)
  if (extra.length === 0) return { root, output, isGrouped }
  const expressions = output.map(columnAt)
  return { root: { node: 'project', child: root, expressions }, output, isGrouped }
}
