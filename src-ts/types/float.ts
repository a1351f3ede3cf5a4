// float4 and float8: the shortest text that reads back as the same value, laid out as PostgreSQL
// lays it out (extra_float_digits = 1), and correctly rounded input.
//
// PostgreSQL's shortest digits lie strictly between the midpoints to the neighbouring values, where
// JavaScript's may be a midpoint itself (which rounds to even). The difference shows only where a
// midpoint has few digits.

import type { BuiltinType } from './builtin-types.ts'
import { hexValue, isDigit, skipSpaces } from './character.ts'
import type { TypeCodec } from './codec.ts'
import { invalidText, refusal, wrongKind } from './refusal.ts'

const floatBits = new Uint32Array(1)
const floatView = new Float32Array(floatBits.buffer)
const doubleView = new DataView(new ArrayBuffer(8))

/** '1.5e+21' or '1e-7', as toExponential writes it, with PostgreSQL's two-digit exponent. */
function withTwoDigitExponent(text: string): string {
  const at = text.indexOf('e') + 2
  return text.length - at === 1 ? `${text.substring(0, at)}0${text.substring(at)}` : text
}

/** A finite double as mantissa * 2^exponent, exactly. */
function dissect(value: number): { mantissa: bigint; exponent: number } {
  doubleView.setFloat64(0, value)
  const bits = doubleView.getBigUint64(0) & 0x7fffffffffffffffn
  const biased = Number(bits >> 52n)
  const fraction = bits & 0xfffffffffffffn
  if (biased === 0) return { mantissa: fraction, exponent: -1074 }
  return { mantissa: fraction | 0x10000000000000n, exponent: biased - 1075 }
}

/** Compares digits * 10^exponent with a positive finite double, exactly. */
function compareDecimal(digits: bigint, exponent10: number, value: number): number {
  const { mantissa, exponent } = dissect(value)
  let left = digits
  let right = mantissa
  if (exponent10 >= 0) left *= 10n ** BigInt(exponent10)
  else right *= 10n ** BigInt(-exponent10)
  if (exponent >= 0) right <<= BigInt(exponent)
  else left <<= BigInt(-exponent)
  return left < right ? -1 : left > right ? 1 : 0
}

/** The digits of a decimal literal as an integer and a power of ten. */
function decimalParts(literal: string): { digits: bigint; exponent: number } {
  const e = literal.search(/[eE]/)
  const mantissa = e < 0 ? literal : literal.substring(0, e)
  const exponent = e < 0 ? 0 : Number(literal.substring(e + 1))
  const point = mantissa.indexOf('.')
  if (point < 0) return { digits: BigInt(mantissa), exponent }
  const fraction = mantissa.substring(point + 1)
  return {
    digits: BigInt(mantissa.substring(0, point) + fraction || '0'),
    exponent: exponent - fraction.length,
  }
}

/** From 2^53 to here a midpoint between doubles may have 17 digits or fewer. */
const DOUBLE_MIDPOINT_MAX = 2 ** 110

/** A whole number as toExponential would write it, with all its digits. */
function exponential(value: bigint): string {
  const all = value.toString()
  const digits = all.replace(/0+$/, '')
  const point = digits.length > 1 ? `.${digits.substring(1)}` : ''
  return `${digits.charAt(0)}${point}e+${all.length - 1}`
}

/** The shortest decimal strictly inside the rounding interval of a double that is a whole number. */
function shortestInside(value: number): string {
  const { mantissa, exponent } = dissect(value)
  const exact = mantissa << BigInt(exponent)
  // In quarters of a unit: half the distance to each neighbour, which is less below a power of two.
  const gap = 1n << BigInt(exponent)
  const low = exact * 4n - (mantissa === 0x10000000000000n ? gap : gap * 2n)
  const high = exact * 4n + gap * 2n
  const length = exact.toString().length
  for (let precision = 1; precision < 17; precision++) {
    const unit = 10n ** BigInt(length - precision)
    const down = exact / unit
    const rest = exact - down * unit
    const twice = rest * 2n
    const nearest = twice > unit || (twice === unit && down % 2n === 1n) ? down + 1n : down
    for (const digits of [nearest, nearest === down ? down + 1n : down]) {
      const candidate = digits * unit * 4n
      if (candidate > low && candidate < high) return exponential(digits * unit)
    }
  }
  return value.toExponential(16)
}

