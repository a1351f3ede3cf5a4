// The integer types: int2, int4, int8, and the unsigned oid, xid, cid and xid8.

import type { BuiltinType } from './builtin-types.ts'
import { hexValue, isDigit, isSpace, skipSpaces } from './character.ts'
import type { CodecOptions, TypeCodec } from './codec.ts'
import { type Int64, int64Codec, int64Of } from './int64.ts'
import { invalidText, refusal, valueOutOfRange, wrongKind } from './refusal.ts'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const UINT64_MAX = 2n ** 64n - 1n

/**
 * Reads a signed integer: decimal, or hexadecimal, octal or binary with a 0x, 0o or 0b prefix;
 * underscores between digits; white space around. Out of range is reported as soon as it is seen,
 * even when rubbish follows, as PostgreSQL does.
 */
function parseSigned(text: string, bits: 16 | 32 | 64, typeName: string): Int64 {
  const length = text.length
  // Nearly always: an optional minus and up to 15 digits, which a number holds exactly.
  if (length > 0 && length <= 15) {
    let at = text.charCodeAt(0) === 45 ? 1 : 0
    let value = 0
    const first = at
    for (; at < length; at++) {
      const digit = text.charCodeAt(at) - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (at === length && at > first) {
      if (first === 1) value = 0 - value
      if (bits !== 64) {
        const limit = bits === 16 ? 32768 : 2147483648
        if (value >= limit || value < -limit) throw valueOutOfRange(typeName, text)
      }
      return value
    }
  }
  return parseSignedSlowly(text, bits, typeName)
}

function parseSignedSlowly(text: string, bits: 16 | 32 | 64, typeName: string): Int64 {
  let at = skipSpaces(text, 0)
  const negative = text.charCodeAt(at) === 45
  if (negative || text.charCodeAt(at) === 43) at++

  let base = 10
  if (text.charCodeAt(at) === 48) {
    const letter = text.charCodeAt(at + 1) | 32
    if (letter === 120) base = 16
    else if (letter === 111) base = 8
    else if (letter === 98) base = 2
    if (base !== 10) at += 2
  }
  const isDigitOfBase = (code: number) => {
    const digit = hexValue(code)
    return digit >= 0 && digit < base
  }

  const limit = 1n << BigInt(bits - 1)
  const early = limit / BigInt(base)
  const firstDigit = at
  let value = 0n
  for (;;) {
    const code = text.charCodeAt(at)
    if (isDigitOfBase(code)) {
      if (value > early) throw valueOutOfRange(typeName, text)
      value = value * BigInt(base) + BigInt(hexValue(code))
      at++
    } else if (code === 95) {
      if (base === 10 && at === firstDigit) throw invalidText(typeName, text)
      at++
      if (!isDigitOfBase(text.charCodeAt(at))) throw invalidText(typeName, text)
    } else {
      break
    }
  }
  if (at === firstDigit) throw invalidText(typeName, text)
  if (skipSpaces(text, at) !== text.length) throw invalidText(typeName, text)
  if (negative) value = -value
  if (value >= limit || value < -limit) throw valueOutOfRange(typeName, text)
  return int64Of(value)
}

/**
 * What the C library's strtoul reads with base 0 or 10, cut off at 64 bits: white space, a sign that
 * wraps, 0x and 0 prefixes for base 0. Undefined where it reads nothing.
 */
export function readUnsigned(
  text: string,
  at: number,
  base: 0 | 10,
): { value: bigint; end: number; overflow: boolean } | undefined {
  at = skipSpaces(text, at)
  const negative = text.charCodeAt(at) === 45
  if (negative || text.charCodeAt(at) === 43) at++
  let radix = 10
  if (base === 0 && text.charCodeAt(at) === 48) {
    const digit = hexValue(text.charCodeAt(at + 2))
    if ((text.charCodeAt(at + 1) | 32) === 120 && digit >= 0) {
      radix = 16
      at += 2
    } else {
      radix = 8
    }
  }
  const start = at
  let value = 0n
  let overflow = false
  for (;;) {
    const digit = hexValue(text.charCodeAt(at))
    if (digit < 0 || digit >= radix) break
    if (!overflow) value = value * BigInt(radix) + BigInt(digit)
    if (value > UINT64_MAX) overflow = true
    at++
  }
  if (at === start) return undefined
  if (overflow) return { value: UINT64_MAX, end: at, overflow }
  return { value: negative ? BigInt.asUintN(64, -value) : value, end: at, overflow }
}

function parseUint64(text: string, typeName: string): bigint {
  const read = readUnsigned(text, 0, 0)
  if (read === undefined) throw invalidText(typeName, text)
  if (read.overflow) throw valueOutOfRange(typeName, text)
  if (skipSpaces(text, read.end) !== text.length) throw invalidText(typeName, text)
  return read.value
}

/** An unsigned 32-bit integer as oidin and xidin read it: also octal, hexadecimal and -1. */
export function parseUint32(text: string, typeName: string): number {
  const length = text.length
  if (length > 0 && length <= 9 && (length === 1 || text.charCodeAt(0) !== 48)) {
    let value = 0
    let at = 0
    for (; at < length && isDigit(text.charCodeAt(at)); at++) {
      value = value * 10 + text.charCodeAt(at) - 48
    }
    if (at === length) return value
  }
  const wide = parseUint64(text, typeName)
  if (wide <= 0xffffffffn) return Number(wide)
  if (wide >= 0xffffffff80000000n) return Number(BigInt.asUintN(32, wide))
  throw valueOutOfRange(typeName, text)
}

function writeInteger(
  value: unknown,
  min: number,
  max: number,
  typeName: string,
  parse: (text: string) => number,
): number {
  if (typeof value === 'number') {
    if (value >= min && value <= max && Number.isInteger(value)) return value + 0
    if (Number.isFinite(value) && !Number.isInteger(value)) throw invalidText(typeName, `${value}`)
    throw valueOutOfRange(typeName, `${value}`)
  }
  if (typeof value === 'string') return parse(value)
  if (typeof value === 'bigint') {
    if (value < BigInt(min) || value > BigInt(max)) throw valueOutOfRange(typeName, `${value}`)
    return Number(value)
  }
  throw wrongKind(typeName, value)
}

export function int2Codec(type: BuiltinType): TypeCodec<number, number> {
  const parse = (text: string) => parseSigned(text, 16, 'smallint') as number
  return {
    ...type,
    typmod: -1,
    lane: 'int16',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane: (value) => writeInteger(value, -32768, 32767, 'smallint', parse),
    toText: (raw) => `${raw}`,
    fromText: parse,
  }
}

export function int4Codec(type: BuiltinType): TypeCodec<number, number> {
  const parse = (text: string) => parseSigned(text, 32, 'integer') as number
  return {
    ...type,
    typmod: -1,
    lane: 'int32',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane: (value) => writeInteger(value, -2147483648, 2147483647, 'integer', parse),
    toText: (raw) => `${raw}`,
    fromText: parse,
  }
}

/** oid, xid and cid: unsigned, 32 bits. */
export function uint32Codec(type: BuiltinType): TypeCodec<number, number> {
  const parse = (text: string) => parseUint32(text, type.name)
  return {
    ...type,
    typmod: -1,
    lane: 'uint32',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane: (value) => writeInteger(value, 0, 4294967295, type.name, parse),
    toText: (raw) => `${raw}`,
    fromText: parse,
  }
}

function readInt8AsNumber(value: Int64): number {
  if (typeof value === 'number') return value
  throw refusal(
    '22003',
    `value "${value}" is out of range for a JavaScript number`,
    undefined,
    'Read int8 as bigint or string, with the option int8.',
  )
}

function writeInt64(value: unknown, typeName: string, parse: (text: string) => Int64): Int64 {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value + 0
    if (Number.isInteger(value)) {
      throw refusal(
        '22003',
        `value "${value}" is out of range for a JavaScript number`,
        undefined,
        'Give integers beyond 2^53 as bigint or string.',
      )
    }
    if (Number.isFinite(value)) throw invalidText(typeName, `${value}`)
    throw valueOutOfRange(typeName, `${value}`)
  }
  if (typeof value === 'bigint') {
    if (value < INT64_MIN || value > INT64_MAX) throw valueOutOfRange(typeName, `${value}`)
    return int64Of(value)
  }
  if (typeof value === 'string') return parse(value)
  throw wrongKind(typeName, value)
}

