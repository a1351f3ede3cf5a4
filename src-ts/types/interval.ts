// The type interval: months, days and microseconds, which do not convert into one another.
//
//   offset  size  field   meaning
//        0     8  time    microseconds, signed
//        8     4  day     days, signed
//       12     4  month   months, signed
//
// All at their maximum is infinity, all at their minimum -infinity. Little-endian.
// Source: src/include/datatype/timestamp.h, src/backend/utils/adt/datetime.c, PostgreSQL 18.

import { PgError } from '../errors/pg-error.ts'
import type { BuiltinType } from './builtin-types.ts'
import { readInt32, writeInt32 } from './byte-text.ts'
import { printFraction, roundHalfEven, twoDigits } from './calendar.ts'
import { isDigit } from './character.ts'
import type { TypeCodec } from './codec.ts'
import {
  DateTimeProblem,
  leadingInteger,
  parseFraction,
  parseTimeParts,
} from './date-time-parser.ts'
import { cutTokens, type Token } from './date-time-tokens.ts'
import {
  ALL_SECONDS_MASK,
  bit,
  DATE_MASK,
  dateWord,
  Field,
  type Meaning,
  TIME_MASK,
  unitWord,
} from './date-time-words.ts'
import { isOutOfRange, readFloat } from './float.ts'
import { type Int64, int64FromHalves, int64Of, int64ToHalves } from './int64.ts'
import { corrupted, refusal, wrongKind } from './refusal.ts'

const INTERVAL_BYTES = 16
/** Characters for the fields of an interval. */
const INTERVAL_ROOM = 256
const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)
const INT32_MAX = 2147483647
const INT32_MIN = -2147483648

const MICROSECONDS = {
  microsecond: 1n,
  millisecond: 1000n,
  second: 1000000n,
  minute: 60000000n,
  hour: 3600000000n,
  day: 86400000000n,
} as const

/** Bits of the units a type modifier allows; all of them by default. */
export const FULL_RANGE = 0x7fff
export const FULL_PRECISION = 0xffff

const YEAR = bit(Field.YEAR)
const MONTH = bit(Field.MONTH)
const DAY = bit(Field.DAY)
const HOUR = bit(Field.HOUR)
const MINUTE = bit(Field.MINUTE)
const SECOND = bit(Field.SECOND)

/** The ranges that SQL names, by the bits of their units. */
export const intervalRanges: ReadonlyMap<number, string> = new Map([
  [YEAR, 'year'],
  [MONTH, 'month'],
  [DAY, 'day'],
  [HOUR, 'hour'],
  [MINUTE, 'minute'],
  [SECOND, 'second'],
  [YEAR | MONTH, 'year to month'],
  [DAY | HOUR, 'day to hour'],
  [DAY | HOUR | MINUTE, 'day to minute'],
  [DAY | HOUR | MINUTE | SECOND, 'day to second'],
  [HOUR | MINUTE, 'hour to minute'],
  [HOUR | MINUTE | SECOND, 'hour to second'],
  [MINUTE | SECOND, 'minute to second'],
])

/** The unit of a number without one: the smallest that the range allows. */
function unitOfRange(range: number): Meaning {
  if (range === FULL_RANGE || (range & SECOND) !== 0) return 'second'
  if ((range & MINUTE) !== 0) return 'minute'
  if ((range & HOUR) !== 0) return 'hour'
  if ((range & DAY) !== 0) return 'day'
  return (range & MONTH) !== 0 ? 'month' : 'year'
}

/** An interval in the making. PostgreSQL refuses each sum that leaves its field. */
class IntervalSum {
  microseconds = 0n
  days = 0
  months = 0
  years = 0

  constructor(private readonly problem: DateTimeProblem) {}

  overflow(): PgError {
    return refusal('22015', `interval field value out of range: "${this.problem.text}"`)
  }

