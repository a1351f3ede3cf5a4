// Dates and times from text, in every form that PostgreSQL's input functions take under DateStyle
// ISO, MDY and TimeZone UTC. The codecs read the ISO form themselves and come here for the rest.
// Source: src/backend/utils/adt/datetime.c, PostgreSQL 18.

import type { PgError } from '../errors/pg-error.ts'
import {
  calendarDate,
  dayNumber,
  daysInMonth,
  EPOCH_JULIAN_DAY,
  isReachableMonth,
  roundHalfEven,
} from './calendar.ts'
import { isDigit, isLetter } from './character.ts'
import { cutTokens, type Token } from './date-time-tokens.ts'
import {
  bit,
  DATE_MASK,
  dateWord,
  Field,
  type Meaning,
  TIME_MASK,
  type Word,
} from './date-time-words.ts'
import { refusal } from './refusal.ts'
import { secondsEastAtLocal, type TimeZone, timeZoneNamed, zoneAbbreviation } from './time-zone.ts'

const INT32_MAX = 2147483647
const ZONE_HOURS_MAX = 15
const MICROSECONDS_PER_DAY = 86400e6
const EPOCH_UNIX_SECONDS = 946684800

/** What stands in a date and time text, before it is turned into one number. */
export interface DateTimeFields {
  /** 'date' when the fields below are set; otherwise they say nothing. */
  kind: 'date' | 'epoch' | 'late' | 'early'
  /** Without era: year 0 is 1 BC. */
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  microsecond: number
  /** Seconds west of Greenwich; 0 when no zone was given. */
  secondsWest: number
}

/** A leading integer as C's strtol reads it, limited to 32 bits. */
export function leadingInteger(
  text: string,
  at = 0,
): { value: number; end: number; isTooBig: boolean } {
  const start = at
  const negative = text.charCodeAt(at) === 45
  if (negative || text.charCodeAt(at) === 43) at++
  const first = at
  let value = 0
  while (isDigit(text.charCodeAt(at))) value = value * 10 + text.charCodeAt(at++) - 48
  if (at === first) return { value: 0, end: start, isTooBig: false }
  const isTooBig = value > (negative ? INT32_MAX + 1 : INT32_MAX)
  return { value: negative ? -value : value, end: at, isTooBig }
}

/** How input of one text fails: PostgreSQL's codes and words for each way. */
export class DateTimeProblem {
  constructor(
    readonly text: string,
    readonly typeName: string,
  ) {}

  badFormat(): PgError {
    return refusal('22007', `invalid input syntax for type ${this.typeName}: "${this.text}"`)
  }

  fieldOverflow(): PgError {
    return refusal('22008', `date/time field value out of range: "${this.text}"`)
  }

  monthOrDayOverflow(): PgError {
    return refusal(
      '22008',
      `date/time field value out of range: "${this.text}"`,
      undefined,
      'Perhaps you need a different "datestyle" setting.',
    )
  }

  zoneOverflow(): PgError {
    return refusal('22009', `time zone displacement out of range: "${this.text}"`)
  }

  unknownZone(name: string): PgError {
    return refusal('22023', `time zone "${name}" not recognized`)
  }
}

/** '.25' as a fraction of one; the text must hold nothing else. */
export function parseFraction(text: string, problem: DateTimeProblem): number {
  for (let at = 1; at < text.length; at++) {
    if (!isDigit(text.charCodeAt(at))) throw problem.badFormat()
  }
  return text.length === 1 ? 0 : Number(`0${text}`)
}

export interface TimeParts {
  hour: number
  minute: number
  second: number
  microsecond: number
}

/**
 * 'hh:mm', 'hh:mm:ss', 'hh:mm:ss.f' or 'mm:ss.f'; the hour is not limited here. With
 * `isMinuteToSecond`, two fields are minutes and seconds.
 */
