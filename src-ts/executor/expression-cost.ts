// What computing expressions costs, in operators.
//
// Source: cost_qual_eval_walker in src/backend/optimizer/path/costsize.c, PostgreSQL 18.
import type { ExpressionOver } from '../binding/native.ts'
import { bareColumn } from './column-variable.ts'
import { typeOids } from './operator-types.ts'

export interface OperatorCount {
  /** Before the first row. */
  startup: number
  perRow: number
}

// A longer list is looked up by its hashes.
const hashedListLength = 9

// A cast more.
const isNumber = ({ type }: { type: { oid: number } }) => type.oid === typeOids.numeric

export function operatorCount<C>(expression: ExpressionOver<C>): OperatorCount {
  switch (expression.kind) {
    case 'column':
    case 'constant':
      return { startup: 0, perRow: 0 }
    case 'comparison':
    case 'arithmetic':
    case 'like':
      return addUp([expression.left, expression.right], 1)
    case 'json':
      return addUp([expression.operand], expression.steps.length + (isNumber(expression) ? 1 : 0))
    case 'in': {
      const { length } = expression.list
      const { startup, perRow } = operatorCount(expression.operand)
      if (length >= hashedListLength) return { startup: startup + length, perRow: perRow + 2 }
      return { startup, perRow: perRow + length * 0.5 }
    }
    case 'and':
    case 'or':
      return addUp(expression.operands, 0)
    case 'cast':
      return addUp([expression.operand], bareColumn(expression) === undefined ? 1 : 0)
    default:
      return addUp([expression.operand], 0)
  }
}

export function addUp<C>(expressions: readonly ExpressionOver<C>[], own = 0): OperatorCount {
  const counts = expressions.map(operatorCount)
  return counts.reduce(
    (total, { startup, perRow }) => ({
      startup: total.startup + startup,
      perRow: total.perRow + perRow,
    }),
    { startup: 0, perRow: own },
  )
}

/**
 * Conditions in the order in which they are tested: what costs less comes first. Source: order_qual_clauses in
 * src/backend/optimizer/plan/createplan.c, PostgreSQL 18.
 */
export function cheapestFirst<C>(conditions: readonly ExpressionOver<C>[]): ExpressionOver<C>[] {
  const priced = conditions.map((condition) => ({
    condition,
    cost: operatorCount(condition).perRow,
  }))
  return priced.sort((a, b) => a.cost - b.cost).map(({ condition }) => condition)
}
