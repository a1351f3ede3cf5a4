// Which conditions of a query an index tests, and which order its rows come in.
//
// Source: src/backend/optimizer/path/indxpath.c (match_clause_to_indexcol), src/backend/utils/adt/like_support.c
// (match_pattern_prefix), PostgreSQL 18.
import type { IndexDescriptor, NativeIndexOperator, NativeType } from '../binding/native.ts'
import { bareColumn } from './column-variable.ts'
import { type BoundExpression, type ColumnReference, commuted, visitColumns } from './expression.ts'
import { greaterThanPrefix, likePrefix } from './like-pattern.ts'
import { typeOids } from './operator-types.ts'
import type { ScopeTable } from './scope.ts'

/** What an index tests of a key column. */
export interface IndexKey {
  /** Key column, from 0. */
  column: number
  operator: NativeIndexOperator
  /** Undefined for the tests for null. */
  value: BoundExpression | undefined
  /** In place of `value`: different values, of which one is equal. `isJunction`: the query has a comparison with each. */
  list?: { values: Uint8Array[]; type: NativeType; isJunction?: boolean }
  /** What is known to hold of the rows that it leaves. */
  condition: BoundExpression
  /** The query's own condition that it stands for. */
  of: BoundExpression
  /** More rows than the query wants may be left: its own condition is to be tested as well. */
  isLossy?: boolean
}

/** Rows in the order of a column of a table. */
export interface ColumnOrder {
  column: ColumnReference
  descending: boolean
  nullsFirst: boolean
}

// Families whose operators are not those of ordinary comparisons: text_pattern_ops, bpchar_pattern_ops, record_image_ops.
// Source: src/include/catalog/pg_opfamily.dat, PostgreSQL 18.
const otherFamilies: readonly number[] = [2095, 2097, 3194]
const integers: readonly number[] = [typeOids.int2, typeOids.int4, typeOids.int8]

/** The indexes of a table that queries may use, by their places among its indexes. */
export function usableIndexes({ relation }: ScopeTable): [number, IndexDescriptor][] {
  return relation.access.descriptor.indexes.flatMap((index, i): [number, IndexDescriptor][] =>
    relation.indexes[i]?.unusableBecause === undefined ? [[i, index]] : [],
  )
}

function isOn(index: IndexDescriptor, column: number, type: NativeType): boolean {
  const key = index.columns[column]
  return (
    key !== undefined && key.collation === type.collation && !otherFamilies.includes(key.family)
  )
}

// A whole number in so many bytes; undefined where it has no room.
function resized(bytes: Uint8Array, length: number): Uint8Array | undefined {
  const sign = (bytes.at(-1) as number) >= 128 ? 255 : 0
  const made = new Uint8Array(length).fill(sign)
  made.set(bytes.subarray(0, length))
  const isCut = bytes.subarray(length).some((byte) => byte !== sign)
  const isSigned = ((made.at(-1) as number) >= 128 ? 255 : 0) === sign
  return isCut || !isSigned ? undefined : made
}

type ColumnExpression = BoundExpression & { kind: 'column' }

function isText({ oid }: NativeType): boolean {
  return oid === typeOids.text || oid === typeOids.varchar
}

// The value as the column's type has it; undefined where it does not.
function asColumn(value: BoundExpression, column: ColumnExpression): BoundExpression | undefined {
  const { type } = column
  if (value.kind === 'constant' && value.value !== null) {
    if (value.type.oid === type.oid) return value
    if (integers.includes(value.type.oid) && integers.includes(type.oid)) {
      const bytes = resized(value.value, type.length)
      return bytes && { kind: 'constant', type, value: bytes }
    }
    return isText(value.type) && isText(type) ? value : undefined
  }
  // A value that is not known yet has the type already, as comparing it needs.
  const given = value.kind === 'column' || value.kind === 'cast' ? value.type : undefined
  const isSame = given?.oid === type.oid || (given !== undefined && isText(given) && isText(type))
  return isSame ? value : undefined
}