  private int32(value: number): number {
    if (value > INT32_MAX || value < INT32_MIN) throw this.overflow()
    return value
  }

  addMicroseconds(value: bigint): void {
    const sum = this.microseconds + value
    if (sum > INT64_MAX || sum < INT64_MIN) throw this.overflow()
    this.microseconds = sum
  }

  private addFraction(fraction: number, scale: bigint): void {
    if (fraction === 0) return
    const wide = fraction * Number(scale)
    let whole = Math.trunc(wide)
    const rest = wide - whole
    if (rest > 0.5) whole++
    else if (rest < -0.5) whole--
    this.addMicroseconds(BigInt(whole))
  }

  /** Whole units and a fraction of one, of a unit that is a number of microseconds. */
  addTime(value: bigint, fraction: number, scale: bigint): void {
    const product = value * scale
    if (product > INT64_MAX || product < INT64_MIN) throw this.overflow()
    this.addMicroseconds(product)
    this.addFraction(fraction, scale)
  }

  addDays(value: bigint, fraction: number, daysPerUnit: 1 | 7): void {
    this.days = this.int32(this.days + this.scaled(value, daysPerUnit))
    if (daysPerUnit === 1) this.addFraction(fraction, MICROSECONDS.day)
    else this.addDayFraction(fraction, daysPerUnit)
  }

  addMonths(value: bigint, fraction: number): void {
    this.months = this.int32(this.months + this.scaled(value, 1))
    this.addDayFraction(fraction, 30)
  }

  addYears(value: bigint, fraction: number, yearsPerUnit: number): void {
    this.years = this.int32(this.years + this.scaled(value, yearsPerUnit))
    this.months = this.int32(this.months + roundHalfEven(fraction * yearsPerUnit * 12))
  }

  private scaled(value: bigint, scale: number): number {
    if (value > BigInt(INT32_MAX) || value < BigInt(INT32_MIN)) throw this.overflow()
    return this.int32(Number(value) * scale)
  }

  private addDayFraction(fraction: number, daysPerUnit: number): void {
    if (fraction === 0) return
    const wide = fraction * daysPerUnit
    const whole = Math.trunc(wide)
    this.days = this.int32(this.days + whole)
    this.addFraction(wide - whole, MICROSECONDS.day)
  }

  negate(): void {
    if (this.microseconds === INT64_MIN) throw this.overflow()
    if (this.days === INT32_MIN || this.months === INT32_MIN || this.years === INT32_MIN) {
      throw this.overflow()
    }
    this.microseconds = -this.microseconds
    this.days = 0 - this.days
    this.months = 0 - this.months
    this.years = 0 - this.years
  }
}

/** Adds units to the sum; returns the bits of the fields that this filled. */
function addUnits(
  sum: IntervalSum,
  unit: Meaning,
  value: bigint,
  fraction: number,
  problem: DateTimeProblem,
): number {
  switch (unit) {
    case 'microsecond':
      sum.addTime(value, fraction, MICROSECONDS.microsecond)
      return bit(Field.MICROSECOND)
    case 'millisecond':
      sum.addTime(value, fraction, MICROSECONDS.millisecond)
      return bit(Field.MILLISECOND)
    case 'second':
      sum.addTime(value, fraction, MICROSECONDS.second)
      return fraction === 0 ? SECOND : ALL_SECONDS_MASK
    case 'minute':
      sum.addTime(value, fraction, MICROSECONDS.minute)
      return MINUTE
    case 'hour':
      sum.addTime(value, fraction, MICROSECONDS.hour)
      return HOUR
    case 'day':
      sum.addDays(value, fraction, 1)
      return DAY
    case 'week':
      sum.addDays(value, fraction, 7)
      return bit(Field.WEEK)
    case 'month':
      sum.addMonths(value, fraction)
      return MONTH
    case 'year':
      sum.addYears(value, fraction, 1)
      return YEAR
    case 'decade':
      sum.addYears(value, fraction, 10)
      return bit(Field.DECADE)
    case 'century':
      sum.addYears(value, fraction, 100)
      return bit(Field.CENTURY)
    case 'millennium':
      sum.addYears(value, fraction, 1000)
      return bit(Field.MILLENNIUM)
    default:
      throw problem.badFormat()
  }
}

