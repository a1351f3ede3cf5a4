// The type date: days from 2000-01-01; in JavaScript its ISO text.

import type { BuiltinType } from './builtin-types.ts'
import {
  type CalendarDate,
  calendarDate,
  dayNumber,
  isReachableMonth,
  printDate,
  readIsoDay,
} from './calendar.ts'
import type { TypeCodec } from './codec.ts'
import { parseDateTime } from './date-time-parser.ts'
import { refusal, wrongKind } from './refusal.ts'

const INFINITE = 2147483647
const MINUS_INFINITE = -2147483648
/** 4714-11-24 BC, and 5874898-01-01. */
const DAYS_MIN = -2451545
const DAYS_END = 2145031949
const EPOCH_MS = 946684800000
const MS_PER_DAY = 86400e3

const scratch: CalendarDate = { year: 0, month: 0, day: 0 }

export function printDays(days: number): string {
  if (days === INFINITE) return 'infinity'
  if (days === MINUS_INFINITE) return '-infinity'
  calendarDate(days, scratch)
  return scratch.year > 0 ? printDate(scratch) : `${printDate(scratch)} BC`
}

function parseDate(text: string): number {
  const iso = text.length === 10 ? readIsoDay(text) : undefined
  if (iso !== undefined) return iso
  const fields = parseDateTime(text, 'date')
  switch (fields.kind) {
    case 'late':
      return INFINITE
    case 'early':
      return MINUS_INFINITE
    case 'epoch':
      return -EPOCH_MS / MS_PER_DAY
  }
  const outOfRange = () => refusal('22008', `date out of range: "${text}"`)
  if (!isReachableMonth(fields.year, fields.month)) throw outOfRange()
  const days = dayNumber(fields.year, fields.month, fields.day)
  if (days < DAYS_MIN || days >= DAYS_END) throw outOfRange()
  return days
}

/** From JavaScript: text, or the UTC day of a Date. */
function writeDate(value: unknown): number {
  if (typeof value === 'string') return parseDate(value)
  if (value instanceof Date) {
    const days = Math.floor((value.getTime() - EPOCH_MS) / MS_PER_DAY)
    if (Number.isNaN(days) || days < DAYS_MIN) {
      throw refusal('22008', 'date out of range: invalid Date')
    }
    return days
  }
  if (value === Number.POSITIVE_INFINITY) return INFINITE
  if (value === Number.NEGATIVE_INFINITY) return MINUS_INFINITE
  throw wrongKind('date', value)
}

export function dateCodec(type: BuiltinType): TypeCodec<string, number> {
  return {
    ...type,
    typmod: -1,
    lane: 'int32',
    isIdentity: false,
    fromLane: printDays,
    toLane: writeDate,
    toText: printDays,
    fromText: parseDate,
  }
}
