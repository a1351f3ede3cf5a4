// Which fraction of rows a comparison with a constant holds for.
//
// Source: var_eq_const, scalarineqsel, mcv_selectivity and ineq_histogram_selectivity in
// src/backend/utils/adt/selfuncs.c, PostgreSQL 18.
import type { ComparisonOperator } from '../binding/native.ts'
import { distinctValues, type Variable } from './column-variable.ts'
import { fractionBetween, type Scalar, scalarOf } from './statistic-values.ts'

export type OrderOperator = Exclude<ComparisonOperator, '=' | '<>'>

export const inequalityByDefault = 1 / 3
const shareOfHistogramCutoff = 0.01

export function clampFraction(fraction: number): number {
  return Math.min(Math.max(fraction, 0), 1)
}

export function holds(operator: OrderOperator, left: Scalar, right: Scalar): boolean {
  switch (operator) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

/** `column = value`. */
export function equalsConstant(variable: Variable, value: unknown): number {
  const { statistics, tuples, isUnique, codec } = variable
  if (isUnique && tuples >= 1) return 1 / tuples
  if (statistics === undefined) return 1 / distinctValues(variable).count
  const wanted = scalarOf(codec, value)
  const { commonValues, commonFractions, nullFraction } = statistics
  const found = commonValues.findIndex((one) => scalarOf(codec, one) === wanted)
  if (found >= 0) return clampFraction(commonFractions[found] as number)
  let fraction = clampFraction(1 - sum(commonFractions) - nullFraction)
  const others = distinctValues(variable).count - commonFractions.length
  if (others > 1) fraction /= others
  // No value that is not common is more frequent than the least of those.
  const least = commonFractions.at(-1)
  return clampFraction(least === undefined ? fraction : Math.min(fraction, least))
}

/** `column = something that is not known yet`. */
export function equalsUnknown(variable: Variable): number {
  const { statistics, tuples, isUnique } = variable
  if (isUnique && tuples >= 1) return 1 / tuples
  const { count } = distinctValues(variable)
  if (statistics === undefined) return 1 / count
  let fraction = 1 - statistics.nullFraction
  if (count > 1) fraction /= count
  const most = statistics.commonFractions[0]
  return clampFraction(most === undefined ? fraction : Math.min(fraction, most))
}

// Where in the histogram the value is; undefined without one.
export function histogramFraction(
  variable: Variable,
  operator: OrderOperator,
  value: Scalar,
): number | undefined {
  const bounds = (variable.statistics?.histogram ?? []).map((one) => scalarOf(variable.codec, one))
  const { length } = bounds
  if (length < 2 || bounds.includes(undefined)) return undefined
  const isGreater = operator === '>' || operator === '>='
  const isInclusive = operator === '<=' || operator === '>='
  let [low, high] = [0, length]
  let hasEnd = false
  while (low < high) {
    const probe = (low + high) >> 1
    if (length > 2 && variable.isIndexed && (probe === 0 || probe === length - 1)) hasEnd = true
    if (holds(operator, bounds[probe] as Scalar, value) !== isGreater) low = probe + 1
    else high = probe
  }
  let below: number
  if (low <= 0) below = 0
  else if (low >= length) below = 1
  else {
    let equal = 0
    if (low === 1 || isGreater === isInclusive) {
      const others =
        distinctValues(variable).count - (variable.statistics?.commonFractions.length ?? 0)
      if (others > 1) equal = 1 / others
    }
    const within = fractionBetween(value, bounds[low - 1], bounds[low])
    below = (low - 1 + within) / (length - 1)
    // The first bound is a value like others, and has its share.
    if (low === 1) below += equal * (1 - within)
    if (isGreater === isInclusive) below -= equal
  }
  const fraction = isGreater ? 1 - below : below
  if (hasEnd) return clampFraction(fraction)
  const cutoff = shareOfHistogramCutoff / (length - 1)
  return Math.min(Math.max(fraction, cutoff), 1 - cutoff)
}

/** `column < value`, and so on. */
export function comparesWithConstant(
  variable: Variable,
  operator: OrderOperator,
  constant: unknown,
): number {
  const { statistics, codec } = variable
  const value = scalarOf(codec, constant)
  if (statistics === undefined || value === undefined) return inequalityByDefault
  const { commonValues, commonFractions, nullFraction } = statistics
  const common = sum(
    commonFractions.filter((_, i) => {
      const one = scalarOf(codec, commonValues[i])
      return one !== undefined && holds(operator, one, value)
    }),
  )
  const rest = 1 - nullFraction - sum(commonFractions)
  return clampFraction(rest * (histogramFraction(variable, operator, value) ?? 0.5) + common)
}
