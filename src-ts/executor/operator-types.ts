// Which types operators take, and what they make of them, as PostgreSQL's operators and implicit casts have it.
import type { ArithmeticOperator } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType, type TypeCodec } from '../types/index.ts'
import {
  type Analyzed,
  cast,
  constant,
  isLiteral,
  type ResultType,
  type Typed,
} from './expression.ts'

/** The codecs of the database, by the type's OID. */
export type CodecOf = (type: number) => TypeCodec

export const typeOids = {
  bool: 16,
  bytea: 17,
  name: 19,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  timetz: 1266,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const

export const defaultCollation = 100
const integers: readonly number[] = [typeOids.int2, typeOids.int4, typeOids.int8]
// In the order in which PostgreSQL widens them.
const numbers: readonly number[] = [...integers, typeOids.numeric, typeOids.float4, typeOids.float8]
// Types without operators that compare them.
const incomparable: readonly number[] = [typeOids.json]

export function isNumber(type: ResultType): boolean {
  return numbers.includes(type.codec.oid)
}

function simpleType(codecOf: CodecOf, oid: number): ResultType {
  return { codec: codecOf(oid), collation: 0 }
}

/** A type without what its column's modifier says: constants that meet the column are not cut to its length. */
export function unmodified(codecOf: CodecOf, { codec, collation }: ResultType): ResultType {
  return codec.typmod === -1 ? { codec, collation } : { codec: codecOf(codec.oid), collation }
}

// The type of a number that SQL would read as a constant of that size.
function numberType(value: number | bigint): number {
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return Number.isFinite(value) ? typeOids.numeric : typeOids.float8
  }
  const whole = BigInt(value)
  if (BigInt.asIntN(32, whole) === whole) return typeOids.int4
  return BigInt.asIntN(64, whole) === whole ? typeOids.int8 : typeOids.numeric
}

/** A constant that meets nothing else. */
export function typedLiteral(codecOf: CodecOf, value: unknown): Typed {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return constant(simpleType(codecOf, numberType(value)), value)
    case 'boolean':
      return constant(simpleType(codecOf, typeOids.bool), value)
    default:
      if (value === null || typeof value === 'string')
        return constant({ codec: codecOf(typeOids.text), collation: defaultCollation }, value)
      if (value instanceof Date) return constant(simpleType(codecOf, typeOids.timestamptz), value)
      if (value instanceof Uint8Array) return constant(simpleType(codecOf, typeOids.bytea), value)
      throw new PgError('42P18', 'could not determine data type of a constant', {
        hint: 'Only texts, numbers, bigints, booleans, dates and bytes may stand alone.',
      })
  }
}

export function typed(codecOf: CodecOf, analyzed: Analyzed): Typed {
  return isLiteral(analyzed) ? typedLiteral(codecOf, analyzed.literal) : analyzed
}

// A constant as the type that it meets would have it.
function literalBeside(codecOf: CodecOf, value: unknown, other: ResultType): Typed {
  const isNumeric = typeof value === 'number' || typeof value === 'bigint'
  if (isNumeric && isNumber(other)) return typedLiteral(codecOf, value)
  return constant(unmodified(codecOf, other), value)
}

function noOperator(operator: string, left: ResultType, right: ResultType): PgError {
  const names = [left, right].map(({ codec }) => formatType(codec.oid))
  return new PgError('42883', `operator does not exist: ${names[0]} ${operator} ${names[1]}`, {
    hint: 'No operator matches the given name and argument types. You might need to add explicit type casts.',
  })
}

function notYet(operator: string, left: ResultType, right: ResultType): PgError {
  const names = [left, right].map(({ codec }) => formatType(codec.oid))
  return new PgError('0A000', `${names[0]} ${operator} ${names[1]} is not supported`)
}

// The number type that an operator of two such types takes; undefined when one is none.
function commonNumber(left: ResultType, right: ResultType): number | undefined {
  if (!isNumber(left) || !isNumber(right)) return undefined
  const oids = [left.codec.oid, right.codec.oid]
  if (oids[0] === oids[1]) return oids[0]
  // There are operators of both float types, which widen; whatever else meets one becomes a float8.
  if (oids.includes(typeOids.float4) || oids.includes(typeOids.float8)) return typeOids.float8
  if (oids.includes(typeOids.numeric)) return typeOids.numeric
  return widerNumber(left, right)
}

