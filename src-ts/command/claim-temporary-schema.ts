// The schema for a session's temporary relations: made, or taken over from a session of the same number, at first use.
// Source: InitTempTableNamespace in src/backend/catalog/namespace.c, PostgreSQL 18.
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { type TemporarySchema, temporaryClaimOf } from '../relation/temporary-schema.ts'
import { bootstrapSuperuser, type CommandContext } from './command-context.ts'
import { namespaceAddress } from './dependency.ts'
import { dropContents } from './drop-object.ts'
import { newOid } from './new-oid.ts'

/** The session's, with what others left in it gone. Throws 53200, 0A000 when that cannot be dropped. */
export function claimTemporarySchema(context: CommandContext): TemporarySchema {
  const { session } = context
  const claim = temporaryClaimOf(session)
  if (claim.schema !== undefined) return claim.schema
  session.beginTemporaryRelations(context.temporaryBuffers())
  const number = session.number() - 1
  const name = `pg_temp_${number}`
  const { oid, isNew } = findOrMake(context, name)
  const schema = { oid, name, toastOid: findOrMake(context, `pg_toast_temp_${number}`).oid }
  claim.make(schema)
  if (!isNew) dropContents(context, namespaceAddress(oid))
  return schema
}

/** Drops all temporary relations of the session. */
export function dropTemporaryRelations(context: CommandContext): void {
  const { schema } = temporaryClaimOf(context.session)
  if (schema !== undefined) dropContents(context, namespaceAddress(schema.oid))
}

function findOrMake(context: CommandContext, nspname: string): { oid: number; isNew: boolean } {
  const { session, catalogs } = context
  const found = catalogs.findOne(session, pgNamespace, 'pg_namespace_nspname_index', [nspname])
  if (found !== undefined) return { oid: found.oid, isNew: false }
  const oid = newOid(context, pgNamespace, 'pg_namespace_oid_index')
  catalogs.insert(session, pgNamespace, [
    { oid, nspname, nspowner: bootstrapSuperuser, nspacl: null },
  ])
  session.advanceCommand()
  return { oid, isNew: true }
}
