// The types of the columns of set operations.
//
// Source: select_common_type in src/backend/parser/parse_coerce.c, transformSetOperationTree in src/backend/parser/analyze.c,
// PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import { type BoundExpression, constant, nativeType, type ResultType } from './expression.ts'
import {
  type CodecOf,
  defaultCollation,
  typeOids,
  unmodified,
  widerNumber,
} from './operator-types.ts'
import type { NamedTyped } from './output-columns.ts'

/** A column of an operand. */
export interface SetColumn {
  name: string
  type: ResultType
  /** A constant that SQL would read as one of no type yet: a text or null. */
  literal?: string | null
}

// Types of which each may become others of the same list.
const families: readonly (readonly number[])[] = [
  [typeOids.text, typeOids.varchar, typeOids.bpchar, typeOids.name],
  [typeOids.date, typeOids.timestamp, typeOids.timestamptz],
  [typeOids.time, typeOids.timetz],
]
// Of the category "U" of pg_type: none becomes another one, which is found out later than with other types.
const ofUsers: readonly number[] = [typeOids.bytea, typeOids.json, typeOids.uuid, typeOids.jsonb]
const texts: readonly number[] = [typeOids.text, typeOids.varchar]

/** What a SELECT's column is to a set operation; `isTyped`: a constant text has become one. */
export function setColumn({ name, type, expression }: NamedTyped, isTyped: boolean): SetColumn {
  const isLiteral = expression.kind === 'constant' && type.codec.oid === typeOids.text
  if (!isLiteral || isTyped) return { name, type }
  const { value } = expression
  return { name, type, literal: value === null ? null : Buffer.from(value).toString() }
}

// Of two collations that columns have, the one that is not the default.
function commonCollation(one: number, other: number): number {
  if (one === other || other === defaultCollation || other === 0) return one
  if (one === defaultCollation || one === 0) return other
  throw new PgError('42P21', 'collation mismatch between implicit collations')
}

function isOfFamily(left: ResultType, right: ResultType): boolean {
  return families.some((oids) => [left, right].every(({ codec }) => oids.includes(codec.oid)))
}

/** `what`: "UNION", as messages have it. Throws 42804, 42846, 42P21. */
export function commonType(
  codecOf: CodecOf,
  what: string,
  left: SetColumn,
  right: SetColumn,
): ResultType {
  if (left.literal !== undefined) {
    return right.literal === undefined ? unmodified(codecOf, right.type) : left.type
  }
  if (right.literal !== undefined) return unmodified(codecOf, left.type)
  const [a, b] = [left.type, right.type]
  const number = widerNumber(a, b)
  if (a.codec.oid !== b.codec.oid && number === undefined && !isOfFamily(a, b)) {
    const [one, other] = [a, b].map(({ codec }) => formatType(codec.oid))
    if (ofUsers.includes(a.codec.oid) && ofUsers.includes(b.codec.oid))
      throw new PgError('42846', `${what} could not convert type ${other} to ${one}`)
    throw new PgError('42804', `${what} types ${one} and ${other} cannot be matched`)
  }
  const collation = commonCollation(a.collation, b.collation)
  if (a.codec.oid === b.codec.oid) {
    const codec = a.codec.typmod === b.codec.typmod ? a.codec : codecOf(a.codec.oid)
    return { codec, collation }
  }
  return { codec: codecOf(number ?? a.codec.oid), collation }
}

/** A column of an operand's batches as a value of the common type. Throws 0A000, and what the type says of a constant. */
export function asCommonType(column: SetColumn, type: ResultType, index: number): BoundExpression {
  if (column.literal !== undefined) return constant(type, column.literal).expression
  const [from, to] = [column.type.codec.oid, type.codec.oid]
  const operand: BoundExpression = {
    kind: 'column',
    type: nativeType(from === to ? type : column.type),
    table: 0,
    attribute: index,
  }
  if (from === to) return operand
  // The same bytes, under another name.
  if (texts.includes(from) && (texts.includes(to) || to === typeOids.bpchar))
    return { ...operand, type: nativeType(type) }
  const isNumber = widerNumber(column.type, type) !== undefined
  if (!isNumber || (from === typeOids.numeric && to === typeOids.float4)) {
    const [one, other] = [from, to].map((oid) => formatType(oid))
    throw new PgError('0A000', `casting ${one} to ${other} is not supported`)
  }
  return { kind: 'cast', operand, type: nativeType(type) }
}
