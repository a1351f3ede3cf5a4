// Rows of pg_class: finding one, and overwriting what it says of a relation's size and age.
import { pgClass } from '../catalog/pg_class.ts'
import { PgError } from '../errors/pg-error.ts'
import type { CommandContext } from './command-context.ts'
import type { ClassRow } from './relation-rows.ts'

export function findClassRow(context: CommandContext, oid: number): ClassRow | undefined {
  return context.catalogs.findOne(context.session, pgClass, 'pg_class_oid_index', [oid])
}

/** vac_update_relstats: in place, for everybody. Returns the row as it is then. */
export function overwriteClassRow(
  context: CommandContext,
  oid: number,
  change: (row: ClassRow) => Partial<ClassRow>,
): ClassRow {
  const { session, catalogs } = context
  const [located] = catalogs.locate(session, pgClass, 'pg_class_oid_index', [oid])
  if (located === undefined) throw new PgError('XX000', `cache lookup failed for relation ${oid}`)
  const changes = change(located.row)
  const isChanged = Object.entries(changes).some(
    ([name, value]) => located.row[name as keyof ClassRow] !== value,
  )
  if (isChanged) catalogs.updateInPlace(session, pgClass, located.tid, changes)
  return { ...located.row, ...changes }
}