export function parseTimeParts(
  text: string,
  isMinuteToSecond: boolean,
  problem: DateTimeProblem,
): TimeParts {
  let at = 0
  let hour = 0
  while (isDigit(text.charCodeAt(at))) hour = hour * 10 + text.charCodeAt(at++) - 48
  if (hour >= 2 ** 63) throw problem.fieldOverflow()
  if (text.charCodeAt(at) !== 58) throw problem.badFormat()
  const minutes = leadingInteger(text, at + 1)
  if (minutes.isTooBig) throw problem.fieldOverflow()
  at = minutes.end
  const parts = { hour, minute: minutes.value, second: 0, microsecond: 0 }
  const shift = () => {
    if (parts.hour > INT32_MAX) throw problem.fieldOverflow()
    parts.second = parts.minute
    parts.minute = parts.hour
    parts.hour = 0
  }
  const fraction = () => roundHalfEven(parseFraction(text.substring(at), problem) * 1e6)
  if (at === text.length) {
    if (isMinuteToSecond) shift()
  } else if (text.charCodeAt(at) === 46) {
    parts.microsecond = fraction()
    shift()
  } else if (text.charCodeAt(at) === 58) {
    const seconds = leadingInteger(text, at + 1)
    if (seconds.isTooBig) throw problem.fieldOverflow()
    parts.second = seconds.value
    at = seconds.end
    if (text.charCodeAt(at) === 46) parts.microsecond = fraction()
    else if (at !== text.length) throw problem.badFormat()
  } else {
    throw problem.badFormat()
  }
  if (parts.minute < 0 || parts.minute > 59 || parts.second < 0 || parts.second > 60) {
    throw problem.fieldOverflow()
  }
  return parts
}

/** Seconds west of Greenwich from '+hh', '+hh:mm', '+hh:mm:ss' or '+hhmm'. */
export function parseNumericZone(text: string, problem: DateTimeProblem): number {
  const sign = text.charCodeAt(0)
  if (sign !== 43 && sign !== 45) throw problem.badFormat()
  const first = leadingInteger(text, 1)
  if (first.isTooBig) throw problem.zoneOverflow()
  let hours = first.value
  let minutes = 0
  let seconds = 0
  let at = first.end
  if (text.charCodeAt(at) === 58) {
    const second = leadingInteger(text, at + 1)
    if (second.isTooBig) throw problem.zoneOverflow()
    minutes = second.value
    at = second.end
    if (text.charCodeAt(at) === 58) {
      const third = leadingInteger(text, at + 1)
      if (third.isTooBig) throw problem.zoneOverflow()
      seconds = third.value
      at = third.end
    }
  } else if (at === text.length && text.length > 3) {
    minutes = hours % 100
    hours = Math.trunc(hours / 100)
  }
  if (hours < 0 || hours > ZONE_HOURS_MAX) throw problem.zoneOverflow()
  if (minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) throw problem.zoneOverflow()
  if (at !== text.length) throw problem.badFormat()
  const size = (hours * 60 + minutes) * 60 + seconds
  return sign === 45 ? size : 0 - size
}

export function isTimeOutOfRange(parts: TimeParts): boolean {
  const { hour, minute, second, microsecond } = parts
  if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60) return true
  if (microsecond < 0 || microsecond > 1e6) return true
  return ((hour * 60 + minute) * 60 + second) * 1e6 + microsecond > MICROSECONDS_PER_DAY
}

/** The state of reading one text: what has been seen, and what it said. */
class DateTimeReader implements DateTimeFields {
  kind: DateTimeFields['kind'] = 'date'
  year = 0
  month = 0
  day = 0
  hour = 0
  minute = 0
  second = 0
  microsecond = 0
  secondsWest = 0

  private dayOfYear = 0
  /** Bits of the fields seen so far. */
  private seen = 0
  /** What the number that comes next is, when a unit such as 'j' or 't' announced it. */
  private announced: Meaning | undefined
  private hasTextMonth = false
  private hasTwoDigitYear = false
  private isJulian = false
  private isBc = false
  /** 0 for AM, 1 for PM. */
  private meridian: number | undefined
  private zone: TimeZone | undefined
  private isDaylightModified = false

