// Analysis of window functions: what each is of, and the names of their results.
import type {
  NativeWindowFrame,
  NativeWindowFunction,
  NativeWindowUnit,
} from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import { analyzeCall } from './analyze-aggregates.ts'
import {
  analyzeOperand,
  analyzeTyped,
  type Names,
  onlyMember,
  operandPair,
} from './analyze-expression.ts'
import { analyzeFrame, rowsSoFar, unitOf } from './analyze-frames.ts'
import {
  type Analyzed,
  type BoundExpression,
  cast,
  constant,
  isLiteral,
  malformed,
  nativeType,
  type ResultType,
  type Typed,
} from './expression.ts'
import { comparable, isNumber, typed, typeOids, unmodified, widerNumber } from './operator-types.ts'
import type { WindowCall } from './query.ts'
import { analyzeOrder } from './row-order.ts'

/** In column references: the results of window functions. */
export const windowedTable = -2

export interface AnalyzedWindow {
  name: string
  function: NativeWindowFunction
  /** Undefined where it is of rows. */
  argument: BoundExpression | undefined
  /** Of nth_value, ntile, lag and lead. */
  number?: number
  /** Of lag and lead: instead of a row that there is not. */
  fallback?: BoundExpression
  type: ResultType
  partitionBy: Typed[]
  orderBy: (Typed & { descending: boolean; nullsFirst: boolean })[]
  frame: NativeWindowFrame
  /** Which rows have the same result; undefined where that is not enough to compute it. */
  unit: NativeWindowUnit | undefined
}

type Called = Pick<AnalyzedWindow, 'function' | 'argument' | 'number' | 'fallback' | 'type'>

const rowFunctions: Readonly<Record<string, NativeWindowFunction>> = {
  rowNumber: 'row_number',
  rank: 'rank',
  denseRank: 'dense_rank',
  percentRank: 'percent_rank',
  cumeDist: 'cume_dist',
  ntile: 'ntile',
}
const valueFunctions: Readonly<Record<string, NativeWindowFunction>> = {
  firstValue: 'nth_value',
  lastValue: 'last_value',
  nthValue: 'nth_value',
}
const offsetFunctions: readonly string[] = ['lag', 'lead']
// Functions that need more than rows up to a unit's end.
const ofPartition: readonly NativeWindowFunction[] = [
  'percent_rank',
  'cume_dist',
  'ntile',
  'lag',
  'lead',
]
const int4Max = 2 ** 31 - 1

function analyzeRows(names: Names, member: string, given: unknown): Called {
  const called = rowFunctions[member] as NativeWindowFunction
  const simple = (oid: number) => ({ codec: names.codecOf(oid), collation: 0 })
  if (called === 'ntile') {
    if (!Number.isInteger(given)) throw malformed('"ntile" takes a whole number')
    if ((given as number) <= 0)
      throw new PgError('22014', 'argument of ntile must be greater than zero')
    const number = Math.min(given as number, int4Max)
    return { function: called, argument: undefined, number, type: simple(typeOids.int4) }
  }
  const isShare = called === 'percent_rank' || called === 'cume_dist'
  const type = simple(isShare ? typeOids.float8 : typeOids.int8)
  return { function: called, argument: undefined, type }
}

// One of the rows' values. Throws 22016.
function analyzeValue(names: Names, member: string, given: unknown): Called {
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
    ...(called === 'nth_value' && { number: Math.min(nth, int4Max) }),
  }
}

// The value and what stands for it as values of one type. Throws 42883.
function alike(names: Names, member: string, value: Typed, fallback: Analyzed): [Typed, Typed] {
  const { codecOf } = names
  const type = unmodified(codecOf, value.type)
  const isCounted = isLiteral(fallback) && /^(number|bigint)$/.test(typeof fallback.literal)
  if (isLiteral(fallback) && !(isCounted && isNumber(type)))
    return [value, constant(type, fallback.literal)]
  const other = typed(codecOf, fallback)
  if (other.type.codec.oid === type.codec.oid) return [value, other]
  const wider = widerNumber(type, other.type)
  if (wider === undefined) {
    const given = [type, other.type].map(({ codec }) => formatType(codec.oid))
    throw new PgError(
      '42883',
      `function ${member}(${given[0]}, integer, ${given[1]}) does not exist`,
    )
  }
  const common = { codec: codecOf(wider), collation: 0 }
  return [cast(value, common), cast(other, common)]
}

function analyzeOffset(names: Names, member: string, given: unknown): Called {
  const isListed = Array.isArray(given)
  const [operand, offset = 1, fallback] = isListed ? (given as unknown[]) : [given]
  const isWhole = typeof offset === 'number' && (offset | 0) === offset
  if (!isWhole || (isListed && (given.length < 2 || given.length > 3)))
    throw malformed(`"${member}" takes a value, a whole number of rows, and what stands for none`)
  const value = analyzeTyped(names, operand)
  const called = { function: member as NativeWindowFunction, number: offset }
  if (fallback === undefined || fallback === null) {
    const type = unmodified(names.codecOf, value.type)
    return { ...called, argument: value.expression, type }
  }
  const [of, other] = alike(names, member, value, analyzeOperand(names, fallback))
  return {
    ...called,
    argument: of.expression,
    fallback: other.expression,
    type: unmodified(names.codecOf, of.type),
  }
}

function analyzeCalled(names: Names, name: string, call: object): Called {
  const [member, operand] = onlyMember(call) ?? []
  if (member === undefined) return analyzeCall(names, name, call as never)
  if (Object.hasOwn(rowFunctions, member)) return analyzeRows(names, member, operand)
  if (Object.hasOwn(valueFunctions, member)) return analyzeValue(names, member, operand)
  if (offsetFunctions.includes(member)) return analyzeOffset(names, member, operand)
  return analyzeCall(names, name, call as never)
}

function analyzeWindow(names: Names, name: string, given: WindowCall): AnalyzedWindow {
  const { partitionBy = [], orderBy = [], frame, ...call } = given
  const partition = partitionBy.map((one) => analyzeTyped(names, one))
  for (const one of partition) comparable(names.codecOf, '<', one, one)
  const order = orderBy.map((one) => {
    const { column, ...direction } = analyzeOrder(one)
    const found = analyzeTyped(names, column)
    comparable(names.codecOf, '<', found, found)
    return { ...found, ...direction }
  })
  const analyzed = analyzeFrame(names.codecOf, frame, order)
  const called = analyzeCalled(names, name, call)
  const isOfRows = Object.values(rowFunctions).includes(called.function)
  const framed = isOfRows ? rowsSoFar : analyzed
  const unit = ofPartition.includes(called.function) ? undefined : unitOf(framed, order.length)
  return { ...called, name, partitionBy: partition, orderBy: order, frame: framed, unit }
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
  return calls.flatMap(({ partitionBy, orderBy, argument, fallback }) => [
    ...[...partitionBy, ...orderBy].map(({ expression }) => expression),
    ...[argument, fallback].filter((one) => one !== undefined),
  ])
}