type Infinite = 'late' | 'early' | undefined

/** Reads the fields from last to first, so that a unit is known before its number. */
class IntervalReader {
  infinite: Infinite

  /** The unit of the number to the left, when one is known. */
  private unit: Meaning | undefined
  /** The unit was written, and its number has not been seen yet. */
  private isUnitPending = false
  private isAgo = false

  constructor(
    private readonly tokens: Token[],
    private readonly range: number,
    private readonly problem: DateTimeProblem,
    private readonly sum: IntervalSum,
  ) {}

  read(): void {
    let seen = 0
    for (let index = this.tokens.length - 1; index >= 0; index--) {
      const found = this.readToken(this.tokens[index] as Token, index === this.tokens.length - 1)
      if (found & seen) throw this.problem.badFormat()
      seen |= found
    }
    if (seen === 0 || this.isUnitPending) throw this.problem.badFormat()
    if (this.isAgo) this.sum.negate()
  }

  private readToken(token: Token, isLast: boolean): number {
    switch (token.kind) {
      case 'time':
        this.readTime(token.text, false)
        return TIME_MASK
      case 'zone':
        if (token.text.includes(':') && this.isSignedTime(token.text)) return TIME_MASK
        return this.readNumber(token.text)
      case 'date':
      case 'number':
        return this.readNumber(token.text)
      default:
        return this.readWord(token.text, isLast)
    }
  }

  private isSignedTime(text: string): boolean {
    try {
      this.readTime(text.substring(1), text.charCodeAt(0) === 45)
      return true
    } catch (error) {
      if (error instanceof PgError) return false
      throw error
    }
  }

  private readTime(text: string, isNegative: boolean): void {
    const isMinuteToSecond = this.range === (MINUTE | SECOND)
    const parts = parseTimeParts(text, isMinuteToSecond, this.problem)
    const time =
      BigInt(parts.hour) * MICROSECONDS.hour +
      BigInt(parts.minute) * MICROSECONDS.minute +
      BigInt(parts.second) * MICROSECONDS.second +
      BigInt(parts.microsecond)
    if (time > INT64_MAX) throw this.problem.fieldOverflow()
    this.sum.microseconds = isNegative ? -time : time
    this.unit = 'day'
    this.isUnitPending = false
  }

  private readNumber(text: string): number {
    let unit = this.unit ?? unitOfRange(this.range)
    const isNegative = text.charCodeAt(0) === 45
    let at = isNegative || text.charCodeAt(0) === 43 ? 1 : 0
    const start = at
    while (isDigit(text.charCodeAt(at))) at++
    let value = at > start ? BigInt(text.substring(start, at)) : 0n
    if (isNegative) value = -value
    if (value > INT64_MAX || value < INT64_MIN) throw this.sum.overflow()
    if (at === start) at = 0

    let fraction = 0
    const next = text.charCodeAt(at)
    if (next === 45 && at > 0) {
      // Years and months, as SQL writes them.
      const months = leadingInteger(text, at + 1)
      if (months.isTooBig || months.value < 0 || months.value >= 12) throw this.sum.overflow()
      if (months.end !== text.length) throw this.problem.badFormat()
      unit = 'month'
      value = value * 12n + BigInt(isNegative ? -months.value : months.value)
      if (value > INT64_MAX || value < INT64_MIN) throw this.sum.overflow()
    } else if (next === 46) {
      fraction = parseFraction(text.substring(at), this.problem)
      if (isNegative) fraction = -fraction
    } else if (at !== text.length) {
      throw this.problem.badFormat()
    }
    const found = addUnits(this.sum, unit, value, fraction, this.problem)
    this.unit = unit === 'hour' ? 'day' : unit
    this.isUnitPending = false
    return found
  }

