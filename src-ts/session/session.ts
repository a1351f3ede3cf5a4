// Session: a backend: one transaction at a time, on one database.
import type { NativeSession } from '../binding/native.ts'
import { parseQualifiedName } from '../command/qualified-name.ts'
import { PgError } from '../errors/pg-error.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import type { RelationCache } from '../relation/relation-cache.ts'
import { type TransactionOptions, TransactionQueue } from '../transaction/transaction-queue.ts'
import { type Key, Table } from './table.ts'

/** What all sessions on a database share in this process. */
export interface DatabaseServices {
  oid: number
  name: string
  dataDirectory: string
  catalogs: CatalogStore
  relations: RelationCache
}

/** What a session asks of its cluster. */
export interface SessionEvents {
  onClose: () => void
  forgetDatabase: (oid: number) => void
}

/** The open transaction, as its body sees it. */
export class Transaction {
  #open = true

  /** For the session that runs the transaction. */
  end(): void {
    this.#open = false
  }

  insert<T extends object>(table: Table<T>, ...rows: Partial<T>[]): void {
    this.#refuseEnded()
    table.insertNow(rows)
  }

  async update<T extends object>(table: Table<T>, key: Key, changes: Partial<T>): Promise<boolean> {
    this.#refuseEnded()
    return table.updateNow(key, changes)
  }

  async delete<T extends object>(table: Table<T>, key: Key): Promise<boolean> {
    this.#refuseEnded()
    return table.deleteNow(key)
  }

  #refuseEnded(): void {
    if (!this.#open) throw new PgError('25P01', 'the transaction has ended')
  }
}

export class Session {
  readonly #native: NativeSession
  readonly #database: DatabaseServices
  readonly #events: SessionEvents
  readonly #queue: TransactionQueue
  #closed: Promise<void> | undefined

  constructor(native: NativeSession, database: DatabaseServices, events: SessionEvents) {
    this.#native = native
    this.#database = database
    this.#events = events
    this.#queue = new TransactionQueue(native)
  }

  /** Name of the database. */
  get database(): string {
    return this.#database.name
  }

  /** Runs `body` in a transaction; resolves with its result when the commit is durable, rolls back if it throws. */
  transaction<T>(
    body: (tx: Transaction) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    this.#refuseClosed()
    const tx = new Transaction()
    return this.#queue
      .run(async () => {
        try {
          return await body(tx)
        } finally {
          tx.end()
        }
      }, options)
      .finally(() => tx.end())
  }

  /** As `transaction`, for a body that does not wait; blocks until the commit is durable: the lowest latency. */
  transactionSync<T>(body: (tx: Transaction) => T, options: TransactionOptions = {}): T {
    this.#refuseClosed()
    const tx = new Transaction()
    try {
      return this.#queue.runSync(() => body(tx), options)
    } finally {
      tx.end()
    }
  }

  /** A table by name; "public" unless the name says otherwise. Throws 42P01 when it does not exist. */
  table<T extends object = Record<string, unknown>>(name: string): Table<T> {
    this.#refuseClosed()
    const { schema, name: relationName } = parseQualifiedName(name)
    const { relations } = this.#database
    const { oid } = relations.open(this.#native, schema, relationName)
    return new Table<T>({
      native: this.#native,
      queue: this.#queue,
      relation: () => relations.openByOid(this.#native, oid),
    })
  }

  /** Rolls an open transaction back when it ends, waits for commits that were asked for, gives the backend back. */
  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #end(): Promise<void> {
    await this.#queue.idle()
    this.#native.close()
    this.#events.onClose()
  }

  #refuseClosed(): void {
    if (this.#closed !== undefined) throw new PgError('08003', 'the session is closed')
  }
}
