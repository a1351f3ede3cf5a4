// Analysis of the expressions of a query object: names to columns, operators to their types.
import type { ArithmeticOperator } from '../binding/native.ts'
import { type Analyzed, isLiteral, isPlainObject, malformed, type Typed } from './expression.ts'
import { type CodecOf, calculable, typed } from './operator-types.ts'

/** What analysis looks things up in. */
export interface Names {
  codecOf: CodecOf
  /** What a name means. Throws 42703. */
  column: (name: string) => Typed
  /** The same of the row that was to be inserted, where there is one. */
  excluded?: (name: string) => Typed
}

const arithmeticOperators: Readonly<Record<string, ArithmeticOperator>> = {
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  modulo: '%',
}

/** The only member of an object; undefined for anything else. */
export function onlyMember(value: unknown): [string, unknown] | undefined {
  if (!isPlainObject(value)) return undefined
  const entries = Object.entries(value)
  return entries.length === 1 ? entries[0] : undefined
}

/** Is it an expression object, rather than a constant? */
export function isExpression(value: unknown): boolean {
  const name = onlyMember(value)?.[0]
  return (
    name !== undefined && (name === 'column' || name === 'value' || name in arithmeticOperators)
  )
}

export function operandPair(name: string, value: unknown): readonly [unknown, unknown] {
  if (!Array.isArray(value) || value.length !== 2) throw malformed(`"${name}" takes two operands`)
  return value as unknown as readonly [unknown, unknown]
}

/** An operand where a text means a column. */
export function analyzeOperand(names: Names, operand: unknown): Analyzed {
  if (typeof operand === 'string') return names.column(operand)
  if (isPlainObject(operand)) return analyzeExpression(names, operand)
  return { literal: operand }
}

/** An operand where a text is a constant. */
export function analyzeComparand(names: Names, operand: unknown): Analyzed {
  const isMeant =
    isExpression(operand) || (names.excluded && onlyMember(operand)?.[0] === 'excluded')
  return isMeant ? analyzeExpression(names, operand) : { literal: operand }
}

export function analyzeExpression(names: Names, expression: unknown): Analyzed {
  const [name, value] = onlyMember(expression) ?? []
  if (name === undefined) throw malformed('an expression has exactly one member')
  if (name === 'value') return { literal: value }
  if (name === 'column') {
    if (typeof value !== 'string') throw malformed('"column" takes a name')
    return names.column(value)
  }
  if (name === 'excluded' && names.excluded !== undefined) {
    if (typeof value !== 'string') throw malformed('"excluded" takes a name')
    return names.excluded(value)
  }
  const operator = Object.hasOwn(arithmeticOperators, name) ? arithmeticOperators[name] : undefined
  if (operator === undefined) throw malformed(`unknown expression "${name}"`)
  const [left, right] = operandPair(name, value).map((one) => analyzeOperand(names, one)) as [
    Analyzed,
    Analyzed,
  ]
  const [a, b] = calculable(names.codecOf, operator, left, right)
  return {
    expression: { kind: 'arithmetic', operator, left: a.expression, right: b.expression },
    type: a.type,
  }
}

/** The same, with a type in any case. */
export function analyzeTyped(names: Names, expression: unknown): Typed {
  const analyzed = analyzeOperand(names, expression)
  return isLiteral(analyzed) ? typed(names.codecOf, analyzed) : analyzed
}
