// CREATE SCHEMA and DROP SCHEMA.
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { PgError } from '../errors/pg-error.ts'
import { bootstrapSuperuser, type CommandContext } from './command-context.ts'
import { namespaceAddress } from './dependency.ts'
import { type DropOptions, dropObject } from './drop-object.ts'
import { checkIdentifier } from './identifier.ts'
import { newOid } from './new-oid.ts'

export interface CreateSchemaOptions {
  ifNotExists?: boolean
}

/** Makes a schema. Throws 42P06, 42939. */
export function createSchema(
  context: CommandContext,
  name: string,
  options: CreateSchemaOptions,
): void {
  const { session, catalogs } = context
  checkIdentifier(name)
  if (name.startsWith('pg_')) {
    throw new PgError('42939', `unacceptable schema name "${name}"`, {
      detail: 'The prefix "pg_" is reserved for system schemas.',
    })
  }
  if (catalogs.findOne(session, pgNamespace, 'pg_namespace_nspname_index', [name]) !== undefined) {
    if (options.ifNotExists) return
    throw new PgError('42P06', `schema "${name}" already exists`, { schema: name })
  }
  const oid = newOid(context, pgNamespace, 'pg_namespace_oid_index')
  catalogs.insert(session, pgNamespace, [
    { oid, nspname: name, nspowner: bootstrapSuperuser, nspacl: null },
  ])
  session.advanceCommand()
}

/** Drops a schema; one that has objects only with `cascade`. Throws 3F000, 2BP01. */
export function dropSchema(context: CommandContext, name: string, options: DropOptions): void {
  const { session, catalogs } = context
  const row = catalogs.findOne(session, pgNamespace, 'pg_namespace_nspname_index', [name])
  if (row === undefined) {
    if (options.ifExists) return
    throw new PgError('3F000', `schema "${name}" does not exist`, { schema: name })
  }
  dropObject(context, namespaceAddress(row.oid), options.cascade ?? false)
}