  constructor(
    private readonly tokens: Token[],
    private readonly problem: DateTimeProblem,
    /** Reading a time: dates are for the sake of a zone only. */
    private readonly isTimeOnly: boolean,
  ) {}

  read(): void {
    for (let index = 0; index < this.tokens.length; index++) {
      const found = this.readToken(this.tokens[index] as Token, index)
      if (found & this.seen) throw this.problem.badFormat()
      this.seen |= found
    }
    if (this.announced !== undefined) throw this.problem.badFormat()
    if (this.kind !== 'date') return
    this.settleDate()
    this.settleMeridian()
    if (this.isTimeOnly) {
      if (isTimeOutOfRange(this)) throw this.problem.fieldOverflow()
      if (!this.hasAll(TIME_MASK)) throw this.problem.badFormat()
      if ((this.seen & DATE_MASK) !== 0 && !this.hasAll(DATE_MASK)) {
        const needsDate = this.zone === undefined || this.zone.fixedSecondsEast === undefined
        if (needsDate && (this.zone !== undefined || (this.seen & bit(Field.TZ)) === 0)) {
          throw this.problem.badFormat()
        }
      }
    } else if (!this.hasAll(DATE_MASK)) {
      throw this.problem.badFormat()
    }
    this.settleZone()
  }

  private hasAll(mask: number): boolean {
    return (this.seen & mask) === mask
  }

  private get monthAndDaySeen(): boolean {
    return this.hasAll(bit(Field.MONTH) | bit(Field.DAY))
  }

  private readToken(token: Token, index: number): number {
    switch (token.kind) {
      case 'date':
        return this.readDateToken(token.text, index)
      case 'time':
        this.expectTimeIfAnnounced()
        this.setTime(parseTimeParts(token.text, false, this.problem))
        if (!this.isTimeOnly && isTimeOutOfRange(this)) throw this.problem.fieldOverflow()
        return TIME_MASK
      case 'zone':
        this.secondsWest = parseNumericZone(token.text, this.problem)
        return bit(Field.TZ)
      case 'number':
        if (this.announced !== undefined) return this.readAnnounced(token.text)
        return this.isTimeOnly
          ? this.readNumberOfTime(token.text, index)
          : this.readNumber(token.text)
      default:
        return this.readWord(token.text)
    }
  }

  private expectTimeIfAnnounced(): void {
    if (this.announced !== undefined && this.announced !== 'time') throw this.problem.badFormat()
    this.announced = undefined
  }

  private setTime(parts: TimeParts): void {
    if (parts.hour > INT32_MAX) throw this.problem.fieldOverflow()
    this.hour = parts.hour
    this.minute = parts.minute
    this.second = parts.second
    this.microsecond = parts.microsecond
  }

  private readDateToken(text: string, index: number): number {
    if (this.isTimeOnly) {
      const last = this.tokens[this.tokens.length - 1]
      if (index === 0 && this.tokens.length >= 2) {
        if (last?.kind === 'date' || this.tokens[1]?.kind === 'time') return this.readDate(text)
      }
      return this.readTimeWithZone(text, DATE_MASK)
    }
    if (this.announced === 'julian') {
      // A whole Julian day with a zone run on.
      const day = leadingInteger(text)
      if (day.isTooBig || day.value < 0) throw this.problem.fieldOverflow()
      this.setJulianDay(day.value)
      this.secondsWest = parseNumericZone(text.substring(day.end), this.problem)
      this.announced = undefined
      return DATE_MASK | TIME_MASK | bit(Field.TZ)
    }
    if (this.announced !== undefined || this.monthAndDaySeen) return this.readTimeWithZone(text, 0)
    return this.readDate(text)
  }

