// Table: a relation as a session's user reads and writes it.
import { setImmediate } from 'node:timers/promises'
import { notNow, type PointLookup } from '../access/point-lookup.ts'
import type { RangeLookup } from '../access/range-lookup.ts'
import type { Condition, RangeBounds, ReadOptions } from '../access/relation-access.ts'
import type { Tid } from '../access/tid.ts'
import type { NativeOperatorReport, NativeSession, NativeWait, RowLock } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import type {
  DeleteRequest,
  InsertRequest,
  OnConflict,
  Returning,
  UpdateRequest,
} from '../executor/change.ts'
import { type Changed, ChangeRun } from '../executor/change-run.ts'
import type { ExplainOptions, Explanation } from '../executor/explain.ts'
import { type ChangePlan, ChangePlanner } from '../executor/plan-change.ts'
import type { PlanContext } from '../executor/plan-context.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import type { LockLevel } from '../transaction/relation-lock.ts'
import {
  canceled,
  type TransactionOptions,
  type TransactionQueue,
} from '../transaction/transaction-queue.ts'
import { whenDone } from '../transaction/when-done.ts'
import { explainChange, explainInsert, refuseUnmeant, shown } from './explanation.ts'
import { conditionsOf, type Where } from './where.ts'

/** A key: the value of a one-column key, or an object or list of all its columns' values. */
export type Key =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | readonly unknown[]
  | Record<string, unknown>

export interface ScanOptions<T> {
  where?: Where<T>
  /** Columns of the rows, in this order. Default: all. */
  columns?: readonly (keyof T & string)[]
  limit?: number
}

export interface RangeOptions<T> extends ScanOptions<T> {
  /** Name of the index; default: the primary key's. */
  index?: string
  /**
   * First and last key, included. A list or object may give leading key columns only. As in SQL, a row with null where
   * it is compared with a value is outside.
   */
  from?: Key
  to?: Key
  /** As `from` and `to`, excluded. */
  after?: Key
  before?: Key
  /** Last key first. */
  reverse?: boolean
}

export interface LockOptions {
  lock: RowLock
  /** What to do when another transaction is in the way: fail with 55P03, or leave the row out. Default: wait. */
  wait?: 'nowait' | 'skip locked'
}

export interface AggregateRequest<T> {
  count?: boolean
  sum?: keyof T & string
  min?: keyof T & string
  max?: keyof T & string
  avg?: keyof T & string
  where?: Where<T>
}

export interface AggregateResult {
  count?: number
  sum?: number | bigint | null
  min?: number | bigint | null
  max?: number | bigint | null
  avg?: number | null
}

export interface ManyOptions {
  signal?: AbortSignal
  /** Called now and then with the number of rows dealt with so far. */
  onProgress?: (rows: number) => void
}

const aggregateKinds = ['sum', 'min', 'max', 'avg'] as const
// Rows taken from a source before they are handed over.
const manyRows = 1000
// Batches handed over before the event loop has its turn.
const batchesPerTurn = 10

export interface TableContext {
  native: NativeSession
  /** What planning needs to know of the database. */
  planContext: () => PlanContext
  queue: TransactionQueue
  /** The relation as it is now; asked for anew at each call, since DDL may have changed it. */
  relation: () => RelationInfo
  /** As `relation`, but what other processes have told may not have been heard. */
  known: () => RelationInfo
  /** As `known`, without looking it up in the catalogs: undefined when that is necessary. */
  cached: () => RelationInfo | undefined
  /** Gives `body` the relation, which other processes keep as it is until it returns. Throws 55P03 when one is changing it. */
  read: <R>(body: (relation: RelationInfo) => R) => R
  /** Locks the relation until the open transaction ends; a promise when that has to wait. */
  lock: (level: LockLevel, mayWait: boolean) => boolean | Promise<boolean>
}

// Lookups by primary key of these columns, of the relation as it was when they were prepared.
interface Prepared<T> {
  info: RelationInfo
  index: number
  columns: readonly string[] | undefined
  lookup: PointLookup<T>
}

// Ranges of an index, by its name as it was given, with these columns.
interface PreparedRange<T> {
  info: RelationInfo
  index: number
  name: string | undefined
  columns: readonly string[] | undefined
  lookup: RangeLookup<T>
}

// What EXPLAIN runs, and how it is shown.
interface ExplainedStatement {
  run(run: ChangeRun<unknown>): void | Promise<void>
  show(
    context: PlanContext,
    plan: ChangePlan,
    reports: readonly NativeOperatorReport[],
  ): Explanation
}

