// Expressions of a plan as text, as EXPLAIN has them.
// Source: src/backend/utils/adt/ruleutils.c, PostgreSQL 18.
import type { NativeExpression, NativeType } from '../binding/native.ts'
import { DatumReader, formatType, type LaneValue } from '../types/index.ts'
import { operandType } from './expression.ts'
import { type CodecOf, typeOids } from './operator-types.ts'

/** A column of an operator's batches. */
export interface ColumnText {
  text: string
  /** Of a table, rather than computed by an operator below. */
  isPlain: boolean
}

export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

const integers: readonly number[] = [typeOids.int2, typeOids.int4, typeOids.int8]

export function laneValue(codecOf: CodecOf, type: NativeType, bytes: Uint8Array): LaneValue {
  const codec = codecOf(type.oid)
  if (codec.typlen !== -1) return new DatumReader(bytes, 0, 0).read(codec)
  return codec.lane === 'text' ? new TextDecoder().decode(bytes) : bytes
}

function integerText(text: string): string {
  return text.startsWith('-') ? `'${text}'::integer` : text
}

function constantText(codecOf: CodecOf, type: NativeType, bytes: Uint8Array | null): string {
  const name = formatType(type.oid, -1)
  if (bytes === null) return `NULL::${name}`
  const text = codecOf(type.oid).toText(laneValue(codecOf, type, bytes))
  if (type.oid === typeOids.bool) return text === 't' ? 'true' : 'false'
  if (integers.includes(type.oid)) {
    // As it was given, before it became what it is compared with.
    const isInt4 = Math.abs(Number(text)) < 2 ** 31
    if (isInt4) return integerText(text)
  }
  if (type.oid === typeOids.numeric && /^[0-9].*[.]/.test(text)) return text
  return `${quoteLiteral(text)}::${name}`
}

function arrayElement(text: string): string {
  if (text !== '' && !/[\s{}",\\]/.test(text) && text.toLowerCase() !== 'null') return text
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** That an operand is one of the values; `areAlone`: each of them is a constant by itself, of a type of its own. */
export function listText(
  codecOf: CodecOf,
  operand: string,
  type: NativeType,
  { list, hasNull, areAlone }: { list: Uint8Array[]; hasNull?: boolean; areAlone?: boolean },
): string {
  const { toText } = codecOf(type.oid)
  const texts = list.map((bytes) => toText(laneValue(codecOf, type, bytes)))
  const elements = texts.map(arrayElement)
  if (hasNull) elements.push('NULL')
  const isInt4 =
    areAlone && integers.includes(type.oid) && texts.every((one) => Math.abs(Number(one)) < 2 ** 31)
  const shown = formatType(isInt4 ? typeOids.int4 : type.oid, -1)
  return `(${operand} = ANY (${quoteLiteral(`{${elements.join(',')}}`)}::${shown}[]))`
}

/** `columns`: of the batches that the expression is computed on. */
export function expressionText(
  codecOf: CodecOf,
  expression: NativeExpression,
  columns: readonly ColumnText[],
): string {
  const textOf = (one: NativeExpression): string => expressionText(codecOf, one, columns)
  switch (expression.kind) {
    case 'column': {
      const { text, isPlain } = columns[expression.index] as ColumnText
      return isPlain ? text : `(${text})`
    }
    case 'constant':
      return constantText(codecOf, expression.type, expression.value)
    case 'comparison':
    case 'arithmetic':
      return `(${textOf(expression.left)} ${expression.operator} ${textOf(expression.right)})`
    case 'like':
      return `(${textOf(expression.left)} ~~ ${textOf(expression.right)})`
    case 'and':
    case 'or':
      return junctionText(expression.kind, expression.operands.map(textOf))
    case 'not':
      return expression.operand.kind === 'is null'
        ? `(${textOf(expression.operand.operand)} IS NOT NULL)`
        : `(NOT ${textOf(expression.operand)})`
    case 'is null':
      return `(${textOf(expression.operand)} IS NULL)`
    case 'cast':
      return `(${textOf(expression.operand)})::${formatType(expression.type.oid, -1)}`
    case 'json':
      return jsonText(expression, textOf(expression.operand))
    case 'in': {
      const type = operandType(expression.operand) as NativeType
      return listText(codecOf, textOf(expression.operand), type, expression)
    }
  }
}

// One operator after the other; what is a number in the end was a jsonb before.
function jsonText({ steps, type }: NativeExpression & { kind: 'json' }, operand: string): string {
  const last = type.oid === typeOids.text ? '->>' : '->'
  const path = steps.reduce<string>((outer, step, i) => {
    const operator = i === steps.length - 1 ? last : '->'
    const key = typeof step === 'string' ? `${quoteLiteral(step)}::text` : integerText(`${step}`)
    return `(${outer} ${operator} ${key})`
  }, operand)
  return type.oid === typeOids.numeric ? `(${path})::numeric` : path
}

/** Conditions that were turned to text, all or one of which hold. */
export function junctionText(kind: 'and' | 'or', conditions: readonly string[]): string {
  if (conditions.length === 0) return kind === 'and' ? 'true' : 'false'
  if (conditions.length === 1) return conditions[0] as string
  return `(${conditions.join(` ${kind.toUpperCase()} `)})`
}
