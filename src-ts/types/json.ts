// The type json: its text as it was given, checked to be JSON.

import type { BuiltinType } from './builtin-types.ts'
import type { CodecOptions, TypeCodec } from './codec.ts'
import { parseJson } from './json-parser.ts'
import { checkText, wrongKind } from './refusal.ts'

/** JSON.parse agrees with PostgreSQL on what JSON is; ours tells what is wrong. */
export function checkJson(text: string): string {
  checkText(text)
  try {
    JSON.parse(text)
  } catch {
    parseJson(text)
  }
  return text
}

/** The JSON text of a JavaScript value, as JSON.stringify makes it. */
export function stringifyJson(value: unknown, typeName: string): string {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw wrongKind(typeName, value)
  return text
}

export function jsonCodec(type: BuiltinType, options: CodecOptions): TypeCodec<unknown, string> {
  const isText = options.json === 'text'
  return {
    ...type,
    typmod: -1,
    lane: 'text',
    isIdentity: isText,
    fromLane: isText ? (raw) => raw : (raw) => JSON.parse(raw),
    toLane(value) {
      if (!isText) return stringifyJson(value, 'json')
      if (typeof value === 'string') return checkJson(value)
      throw wrongKind('json', value)
    },
    toText: (raw) => raw,
    fromText: checkJson,
  }
}
