// Transaction: what the body of a transaction or savepoint can do.
import type { Commands } from '../command/commands.ts'
import type { CreateIndexOptions } from '../command/create-index.ts'
import type { CreateSchemaOptions } from '../command/create-schema.ts'
import type { CreateTableOptions } from '../command/create-table.ts'
import type { DropOptions } from '../command/drop-object.ts'
import type { DeleteRequest, InsertRequest, Returning, UpdateRequest } from '../executor/change.ts'
import type { Query, QueryOptions } from '../executor/query.ts'
import {
  type AdvisoryKey,
  type AdvisoryLockOptions,
  refuseWait,
  takeAdvisoryLock,
} from '../transaction/advisory-lock.ts'
import type { LockLevel } from '../transaction/relation-lock.ts'
import type { SavepointOptions, TransactionScope } from '../transaction/transaction-queue.ts'
import { whenDone } from '../transaction/when-done.ts'
import { QueryResult } from './query-result.ts'
import type { Key, LockOptions, RangeOptions, ScanOptions, Table } from './table.ts'

/** The open transaction or savepoint, as its body sees it. */
export class Transaction {
  readonly #commands: Commands
  readonly #scope: TransactionScope

  constructor(commands: Commands, scope: TransactionScope) {
    this.#commands = commands
    this.#scope = scope
  }

  /**
   * The id of the whole transaction, with the number of wraparounds above its lowest 32 bits, as pg_current_xact_id()
   * gives it: it is assigned if there is none yet. Throws 25006 in a read-only transaction.
   */
  transactionId(): number {
    return this.#scope.write(() => this.#commands.context().session.transactionId()) as number
  }

  /**
   * Runs `body` in a savepoint: if it throws, what it did is rolled back, the error is passed on, and the transaction
   * goes on if that is caught. While `body` runs, only the object it is given may be used.
   */
  savepoint<T>(
    body: (savepoint: Transaction) => T | Promise<T>,
    options: SavepointOptions = {},
  ): Promise<T> {
    return this.#scope.savepoint((scope) => body(new Transaction(this.#commands, scope)), options)
  }

