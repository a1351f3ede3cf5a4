// Column types for data: the narrowest type that holds every value of a column.

type Candidate =
  | 'bool'
  | 'int8'
  | 'float8'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'uuid'
  | 'jsonb'

const int8Max = 9223372036854775807n
const time = '[ T]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d{1,6})?)?'
const day = '\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])'

function isInt8(text: string): boolean {
  // A leading zero belongs to a code, not to a number.
  if (!/^-?(0|[1-9]\d{0,18})$/.test(text)) return false
  const value = BigInt(text)
  return value <= int8Max && value >= -int8Max - 1n
}

const isCalendarDate = (text: string) => {
  const [year, month, date] = text.slice(0, 10).split('-').map(Number) as [number, number, number]
  const made = new Date(Date.UTC(2000, 0, 1))
  made.setUTCFullYear(year, month - 1, date)
  return year > 0 && made.getUTCDate() === date && made.getUTCMonth() === month - 1
}
const dates = new RegExp(`^${day}$`)
const timestamps = new RegExp(`^${day}${time}$`)
const zonedTimestamps = new RegExp(`^${day}${time} ?(Z|[+-]\\d{2}(:?\\d{2})?)$`)

// In the order in which a column takes the first that holds.
const tests: Record<Candidate, (text: string) => boolean> = {
  bool: (text) => /^(true|false|t|f)$/.test(text),
  int8: isInt8,
  float8: (text) =>
    /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?$/.test(text) && Number.isFinite(+text),
  date: (text) => dates.test(text) && isCalendarDate(text),
  timestamp: (text) => timestamps.test(text) && isCalendarDate(text),
  timestamptz: (text) => zonedTimestamps.test(text) && isCalendarDate(text),
  uuid: (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
  jsonb: () => false,
}
const candidates = Object.keys(tests) as Candidate[]
const candidatesOfStrings: Candidate[] = ['date', 'timestamp', 'timestamptz', 'uuid']

function holds(candidate: Candidate, value: unknown, isText: boolean): boolean {
  switch (typeof value) {
    case 'string':
      return (isText || candidatesOfStrings.includes(candidate)) && tests[candidate](value)
    case 'boolean':
      return candidate === 'bool'
    case 'number':
      return (candidate === 'int8' || candidate === 'float8') && tests[candidate](`${value}`)
    default:
      return candidate === 'jsonb'
  }
}

/** Sees rows, then tells the columns. */
export class ColumnInference {
  readonly #columns = new Map<string, { left: Candidate[]; seen: boolean }>()
  readonly #isText: boolean

  /** `isText`: values are text throughout, as in CSV; else a string is never taken for a number. */
  constructor(isText: boolean) {
    this.#isText = isText
  }

  see(row: Record<string, unknown>): void {
    for (const name in row) {
      let column = this.#columns.get(name)
      if (column === undefined) {
        column = { left: candidates, seen: false }
        this.#columns.set(name, column)
      }
      const value = row[name]
      if (value === null || column.left.length === 0) continue
      column.seen = true
      if (!column.left.every((candidate) => holds(candidate, value, this.#isText))) {
        column.left = column.left.filter((candidate) => holds(candidate, value, this.#isText))
      }
    }
  }

  /** Name and type, in the order of first appearance. */
  columns(): { name: string; type: string }[] {
    return [...this.#columns].map(([name, { left, seen }]) => ({
      name,
      type: (seen && left[0]) || 'text',
    }))
  }
}

/** Splits `a int8 not null, b numeric(10,2)` into names and types. */
export function parseColumnList(text: string): { name: string; type: string }[] {
  const parts: string[] = []
  let depth = 0
  let isQuoted = false
  let part = ''
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted
    if (!isQuoted && character === '(') depth++
    if (!isQuoted && character === ')') depth--
    if (character === ',' && depth === 0 && !isQuoted) {
      parts.push(part)
      part = ''
    } else part += character
  }
  parts.push(part)
  return parts.map((column) => {
    const match = /^\s*(?:"((?:[^"]|"")+)"|([^\s"]+))\s+(.*\S)\s*$/s.exec(column)
    if (match === null) return { name: column.trim(), type: '' }
    const [, quoted, bare, type] = match
    return { name: quoted?.replaceAll('""', '"') ?? (bare as string), type: type as string }
  })
}
