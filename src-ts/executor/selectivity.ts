// Selectivity: which fraction of rows conditions hold for.
//
// Source: src/backend/optimizer/path/clausesel.c, src/backend/utils/adt/{selfuncs,like_support}.c, PostgreSQL 18.
import type { NativeExpression } from '../binding/native.ts'
import { bareColumn, columnVariable, type Origins, type Variable } from './column-variable.ts'
import {
  clampFraction,
  comparesWithConstant,
  equalsConstant,
  equalsUnknown,
  inequalityByDefault,
  type OrderOperator,
} from './comparison-selectivity.ts'
import { laneValue } from './explain-expression.ts'
import { commuted } from './expression.ts'
import type { CodecOf } from './operator-types.ts'
import { likeSelectivity } from './pattern-selectivity.ts'
import type { TableStatistics } from './table-statistics.ts'

type Comparison = Extract<NativeExpression, { kind: 'comparison' }>

const equalityByDefault = 0.005
const rangeByDefault = 0.005
const nullByDefault = 0.005
const booleanByDefault = 0.5
const rangeAtLeast = 1e-10

// Both ends of a range that conditions leave of a column, as fractions of the rows below and above.
interface Range {
  variable: Variable
  upper?: number
  lower?: number
}

export class Selectivity {
  readonly #statistics: readonly TableStatistics[]
  readonly #codecOf: CodecOf

  constructor(statistics: readonly TableStatistics[], codecOf: CodecOf) {
    this.#statistics = statistics
    this.#codecOf = codecOf
  }

  /** The variable that an operand is; undefined for an expression. */
  variable(operand: NativeExpression, origins: Origins): Variable | undefined {
    const column = bareColumn(operand) as Extract<NativeExpression, { kind: 'column' }> | undefined
    const reference = column && origins[column.index]
    const statistics = reference && this.#statistics[reference.table]
    return statistics && columnVariable(statistics, reference)
  }

  /** Of rows for which all conditions hold. */
  all(conditions: readonly NativeExpression[], origins: Origins): number {
    let fraction = 1
    const ranges: Range[] = []
    for (const condition of conditions) {
      const one = this.one(condition, origins)
      if (conditions.length > 1 && this.#addToRange(ranges, condition, origins, one)) continue
      fraction *= one
    }
    return ranges.reduce((product, range) => product * rangeFraction(range), fraction)
  }

  one(condition: NativeExpression, origins: Origins): number {
    switch (condition.kind) {
      case 'comparison':
        return clampFraction(this.#comparison(condition, origins))
      case 'and':
        return this.all(condition.operands, origins)
      case 'or':
        return condition.operands
          .map((one) => this.one(one, origins))
          .reduce((left, right) => left + right - left * right, 0)
      case 'not':
        return condition.operand.kind === 'is null'
          ? 1 - this.#isNull(condition.operand.operand, origins)
          : 1 - this.one(condition.operand, origins)
      case 'is null':
        return this.#isNull(condition.operand, origins)
      case 'in':
        return this.#in(condition, origins)
      case 'like':
        return this.#like(condition, origins)
      default:
        return booleanByDefault
    }
  }

  // A comparison as a column's with a constant.
  #sides(condition: Comparison, origins: Origins) {
    const left = this.variable(condition.left, origins)
    const other = left === undefined ? condition.left : condition.right
    const variable = left ?? this.variable(condition.right, origins)
    const operator = left === undefined ? commuted[condition.operator] : condition.operator
    return { variable, other, operator }
  }

  #constant(expression: NativeExpression): unknown {
    if (expression.kind !== 'constant' || expression.value === null) return undefined
    const codec = this.#codecOf(expression.type.oid)
    return codec.fromLane(laneValue(this.#codecOf, expression.type, expression.value))
  }

  #comparison(condition: Comparison, origins: Origins): number {
    const { variable, other, operator } = this.#sides(condition, origins)
    const isEquality = operator === '=' || operator === '<>'
    if (variable === undefined) {
      const equal = operator === '<>' ? 1 - equalityByDefault : equalityByDefault
      return isEquality ? equal : inequalityByDefault
    }
    const isConstant = other.kind === 'constant'
    if (isConstant && other.value === null) return 0
    if (!isEquality) {
      return isConstant
        ? comparesWithConstant(variable, operator as OrderOperator, this.#constant(other))
        : inequalityByDefault
    }
    const equal = isConstant
      ? equalsConstant(variable, this.#constant(other))
      : equalsUnknown(variable)
    return operator === '=' ? equal : 1 - equal - (variable.statistics?.nullFraction ?? 0)
  }

  #isNull(operand: NativeExpression, origins: Origins): number {
    const variable = this.variable(operand, origins)
    if (variable === undefined) return nullByDefault
    return variable.statistics?.nullFraction ?? nullByDefault
  }

  #in(condition: Extract<NativeExpression, { kind: 'in' }>, origins: Origins): number {
    const variable = this.variable(condition.operand, origins)
    const { operand, list } = condition
    const type = operand.kind === 'column' || operand.kind === 'cast' ? operand.type : undefined
    const fractions = list.map((bytes) =>
      variable === undefined || type === undefined
        ? equalityByDefault
        : clampFraction(
            equalsConstant(variable, this.#constant({ kind: 'constant', type, value: bytes })),
          ),
    )
    // The values exclude each other, as far as their fractions leave room for that.
    const together = fractions.reduce((total, one) => total + one, 0)
    if (together <= 1) return together
    return fractions.reduce((left, right) => left + right - left * right, 0)
  }

  #like(condition: Extract<NativeExpression, { kind: 'like' }>, origins: Origins): number {
    const variable = this.variable(condition.left, origins)
    const pattern = this.#constant(condition.right)
    return clampFraction(
      likeSelectivity(variable, typeof pattern === 'string' ? pattern : undefined),
    )
  }

  #addToRange(
    ranges: Range[],
    condition: NativeExpression,
    origins: Origins,
    fraction: number,
  ): boolean {
    if (condition.kind !== 'comparison') return false
    const { variable, other, operator } = this.#sides(condition, origins)
    if (variable === undefined || other.kind !== 'constant') return false
    if (operator === '=' || operator === '<>') return false
    let range = ranges.find(
      ({ variable: { column } }) =>
        column?.table === variable.column?.table &&
        column?.attribute === variable.column?.attribute,
    )
    if (range === undefined) {
      range = { variable }
      ranges.push(range)
    }
    const end = operator === '<' || operator === '<=' ? 'upper' : 'lower'
    range[end] = Math.min(range[end] ?? 1, fraction)
    return true
  }
}

function rangeFraction({ variable, upper, lower }: Range): number {
  if (upper === undefined || lower === undefined) return upper ?? lower ?? 1
  if (upper === inequalityByDefault || lower === inequalityByDefault) return rangeByDefault
  // Nulls are on neither side.
  const between = upper + lower - 1 + (variable.statistics?.nullFraction ?? nullByDefault)
  if (between > 0) return between
  return between < -0.01 ? rangeByDefault : rangeAtLeast
}
