// Assignments: what columns are set to, as values of the columns' types.
import type { NativeAssignments } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { formatType } from '../types/index.ts'
import { analyzeComparand, type Names } from './analyze-expression.ts'
import type { Assignments } from './change.ts'
import {
  type Analyzed,
  type BoundExpression,
  constant,
  isLiteral,
  isPlainObject,
  malformed,
  nativeType,
  type ResultType,
} from './expression.ts'
import { isNumber, typeOids } from './operator-types.ts'

export interface Assignment {
  attribute: number
  expression: BoundExpression
  cast: NativeAssignments['casts'][number]
}

// The error for an expression that no assignment cast makes a value of the column.
function mismatch(column: string, target: ResultType, given: ResultType): PgError {
  const types = [target, given].map(({ codec }) => formatType(codec.oid))
  return new PgError(
    '42804',
    `column "${column}" is of type ${types[0]} but expression is of type ${types[1]}`,
    { column, hint: 'You will need to rewrite or cast the expression.' },
  )
}

const texts: readonly number[] = [typeOids.text, typeOids.varchar]

// What makes a value of one type one of another; null when it is one already.
function castTo(
  column: string,
  target: ResultType,
  given: ResultType,
): NativeAssignments['casts'][number] {
  const { codec } = target
  const isSame = codec.oid === given.codec.oid
  if (isSame && (codec.typmod === -1 || codec.typmod === given.codec.typmod)) return null
  const cast = { ...nativeType(target), typmod: codec.typmod }
  if (isNumber(target) && isNumber(given)) return cast
  const areTexts = texts.includes(codec.oid) && texts.includes(given.codec.oid)
  if (areTexts) return codec.oid === typeOids.text || codec.typmod === -1 ? null : cast
  if (!isSame) throw mismatch(column, target, given)
  throw new PgError('0A000', `column "${column}" cannot be set to an expression`, {
    column,
    detail: `Values of type ${formatType(codec.oid, codec.typmod)} are not cut to their length.`,
  })
}

function assigned(
  column: string,
  target: ResultType,
  analyzed: Analyzed,
): Omit<Assignment, 'attribute'> {
  if (isLiteral(analyzed))
    return { expression: constant(target, analyzed.literal).expression, cast: null }
  return { expression: analyzed.expression, cast: castTo(column, target, analyzed.type) }
}

/** Throws 42703, 42804, 42601, and what a column's type says of a constant. */
export function analyzeAssignments(
  names: Names,
  relation: RelationInfo,
  typeOf: (attribute: number) => ResultType,
  set: Assignments,
): Assignment[] {
  if (!isPlainObject(set)) throw malformed('"set" takes an object of columns')
  const assignments = Object.entries(set)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const { attribute } = relation.access.column(name)
      const analyzed = analyzeComparand(names, value)
      try {
        return { attribute, ...assigned(name, typeOf(attribute), analyzed) }
      } catch (error) {
        throw withColumn(error, name)
      }
    })
  if (assignments.length === 0) throw malformed('"set" names no column')
  return assignments
}

function withColumn(error: unknown, column: string): unknown {
  if (!(error instanceof PgError) || error.column !== undefined) return error
  const { code, message, detail, hint, dataType } = error
  return new PgError(code, message, { detail, hint, dataType, column, cause: error })
}
