// Planning: a query object as the operators that run it.

import type { AccessColumn } from '../access/relation-access.ts'
import type { NativePlan, NativePlanNode } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { nativeLane } from '../relation/descriptor.ts'
import { analyzeConditions } from './analyze-conditions.ts'
import { analyzeExpression, type Names } from './analyze-expression.ts'
import {
  type BoundExpression,
  type ColumnReference,
  malformed,
  nativeType,
  place,
  type Typed,
  visitColumns,
} from './expression.ts'
import { type CodecOf, typed } from './operator-types.ts'
import type { OutputColumn, Query } from './query.ts'
import { Scope, type ScopeTable } from './scope.ts'

/** What planning needs to know of the database. */
export interface PlanContext {
  codecOf: CodecOf
  bytewiseDefaultCollation: boolean
}

export interface NamedTyped extends Typed {
  name: string
}

export interface QueryPlan {
  native: NativePlan
  /** Names and codecs of the result's columns. */
  columns: Pick<AccessColumn, 'name' | 'codec'>[]
}

// Rows of a batch that crosses to JavaScript.
const outputBatchRows = 1000

function outputColumn(names: Names, column: OutputColumn): NamedTyped {
  if (typeof column === 'string') {
    const found = names.column(column)
    const name = 'name' in found ? (found as NamedTyped).name : column
    return { ...found, name }
  }
  const { as: name, ...expression } = column
  if (typeof name !== 'string') throw malformed('a computed column needs a name, "as"')
  return { ...typed(names.codecOf, analyzeExpression(names, expression)), name }
}

function refuseDuplicates(columns: readonly NamedTyped[]): void {
  const seen = new Set<string>()
  for (const { name } of columns) {
    if (seen.has(name)) {
      throw new PgError('42701', `column "${name}" specified more than once`, {
        column: name,
        hint: 'Give one of them another name with "as".',
      })
    }
    seen.add(name)
  }
}

// LIMIT and OFFSET. Throws 2201W, 2201X.
function count(name: 'limit' | 'offset', given: number | bigint | undefined): number | undefined {
  if (given === undefined) return undefined
  const value = Number(given)
  if (Number.isSafeInteger(value) && value >= 0) return value
  const isLimit = name === 'limit'
  if (value < 0) {
    throw new PgError(
      isLimit ? '2201W' : '2201X',
      `${isLimit ? 'LIMIT' : 'OFFSET'} must not be negative`,
    )
  }
  throw malformed(`"${name}" takes a whole number`)
}

// The attributes of a table that expressions read.
function attributesRead(table: number, expressions: readonly BoundExpression[]): number[] {
  const attributes = new Set<number>()
  for (const expression of expressions) {
    visitColumns(expression, (column) => {
      if (column.table === table) attributes.add(column.attribute)
    })
  }
  return [...attributes].sort((a, b) => a - b)
}

export function planQuery(
  context: PlanContext,
  query: Query,
  tables: readonly ScopeTable[],
): QueryPlan {
  const scope = new Scope(tables)
  const names: Names = { codecOf: context.codecOf, column: (name) => scope.column(name) }
  const output = query.columns?.map((column) => outputColumn(names, column)) ?? scope.columns()
  refuseDuplicates(output)
  const conditions = analyzeConditions(names, query.where)

  const attributes = attributesRead(0, [
    ...output.map(({ expression }) => expression),
    ...conditions,
  ])
  const indexOf = ({ attribute }: ColumnReference) => attributes.indexOf(attribute)
  let root: NativePlanNode = {
    node: 'seq scan',
    relation: 0,
    attributes,
    conditions: conditions.map((condition) => place(condition, indexOf)),
  }
  const limit = count('limit', query.limit)
  const offset = count('offset', query.offset) ?? 0
  if (limit !== undefined || offset > 0) {
    root = { node: 'limit', child: root, ...(limit !== undefined && { limit }), offset }
  }
  root = {
    node: 'project',
    child: root,
    expressions: output.map(({ expression }) => place(expression, indexOf)),
  }
  return {
    native: {
      relations: tables.map(({ relation }) => relation.access.native),
      root,
      columns: output.map(({ type }) => ({ ...nativeType(type), lane: nativeLane(type.codec) })),
      capacity: outputBatchRows,
      bytewiseDefaultCollation: context.bytewiseDefaultCollation,
    },
    columns: output.map(({ name, type }) => ({ name, codec: type.codec })),
  }
}
