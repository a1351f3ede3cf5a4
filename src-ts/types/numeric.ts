// The type numeric: exact decimal text to and from PostgreSQL's base-10000 digits.
//
//   offset  size  field          meaning
//        0     2  n_header       top bits 10: short form. bit 13 sign, bits 7-12 display scale,
//                                bit 6 sign of weight, bits 0-5 weight. Digits follow.
//                                top bits 00 or 01: long form, positive or negative; bits 0-13
//                                display scale; then
//        2     2  n_weight       signed power of 10000 of the first digit. Digits follow.
//                                0xC000 NaN, 0xD000 Infinity, 0xF000 -Infinity: nothing follows.
//
// Digits are 16-bit, 0 to 9999, without zeros at either end. Little-endian; the offsets are those of
// the payload, after the varlena header. Source: src/backend/utils/adt/numeric.c, PostgreSQL 18.

import type { BuiltinType } from './builtin-types.ts'
import { readUint16, writeUint16 } from './byte-text.ts'
import { hexValue, isDigit, skipSpaces } from './character.ts'
import type { TypeCodec } from './codec.ts'
import { corrupted, invalidText, refusal, wrongKind } from './refusal.ts'

const DISPLAY_SCALE_MAX = 0x3fff
const WEIGHT_MAX = 0x7fff
const EXPONENT_MAX = 0x3fffffff
const HEADER_NAN = 0xc000
const HEADER_INFINITY = 0xd000
const HEADER_MINUS_INFINITY = 0xf000

/** Decimal digits of the number being read; grows as needed, and is never held across calls. */
let decimalDigits = new Uint8Array(1024)

function makeRoom(digits: number): void {
  if (digits > decimalDigits.length) decimalDigits = new Uint8Array(digits * 2)
}

export interface NumericModifier {
  readonly precision: number
  readonly scale: number
}

/** The precision and scale in a numeric type modifier; undefined when there is none. */
export function numericModifier(typmod: number): NumericModifier | undefined {
  if (typmod < 4) return undefined
  const bits = typmod - 4
  return { precision: bits >>> 16, scale: ((bits & 0x7ff) ^ 1024) - 1024 }
}

function overflow() {
  return refusal('22003', 'value overflows numeric format')
}

function special(header: number): Uint8Array {
  const bytes = new Uint8Array(2)
  writeUint16(bytes, 0, header)
  return bytes
}

/** numeric_in: the payload of a numeric datum from its text. */
export function encodeNumeric(text: string, modifier?: NumericModifier): Uint8Array {
  let at = skipSpaces(text, 0)
  const start = at
  const first = text.charCodeAt(at)
  const negative = first === 45
  if (negative || first === 43) at++
  const code = text.charCodeAt(at)
  if (!isDigit(code) && code !== 46) return encodeWord(text, start, at, negative, modifier)
  if (code === 48) {
    const letter = text.charCodeAt(at + 1) | 32
    const base = letter === 120 ? 16 : letter === 111 ? 8 : letter === 98 ? 2 : 10
    if (base !== 10) return encodeOtherBase(text, at + 2, base, negative, modifier)
  }
  return encodeDecimal(text, at, negative, modifier)
}

function encodeWord(
  text: string,
  start: number,
  afterSign: number,
  negative: boolean,
  modifier: NumericModifier | undefined,
): Uint8Array {
  let end: number
  let header: number
  if (text.substring(start, start + 3).toLowerCase() === 'nan') {
    header = HEADER_NAN
    end = start + 3
  } else {
    header = negative ? HEADER_MINUS_INFINITY : HEADER_INFINITY
    const word = text.substring(afterSign, afterSign + 8).toLowerCase()
    if (word === 'infinity') end = afterSign + 8
    else if (word.startsWith('inf')) end = afterSign + 3
    else throw invalidText('numeric', text)
  }
  if (skipSpaces(text, end) !== text.length) throw invalidText('numeric', text)
  if (modifier !== undefined && header !== HEADER_NAN) {
    throw refusal(
      '22003',
      'numeric field overflow',
      `A field with precision ${modifier.precision}, scale ${modifier.scale} cannot hold an infinite value.`,
    )
  }
  return special(header)
}

