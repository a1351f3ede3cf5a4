// Analysis of window functions: what each is of, and the names of their results.
import type { NativeWindowFunction, NativeWindowUnit } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { analyzeCall } from './analyze-aggregates.ts'
import { analyzeTyped, type Names, onlyMember, operandPair } from './analyze-expression.ts'
import {
  type BoundExpression,
  malformed,
  nativeType,
  type ResultType,
  type Typed,
} from './expression.ts'
import { comparable, typeOids, unmodified } from './operator-types.ts'
import type { WindowCall } from './query.ts'
import { analyzeOrder } from './row-order.ts'

/** In column references: the results of window functions. */
export const windowedTable = -2

export interface AnalyzedWindow {
  name: string
  function: NativeWindowFunction
  /** Undefined where it is of rows. */
  argument: BoundExpression | undefined
  /** Of nth_value. */
  nth?: number
  type: ResultType
  partitionBy: Typed[]
  orderBy: (Typed & { descending: boolean; nullsFirst: boolean })[]
  unit: NativeWindowUnit
}

const rowFunctions: Readonly<Record<string, NativeWindowFunction>> = {
  rowNumber: 'row_number',
  rank: 'rank',
  denseRank: 'dense_rank',
}
const valueFunctions: Readonly<Record<string, NativeWindowFunction>> = {
  firstValue: 'nth_value',
  lastValue: 'last_value',
  nthValue: 'nth_value',
}
const frames: readonly string[] = ['range', 'rows', 'partition']

// One of the rows' values. Throws 22016.
function analyzeValue(names: Names, member: string, given: unknown) {
  const [operand, nth] = member === 'nthValue' ? operandPair(member, given) : ([given, 1] as const)
  if (typeof nth !== 'number' || !Number.isInteger(nth))
    throw malformed('"nthValue" takes a value and a whole number')
  if (nth <= 0) throw new PgError('22016', 'argument of nth_value must be greater than zero')
  const { expression, type } = analyzeTyped(names, operand)
  const called = valueFunctions[member] as NativeWindowFunction
  return {
    function: called,
    argument: expression,
    type: unmodified(names.codecOf, type),
    ...(called === 'nth_value' && { nth: Math.min(nth, 2 ** 31 - 1) }),
  }
}

function analyzeWindow(names: Names, name: string, given: WindowCall): AnalyzedWindow {
  const { partitionBy = [], orderBy = [], frame = 'range', ...call } = given
  if (!frames.includes(frame)) throw malformed(`"frame" is none of ${frames.join(', ')}`)
  const partition = partitionBy.map((one) => analyzeTyped(names, one))
  for (const one of partition) comparable(names.codecOf, '<', one, one)
  const order = orderBy.map((one) => {
    const { column, ...direction } = analyzeOrder(one)
    const found = analyzeTyped(names, column)
    comparable(names.codecOf, '<', found, found)
    return { ...found, ...direction }
  })
  const [member, operand] = onlyMember(call) ?? []
  const isOfRows = member !== undefined && Object.hasOwn(rowFunctions, member)
  const ofRows = isOfRows ? rowFunctions[member] : undefined
  const keys = { name, partitionBy: partition, orderBy: order }
  if (ofRows !== undefined) {
    const type = { codec: names.codecOf(typeOids.int8), collation: 0 }
    return { ...keys, function: ofRows, argument: undefined, type, unit: 'row' }
  }
  const isValue = member !== undefined && Object.hasOwn(valueFunctions, member)
  const called = isValue
    ? analyzeValue(names, member, operand)
    : analyzeCall(names, name, call as never)
  const whole = frame === 'partition' || (frame === 'range' && order.length === 0)
  const unit = whole ? 'partition' : frame === 'rows' ? 'row' : 'peers'
  return { ...keys, ...called, unit }
}

export interface Windows {
  calls: AnalyzedWindow[]
  /** With the names of their results. */
  names: Names
}

/** The window functions of a query; undefined where it has none. */
export function analyzeWindows(
  names: Names,
  windows: Readonly<Record<string, WindowCall>> | undefined,
): Windows | undefined {
  const calls = Object.entries(windows ?? {}).map(([name, call]) =>
    analyzeWindow(names, name, call),
  )
  if (calls.length === 0) return undefined
  const column = (name: string): Typed => {
    const attribute = calls.findIndex((one) => one.name === name)
    const call = calls[attribute]
    if (call === undefined) return names.column(name)
    const { type } = call
    return {
      expression: { kind: 'column', type: nativeType(type), table: windowedTable, attribute },
      type,
    }
  }
  return { calls, names: { ...names, column } }
}

/** What the functions read of the rows. */
export function expressionsOf({ calls }: Windows): BoundExpression[] {
  return calls.flatMap(({ partitionBy, orderBy, argument }) => [
    ...[...partitionBy, ...orderBy].map(({ expression }) => expression),
    ...(argument === undefined ? [] : [argument]),
  ])
}
