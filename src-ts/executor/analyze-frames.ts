// Analysis of window frames: which rows around each row a window function is of.
//
// Source: transformFrameOffset in src/backend/parser/parse_clause.c, the frame clauses of src/backend/parser/gram.y, PostgreSQL 18.
import type { NativeFrameBound, NativeWindowFrame, NativeWindowUnit } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import { onlyMember } from './analyze-expression.ts'
import { constantBytes, isPlainObject, malformed, nativeType, type Typed } from './expression.ts'
import { type CodecOf, typedLiteral, typeOids } from './operator-types.ts'
import type { FrameBound, WindowCall, WindowFrame } from './query.ts'

const modes = ['range', 'rows', 'groups'] as const
const shortFrames: readonly unknown[] = ['range', 'rows', 'partition']
const exclusions: readonly unknown[] = ['current row', 'group', 'ties']
const unbounded: NativeFrameBound = { kind: 'unbounded' }
const currentRow: NativeFrameBound = { kind: 'current row' }

/** Of functions that ask for no frame. */
export const rowsSoFar: NativeWindowFrame = {
  mode: 'rows',
  start: unbounded,
  end: currentRow,
  exclusion: 'none',
  isBetween: false,
}

// The types of distances, by the column's.
const distanceTypes: Readonly<Record<number, number>> = {
  [typeOids.int2]: typeOids.int8,
  [typeOids.int4]: typeOids.int8,
  [typeOids.int8]: typeOids.int8,
  [typeOids.numeric]: typeOids.numeric,
  [typeOids.float4]: typeOids.float8,
  [typeOids.float8]: typeOids.float8,
}

function windowing(message: string): PgError {
  return new PgError('42P20', message)
}

// Rows or groups of peers, at most as many as JavaScript counts exactly.
function analyzeCount(mode: 'rows' | 'groups', edge: string, offset: unknown): NativeFrameBound {
  if (typeof offset !== 'number' && typeof offset !== 'bigint') {
    throw new PgError(
      '42804',
      `argument of ${mode.toUpperCase()} must be type bigint, not type ${typeof offset}`,
    )
  }
  const rounded =
    typeof offset === 'bigint' ? offset : Math.sign(offset) * Math.round(Math.abs(offset))
  if (Number.isNaN(rounded) || Math.abs(Number(rounded)) >= 2 ** 63)
    throw new PgError('22003', 'bigint out of range')
  if (rounded < 0) throw new PgError('22013', `frame ${edge} offset must not be negative`)
  const text = `'${rounded}'::bigint`
  return {
    kind: 'preceding',
    count: Math.min(Number(rounded), Number.MAX_SAFE_INTEGER),
    text,
  }
}

// How far from the value of the one column that orders the rows.
function analyzeDistance(
  codecOf: CodecOf,
  direction: string,
  order: readonly Typed[],
  offset: unknown,
): NativeFrameBound {
  const [column] = order
  if (column === undefined || order.length > 1) {
    throw windowing('RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column')
  }
  const { oid } = column.type.codec
  const distanceType = distanceTypes[oid]
  if (distanceType === undefined) {
    throw new PgError(
      '0A000',
      `RANGE with offset PRECEDING/FOLLOWING is not supported for column type ${formatType(oid)}`,
    )
  }
  const codec = codecOf(distanceType)
  const given = typedLiteral(codecOf, offset).type.codec.oid
  if (distanceType === typeOids.int8 && given !== typeOids.int4 && given !== typeOids.int8) {
    throw new PgError(
      '0A000',
      `RANGE with offset PRECEDING/FOLLOWING is not supported for column type ${formatType(oid)} and offset type ${formatType(given)}`,
      { hint: 'Cast the offset value to an appropriate type.' },
    )
  }
  const distance = constantBytes(codec, offset)
  if (Number(offset) < 0 || Number.isNaN(Number(offset)))
    throw new PgError('22013', 'invalid preceding or following size in window function')
  const isAsGiven =
    distanceType === typeOids.int8
      ? oid !== typeOids.int8 && given === typeOids.int4
      : given === distanceType
  const text = isAsGiven ? `${offset}` : `'${offset}'::${formatType(distanceType)}`
  return {
    kind: direction === 'preceding' ? 'preceding' : 'following',
    type: nativeType({ codec, collation: 0 }),
    distance,
    text,
  }
}