function encodeOtherBase(
  text: string,
  start: number,
  base: 2 | 8 | 16,
  negative: boolean,
  modifier: NumericModifier | undefined,
): Uint8Array {
  const isDigitOfBase = (code: number) => {
    const digit = hexValue(code)
    return digit >= 0 && digit < base
  }
  let at = start
  let digits = ''
  for (;;) {
    if (isDigitOfBase(text.charCodeAt(at))) {
      digits += text[at++]
    } else if (text.charCodeAt(at) === 95) {
      at++
      if (!isDigitOfBase(text.charCodeAt(at))) throw invalidText('numeric', text)
    } else {
      break
    }
  }
  if (digits === '') throw invalidText('numeric', text)
  const prefix = base === 16 ? '0x' : base === 8 ? '0o' : '0b'
  const decimal = BigInt(prefix + digits).toString()
  if (decimal.length > (WEIGHT_MAX + 1) * 4) throw overflow()
  if (skipSpaces(text, at) !== text.length) throw invalidText('numeric', text)
  return encodeDecimal(decimal, 0, negative, modifier)
}

function encodeDecimal(
  text: string,
  at: number,
  negative: boolean,
  modifier: NumericModifier | undefined,
): Uint8Array {
  makeRoom(text.length - at + 1)
  const digits = decimalDigits
  // Digit 0 is kept free, for a carry out of the first.
  let count = 1
  let weight = -1
  let scale = 0
  let seenPoint = false
  if (text.charCodeAt(at) === 46) {
    seenPoint = true
    at++
  }
  if (!isDigit(text.charCodeAt(at))) throw invalidText('numeric', text)
  for (;;) {
    const code = text.charCodeAt(at)
    if (code >= 48 && code <= 57) {
      digits[count++] = code - 48
      if (seenPoint) scale++
      else weight++
      at++
    } else if (code === 46) {
      if (seenPoint || text.charCodeAt(at + 1) === 95) throw invalidText('numeric', text)
      seenPoint = true
      at++
    } else if (code === 95) {
      at++
      if (!isDigit(text.charCodeAt(at))) throw invalidText('numeric', text)
    } else {
      break
    }
  }
  if ((text.charCodeAt(at) | 32) === 101) {
    at++
    const minus = text.charCodeAt(at) === 45
    if (minus || text.charCodeAt(at) === 43) at++
    if (!isDigit(text.charCodeAt(at))) throw invalidText('numeric', text)
    let exponent = 0
    for (;;) {
      const code = text.charCodeAt(at)
      if (code >= 48 && code <= 57) {
        exponent = exponent * 10 + code - 48
        if (exponent > EXPONENT_MAX) throw overflow()
        at++
      } else if (code === 95) {
        at++
        if (!isDigit(text.charCodeAt(at))) throw invalidText('numeric', text)
      } else {
        break
      }
    }
    if (minus) exponent = -exponent
    weight += exponent
    scale = Math.max(scale - exponent, 0)
  }
  if (at !== text.length && skipSpaces(text, at) !== text.length) throw invalidText('numeric', text)
  return pack(digits, 1, count, weight, scale, negative, modifier)
}

/**
 * Packs decimal digits [first, end), the first of weight 10^weight, rounding half away from zero to
 * the modifier's scale. digits[first - 1] must be free.
 */
