// Planning of window functions: the sorts that they need, and the operators that compute them.
//
// Functions of the same frame of the same window are computed by one operator, others of that window follow without another sort. Source of the costs: cost_windowagg in src/backend/optimizer/path/costsize.c, PostgreSQL 18.
import type {
  NativePlanNode,
  NativeSortKey,
  NativeType,
  NativeWindowCall,
  NativeWindowUnit,
} from '../binding/native.ts'
import {
  type AnalyzedWindow,
  expressionsOf,
  type Windows,
  windowedTable,
} from './analyze-windows.ts'
import type { Estimate } from './estimate.ts'
import { type BoundExpression, nativeType, operandType, place, visitColumns } from './expression.ts'
import { ExpressionList } from './expression-list.ts'
import type { PlanCosts } from './plan-costs.ts'
import type { Stage } from './plan-joins.ts'
import { typeWidth } from './table-statistics.ts'

type WindowNode = Extract<NativePlanNode, { node: 'window' }>

function costOf(costs: PlanCosts, node: WindowNode, calls: readonly AnalyzedWindow[]): Estimate {
  const from = costs.of(node.child)
  const { cpu_operator_cost, cpu_tuple_cost } = costs.settings
  const compared = node.partition.length + node.order.length
  const perRow = cpu_operator_cost * (calls.length + compared) + cpu_tuple_cost
  const width = calls.reduce((sum, { type }) => sum + typeWidth(type.codec), 0)
  return { ...from, total: from.total + perRow * from.rows, width: from.width + width }
}

// How rows are sorted for them; a column that comes again decides nothing.
function sortKeysOf(partition: readonly number[], order: readonly NativeSortKey[]) {
  const keys = [
    ...partition.map((index) => ({ index, descending: false, nullsFirst: false })),
    ...order,
  ]
  return keys.filter(({ index }, i) => keys.findIndex((one) => one.index === index) === i)
}

// Those whose keys were named last come first, and longer ones before those that they begin with, whose rows then need no sort.
// Source: common_prefix_cmp in src/backend/optimizer/plan/planner.c, PostgreSQL 18.
function inOrder(calls: readonly AnalyzedWindow[]): AnalyzedWindow[] {
  const named = new ExpressionList()
  const all = calls.map((call) => {
    const order = call.orderBy.map((one) => ({ ...one, place: named.add(one.expression) }))
    const partition = call.partitionBy.map(({ expression }) => ({
      place: named.add(expression),
      descending: false,
      nullsFirst: false,
    }))
    return { call, keys: [...partition, ...order] }
  })
  type Keys = (typeof all)[number]
  const compare = ({ keys }: Keys, { keys: others }: Keys): number => {
    for (const [i, key] of keys.entries()) {
      const other = others[i]
      if (other === undefined) break
      const difference =
        other.place - key.place ||
        Number(other.descending) - Number(key.descending) ||
        Number(other.nullsFirst) - Number(key.nullsFirst)
      if (difference !== 0) return difference
    }
    return others.length - keys.length
  }
  return all.sort(compare).map(({ call }) => call)
}

// Whether functions of the same keys are computed together.
function isFrameOf(first: AnalyzedWindow, other: AnalyzedWindow): boolean {
  if (first.unit !== undefined && first.unit === other.unit) return true
  return JSON.stringify(first.frame) === JSON.stringify(other.frame)
}

/** Rows with the results of window functions, of which the expressions `above` are. */
export function windowStage(
  costs: PlanCosts,
  from: Stage,
  windows: Windows,
  above: readonly BoundExpression[],
): Stage {
  const below = new ExpressionList()
  for (const expression of above) {
    visitColumns(expression, (column) => {
      if (column.table !== windowedTable) below.add(column as BoundExpression)
    })
  }
  for (const expression of expressionsOf(windows)) below.add(expression)
  let node: NativePlanNode = {
    node: 'project',
    child: from.node,
    expressions: below.expressions.map(from.place),
  }
  const columns: NativeType[] = below.expressions.map(
    (one) => operandType(place(one, () => 0)) as NativeType,
  )
  const places = new Map<AnalyzedWindow, number>()
  const keysOf = ({ partitionBy, orderBy }: AnalyzedWindow) => ({
    partition: partitionBy.map(({ expression }) => below.add(expression)),
    order: orderBy.map(({ expression, descending, nullsFirst }) => ({
      index: below.add(expression),
      descending,
      nullsFirst,
    })),
  })
  const left = inOrder(windows.calls)
  let sorted: readonly NativeSortKey[] = []
  for (let first = left[0]; first !== undefined; first = left[0]) {
    const { partition, order } = keysOf(first)
    const text = JSON.stringify({ partition, order })
    const calls = left.filter(
      (one) => JSON.stringify(keysOf(one)) === text && isFrameOf(first as AnalyzedWindow, one),
    )
    const isByUnit = calls.every(({ unit }) => unit !== undefined)
    const keys = sortKeysOf(partition, order)
    if (!keys.every((key, i) => JSON.stringify(key) === JSON.stringify(sorted[i]))) {
      node = { node: 'sort', child: node, columns: [...columns], keys }
      sorted = keys
    }
    const window: WindowNode = {
      node: 'window',
      child: node,
      columns: [...columns],
      partition,
      order,
      ...(isByUnit ? { unit: first.unit as NativeWindowUnit } : {}),
      frame: first.frame,
      calls: calls.map(
        ({ function: name, argument, number, fallback, type }): NativeWindowCall => ({
          function: name,
          argument: argument === undefined ? null : below.add(argument),
          ...(number !== undefined && { number }),
          ...(fallback !== undefined && { fallback: below.add(fallback) }),
          type: nativeType(type),
        }),
      ),
    }
    costs.set(window, costOf(costs, window, calls))
    node = window
    for (const call of calls) {
      places.set(call, columns.push(nativeType(call.type)) - 1)
      left.splice(left.indexOf(call), 1)
    }
  }
  return {
    node,
    place: (expression) =>
      place(expression, (column) =>
        column.table === windowedTable
          ? (places.get(windows.calls[column.attribute] as AnalyzedWindow) as number)
          : below.add(column as BoundExpression),
      ),
  }
}
