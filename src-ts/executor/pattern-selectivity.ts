// Which fraction of rows a `like` holds for.
//
// Source: patternsel_common, prefix_selectivity and like_selectivity in src/backend/utils/adt/like_support.c, PostgreSQL 18.
import type { Variable } from './column-variable.ts'
import { clampFraction, equalsConstant, histogramFraction, sum } from './comparison-selectivity.ts'
import { greaterThanPrefix, likeMatcher, likePrefix } from './like-pattern.ts'

export const matchByDefault = 0.005
// What each part of a pattern leaves of the rows.
const ofWildcard = 5
const ofCharacter = 0.2
const ofAnyCharacter = 0.9
// Bounds of a histogram: so many are needed to look at them, and with so many nothing else counts.
const boundsNeeded = 10
const boundsEnough = 100

function restFraction(rest: string): number {
  const pattern = rest.replace(/^[%_]+/, '')
  let fraction = 1
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]
    if (character === '%') fraction *= ofWildcard
    else if (character === '_') fraction *= ofAnyCharacter
    else {
      if (character === '\\') i++
      fraction *= ofCharacter
    }
  }
  return Math.min(fraction, 1)
}

function prefixFraction(variable: Variable, prefix: string): number {
  const from = histogramFraction(variable, '>=', bytes(prefix))
  if (from === undefined) return matchByDefault
  const end = greaterThanPrefix(prefix)
  const to = end === undefined ? 1 : (histogramFraction(variable, '<', bytes(end)) ?? 1)
  return Math.max(to + from - 1, equalsConstant(variable, prefix))
}

function bytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** Without a pattern it is not known yet. */
export function likeSelectivity(
  variable: Variable | undefined,
  pattern: string | undefined,
): number {
  const matcher = pattern === undefined ? undefined : likeMatcher(pattern)
  if (variable === undefined || pattern === undefined || matcher === undefined)
    return matchByDefault
  const { prefix, rest } = likePrefix(pattern)
  if (rest === '') return equalsConstant(variable, prefix)
  const { statistics } = variable
  const matches = (value: unknown) => typeof value === 'string' && matcher.test(value)
  const bounds = statistics?.histogram ?? []
  let fraction: number | undefined
  if (bounds.length >= boundsNeeded) {
    const inner = bounds.slice(1, -1)
    fraction = inner.filter(matches).length / inner.length
  }
  if (bounds.length < boundsEnough) {
    const guess = (prefix === '' ? 1 : prefixFraction(variable, prefix)) * restFraction(rest)
    const weight = fraction === undefined ? 0 : bounds.length / boundsEnough
    fraction = (fraction ?? 0) * weight + guess * (1 - weight)
  }
  fraction = Math.min(Math.max(fraction as number, 0.0001), 0.9999)
  const { commonValues = [], commonFractions = [], nullFraction = 0 } = statistics ?? {}
  const common = sum(commonFractions.filter((_, i) => matches(commonValues[i])))
  return clampFraction(fraction * (1 - nullFraction - sum(commonFractions)) + common)
}
