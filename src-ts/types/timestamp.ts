// timestamp and timestamptz: microseconds from 2000-01-01 00:00:00, of a clock without a zone or of
// UTC.

import type { BuiltinType } from './builtin-types.ts'
import {
  type CalendarDate,
  calendarDate,
  dayNumber,
  EPOCH_JULIAN_DAY,
  isReachableMonth,
  printDate,
  printTimeOfDay,
  readIsoDay,
  twoDigitsAt,
} from './calendar.ts'
import { isDigit } from './character.ts'
import type { TypeCodec } from './codec.ts'
import { parseDateTime } from './date-time-parser.ts'
import { type Int64, int64Codec, int64Of } from './int64.ts'
import { refusal, wrongKind } from './refusal.ts'

const INFINITE = 2n ** 63n - 1n
const MINUS_INFINITE = -(2n ** 63n)
/** 4714-11-24 BC, and the first instant of 294277 AD. */
const TIMESTAMP_MIN = -211813488000000000n
const TIMESTAMP_END = 9223371331200000000n

const MICROSECONDS_PER_DAY = 86400e6
/** 2000-01-01 in milliseconds of JavaScript's clock. */
export const EPOCH_MS = 946684800000
const DATE_MS_MAX = 8.64e15

/**
 * An instant that a Date alone cannot hold: one with microseconds below the millisecond, infinity,
 * or a year beyond JavaScript's. As a Date it is the millisecond before, or invalid.
 */
export class PgTimestamp extends Date {
  /** Microseconds from 2000-01-01 00:00:00 UTC, as PostgreSQL stores them. */
  readonly instant: bigint

  constructor(instant: bigint) {
    super(millisecondsOf(instant))
    this.instant = instant
  }

  /** Microseconds past the millisecond, 0 to 999. */
  get microseconds(): number {
    return this.isInfinite ? 0 : Number(((this.instant % 1000n) + 1000n) % 1000n)
  }

  get isInfinite(): boolean {
    return this.instant === INFINITE || this.instant === MINUS_INFINITE
  }

  /** PostgreSQL's text, which loses nothing. */
  toPostgres(): string {
    return printTimestamp(int64Of(this.instant), '+00')
  }
}

function millisecondsOf(instant: bigint): number {
  if (instant === INFINITE || instant === MINUS_INFINITE) return Number.NaN
  const rest = ((instant % 1000n) + 1000n) % 1000n
  const milliseconds = Number((instant - rest) / 1000n) + EPOCH_MS
  return Math.abs(milliseconds) <= DATE_MS_MAX ? milliseconds : Number.NaN
}

const scratch: CalendarDate = { year: 0, month: 0, day: 0 }

/** timestamp_out; `zone` follows the time and precedes the era. */
export function printTimestamp(value: Int64, zone: string): string {
  let days: number
  let ofDay: number
  if (typeof value === 'number') {
    days = Math.floor(value / MICROSECONDS_PER_DAY)
    ofDay = value - days * MICROSECONDS_PER_DAY
  } else {
    if (value === INFINITE) return 'infinity'
    if (value === MINUS_INFINITE) return '-infinity'
    const perDay = BigInt(MICROSECONDS_PER_DAY)
    const rest = ((value % perDay) + perDay) % perDay
    days = Number((value - rest) / perDay)
    if (days < -EPOCH_JULIAN_DAY) throw refusal('22008', 'timestamp out of range')
    ofDay = Number(rest)
  }
  calendarDate(days, scratch)
  return `${printDate(scratch)} ${printTimeOfDay(ofDay)}${zone}${scratch.year > 0 ? '' : ' BC'}`
}

function microsecondsOf(days: number, seconds: number, microsecond: number): Int64 {
  const value = days * MICROSECONDS_PER_DAY + seconds * 1e6 + microsecond
  if (Number.isSafeInteger(value)) return value
  const whole = BigInt(days) * BigInt(MICROSECONDS_PER_DAY) + BigInt(seconds * 1e6)
  return int64Of(whole + BigInt(microsecond))
}

/**
 * 'YYYY-MM-DD', then perhaps a space or T and 'HH:MM:SS', a fraction of up to six digits, 'Z' or
 * '+HH', '+HH:MM'. Undefined when the text has any other form or is out of range.
 */
function readIso(text: string, honoursZone: boolean): Int64 | undefined {
  const { length } = text
  const days = readIsoDay(text)
  if (days === undefined) return undefined
  if (length === 10) return microsecondsOf(days, 0, 0)

  const separator = text.charCodeAt(10)
  if (length < 19 || (separator !== 32 && separator !== 84)) return undefined
  if (text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return undefined
  const hour = twoDigitsAt(text, 11)
  const minute = twoDigitsAt(text, 14)
  const second = twoDigitsAt(text, 17)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
    return undefined
  }
  let at = 19
  let microsecond = 0
  if (text.charCodeAt(at) === 46) {
    let scale = 100000
    at++
    for (; isDigit(text.charCodeAt(at)); at++) {
      if (scale < 1) return undefined
      microsecond += (text.charCodeAt(at) - 48) * scale
      scale /= 10
    }
    microsecond = Math.round(microsecond)
  }
  let secondsEast = 0
  if (at < length) {
    const sign = text.charCodeAt(at)
    if (sign === 43 || sign === 45) {
      const zoneHours = twoDigitsAt(text, at + 1)
      if (zoneHours < 0 || zoneHours > 15) return undefined
      secondsEast = zoneHours * 3600
      at += 3
      if (at < length) {
        const zoneMinutes = twoDigitsAt(text, at + 1)
        if (text.charCodeAt(at) !== 58 || zoneMinutes < 0 || zoneMinutes > 59) return undefined
        secondsEast += zoneMinutes * 60
        at += 3
      }
      if (sign === 45) secondsEast = -secondsEast
    } else if (sign === 90) {
      at++
    }
    if (at !== length) return undefined
  }
  const seconds = (hour * 60 + minute) * 60 + second - (honoursZone ? secondsEast : 0)
  return microsecondsOf(days, seconds, microsecond)
}

