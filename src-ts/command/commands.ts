// Commands: the definition of tables, indexes and schemas as one session's transactions do it.
//
// While a transaction changes relations it has a relation cache of its own, so that no other session sees what may
// yet be rolled back; when it ends, the shared one forgets what it knew.
import type { NativeCluster, NativeSession } from '../binding/native.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import type { RelationCache } from '../relation/relation-cache.ts'
import type { LockOwner, RelationLocks } from '../transaction/relation-locks.ts'
import type { TransactionQueue } from '../transaction/transaction-queue.ts'
import type { CommandContext } from './command-context.ts'
import { type CreateIndexOptions, createIndex, dropIndex } from './create-index.ts'
import { type CreateSchemaOptions, createSchema, dropSchema } from './create-schema.ts'
import { type CreateTableOptions, createTable, dropTable } from './create-table.ts'
import type { DropOptions } from './drop-object.ts'
import { truncate } from './truncate.ts'

/** What the commands of a session stand on. */
export interface CommandServices {
  native: NativeSession
  cluster: NativeCluster
  queue: TransactionQueue
  catalogs: CatalogStore
  relations: RelationCache
  locks: RelationLocks
  dataDirectory: string
}

export class Commands {
  readonly #services: CommandServices
  // Set while the open transaction has changed relations.
  #ownRelations: RelationCache | undefined

  constructor(services: CommandServices) {
    this.#services = services
  }

  /** Relations as the session's open transaction sees them. */
  get relations(): RelationCache {
    return this.#ownRelations ?? this.#services.relations
  }

  createTable(name: string, options: CreateTableOptions): boolean {
    return this.run((context) => createTable(context, name, options))
  }

  dropTable(name: string, options: DropOptions = {}): void {
    this.run((context) => dropTable(context, name, options))
  }

  createIndex(table: string, options: CreateIndexOptions): string {
    return this.run((context) => createIndex(context, table, options))
  }

  dropIndex(name: string, options: DropOptions = {}): void {
    this.run((context) => dropIndex(context, name, options))
  }

  truncate(...tables: string[]): void {
    this.run((context) => truncate(context, tables))
  }

  createSchema(name: string, options: CreateSchemaOptions = {}): void {
    this.run((context) => createSchema(context, name, options))
  }

  dropSchema(name: string, options: DropOptions = {}): void {
    this.run((context) => dropSchema(context, name, options))
  }

  /** Runs a command in the open transaction; if it throws, the transaction can only be rolled back. */
  run<T>(command: (context: CommandContext) => T): T {
    return this.#services.queue.write(() => command(this.context()))
  }

  /** What a command works with, in the open transaction. */
  context(): CommandContext {
    const { native, cluster, catalogs, relations, locks, dataDirectory } = this.#services
    this.#ownRelations ??= relations.fork()
    const owner: LockOwner = native
    return {
      session: native,
      cluster,
      catalogs,
      relations: this.#ownRelations,
      dataDirectory,
      lockExclusively: (oid, name) => locks.lockExclusively(owner, oid, name),
    }
  }

  /** Keeps other sessions from changing a relation that the open transaction writes. */
  lockForWriting(oid: number, name: string): void {
    this.#services.locks.lockForWriting(this.#services.native, oid, name)
  }

  /** For each rollback to a savepoint: the relations may be what they were before it. */
  rolledBackToSavepoint(): void {
    this.#ownRelations?.forget()
  }

  /** Has the open transaction changed relations? */
  get hasDefined(): boolean {
    return this.#ownRelations !== undefined
  }

  /** For the end of each transaction, committed or rolled back. */
  endOfTransaction(): void {
    const { locks, relations, native } = this.#services
    locks.release(native)
    if (this.#ownRelations === undefined) return
    this.#ownRelations = undefined
    relations.forget()
  }
}
