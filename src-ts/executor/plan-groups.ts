// Planning of GROUP BY and DISTINCT: by hashes, or of rows that come in the keys' order.
//
// Source: preprocess_groupclause, add_paths_to_grouping_rel and create_final_distinct_paths in
// src/backend/optimizer/plan/planner.c, get_useful_group_keys_orderings in src/backend/optimizer/path/pathkeys.c, PostgreSQL 18.
import type { NativePlanNode, NativeType } from '../binding/native.ts'
import type { AnalyzedCall } from './analyze-aggregates.ts'
import { columnOrder, neededOrder } from './choose-plan.ts'
import { isCheaper, sorted } from './estimate.ts'
import {
  type BoundExpression,
  nativeType,
  operandType,
  place,
  type Typed,
  visitColumns,
} from './expression.ts'
import { ExpressionList } from './expression-list.ts'
import { type ColumnOrder, satisfies } from './index-match.ts'
import type { PlanCosts } from './plan-costs.ts'
import type { Stage } from './plan-joins.ts'

/** Rows in the order of a key. */
export interface KeyOrder {
  /** Its place among the keys. */
  key: number
  descending: boolean
  nullsFirst: boolean
}

export interface Groups {
  keys: readonly Typed[]
  calls: readonly AnalyzedCall[]
  isDistinct: boolean
  /** Rows may be sorted by the keys. */
  isSortable: boolean
}

/** Groups, whose batches have the keys and then the calls' results; and their order. */
export interface GroupWay {
  node: NativePlanNode
  /** The place of each key in the batches. */
  places: readonly number[]
  order: readonly KeyOrder[]
}

/** All keys: those that an order is wanted of, and then the others. */
export function keyOrder(keys: readonly Typed[], wanted: readonly KeyOrder[]): KeyOrder[] {
  const isWanted = (key: number) => wanted.some((one) => one.key === key)
  const rest = keys.map((_, key) => key).filter((key) => !isWanted(key))
  return [...wanted, ...rest.map((key) => ({ key, descending: false, nullsFirst: false }))]
}

export function expressionOrder(keys: readonly Typed[], order: readonly KeyOrder[]) {
  return order.map(({ key, ...direction }) => ({
    expression: (keys[key] as Typed).expression,
    ...direction,
  }))
}

// The same keys in the order in which rows come; undefined where they do not come ordered by them.
function orderOfRows(
  keys: readonly Typed[],
  order: readonly KeyOrder[],
  conditions: readonly BoundExpression[],
  given: readonly ColumnOrder[],
): KeyOrder[] | undefined {
  const needed = neededOrder(expressionOrder(keys, order), conditions)
  const columns = columnOrder(needed)
  if (columns.length < needed.length) return undefined
  if (satisfies(given, columns)) return [...order]
  const leading = given.slice(0, needed.length)
  const found = leading.map(({ column, descending, nullsFirst }) => ({
    key: keys.findIndex(
      ({ expression }) =>
        expression.kind === 'column' &&
        expression.table === column.table &&
        expression.attribute === column.attribute,
    ),
    descending,
    nullsFirst,
  }))
  const isSame = new Set(found.map(({ key }) => key)).size === needed.length
  return isSame && found.every(({ key }) => key >= 0) ? keyOrder(keys, found) : undefined
}

// The rows with their keys, and the columns that the calls' arguments read.
function keyStage(from: Stage, { keys, calls }: Groups): Stage & { columns: NativeType[] } {
  const list = new ExpressionList()
  for (const { expression } of keys) list.add(expression)
  for (const { argument } of calls) {
    if (argument !== undefined) visitColumns(argument, (one) => list.add(one as BoundExpression))
  }
  const { expressions } = list
  const columns = expressions.map((one) => operandType(place(one, () => 0)) as NativeType)
  return {
    node: { node: 'project', child: from.node, expressions: expressions.map(from.place) },
    columns,
    place: (expression) => {
      const known = list.placeOf(expression)
      const type = operandType(place(expression, () => 0))
      if (known !== undefined && type !== undefined) return { kind: 'column', type, index: known }
      return place(expression, (one) => list.placeOf(one as BoundExpression) as number)
    },
  }
}