  /** 'hhmmss-zz', or the name of a zone. */
  private readTimeWithZone(text: string, assumed: number): number {
    if (!isDigit(text.charCodeAt(0)) && (this.isTimeOnly || this.announced === undefined)) {
      this.zone = timeZoneNamed(text)
      if (this.zone === undefined) throw this.problem.unknownZone(text)
      return bit(Field.TZ)
    }
    if (!this.isTimeOnly) this.expectTimeIfAnnounced()
    if (this.hasAll(TIME_MASK)) throw this.problem.badFormat()
    const dash = text.indexOf('-')
    if (dash < 0) throw this.problem.badFormat()
    this.secondsWest = parseNumericZone(text.substring(dash), this.problem)
    const found = this.readConcatenated(text.substring(0, dash), this.seen | assumed)
    return found | bit(Field.TZ)
  }

  private setJulianDay(julianDay: number): void {
    calendarDate(julianDay - EPOCH_JULIAN_DAY, this)
    this.isJulian = true
  }

  private readAnnounced(text: string): number {
    const { value, end, isTooBig } = leadingInteger(text)
    if (isTooBig) throw this.problem.fieldOverflow()
    if (end !== text.length && text.charCodeAt(end) !== 46) throw this.problem.badFormat()
    const announced = this.announced
    this.announced = undefined
    if (announced === 'julian') {
      if (value < 0) throw this.problem.fieldOverflow()
      this.setJulianDay(value)
      if (text.charCodeAt(end) !== 46) return DATE_MASK
      const fraction = parseFraction(text.substring(end), this.problem)
      let rest = Math.trunc(fraction * MICROSECONDS_PER_DAY)
      this.hour = Math.trunc(rest / 3600e6)
      rest -= this.hour * 3600e6
      this.minute = Math.trunc(rest / 60e6)
      rest -= this.minute * 60e6
      this.second = Math.trunc(rest / 1e6)
      this.microsecond = rest - this.second * 1e6
      return DATE_MASK | TIME_MASK
    }
    if (announced === 'time') {
      const found = this.readConcatenated(text, this.seen | DATE_MASK)
      if (found !== TIME_MASK) throw this.problem.badFormat()
      return found
    }
    throw this.problem.badFormat()
  }

  private readNumber(text: string): number {
    const point = text.indexOf('.')
    const hasNoDate = (this.seen & DATE_MASK) === 0
    const hasNoTime = (this.seen & TIME_MASK) === 0
    if (point >= 0 && hasNoDate) return this.readDate(text)
    if (point > 2) return this.readConcatenated(text, this.seen)
    // Six digits are a whole date or time; a year has five at most here.
    if (text.length >= 6 && (hasNoDate || hasNoTime)) return this.readConcatenated(text, this.seen)
    return this.readOneField(text, this.hasTextMonth, this.seen)
  }

  private readNumberOfTime(text: string, index: number): number {
    const seen = this.seen | DATE_MASK
    const point = text.indexOf('.')
    if (point >= 0) {
      const last = this.tokens[this.tokens.length - 1]
      if (index === 0 && this.tokens.length >= 2 && last?.kind === 'date')
        return this.readDate(text)
      if (point > 2) return this.readConcatenated(text, seen)
      throw this.problem.badFormat()
    }
    if (text.length > 4) return this.readConcatenated(text, seen)
    return this.readOneField(text, false, seen)
  }

  private readWord(text: string): number {
    const abbreviation = zoneAbbreviation(text)
    if (abbreviation !== undefined) {
      if (abbreviation.zone !== undefined) {
        this.zone = abbreviation.zone
        return bit(Field.DYNTZ) | bit(Field.TZ)
      }
      this.secondsWest = 0 - abbreviation.secondsEast
      return abbreviation.isDaylight ? bit(Field.DTZ) | bit(Field.TZ) : bit(Field.TZ)
    }
    const word = dateWord(text)
    if (word === undefined) {
      this.zone = timeZoneNamed(text)
      if (this.zone === undefined) throw this.problem.badFormat()
      return bit(Field.TZ)
    }
    return this.applyWord(word)
  }

