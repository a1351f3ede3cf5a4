// Expressions whose names were resolved: what each yields, and which columns of which tables it reads.
import type {
  ComparisonOperator,
  ExpressionOver,
  NativeExpression,
  NativeType,
} from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import type { LaneValue, TypeCodec } from '../types/index.ts'
import { datumBytes } from '../types/index.ts'

/** What an expression yields. The collation is 0 for types without. */
export interface ResultType {
  codec: TypeCodec
  collation: number
}

/** A column of a table of the query, by its place among the tables and the attribute number in it. */
export interface ColumnReference {
  table: number
  attribute: number
}

export type BoundExpression = ExpressionOver<ColumnReference>

export interface Typed {
  expression: BoundExpression
  type: ResultType
}

/** A constant whose type depends on what it meets. */
export interface Literal {
  literal: unknown
}

export type Analyzed = Typed | Literal

export function isLiteral(analyzed: Analyzed): analyzed is Literal {
  return 'literal' in analyzed
}

export function nativeType({ codec, collation }: ResultType): NativeType {
  return {
    oid: codec.oid,
    length: codec.typlen,
    byValue: codec.typbyval,
    collation,
    elementType: codec.typelem,
  }
}

/** The datum's bytes of a JavaScript value of that type. Throws what the type says of it. */
export function constantBytes(codec: TypeCodec, value: unknown): Uint8Array {
  return datumBytes(codec, codec.toLane(value) as LaneValue)
}

export function constant(type: ResultType, value: unknown): Typed {
  const bytes = value === null ? null : constantBytes(type.codec, value)
  return { expression: { kind: 'constant', type: nativeType(type), value: bytes }, type }
}

export function cast(operand: Typed, type: ResultType): Typed {
  if (operand.type.codec.oid === type.codec.oid) return operand
  return {
    expression: { kind: 'cast', operand: operand.expression, type: nativeType(type) },
    type,
  }
}

/** The same expression with the columns' places in the batches that it is evaluated on. */
export function place(
  expression: BoundExpression,
  indexOf: (column: ColumnReference) => number,
): NativeExpression {
  const placed = (one: BoundExpression) => place(one, indexOf)
  switch (expression.kind) {
    case 'column':
      return { kind: 'column', type: expression.type, index: indexOf(expression) }
    case 'constant':
      return expression
    case 'comparison':
    case 'arithmetic':
    case 'like':
      return { ...expression, left: placed(expression.left), right: placed(expression.right) }
    case 'and':
    case 'or':
      return { ...expression, operands: expression.operands.map(placed) }
    default:
      return { ...expression, operand: placed(expression.operand) }
  }
}

/** Calls `visit` with every column that the expression reads. */
export function visitColumns(
  expression: BoundExpression,
  visit: (column: ColumnReference) => void,
): void {
  place(expression, (column) => {
    visit(column)
    return 0
  })
}

/** A plain object, as literals make them. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

/** An error in the query object itself. */
export function malformed(what: string): PgError {
  return new PgError('42601', `syntax error in query: ${what}`)
}

/** The operator that says the same of operands that have changed places. */
export const commuted: Record<ComparisonOperator, ComparisonOperator> = {
  '=': '=',
  '<>': '<>',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

/** The type of an operand; undefined for a condition, which is boolean. */
export function operandType(expression: NativeExpression): NativeType | undefined {
  switch (expression.kind) {
    case 'column':
    case 'constant':
    case 'cast':
    case 'json':
      return expression.type
    case 'arithmetic':
      return operandType(expression.left)
    default:
      return undefined
  }
}