function analyzeBound(
  codecOf: CodecOf,
  mode: NativeWindowFrame['mode'],
  edge: 'starting' | 'ending',
  order: readonly Typed[],
  bound: FrameBound,
): NativeFrameBound {
  if (bound === 'unbounded') return unbounded
  if (bound === 'current row') return currentRow
  const [direction, offset] = onlyMember(bound) ?? []
  if (direction !== 'preceding' && direction !== 'following') {
    throw malformed(
      'a frame begins and ends at "unbounded", "current row", { preceding } or { following }',
    )
  }
  if (offset === null || offset === undefined)
    throw new PgError('22004', `frame ${edge} offset must not be null`)
  if (mode === 'range') return analyzeDistance(codecOf, direction, order, offset)
  return { ...analyzeCount(mode, edge, offset), kind: direction }
}

function analyzeWhole(codecOf: CodecOf, frame: WindowFrame, order: readonly Typed[]) {
  const { mode, from = 'unbounded', to, exclude, ...rest } = frame
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw malformed(`a frame has no "${unknown}"`)
  if (!modes.includes(mode)) throw malformed(`a frame's "mode" is none of ${modes.join(', ')}`)
  if (exclude !== undefined && !exclusions.includes(exclude))
    throw malformed(`a frame's "exclude" is none of ${exclusions.join(', ')}`)
  const start = analyzeBound(codecOf, mode, 'starting', order, from)
  const end = analyzeBound(codecOf, mode, 'ending', order, to ?? 'current row')
  if (start.kind === 'current row' && end.kind === 'preceding')
    throw windowing('frame starting from current row cannot have preceding rows')
  if (start.kind === 'following' && (end.kind === 'preceding' || end.kind === 'current row'))
    throw windowing('frame starting from following row cannot have preceding rows')
  if (mode === 'groups' && order.length === 0)
    throw windowing('GROUPS mode requires an ORDER BY clause')
  return { mode, start, end, exclusion: exclude ?? 'none', isBetween: to !== undefined } as const
}

/** Throws 42P20, 22013, 0A000. */
export function analyzeFrame(
  codecOf: CodecOf,
  frame: WindowCall['frame'],
  order: readonly Typed[],
): NativeWindowFrame {
  if (isPlainObject(frame)) return analyzeWhole(codecOf, frame as unknown as WindowFrame, order)
  if (!shortFrames.includes(frame ?? 'range'))
    throw malformed(`"frame" is none of ${shortFrames.join(', ')}, and no object`)
  if (frame === 'rows') return rowsSoFar
  if (frame === 'partition') return { ...rowsSoFar, end: unbounded, isBetween: true }
  return { ...rowsSoFar, mode: 'range' }
}

/** The rows that have the same result where a frame begins with the partition; undefined for other frames. */
export function unitOf(
  { mode, start, end, exclusion }: NativeWindowFrame,
  orderKeys: number,
): NativeWindowUnit | undefined {
  if (exclusion !== 'none' || start.kind !== 'unbounded') return undefined
  if (end.kind === 'unbounded') return 'partition'
  if (end.kind !== 'current row') return undefined
  if (mode === 'rows') return 'row'
  return orderKeys === 0 ? 'partition' : 'peers'
}

function boundText({ kind, text }: NativeFrameBound, isStart: boolean): string {
  switch (kind) {
    case 'unbounded':
      return isStart ? 'UNBOUNDED PRECEDING' : 'UNBOUNDED FOLLOWING'
    case 'current row':
      return 'CURRENT ROW'
    default:
      return `${text} ${kind.toUpperCase()}`
  }
}

/** As EXPLAIN has it; undefined for the frame that there is without one. */
export function frameText(frame: NativeWindowFrame): string | undefined {
  const { mode, start, end, exclusion, isBetween } = frame
  if (mode === 'range' && exclusion === 'none' && !isBetween && start.kind === 'unbounded')
    return undefined
  const from = boundText(start, true)
  const between = isBetween ? `BETWEEN ${from} AND ${boundText(end, false)}` : from
  const without = exclusion === 'none' ? '' : ` EXCLUDE ${exclusion.toUpperCase()}`
  return `${mode.toUpperCase()} ${between}${without}`
}