  private readWord(text: string, isLast: boolean): number {
    if (this.isUnitPending) throw this.problem.badFormat()
    const word = unitWord(text) ?? dateWord(text)
    switch (word?.field) {
      case Field.IGNORE:
        this.unit = undefined
        return 0
      case Field.UNITS:
        this.unit = word.meaning
        this.isUnitPending = true
        return 0
      case Field.AGO:
        if (!isLast) throw this.problem.badFormat()
        this.isAgo = true
        // Any number to its left must bring its own unit.
        this.unit = 'other'
        return 0
      case Field.RESERV:
        if (word.meaning !== 'late' && word.meaning !== 'early') throw this.problem.badFormat()
        if (!isLast) throw this.problem.badFormat()
        this.infinite = word.meaning
        this.unit = 'other'
        return DATE_MASK | TIME_MASK
      default:
        throw this.problem.badFormat()
    }
  }
}

/** ISO 8601: 'P1Y2M3DT4H5M6.7S', 'P0001-02-03T04:05:06' or 'P00010203T040506'. */
class IsoIntervalReader {
  private at = 1
  private value = 0n
  private fraction = 0
  /** Digits before the decimal point of the number just read. */
  private width = 0

  constructor(
    private readonly text: string,
    private readonly problem: DateTimeProblem,
    private readonly sum: IntervalSum,
  ) {}

  read(): void {
    const { text } = this
    if (text.length < 2 || text.charCodeAt(0) !== 80) throw this.problem.badFormat()
    let isDate = true
    let hasField = false
    while (this.at < text.length) {
      if (text.charCodeAt(this.at) === 84) {
        isDate = false
        hasField = false
        this.at++
        continue
      }
      this.readNumber()
      const unit = text.charAt(this.at++)
      if (isDate) {
        if (this.addDateUnit(unit)) {
          hasField = true
          continue
        }
        if (this.readAlternativeDate(unit, hasField)) return
        isDate = false
        hasField = false
      } else {
        if (!this.addTimeUnit(unit)) {
          this.readAlternativeTime(unit, hasField)
          return
        }
        hasField = true
      }
    }
  }

  private readNumber(): void {
    const first = this.text.charCodeAt(this.at)
    if (!isDigit(first) && first !== 45 && first !== 46) throw this.problem.badFormat()
    const read = readFloat(this.text, this.at)
    if (read === undefined) throw this.problem.badFormat()
    if (isOutOfRange(read, read.size)) throw this.problem.badFormat()
    if (Number.isNaN(read.size) || read.size > 1e15) throw this.sum.overflow()
    const whole = Math.floor(read.size)
    const sign = read.negative ? -1 : 1
    this.value = BigInt(sign * whole)
    this.fraction = sign * (read.size - whole)
    let digit = first === 45 ? this.at + 1 : this.at
    this.width = -digit
    while (isDigit(this.text.charCodeAt(digit))) digit++
    this.width += digit
    this.at = read.end
  }

  private addDateUnit(unit: string): boolean {
    switch (unit) {
      case 'Y':
        this.sum.addYears(this.value, this.fraction, 1)
        return true
      case 'M':
        this.sum.addMonths(this.value, this.fraction)
        return true
      case 'W':
        this.sum.addDays(this.value, this.fraction, 7)
        return true
      case 'D':
        this.sum.addDays(this.value, this.fraction, 1)
        return true
      default:
        return false
    }
  }

  private addTimeUnit(unit: string): boolean {
    const scale =
      unit === 'H'
        ? MICROSECONDS.hour
        : unit === 'M'
          ? MICROSECONDS.minute
          : unit === 'S'
            ? MICROSECONDS.second
            : undefined
    if (scale === undefined) return false
    this.sum.addTime(this.value, this.fraction, scale)
    return true
  }