  private applyWord(word: Word): number {
    switch (word.field) {
      case Field.IGNORE:
        return 0
      case Field.RESERV:
        return this.applyReserved(word.meaning)
      case Field.MONTH: {
        if (this.isTimeOnly) throw this.problem.badFormat()
        let found = bit(Field.MONTH)
        const hasNumericMonth = (this.seen & bit(Field.MONTH)) !== 0 && !this.hasTextMonth
        if (hasNumericMonth && (this.seen & bit(Field.DAY)) === 0) {
          // The number taken for a month was the day.
          if (this.month >= 1 && this.month <= 31) {
            this.day = this.month
            found = bit(Field.DAY)
          }
        }
        this.hasTextMonth = true
        this.month = word.value
        return found
      }
      case Field.DTZMOD:
        this.secondsWest -= word.value
        this.isDaylightModified = true
        return bit(Field.DTZMOD) | bit(Field.DTZ)
      case Field.AMPM:
        this.meridian = word.value
        return bit(Field.AMPM)
      case Field.ADBC:
        this.isBc = word.value === 1
        return bit(Field.ADBC)
      case Field.DOW:
        if (this.isTimeOnly) throw this.problem.badFormat()
        return bit(Field.DOW)
      case Field.UNITS:
        if (this.announced !== undefined) throw this.problem.badFormat()
        this.announced = word.meaning
        return 0
      case Field.ISOTIME:
        if (!this.isTimeOnly && !this.hasAll(DATE_MASK)) throw this.problem.badFormat()
        if (this.announced !== undefined) throw this.problem.badFormat()
        this.announced = word.meaning
        return 0
      default:
        throw this.problem.badFormat()
    }
  }

  private applyReserved(meaning: Meaning): number {
    if (this.isTimeOnly && meaning !== 'now' && meaning !== 'zulu') throw this.problem.badFormat()
    switch (meaning) {
      case 'now': {
        const now = Date.now()
        const seconds = Math.floor(now / 1000)
        const days = Math.floor(seconds / 86400)
        const ofDay = seconds - days * 86400
        if (!this.isTimeOnly) {
          calendarDate(days - EPOCH_UNIX_SECONDS / 86400, this)
          this.secondsWest = 0
        }
        this.hour = Math.floor(ofDay / 3600)
        this.minute = Math.floor(ofDay / 60) % 60
        this.second = ofDay % 60
        this.microsecond = (now - seconds * 1000) * 1000
        return this.isTimeOnly ? TIME_MASK : DATE_MASK | TIME_MASK | bit(Field.TZ)
      }
      case 'yesterday':
      case 'today':
      case 'tomorrow': {
        const step = meaning === 'today' ? 0 : meaning === 'tomorrow' ? 1 : -1
        const today = Math.floor(Date.now() / 86400e3) - EPOCH_UNIX_SECONDS / 86400
        calendarDate(today + step, this)
        return DATE_MASK
      }
      case 'zulu':
        this.hour = 0
        this.minute = 0
        this.second = 0
        if (!this.isTimeOnly) this.secondsWest = 0
        return TIME_MASK | bit(Field.TZ)
      case 'epoch':
      case 'late':
      case 'early':
        this.kind = meaning
        return DATE_MASK | TIME_MASK | bit(Field.TZ)
      default:
        throw this.problem.badFormat()
    }
  }

