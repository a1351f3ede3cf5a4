// TRUNCATE: gives tables, their indexes and TOAST tables new, empty files; the old ones go at commit.
// Source: ExecuteTruncateGuts, src/backend/commands/tablecmds.c, PostgreSQL 18.
import { pgConstraint } from '../catalog/pg_constraint.ts'
import { PgError } from '../errors/pg-error.ts'
import { buildIndex, reopen } from './build-index.ts'
import type { CommandContext } from './command-context.ts'
import { currentDatabase } from './current-database.ts'
import { olderId } from './id-order.ts'
import { classRowOf, indexesOf, refuseUnusableIndexes, replaceFile } from './new-file.ts'
import type { ClassRow } from './relation-rows.ts'
import { openTable } from './table-name.ts'

/** Empties tables. Throws 42P01, 42809, 0A000 for a table that a foreign key of another one refers to. */
export function truncate(context: CommandContext, names: readonly string[]): void {
  const { session } = context
  const tables = new Map<number, ClassRow>()
  for (const name of names) {
    const { oid, relname } = openTable(context, name)
    context.lockExclusively(oid, relname)
    tables.set(oid, openTable(context, name))
  }
  refuseReferenced(context, tables)
  const xid = session.assignXid()
  const horizons = {
    relfrozenxid: olderId(xid, session.oldestXmin()),
    relminmxid: currentDatabase(context).datminmxid,
  }
  for (const table of tables.values()) truncateTable(context, table, horizons)
}

function refuseReferenced(context: CommandContext, tables: ReadonlyMap<number, ClassRow>): void {
  for (const constraint of context.catalogs.scan(context.session, pgConstraint)) {
    if (constraint.contype !== 'f' || tables.has(constraint.conrelid)) continue
    const referenced = tables.get(constraint.confrelid)
    if (referenced === undefined) continue
    throw new PgError('0A000', 'cannot truncate a table referenced in a foreign key constraint', {
      detail: `Constraint "${constraint.conname}" references "${referenced.relname}".`,
      table: referenced.relname,
      hint: 'Truncate the referring table at the same time.',
    })
  }
}

function truncateTable(
  context: CommandContext,
  table: ClassRow,
  horizons: Pick<ClassRow, 'relfrozenxid' | 'relminmxid'>,
): void {
  const { session } = context
  // Refuses an index that cannot be built, before anything is changed.
  const before = context.relations.openByOid(session, table.oid)
  refuseUnusableIndexes(table, before.indexes, 'truncate')
  session.removesAllRows(table.oid)
  session.countTruncated(before.access.native)
  const toast = table.reltoastrelid === 0 ? undefined : classRowOf(context, table.reltoastrelid)
  const toastIndexes = toast === undefined ? [] : indexesOf(context, toast.oid)
  const indexes = indexesOf(context, table.oid)
  replaceFile(context, table, horizons)
  if (toast !== undefined) replaceFile(context, toast, horizons)
  for (const index of [...toastIndexes, ...indexes]) replaceFile(context, index)
  session.advanceCommand()
  for (const { oid } of [table, ...indexes]) session.transferPredicateLocks(oid, table.oid)
  const info = reopen(context, table.oid)
  if (toast !== undefined) session.buildToastIndex(info.access.native)
  for (const index of indexes) buildIndex(context, info, index.oid)
}