// Types whose values are equal when their bytes are, and only then.
// Source: src/include/catalog/pg_type.dat: those above, and oid, date, time, timestamp, timestamptz, uuid.
const bytewiseTypes: readonly number[] = [
  ...integers,
  ...[typeOids.bool, typeOids.bytea, typeOids.text, typeOids.varchar],
  ...[26, 1082, 1083, 1114, typeOids.timestamptz, 2950],
]

function different(values: readonly Uint8Array[]): Uint8Array[] {
  const byText = new Map(values.map((one) => [Buffer.from(one).toString('latin1'), one]))
  return [...byText.values()]
}

function listKey(
  column: number,
  key: { type: NativeType },
  condition: Extract<BoundExpression, { kind: 'in' }>,
): IndexKey[] {
  const { operand, list } = condition
  // A cast makes the values wider than the column's.
  if (operand.kind !== 'column' || list.length === 0) return []
  if (!bytewiseTypes.includes(key.type.oid)) return []
  const values = { values: different(list), type: key.type }
  return [{ column, operator: '=', value: undefined, list: values, condition, of: condition }]
}

// An `or` of comparisons of the key with one constant each is a list, too.
function junctionKey(
  table: number,
  index: IndexDescriptor,
  column: number,
  junction: Extract<BoundExpression, { operands: unknown }>,
): IndexKey[] {
  const values: Uint8Array[] = []
  let operand: ColumnExpression | undefined
  for (const one of junction.operands) {
    if (one.kind !== 'comparison' || one.operator !== '=') return []
    const [key] = matchKeys(table, index, column, one)
    if (key?.value?.kind !== 'constant' || key.value.value === null) return []
    values.push(key.value.value)
    const bare = bareColumn(one.left) ?? bareColumn(one.right)
    if (bare?.kind === 'column') operand = bare
  }
  if (operand === undefined) return []
  const condition: BoundExpression = { kind: 'in', operand, list: values, hasNull: false }
  const { type } = operand
  return listKey(column, { type }, condition).map(({ list, ...key }) => ({
    ...key,
    ...(list && { list: { ...list, isJunction: true } }),
    of: junction,
  }))
}

// What all texts that match a pattern have in common: between which ends they are. The pattern itself is to be tested too.
function patternKeys(
  column: number,
  key: ColumnExpression,
  of: Extract<BoundExpression, { kind: 'like' }>,
): IndexKey[] {
  const { left, right } = of
  if (!isText(key.type) || right.kind !== 'constant' || right.value === null) return []
  const { prefix, rest } = likePrefix(new TextDecoder().decode(right.value))
  if (prefix === '') return []
  const keyOf = (operator: '=' | '>=' | '<', text: string): IndexKey => {
    const value: BoundExpression = { ...right, value: new TextEncoder().encode(text) }
    const condition: BoundExpression = { kind: 'comparison', operator, left, right: value }
    return { column, operator, value, condition, of, isLossy: true }
  }
  if (rest === '') return [keyOf('=', prefix)]
  const end = greaterThanPrefix(prefix)
  return [keyOf('>=', prefix), ...(end === undefined ? [] : [keyOf('<', end)])]
}