  /** Returns true at the end of the text, false where a T leads on to the time. */
  private readAlternativeDate(unit: string, hasField: boolean): boolean {
    if (unit !== '' && unit !== 'T' && unit !== '-') throw this.problem.badFormat()
    if (unit !== '-' && this.width === 8 && !hasField) {
      this.sum.addYears(this.value / 10000n, 0, 1)
      this.sum.addMonths((this.value / 100n) % 100n, 0)
      this.sum.addDays(this.value % 100n, this.fraction, 1)
      return unit === ''
    }
    if (hasField) throw this.problem.badFormat()
    this.sum.addYears(this.value, this.fraction, 1)
    if (unit !== '-') return unit === ''
    this.readNumber()
    this.sum.addMonths(this.value, this.fraction)
    if (this.at === this.text.length) return true
    const next = this.text.charAt(this.at++)
    if (next === 'T') return false
    if (next !== '-') throw this.problem.badFormat()
    this.readNumber()
    this.sum.addDays(this.value, this.fraction, 1)
    if (this.at === this.text.length) return true
    if (this.text.charAt(this.at++) === 'T') return false
    throw this.problem.badFormat()
  }

  private readAlternativeTime(unit: string, hasField: boolean): void {
    if (unit !== '' && unit !== ':') throw this.problem.badFormat()
    if (unit === '' && this.width === 6 && !hasField) {
      this.sum.addTime(this.value / 10000n, 0, MICROSECONDS.hour)
      this.sum.addTime((this.value / 100n) % 100n, 0, MICROSECONDS.minute)
      this.sum.addTime(this.value % 100n, 0, MICROSECONDS.second)
      this.sum.addTime(0n, this.fraction, MICROSECONDS.microsecond)
      return
    }
    if (hasField) throw this.problem.badFormat()
    this.sum.addTime(this.value, this.fraction, MICROSECONDS.hour)
    if (unit === '') return
    this.readNumber()
    this.sum.addTime(this.value, this.fraction, MICROSECONDS.minute)
    if (this.at === this.text.length) return
    if (this.text.charAt(this.at++) !== ':') throw this.problem.badFormat()
    this.readNumber()
    this.sum.addTime(this.value, this.fraction, MICROSECONDS.second)
    if (this.at !== this.text.length) throw this.problem.badFormat()
  }
}

const halves = new Int32Array(2)

function encode(microseconds: Int64, days: number, months: number): Uint8Array {
  const bytes = new Uint8Array(INTERVAL_BYTES)
  int64ToHalves(microseconds, halves, 0)
  writeInt32(bytes, 0, halves[0] as number)
  writeInt32(bytes, 4, halves[1] as number)
  writeInt32(bytes, 8, days)
  writeInt32(bytes, 12, months)
  return bytes
}

function parseInterval(text: string, typmod: number): Uint8Array {
  const problem = new DateTimeProblem(text, 'interval')
  const range = typmod >= 0 ? (typmod >> 16) & FULL_RANGE : FULL_RANGE
  let sum = new IntervalSum(problem)
  let infinite: Infinite
  try {
    const tokens = cutTokens(text, INTERVAL_ROOM)
    if (tokens === undefined) throw problem.badFormat()
    const reader = new IntervalReader(tokens, range, problem, sum)
    reader.read()
    infinite = reader.infinite
  } catch (error) {
    if (!(error instanceof PgError)) throw error
    if (error.code === '22008') throw sum.overflow()
    if (error.code !== '22007') throw error
    sum = new IntervalSum(problem)
    new IsoIntervalReader(text, problem, sum).read()
  }
  if (infinite === 'late') return encode(INT64_MAX, INT32_MAX, INT32_MAX)
  if (infinite === 'early') return encode(INT64_MIN, INT32_MIN, INT32_MIN)
  const months = sum.years * 12 + sum.months
  if (months > INT32_MAX || months < INT32_MIN) throw refusal('22008', 'interval out of range')
  return trim(sum.microseconds, sum.days, months, typmod)
}