  /** A date with delimiters. */
  private readDate(text: string): number {
    const parts: string[] = []
    let at = 0
    while (at < text.length && parts.length < 25) {
      while (at < text.length && !isDigit(text.charCodeAt(at)) && !isLetter(text.charCodeAt(at)))
        at++
      if (at === text.length) throw this.problem.badFormat()
      const start = at
      const isPart = isDigit(text.charCodeAt(at)) ? isDigit : isLetter
      while (isPart(text.charCodeAt(at))) at++
      parts.push(text.substring(start, at))
      // One delimiter, or the first letter or digit of what was run on, is dropped.
      at++
    }
    let seen = this.seen
    let found = 0
    let hasTextMonth = false
    const add = (mask: number) => {
      if (seen & mask) throw this.problem.badFormat()
      seen |= mask
      found |= mask
    }
    const numbers = parts.filter((part) => {
      if (isDigit(part.charCodeAt(0))) return true
      const word = dateWord(part)
      if (word?.field === Field.IGNORE) return true
      if (word?.field !== Field.MONTH) throw this.problem.badFormat()
      this.month = word.value
      hasTextMonth = true
      add(bit(Field.MONTH))
      return false
    })
    for (const number of numbers) add(this.readOneField(number, hasTextMonth, seen))
    if ((seen & ~(bit(Field.DOY) | bit(Field.TZ))) !== DATE_MASK) throw this.problem.badFormat()
    return found
  }

  /** A plain number whose meaning depends on what has been seen; the order is month, day, year. */
  private readOneField(text: string, hasTextMonth: boolean, seen: number): number {
    const { value, end, isTooBig } = leadingInteger(text)
    if (isTooBig) throw this.problem.fieldOverflow()
    if (end === 0) throw this.problem.badFormat()
    if (text.charCodeAt(end) === 46) {
      if (end > 2) return this.readConcatenated(text, seen | DATE_MASK)
      this.microsecond = roundHalfEven(parseFraction(text.substring(end), this.problem) * 1e6)
    } else if (end !== text.length) {
      throw this.problem.badFormat()
    }

    const dateSeen = seen & DATE_MASK
    const isLong = text.length >= 3
    if (text.length === 3 && dateSeen === bit(Field.YEAR) && value >= 1 && value <= 366) {
      this.dayOfYear = value
      return bit(Field.DOY) | bit(Field.MONTH) | bit(Field.DAY)
    }
    const setYear = () => {
      this.year = value
      this.hasTwoDigitYear = text.length <= 2
      return bit(Field.YEAR)
    }
    const setMonth = () => {
      this.month = value
      return bit(Field.MONTH)
    }
    const setDay = () => {
      this.day = value
      return bit(Field.DAY)
    }
    switch (dateSeen) {
      case 0:
        return isLong ? setYear() : setMonth()
      case bit(Field.YEAR):
        return setMonth()
      case bit(Field.MONTH):
        return hasTextMonth && isLong ? setYear() : setDay()
      case bit(Field.YEAR) | bit(Field.MONTH):
        if (hasTextMonth && isLong && this.hasTwoDigitYear) {
          // The number taken for a year was the day.
          this.day = this.year
          this.year = value
          this.hasTwoDigitYear = false
          return bit(Field.DAY)
        }
        return setDay()
      case bit(Field.DAY):
        return setMonth()
      case bit(Field.MONTH) | bit(Field.DAY):
        return setYear()
      case DATE_MASK:
        return this.readConcatenated(text, seen)
      default:
        throw this.problem.badFormat()
    }
  }

  /** 'yymmdd', 'yyyymmdd', 'hhmm', 'hhmmss' or 'hhmmss.f'. */
  private readConcatenated(text: string, seen: number): number {
    let digits = text
    const point = text.indexOf('.')
    const number = (start: number, end: number) =>
      leadingInteger(digits.substring(start, end)).value
    if (point >= 0) {
      const fraction = /^\.\d*/.exec(text.substring(point))?.[0] ?? '.'
      this.microsecond = fraction === '.' ? 0 : roundHalfEven(Number(`0${fraction}`) * 1e6)
      digits = text.substring(0, point)
    } else if ((seen & DATE_MASK) !== DATE_MASK && digits.length >= 6) {
      const length = digits.length
      this.day = number(length - 2, length)
      this.month = number(length - 4, length - 2)
      this.year = number(0, length - 4) | 0
      if (length === 6) this.hasTwoDigitYear = true
      return DATE_MASK
    }
    if ((seen & TIME_MASK) !== TIME_MASK && (digits.length === 6 || digits.length === 4)) {
      this.second = digits.length === 6 ? number(4, 6) : 0
      this.minute = number(2, 4)
      this.hour = number(0, 2)
      return TIME_MASK
    }
    throw this.problem.badFormat()
  }

