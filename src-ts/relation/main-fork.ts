// What a relation's main fork is like now: where only its session can look at a temporary one.
import type { Locator, NativeCluster, NativeSession } from '../binding/native.ts'
import type { RelationInfo } from './relation-cache.ts'

interface Place {
  cluster: NativeCluster
  session: NativeSession
}

/** Blocks of the table, or of an index of it. */
export function blocksOf(
  { cluster, session }: Place,
  { row }: RelationInfo,
  locator: Locator,
): number {
  return row.relpersistence === 't' ? session.temporaryBlocks(locator) : cluster.blocks(locator, 0)
}

/** Levels above the leaves of the table's index of that number. */
export function indexHeightOf(
  { cluster, session }: Place,
  { row, access }: RelationInfo,
  index: number,
): number {
  return row.relpersistence === 't'
    ? session.temporaryIndexHeight(access.native, index)
    : cluster.indexHeight(access.native, index)
}
