// Analysis of GROUP BY and of aggregate calls: what each group yields, under which names.
import type { AggregateFunctionName } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import { analyzeTyped, type Names, onlyMember } from './analyze-expression.ts'
import {
  type BoundExpression,
  malformed,
  nativeType,
  type ResultType,
  type Typed,
} from './expression.ts'
import { expressionKey } from './expression-list.ts'
import { type CodecOf, comparable, plainType, typeOids } from './operator-types.ts'
import { type NamedTyped, outputColumn } from './output-columns.ts'
import type { AggregateCall, Select } from './query.ts'
import type { Scope } from './scope.ts'

/** In column references: the columns of the groups, keys first. */
export const groupedTable = -1

export interface AnalyzedCall {
  name: string
  function: AggregateFunctionName
  /** Undefined for count(*). */
  argument: BoundExpression | undefined
  type: ResultType
}

export interface Grouping {
  keys: NamedTyped[]
  calls: AnalyzedCall[]
  /** The names that mean something of a group. */
  names: Names
}

const functionNames: readonly string[] = ['count', 'sum', 'avg', 'min', 'max']

const sumTypes: Readonly<Record<number, number>> = {
  [typeOids.int2]: typeOids.int8,
  [typeOids.int4]: typeOids.int8,
  [typeOids.int8]: typeOids.numeric,
  [typeOids.numeric]: typeOids.numeric,
  [typeOids.float4]: typeOids.float4,
  [typeOids.float8]: typeOids.float8,
}

const averageTypes: Readonly<Record<number, number>> = {
  [typeOids.int2]: typeOids.numeric,
  [typeOids.int4]: typeOids.numeric,
  [typeOids.int8]: typeOids.numeric,
  [typeOids.numeric]: typeOids.numeric,
  [typeOids.float4]: typeOids.float8,
  [typeOids.float8]: typeOids.float8,
}

// pg_aggregate has no min and max of these types. Source: src/include/catalog/pg_aggregate.dat, PostgreSQL 18.
const withoutExtremes: readonly string[] = [
  'bool',
  'uuid',
  'json',
  'jsonb',
  'char',
  'name',
  'xid',
  'cid',
]

// The type of the result. Throws 42883.
function resultType(
  codecOf: CodecOf,
  name: AggregateFunctionName,
  argument: ResultType,
): ResultType {
  const { codec } = argument
  const simple = (oid: number) => ({ codec: codecOf(oid), collation: 0 })
  if (name === 'count' || name === 'count(*)') return simple(typeOids.int8)
  const isExtreme = name === 'min' || name === 'max'
  if (isExtreme && !withoutExtremes.includes(codec.name)) return plainType(codecOf, argument)
  const oid = isExtreme ? undefined : (name === 'sum' ? sumTypes : averageTypes)[codec.oid]
  if (oid !== undefined) return simple(oid)
  throw new PgError('42883', `function ${name}(${formatType(codec.oid)}) does not exist`, {
    hint: 'No function matches the given name and argument types. You might need to add explicit type casts.',
  })
}

export function analyzeCall(names: Names, name: string, call: AggregateCall): AnalyzedCall {
  const [functionName, operand] = onlyMember(call) ?? []
  if (functionName === undefined || !functionNames.includes(functionName)) {
    throw malformed(`aggregate "${name}" is none of ${functionNames.join(', ')}`)
  }
  if (functionName === 'count' && operand === '*') {
    const type = { codec: names.codecOf(typeOids.int8), collation: 0 }
    return { name, function: 'count(*)', argument: undefined, type }
  }
  const argument = analyzeTyped(names, operand)
  const called = functionName as AggregateFunctionName
  const type = resultType(names.codecOf, called, argument.type)
  return { name, function: called, argument: argument.expression, type }
}

// Two expressions that read the same are the same.
function sameAs(left: BoundExpression): (right: Typed) => boolean {
  const key = expressionKey(left)
  return ({ expression }) => expressionKey(expression) === key
}

function groupedColumn(type: ResultType, index: number): Typed {
  return {
    expression: { kind: 'column', type: nativeType(type), table: groupedTable, attribute: index },
    type,
  }
}

/** What the groups of a query are; undefined where it has none. Throws 42803 through the names it gives. */
export function analyzeGrouping(names: Names, scope: Scope, query: Select): Grouping | undefined {
  const { groupBy = [], aggregates } = query
  if (groupBy.length === 0 && aggregates === undefined && query.having === undefined)
    return undefined
  const keys = groupBy.map((key) => outputColumn(names, key))
  // Types that cannot be compared cannot be grouped by.
  for (const key of keys) comparable(names.codecOf, '=', key, key)
  const calls = Object.entries(aggregates ?? {}).map(([name, call]) =>
    analyzeCall(names, name, call),
  )
  const column = (name: string): Typed => {
    const call = calls.findIndex((one) => one.name === name)
    if (call >= 0) return groupedColumn((calls[call] as AnalyzedCall).type, keys.length + call)
    const named = keys.findIndex((key) => key.name === name)
    const found = named >= 0 ? (keys[named] as NamedTyped) : scope.column(name)
    const key = named >= 0 ? named : keys.findIndex(sameAs(found.expression))
    if (key >= 0)
      return { ...groupedColumn(found.type, key), ...('name' in found && { name: found.name }) }
    throw new PgError(
      '42803',
      `column "${scope.qualifiedName(name)}" must appear in the GROUP BY clause or be used in an aggregate function`,
    )
  }
  return { keys, calls, names: { ...names, column } }
}