/** Clears what the type modifier does not hold and rounds the seconds to its digits. */
function trim(microseconds: bigint, days: number, months: number, typmod: number): Uint8Array {
  if (typmod < 0) return encode(int64Of(microseconds), days, months)
  const range = (typmod >> 16) & FULL_RANGE
  const precision = typmod & FULL_PRECISION
  let time = microseconds
  if (range !== FULL_RANGE && (range & SECOND) === 0) {
    if ((range & (DAY | HOUR | MINUTE)) === 0) {
      days = 0
      time = 0n
      if ((range & MONTH) === 0) months -= months % 12
    } else if ((range & MINUTE) !== 0) {
      time -= time % MICROSECONDS.minute
    } else if ((range & HOUR) !== 0) {
      time -= time % MICROSECONDS.hour
    } else {
      time = 0n
    }
  }
  if (precision === FULL_PRECISION) return encode(int64Of(time), days, months)
  const scale = 10n ** BigInt(6 - precision)
  time += (time >= 0n ? scale : -scale) / 2n
  if (time > INT64_MAX || time < INT64_MIN) throw refusal('22008', 'interval out of range')
  return encode(int64Of(time - (time % scale)), days, months)
}

/** interval_out in the style 'postgres'. */
function printInterval(raw: Uint8Array): string {
  if (raw.length !== INTERVAL_BYTES) throw corrupted('interval')
  const time = int64FromHalves(readInt32(raw, 0), readInt32(raw, 4))
  const days = readInt32(raw, 8)
  const months = readInt32(raw, 12)
  if (months === INT32_MAX && days === INT32_MAX && time === INT64_MAX) return 'infinity'
  if (months === INT32_MIN && days === INT32_MIN && time === INT64_MIN) return '-infinity'

  let text = ''
  let isAfterNegative = false
  const add = (value: number, unit: string) => {
    if (value === 0) return
    const plus = isAfterNegative && value > 0 ? '+' : ''
    text += `${text === '' ? '' : ' '}${plus}${value} ${unit}${value === 1 ? '' : 's'}`
    isAfterNegative = value < 0
  }
  add(Math.trunc(months / 12), 'year')
  add(months % 12, 'mon')
  add(days, 'day')
  if (text !== '' && time === 0) return text

  const sign = time < 0 ? '-' : isAfterNegative ? '+' : ''
  return `${text}${text === '' ? '' : ' '}${sign}${printTimeSpan(time)}`
}

/** Hours without limit, minutes and seconds of a number of microseconds, without its sign. */
function printTimeSpan(time: Int64): string {
  let hours: Int64
  let rest: number
  if (typeof time === 'number') {
    const size = Math.abs(time)
    hours = Math.floor(size / 3600e6)
    rest = size - hours * 3600e6
  } else {
    const size = time < 0n ? -time : time
    hours = size / MICROSECONDS.hour
    rest = Number(size % MICROSECONDS.hour)
  }
  const seconds = Math.floor(rest / 1e6)
  const minutes = Math.floor(seconds / 60)
  const fraction = printFraction(rest - seconds * 1e6)
  const hourText = hours < 10 ? `0${hours}` : `${hours}`
  return `${hourText}:${twoDigits(minutes)}:${twoDigits(seconds - minutes * 60)}${fraction}`
}

export function intervalCodec(type: BuiltinType, typmod: number): TypeCodec<string, Uint8Array> {
  const parse = (text: string) => parseInterval(text, typmod)
  return {
    ...type,
    typmod,
    lane: 'bytes',
    isIdentity: false,
    fromLane: printInterval,
    toLane(value) {
      if (typeof value === 'string') return parse(value)
      throw wrongKind('interval', value)
    },
    toText: printInterval,
    fromText: parse,
  }
}