  /** As `savepoint`, for a body that does not wait. */
  savepointSync<T>(
    body: (savepoint: Transaction) => T,
    options: Omit<SavepointOptions, 'signal'> = {},
  ): T {
    return this.#scope.savepointSync(
      (scope) => body(new Transaction(this.#commands, scope)),
      options,
    )
  }

  /** A transaction inside a transaction is a savepoint. */
  transaction<T>(
    body: (savepoint: Transaction) => T | Promise<T>,
    options: SavepointOptions = {},
  ): Promise<T> {
    return this.savepoint(body, options)
  }

  /**
   * Inserts rows. Returns a promise when a key of theirs depends on a transaction that has not ended; whether it is
   * awaited or not, what follows in this transaction, and its commit, comes after.
   */
  insert<T extends object>(table: Table<T>, ...rows: Partial<T>[]): void | Promise<void> {
    return this.#scope.write(() => table.insertNow(rows))
  }

  /** As Table.insertMany with `onConflict` or `returning`, of rows that are at hand, in this transaction. */
  insertMany<R extends object, T extends object = R>(
    table: Table<T>,
    rows: readonly Partial<T>[],
    request: InsertRequest<T> & { returning: Returning },
  ): Promise<R[]>
  insertMany<T extends object>(
    table: Table<T>,
    rows: readonly Partial<T>[],
    request?: InsertRequest<T>,
  ): Promise<number>
  async insertMany<R, T extends object>(
    table: Table<T>,
    rows: readonly Partial<T>[],
    request: InsertRequest<T> = {},
  ): Promise<number | R[]> {
    return this.#scope.write(() => table.insertManyNow<R>(rows, request))
  }

  async update<T extends object>(table: Table<T>, key: Key, changes: Partial<T>): Promise<boolean> {
    return this.#scope.write(() => table.updateNow(key, changes))
  }

  /** As `update` for each pair of a primary key and changes; resolves with how many rows there were. */
  async updateMany<T extends object>(
    table: Table<T>,
    entries: readonly (readonly [Key, Partial<T>])[],
  ): Promise<number> {
    return this.#scope.write(() => table.updateManyNow(entries))
  }

  async delete<T extends object>(table: Table<T>, key: Key): Promise<boolean> {
    return this.#scope.write(() => table.deleteNow(key))
  }

  /** As Table.updateWhere, in this transaction. */
  updateWhere<R extends object, T extends object = R>(
    table: Table<T>,
    request: UpdateRequest<T> & { returning: Returning },
  ): Promise<R[]>
  updateWhere<T extends object>(table: Table<T>, request: UpdateRequest<T>): Promise<number>
  async updateWhere<R, T extends object>(
    table: Table<T>,
    request: UpdateRequest<T>,
  ): Promise<number | R[]> {
    return this.#scope.write(() => table.updateWhereNow<R>(request))
  }

  /** As Table.deleteWhere, in this transaction. */
  deleteWhere<R extends object, T extends object = R>(
    table: Table<T>,
    request: DeleteRequest & { returning: Returning },
  ): Promise<R[]>
  deleteWhere<T extends object>(table: Table<T>, request?: DeleteRequest): Promise<number>
  async deleteWhere<R, T extends object>(
    table: Table<T>,
    request: DeleteRequest = {},
  ): Promise<number | R[]> {
    return this.#scope.write(() => table.deleteWhereNow<R>(request))
  }

  /** The row with this primary key, locked until the transaction ends; undefined when there is none, or it was skipped. */
  async get<T extends object>(
    table: Table<T>,
    key: Key,
    options: LockOptions & { columns?: readonly (keyof T & string)[] },
  ): Promise<T | undefined> {
    return this.#scope.write(() => table.getLockedNow(key, options))
  }

  /** As Table.scan, with each row locked until the transaction ends. */
  async scan<T extends object>(
    table: Table<T>,
    options: LockOptions & ScanOptions<T>,
  ): Promise<T[]> {
    return this.#scope.write(() => table.scanLockedNow(options))
  }

  /** As Table.range, with each row locked until the transaction ends. */
  async range<T extends object>(
    table: Table<T>,
    options: LockOptions & RangeOptions<T>,
  ): Promise<T[]> {
    return this.#scope.write(() => table.rangeLockedNow(options))
  }

  /** As Session.query, in this transaction and after what was asked of it before. */
  query<T extends object = Record<string, unknown>>(
    query: Query,
    options: QueryOptions = {},
  ): QueryResult<T> {
    return new QueryResult<T>(this.#commands, (open) => this.#scope.write(open), query, options)
  }

  /** LOCK TABLE: until the transaction ends. Throws 55P03 with `wait: 'nowait'`. */
  async lockTable<T extends object>(
    table: Table<T>,
    level: LockLevel = 'access exclusive',
    options: { wait?: 'nowait' } = {},
  ): Promise<void> {
    await this.#scope.write(() => table.lockNow(level, options.wait !== 'nowait'))
  }

  /**
   * Takes an advisory lock until the transaction ends; as with `insert`, a promise is of waiting. A savepoint that is rolled
   * back gives back what was taken in it. Throws as Session.advisoryLock, and 55P03 in a synchronous transaction.
   */
  advisoryLock(key: AdvisoryKey, options: AdvisoryLockOptions = {}): void | Promise<void> {
    const wait = this.#scope.mayWait
    return this.#scope.write(() =>
      whenDone(this.#takeAdvisoryLock(key, options, wait), (granted) => refuseWait(granted)),
    )
  }

  /** As `advisoryLock`, but false instead of waiting. */
  tryAdvisoryLock(key: AdvisoryKey, options: AdvisoryLockOptions = {}): boolean | Promise<boolean> {
    return this.#scope.write(() => this.#takeAdvisoryLock(key, options, false))
  }

  /**
   * Tells those who listen on the channel in this database, once the transaction commits; the same payload once. In the
   * order of commits, and not at all when it is rolled back. Throws 22023 for a channel of more than 63 bytes or a payload
   * of more than 7999; the commit throws 54000 when the queue is full, and preparing the transaction 0A000.
   */
  notify(channel: string, payload = ''): void | Promise<void> {
    return this.#scope.write(() => this.#commands.context().session.notify(channel, payload))
  }

  /** See Session.createTable. The promises of these commands are of waiting for locks, as with `insert`. */
  createTable(name: string, options: CreateTableOptions): boolean | Promise<boolean> {
    return this.#scope.write(() => this.#commands.createTable(name, options))
  }

  dropTable(name: string, options?: DropOptions): void | Promise<void> {
    return this.#scope.write(() => this.#commands.dropTable(name, options))
  }

  createIndex(table: string, options: CreateIndexOptions): string | Promise<string> {
    return this.#scope.write(() => this.#commands.createIndex(table, options))
  }

  dropIndex(name: string, options?: DropOptions): void | Promise<void> {
    return this.#scope.write(() => this.#commands.dropIndex(name, options))
  }

  truncate(...tables: string[]): void | Promise<void> {
    return this.#scope.write(() => this.#commands.truncate(...tables))
  }

  createSchema(name: string, options?: CreateSchemaOptions): void | Promise<void> {
    return this.#scope.write(() => this.#commands.createSchema(name, options))
  }

  dropSchema(name: string, options?: DropOptions): void | Promise<void> {
    return this.#scope.write(() => this.#commands.dropSchema(name, options))
  }

  #takeAdvisoryLock(key: AdvisoryKey, options: AdvisoryLockOptions, wait: boolean) {
    const { session } = this.#commands.context()
    return takeAdvisoryLock(session, key, options.shared ?? false, 'transaction', wait)
  }
}
