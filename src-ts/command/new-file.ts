// Giving relations new files, and writing indexes and heaps into them; the old files go at commit.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { IndexRebuildOutcome, NativeRebuild } from '../binding/native.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { PgError } from '../errors/pg-error.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { canceled } from '../transaction/transaction-queue.ts'
import { createFiles, dropFiles, updateClassRow, withDuplicateDetail } from './build-index.ts'
import type { CommandContext } from './command-context.ts'
import { newRelationOid } from './new-oid.ts'
import type { ClassRow } from './relation-rows.ts'

/** The number that native code knows a TOAST table's index by. */
export const toastIndex = -1

export function classRowOf(context: CommandContext, oid: number): ClassRow {
  const row = context.catalogs.findOne(context.session, pgClass, 'pg_class_oid_index', [oid])
  if (row === undefined)
    throw new PgError('XX001', `could not find pg_class entry for relation with OID ${oid}`)
  return row
}

/** The rows of a table's indexes. */
export function indexesOf(context: CommandContext, oid: number): ClassRow[] {
  return context.catalogs
    .find(context.session, pgIndex, 'pg_index_indrelid_index', [oid])
    .map(({ indexrelid }) => classRowOf(context, indexrelid))
}

/** Throws 0A000 where an index could not be built again; `doing` is what the table shall be. */
export function refuseUnusableIndexes(
  table: ClassRow,
  indexes: readonly { name: string; unusableBecause: string | undefined }[],
  doing: string,
): void {
  for (const { name, unusableBecause } of indexes) {
    if (unusableBecause === undefined) continue
    throw new PgError(
      '0A000',
      `cannot ${doing} "${table.relname}": its index "${name}" cannot be built`,
      { detail: `The reason is that ${unusableBecause}.`, table: table.relname },
    )
  }
}

/** A new, empty file for a relation that is no catalog, which then counts as never vacuumed. */
export function replaceFile(
  context: CommandContext,
  row: ClassRow,
  changes: Partial<ClassRow> = {},
): void {
  const relfilenode = newRelationOid(context, row.reltablespace)
  const renewed = {
    relfilenode,
    relpages: 0,
    reltuples: -1,
    relallvisible: 0,
    relallfrozen: 0,
    ...changes,
  }
  dropFiles(context, row)
  createFiles(context, [{ ...row, ...renewed }])
  updateClassRow(context, row.oid, renewed)
}

/** Does `work` with the table kept from the session's own reads and writes, which would find it half written. */
export async function whileRewriting<T>(
  context: CommandContext,
  oid: number,
  work: () => Promise<T>,
): Promise<T> {
  context.beingRewritten.add(oid)
  try {
    return await work()
  } finally {
    context.beingRewritten.delete(oid)
  }
}

/** Lets native work go on until it is done, and the event loop in between. Throws 57014 once the signal says so. */
export async function finished<T>(work: NativeRebuild<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    if (signal?.aborted) throw canceled(signal)
    const outcome = work.step()
    if (outcome !== null) return outcome
    await nextTurn()
  }
}

/**
 * Writes an index of the table, or of its TOAST table, into its new file. As `info` the table is opened with that.
 * Throws 23505 with the key.
 */
export async function rebuildIndex(
  context: CommandContext,
  info: RelationInfo,
  row: ClassRow,
  ofToast: boolean,
  signal?: AbortSignal,
): Promise<IndexRebuildOutcome> {
  const { access } = info
  const number = ofToast
    ? toastIndex
    : access.descriptor.indexes.findIndex(({ oid }) => oid === row.oid)
  if (number < 0 && !ofToast)
    throw new PgError('XX000', `index with OID ${row.oid} is not in the list of its table`)
  try {
    return await finished(context.session.rebuildIndex(access.native, number), signal)
  } catch (error) {
    throw ofToast ? error : withDuplicateDetail(context, access, number, error)
  }
}

/** What pg_class says of an index once it was rebuilt. */
export function rebuiltIndexColumns({ pages, liveRows }: IndexRebuildOutcome): Partial<ClassRow> {
  return { relpages: pages, reltuples: Math.fround(liveRows) }
}