export function int8Codec(type: BuiltinType, options: CodecOptions): TypeCodec<unknown, bigint> {
  const mode = options.int8 ?? 'number'
  const parse = (text: string) => parseSigned(text, 64, 'bigint')
  const read: (value: Int64) => unknown =
    mode === 'number' ? readInt8AsNumber : mode === 'bigint' ? BigInt : (value) => `${value}`
  return int64Codec(type, -1, {
    read,
    write: (value) => writeInt64(value, 'bigint', parse),
    print: (value) => `${value}`,
    parse,
    ...(mode === 'number' && { exact: mode }),
  })
}

/** xid8: unsigned, 64 bits; in JavaScript it follows the int8 option. */
export function xid8Codec(type: BuiltinType, options: CodecOptions): TypeCodec<unknown, bigint> {
  const mode = options.int8 ?? 'number'
  const unsigned = (value: Int64) => int64Of(BigInt.asUintN(64, BigInt(value)))
  const signed = (value: bigint) => int64Of(BigInt.asIntN(64, value))
  const parse = (text: string) => signed(parseUint64(text, 'xid8'))
  return int64Codec<unknown>(type, -1, {
    read(value) {
      const whole = unsigned(value)
      if (mode === 'number') return readInt8AsNumber(whole)
      return mode === 'bigint' ? BigInt(whole) : `${whole}`
    },
    write(value) {
      if (typeof value === 'string') return parse(value)
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
      if (typeof value === 'bigint' && value >= 0n && value <= UINT64_MAX) return signed(value)
      if (typeof value === 'number' || typeof value === 'bigint') {
        throw valueOutOfRange('xid8', `${value}`)
      }
      throw wrongKind('xid8', value)
    },
    print: (value) => `${unsigned(value)}`,
    parse,
  })
}

/** True for text that is only decimal digits, which the reg* types take as an OID. */
export function isAllDigits(text: string): boolean {
  if (text === '') return false
  for (let at = 0; at < text.length; at++) {
    if (!isDigit(text.charCodeAt(at))) return false
  }
  return true
}

/** A 32-bit signed decimal as C's strtol reads it from `at`, for array bounds. */
export function readSigned(text: string, at: number): { value: number; end: number } | undefined {
  const start = at
  const negative = text.charCodeAt(at) === 45
  if (negative || text.charCodeAt(at) === 43) at++
  if (isSpace(text.charCodeAt(at)) || !isDigit(text.charCodeAt(at))) return undefined
  let value = 0
  while (isDigit(text.charCodeAt(at))) value = value * 10 + text.charCodeAt(at++) - 48
  return { value: negative ? -value : value, end: at > start ? at : start }
}
