// Conditions as users write them: `{ balance: { '>': 5 }, email: 'a@b.c', closed: null }`.
import type { Condition, ScanOperator } from '../access/relation-access.ts'
import { PgError } from '../errors/pg-error.ts'

type Comparison<V> = { [O in '=' | '<>' | '<' | '<=' | '>' | '>=']?: V } & { isNull?: boolean }

/** All conditions must hold. A plain value means equality, null means `is null`. */
export type Where<T> = { [K in keyof T]?: T[K] | null | Comparison<T[K]> }

const operators = new Set<string>(['=', '<>', '<', '<=', '>', '>='])

// An object whose keys are all operators; any other object is a value (a json document, say).
function isComparison(value: unknown): value is Record<string, unknown> {
  if (
    typeof value !== 'object' ||
    value === null ||
    Object.getPrototypeOf(value) !== Object.prototype
  ) {
    return false
  }
  const keys = Object.keys(value)
  return keys.length > 0 && keys.every((key) => operators.has(key) || key === 'isNull')
}

/** The list of conditions. Comparing with null raises 22004: it would never be true. */
export function conditionsOf(where: object | undefined): Condition[] {
  const conditions: Condition[] = []
  for (const [column, wanted] of Object.entries(where ?? {})) {
    if (wanted === undefined) continue
    if (wanted === null) {
      conditions.push({ column, operator: 'is null' })
    } else if (isComparison(wanted)) {
      for (const [operator, value] of Object.entries(wanted)) {
        if (operator === 'isNull') {
          conditions.push({ column, operator: value === true ? 'is null' : 'is not null' })
        } else if (value === null || value === undefined) {
          throw new PgError('22004', `cannot compare column "${column}" with null`, {
            column,
            hint: 'Use { isNull: true } or { isNull: false }.',
          })
        } else {
          conditions.push({ column, operator: operator as ScanOperator, value })
        }
      }
    } else {
      conditions.push({ column, operator: '=', value: wanted })
    }
  }
  return conditions
}