function isWithinMidpoints(text: string, value: number): boolean {
  const { mantissa, exponent } = dissect(value)
  const { digits, exponent: exponent10 } = decimalParts(text)
  if (exponent10 < 0) return true
  const decimal = digits * 10n ** BigInt(exponent10) * 4n
  const exact = (mantissa << BigInt(exponent)) * 4n
  const gap = 1n << BigInt(exponent)
  const low = mantissa === 0x10000000000000n ? gap : gap * 2n
  return decimal > exact - low && decimal < exact + gap * 2n
}

/** float8out. */
export function printFloat8(value: number): string {
  const size = Math.abs(value)
  if (size < 1e15 && size >= 1e-4) return `${value}`
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  if (size === Number.POSITIVE_INFINITY) return value > 0 ? 'Infinity' : '-Infinity'
  if (Number.isNaN(value)) return 'NaN'
  let text = size.toExponential()
  if (size >= 2 ** 53 && size < DOUBLE_MIDPOINT_MAX && !isWithinMidpoints(text, size)) {
    text = shortestInside(size)
  }
  return (value < 0 ? '-' : '') + withTwoDigitExponent(text)
}

function floatAfter(value: number, step: 1 | -1): number {
  floatView[0] = value
  floatBits[0] = (floatBits[0] as number) + step
  return floatView[0] as number
}

const FLOAT4_NORMAL_MIN = 2 ** -126

/** float4out; the value must be exact as a float4. */
export function printFloat4(value: number): string {
  const size = Math.abs(value)
  if (size < 1e6 && Number.isInteger(value)) return Object.is(value, -0) ? '-0' : `${value}`
  if (size === Number.POSITIVE_INFINITY) return value > 0 ? 'Infinity' : '-Infinity'
  if (Number.isNaN(value)) return 'NaN'

  const below = floatAfter(size, -1)
  const above = floatAfter(size, 1)
  const low = (size + below) / 2
  const high = above === Number.POSITIVE_INFINITY ? size + (size - low) : (size + above) / 2
  floatView[0] = size
  const isPowerOfTwo = ((floatBits[0] as number) & 0x7fffff) === 0

  // Of six digits and fewer at most one decimal lies in the interval of a normal value, so the
  // nearest of six is the shortest too.
  let decimal = size
  const fewest = size < FLOAT4_NORMAL_MIN ? 1 : 6
  for (let precision = fewest; precision <= 9; precision++) {
    const text = size.toExponential(precision - 1)
    if (precision === 9 || isStrictlyBetween(text, low, high)) {
      decimal = Number(evenOfTie(text, size))
      break
    }
    if (isPowerOfTwo) {
      // The interval reaches further up than down: the next decimal up may lie in it.
      const { digits, exponent } = decimalParts(text)
      const next = `${digits + 1n}e${exponent}`
      if (isStrictlyBetween(next, low, high)) {
        decimal = Number(next)
        break
      }
    }
  }
  const sign = value < 0 ? '-' : ''
  if (decimal >= 1e-4 && decimal < 1e6) return `${sign}${decimal}`
  return sign + withTwoDigitExponent(decimal.toExponential())
}

/** toExponential rounds a tie up; PostgreSQL rounds it to the even digit. */
function evenOfTie(decimal: string, size: number): string {
  const point = decimal.indexOf('.')
  const e = decimal.indexOf('e')
  const unit = 10 ** (Number(decimal.substring(e + 1)) - (point < 0 ? 0 : e - point - 1))
  // Nearly always the distance is not even close to half a unit.
  if (Math.abs(Math.abs(Number(decimal) - size) * 2 - unit) > unit * 1e-3) return decimal
  const { digits, exponent } = decimalParts(decimal)
  if (digits % 2n === 0n) return decimal
  if (compareDecimal(digits * 2n - 1n, exponent, size * 2) !== 0) return decimal
  return `${digits - 1n}e${exponent}`
}

