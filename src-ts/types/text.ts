// The types whose lane is text: text, varchar, bpchar, name and the like; plus the one-byte "char".

import type { BuiltinType } from './builtin-types.ts'
import { utf8Bytes, utf8Length, utf8Text } from './byte-text.ts'
import type { TypeCodec } from './codec.ts'
import { checkText, refusal, wrongKind } from './refusal.ts'

/** Bytes of a name, its terminating NUL not counted (NAMEDATALEN - 1). */
const NAME_BYTES_MAX = 63

/** What may be given for a text column: a string, or a scalar whose spelling is not in doubt. */
export function textOf(value: unknown, typeName: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    return String(value)
  }
  throw wrongKind(typeName, value)
}

/** The UTF-16 offset where character `count` (from 0) begins, or -1 if there are not that many. */
function offsetOfCharacter(text: string, count: number): number {
  let at = 0
  for (; count > 0 && at < text.length; count--) {
    const code = text.charCodeAt(at)
    at += code >= 0xd800 && code <= 0xdbff ? 2 : 1
  }
  return count === 0 ? at : -1
}

function characterCount(text: string): number {
  let count = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 0xd800 && code <= 0xdbff) count--
  }
  return count
}

/** Cuts text to `limit` characters if only spaces are lost, else raises 22001. */
function cutSpaces(text: string, limit: number, typeName: string): string {
  if (text.length <= limit) return text
  const cut = offsetOfCharacter(text, limit)
  if (cut < 0 || cut >= text.length) return text
  for (let at = cut; at < text.length; at++) {
    if (text.charCodeAt(at) !== 32) {
      throw refusal('22001', `value too long for type ${typeName}(${limit})`)
    }
  }
  return text.substring(0, cut)
}

function textCodecOf(
  type: BuiltinType,
  typmod: number,
  parse: (text: string) => string,
): TypeCodec<string, string> {
  return {
    ...type,
    typmod,
    lane: 'text',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane: (value) => parse(typeof value === 'string' ? value : textOf(value, type.name)),
    toText: (raw) => raw,
    fromText: parse,
  }
}

/** text, and the types that are stored and printed alike: pg_node_tree, refcursor, unknown, cstring. */
export function textCodec(type: BuiltinType): TypeCodec<string, string> {
  return textCodecOf(type, -1, checkText)
}

/** pg_node_tree: read like text; no input function accepts one. */
export function nodeTreeCodec(type: BuiltinType): TypeCodec<string, string> {
  return {
    ...textCodecOf(type, -1, () => {
      throw refusal('0A000', `cannot accept a value of type ${type.name}`)
    }),
    toLane: (value) => checkText(textOf(value, type.name)),
  }
}

/** character varying; the modifier is the limit in characters plus 4. */
export function varcharCodec(type: BuiltinType, typmod: number): TypeCodec<string, string> {
  if (typmod < 4) return textCodecOf(type, -1, checkText)
  const limit = typmod - 4
  return textCodecOf(type, typmod, (text) => cutSpaces(checkText(text), limit, 'character varying'))
}

/** character(n): padded with spaces to n characters. */
export function bpcharCodec(type: BuiltinType, typmod: number): TypeCodec<string, string> {
  if (typmod < 4) return textCodecOf(type, -1, checkText)
  const limit = typmod - 4
  return textCodecOf(type, typmod, (text) => {
    const cut = cutSpaces(checkText(text), limit, 'character')
    const missing = limit - characterCount(cut)
    return missing > 0 ? cut + ' '.repeat(missing) : cut
  })
}

/** Cuts a name to 63 bytes without splitting a character, as PostgreSQL does silently. */
export function clipName(text: string): string {
  if (text.length * 3 <= NAME_BYTES_MAX || utf8Length(text) <= NAME_BYTES_MAX) return text
  const bytes = utf8Bytes(text)
  let end = NAME_BYTES_MAX
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return utf8Text(bytes, 0, end)
}

export function nameCodec(type: BuiltinType): TypeCodec<string, string> {
  return textCodecOf(type, -1, (text) => clipName(checkText(text)))
}

function printChar(raw: number): string {
  const code = raw & 0xff
  if (code === 0) return ''
  if (code < 128) return String.fromCharCode(code)
  return `\\${code.toString(8).padStart(3, '0')}`
}

/** The first byte of the text, or a byte written as a backslash and three octal digits. */
function parseChar(text: string): number {
  checkText(text)
  if (text === '') return 0
  if (/^\\[0-7]{3}$/.test(text)) return (Number.parseInt(text.substring(1), 8) << 24) >> 24
  return ((utf8Bytes(text.substring(0, 2))[0] as number) << 24) >> 24
}

/** "char": one signed byte, a string of one character or a four-character octal escape. */
export function charCodec(type: BuiltinType): TypeCodec<string, number> {
  return {
    ...type,
    typmod: -1,
    lane: 'char',
    isIdentity: false,
    fromLane: printChar,
    toLane: (value) => parseChar(textOf(value, '"char"')),
    toText: printChar,
    fromText: parseChar,
  }
}