// Kept for a table, of either kind.
const preparedMax = 8

export class Table<T extends object = Record<string, unknown>> {
  readonly #context: TableContext
  #prepared: Prepared<T>[] = []
  #ranges: PreparedRange<T>[] = []

  constructor(context: TableContext) {
    this.#context = context
  }

  get name(): string {
    const { schema, name } = this.#context.relation()
    return `${schema}.${name}`
  }

  /** Names of the columns, in order. */
  get columns(): string[] {
    return this.#context.relation().columns.map(({ name }) => name)
  }

  /** The row with this primary key, or undefined. Throws 42P16 when the table has no primary key. */
  get(key: Key, options?: { columns?: readonly (keyof T & string)[] }): T | undefined {
    const { native, read, cached } = this.#context
    const columns = options?.columns
    const prepared = this.#preparedFor(columns)
    if (prepared !== undefined && prepared.info === cached()) {
      const row = prepared.lookup.get(keyValues(prepared.info, prepared.index, key, true))
      if (row !== notNow) return row
    }
    return read((info) => {
      const index = primaryIndex(info)
      const values = keyValues(info, index, key, true)
      if (prepared?.info !== info) this.#prepare(info, index, columns)
      return info.access.get<T>(native, index, values, columns)
    })
  }

  #preparedFor(columns: readonly string[] | undefined): Prepared<T> | undefined {
    const lookups = this.#prepared
    for (let i = 0; i < lookups.length; i++) {
      const each = lookups[i] as Prepared<T>
      if (areSame(each.columns, columns)) return each
    }
    return undefined
  }

  #prepare(info: RelationInfo, index: number, columns: readonly string[] | undefined): void {
    const lookup = info.access.pointLookup<T>(this.#context.native, index, columns)
    const others = this.#prepared.filter(
      (each) => each.info === info && !areSame(each.columns, columns),
    )
    this.#prepared = others.slice(1 - preparedMax)
    this.#prepared.push({ info, index, columns: columns && [...columns], lookup })
  }

  /** The rows with these primary keys, in the keys' order; undefined where there is none. */
  getMany(
    keys: readonly Key[],
    options: { columns?: readonly (keyof T & string)[] } = {},
  ): (T | undefined)[] {
    const { native, read } = this.#context
    return read((info) => {
      const index = primaryIndex(info)
      const values = keys.map((key) => keyValues(info, index, key, true))
      return info.access.getMany<T>(native, index, values, options.columns)
    })
  }

  /** All rows that meet the conditions, in the order in which they are stored. */
  scan(options: ScanOptions<T> = {}): IterableIterator<T> {
    const { native, read } = this.#context
    return read(({ access }) => access.scan<T>(native, readOptions(options)))
  }

  /** The rows between two keys, in key order. */
  range(options: RangeOptions<T> = {}): IterableIterator<T> {
    const { native, read } = this.#context
    return (
      this.#preparedRange(options) ??
      read((info) => {
        const bounds = rangeBounds(info, rangeIndex(info, options), options)
        if (options.where === undefined) this.#prepareRange(info, bounds.index, options)
        return info.access.range<T>(native, bounds, readOptions(options))
      })
    )
  }

  // Undefined when there is none yet, or when it cannot tell now.
  #preparedRange(options: RangeOptions<T>): IterableIterator<T> | undefined {
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    if (options.where !== undefined || !(limit >= 1)) return undefined
    const prepared = this.#ranges.find((each) => isOf(each, options))
    if (prepared === undefined || prepared.info !== this.#context.cached()) return undefined
    const rows = prepared.lookup.rows(rangeBounds(prepared.info, prepared.index, options), limit)
    return rows === notNow ? undefined : rows
  }

  #prepareRange(info: RelationInfo, index: number, options: RangeOptions<T>): void {
    if (this.#ranges.some((each) => each.info === info && isOf(each, options))) return
    const columns = options.columns && [...options.columns]
    const lookup = info.access.rangeLookup<T>(this.#context.native, index, columns)
    this.#ranges = this.#ranges.filter((each) => each.info === info).slice(1 - preparedMax)
    this.#ranges.push({ info, index, name: options.index, columns, lookup })
  }

  /** Counts and sums, computed while scanning without making rows. `sum` of integers is exact. */
  async aggregate(request: AggregateRequest<T>): Promise<AggregateResult> {
    const { native, read } = this.#context
    const wanted: {
      name: keyof AggregateResult
      kind: 'count' | 'sum' | 'min' | 'max' | 'avg'
      column?: string
    }[] = []
    if (request.count) wanted.push({ name: 'count', kind: 'count' })
    for (const kind of aggregateKinds) {
      const column = request[kind]
      if (column !== undefined) wanted.push({ name: kind, kind, column })
    }
    const values = read(({ access }) =>
      access.aggregate(native, wanted, conditionsOf(request.where)),
    )
    return Object.fromEntries(wanted.map(({ name }, i) => [name, values[i]]))
  }

  /**
   * Inserts a row in a transaction of its own; resolves when it is durable. With `onConflict`, resolves with whether it was
   * inserted, or the row that is there updated; with `returning`, with what was to be returned of that row, if so. See
   * docs/statements.md. Throws 23505, 23502, 42P10.
   */
  insert<R extends object = T>(
    row: Partial<T>,
    options: TransactionOptions & InsertRequest<T> & { returning: Returning },
  ): Promise<R | undefined>
  insert(
    row: Partial<T>,
    options: TransactionOptions & InsertRequest<T> & { onConflict: OnConflict<T> },
  ): Promise<boolean>
  insert(row: Partial<T>, options?: TransactionOptions): Promise<void>
  insert<R>(row: Partial<T>, options?: TransactionOptions & InsertRequest<T>): Promise<unknown> {
    if (isRequest(options)) {
      const inserted = () => this.insertManyNow<R>([row], options, options.signal)
      return this.#context.queue.run(() => whenDone(inserted(), ofOne), options)
    }
    const { native, queue, known } = this.#context
    const insert = () => this.insertNow([row])
    if (options !== undefined || !queue.takesOne()) return queue.run(insert, options)
    try {
      const acknowledged = queue.defaults.synchronousCommit === 'off' ? 2 : 1
      const inserted = known().access.insertAlone(native, row, acknowledged, true)
      if (inserted instanceof Promise) return inserted
      if (inserted === true) return Promise.resolve()
      if (inserted === false) return queue.run(insert)
      return queue.goOn(inserted === null ? insert : () => inserted[0].then(() => undefined))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * As `insert`, blocking until the row is durable: the lowest latency for a single writer. Throws 55P03 where it would
   * have to wait for another transaction. Inside a transaction of this session it is a savepoint of that one.
   */
  insertSync<R extends object = T>(
    row: Partial<T>,
    options: TransactionOptions & InsertRequest<T> & { returning: Returning },
  ): R | undefined
  insertSync(
    row: Partial<T>,
    options: TransactionOptions & InsertRequest<T> & { onConflict: OnConflict<T> },
  ): boolean
  insertSync(row: Partial<T>, options?: TransactionOptions): void
  insertSync<R>(row: Partial<T>, options?: TransactionOptions & InsertRequest<T>): unknown {
    const { native, queue, known } = this.#context
    if (isRequest(options)) {
      const inserted = () => this.insertManyNow<R>([row], options) as number | R[]
      return queue.runSync(() => ofOne(inserted()), options)
    }
    let isBegun = false
    if (options === undefined && queue.takesOne()) {
      const acknowledged = queue.defaults.synchronousCommit === 'off' ? 2 : 0
      const inserted = known().access.insertAlone(native, row, acknowledged, false)
      if (inserted === true) return undefined
      isBegun = inserted === null
    }
    const insert = () => {
      this.insertNow([row])
    }
    if (isBegun) queue.goOnSync(insert)
    else queue.runSync(insert, options)
    return undefined
  }

  /**
   * Inserts all rows in one transaction; resolves with their number when it is durable. With `onConflict` they are one
   * statement: resolves with how many were inserted or updated, or with what was to be returned of those.
   */
  insertMany<R extends object = T>(
    rows: Iterable<Partial<T>> | AsyncIterable<Partial<T>>,
    options: ManyOptions & InsertRequest<T> & { returning: Returning },
  ): Promise<R[]>
  insertMany(
    rows: Iterable<Partial<T>> | AsyncIterable<Partial<T>>,
    options?: ManyOptions & InsertRequest<T>,
  ): Promise<number>
  insertMany<R>(
    rows: Iterable<Partial<T>> | AsyncIterable<Partial<T>>,
    options: ManyOptions & InsertRequest<T> = {},
  ): Promise<number | R[]> {
    if (!isRequest(options)) {
      return this.#changeMany(rows, options, (batch) =>
        whenDone(this.insertNow(batch), () => batch.length),
      )
    }
    const { queue } = this.#context
    let run: ChangeRun<R> | undefined
    const begun = () =>
      run ??
      whenDone(this.#beginInsert<R>(options, options.signal), (begins) => {
        run = begins
        return begins
      })
    return this.#changeMany<Partial<T>, number | R[]>(
      rows,
      options,
      (batch) =>
        whenDone(begun(), (current) =>
          whenDone(
            queue.write(() => current.insert(batch)),
            () => batch.length,
          ),
        ),
      () => given((run as ChangeRun<R>).finish(), options.returning),
    )
  }

  /**
   * As `update` for each pair of a primary key and changes (a Map is a list of those), all in one transaction; resolves
   * with how many rows there were.
   */
  updateMany(
    entries: Iterable<readonly [Key, Partial<T>]> | AsyncIterable<readonly [Key, Partial<T>]>,
    options: ManyOptions = {},
  ): Promise<number> {
    return this.#changeMany(entries, options, (batch) => this.updateManyNow(batch))
  }

  #changeMany<I, R = number>(
    items: Iterable<I> | AsyncIterable<I>,
    options: ManyOptions,
    change: (batch: readonly I[]) => number | Promise<number>,
    finish: (changed: number) => R = (changed) => changed as R,
  ): Promise<R> {
    return this.#context.queue.run(async () => {
      let changed = 0
      let done = 0
      let batch: I[] = []
      const flush = () => {
        // Once the signal has ended the transaction, another may be open.
        if (options.signal?.aborted) throw canceled(options.signal)
        const now = batch
        batch = []
        return whenDone(change(now), (count) => {
          changed += count
          done += now.length
          options.onProgress?.(done)
        })
      }
      if (Symbol.asyncIterator in items) {
        for await (const item of items) {
          if (batch.push(item) < manyRows) continue
          await flush()
        }
      } else {
        // No promise per row; the event loop has its turn now and then.
        for (const item of items) {
          if (batch.push(item) < manyRows) continue
          const flushed = flush()
          if (flushed instanceof Promise) await flushed
          if (done % (manyRows * batchesPerTurn) === 0) await setImmediate()
        }
      }
      await flush()
      return finish(changed)
    }, options)
  }

  /** Replaces columns of the row with this primary key; resolves with whether there was one. */
  update(key: Key, changes: Partial<T>, options: TransactionOptions = {}): Promise<boolean> {
    return this.#context.queue.run(() => this.updateNow(key, changes), options)
  }

  /** As `update`, blocking; see `insertSync`. */
  updateSync(key: Key, changes: Partial<T>, options?: TransactionOptions): boolean {
    return this.#context.queue.runSync(() => this.updateNow(key, changes) as boolean, options)
  }

  /** Deletes the row with this primary key; resolves with whether there was one. */
  delete(key: Key, options: TransactionOptions = {}): Promise<boolean> {
    return this.#context.queue.run(() => this.deleteNow(key), options)
  }

  /** As `delete`, blocking; see `insertSync`. */
  deleteSync(key: Key, options?: TransactionOptions): boolean {
    return this.#context.queue.runSync(() => this.deleteNow(key) as boolean, options)
  }

  /**
   * Sets columns of the rows that meet the conditions, in a transaction of its own; resolves with how many there were, or
   * with what was to be returned of them. See docs/statements.md. Throws 42703, 42804, 23505, 23502, 40001.
   */
  updateWhere<R extends object = T>(
    request: UpdateRequest<T> & { returning: Returning },
    options?: TransactionOptions,
  ): Promise<R[]>
  updateWhere(request: UpdateRequest<T>, options?: TransactionOptions): Promise<number>
  updateWhere<R>(
    request: UpdateRequest<T>,
    options: TransactionOptions = {},
  ): Promise<number | R[]> {
    return this.#context.queue.run(() => this.updateWhereNow<R>(request, options.signal), options)
  }

  /** As `updateWhere`, blocking; see `insertSync`. */
  updateWhereSync<R extends object = T>(
    request: UpdateRequest<T> & { returning: Returning },
    options?: TransactionOptions,
  ): R[]
  updateWhereSync(request: UpdateRequest<T>, options?: TransactionOptions): number
  updateWhereSync<R>(request: UpdateRequest<T>, options?: TransactionOptions): number | R[] {
    return this.#context.queue.runSync(
      () => this.updateWhereNow<R>(request) as number | R[],
      options,
    )
  }

  /**
   * The plan of `updateWhere`, as EXPLAIN shows it, with the options of a query's `explain`. With `analyze` the rows are
   * updated, in a transaction of its own.
   */
  explainUpdate(
    request: UpdateRequest<T>,
    options: ExplainOptions & TransactionOptions & { format: 'json' },
  ): Promise<[Explanation]>
  explainUpdate(
    request: UpdateRequest<T>,
    options?: ExplainOptions & TransactionOptions & { format?: 'text' },
  ): Promise<string>
  explainUpdate(
    request: UpdateRequest<T>,
    options: ExplainOptions & TransactionOptions = {},
  ): Promise<string | [Explanation]> {
    return this.#explainChange(
      'Update',
      (planner) => planner.update(request as UpdateRequest),
      options,
    )
  }

  /**
   * As `explainUpdate`, of `insertMany`: with `analyze` the rows are inserted, as one statement. Where they come from takes
   * no time and no blocks.
   */
  explainInsert(
    rows: readonly Partial<T>[],
    options: InsertRequest<T> & ExplainOptions & TransactionOptions & { format: 'json' },
  ): Promise<[Explanation]>
  explainInsert(
    rows: readonly Partial<T>[],
    options?: InsertRequest<T> & ExplainOptions & TransactionOptions & { format?: 'text' },
  ): Promise<string>
  explainInsert(
    rows: readonly Partial<T>[],
    options: InsertRequest<T> & ExplainOptions & TransactionOptions = {},
  ): Promise<string | [Explanation]> {
    if (rows.length === 0) return Promise.reject(new PgError('22023', 'there is no row to insert'))
    const request = { onConflict: options.onConflict, returning: options.returning }
    return this.#explain((planner) => planner.insert(request as InsertRequest), options, {
      run: (run) => run.insert(rows),
      show: (context, plan, reports) => explainInsert(context, plan, rows.length, reports, options),
    })
  }

  /** As `explainUpdate`, of `deleteWhere`. */
  explainDelete(
    request: DeleteRequest,
    options: ExplainOptions & TransactionOptions & { format: 'json' },
  ): Promise<[Explanation]>
  explainDelete(
    request?: DeleteRequest,
    options?: ExplainOptions & TransactionOptions & { format?: 'text' },
  ): Promise<string>
  explainDelete(
    request: DeleteRequest = {},
    options: ExplainOptions & TransactionOptions = {},
  ): Promise<string | [Explanation]> {
    return this.#explainChange('Delete', (planner) => planner.delete(request), options)
  }

  #explainChange(
    operation: 'Update' | 'Delete',
    plan: (planner: ChangePlanner) => ChangePlan,
    options: ExplainOptions & TransactionOptions,
  ): Promise<string | [Explanation]> {
    return this.#explain(plan, options, {
      run: (run) => run.change(),
      show: (context, planned, reports) =>
        explainChange(context, operation, planned, reports, options),
    })
  }

  async #explain(
    plan: (planner: ChangePlanner) => ChangePlan,
    options: ExplainOptions & TransactionOptions,
    statement: ExplainedStatement,
  ): Promise<string | [Explanation]> {
    const { native, planContext, queue } = this.#context
    refuseUnmeant(options)
    return queue.run(
      () =>
        this.#locked('row exclusive', (info, wait) => {
          const context = planContext()
          const begun = performance.now()
          const planned = plan(new ChangePlanner(context, info))
          const planning = performance.now() - begun
          if (!options.analyze) {
            return shown(statement.show(context, planned, []), options)
          }
          const run = new ChangeRun(native, planned, wait, options.signal)
          return whenDone(statement.run(run), () => {
            run.finish()
            const execution = performance.now() - begun - planning
            const explained = statement.show(context, planned, run.reports())
            const times = { 'Planning Time': planning, 'Execution Time': execution }
            return shown({ ...explained, ...times }, options)
          })
        }),
      options,
    )
  }

  /** Deletes the rows that meet the conditions; as `updateWhere`. */
  deleteWhere<R extends object = T>(
    request: DeleteRequest & { returning: Returning },
    options?: TransactionOptions,
  ): Promise<R[]>
  deleteWhere(request?: DeleteRequest, options?: TransactionOptions): Promise<number>
  deleteWhere<R>(
    request: DeleteRequest = {},
    options: TransactionOptions = {},
  ): Promise<number | R[]> {
    return this.#context.queue.run(() => this.deleteWhereNow<R>(request, options.signal), options)
  }

  /** As `deleteWhere`, blocking; see `insertSync`. */
  deleteWhereSync<R extends object = T>(
    request: DeleteRequest & { returning: Returning },
    options?: TransactionOptions,
  ): R[]
  deleteWhereSync(request?: DeleteRequest, options?: TransactionOptions): number
  deleteWhereSync<R>(request: DeleteRequest = {}, options?: TransactionOptions): number | R[] {
    return this.#context.queue.runSync(
      () => this.deleteWhereNow<R>(request) as number | R[],
      options,
    )
  }

  // The methods whose names end in "Now" work in the open transaction; they return promises when they have to wait for
  // other transactions.

  insertNow(rows: readonly Partial<T>[]): void | Promise<void> {
    const { native } = this.#context
    return this.#locked('row exclusive', (info, wait) =>
      whenDone(info.access.insertWaiting(native, rows, wait), () => native.advanceCommand()),
    )
  }

  updateNow(key: Key, changes: Partial<T>): boolean | Promise<boolean> {
    return whenDone(this.updateManyNow([[key, changes]]), (updated) => updated > 0)
  }

  updateManyNow(entries: readonly (readonly [Key, Partial<T>])[]): number | Promise<number> {
    const { native } = this.#context
    return this.#locked('row exclusive', (info, wait) => {
      const index = primaryIndex(info)
      const keys = entries.map(([key]) => keyValues(info, index, key, true))
      const changes = entries.map(([, change]) => change)
      return info.access.updateByKey(native, index, keys, changes, wait)
    })
  }

  deleteNow(key: Key): boolean | Promise<boolean> {
    const { native } = this.#context
    return this.#locked('row exclusive', (info, wait) => {
      const index = primaryIndex(info)
      const found = info.access.find(native, index, keyValues(info, index, key, true), [])
      if (found === undefined) return false
      const deleted = info.access.deleteWaiting(native, found.tid, index, wait)
      return whenDone(deleted, (result) => {
        native.advanceCommand()
        if (result === 'ok') return true
        if (result === 'deleted' || result === 'invisible') return false
        throw new PgError('40001', 'could not serialize access due to concurrent update', {
          schema: info.schema,
          table: info.name,
        })
      })
    })
  }

  updateWhereNow<R>(
    request: UpdateRequest<T>,
    signal?: AbortSignal,
  ): number | R[] | Promise<number | R[]> {
    return this.#change<R>((planner) => planner.update(request as UpdateRequest), request, signal)
  }

  deleteWhereNow<R>(
    request: DeleteRequest,
    signal?: AbortSignal,
  ): number | R[] | Promise<number | R[]> {
    return this.#change<R>((planner) => planner.delete(request), request, signal)
  }

  #change<R>(
    plan: (planner: ChangePlanner) => ChangePlan,
    { returning }: { returning?: Returning },
    signal: AbortSignal | undefined,
  ): number | R[] | Promise<number | R[]> {
    const { native, planContext } = this.#context
    return this.#locked('row exclusive', (info, wait) => {
      const planned = plan(new ChangePlanner(planContext(), info))
      const run = new ChangeRun<R>(native, planned, wait, signal)
      return whenDone(run.change(), () => given(run.finish(), returning))
    })
  }

  /** With `onConflict` or `returning`: the number of rows inserted or updated, or what was to be returned of them. */
  insertManyNow<R>(
    rows: readonly Partial<T>[],
    request: InsertRequest<T>,
    signal?: AbortSignal,
  ): number | R[] | Promise<number | R[]> {
    return whenDone(this.#beginInsert<R>(request, signal), (run) =>
      whenDone(run.insert(rows), () => given(run.finish(), request.returning)),
    )
  }

  #beginInsert<R>(
    request: InsertRequest<T>,
    signal: AbortSignal | undefined,
  ): ChangeRun<R> | Promise<ChangeRun<R>> {
    const { native, planContext } = this.#context
    return this.#locked('row exclusive', (info, wait) => {
      const planned = new ChangePlanner(planContext(), info).insert(request as InsertRequest)
      return new ChangeRun<R>(native, planned, wait, signal)
    })
  }

  getLockedNow(
    key: Key,
    options: LockOptions & { columns?: readonly (keyof T & string)[] },
  ): T | undefined | Promise<T | undefined> {
    const { native } = this.#context
    return this.#locked('row share', (info, wait) => {
      const index = primaryIndex(info)
      const values = keyValues(info, index, key, true)
      const found = info.access.find(native, index, values, [])
      if (found === undefined) return undefined
      const locked = info.access.lockRow<T>(
        native,
        found.tid,
        options.lock,
        options.wait ?? wait,
        index,
        [],
        options.columns,
      )
      return whenDone(locked, (row) => {
        native.advanceCommand()
        return row
      })
    })
  }

  scanLockedNow(options: LockOptions & ScanOptions<T>): T[] | Promise<T[]> {
    return this.#locked('row share', (info, wait) => {
      const conditions = conditionsOf(options.where)
      const found = info.access.scanWithTids(this.#context.native, { columns: [], conditions })
      return this.#lockAll(info, found, conditions, options, wait)
    })
  }

  rangeLockedNow(options: LockOptions & RangeOptions<T>): T[] | Promise<T[]> {
    return this.#locked('row share', (info, wait) => {
      const conditions = conditionsOf(options.where)
      const bounds = rangeBounds(info, rangeIndex(info, options), options)
      const found = info.access.rangeWithTids(this.#context.native, bounds, {
        columns: [],
        conditions,
      })
      const all = [...conditions, ...boundConditions(info, bounds)]
      return this.#lockAll(info, found, all, options, wait)
    })
  }

  lockNow(level: LockLevel, mayWait: boolean): boolean | Promise<boolean> {
    const { queue, lock } = this.#context
    return queue.write(() => lock(level, mayWait))
  }

  // Locks the rows found, one after the other, until there are as many as wanted.
  #lockAll(
    info: RelationInfo,
    found: Iterator<{ tid: Tid }>,
    conditions: readonly Condition[],
    options: LockOptions & ScanOptions<T>,
    wait: NativeWait,
  ): T[] | Promise<T[]> {
    const { native } = this.#context
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const rows: T[] = []
    const end = () => {
      found.return?.()
      native.advanceCommand()
      return rows
    }
    const next = (): T[] | Promise<T[]> => {
      while (rows.length < limit) {
        const { done, value } = found.next()
        if (done) break
        const locked = info.access.lockRow<T>(
          native,
          value.tid,
          options.lock,
          options.wait ?? wait,
          -1,
          conditions,
          options.columns,
        )
        if (locked instanceof Promise) {
          return locked.then((row) => {
            if (row !== undefined) rows.push(row)
            return next()
          })
        }
        if (locked !== undefined) rows.push(locked)
      }
      return end()
    }
    return next()
  }

  // Locks the relation, then works on it as it is then.
  #locked<R>(
    level: LockLevel,
    action: (info: RelationInfo, wait: NativeWait) => R | Promise<R>,
  ): R | Promise<R> {
    const { queue, relation, lock } = this.#context
    return queue.write(() => {
      const wait = queue.mayWait ? 'wait' : 'refuse'
      return whenDone(lock(level, true), () => action(relation(), wait))
    })
  }
}

