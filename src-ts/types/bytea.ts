// The type bytea: hexadecimal output; hexadecimal and escape input.

import type { BuiltinType } from './builtin-types.ts'
import { hexText, utf8Bytes } from './byte-text.ts'
import { hexValue } from './character.ts'
import type { TypeCodec } from './codec.ts'
import { checkText, refusal, wrongKind } from './refusal.ts'

const BACKSLASH = 92

function parseHex(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'hex')
  if (bytes.length * 2 === text.length) return bytes
  return parseHexWithSpaces(text)
}

/** White space may stand between the two-digit groups. */
function parseHexWithSpaces(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1)
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 32 || code === 10 || code === 9 || code === 13) continue
    const high = hexValue(code)
    if (high < 0) throw badDigit(text, at)
    at++
    if (at >= text.length) {
      throw refusal('22023', 'invalid hexadecimal data: odd number of digits')
    }
    const low = hexValue(text.charCodeAt(at))
    if (low < 0) throw badDigit(text, at)
    bytes[length++] = (high << 4) | low
  }
  return bytes.subarray(0, length)
}

function badDigit(text: string, at: number) {
  const character = String.fromCodePoint(text.codePointAt(at) as number)
  return refusal('22023', `invalid hexadecimal digit: "${character}"`)
}

/** Escape form: \\ is a backslash, \ooo a byte in octal, all else its own UTF-8 bytes. */
function parseEscaped(text: string): Uint8Array {
  const bytes = utf8Bytes(text)
  let length = 0
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number
    if (byte !== BACKSLASH) {
      bytes[length++] = byte
      at++
      continue
    }
    if (bytes[at + 1] === BACKSLASH) {
      bytes[length++] = BACKSLASH
      at += 2
      continue
    }
    const high = (bytes[at + 1] ?? 0) - 48
    const middle = (bytes[at + 2] ?? 0) - 48
    const low = (bytes[at + 3] ?? 0) - 48
    if (high < 0 || high > 3 || middle < 0 || middle > 7 || low < 0 || low > 7) {
      throw refusal('22P02', 'invalid input syntax for type bytea')
    }
    bytes[length++] = (high << 6) | (middle << 3) | low
    at += 4
  }
  return bytes.subarray(0, length)
}

function parseBytea(text: string): Uint8Array {
  if (text.startsWith('\\x')) return parseHex(text.substring(2))
  return parseEscaped(checkText(text))
}

/** In JavaScript a Buffer, copied out of the batch; any view or ArrayBuffer may be written. */
export function byteaCodec(type: BuiltinType): TypeCodec<Buffer, Uint8Array> {
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane: (raw) => Buffer.from(raw),
    toLane(value) {
      if (value instanceof Uint8Array) return value
      if (typeof value === 'string') return parseBytea(value)
      if (value instanceof ArrayBuffer) return new Uint8Array(value)
      if (ArrayBuffer.isView(value)) {
        return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      }
      throw wrongKind('bytea', value)
    },
    toText: (raw) => `\\x${hexText(raw)}`,
    fromText: parseBytea,
  }
}
