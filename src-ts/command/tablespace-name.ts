// Finding tablespaces by name.
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgTablespace } from '../catalog/pg_tablespace.ts'
import { PgError } from '../errors/pg-error.ts'
import { type CommandContext, globalTablespace } from './command-context.ts'

/** The row of a tablespace. Throws 42704. */
export function findTablespace(
  context: CommandContext,
  name: string,
): CatalogRow<typeof pgTablespace> {
  const row = context.catalogs.findOne(
    context.session,
    pgTablespace,
    'pg_tablespace_spcname_index',
    [name],
  )
  if (row === undefined) throw new PgError('42704', `tablespace "${name}" does not exist`)
  return row
}

/** reltablespace for a relation in the named tablespace: 0 for the database's own. Throws 42704, 22023. */
export function relationTablespace(context: CommandContext, name: string | undefined): number {
  if (name === undefined) return 0
  const { oid } = findTablespace(context, name)
  if (oid === globalTablespace) {
    throw new PgError('22023', 'only shared relations can be placed in pg_global tablespace')
  }
  return oid === context.catalogs.database.tablespace ? 0 : oid
}
