// Conditions that need not be tested, since others that are true have them follow.
//
// Only what their shapes tell is found: a comparison follows from an equal one alone. Source: predicate_implied_by_recurse in
// src/backend/optimizer/util/predtest.c, PostgreSQL 18.
import type { BoundExpression } from './expression.ts'
import { expressionKey } from './expression-list.ts'

export function isSame(one: BoundExpression, other: BoundExpression): boolean {
  return one === other || expressionKey(one) === expressionKey(other)
}

/** Is a condition true wherever all of the others are? */
export function isImplied(condition: BoundExpression, by: readonly BoundExpression[]): boolean {
  if (by.some((one) => isSame(one, condition))) return true
  if (condition.kind === 'and') return condition.operands.every((one) => isImplied(one, by))
  // As PostgreSQL does, it is asked whether one of an `or` is true, not whether some of them together are.
  const alternatives = condition.kind === 'or' ? condition.operands : [condition]
  const isOneImplied = (given: readonly BoundExpression[]) =>
    alternatives.some((one) => isImplied(one, given))
  if (condition.kind === 'or' && isOneImplied(by)) return true
  return by.some((one) => {
    if (one.kind === 'and') return isImplied(condition, one.operands)
    return one.kind === 'or' && one.operands.every((operand) => isOneImplied([operand]))
  })
}
