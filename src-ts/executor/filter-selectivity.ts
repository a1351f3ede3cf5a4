// Which fraction of pairs of rows, or of rows with a partner, the conditions of a join hold for that are no keys of it.
//
// Source: src/backend/optimizer/path/clausesel.c, neqjoinsel and scalarineqjoinsel in src/backend/utils/adt/selfuncs.c,
// PostgreSQL 18.
import type { NativeExpression } from '../binding/native.ts'
import type { Origins, Variable } from './column-variable.ts'
import { inequalityByDefault } from './comparison-selectivity.ts'
import { pairFraction, partnerFraction } from './join-selectivity.ts'
import { matchByDefault } from './pattern-selectivity.ts'
import type { Selectivity } from './selectivity.ts'

export interface FilterFractions {
  /** Of all pairs. */
  pairs: number
  /** Of left rows, those with a partner. */
  partnered: number
}

function columnsOf(expression: NativeExpression): number[] {
  switch (expression.kind) {
    case 'column':
      return [expression.index]
    case 'constant':
      return []
    case 'comparison':
    case 'arithmetic':
    case 'like':
      return [...columnsOf(expression.left), ...columnsOf(expression.right)]
    case 'and':
    case 'or':
      return expression.operands.flatMap(columnsOf)
    default:
      return columnsOf(expression.operand)
  }
}

class FilterSelectivity {
  readonly #selectivity: Selectivity
  readonly #origins: Origins
  readonly #leftColumns: number
  /** Where one partner is enough. */
  readonly #rightRows: number | undefined

  constructor(
    selectivity: Selectivity,
    origins: { left: Origins; right: Origins },
    rightRows: number | undefined,
  ) {
    this.#selectivity = selectivity
    this.#origins = [...origins.left, ...origins.right]
    this.#leftColumns = origins.left.length
    this.#rightRows = rightRows
  }

  of(condition: NativeExpression): number {
    const tables = new Set(columnsOf(condition).map((index) => this.#origins[index]?.table))
    if (tables.size <= 1) return this.#selectivity.one(condition, this.#origins)
    switch (condition.kind) {
      case 'comparison':
        return this.#comparison(condition)
      case 'and':
        return condition.operands.reduce((product, one) => product * this.of(one), 1)
      case 'or':
        return condition.operands
          .map((one) => this.of(one))
          .reduce((left, right) => left + right - left * right, 0)
      case 'not':
        return 1 - this.of(condition.operand)
      case 'like':
        return matchByDefault
      default:
        return this.#selectivity.one(condition, this.#origins)
    }
  }

  #comparison({ operator, left, right }: NativeExpression & { kind: 'comparison' }): number {
    if (operator !== '=' && operator !== '<>') return inequalityByDefault
    const isTurned = columnsOf(left).some((index) => index >= this.#leftColumns)
    const sides = isTurned ? [right, left] : [left, right]
    const [one, other] = sides.map((side) => this.#selectivity.variable(side, this.#origins)) as [
      Variable | undefined,
      Variable | undefined,
    ]
    const variables = { left: one, right: other }
    const isForOne = this.#rightRows !== undefined
    if (operator === '<>')
      return isForOne
        ? 1 - (variables.left?.statistics?.nullFraction ?? 0)
        : 1 - pairFraction(variables)
    return isForOne ? partnerFraction(variables, this.#rightRows) : pairFraction(variables)
  }
}

/** The conditions are on the left columns, then the right ones. */
export function filterFractions(
  selectivity: Selectivity,
  conditions: readonly NativeExpression[],
  origins: { left: Origins; right: Origins },
  rightRows: number,
): FilterFractions {
  const product = (rows: number | undefined) => {
    const fractions = new FilterSelectivity(selectivity, origins, rows)
    return conditions.reduce((all, one) => all * fractions.of(one), 1)
  }
  return { pairs: product(undefined), partnered: product(rightRows) }
}