function isRequest<T>(options: InsertRequest<T> | undefined): options is InsertRequest<T> {
  return options?.onConflict !== undefined || options?.returning !== undefined
}

function given<R>({ count, rows }: Changed<R>, returning: Returning | undefined): number | R[] {
  return returning === undefined ? count : rows
}

// What a statement about one row gives: that row, or whether it changed anything.
function ofOne<R>(changed: number | R[]): R | boolean | undefined {
  return Array.isArray(changed) ? changed[0] : changed > 0
}

function primaryIndex(info: RelationInfo): number {
  const index = info.indexes.findIndex(({ primary }) => primary)
  if (index < 0) {
    throw new PgError('42P16', `relation "${info.name}" has no primary key`, {
      schema: info.schema,
      table: info.name,
    })
  }
  return index
}

// The key's values in the order of the index's columns. `whole`: all of them must be there.
function keyValues(
  info: RelationInfo,
  index: number,
  key: Key,
  whole: boolean,
): readonly unknown[] {
  const columns = info.indexes[index]?.keyColumns as string[]
  const values = valuesOf(columns, key)
  if (values.length > columns.length || (whole && values.length < columns.length)) {
    throw new PgError(
      '22023',
      `index "${info.indexes[index]?.name}" has ${columns.length} key columns`,
      {
        detail: `${values.length} values were given.`,
      },
    )
  }
  return values
}

