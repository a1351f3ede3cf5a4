// The proleptic Gregorian calendar as PostgreSQL counts it: days from 2000-01-01, years without
// era (year 0 is 1 BC).

/** 2000-01-01 as a Julian day number. */
export const EPOCH_JULIAN_DAY = 2451545

const DAYS_PER_ERA = 146097
/** Days from 0000-03-01 to 2000-01-01. */
const EPOCH_FROM_MARCH_0 = 730425

/** Days from 2000-01-01 of a date; the month may be 1 to 12, the day any. */
export function dayNumber(year: number, month: number, day: number): number {
  // Years that begin in March put the leap day last.
  const marchYear = month > 2 ? year : year - 1
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  return era * DAYS_PER_ERA + yearOfEra * 365 + leapDays + dayOfYear - EPOCH_FROM_MARCH_0
}

export interface CalendarDate {
  year: number
  month: number
  day: number
}

/** The date of a count of days from 2000-01-01, into `out`. */
export function calendarDate(days: number, out: CalendarDate): CalendarDate {
  const shifted = days + EPOCH_FROM_MARCH_0
  const era = Math.floor(shifted / DAYS_PER_ERA)
  const dayOfEra = shifted - era * DAYS_PER_ERA
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36524) -
      Math.floor(dayOfEra / 146096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const march = Math.floor((5 * dayOfYear + 2) / 153)
  out.day = dayOfYear - Math.floor((153 * march + 2) / 5) + 1
  out.month = march < 10 ? march + 3 : march - 9
  out.year = yearOfEra + era * 400 + (out.month <= 2 ? 1 : 0)
  return out
}

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : (monthDays[month - 1] as number)
}

/** Whether PostgreSQL's day arithmetic reaches a month: November 4714 BC to May 5874898. */
export function isReachableMonth(year: number, month: number): boolean {
  if (year < -4713 || (year === -4713 && month < 11)) return false
  return year < 5874898 || (year === 5874898 && month < 6)
}

/** The number that two digits make, or -1 if they are not digits. */
export function twoDigitsAt(text: string, at: number): number {
  const high = text.charCodeAt(at) - 48
  const low = text.charCodeAt(at + 1) - 48
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : -1
}

/** The day number that a text begins with as 'YYYY-MM-DD'; undefined if it does not. */
export function readIsoDay(text: string): number | undefined {
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined
  const century = twoDigitsAt(text, 0)
  const ofCentury = twoDigitsAt(text, 2)
  const month = twoDigitsAt(text, 5)
  const day = twoDigitsAt(text, 8)
  const year = century * 100 + ofCentury
  if (century < 0 || ofCentury < 0 || year < 1 || month < 1 || month > 12) return undefined
  if (day < 1 || day > daysInMonth(year, month)) return undefined
  return dayNumber(year, month, day)
}

const twoDigitTable = Array.from({ length: 100 }, (_, value) => `${value}`.padStart(2, '0'))

/** 0 to 99 as two digits. */
export function twoDigits(value: number): string {
  return twoDigitTable[value] as string
}

/** 'YYYY-MM-DD' with at least four year digits and no era: ' BC' belongs at the end of the text. */
export function printDate(date: CalendarDate): string {
  const year = date.year > 0 ? date.year : 1 - date.year
  const digits = year >= 1000 ? `${year}` : `${year}`.padStart(4, '0')
  return `${digits}-${twoDigits(date.month)}-${twoDigits(date.day)}`
}

/** '.25' for 250000 microseconds, nothing for 0. */
export function printFraction(microseconds: number): string {
  if (microseconds === 0) return ''
  let text = `${1000000 + microseconds}`
  let end = 7
  while (text.charCodeAt(end - 1) === 48) end--
  text = text.substring(1, end)
  return `.${text}`
}

/** 'HH:MM:SS.ffffff' of microseconds since midnight, up to 24:00:00. */
export function printTimeOfDay(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1000000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return `${twoDigits(hours)}:${twoDigits(minutes - hours * 60)}:${twoDigits(seconds - minutes * 60)}${printFraction(microseconds - seconds * 1000000)}`
}

/** '+HH', '+HH:MM' or '+HH:MM:SS' of a zone in seconds west of Greenwich, as PostgreSQL stores it. */
export function printZone(secondsWest: number): string {
  const size = Math.abs(secondsWest)
  const hours = Math.floor(size / 3600)
  const minutes = Math.floor(size / 60) % 60
  const seconds = size % 60
  let text = (secondsWest <= 0 ? '+' : '-') + `${hours}`.padStart(2, '0')
  if (minutes !== 0 || seconds !== 0) text += `:${twoDigits(minutes)}`
  if (seconds !== 0) text += `:${twoDigits(seconds)}`
  return text
}

/** Rounds half to even, as C's rint does. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value)
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}
