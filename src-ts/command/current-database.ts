// currentDatabase: the pg_database row of the session's database.
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgDatabase } from '../catalog/pg_database.ts'
import { PgError } from '../errors/pg-error.ts'
import type { CommandContext } from './command-context.ts'

export function currentDatabase(context: CommandContext): CatalogRow<typeof pgDatabase> {
  const { oid } = context.catalogs.database
  const row = context.catalogs.findOne(context.session, pgDatabase, 'pg_database_oid_index', [oid])
  if (row === undefined) throw new PgError('3D000', `database with OID ${oid} does not exist`)
  return row
}
