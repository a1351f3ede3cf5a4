// What computing expressions costs, in operators.
//
// Source: cost_qual_eval_walker in src/backend/optimizer/path/costsize.c, PostgreSQL 18.
import type { ExpressionOver } from '../binding/native.ts'
import { bareColumn } from './column-variable.ts'

export interface OperatorCount {
  /** Before the first row. */
  startup: number
  perRow: number
}

// A longer list is looked up by its hashes.
const hashedListLength = 9

export function operatorCount<C>(expression: ExpressionOver<C>): OperatorCount {
  switch (expression.kind) {
    case 'column':
    case 'constant':
      return { startup: 0, perRow: 0 }
    case 'comparison':
    case 'arithmetic':
    case 'like':
      return addUp([expression.left, expression.right], 1)
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
