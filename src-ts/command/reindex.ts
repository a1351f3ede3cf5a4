// REINDEX: indexes built anew into new files.
//
// Source: ReindexIndex, ReindexTable in src/backend/commands/indexcmds.c, reindex_index in
// src/backend/catalog/index.c, PostgreSQL 18. Different: the table is locked as a whole, also against readers.
import { pgClass } from '../catalog/pg_class.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { PgError } from '../errors/pg-error.ts'
import { reopen } from './build-index.ts'
import { type CommandContext, firstNormalOid } from './command-context.ts'
import {
  classRowOf,
  indexesOf,
  rebuildIndex,
  refuseUnusableIndexes,
  replaceFile,
  whileRewriting,
} from './new-file.ts'
import { displayName, findRelation, openTable } from './table-name.ts'

/** What REINDEX builds anew: one of these. */
export type ReindexTarget =
  /** One index. */
  | { index: string }
  /** All indexes of a table and of its TOAST table. */
  | { table: string }
  /** All indexes of all tables of a schema. */
  | { schema: string }

export interface ReindexOptions {
  /** Aborting it rolls back with 57014 what is being built. */
  signal?: AbortSignal
}

/** A table whose indexes are to be built, or one of them. */
interface IndexesOfTable {
  table: number
  only?: number
}

/** What an index or a table stands for. Throws 42P01, 42704, 42809, 0A000. */
export function findIndexes(
  context: CommandContext,
  target: Exclude<ReindexTarget, { schema: string }>,
): IndexesOfTable {
  if ('table' in target) return { table: openTable(context, target.table).oid }
  const { row, name } = findRelation(context, target.index)
  if (row === undefined) throw new PgError('42704', `index "${displayName(name)}" does not exist`)
  if (row.relkind !== 'i') throw new PgError('42809', `"${row.relname}" is not an index`)
  if (row.oid < firstNormalOid) {
    throw new PgError('0A000', 'building indexes of system catalogs is not supported', {
      table: row.relname,
    })
  }
  const index = context.catalogs.findOne(context.session, pgIndex, 'pg_index_indexrelid_index', [
    row.oid,
  ])
  if (index === undefined) throw new PgError('XX000', `cache lookup failed for index ${row.oid}`)
  return { table: index.indrelid, only: row.oid }
}

/** The tables of a schema that have indexes which can be built. Throws 3F000. */
export function tablesOfSchema(context: CommandContext, schema: string): number[] {
  const { session, catalogs, relations } = context
  const namespace = relations.namespaceOid(session, schema)
  return [...catalogs.scan(session, pgClass)]
    .filter(
      ({ oid, relkind, relpersistence, relnamespace }) =>
        'rm'.includes(relkind) &&
        relpersistence !== 't' &&
        oid >= firstNormalOid &&
        relnamespace === namespace,
    )
    .map(({ oid }) => oid)
}

/**
 * Builds all indexes of a table and of its TOAST table, or one of the table's; resolves with their names. Returns once the
 * lock is there; waits for it as commands do. Throws 23505, 0A000.
 */
export function reindexTable(
  context: CommandContext,
  { table, only }: IndexesOfTable,
  { signal }: ReindexOptions,
): Promise<string[]> {
  const { relname } = classRowOf(context, table)
  context.lockExclusively(table, relname)
  context.relations.forget(table)
  return whileRewriting(context, table, () => rebuild(context, table, only, signal))
}

async function rebuild(
  context: CommandContext,
  oid: number,
  only: number | undefined,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { session } = context
  const table = classRowOf(context, oid)
  const isWanted = ({ oid: candidate }: { oid: number }) => only === undefined || candidate === only
  const { indexes: known } = context.relations.openByOid(session, oid)
  refuseUnusableIndexes(table, known.filter(isWanted), 'reindex')
  const indexes = indexesOf(context, oid).filter(isWanted)
  const toastIndexes =
    table.reltoastrelid === 0 || only !== undefined ? [] : indexesOf(context, table.reltoastrelid)
  for (const row of [...toastIndexes, ...indexes]) replaceFile(context, row)
  session.advanceCommand()
  for (const row of indexes) session.transferPredicateLocks(row.oid, oid)
  const info = reopen(context, oid)
  await session.logDurable()
  for (const row of toastIndexes) await rebuildIndex(context, info, row, true, signal)
  for (const row of indexes) await rebuildIndex(context, info, row, false, signal)
  return [...toastIndexes, ...indexes].map(({ relname }) => relname)
}
