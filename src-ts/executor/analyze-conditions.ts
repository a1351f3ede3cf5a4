// Analysis of the conditions of a query object.
import type { ComparisonOperator } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { analyzeComparand, analyzeOperand, type Names, operandPair } from './analyze-expression.ts'
import { type Analyzed, type BoundExpression, isPlainObject, malformed } from './expression.ts'
import { comparable, likeOperands, typed } from './operator-types.ts'
import type { Conditions } from './query.ts'

const comparisonOperators: readonly string[] = ['=', '<>', '<', '<=', '>', '>=']
const otherOperators: readonly string[] = ['isNull', 'in', 'like', 'between']
const allOperators = new Set([...comparisonOperators, ...otherOperators])

const isTrue = { kind: 'and', operands: [] } satisfies BoundExpression

function conjunction(operands: readonly BoundExpression[]): BoundExpression {
  if (operands.length === 1) return operands[0] as BoundExpression
  return operands.length === 0 ? isTrue : { kind: 'and', operands: [...operands] }
}

// An `or` in an `or` is of it.
function disjunction(operands: readonly BoundExpression[]): BoundExpression {
  const flat = operands.flatMap((one) => (one.kind === 'or' ? one.operands : [one]))
  return flat.length === 1 ? (flat[0] as BoundExpression) : { kind: 'or', operands: flat }
}

const negated: Record<ComparisonOperator, ComparisonOperator> = {
  '=': '<>',
  '<>': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
}

function not(operand: BoundExpression): BoundExpression {
  if (operand.kind !== 'comparison') return { kind: 'not', operand }
  return { ...operand, operator: negated[operand.operator] }
}

// An object whose members are all operators; any other object is a constant (a json document, say).
function isComparison(value: unknown): value is Record<string, unknown> {
  if (!isPlainObject(value)) return false
  const keys = Object.keys(value)
  return (
    keys.length > 0 &&
    keys.every((key) => allOperators.has(key) || (key === 'not' && isComparison(value.not)))
  )
}

function refuseNull(value: unknown): unknown {
  if (value === null || value === undefined) {
    throw new PgError('22004', 'cannot compare with null: that is never true', {
      hint: 'Use { isNull: true } or { isNull: false }.',
    })
  }
  return value
}

function compare(
  names: Names,
  operator: ComparisonOperator,
  left: Analyzed,
  right: Analyzed,
): BoundExpression {
  const [a, b] = comparable(names.codecOf, operator, left, right)
  return { kind: 'comparison', operator, left: a.expression, right: b.expression }
}

function inList(names: Names, operand: Analyzed, list: unknown): BoundExpression {
  if (!Array.isArray(list)) throw malformed('"in" takes a list')
  const given = list.filter((value) => value !== null)
  const hasNull = given.length < list.length
  if (list.length === 0) return { kind: 'or', operands: [] }
  // Where all constants have the operand's type, they are looked up; else it is compared with each.
  const pairs = given.map((value) =>
    comparable(names.codecOf, '=', operand, analyzeComparand(names, value)),
  )
  const [left] = pairs[0] ?? [typed(names.codecOf, operand)]
  const constants = pairs.map(([one, other]) =>
    one.type.codec.oid === left.type.codec.oid && other.expression.kind === 'constant'
      ? other.expression.value
      : null,
  )
  const isLookedUp = constants.every((value) => value !== null)
  if (isLookedUp) {
    return { kind: 'in', operand: left.expression, list: constants as Uint8Array[], hasNull }
  }
  const operands: BoundExpression[] = pairs.map(([a, b]) => ({
    kind: 'comparison',
    operator: '=',
    left: a.expression,
    right: b.expression,
  }))
  if (hasNull) operands.push({ kind: 'in', operand: left.expression, list: [], hasNull })
  return disjunction(operands)
}

function applyOperator(
  names: Names,
  operator: string,
  left: Analyzed,
  value: unknown,
  analyzeRight: (names: Names, operand: unknown) => Analyzed,
): BoundExpression {
  const right = (operand: unknown) => analyzeRight(names, refuseNull(operand))
  if (comparisonOperators.includes(operator)) {
    return compare(names, operator as ComparisonOperator, left, right(value))
  }
  switch (operator) {
    case 'isNull': {
      const test: BoundExpression = {
        kind: 'is null',
        operand: typed(names.codecOf, left).expression,
      }
      return value === true ? test : { kind: 'not', operand: test }
    }
    case 'in':
      return inList(names, left, value)
    case 'like': {
      const [a, b] = likeOperands(names.codecOf, left, right(value))
      return { kind: 'like', left: a.expression, right: b.expression }
    }
    default: {
      const [low, high] = operandPair('between', value)
      return {
        kind: 'and',
        operands: [compare(names, '>=', left, right(low)), compare(names, '<=', left, right(high))],
      }
    }
  }
}

// What a column is compared with.
function comparison(names: Names, left: Analyzed, wanted: unknown): BoundExpression {
  if (wanted === null) return applyOperator(names, 'isNull', left, true, analyzeComparand)
  if (!isComparison(wanted)) {
    return compare(names, '=', left, analyzeComparand(names, wanted))
  }
  return conjunction(
    Object.entries(wanted)
      .filter(([, value]) => value !== undefined)
      .map(([operator, value]) =>
        operator === 'not'
          ? not(comparison(names, left, value))
          : applyOperator(names, operator, left, value, analyzeComparand),
      ),
  )
}

function conditionList(names: Names, name: string, value: unknown): BoundExpression[] {
  if (!Array.isArray(value)) throw malformed(`"${name}" takes a list of conditions`)
  return value.map((one) => conjunction(analyzeConditions(names, one)))
}

// An operator with all of its operands.
function operatorCondition(names: Names, operator: string, value: unknown): BoundExpression {
  if (operator === 'isNull') {
    return applyOperator(names, operator, analyzeOperand(names, value), true, analyzeOperand)
  }
  if (!Array.isArray(value) || value.length < 2) {
    throw malformed(`"${operator}" takes a list of operands`)
  }
  const [first, ...rest] = value as unknown[]
  const left = analyzeOperand(names, first)
  return applyOperator(
    names,
    operator,
    left,
    operator === 'between' ? rest : rest[0],
    analyzeOperand,
  )
}

function conjuncts(expression: BoundExpression): BoundExpression[] {
  return expression.kind === 'and' ? expression.operands.flatMap(conjuncts) : [expression]
}

/** Conditions that must all be true. Throws 42703, 42883, 22004 for comparing with null, 42601. */
export function analyzeConditions(
  names: Names,
  conditions: Conditions | undefined,
): BoundExpression[] {
  if (conditions === undefined) return []
  if (!isPlainObject(conditions)) throw malformed('conditions are an object')
  const analyzed = Object.entries(conditions).flatMap(([name, wanted]): BoundExpression[] => {
    if (wanted === undefined) return []
    if (name === 'and') return conditionList(names, name, wanted)
    if (name === 'or') return [disjunction(conditionList(names, name, wanted))]
    if (name === 'not') {
      return [not(conjunction(analyzeConditions(names, wanted as Conditions)))]
    }
    if (allOperators.has(name)) return [operatorCondition(names, name, wanted)]
    return [comparison(names, names.column(name), wanted)]
  })
  return analyzed.flatMap(conjuncts)
}
