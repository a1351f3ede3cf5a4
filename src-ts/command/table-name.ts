// Finding the tables and indexes that commands are about, and refusing those that cannot be changed.
import { quoteIdentifier } from '../access/quote-identifier.ts'
import { PgError } from '../errors/pg-error.ts'
import { type CommandContext, firstNormalOid } from './command-context.ts'
import type { QualifiedName } from './qualified-name.ts'
import { relationName } from './relation-name.ts'
import type { ClassRow } from './relation-rows.ts'

/** How messages name a relation: without the schema where a search for the name would find it. */
export function displayName({ schema, name }: QualifiedName): string {
  return schema === 'public' ? name : `${schema}.${name}`
}

/** The same as SQL would have to write it. */
export function sqlName({ schema, name }: QualifiedName): string {
  return schema === 'public'
    ? quoteIdentifier(name)
    : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** The relation of that name, or undefined; also undefined when there is no such schema. */
export function findRelation(
  context: CommandContext,
  text: string,
): { row: ClassRow | undefined; name: QualifiedName } {
  const name = relationName(context.session, context.relations, text)
  try {
    return { name, row: context.relations.lookUp(context.session, name.schema, name.name) }
  } catch (error) {
    if (error instanceof PgError && error.code === '3F000') return { name, row: undefined }
    throw error
  }
}

/** Throws 42501 for a system catalog or its index. */
export function refuseSystemRelation(row: ClassRow): void {
  if (row.oid < firstNormalOid) {
    throw new PgError('42501', `permission denied: "${row.relname}" is a system catalog`, {
      table: row.relname,
    })
  }
}

/** An ordinary table that may be changed. Throws 42P01, 42809, 42501. */
export function openTable(context: CommandContext, text: string): ClassRow {
  const row = findTable(context, text)
  refuseSystemRelation(row)
  return row
}

/** An ordinary table or a system catalog. Throws 42P01, 42809. */
export function findTable(context: CommandContext, text: string): ClassRow {
  const { row, name } = findRelation(context, text)
  if (row === undefined) {
    throw new PgError('42P01', `relation "${displayName(name)}" does not exist`, {
      schema: name.schema,
      table: name.name,
    })
  }
  if (row.relkind !== 'r') {
    throw new PgError('42809', `"${row.relname}" is not a table`, {
      schema: name.schema,
      table: row.relname,
    })
  }
  return row
}
