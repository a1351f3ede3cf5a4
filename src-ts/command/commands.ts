// Commands: the definition of tables, indexes and schemas as one session's transactions do it.
//
// While a transaction changes relations it has a relation cache of its own, so that no other session sees what may
// yet be rolled back; when it ends, the shared one forgets what it knew.
import type { NativeCluster, NativeSession } from '../binding/native.ts'
import type { KnownSetting } from '../config/session-settings.ts'
import { PgError } from '../errors/pg-error.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import type { RelationCache, RelationInfo } from '../relation/relation-cache.ts'
import { temporaryClaimOf } from '../relation/temporary-schema.ts'
import { namedCommand } from '../transaction/named-command.ts'
import { type Invalidated, LockWait, lockRelation } from '../transaction/relation-lock.ts'
import type { TransactionQueue } from '../transaction/transaction-queue.ts'
import type { CommandContext } from './command-context.ts'
import { type CreateIndexOptions, createIndex, dropIndex } from './create-index.ts'
import { type CreateSchemaOptions, createSchema, dropSchema } from './create-schema.ts'
import { type CreateTableOptions, createTable, dropTable } from './create-table.ts'
import type { DropOptions } from './drop-object.ts'
import { actOnCommit } from './on-commit.ts'
import {
  findIndexes,
  type ReindexedTables,
  type ReindexOptions,
  type ReindexTarget,
  reindexTable,
} from './reindex.ts'
import { type ClusterOptions, cluster, vacuumFull } from './rewrite-table.ts'
import { truncate } from './truncate.ts'
import type { VacuumReport } from './vacuum.ts'

/** What the commands of a session stand on. */
export interface CommandServices {
  native: NativeSession
  cluster: NativeCluster
  queue: TransactionQueue
  catalogs: CatalogStore
  relations: RelationCache
  dataDirectory: string
  /** Forgets what other processes have defined anew. */
  acceptInvalidations: () => Invalidated
  /** The value of a setting, in its unit. */
  setting: (name: KnownSetting) => string
  /** As CommandContext has it. */
  temporaryBuffers: () => number
  /** Called when catalogs may have new files. */
  onCatalogsReplaced: () => void
}

// Relations whose locks stand for all catalogs of the database, and for all shared ones: nobody needs these locks for
// anything else, so that they can be taken after those of a table.
const catalogsAsWhole = [
  { oid: 2662, name: 'pg_class_oid_index' },
  { oid: 2672, name: 'pg_database_oid_index' },
] as const

export class Commands {
  readonly #services: CommandServices
  // Set while the open transaction has changed relations.
  #ownRelations: RelationCache | undefined
  // Set while it has given a catalog a new file.
  #ownCatalogs: CatalogStore | undefined
  readonly #beingRewritten = new Set<number>()
  // No other process can join, for the open transaction's sake.
  #isAlone = false

  constructor(services: CommandServices) {
    this.#services = services
  }

  /** Relations as the session's open transaction sees them. */
  get relations(): RelationCache {
    return this.#ownRelations ?? this.#services.relations
  }

  /** The session, for what only reads. */
  get native(): NativeSession {
    return this.#services.native
  }

  setting(name: KnownSetting): string {
    return this.#services.setting(name)
  }

  /** Where relations are, and what catalogs say of them. */
  get storage(): { cluster: NativeCluster; catalogs: CatalogStore } {
    const { cluster, catalogs } = this.#services
    return { cluster, catalogs: this.#ownCatalogs ?? catalogs }
  }

  /** Milliseconds; 0: without limit. */
  get statementTimeout(): number {
    return this.#services.queue.defaults.limits.statement
  }

  /** Forgets what other processes have defined anew, of what the open transaction has read, too. */
  acceptInvalidations(): Invalidated {
    const invalidated = this.#services.acceptInvalidations()
    if (invalidated === 'something') this.#ownRelations?.forget()
    return invalidated
  }

  /** A table to read or write. Throws 55006 while a command of the session is writing it anew. */
  open(oid: number): RelationInfo {
    const info = this.relations.openByOid(this.#services.native, oid)
    if (this.#beingRewritten.has(oid)) {
      throw new PgError(
        '55006',
        `cannot use table "${info.name}" because it is being rewritten by this session`,
        { schema: info.schema, table: info.name, hint: 'Await the promise of that command first.' },
      )
    }
    return info
  }

  /** The same table if its definition is known already, and it can be read. */
  cached(oid: number): RelationInfo | undefined {
    return this.#beingRewritten.has(oid) ? undefined : this.relations.cached(oid)
  }

  createTable(name: string, options: CreateTableOptions): boolean | Promise<boolean> {
    return this.run('CREATE TABLE', (context) => createTable(context, name, options))
  }

  dropTable(name: string, options: DropOptions = {}): void | Promise<void> {
    return this.run('DROP TABLE', (context) => dropTable(context, name, options))
  }

  createIndex(table: string, options: CreateIndexOptions): string | Promise<string> {
    return this.run('CREATE INDEX', (context) => createIndex(context, table, options))
  }

  dropIndex(name: string, options: DropOptions = {}): void | Promise<void> {
    return this.run('DROP INDEX', (context) => dropIndex(context, name, options))
  }

  truncate(...tables: string[]): void | Promise<void> {
    return this.run('TRUNCATE TABLE', (context) => truncate(context, tables))
  }

  /** Writes a table anew; resolves with what was done. */
  vacuumFull(oid: number, signal: AbortSignal | undefined): Promise<VacuumReport> {
    return this.#start('VACUUM FULL', (context) => vacuumFull(context, oid, signal))
  }

  cluster(name: string, index: string | undefined, options: ClusterOptions): Promise<VacuumReport> {
    return this.#start('CLUSTER', (context) => cluster(context, name, index, options))
  }

  /** Builds the indexes that an index or a table stands for, or all of the table with that OID. */
  reindex(
    target: Exclude<ReindexTarget, ReindexedTables> | number,
    options: ReindexOptions,
  ): Promise<string[]> {
    return this.#start('REINDEX', (context) => {
      const indexes = typeof target === 'number' ? { table: target } : findIndexes(context, target)
      return reindexTable(context, indexes, options)
    })
  }

