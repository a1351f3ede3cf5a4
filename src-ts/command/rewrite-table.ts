// VACUUM FULL, CLUSTER: a table written anew into a new file, without its dead rows; its indexes and TOAST table with it.
//
// All in one transaction that keeps everybody else away; between steps the event loop goes on.
// Source: src/backend/commands/cluster.c, PostgreSQL 18.
import { pgIndex } from '../catalog/pg_index.ts'
import { PgError } from '../errors/pg-error.ts'
import { blocksOf } from '../relation/main-fork.ts'
import { updateIndexRow } from './build-index.ts'
import type { CommandContext } from './command-context.ts'
import { lockForRewriting } from './lock-for-rewriting.ts'
import {
  classRowOf,
  finished,
  indexesOf,
  refuseUnusableIndexes,
  whileRewriting,
} from './new-file.ts'
import { NewFiles } from './new-files.ts'
import { rebuildIndexes } from './reindex.ts'
import type { ClassRow } from './relation-rows.ts'
import { findTable } from './table-name.ts'
import type { VacuumReport } from './vacuum.ts'

export interface ClusterOptions {
  /** Aborting it rolls the command back with 57014. */
  signal?: AbortSignal
}

const noOrder = -1

/** Writes a table anew. Returns once the locks are there; waits for them as commands do. */
export function vacuumFull(
  context: CommandContext,
  oid: number,
  signal: AbortSignal | undefined,
): Promise<VacuumReport> {
  const own = lockForRewriting(context, classRowOf(context, oid))
  const table = reopenRow(own, oid)
  return whileRewriting(own, oid, () => rewriteTable(own, table, noOrder, signal))
}

/**
 * The same in the order of an index, which the table is from then on known to be clustered by; without one, of that by
 * which it is already. Throws 42P01, 42704, 42809, 0A000.
 */
export function cluster(
  among: CommandContext,
  name: string,
  index: string | undefined,
  { signal }: ClusterOptions,
): Promise<VacuumReport> {
  const found = findTable(among, name)
  const { oid, relname } = found
  if (found.relisshared) throw new PgError('0A000', 'cannot cluster a shared catalog')
  const context = lockForRewriting(among, found)
  const table = reopenRow(context, oid)
  const { indexes } = context.relations.openByOid(context.session, oid)
  const clustered = context.catalogs
    .find(context.session, pgIndex, 'pg_index_indrelid_index', [oid])
    .find(({ indisclustered }) => indisclustered)?.indexrelid
  const order = indexes.findIndex((candidate) =>
    index === undefined ? candidate.oid === clustered : candidate.name === index,
  )
  if (order < 0) {
    throw new PgError(
      '42704',
      index === undefined
        ? `there is no previously clustered index for table "${relname}"`
        : `index "${index}" for table "${relname}" does not exist`,
      { table: relname },
    )
  }
  for (const { oid: candidate } of indexes)
    updateIndexRow(context, candidate, { indisclustered: candidate === indexes[order]?.oid })
  return whileRewriting(context, oid, () => rewriteTable(context, table, order, signal))
}

// Once the lock is there, the row is what it will be until the transaction ends.
function reopenRow(context: CommandContext, oid: number): ClassRow {
  context.relations.forget(oid)
  return classRowOf(context, oid)
}

async function rewriteTable(
  context: CommandContext,
  table: ClassRow,
  order: number,
  signal: AbortSignal | undefined,
): Promise<VacuumReport> {
  const { session } = context
  const before = context.relations.openByOid(session, table.oid)
  refuseUnusableIndexes(table, before.indexes, 'rewrite')
  const toast = table.reltoastrelid === 0 ? undefined : classRowOf(context, table.reltoastrelid)
  const toastIndexes = toast === undefined ? [] : indexesOf(context, toast.oid)
  const indexes = indexesOf(context, table.oid)
  const pages = blocksOf(context, before, before.access.locator)
  const files = new NewFiles(context, [
    table,
    ...(toast ? [toast] : []),
    ...toastIndexes,
    ...indexes,
  ])
  const after = files.open(before)
  const changes = new Map<number, Partial<ClassRow>>()
  const copy = async (row: ClassRow, ofToast: boolean) => {
    const { native } = before.access
    const work = session.copyHeap(native, after.access.native, ofToast, ofToast ? noOrder : order, {
      relfrozenxid: row.relfrozenxid,
      relminmxid: row.relminmxid,
      relpages: row.relpages,
      reltuples: row.reltuples,
    })
    const copied = await finished(work, signal)
    changes.set(row.oid, {
      relpages: copied.pages,
      reltuples: Math.fround(copied.liveRows),
      relfrozenxid: copied.relfrozenxid,
      relminmxid: copied.relminmxid,
    })
    return copied
  }
  await session.logDurable()
  // The TOAST table first: it may keep chunks longer than the rows they belong to, never the other way.
  if (toast !== undefined) await copy(toast, true)
  const copied = await copy(table, false)
  await rebuildIndexes(context, after, files, { toastIndexes, indexes }, changes, signal)
  return {
    relation: `${after.schema}.${after.name}`,
    aggressive: true,
    failsafe: false,
    pages,
    remainingPages: copied.pages,
    scannedPages: pages,
    tuplesRemoved: copied.dead,
    tuplesFrozen: copied.frozen,
    tuplesNotYetRemovable: copied.recentlyDead,
    liveTuples: copied.liveRows,
    deadItemIds: 0,
    indexScans: 0,
    indexes: [],
    relfrozenxid: copied.relfrozenxid,
    relminmxid: copied.relminmxid,
  }
}
