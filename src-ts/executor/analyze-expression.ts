// Analysis of the expressions of a query object: names to columns, operators to their types.
import type { ArithmeticOperator, JsonStep } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import {
  type Analyzed,
  isLiteral,
  isPlainObject,
  malformed,
  nativeType,
  type Typed,
} from './expression.ts'
import { type CodecOf, calculable, defaultCollation, typed, typeOids } from './operator-types.ts'

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

// What each form of access gives: 0 is a document of the operand's type.
const jsonResults = { json: 0, jsonText: typeOids.text, jsonNumber: typeOids.numeric } as const

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
    name !== undefined &&
    (name === 'column' ||
      name === 'value' ||
      Object.hasOwn(arithmeticOperators, name) ||
      Object.hasOwn(jsonResults, name))
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
  if (Object.hasOwn(jsonResults, name))
    return analyzeJson(names, name as keyof typeof jsonResults, value)
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

function isStep(step: unknown): step is JsonStep {
  return typeof step === 'string' || (typeof step === 'number' && (step | 0) === step)
}

function analyzeJson(names: Names, name: keyof typeof jsonResults, value: unknown): Typed {
  const [document, ...steps] = Array.isArray(value) ? (value as unknown[]) : []
  if (steps.length === 0 || !steps.every(isStep))
    throw malformed(`"${name}" takes a document, then keys and places`)
  const operand = analyzeTyped(names, document)
  const { oid } = operand.type.codec
  if (oid !== typeOids.json && oid !== typeOids.jsonb) {
    const step = typeof steps[0] === 'string' ? 'text' : 'integer'
    throw new PgError('42883', `operator does not exist: ${formatType(oid, -1)} -> ${step}`)
  }
  const wanted = jsonResults[name]
  if (wanted === typeOids.numeric && oid === typeOids.json)
    throw new PgError('42846', 'cannot cast type json to numeric')
  const codec = wanted === 0 ? operand.type.codec : names.codecOf(wanted)
  const type = { codec, collation: wanted === typeOids.text ? defaultCollation : 0 }
  return {
    expression: {
      kind: 'json',
      operand: operand.expression,
      steps: steps as JsonStep[],
      type: nativeType(type),
    },
    type,
  }
}

/** The same, with a type in any case. */
export function analyzeTyped(names: Names, expression: unknown): Typed {
  const analyzed = analyzeOperand(names, expression)
  return isLiteral(analyzed) ? typed(names.codecOf, analyzed) : analyzed
}
