// Names as users write them: `accounts`, `public.accounts`, `"My Schema"."t"`.
import { PgError } from '../errors/pg-error.ts'

// NAMEDATALEN less the terminating zero byte.
const nameBytesMax = 63
const part = /^(?:"((?:[^"]|"")+)"|([^".\s]+))(?:\.|$)/

export interface QualifiedName {
  schema: string
  name: string
}

/**
 * Splits a name into schema and relation; the schema is "public" where none is given. Unquoted parts are taken as
 * written (no folding to lower case). Throws 42602 for what is no name, 42622 for a part of more than 63 bytes.
 */
export function parseQualifiedName(text: string): QualifiedName {
  const parts: string[] = []
  let rest = text
  while (rest !== '') {
    const match = part.exec(rest)
    if (match === null) throw new PgError('42602', `invalid name syntax: "${text}"`)
    parts.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string))
    if (match[0].length === rest.length && rest.endsWith('.') && match[1] === undefined) {
      throw new PgError('42602', `invalid name syntax: "${text}"`)
    }
    rest = rest.slice(match[0].length)
  }
  const [first, second] = parts
  if (first === undefined || parts.length > 2)
    throw new PgError('42602', `invalid name syntax: "${text}"`)
  for (const name of parts) {
    if (Buffer.byteLength(name) > nameBytesMax) {
      throw new PgError('42622', `identifier "${name}" is longer than ${nameBytesMax} bytes`)
    }
  }
  return second === undefined ? { schema: 'public', name: first } : { schema: first, name: second }
}
