// Type modifiers: what is written in parentheses after a type's name, and the integer that
// PostgreSQL keeps for it in atttypmod.

import { bit, Field } from './date-time-words.ts'
import { FULL_PRECISION, FULL_RANGE, intervalRanges } from './interval.ts'
import { numericModifier } from './numeric.ts'
import { refusal } from './refusal.ts'

const LENGTH_MAX = 10485760
const PRECISION_MAX = 1000
const SCALE_MAX = 1000
const FRACTION_DIGITS_MAX = 6

function invalidModifier(what: string) {
  return refusal('22023', what)
}

function lengthModifier(name: string, values: readonly number[]): number {
  const [length] = values
  if (values.length !== 1 || length === undefined) throw invalidModifier('invalid type modifier')
  if (length < 1) throw invalidModifier(`length for type ${name} must be at least 1`)
  if (length > LENGTH_MAX) {
    throw invalidModifier(`length for type ${name} cannot exceed ${LENGTH_MAX}`)
  }
  return length + 4
}

function numericTypmod(values: readonly number[]): number {
  const [precision, scale = 0] = values
  if (precision === undefined || values.length > 2) {
    throw invalidModifier('invalid NUMERIC type modifier')
  }
  if (precision < 1 || precision > PRECISION_MAX) {
    throw invalidModifier(`NUMERIC precision ${precision} must be between 1 and ${PRECISION_MAX}`)
  }
  if (Math.abs(scale) > SCALE_MAX) {
    throw invalidModifier(`NUMERIC scale ${scale} must be between ${-SCALE_MAX} and ${SCALE_MAX}`)
  }
  return ((precision << 16) | (scale & 0x7ff)) + 4
}

function fractionModifier(name: string, values: readonly number[]): number {
  const [digits] = values
  if (values.length !== 1 || digits === undefined) throw invalidModifier('invalid type modifier')
  if (digits < 0) throw invalidModifier(`${name}(${digits}) precision must not be negative`)
  return Math.min(digits, FRACTION_DIGITS_MAX)
}

/** The modifier of an interval from the bits of its units and its digits of a second, if given. */
export function intervalTypmod(range: number, digits: number | undefined): number {
  if (digits === undefined) {
    return range === FULL_RANGE ? -1 : (range << 16) | FULL_PRECISION
  }
  return (range << 16) | Math.min(digits, FRACTION_DIGITS_MAX)
}

/** The modifier of a type, by typname, from the numbers in its parentheses. Throws 22023, 42601. */
export function typmodOf(typeName: string, values: readonly number[]): number {
  switch (typeName) {
    case 'varchar':
      return lengthModifier('varchar', values)
    case 'bpchar':
      return lengthModifier('char', values)
    case 'numeric':
      return numericTypmod(values)
    case 'time':
      return fractionModifier('TIME', values)
    case 'timetz':
      return fractionModifier('TIME', values)
    case 'timestamp':
    case 'timestamptz':
      return fractionModifier('TIMESTAMP', values)
    default:
      throw refusal('42601', `type modifier is not allowed for type "${typeName}"`)
  }
}

const rangesByName = new Map<string, number>()
for (const [range, name] of intervalRanges) rangesByName.set(name, range)

/** The bits of 'day to second' and the like. */
export function intervalRangeNamed(name: string): number | undefined {
  return rangesByName.get(name)
}

/** True if an interval range ends in seconds, so that their digits can be limited. */
export function hasSeconds(range: number): boolean {
  return (range & bit(Field.SECOND)) !== 0
}

/** The modifier as it is written after the type's name; empty for none. */
export function printTypmod(typeName: string, typmod: number): string {
  if (typmod < 0) return ''
  switch (typeName) {
    case 'varchar':
    case 'bpchar':
      return typmod > 4 ? `(${typmod - 4})` : ''
    case 'numeric': {
      const modifier = numericModifier(typmod)
      return modifier === undefined ? '' : `(${modifier.precision},${modifier.scale})`
    }
    case 'time':
    case 'timestamp':
    case 'timetz':
    case 'timestamptz':
      return `(${typmod})`
    case 'interval': {
      const range = intervalRanges.get((typmod >> 16) & FULL_RANGE)
      const digits = typmod & FULL_PRECISION
      return (
        (range === undefined ? '' : ` ${range}`) + (digits === FULL_PRECISION ? '' : `(${digits})`)
      )
    }
    default:
      return `(${typmod})`
  }
}
