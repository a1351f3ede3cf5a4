// Making the files of relations, and building indexes from what a table holds.

import { withKeyDetail } from '../access/key-detail.ts'
import type { RelationAccess } from '../access/relation-access.ts'
import type { Locator, NativeRebuild, Persistence } from '../binding/native.ts'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { PgError } from '../errors/pg-error.ts'
import { type RelationInfo, refuseTemporary } from '../relation/relation-cache.ts'
import type { CommandContext } from './command-context.ts'
import type { ClassRow } from './relation-rows.ts'

/** Where a relation has its file. */
export function locatorOf(context: CommandContext, row: ClassRow): Locator {
  const { catalogs } = context
  const { database } = catalogs
  return {
    spcOid: row.reltablespace === 0 ? database.tablespace : row.reltablespace,
    dbOid: row.relisshared ? 0 : database.oid,
    relNumber: isMapped(row)
      ? catalogs.mappedFileNumber(row.oid, row.relisshared)
      : row.relfilenode,
  }
}

/** Is it the relation map that knows its file? */
export function isMapped(row: ClassRow): boolean {
  return row.relfilenode === 0
}

/**
 * Makes empty files, which go if the transaction does; of an unlogged relation also what it begins as after a crash. Throws
 * 0A000 for temporary relations of other sessions.
 */
export function createFiles(context: CommandContext, relations: readonly ClassRow[]): void {
  for (const row of relations) {
    refuseTemporary(context.session, row)
    context.session.createStorage(locatorOf(context, row), row.relpersistence as Persistence)
  }
}

/** Removes the relation's files when the transaction commits. */
export function dropFiles(context: CommandContext, row: ClassRow): void {
  context.session.dropStorageAtCommit(locatorOf(context, row), row.relpersistence as Persistence)
}

/** The relation as it is now in the catalogs. */
export function reopen(context: CommandContext, oid: number): RelationInfo {
  context.relations.forget(oid)
  return context.relations.openByOid(context.session, oid)
}

/** Builds one index of the table from its rows; returns how many those are. Throws 23505 with the key, 0A000. */
export function buildIndex(context: CommandContext, table: RelationInfo, indexOid: number): number {
  const { access } = table
  const number = access.descriptor.indexes.findIndex(({ oid }) => oid === indexOid)
  if (number < 0)
    throw new PgError('XX000', `index with OID ${indexOid} is not in the list of its table`)
  try {
    const built = finishedAtOnce(context.session.rebuildIndex(access.native, number))
    // Not for snapshots that are older than this transaction.
    if (built.hasBrokenChains) updateIndexRow(context, indexOid, { indcheckxmin: true })
    return built.liveRows
  } catch (error) {
    throw withDuplicateDetail(context, access, number, error)
  }
}

/** Lets native work go on until it is done. */
export function finishedAtOnce<T>(work: NativeRebuild<T>): T {
  for (;;) {
    const outcome = work.step()
    if (outcome !== null) return outcome
  }
}

/** Replaces columns of an index's pg_index row, where they are others. */
export function updateIndexRow(
  context: CommandContext,
  oid: number,
  changes: Partial<CatalogRow<typeof pgIndex>>,
): void {
  const { session, catalogs } = context
  const [located] = catalogs.locate(session, pgIndex, 'pg_index_indexrelid_index', [oid])
  if (located === undefined) throw new PgError('XX000', `cache lookup failed for index ${oid}`)
  const isChanged = Object.entries(changes).some(
    ([name, value]) => located.row[name as keyof CatalogRow<typeof pgIndex>] !== value,
  )
  if (isChanged) catalogs.update(session, pgIndex, located.tid, changes)
}

/** Adds the key to a unique violation: native code knows the address of a row that has it. */
export function withDuplicateDetail(
  context: CommandContext,
  access: RelationAccess,
  index: number,
  error: unknown,
): unknown {
  if (!(error instanceof PgError) || error.code !== '23505') return error
  const [block, offset] = context.session.insertedTids()
  for (const { row, tid } of access.scanWithTids<Record<string, unknown>>(context.session)) {
    if (tid.block === block && tid.offset === offset) {
      return withKeyDetail(error, access, index, row, 'is duplicated.')
    }
  }
  return error
}

/** Replaces columns of a relation's pg_class row. */
export function updateClassRow(
  context: CommandContext,
  oid: number,
  changes: Partial<ClassRow>,
): void {
  const { session, catalogs } = context
  const [located] = catalogs.locate(session, pgClass, 'pg_class_oid_index', [oid])
  if (located === undefined) throw new PgError('XX000', `cache lookup failed for relation ${oid}`)
  catalogs.update(session, pgClass, located.tid, changes)
}