function valuesOf(columns: readonly string[], key: Key): readonly unknown[] {
  if (Array.isArray(key)) return key
  if (typeof key !== 'object' || Object.getPrototypeOf(key) !== Object.prototype) return [key]
  const given = key as Record<string, unknown>
  for (const name of Object.keys(given)) {
    if (!columns.includes(name)) {
      throw new PgError('42703', `column "${name}" is not part of the key`, { column: name })
    }
  }
  const values: unknown[] = []
  for (const column of columns) {
    if (given[column] === undefined) break
    values.push(given[column])
  }
  if (values.length < Object.keys(given).length) {
    throw new PgError('22023', 'the key leaves out a column before others that it gives')
  }
  return values
}

function readOptions<T>({ columns, where, limit }: ScanOptions<T>): ReadOptions {
  return {
    ...(columns && { columns }),
    ...(limit !== undefined && { limit }),
    conditions: conditionsOf(where),
  }
}

function isOf<T>(prepared: PreparedRange<T>, { index, columns }: RangeOptions<T>): boolean {
  return prepared.name === index && areSame(prepared.columns, columns)
}

function areSame(known: readonly string[] | undefined, columns: readonly string[] | undefined) {
  if (known === undefined || columns === undefined) return known === columns
  return known.length === columns.length && known.every((name, i) => name === columns[i])
}

