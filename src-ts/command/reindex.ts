// REINDEX: indexes built anew into new files.
//
// Source: ReindexIndex, ReindexTable, ReindexMultipleTables in src/backend/commands/indexcmds.c, reindex_index in
// src/backend/catalog/index.c, PostgreSQL 18. Different: the table is locked as a whole, also against readers.
import { pgClass } from '../catalog/pg_class.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { PgError } from '../errors/pg-error.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { updateIndexRow } from './build-index.ts'
import type { CommandContext } from './command-context.ts'
import { lockForRewriting } from './lock-for-rewriting.ts'
import {
  classRowOf,
  indexesOf,
  rebuildIndex,
  rebuiltIndexColumns,
  refuseUnusableIndexes,
  whileRewriting,
} from './new-file.ts'
import { isCatalog, NewFiles } from './new-files.ts'
import type { ClassRow } from './relation-rows.ts'
import { displayName, findRelation, findTable } from './table-name.ts'

/** What REINDEX builds anew: one of these. */
export type ReindexTarget =
  /** One index. */
  | { index: string }
  /** All indexes of a table and of its TOAST table. */
  | { table: string }
  | ReindexedTables

/** Many tables, each with its TOAST table. */
export type ReindexedTables =
  /** Those of a schema. */
  | { schema: string }
  /** Those of the session's database, but for system catalogs. */
  | { database: true }
  /** The system catalogs, those that all databases share included. */
  | { system: true }

export interface ReindexOptions {
  /** Aborting it rolls back with 57014 what is being built. */
  signal?: AbortSignal
}

/** A table whose indexes are to be built, or one of them. */
interface IndexesOfTable {
  table: number
  only?: number
}

/** What an index or a table stands for. Throws 42P01, 42704, 42809. */
export function findIndexes(
  context: CommandContext,
  target: Exclude<ReindexTarget, ReindexedTables>,
): IndexesOfTable {
  if ('table' in target) return { table: findTable(context, target.table).oid }
  const { row, name } = findRelation(context, target.index)
  if (row === undefined) throw new PgError('42704', `index "${displayName(name)}" does not exist`)
  if (row.relkind !== 'i') throw new PgError('42809', `"${row.relname}" is not an index`)
  const index = context.catalogs.findOne(context.session, pgIndex, 'pg_index_indexrelid_index', [
    row.oid,
  ])
  if (index === undefined) throw new PgError('XX000', `cache lookup failed for index ${row.oid}`)
  return { table: index.indrelid, only: row.oid }
}

/** The tables that are meant, pg_class before all others. Throws 3F000. */
export function tablesToReindex(context: CommandContext, target: ReindexedTables): number[] {
  const { session, catalogs, relations } = context
  const namespace = 'schema' in target ? relations.namespaceOid(session, target.schema) : undefined
  const isMeant = ({ oid, relnamespace }: ClassRow) =>
    'schema' in target ? relnamespace === namespace : isCatalog(oid) === 'system' in target
  return [...catalogs.scan(session, pgClass)]
    .filter((row) => 'rm'.includes(row.relkind) && row.relpersistence !== 't' && isMeant(row))
    .map(({ oid }) => oid)
    .sort((a, b) => Number(b === pgClass.oid) - Number(a === pgClass.oid))
}

/**
 * Builds all indexes of a table and of its TOAST table, or one of the table's; resolves with their names. Returns once the
 * lock is there; waits for it as commands do. Throws 23505, 0A000.
 */
export function reindexTable(
  among: CommandContext,
  { table, only }: IndexesOfTable,
  { signal }: ReindexOptions,
): Promise<string[]> {
  const context = lockForRewriting(among, classRowOf(among, table))
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
  const before = context.relations.openByOid(session, oid)
  refuseUnusableIndexes(table, before.indexes.filter(isWanted), 'reindex')
  const indexes = indexesOf(context, oid).filter(isWanted)
  const toastIndexes =
    table.reltoastrelid === 0 || only !== undefined ? [] : indexesOf(context, table.reltoastrelid)
  const files = new NewFiles(context, [...toastIndexes, ...indexes])
  await session.logDurable()
  await rebuildIndexes(
    context,
    files.open(before),
    files,
    { toastIndexes, indexes },
    new Map(),
    signal,
  )
  return [...toastIndexes, ...indexes].map(({ relname }) => relname)
}

/**
 * Builds indexes of a table that is opened with new files, and installs the files; `changes` are those of the pg_class rows
 * of what else they are of.
 */
export async function rebuildIndexes(
  context: CommandContext,
  info: RelationInfo,
  files: NewFiles,
  { toastIndexes, indexes }: { toastIndexes: readonly ClassRow[]; indexes: readonly ClassRow[] },
  changes: Map<number, Partial<ClassRow>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { session, relations } = context
  const unbroken: number[] = []
  for (const [rows, ofToast] of [
    [toastIndexes, true],
    [indexes, false],
  ] as const) {
    for (const row of rows) {
      const built = await rebuildIndex(context, info, row, ofToast, signal)
      changes.set(row.oid, rebuiltIndexColumns(built))
      if (!built.hasBrokenChains) unbroken.push(row.oid)
    }
  }
  files.install(changes)
  // Who has a snapshot from before may not use an index where chains are broken; else everybody may again.
  for (const oid of unbroken) updateIndexRow(context, oid, { indcheckxmin: false })
  if (!isCatalog(info.oid)) {
    if (changes.has(info.oid)) session.transferPredicateLocks(info.oid, info.oid)
    for (const { oid } of indexes) session.transferPredicateLocks(oid, info.oid)
  }
  session.advanceCommand()
  relations.forget(info.oid)
}
