// lockForRewriting: what a command must have before it gives a table, or its indexes, new files.
import { PgError } from '../errors/pg-error.ts'
import type { CommandContext } from './command-context.ts'
import { isCatalog } from './new-files.ts'
import type { ClassRow } from './relation-rows.ts'

/**
 * Keeps everybody else away from a table that is to have a new file; what goes on is then to be done with the context that
 * this returns.
 */
export function lockForRewriting(context: CommandContext, table: ClassRow): CommandContext {
  const { oid, relname, relisshared } = table
  if (!isCatalog(oid)) {
    context.lockCatalogs('to change rows')
    context.lockExclusively(oid, relname)
    return context
  }
  // Other processes read catalogs without a lock, and would not find the new file.
  if (!context.stayAlone()) {
    throw new PgError(
      '55006',
      `cannot write system catalog "${relname}" anew while other processes have the cluster open`,
    )
  }
  // In the order of vacuum, which holds the catalog's lock while it changes rows of others.
  context.lockExclusively(oid, relname)
  context.lockCatalogs(relisshared ? 'to replace a shared one' : 'to replace one')
  return context.withOwnCatalogs()
}
