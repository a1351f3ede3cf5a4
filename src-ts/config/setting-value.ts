// SettingValue: the values of settings as text. `parseSetting` gives the one spelling of a value that pg_settings shows,
// a number in the setting's unit; `showSetting` gives what SHOW does, '128MB'.
// Source: parse_and_validate_value, parse_int, parse_real, convert_to_base_unit and ShowGUCOption in
// src/backend/utils/misc/guc.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import type { SettingDefinition } from './setting-definition.ts'

interface Unit {
  name: string
  /** In bytes, or in microseconds. */
  size: number
}

// From the largest down.
const memoryUnits: readonly Unit[] = [
  { name: 'TB', size: 1024 ** 4 },
  { name: 'GB', size: 1024 ** 3 },
  { name: 'MB', size: 1024 ** 2 },
  { name: 'kB', size: 1024 },
  { name: 'B', size: 1 },
]
const timeUnits: readonly Unit[] = [
  { name: 'd', size: 86_400_000_000 },
  { name: 'h', size: 3_600_000_000 },
  { name: 'min', size: 60_000_000 },
  { name: 's', size: 1_000_000 },
  { name: 'ms', size: 1000 },
  { name: 'us', size: 1 },
]
const memoryHint = 'Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".'
const timeHint = 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".'

const baseSizes: Record<string, number> = {
  B: 1,
  kB: 1024,
  '8kB': 8192,
  MB: 1024 ** 2,
  ms: 1000,
  s: 1_000_000,
  min: 60_000_000,
}

function unitsOf(unit: string): { units: readonly Unit[]; hint: string } {
  return ['ms', 's', 'min'].includes(unit)
    ? { units: timeUnits, hint: timeHint }
    : { units: memoryUnits, hint: memoryHint }
}

// To the nearest whole number; halves go to the even one.
function roundEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

// As printf's %g does: six digits, with an exponent when the number is very large or small.
function formatReal(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits, exponent] = value.toExponential(5).split('e') as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < 6) return String(Number(value.toPrecision(6)))
  const sign = power < 0 ? '-' : '+'
  return `${Number(digits)}e${sign}${String(Math.abs(power)).padStart(2, '0')}`
}

function refuse(name: string, value: string, hint?: string): never {
  throw new PgError('22023', `invalid value for parameter "${name}": "${value}"`, { hint })
}

// A beginning of the word that nothing else begins with is enough.
export function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase()
  if (lower === '') return undefined
  if (lower === '1' || 'true'.startsWith(lower) || 'yes'.startsWith(lower) || lower === 'on')
    return true
  if (lower === '0' || 'false'.startsWith(lower) || 'no'.startsWith(lower)) return false
  return lower === 'of' || lower === 'off' ? false : undefined
}

const numberPattern =
  /^[ \t\n\v\f\r]*([-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))[ \t\n\v\f\r]*(\S*)[ \t\n\v\f\r]*$/

// In the unit of the setting, not rounded. Hexadecimal and, of whole numbers, octal digits count as in C.
function parseNumber({ name, unit, vartype }: SettingDefinition, text: string): number {
  const match = numberPattern.exec(text)
  if (match === null) refuse(name, text)
  const [, digits, suffix] = match as unknown as [string, string, string]
  const sign = digits.startsWith('-') ? -1 : 1
  const plain = digits.replace(/^[-+]/, '')
  let value: number
  if (/^0[0-7]+$/.test(plain) && vartype === 'integer') value = Number.parseInt(plain, 8)
  else value = Number(plain)
  if (!Number.isFinite(value)) refuse(name, text)
  value *= sign
  if (suffix === '') return value
  if (unit === undefined) refuse(name, text)
  const { units, hint } = unitsOf(unit)
  const at = units.findIndex((each) => each.name === suffix)
  if (at < 0) refuse(name, text, hint)
  const base = baseSizes[unit] as number
  const converted = (value * (units[at] as Unit).size) / base
  // "30.1GB" is rounded to the next smaller unit.
  const next = units[at + 1]
  if (next === undefined) return converted
  const step = next.size / base
  return roundEven(converted / step) * step
}

