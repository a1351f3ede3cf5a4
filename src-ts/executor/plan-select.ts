// Planning of a SELECT: the operators that run it.
import type { NativeExpression, NativePlanNode, NativeSortKey } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { analyzeGrouping, type Grouping } from './analyze-aggregates.ts'
import { analyzeConditions } from './analyze-conditions.ts'
import { analyzeTyped, type Names } from './analyze-expression.ts'
import { analyzeWindows, expressionsOf, type Windows } from './analyze-windows.ts'
import { choosePlan, columnOrder, neededOrder } from './choose-plan.ts'
import { type BoundExpression, nativeType, place, type Typed } from './expression.ts'
import { cheapestFirst } from './expression-cost.ts'
import { comparable } from './operator-types.ts'
import { type NamedTyped, outputColumn } from './output-columns.ts'
import type { PlanContext, PlannedSelect } from './plan-context.ts'
import type { PlanCosts } from './plan-costs.ts'
import { planTables, type Stage } from './plan-joins.ts'
import { windowStage } from './plan-windows.ts'
import type { OrderBy, Select } from './query.ts'
import { analyzeOrder, limitNode, rowCounts, sortNode } from './row-order.ts'
import type { Scope } from './scope.ts'

interface SortKey extends Typed {
  descending: boolean
  nullsFirst: boolean
}

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

function groupStage(from: Stage, { keys, calls }: Grouping, having: BoundExpression[]): Stage {
  const placed = (expression: BoundExpression) => place(expression, ({ attribute }) => attribute)
  let node: NativePlanNode = {
    node: 'aggregate',
    child: from.node,
    keys: keys.map(({ expression }) => from.place(expression)),
    calls: calls.map((call) => ({
      function: call.function,
      argument: call.argument === undefined ? null : from.place(call.argument),
      type: nativeType(call.type),
    })),
  }
  if (having.length > 0) {
    const columns = keys.length + calls.length
    node = { node: 'filter', child: node, columns, conditions: having.map(placed) }
  }
  return { node, place: placed }
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
  const allNames: Names = {
    codecOf: context.codecOf,
    column: (name) => scope.column(name, true),
  }
  const wish = isOfRows
    ? { order, rows: limit === undefined ? undefined : limit + offset }
    : { order: [], rows: undefined }
  const { stage: chosen, isOrdered } = choosePlan(
    costs,
    planTables(
      allNames,
      scope,
      query,
      conditions,
      ofGroups ?? ofRows,
      costs,
      columnOrder(wish.order),
    ),
    wish,
  )
  let stage: Stage = chosen
  if (grouping !== undefined) stage = groupStage(stage, grouping, having)
  if (windows !== undefined) stage = windowStage(costs, stage, windows, above)

  const isSorted = order.length > 0 && !isOrdered
  let root: NativePlanNode
  if (isSorted || isDistinct) {
    // Sort keys that are no columns of the result come after them.
    const indexes = order.map((key) =>
      output.findIndex(({ expression }) => expression === key.expression),
    )
    const extra = order.filter((_, i) => indexes[i] === -1)
    if (isDistinct && extra.length > 0) {
      throw new PgError(
        '42P10',
        'for SELECT DISTINCT, ORDER BY expressions must appear in select list',
      )
    }
    const columns = [...output, ...extra]
    root = projectStage(stage, columns)
    if (isDistinct) {
      for (const column of output) comparable(context.codecOf, '=', column, column)
      root = { node: 'aggregate', child: root, keys: output.map(columnAt), calls: [] }
    }
    if (isSorted) {
      let next = output.length
      const keys: NativeSortKey[] = order.map(({ descending, nullsFirst }, i) => ({
        index: indexes[i] === -1 ? next++ : (indexes[i] as number),
        descending,
        nullsFirst,
      }))
      root = sortNode(root, columns, keys, counts)
    }
    root = limitNode(root, counts)
    if (extra.length > 0) root = { node: 'project', child: root, expressions: output.map(columnAt) }
  } else {
    root = projectStage({ ...stage, node: limitNode(stage.node, counts) }, output)
  }
  return { root, output, isGrouped }
}