function pack(
  digits: Uint8Array,
  first: number,
  end: number,
  weight: number,
  scale: number,
  negative: boolean,
  modifier: NumericModifier | undefined,
): Uint8Array {
  if (modifier !== undefined) {
    scale = Math.max(modifier.scale, 0)
    const kept = weight + modifier.scale + 1
    if (kept < 0) {
      end = first
    } else if (kept < end - first) {
      let carry = (digits[first + kept] as number) >= 5
      end = first + kept
      for (let at = end - 1; carry && at >= first; at--) {
        carry = digits[at] === 9
        digits[at] = carry ? 0 : (digits[at] as number) + 1
      }
      if (carry) {
        digits[--first] = 1
        weight++
      }
    }
  }

  while (first < end && digits[first] === 0) {
    first++
    weight--
  }
  while (end > first && digits[end - 1] === 0) end--
  if (modifier !== undefined && first < end) {
    const whole = modifier.precision - modifier.scale
    if (weight + 1 > whole) {
      const limit = whole === 0 ? '1' : `10^${whole}`
      throw refusal(
        '22003',
        'numeric field overflow',
        `A field with precision ${modifier.precision}, scale ${modifier.scale} must round to an absolute value less than ${limit}.`,
      )
    }
  }
  if (scale > DISPLAY_SCALE_MAX) throw overflow()
  if (first === end) {
    weight = 0
    negative = false
  }

  // The first base-10000 digit holds 1 to 4 decimal digits.
  const groupWeight = Math.floor(weight / 4)
  const groups = first === end ? 0 : Math.ceil((end - first + 3 - (weight - groupWeight * 4)) / 4)
  if (groupWeight > WEIGHT_MAX || groupWeight < -WEIGHT_MAX - 1) throw overflow()

  const isShort = scale <= 63 && groupWeight >= -64 && groupWeight <= 63
  const bytes = new Uint8Array((isShort ? 2 : 4) + groups * 2)
  let out: number
  if (isShort) {
    const sign = (negative ? 0x2000 : 0) | (groupWeight < 0 ? 0x40 : 0)
    writeUint16(bytes, 0, 0x8000 | sign | (scale << 7) | (groupWeight & 0x3f))
    out = 2
  } else {
    writeUint16(bytes, 0, (negative ? 0x4000 : 0) | scale)
    writeUint16(bytes, 2, groupWeight)
    out = 4
  }
  let at = first
  let missing = 3 - (weight - groupWeight * 4)
  for (let group = 0; group < groups; group++, out += 2) {
    let value = 0
    for (let place = missing; place < 4; place++) {
      value = value * 10 + (at < end ? (digits[at] as number) : 0)
      at++
    }
    missing = 0
    writeUint16(bytes, out, value)
  }
  return bytes
}

function fourDigits(group: number): string {
  if (group >= 1000) return `${group}`
  if (group >= 100) return `0${group}`
  return group >= 10 ? `00${group}` : `000${group}`
}

/** numeric_out: the text of the payload of a numeric datum at bytes[start, end). */
export function decodeNumeric(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start < 2) throw corrupted('numeric')
  const header = readUint16(bytes, start)
  let negative: boolean
  let scale: number
  let weight: number
  let at: number
  if ((header & 0xc000) === 0x8000) {
    negative = (header & 0x2000) !== 0
    scale = (header & 0x1f80) >> 7
    weight = ((header & 0x7f) ^ 0x40) - 0x40
    at = start + 2
  } else if ((header & 0xc000) === 0xc000) {
    if (header === HEADER_NAN) return 'NaN'
    if (header === HEADER_INFINITY) return 'Infinity'
    if (header === HEADER_MINUS_INFINITY) return '-Infinity'
    throw corrupted('numeric')
  } else {
    if (end - start < 4) throw corrupted('numeric')
    negative = (header & 0x4000) !== 0
    scale = header & DISPLAY_SCALE_MAX
    weight = (readUint16(bytes, start + 2) << 16) >> 16
    at = start + 4
  }
  if ((end - at) % 2 !== 0) throw corrupted('numeric')

  let text = negative ? '-' : ''
  if (weight < 0) {
    text += '0'
  } else {
    for (let place = weight; place >= 0; place--) {
      const group = at < end ? readUint16(bytes, at) : 0
      at += 2
      if (group > 9999) throw corrupted('numeric')
      text += place === weight ? `${group}` : fourDigits(group)
    }
  }
  if (scale === 0) return text

  let fraction = ''
  for (let place = -1; fraction.length < scale; place--) {
    let group = 0
    if (place <= weight) {
      group = at < end ? readUint16(bytes, at) : 0
      at += 2
      if (group > 9999) throw corrupted('numeric')
    }
    fraction += fourDigits(group)
  }
  return `${text}.${fraction.length > scale ? fraction.substring(0, scale) : fraction}`
}

/** In JavaScript a string with exactly the digits stored; numbers and bigints may be written. */
export function numericCodec(type: BuiltinType, typmod: number): TypeCodec<string, Uint8Array> {
  const modifier = numericModifier(typmod)
  const read = (raw: Uint8Array) => decodeNumeric(raw)
  const parse = (text: string) => encodeNumeric(text, modifier)
  return {
    ...type,
    typmod: modifier === undefined ? -1 : typmod,
    lane: 'bytes',
    isIdentity: false,
    fromLane: read,
    toLane(value) {
      if (typeof value === 'string') return parse(value)
      if (typeof value === 'number' || typeof value === 'bigint') return parse(String(value))
      throw wrongKind('numeric', value)
    },
    toText: read,
    fromText: parse,
  }
}
