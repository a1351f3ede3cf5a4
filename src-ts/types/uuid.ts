// The type uuid: 16 bytes, most significant first.

import type { BuiltinType } from './builtin-types.ts'
import { hexText } from './byte-text.ts'
import { hexValue } from './character.ts'
import type { TypeCodec } from './codec.ts'
import { corrupted, invalidText, wrongKind } from './refusal.ts'

const UUID_BYTES = 16

function printUuid(raw: Uint8Array): string {
  if (raw.length !== UUID_BYTES) throw corrupted('uuid')
  const hex = hexText(raw)
  return `${hex.substring(0, 8)}-${hex.substring(8, 12)}-${hex.substring(12, 16)}-${hex.substring(16, 20)}-${hex.substring(20)}`
}

/** 32 hexadecimal digits; a hyphen may follow each group of four; braces may stand around. */
function parseUuid(text: string): Uint8Array {
  const bytes = new Uint8Array(UUID_BYTES)
  const braces = text.charCodeAt(0) === 123
  let at = braces ? 1 : 0
  for (let index = 0; index < UUID_BYTES; index++) {
    const high = hexValue(text.charCodeAt(at))
    const low = hexValue(text.charCodeAt(at + 1))
    if (high < 0 || low < 0) throw invalidText('uuid', text)
    bytes[index] = (high << 4) | low
    at += 2
    if (text.charCodeAt(at) === 45 && index % 2 === 1 && index < UUID_BYTES - 1) at++
  }
  if (braces && text.charCodeAt(at++) !== 125) throw invalidText('uuid', text)
  if (at !== text.length) throw invalidText('uuid', text)
  return bytes
}

export function uuidCodec(type: BuiltinType): TypeCodec<string, Uint8Array> {
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane: printUuid,
    toLane(value) {
      if (typeof value === 'string') return parseUuid(value)
      if (value instanceof Uint8Array && value.length === UUID_BYTES) return value
      throw wrongKind('uuid', value)
    },
    toText: printUuid,
    fromText: parseUuid,
  }
}