// Those rows, sorted by the keys.
function sortedStage(
  { node: child, columns, place: placed }: ReturnType<typeof keyStage>,
  keys: readonly Typed[],
  order: readonly KeyOrder[],
  conditions: readonly BoundExpression[],
): Stage {
  const needed = neededOrder(expressionOrder(keys, order), conditions)
  const sortKeys = needed.map(({ expression, ...direction }) => {
    const { index } = placed(expression) as { index: number }
    return { index, ...direction }
  })
  return { node: { node: 'sort', child, columns, keys: sortKeys }, place: placed }
}

/**
 * The ways to make groups of rows that come in the order `given`. `isCheapest`: no others come cheaper, so that they may be kept by
 * hashes or sorted.
 */
export function groupWays(
  from: Stage,
  isCheapest: boolean,
  given: readonly ColumnOrder[],
  groups: Groups,
  wanted: readonly KeyOrder[],
  conditions: readonly BoundExpression[],
): GroupWay[] {
  const { keys, calls, isDistinct, isSortable } = groups
  const aggregate = (
    stage: Stage,
    strategy: 'hashed' | 'sorted' | 'unique',
    order: readonly KeyOrder[],
  ): GroupWay => {
    // As EXPLAIN tells them; the columns of a result stay where they are.
    const listed = isDistinct ? keys.map((_, key) => key) : order.map(({ key }) => key)
    const node: NativePlanNode = {
      node: 'aggregate',
      strategy,
      child: stage.node,
      keys: listed.map((key) => stage.place((keys[key] as Typed).expression)),
      calls: calls.map((call) => ({
        function: call.function,
        argument: call.argument === undefined ? null : stage.place(call.argument),
        type: nativeType(call.type),
      })),
    }
    const places = keys.map((_, key) => listed.indexOf(key))
    return { node, places, order: strategy === 'hashed' ? [] : order }
  }
  const order = keyOrder(keys, wanted)
  if (keys.length === 0) return isCheapest ? [aggregate(from, 'hashed', order)] : []
  const ways: GroupWay[] = []
  const ordered = isDistinct ? 'unique' : 'sorted'
  const ofRows = orderOfRows(keys, order, conditions, given)
  if (ofRows !== undefined) ways.push(aggregate(from, ordered, ofRows))
  if (!isCheapest) return ways
  const rows = keyStage(from, groups)
  if (ofRows === undefined && isSortable)
    ways.push(aggregate(sortedStage(rows, keys, order, conditions), ordered, order))
  const isComputed = keys.some(({ expression }) => expression.kind !== 'column')
  return [...ways, aggregate(isComputed ? rows : from, 'hashed', order)]
}

/**
 * The cheapest way; `isOrdered`: its rows have the order that is wanted. `wanted` is undefined where rows are sorted in any
 * case. `rows`: how many are asked for; undefined: all.
 */
export function chooseWay<W extends GroupWay>(
  costs: PlanCosts,
  ways: readonly W[],
  wanted: readonly KeyOrder[] | undefined,
  isSorted: boolean,
  rows: number | undefined,
): { way: W; isOrdered: boolean } {
  const choices = ways.map((way) => {
    const isOrdered =
      wanted?.every((one, i) => {
        const { key, descending, nullsFirst } = way.order[i] ?? {}
        return key === one.key && descending === one.descending && nullsFirst === one.nullsFirst
      }) ?? false
    const from = costs.of(way.node)
    const estimate = isSorted && !isOrdered ? sorted(costs.settings, from, rows) : from
    const share = rows === undefined ? 1 : Math.min(1, rows / Math.max(from.rows, 1))
    return { way, isOrdered, estimate, share }
  })
  return choices.reduce((best, one) =>
    isCheaper(one.estimate, best.estimate, one.share) ? one : best,
  )
}
