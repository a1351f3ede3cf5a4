// Commands: the definition of tables, indexes and schemas as one session's transactions do it.
//
// While a transaction changes relations it has a relation cache of its own, so that no other session sees what may
// yet be rolled back; when it ends, the shared one forgets what it knew.
import type { NativeCluster, NativeSession } from '../binding/native.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import type { RelationCache } from '../relation/relation-cache.ts'
import { LockWait, lockRelation } from '../transaction/relation-lock.ts'
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

  createTable(name: string, options: CreateTableOptions): boolean | Promise<boolean> {
    return this.run((context) => createTable(context, name, options))
  }

  dropTable(name: string, options: DropOptions = {}): void | Promise<void> {
    return this.run((context) => dropTable(context, name, options))
  }

  createIndex(table: string, options: CreateIndexOptions): string | Promise<string> {
    return this.run((context) => createIndex(context, table, options))
  }

  dropIndex(name: string, options: DropOptions = {}): void | Promise<void> {
    return this.run((context) => dropIndex(context, name, options))
  }

  truncate(...tables: string[]): void | Promise<void> {
    return this.run((context) => truncate(context, tables))
  }

  createSchema(name: string, options: CreateSchemaOptions = {}): void | Promise<void> {
    return this.run((context) => createSchema(context, name, options))
  }

  dropSchema(name: string, options: DropOptions = {}): void | Promise<void> {
    return this.run((context) => dropSchema(context, name, options))
  }

  /**
   * Runs a command in the open transaction; if it throws, the transaction can only be rolled back. A command that must
   * wait for a lock is run again when it has it.
   */
  run<T>(command: (context: CommandContext) => T): T | Promise<T> {
    return this.#services.queue.write(() => this.#attempt(command))
  }

  #attempt<T>(command: (context: CommandContext) => T): T | Promise<T> {
    try {
      return command(this.context())
    } catch (error) {
      if (!(error instanceof LockWait)) throw error
      return error.granted.then(() => {
        // Whoever had the lock may have changed relations.
        this.#ownRelations?.forget()
        return this.#attempt(command)
      })
    }
  }

  /** What a command works with, in the open transaction. */
  context(): CommandContext {
    const { native, cluster, catalogs, relations, dataDirectory, queue } = this.#services
    this.#ownRelations ??= relations.fork()
    const lock: CommandContext['lockRelation'] = (oid, name, level) => {
      const granted = lockRelation(native, oid, name, level, queue.mayWait)
      if (granted instanceof Promise) throw new LockWait(granted)
    }
    return {
      session: native,
      cluster,
      catalogs,
      relations: this.#ownRelations,
      dataDirectory,
      lockRelation: lock,
      lockExclusively: (oid, name) => lock(oid, name, 'access exclusive'),
    }
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
    const { relations } = this.#services
    if (this.#ownRelations === undefined) return
    this.#ownRelations = undefined
    relations.forget()
  }
}