function rangeIndex<T>(info: RelationInfo, options: RangeOptions<T>): number {
  const index =
    options.index === undefined
      ? primaryIndex(info)
      : info.indexes.findIndex(({ name }) => name === options.index)
  const wanted = info.indexes[index]
  if (wanted === undefined) {
    throw new PgError('42704', `index "${options.index}" of relation "${info.name}" does not exist`)
  }
  if (wanted.unusableBecause !== undefined) {
    throw new PgError('0A000', `index "${wanted.name}" cannot be used: ${wanted.unusableBecause}`)
  }
  return index
}

function rangeBounds<T>(info: RelationInfo, index: number, options: RangeOptions<T>): RangeBounds {
  const { from, after, to, before } = options
  if (from !== undefined && after !== undefined)
    throw new PgError('22023', 'give either "from" or "after"')
  if (to !== undefined && before !== undefined)
    throw new PgError('22023', 'give either "to" or "before"')
  const lower = from ?? after
  const upper = to ?? before
  return {
    index,
    backward: options.reverse ?? false,
    lower: lower === undefined ? [] : keyValues(info, index, lower, false),
    lowerInclusive: after === undefined,
    upper: upper === undefined ? [] : keyValues(info, index, upper, false),
    upperInclusive: before === undefined,
  }
}

