// Choosing among the ways to get a query's rows, by what they cost with what is still to be done.

import { isCheaper, sorted } from './estimate.ts'
import type { BoundExpression } from './expression.ts'
import { type ColumnOrder, satisfies } from './index-match.ts'
import type { PlanCosts } from './plan-costs.ts'
import type { Candidate } from './plan-scans.ts'

export interface OrderKey {
  expression: BoundExpression
  descending: boolean
  nullsFirst: boolean
}

/** The order that is wanted of a query's rows, and how many of them. */
export interface Wish {
  order: readonly OrderKey[]
  /** Rows that are asked for; undefined: all. */
  rows: number | undefined
}

/** All rows, in any order. */
export const anyOrder: Wish = { order: [], rows: undefined }

function isSameColumn(one: BoundExpression, other: BoundExpression): boolean {
  return (
    one.kind === 'column' &&
    other.kind === 'column' &&
    one.table === other.table &&
    one.attribute === other.attribute
  )
}

// Is it the same for all rows, as the conditions have it?
function isFixed(expression: BoundExpression, conditions: readonly BoundExpression[]): boolean {
  return conditions.some(
    (one) =>
      one.kind === 'comparison' &&
      one.operator === '=' &&
      ((isSameColumn(one.left, expression) && one.right.kind === 'constant') ||
        (isSameColumn(one.right, expression) && one.left.kind === 'constant')),
  )
}

/** An order without what does not matter: columns that are the same for all rows, or come before. */
export function neededOrder<K extends OrderKey>(
  order: readonly K[],
  conditions: readonly BoundExpression[],
): K[] {
  return order.filter(
    ({ expression }, i) =>
      !isFixed(expression, conditions) &&
      !order.slice(0, i).some((earlier) => isSameColumn(earlier.expression, expression)),
  )
}

/** An order as one of columns; empty where it is not by columns alone. */
export function columnOrder(order: readonly OrderKey[]): ColumnOrder[] {
  const columns = order.flatMap(({ expression, descending, nullsFirst }): ColumnOrder[] =>
    expression.kind === 'column' ? [{ column: expression, descending, nullsFirst }] : [],
  )
  return columns.length === order.length ? columns : []
}

/** The cheapest one; `isOrdered`: it has the order that is wanted. */
export function choosePlan(
  costs: PlanCosts,
  candidates: readonly Candidate[],
  wish: Wish,
): { stage: Candidate; isOrdered: boolean } {
  const wanted = columnOrder(wish.order)
  const choices = candidates.map((stage) => {
    const isOrdered = wanted.length > 0 && satisfies(stage.order, wanted)
    const needsSort = wish.order.length > 0 && !isOrdered
    const from = costs.of(stage.node)
    const estimate = needsSort ? sorted(costs.settings, from, wish.rows) : from
    const share = wish.rows === undefined ? 1 : Math.min(1, wish.rows / Math.max(from.rows, 1))
    return { stage, isOrdered, estimate, share }
  })
  return choices.reduce((best, one) =>
    isCheaper(one.estimate, best.estimate, one.share) ? one : best,
  )
}
