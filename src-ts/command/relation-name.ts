// What a name of a relation means in a session: its temporary relations hide those of "public".
import type { NativeSession } from '../binding/native.ts'
import type { RelationCache } from '../relation/relation-cache.ts'
import { temporaryClaimOf } from '../relation/temporary-schema.ts'
import { defaultSchema, parseName, type QualifiedName } from './qualified-name.ts'

/** The alias of each session's own temporary schema. */
export const temporaryAlias = 'pg_temp'

/** The schema and name that are meant. Throws 42602, 42622. */
export function relationName(
  session: NativeSession,
  relations: RelationCache,
  text: string,
): QualifiedName {
  const { schema, name } = parseName(text)
  const temporary = temporaryClaimOf(session).schema
  if (temporary === undefined) return { schema: schema ?? defaultSchema, name }
  if (schema === temporaryAlias) return { schema: temporary.name, name }
  if (schema !== undefined) return { schema, name }
  const isTemporary = relations.lookUp(session, temporary.name, name) !== undefined
  return { schema: isTemporary ? temporary.name : defaultSchema, name }
}
