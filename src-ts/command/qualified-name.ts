// parseQualifiedName: names as users write them: `accounts`, `public.accounts`, `"My Schema"."t"`.
import { PgError } from '../errors/pg-error.ts'
import { checkIdentifier } from './identifier.ts'

export interface QualifiedName {
  schema: string
  name: string
}

export const defaultSchema = 'public'
// One part, in quotes or not.
const part = /"((?:[^"]|"")+)"|[^".\s]+/y

/** As parseName; the schema is "public" where none is given. */
export function parseQualifiedName(text: string): QualifiedName {
  const { schema = defaultSchema, name } = parseName(text)
  return { schema, name }
}

/**
 * Splits a name into schema, if one is given, and relation. Unquoted parts are taken as written (no folding to lower case).
 * Throws 42602 for what is no name, 42622 for a part of more than 63 bytes.
 */
export function parseName(text: string): { schema: string | undefined; name: string } {
  const invalid = () => new PgError('42602', `invalid name syntax: "${text}"`)
  const parts: string[] = []
  let at = 0
  for (;;) {
    part.lastIndex = at
    const match = part.exec(text)
    if (match === null) throw invalid()
    parts.push(checkIdentifier(match[1]?.replaceAll('""', '"') ?? match[0]))
    at += match[0].length
    if (at === text.length) break
    if (text[at] !== '.') throw invalid()
    at++
  }
  const [first, second] = parts as [string, string | undefined]
  if (parts.length > 2) throw invalid()
  return second === undefined ? { schema: undefined, name: first } : { schema: first, name: second }
}
