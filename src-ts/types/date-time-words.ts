// The words of date, time and interval input, and the field kinds that they and numbers stand for.
//
// A field kind is a bit position: masks of them say which fields have been seen, and those of the
// calendar units are also what an interval's type modifier is made of.
// Source: src/include/utils/datetime.h, PostgreSQL 18.

export const Field = {
  RESERV: 0,
  MONTH: 1,
  YEAR: 2,
  DAY: 3,
  TZ: 5,
  DTZ: 6,
  DYNTZ: 7,
  IGNORE: 8,
  AMPM: 9,
  HOUR: 10,
  MINUTE: 11,
  SECOND: 12,
  MILLISECOND: 13,
  MICROSECOND: 14,
  DOY: 15,
  DOW: 16,
  UNITS: 17,
  ADBC: 18,
  AGO: 19,
  ISOTIME: 23,
  WEEK: 24,
  DECADE: 25,
  CENTURY: 26,
  MILLENNIUM: 27,
  DTZMOD: 28,
  UNKNOWN: 31,
} as const

export function bit(field: number): number {
  return 1 << field
}

export const DATE_MASK = bit(Field.YEAR) | bit(Field.MONTH) | bit(Field.DAY)
export const ALL_SECONDS_MASK = bit(Field.SECOND) | bit(Field.MILLISECOND) | bit(Field.MICROSECOND)
export const TIME_MASK = bit(Field.HOUR) | bit(Field.MINUTE) | ALL_SECONDS_MASK

/** What a reserved word or unit means. */
export type Meaning =
  | 'epoch'
  | 'late'
  | 'early'
  | 'now'
  | 'yesterday'
  | 'today'
  | 'tomorrow'
  | 'zulu'
  | 'time'
  | 'julian'
  | 'microsecond'
  | 'millisecond'
  | 'second'
  | 'minute'
  | 'hour'
  | 'day'
  | 'week'
  | 'month'
  | 'quarter'
  | 'year'
  | 'decade'
  | 'century'
  | 'millennium'
  | 'other'

export interface Word {
  readonly field: number
  /** For a month, a day of the week, AM/PM (0, 1), AD/BC (0, 1), a zone. */
  readonly value: number
  readonly meaning: Meaning
}

/** Words are told apart by their first ten characters. */
const WORD_LENGTH_MAX = 10

const dateWords = new Map<string, Word>()
const unitWords = new Map<string, Word>()

function define(
  table: Map<string, Word>,
  words: string,
  field: number,
  value: number,
  meaning: Meaning = 'other',
): void {
  for (const word of words.split(' ')) table.set(word, { field, value, meaning })
}

const monthWords = [
  'jan january',
  'feb february',
  'mar march',
  'apr april',
  'may',
  'jun june',
  'jul july',
  'aug august',
  'sep sept september',
  'oct october',
  'nov november',
  'dec december',
]
const dayWords = [
  'sun sunday',
  'mon monday',
  'tue tues tuesday',
  'wed wednesday weds',
  'thu thur thurs thursday',
  'fri friday',
  'sat saturday',
]
monthWords.forEach((words, index) => {
  define(dateWords, words, Field.MONTH, index + 1)
})
dayWords.forEach((words, index) => {
  define(dateWords, words, Field.DOW, index)
})
define(dateWords, 'infinity +infinity', Field.RESERV, 0, 'late')
define(dateWords, '-infinity', Field.RESERV, 0, 'early')
define(dateWords, 'allballs', Field.RESERV, 0, 'zulu')
define(dateWords, 'epoch', Field.RESERV, 0, 'epoch')
define(dateWords, 'now', Field.RESERV, 0, 'now')
define(dateWords, 'today', Field.RESERV, 0, 'today')
define(dateWords, 'tomorrow', Field.RESERV, 0, 'tomorrow')
define(dateWords, 'yesterday', Field.RESERV, 0, 'yesterday')
define(dateWords, 'ad', Field.ADBC, 0)
define(dateWords, 'bc', Field.ADBC, 1)
define(dateWords, 'am', Field.AMPM, 0)
define(dateWords, 'pm', Field.AMPM, 1)
define(dateWords, 'at on', Field.IGNORE, 0)
define(dateWords, 'dst', Field.DTZMOD, 3600)
define(dateWords, 't', Field.ISOTIME, 0, 'time')
define(dateWords, 'j jd julian', Field.UNITS, 0, 'julian')
define(dateWords, 'd', Field.UNITS, 0, 'day')
define(dateWords, 'h', Field.UNITS, 0, 'hour')
define(dateWords, 'm', Field.UNITS, 0, 'month')
define(dateWords, 'mm', Field.UNITS, 0, 'minute')
define(dateWords, 's', Field.UNITS, 0, 'second')
define(dateWords, 'y', Field.UNITS, 0, 'year')
define(dateWords, 'dow doy isodow isoyear', Field.UNITS, 0)

define(unitWords, '@', Field.IGNORE, 0)
define(unitWords, 'ago', Field.AGO, 0)
define(unitWords, 'us usec usecond microsecon useconds usecs', Field.UNITS, 0, 'microsecond')
define(unitWords, 'ms msec msecond millisecon mseconds msecs', Field.UNITS, 0, 'millisecond')
define(unitWords, 's sec second seconds secs', Field.UNITS, 0, 'second')
define(unitWords, 'm min mins minute minutes', Field.UNITS, 0, 'minute')
define(unitWords, 'h hour hours hr hrs', Field.UNITS, 0, 'hour')
define(unitWords, 'd day days', Field.UNITS, 0, 'day')
define(unitWords, 'w week weeks', Field.UNITS, 0, 'week')
define(unitWords, 'mon mons month months', Field.UNITS, 0, 'month')
define(unitWords, 'qtr quarter', Field.UNITS, 0, 'quarter')
define(unitWords, 'y year years yr yrs', Field.UNITS, 0, 'year')
define(unitWords, 'dec decade decades decs', Field.UNITS, 0, 'decade')
define(unitWords, 'c cent centuries century', Field.UNITS, 0, 'century')
define(unitWords, 'mil millennia millennium mils', Field.UNITS, 0, 'millennium')
define(unitWords, 'timezone timezone_h timezone_m', Field.UNITS, 0)

/** A word of dates and times, in lower case. */
export function dateWord(word: string): Word | undefined {
  return dateWords.get(word.substring(0, WORD_LENGTH_MAX))
}

/** A word of intervals, in lower case. */
export function unitWord(word: string): Word | undefined {
  return unitWords.get(word.substring(0, WORD_LENGTH_MAX))
}