function isStrictlyBetween(decimal: string, low: number, high: number): boolean {
  const near = Number(decimal)
  if (near < low || near > high) return false
  if (near > low && near < high) return true
  const { digits, exponent } = decimalParts(decimal)
  const bound = near === low ? low : high
  const order = compareDecimal(digits, exponent, bound)
  return bound === low ? order > 0 : order < 0
}

/** Where a decimal literal that starts at `at` ends; -1 if none starts there. */
function endOfDecimal(text: string, at: number): number {
  const start = at
  while (isDigit(text.charCodeAt(at))) at++
  let digits = at - start
  if (text.charCodeAt(at) === 46) {
    const point = at++
    while (isDigit(text.charCodeAt(at))) at++
    digits += at - point - 1
  }
  if (digits === 0) return -1
  if ((text.charCodeAt(at) | 32) === 101) {
    let exponent = at + 1
    const sign = text.charCodeAt(exponent)
    if (sign === 43 || sign === 45) exponent++
    if (isDigit(text.charCodeAt(exponent))) {
      at = exponent
      while (isDigit(text.charCodeAt(at))) at++
    }
  }
  return at
}

export interface NumberRead {
  /** The value without its sign, as a double. */
  size: number
  negative: boolean
  /** Where the number ends. */
  end: number
  /** The decimal literal without its sign, for exact comparison; absent for words. */
  literal?: string
  /** A hexadecimal whose digits beyond a double's left a one in the last place. */
  sticky?: number
  start: number
}

/** What C's strtod reads from `at`: decimals, hexadecimals, infinity, nan. */
export function readFloat(text: string, at: number): NumberRead | undefined {
  at = skipSpaces(text, at)
  const start = at
  const negative = text.charCodeAt(at) === 45
  if (negative || text.charCodeAt(at) === 43) at++
  if (text.charCodeAt(at) === 48 && (text.charCodeAt(at + 1) | 32) === 120) {
    const hexadecimal = readHexadecimal(text, at + 2)
    if (hexadecimal !== undefined) return { ...hexadecimal, negative, start }
  }
  const end = endOfDecimal(text, at)
  if (end >= 0) {
    const literal = text.substring(at, end)
    return { size: Number(literal), negative, end, literal, start }
  }
  const word = text.substring(at, at + 8).toLowerCase()
  if (word === 'infinity') return { size: Number.POSITIVE_INFINITY, negative, end: at + 8, start }
  if (word.startsWith('inf'))
    return { size: Number.POSITIVE_INFINITY, negative, end: at + 3, start }
  if (word.startsWith('nan')) {
    const payload = /^\([0-9A-Za-z_]*\)/.exec(text.substring(at + 3))
    return { size: Number.NaN, negative, end: at + 3 + (payload?.[0].length ?? 0), start }
  }
  return undefined
}

/** The rest of a C99 hexadecimal constant, rounded to a double. */
function readHexadecimal(
  text: string,
  at: number,
): { size: number; sticky: number; end: number } | undefined {
  let mantissa = 0n
  let exponent = 0
  let count = 0
  let seenPoint = false
  for (; ; at++) {
    const code = text.charCodeAt(at)
    if (code === 46 && !seenPoint) {
      seenPoint = true
      continue
    }
    const digit = hexValue(code)
    if (digit < 0) break
    mantissa = mantissa * 16n + BigInt(digit)
    if (seenPoint) exponent -= 4
    count++
  }
  if (count === 0) return undefined
  if ((text.charCodeAt(at) | 32) === 112) {
    const power = /^[+-]?[0-9]+/.exec(text.substring(at + 1, at + 16))
    if (power !== null) {
      exponent += Number(power[0])
      at += 1 + power[0].length
    }
  }
  return {
    size: scale(withSticky(mantissa, 64), exponent, mantissa),
    sticky: scale(withSticky(mantissa, 53), exponent, mantissa),
    end: at,
  }
}

/** The leading bits of a number, the last of them set if any bit after them was. */
function withSticky(mantissa: bigint, bitsMax: number): bigint {
  const drop = mantissa.toString(2).length - bitsMax
  if (drop <= 0) return mantissa
  const kept = mantissa >> BigInt(drop)
  return kept << BigInt(drop) === mantissa ? kept : kept | 1n
}