const scales = [1000000, 100000, 10000, 1000, 100, 10, 1]

/** Rounds to the modifier's fractional digits, half away from zero. */
export function roundMicroseconds(value: Int64, typmod: number): Int64 {
  if (typmod < 0 || typmod >= 6) return value
  const scale = scales[typmod] as number
  if (typeof value === 'bigint') {
    const wide = BigInt(scale)
    const half = wide / 2n
    return int64Of(
      value >= 0n ? ((value + half) / wide) * wide : -(((-value + half) / wide) * wide),
    )
  }
  const rounded = Math.floor((Math.abs(value) + scale / 2) / scale) * scale
  return value >= 0 ? rounded : 0 - rounded
}

function parseTimestamp(text: string, typeName: string, isZoned: boolean): Int64 {
  const iso = readIso(text, isZoned)
  if (iso !== undefined) return iso
  const fields = parseDateTime(text, typeName)
  switch (fields.kind) {
    case 'late':
      return INFINITE
    case 'early':
      return MINUS_INFINITE
    case 'epoch':
      return -EPOCH_MS * 1000
  }
  const outOfRange = () => refusal('22008', `timestamp out of range: "${text}"`)
  if (!isReachableMonth(fields.year, fields.month)) throw outOfRange()
  const days = dayNumber(fields.year, fields.month, fields.day)
  const seconds = (fields.hour * 60 + fields.minute) * 60 + fields.second
  const west = isZoned ? fields.secondsWest : 0
  const value = microsecondsOf(days, seconds + west, fields.microsecond)
  if (value < TIMESTAMP_MIN || value >= TIMESTAMP_END) throw outOfRange()
  return value
}

/** From JavaScript: a Date, milliseconds of the Unix epoch, or bigint microseconds of 2000. */
function instantOf(value: unknown, typeName: string): Int64 | undefined {
  if (value instanceof PgTimestamp) {
    // A Date can be changed after it was made; then it is what it says now.
    const kept = millisecondsOf(value.instant)
    if (Object.is(kept, value.getTime())) return int64Of(value.instant)
  }
  if (value instanceof Date || typeof value === 'number') {
    const milliseconds = typeof value === 'number' ? value : value.getTime()
    if (milliseconds === Number.POSITIVE_INFINITY) return INFINITE
    if (milliseconds === Number.NEGATIVE_INFINITY) return MINUS_INFINITE
    if (Number.isNaN(milliseconds)) throw refusal('22008', `${typeName} out of range: invalid Date`)
    const microseconds = Math.round((milliseconds - EPOCH_MS) * 1000)
    if (Number.isSafeInteger(microseconds)) return microseconds
    return checkRange(BigInt(Math.round(milliseconds - EPOCH_MS)) * 1000n)
  }
  if (typeof value === 'bigint') return checkRange(value)
  return undefined
}

function checkRange(value: bigint): Int64 {
  if (value === INFINITE || value === MINUS_INFINITE) return value
  if (value < TIMESTAMP_MIN || value >= TIMESTAMP_END) {
    throw refusal('22008', 'timestamp out of range')
  }
  return int64Of(value)
}

/** timestamp: in JavaScript its ISO text. */
export function timestampCodec(type: BuiltinType, typmod: number): TypeCodec<string, bigint> {
  const parse = (text: string) => finiteRound(parseTimestamp(text, 'timestamp', false), typmod)
  const print = (value: Int64) => printTimestamp(value, '')
  return int64Codec(type, typmod, {
    read: print,
    write(value) {
      if (typeof value === 'string') return parse(value)
      const instant = instantOf(value, 'timestamp')
      if (instant === undefined) throw wrongKind('timestamp without time zone', value)
      return finiteRound(instant, typmod)
    },
    print,
    parse,
  })
}

function finiteRound(value: Int64, typmod: number): Int64 {
  return value === INFINITE || value === MINUS_INFINITE ? value : roundMicroseconds(value, typmod)
}

/** A timestamptz as JavaScript gets it: a Date, or a PgTimestamp where that would lose something. */
export function readTimestamptz(value: Int64): Date {
  if (typeof value === 'number' && value % 1000 === 0) {
    const milliseconds = value / 1000 + EPOCH_MS
    if (milliseconds <= DATE_MS_MAX && milliseconds >= -DATE_MS_MAX) return new Date(milliseconds)
  }
  const exact = BigInt(value)
  const milliseconds = millisecondsOf(exact)
  if (exact % 1000n === 0n && !Number.isNaN(milliseconds)) return new Date(milliseconds)
  return new PgTimestamp(exact)
}

/** timestamptz: in JavaScript a Date, or a PgTimestamp where a Date would lose something. */
export function timestamptzCodec(type: BuiltinType, typmod: number): TypeCodec<Date, bigint> {
  const parse = (text: string) =>
    finiteRound(parseTimestamp(text, 'timestamp with time zone', true), typmod)
  return int64Codec(type, typmod, {
    read: readTimestamptz,
    write(value) {
      if (typeof value === 'string') return parse(value)
      const instant = instantOf(value, 'timestamp with time zone')
      if (instant === undefined) throw wrongKind('timestamp with time zone', value)
      return finiteRound(instant, typmod)
    },
    print: (value) => printTimestamp(value, '+00'),
    parse,
    exact: 'date',
  })
}
