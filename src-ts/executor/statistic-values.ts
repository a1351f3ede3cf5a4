// Values of statistics on a scale: which come first, and how far between two others one lies.
//
// Source: convert_to_scalar and convert_string_to_scalar in src/backend/utils/adt/selfuncs.c, PostgreSQL 18.
import { PgTimestamp, type TypeCodec } from '../types/index.ts'

/** A number, or bytes as a string of characters up to 255. */
export type Scalar = number | string

// 2000-01-01.
const epochMs = 946_684_800_000
const timeTypes: readonly string[] = ['date', 'timestamp', 'timestamptz']

function bytesText(value: Uint8Array | string): string {
  return Buffer.from(value as string).toString('latin1')
}

/** Undefined for types without a scale. */
export function scalarOf({ name }: TypeCodec, value: unknown): Scalar | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value)
  if (value instanceof PgTimestamp) return Number(value.instant)
  if (value instanceof Date) return (value.getTime() - epochMs) * 1000
  if (value instanceof Uint8Array) return bytesText(value)
  if (typeof value !== 'string') return undefined
  const number = name === 'numeric' ? Number(value) : undefined
  const time = timeTypes.includes(name) ? (Date.parse(value) - epochMs) * 1000 : undefined
  const found = number ?? time
  if (found === undefined) return bytesText(value)
  return Number.isNaN(found) ? undefined : found
}

// What is left of texts after so many characters carries no weight.
const charactersWeighed = 12
const alphabets = ['AZ', 'az', '09'] as const

function alphabetOf(low: string, high: string): [number, number] {
  const codes = [...low, ...high].map((character) => character.charCodeAt(0))
  let [from, to] = [Math.min(...codes), Math.max(...codes)]
  for (const alphabet of alphabets) {
    const [first, last] = [alphabet.charCodeAt(0), alphabet.charCodeAt(1)]
    if (from <= last && to >= first) {
      from = Math.min(from, first)
      to = Math.max(to, last)
    }
  }
  return to - from < 9 ? [32, 127] : [from, to]
}

function textFraction(value: string, low: string, high: string): number {
  if (low === '' && high === '') return Number.NaN
  const [from, to] = alphabetOf(low, high)
  let common = 0
  while (
    common < Math.min(low.length, high.length, value.length) &&
    low[common] === high[common] &&
    low[common] === value[common]
  )
    common++
  const base = to - from + 1
  const weight = (text: string) => {
    let sum = 0
    let unit = base
    for (let i = common; i < Math.min(text.length, common + charactersWeighed); i++) {
      const code = Math.min(Math.max(text.charCodeAt(i), from - 1), to + 1)
      sum += (code - from) / unit
      unit *= base
    }
    return sum
  }
  const [start, end] = [weight(low), weight(high)]
  return end <= start ? 0.5 : (weight(value) - start) / (end - start)
}

/** How far between `low` and `high` a value lies, from 0 to 1. */
export function fractionBetween(
  value: Scalar | undefined,
  low: Scalar | undefined,
  high: Scalar | undefined,
): number {
  let fraction = Number.NaN
  if (typeof value === 'string' && typeof low === 'string' && typeof high === 'string') {
    fraction = textFraction(value, low, high)
  } else if (typeof value === 'number' && typeof low === 'number' && typeof high === 'number') {
    if (high <= low) fraction = 0.5
    else if (value <= low) fraction = 0
    else if (value >= high) fraction = 1
    else fraction = (value - low) / (high - low)
  }
  return fraction >= 0 && fraction <= 1 ? fraction : 0.5
}