/** Of two number types the one that both become implicitly; undefined when one is none. */
export function widerNumber(left: ResultType, right: ResultType): number | undefined {
  if (!isNumber(left) || !isNumber(right)) return undefined
  return numbers[Math.max(numbers.indexOf(left.codec.oid), numbers.indexOf(right.codec.oid))]
}

const texts: readonly number[] = [typeOids.text, typeOids.varchar]

// The same text under one type, which varchar has its operators from.
function asText(codecOf: CodecOf, operand: Typed): Typed {
  if (operand.type.codec.oid !== typeOids.varchar) return operand
  return { ...operand, type: { codec: codecOf(typeOids.text), collation: operand.type.collation } }
}

/** The type that a function gives which takes any type: without modifier, and text for varchar. */
export function plainType(codecOf: CodecOf, type: ResultType): ResultType {
  const oid = type.codec.oid === typeOids.varchar ? typeOids.text : type.codec.oid
  return { codec: codecOf(oid), collation: type.collation }
}

// Gives two constants, or a constant and something typed, their types.
function meet(codecOf: CodecOf, left: Analyzed, right: Analyzed): [Typed, Typed] {
  if (isLiteral(left)) {
    if (isLiteral(right)) {
      // A text becomes what the other constant is.
      if (typeof left.literal === 'string' || left.literal === null) {
        const other = typedLiteral(codecOf, right.literal)
        return [literalBeside(codecOf, left.literal, other.type), other]
      }
      const first = typedLiteral(codecOf, left.literal)
      return [first, literalBeside(codecOf, right.literal, first.type)]
    }
    return [literalBeside(codecOf, left.literal, right.type), right]
  }
  if (isLiteral(right)) return [left, literalBeside(codecOf, right.literal, left.type)]
  return [left, right]
}

// A constant is made of the type at once.
function widen(given: Analyzed, operand: Typed, type: ResultType): Typed {
  const isMade = isLiteral(given) && typeof given.literal === 'number'
  return isMade ? constant(type, given.literal) : cast(operand, type)
}

/** The operands of a comparison as values of one type. Throws 42883. */
export function comparable(
  codecOf: CodecOf,
  operator: string,
  left: Analyzed,
  right: Analyzed,
): [Typed, Typed] {
  const [a, b] = meet(codecOf, left, right).map((one) => asText(codecOf, one)) as [Typed, Typed]
  if (a.type.codec.oid === b.type.codec.oid) {
    if (incomparable.includes(a.type.codec.oid)) throw noOperator(operator, a.type, b.type)
    return [a, b]
  }
  const common = commonNumber(a.type, b.type)
  if (common !== undefined) {
    const type = simpleType(codecOf, common)
    return [widen(left, a, type), widen(right, b, type)]
  }
  if (isNumber(a.type) || isNumber(b.type)) throw noOperator(operator, a.type, b.type)
  throw notYet(operator, a.type, b.type)
}

/** The operands of arithmetic as values of the result's type. Throws 42883. */
export function calculable(
  codecOf: CodecOf,
  operator: ArithmeticOperator,
  left: Analyzed,
  right: Analyzed,
): [Typed, Typed] {
  const [a, b] = meet(codecOf, left, right)
  const common = commonNumber(a.type, b.type)
  const isFloat = common === typeOids.float4 || common === typeOids.float8
  if (common === undefined || (operator === '%' && isFloat)) {
    throw noOperator(operator, a.type, b.type)
  }
  const type = simpleType(codecOf, common)
  return [widen(left, a, type), widen(right, b, type)]
}

/** The operands of `like`. Throws 42883. */
export function likeOperands(codecOf: CodecOf, left: Analyzed, right: Analyzed): [Typed, Typed] {
  const textType = { codec: codecOf(typeOids.text), collation: defaultCollation }
  const asTyped = (one: Analyzed) =>
    isLiteral(one) ? constant(textType, one.literal) : asText(codecOf, one)
  const [a, b] = [asTyped(left), asTyped(right)]
  const isPattern = texts.includes(b.type.codec.oid)
  if (!isPattern || ![...texts, typeOids.bpchar].includes(a.type.codec.oid)) {
    throw noOperator('~~', a.type, b.type)
  }
  return [a, b]
}
