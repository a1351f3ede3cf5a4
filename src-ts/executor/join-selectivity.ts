// Which fraction of pairs of rows, or of rows with a partner, an equality of a join holds for.
//
// Source: eqjoinsel_inner and eqjoinsel_semi in src/backend/utils/adt/selfuncs.c, PostgreSQL 18.
import { distinctValues, type Variable } from './column-variable.ts'
import { clampFraction, sum } from './comparison-selectivity.ts'
import { scalarOf } from './statistic-values.ts'

/** The two sides of an equality; undefined for what is no column. */
export interface JoinVariables {
  left: Variable | undefined
  right: Variable | undefined
}

interface Side {
  distinct: number
  isDefault: boolean
  nullFraction: number
  commonFractions: number[]
  commonValues: unknown[]
}

const distinctByDefault = 200

function sideOf(variable: Variable | undefined): Side {
  const { count, isDefault } =
    variable === undefined
      ? { count: distinctByDefault, isDefault: true }
      : distinctValues(variable)
  const { nullFraction = 0, commonFractions = [], commonValues = [] } = variable?.statistics ?? {}
  return {
    distinct: count,
    isDefault,
    nullFraction,
    commonFractions,
    commonValues: commonValues.map((one) => variable && scalarOf(variable.codec, one)),
  }
}

interface Matches {
  /** Of pairs. */
  product: number
  left: number
  right: number
  count: number
}

// Common values of both sides.
function matchCommon(left: Side, right: Side): Matches {
  const places = new Map(right.commonValues.map((value, i) => [value, i]))
  const matches = { product: 0, left: 0, right: 0, count: 0 }
  left.commonValues.forEach((value, i) => {
    const place = places.get(value)
    if (value === undefined || place === undefined) return
    const [one, other] = [left.commonFractions[i], right.commonFractions[place]] as [number, number]
    matches.product += one * other
    matches.left += one
    matches.right += other
    matches.count++
  })
  return matches
}

// As seen from one side; `own` and `theirs`: the fractions of its and the other's matching common values.
function fromSide(one: Side, other: Side, matches: Matches, own: number, theirs: number): number {
  const unmatched = clampFraction(sum(one.commonFractions) - own)
  const rest = clampFraction(1 - one.nullFraction - own - unmatched)
  const otherUnmatched = clampFraction(sum(other.commonFractions) - theirs)
  const otherRest = clampFraction(1 - other.nullFraction - theirs - otherUnmatched)
  let total = matches.product
  const uncommon = other.distinct - other.commonFractions.length
  if (uncommon > 0) total += (unmatched * otherRest) / uncommon
  const notMatched = other.distinct - matches.count
  if (notMatched > 0) total += (rest * (otherRest + otherUnmatched)) / notMatched
  return total
}

/** Of all pairs of rows. */
export function pairFraction(variables: JoinVariables): number {
  const [left, right] = [sideOf(variables.left), sideOf(variables.right)]
  if (left.commonFractions.length > 0 && right.commonFractions.length > 0) {
    const matches = matchCommon(left, right)
    return clampFraction(
      Math.min(
        fromSide(left, right, matches, matches.left, matches.right),
        fromSide(right, left, matches, matches.right, matches.left),
      ),
    )
  }
  const notNull = (1 - left.nullFraction) * (1 - right.nullFraction)
  return clampFraction(notNull / Math.max(left.distinct, right.distinct))
}

/** Of the left rows, those that have a partner among `rightRows`. */
export function partnerFraction(variables: JoinVariables, rightRows: number): number {
  const [left, right] = [sideOf(variables.left), sideOf(variables.right)]
  let { distinct, isDefault } = right
  if (variables.right !== undefined && rightRows <= distinct) {
    distinct = rightRows
    isDefault = false
  }
  const isGuess = isDefault || left.isDefault
  const among = (leftDistinct: number, rightDistinct: number) => {
    if (isGuess) return 0.5
    return leftDistinct <= rightDistinct || rightDistinct < 0 ? 1 : rightDistinct / leftDistinct
  }
  let fraction: number
  if (left.commonFractions.length > 0 && right.commonFractions.length > 0) {
    const matches = matchCommon(left, {
      ...right,
      commonValues: right.commonValues.slice(0, Math.trunc(distinct)),
    })
    const matched = clampFraction(matches.left)
    const uncertain = clampFraction(1 - matched - left.nullFraction)
    fraction = matched + among(left.distinct - matches.count, distinct - matches.count) * uncertain
  } else {
    fraction = among(left.distinct, distinct) * (1 - left.nullFraction)
  }
  return clampFraction(Math.min(fraction, rightRows * pairFraction(variables)))
}