function inRange(definition: SettingDefinition, value: number): number {
  const { name, min, max, unit, vartype } = definition
  if (value >= min && value <= max) return value
  const write = (number: number) =>
    `${vartype === 'real' ? formatReal(number) : number}${unit === undefined ? '' : ` ${unit}`}`
  throw new PgError(
    '22023',
    `${write(value)} is outside the valid range for parameter "${name}" (${write(min)} .. ${write(max)})`,
  )
}

// Spellings that PostgreSQL takes without showing them among the choices.
const hiddenChoices: Record<string, Record<string, string>> = {
  wal_level: { archive: 'replica', hot_standby: 'replica' },
  wal_compression: { on: 'pglz', true: 'pglz', yes: 'pglz', 1: 'pglz' },
}
const hiddenLevels: Record<string, string> = { debug: 'debug2' }
const hiddenSwitches: Record<string, string> = {
  true: 'on',
  yes: 'on',
  1: 'on',
  false: 'off',
  no: 'off',
  0: 'off',
}

function parseChoice({ name, choices }: SettingDefinition, text: string): string {
  const lower = text.toLowerCase()
  const hidden = hiddenChoices[name]?.[lower]
  if (hidden !== undefined) return hidden
  const chosen = choices.find((choice) => choice.toLowerCase() === lower)
  if (chosen !== undefined) return chosen
  const level = hiddenLevels[lower]
  if (level !== undefined && choices.includes('debug2')) return level
  const onOrOff = hiddenSwitches[lower]
  if (onOrOff !== undefined && choices.includes(onOrOff)) return onOrOff
  return refuse(name, text, `Available values: ${choices.join(', ')}.`)
}

/** The one spelling of a value. Throws 22023. */
export function parseSetting(definition: SettingDefinition, text: string): string {
  switch (definition.vartype) {
    case 'bool': {
      const value = parseBoolean(text)
      if (value === undefined)
        throw new PgError('22023', `parameter "${definition.name}" requires a Boolean value`)
      return value ? 'on' : 'off'
    }
    case 'integer': {
      const value = roundEven(parseNumber(definition, text))
      if (value > 2147483647 || value < -2147483648)
        refuse(definition.name, text, 'Value exceeds integer range.')
      return String(inRange(definition, value))
    }
    case 'real':
      return String(inRange(definition, parseNumber(definition, text)))
    case 'enum':
      return parseChoice(definition, text)
    case 'string':
      return text
  }
}

// Numbers that are shown in octal digits.
const modes = ['data_directory_mode', 'log_file_mode', 'unix_socket_permissions']

/** What pg_settings shows of a value that `parseSetting` gave. */
export function writtenSetting(definition: SettingDefinition, setting: string): string {
  if (modes.includes(definition.name)) return Number(setting).toString(8).padStart(4, '0')
  return definition.vartype === 'real' ? formatReal(Number(setting)) : setting
}

/** What SHOW does: with the largest unit in which the number is whole. */
export function showSetting(definition: SettingDefinition, setting: string): string {
  const { unit, vartype } = definition
  const written = writtenSetting(definition, setting)
  const value = Number(setting)
  if (unit === undefined || !(value > 0)) return written
  const base = baseSizes[unit] as number
  const { units } = unitsOf(unit)
  for (const { name, size } of units) {
    const number = (value * base) / size
    const whole =
      vartype === 'real'
        ? Math.abs(number - Math.round(number)) <= 1e-8 * number
        : Number.isInteger(number)
    if (whole)
      return vartype === 'real' ? `${formatReal(Math.round(number))}${name}` : `${number}${name}`
  }
  return `${written}${unit}`
}