// What the index's key column tests of the condition; nothing if it does not.
function matchKeys(
  table: number,
  index: IndexDescriptor,
  column: number,
  condition: BoundExpression,
): IndexKey[] {
  const { attribute } = index.columns[column] as { attribute: number }
  const keyOf = (operand: BoundExpression) => {
    const bare = bareColumn(operand)
    if (bare?.kind !== 'column') return undefined
    const isKey = bare.table === table && bare.attribute === attribute
    return isKey && isOn(index, column, bare.type) ? bare : undefined
  }
  if (condition.kind === 'is null') {
    const isKey = keyOf(condition.operand) !== undefined
    const key = { column, operator: 'is null' as const, value: undefined }
    return isKey ? [{ ...key, condition, of: condition }] : []
  }
  if (condition.kind === 'not' && condition.operand.kind === 'is null') {
    const isKey = keyOf(condition.operand.operand) !== undefined
    const key = { column, operator: 'is not null' as const, value: undefined }
    return isKey ? [{ ...key, condition, of: condition }] : []
  }
  if (condition.kind === 'in') {
    const key = keyOf(condition.operand)
    return key === undefined ? [] : listKey(column, key, condition)
  }
  if (condition.kind === 'like') {
    const key = keyOf(condition.left)
    return key === undefined ? [] : patternKeys(column, key, condition)
  }
  if (condition.kind === 'or') return junctionKey(table, index, column, condition)
  if (condition.kind !== 'comparison' || condition.operator === '<>') return []
  const left = keyOf(condition.left)
  const key = left ?? keyOf(condition.right)
  if (key === undefined) return []
  const operator = left === undefined ? commuted[condition.operator] : condition.operator
  const other = left === undefined ? condition.left : condition.right
  const value = tablesOf(other).has(table) ? undefined : asColumn(other, key)
  if (value === undefined) return []
  return [{ column, operator: operator as NativeIndexOperator, value, condition, of: condition }]
}

/** The conditions that need not be tested beside what an index tests. */
export function testedBy(keys: readonly IndexKey[]): Set<BoundExpression> {
  return new Set(keys.filter(({ isLossy }) => !isLossy).map((key) => key.of))
}

/** What an index tests of conditions; nothing where it tests nothing of its leading column. */
export function matchIndex(
  table: number,
  index: IndexDescriptor,
  conditions: readonly BoundExpression[],
): IndexKey[] {
  const keys: IndexKey[] = []
  for (let column = 0; column < index.keyCount; column++) {
    const found = conditions.flatMap((condition) => matchKeys(table, index, column, condition))
    // One list at most.
    const isOver = (key: IndexKey, i: number) =>
      key.list !== undefined &&
      [...keys, ...found.slice(0, i)].some(({ list }) => list !== undefined)
    const usable = found.filter((key, i) => !isOver(key, i))
    if (usable.length === 0 && column === 0) return []
    keys.push(...usable)
  }
  return keys
}

/** The order of an index's rows, but for columns of which all have the same value. */
export function orderOf(
  table: number,
  index: IndexDescriptor,
  keys: readonly IndexKey[],
  isBackward: boolean,
): ColumnOrder[] {
  // The values of a list are searched for one after the other.
  if (keys.some(({ list }) => list !== undefined)) return []
  const isFixed = (column: number) =>
    keys.some((key) => key.column === column && key.operator === '=')
  return index.columns.slice(0, index.keyCount).flatMap((key, column): ColumnOrder[] =>
    isFixed(column)
      ? []
      : [
          {
            column: { table, attribute: key.attribute },
            descending: key.descending !== isBackward,
            nullsFirst: key.nullsFirst !== isBackward,
          },
        ],
  )
}

/** Are rows in the order `given` in the order `wanted`, too? */
export function satisfies(given: readonly ColumnOrder[], wanted: readonly ColumnOrder[]): boolean {
  return wanted.every((one, i) => {
    const other = given[i]
    return (
      other !== undefined &&
      other.column.table === one.column.table &&
      other.column.attribute === one.column.attribute &&
      other.descending === one.descending &&
      other.nullsFirst === one.nullsFirst
    )
  })
}

// Indexes have a name as a text that ends with a null byte.
const nameType = 19

/** Which columns of an index the attributes are; undefined if it does not have all of them. */
export function entryColumns(
  { relation }: ScopeTable,
  index: IndexDescriptor,
  attributes: readonly number[],
): number[] | undefined {
  const columns = attributes.map((wanted) => {
    const codec = relation.columns.find(({ attribute }) => attribute === wanted)?.codec
    if (codec === undefined || codec.oid === nameType) return -1
    return index.columns.findIndex(({ attribute }) => attribute === wanted)
  })
  return columns.includes(-1) ? undefined : columns
}

/** The tables that an expression reads. */
export function tablesOf(expression: BoundExpression): Set<number> {
  const tables = new Set<number>()
  visitColumns(expression, ({ table }) => tables.add(table))
  return tables
}
