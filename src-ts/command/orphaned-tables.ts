// Temporary tables whose sessions have ended with their process, or could not drop them.
// Source: checkTempNamespaceStatus in src/backend/catalog/namespace.c, PostgreSQL 18.
import { pgNamespace } from '../catalog/pg_namespace.ts'
import type { CommandContext } from './command-context.ts'
import type { ClassRow } from './relation-rows.ts'

export interface OrphanedTable {
  oid: number
  schema: string
  name: string
}

/**
 * Those of the temporary tables that no session of the number that their schema names can have made. Unlike stock's, an idle
 * session of that number keeps those of the one before it until it ends, or makes one itself.
 */
export function orphanedTables(
  { session, catalogs, cluster }: CommandContext,
  tables: readonly ClassRow[],
): OrphanedTable[] {
  if (tables.length === 0) return []
  // Asked for after the tables were found: a session that is not there now has not made any of them.
  const living = new Set(
    cluster
      .activity()
      .filter(
        ({ database, backendType }) =>
          database === catalogs.database.oid && backendType === 'client backend',
      )
      .map((activity) => activity.session),
  )
  return tables.flatMap(({ oid, relname, relnamespace }) => {
    const key = [relnamespace]
    const row = catalogs.findOne(session, pgNamespace, 'pg_namespace_oid_index', key)
    const number = /^pg_temp_(\d+)$/.exec(row?.nspname ?? '')?.[1]
    if (row === undefined || number === undefined || living.has(Number(number) + 1)) return []
    return [{ oid, schema: row.nspname, name: relname }]
  })
}
