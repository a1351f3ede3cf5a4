// CommandContext: what a command works with. Commands run inside the session's current transaction.
import type { NativeCluster, NativeSession } from '../binding/native.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import type { RelationCache } from '../relation/relation-cache.ts'
import type { LockLevel } from '../transaction/relation-lock.ts'

export interface CommandContext {
  session: NativeSession
  cluster: NativeCluster
  catalogs: CatalogStore
  /** As the transaction sees relations; nobody else uses it while the transaction changes them. */
  relations: RelationCache
  /** Absolute. */
  dataDirectory: string
  /** OIDs of tables that a command of the session is writing anew, in steps; not to be read by it until that is done. */
  beingRewritten: Set<number>
  /**
   * Locks a relation until the end of the transaction. When that needs waiting, it throws what makes the command be run
   * again with the lock; so a command takes all its locks before it changes anything, and reads again after each.
   */
  lockRelation: (oid: number, name: string, level: LockLevel) => void
  /**
   * Keeps others from giving a catalog a new file until the transaction ends: for whoever changes rows of catalogs. For
   * whoever gives a catalog a new file: keeps others from both.
   */
  lockCatalogs: (use: 'to change rows' | 'to replace one' | 'to replace a shared one') => void
  /** The same with caches of the transaction's own, for the transaction that gives a catalog a new file. */
  withOwnCatalogs: () => CommandContext
  /** Keeps other processes out until the transaction ends; false when there are some already. */
  stayAlone: () => boolean
  /** How many buffers temporary relations get; from when it is asked the setting keeps its value. */
  temporaryBuffers: () => number
  /** Keeps all other transactions from reading and writing a relation, and from changing it. */
  lockExclusively: (oid: number, name: string) => void
}

// Object identifiers that PostgreSQL fixes. Source: src/include/catalog/*.dat, PostgreSQL 18.
export const bootstrapSuperuser = 10
export const heapAccessMethod = 2
export const btreeAccessMethod = 403
export const catalogNamespace = 11
export const toastNamespace = 99
export const defaultTablespace = 1663
export const globalTablespace = 1664
export const defaultCollation = 100
/** Relations below are system catalogs; objects from here on can be dropped, and so are depended on. Source: src/include/access/transam.h, PostgreSQL 18. */
export const firstUnpinnedOid = 12000
/** Objects from here on are users'. */
export const firstNormalOid = 16384