  private settleDate(): void {
    if (this.seen & bit(Field.YEAR) && !this.isJulian) {
      if (this.isBc) {
        if (this.year <= 0) throw this.problem.fieldOverflow()
        this.year = 1 - this.year
      } else if (this.hasTwoDigitYear) {
        if (this.year < 0) throw this.problem.fieldOverflow()
        if (this.year < 70) this.year += 2000
        else if (this.year < 100) this.year += 1900
      } else if (this.year <= 0) {
        throw this.problem.fieldOverflow()
      }
    }
    if (this.seen & bit(Field.DOY)) {
      calendarDate(dayNumber(this.year, 1, 1) + this.dayOfYear - 1, this)
    }
    if (this.seen & bit(Field.MONTH) && (this.month < 1 || this.month > 12)) {
      throw this.problem.monthOrDayOverflow()
    }
    if (this.seen & bit(Field.DAY) && (this.day < 1 || this.day > 31)) {
      throw this.problem.monthOrDayOverflow()
    }
    if (this.hasAll(DATE_MASK) && this.day > daysInMonth(this.year, this.month)) {
      throw this.problem.fieldOverflow()
    }
  }

  private settleMeridian(): void {
    if (this.meridian === undefined) return
    if (this.hour > 12) throw this.problem.fieldOverflow()
    if (this.meridian === 0 && this.hour === 12) this.hour = 0
    else if (this.meridian === 1 && this.hour !== 12) this.hour += 12
  }

  private settleZone(): void {
    const hasZone = (this.seen & bit(Field.TZ)) !== 0
    if (this.isDaylightModified && (this.zone !== undefined || !hasZone)) {
      throw this.problem.badFormat()
    }
    if (this.zone === undefined) return
    const { fixedSecondsEast } = this.zone
    if (fixedSecondsEast !== undefined) {
      this.secondsWest = 0 - fixedSecondsEast
      return
    }
    let days: number
    if (this.hasAll(DATE_MASK)) {
      if (!isReachableMonth(this.year, this.month)) {
        this.secondsWest = 0 - (this.zone.unreachableSecondsEast ?? 0)
        return
      }
      days = dayNumber(this.year, this.month, this.day)
    } else {
      // A time with a zone whose offset changes needs a date, unless an abbreviation named the zone.
      if ((this.seen & bit(Field.DYNTZ)) === 0) throw this.problem.badFormat()
      days = Math.floor(Date.now() / 86400e3) - EPOCH_UNIX_SECONDS / 86400
    }
    const ofDay = (this.hour * 60 + this.minute) * 60 + this.second
    const local = days * 86400 + EPOCH_UNIX_SECONDS + ofDay
    this.secondsWest = 0 - secondsEastAtLocal(this.zone, local)
  }
}

function read(text: string, typeName: string, room: number, isTimeOnly: boolean): DateTimeFields {
  const problem = new DateTimeProblem(text, typeName)
  const tokens = cutTokens(text, room)
  if (tokens === undefined) throw problem.badFormat()
  const reader = new DateTimeReader(tokens, problem, isTimeOnly)
  reader.read()
  return reader
}

/** Characters for the fields of a date or time, and of a timestamp. */
const DATE_ROOM = 129
const TIMESTAMP_ROOM = 153

/** A date, with or without a time and zone. Throws 22007, 22008, 22009 or 22023. */
export function parseDateTime(text: string, typeName: string): DateTimeFields {
  return read(text, typeName, typeName === 'date' ? DATE_ROOM : TIMESTAMP_ROOM, false)
}

/** A time of day, with or without a zone; a date is accepted where it decides the zone's offset. */
export function parseTime(text: string, typeName: string): DateTimeFields {
  return read(text, typeName, DATE_ROOM, true)
}