// What a newer version of a row must meet to be still inside the bounds.
function boundConditions(info: RelationInfo, bounds: RangeBounds): Condition[] {
  const columns = info.indexes[bounds.index]?.keyColumns as string[]
  const descending = info.access.descriptor.indexes[bounds.index]?.columns.map((c) => c.descending)
  const conditions: Condition[] = []
  const add = (values: readonly unknown[], inclusive: boolean, isLower: boolean) => {
    values.forEach((value, i) => {
      const column = columns[i] as string
      const isLast = i === values.length - 1
      const greater = isLower !== (descending?.[i] ?? false)
      const operator = greater ? '>' : '<'
      if (isLast)
        conditions.push({ column, operator: inclusive ? `${operator}=` : operator, value })
      else conditions.push({ column, operator: '=', value })
    })
  }
  const { lower = [], upper = [], lowerInclusive = true, upperInclusive = true } = bounds
  // Bounds that differ in a column before their last one cannot be said column by column.
  const shared = Math.min(lower.length, upper.length) - (lower.length === upper.length ? 1 : 0)
  const longest = Math.max(lower.length, upper.length)
  const splits = longest > 1 && (shared < longest - 1 || differsBefore(lower, upper, shared))
  if (splits) {
    throw new PgError(
      '0A000',
      'locking the rows between bounds of several columns is not supported',
      {
        hint: 'Give both bounds the same values in all columns but the last.',
      },
    )
  }
  add(lower, lowerInclusive, true)
  add(upper, upperInclusive, false)
  return conditions
}

function differsBefore(
  lower: readonly unknown[],
  upper: readonly unknown[],
  count: number,
): boolean {
  return lower.slice(0, count).some((value, i) => value !== upper[i])
}
