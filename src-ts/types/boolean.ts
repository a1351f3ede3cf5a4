// The type bool.

import type { BuiltinType } from './builtin-types.ts'
import { trimSpaces } from './character.ts'
import type { TypeCodec } from './codec.ts'
import { invalidText, wrongKind } from './refusal.ts'

/** Any unambiguous beginning of true, false, yes, no, on, off, in any case; 1; 0. */
function parseBoolean(text: string): number {
  if (text === 't' || text === 'true') return 1
  if (text === 'f' || text === 'false') return 0
  const word = trimSpaces(text).toLowerCase()
  if (word !== '') {
    if (word === '1' || word === 'on' || 'true'.startsWith(word) || 'yes'.startsWith(word)) return 1
    if (word === '0' || 'false'.startsWith(word) || 'no'.startsWith(word)) return 0
    if (word.length >= 2 && 'off'.startsWith(word)) return 0
  }
  throw invalidText('boolean', text)
}

export function booleanCodec(type: BuiltinType): TypeCodec<boolean, number> {
  return {
    ...type,
    typmod: -1,
    lane: 'bool',
    isIdentity: false,
    fromLane: (raw) => raw !== 0,
    toLane(value) {
      if (value === true) return 1
      if (value === false) return 0
      if (typeof value === 'string') return parseBoolean(value)
      throw wrongKind('boolean', value)
    },
    toText: (raw) => (raw !== 0 ? 't' : 'f'),
    fromText: parseBoolean,
  }
}