/** kept * 2^exponent, times what was cut from `mantissa` to make `kept`; rounded once. */
function scale(kept: bigint, exponent: number, mantissa: bigint): number {
  let left = exponent + mantissa.toString(2).length - kept.toString(2).length
  // In steps, because 2^left alone may be out of range where the product is not.
  let size = Number(kept)
  while (left !== 0 && size !== 0 && Number.isFinite(size)) {
    const step = Math.max(-512, Math.min(512, left))
    size *= 2 ** step
    left -= step
  }
  return size
}

/** True if a decimal literal has a digit other than zero before its exponent. */
function isNonzeroLiteral(literal: string): boolean {
  for (let at = 0; at < literal.length; at++) {
    const code = literal.charCodeAt(at)
    if (code >= 49 && code <= 57) return true
    if ((code | 32) === 101) return false
  }
  return false
}

/** True if a number that was read, rounded to `size`, went beyond the type or vanished. */
export function isOutOfRange(read: NumberRead, size: number): boolean {
  if (read.literal === undefined) return false
  return size === Number.POSITIVE_INFINITY || (size === 0 && isNonzeroLiteral(read.literal))
}

function parseWith(text: string, typeName: string, narrow: (read: NumberRead) => number): number {
  const read = readFloat(text, 0)
  if (read === undefined) throw invalidText(typeName, text)
  const size = narrow(read)
  if (isOutOfRange(read, size)) {
    const number = text.substring(read.start, read.end)
    throw refusal('22003', `"${number}" is out of range for type ${typeName}`)
  }
  if (skipSpaces(text, read.end) !== text.length) throw invalidText(typeName, text)
  return read.negative ? -size : size
}

const FLOAT8_NAME = 'double precision'
const FLOAT4_NAME = 'real'

function parseFloat8(text: string): number {
  return parseWith(text, FLOAT8_NAME, (read) => read.size)
}

/** A decimal rounded once, to float4: through a double it would be rounded twice. */
function narrowToFloat4(read: NumberRead): number {
  const { size, literal } = read
  const near = Math.fround(read.sticky ?? size)
  if (near === size || literal === undefined) return near
  if (size >= 2 ** 129 || size < 2 ** -151) return near
  const isUp = near > size
  const other = floatAfter(near, isUp ? -1 : 1)
  const nearForMiddle = near === Number.POSITIVE_INFINITY ? 2 ** 128 : near
  const otherForMiddle = other === Number.POSITIVE_INFINITY ? 2 ** 128 : other
  if ((nearForMiddle + otherForMiddle) / 2 !== size) return near
  const { digits, exponent } = decimalParts(literal)
  const order = compareDecimal(digits, exponent, size)
  if (order === 0) return near
  return order > 0 === isUp ? near : other
}

function parseFloat4(text: string): number {
  return parseWith(text, FLOAT4_NAME, narrowToFloat4)
}

function numberOf(value: unknown, typeName: string): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  throw wrongKind(typeName, value)
}

export function float8Codec(type: BuiltinType): TypeCodec<number, number> {
  return {
    ...type,
    typmod: -1,
    lane: 'float64',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane: (value) =>
      typeof value === 'string' ? parseFloat8(value) : numberOf(value, FLOAT8_NAME),
    toText: printFloat8,
    fromText: parseFloat8,
  }
}

/** In JavaScript a float4 is the double that equals it, so 0.1 reads as 0.10000000149011612. */
export function float4Codec(type: BuiltinType): TypeCodec<number, number> {
  return {
    ...type,
    typmod: -1,
    lane: 'float32',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane(value) {
      if (typeof value === 'string') return parseFloat4(value)
      const wide = numberOf(value, FLOAT4_NAME)
      const narrow = Math.fround(wide)
      if (Math.abs(narrow) === Number.POSITIVE_INFINITY && Number.isFinite(wide)) {
        throw refusal('22003', 'value out of range: overflow')
      }
      if (narrow === 0 && wide !== 0) throw refusal('22003', 'value out of range: underflow')
      return narrow
    },
    toText: printFloat4,
    fromText: parseFloat4,
  }
}