  createSchema(name: string, options: CreateSchemaOptions = {}): void | Promise<void> {
    return this.run('CREATE SCHEMA', (context) => createSchema(context, name, options))
  }

  dropSchema(name: string, options: DropOptions = {}): void | Promise<void> {
    return this.run('DROP SCHEMA', (context) => dropSchema(context, name, options))
  }

  /**
   * Runs a command in the open transaction; if it throws, the transaction can only be rolled back. A command that must
   * wait for a lock is run again when it has it. `name` is what Cluster.activity shows meanwhile.
   */
  run<T>(name: string, command: (context: CommandContext) => T): T | Promise<T> {
    return this.#begin(name, (context) => {
      context.lockCatalogs('to change rows')
      return command(context)
    })
  }

  /** To be called right before each commit. */
  beforeCommit(): void | Promise<void> {
    const { native } = this.#services
    const actions = temporaryClaimOf(native).atCommit
    if (actions.length === 0) return
    if (actions.some(({ action }) => action === 'drop')) return this.run('', actOnCommit)
    const isEmpty = ({ table }: { table: number }) => {
      const known = this.relations.cached(table)
      return known !== undefined && native.temporaryBlocks(known.access.locator) === 0
    }
    if (!actions.every(isEmpty)) return this.#begin('', actOnCommit)
  }

  /** Waits until rows of catalogs may be changed, for the rest of the open transaction. */
  async beginDefining(): Promise<void> {
    await this.run('', () => undefined)
  }

  #begin<T>(name: string, command: (context: CommandContext) => T): T | Promise<T> {
    const { native, queue } = this.#services
    return queue.write(() => namedCommand(native, name, () => this.#attempt(command)))
  }

  #attempt<T>(command: (context: CommandContext) => T): T | Promise<T> {
    try {
      return command(this.context())
    } catch (error) {
      if (!(error instanceof LockWait)) throw error
      // Whoever had the lock may have changed relations.
      const again = () => {
        this.#ownRelations?.forget()
        return this.#attempt(command)
      }
      return error.granted === undefined ? again() : error.granted.then(again)
    }
  }

  // For commands that take their locks themselves, and go on for a while once they have them.
  async #start<T>(name: string, command: (context: CommandContext) => Promise<T>): Promise<T> {
    return await this.#begin(name, command)
  }

  /** What a command works with, in the open transaction. */
  context(): CommandContext {
    const { native, cluster, relations, dataDirectory, queue } = this.#services
    const catalogs = this.#ownCatalogs ?? this.#services.catalogs
    this.acceptInvalidations()
    if (this.#ownRelations === undefined) {
      this.#ownRelations = relations.fork()
      native.willDefine()
    }
    const lock: CommandContext['lockRelation'] = (oid, name, level) => {
      const granted = lockRelation(native, oid, name, level, queue.mayWait)
      if (granted instanceof Promise) throw new LockWait(granted)
      // Another process had the lock until a moment ago, and what the command has read of the relation is stale.
      if (this.acceptInvalidations() === 'something') throw new LockWait()
    }
    return {
      session: native,
      cluster,
      catalogs,
      relations: this.#ownRelations,
      dataDirectory,
      beingRewritten: this.#beingRewritten,
      lockRelation: lock,
      lockCatalogs: (use) => {
        const level = (isReplaced: boolean) =>
          isReplaced ? 'share row exclusive' : 'row exclusive'
        const [local, shared] = catalogsAsWhole
        lock(local.oid, local.name, level(use !== 'to change rows'))
        lock(shared.oid, shared.name, level(use === 'to replace a shared one'))
      },
      withOwnCatalogs: () => {
        if (this.#ownCatalogs === undefined) {
          this.#ownCatalogs = catalogs.fork()
          this.#ownRelations = relations.fork(this.#ownCatalogs)
        }
        return this.context()
      },
      stayAlone: () => {
        this.#isAlone ||= cluster.stayAlone(true)
        return this.#isAlone
      },
      temporaryBuffers: this.#services.temporaryBuffers,
      lockExclusively: (oid, name) => lock(oid, name, 'access exclusive'),
    }
  }

  /** For each rollback to a savepoint: the relations may be what they were before it. */
  rolledBackToSavepoint(): void {
    this.#ownCatalogs?.refresh()
    this.#ownRelations?.forget()
  }

  /** Catalogs may have new files. */
  forget(): void {
    this.#ownRelations?.forget()
  }

  /** Has the open transaction changed relations? */
  get hasDefined(): boolean {
    return this.#ownRelations !== undefined
  }

  /** For the end of each transaction, committed or rolled back. */
  endOfTransaction(): void {
    const { cluster, relations, onCatalogsReplaced } = this.#services
    if (this.#isAlone) cluster.stayAlone(false)
    this.#isAlone = false
    if (this.#ownCatalogs !== undefined) {
      this.#ownCatalogs = undefined
      onCatalogsReplaced()
    }
    if (this.#ownRelations === undefined) return
    this.#ownRelations = undefined
    relations.forget()
  }
}
