// RelationAccess: one relation as its reader and writer see it, in terms of JavaScript rows.
//
// Used for user tables and for the system catalogs alike. It knows columns, codecs and batches; what a key or a
// condition means to the user is decided above. Not bound to a session: every call names one.
import type {
  Acknowledged,
  InsertedAlone,
  Locator,
  NativeAggregate,
  NativeCluster,
  NativeFilter,
  NativeRange,
  NativeRelation,
  NativeScan,
  NativeSession,
  NativeWait,
  RelationDescriptor,
  RowLayout,
  RowLock,
  RowResult,
} from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { whenDone, withError } from '../transaction/when-done.ts'
import type { TypeCodec } from '../types/codec.ts'
import { PointLookup } from './point-lookup.ts'
import { RangeLookup, rangeBatchBytes, rangeBatchRows } from './range-lookup.ts'
import { RowBatch } from './row-batch.ts'
import { type RowDecoder, rowDecoderFactory } from './row-decoder.ts'
import { withRefusedRow } from './row-detail.ts'
import { makeRowEncoder, type RowEncoder } from './row-encoder.ts'
import {
  type Reader,
  RowIterator,
  scanBatchBytes,
  scanBatchRows,
  TidIterator,
} from './row-iterator.ts'
import { portalParent } from './session-memory.ts'
import type { Tid } from './tid.ts'

export interface AccessColumn {
  name: string
  /** The heap column, numbered from 1. */
  attribute: number
  codec: TypeCodec
}

export type ScanOperator = NativeFilter['operator']

/** `column operator value`; the null tests take no value. */
export interface Condition {
  column: string
  operator: ScanOperator
  value?: unknown
}

/** Bounds of an index scan on leading key columns; a bound lists the values of as many columns as it restricts. */
export interface RangeBounds {
  /** Position of the index in the descriptor. */
  index: number
  lower?: readonly unknown[]
  lowerInclusive?: boolean
  upper?: readonly unknown[]
  upperInclusive?: boolean
  backward?: boolean
}

export interface ReadOptions {
  /** Columns of the rows, in this order; all when left out. */
  columns?: readonly string[]
  conditions?: readonly Condition[]
  /** Rows at most. */
  limit?: number
}

const stagingBatchRows = 1000
const stagingBatchBytes = 512 * 1024
const pointBatchBytes = 16 * 1024
const pointKeyBytes = 1024
const changeBatchBytes = 64 * 1024
const keyBatchRows = 256
const fewBatchRows = 64

type LayoutHandle = { id: number } & RowLayout

interface PointReader {
  layout: LayoutHandle
  decoder: RowDecoder<unknown>
}

interface Staging {
  layout: LayoutHandle
  encoder: RowEncoder
  batch: RowBatch
}

// Of rows that give these columns, in this order.
interface ChangeStaging {
  names: readonly string[]
  staging: Staging
}

function givesColumns(row: object, names: readonly string[]): boolean {
  let i = 0
  for (const name in row) {
    if (names[i++] !== name || (row as Record<string, unknown>)[name] === undefined) return false
  }
  return i === names.length
}

export class RelationAccess {
  readonly native: NativeRelation
  readonly descriptor: RelationDescriptor
  readonly columns: readonly AccessColumn[]
  readonly #byName: Map<string, AccessColumn>
  readonly #readers = new Map<string, Reader>()
  readonly #pointReaders = new Map<string, PointReader>()
  // One for each key of a batch: whether it has a row.
  #hits: Uint8Array | undefined
  readonly #keyStagings: (Staging | undefined)[] = []
  readonly #conditionStagings = new Map<string, Staging>()
  #staging: Staging | undefined
  readonly #changeStagings = new Map<string, ChangeStaging>()
  #lastChanges: ChangeStaging | undefined
  // One row at a time goes through here; calls are synchronous, so it is free again when they return.
  readonly #pointBatch = new RowBatch(pointBatchBytes)
  #manyBatch: RowBatch | undefined

  constructor(
    cluster: NativeCluster,
    descriptor: RelationDescriptor,
    columns: readonly AccessColumn[],
  ) {
    this.native = cluster.relation(descriptor)
    this.descriptor = descriptor
    this.columns = columns
    this.#byName = new Map(columns.map((column) => [column.name, column]))
  }

  get locator(): Locator {
    return this.descriptor.locator
  }

  /** The column of that name. Throws 42703. */
  column(name: string): AccessColumn {
    const column = this.#byName.get(name)
    if (column === undefined) {
      throw new PgError(
        '42703',
        `column "${name}" of relation "${this.descriptor.name}" does not exist`,
        {
          schema: this.descriptor.schema,
          table: this.descriptor.name,
          column: name,
        },
      )
    }
    return column
  }

  /** Inserts the rows with their index entries, `stagingBatchRows` at a time. Returns their number. Throws 55P03 rather than wait. */
  insert(session: NativeSession, rows: readonly object[], frozen = false): number {
    return this.insertWaiting(session, rows, 'refuse', frozen) as number
  }

  /** As `insert`; a promise when it waits for other transactions with keys of these rows. */
  insertWaiting(
    session: NativeSession,
    rows: readonly object[],
    wait: NativeWait,
    frozen = false,
    start = 0,
  ): number | Promise<number> {
    this.#staging ??= this.#makeStaging(this.columns, stagingBatchRows, stagingBatchBytes)
    const { layout, encoder, batch } = this.#staging
    let done = start
    while (done < rows.length) {
      const first = done
      const count = encoder.encode(batch, rows, first)
      const inserted = withError(
        () => session.insert(this.native, layout.id, batch.buffer, frozen, wait),
        (error) => withRefusedRow(error, this, rows[first + session.failedRow()]),
      )
      done += count
      if (inserted instanceof Promise) {
        const next = done
        return inserted.then(() => this.insertWaiting(session, rows, wait, frozen, next))
      }
    }
    return done
  }

  /** Stages rows from `start` on for NativeSession.supplyRows, as many as go into a batch; in use until it is called. */
  stageRows(
    rows: readonly object[],
    start: number,
  ): { layout: number; buffer: Uint8Array; count: number } {
    this.#staging ??= this.#makeStaging(this.columns, stagingBatchRows, stagingBatchBytes)
    const { layout, encoder, batch } = this.#staging
    const count = encoder.encode(batch, rows, start)
    return { layout: layout.id, buffer: batch.buffer, count }
  }

  /** Inserts one row in a transaction of its own, if a single call can: see NativeSession.insertAlone. */
  insertAlone(
    session: NativeSession,
    row: object,
    acknowledged: Acknowledged,
    mayWait: boolean,
  ): InsertedAlone {
    // Its commit may have more to do.
    if (this.descriptor.persistence === 't') return false
    this.#staging ??= this.#makeStaging(this.columns, stagingBatchRows, stagingBatchBytes)
    const { layout, encoder, batch } = this.#staging
    encoder.encode(batch, [row], 0)
    const refused = (error: unknown) => {
      throw withRefusedRow(error, this, row)
    }
    try {
      const inserted = session.insertAlone(
        this.native,
        layout.id,
        batch.buffer,
        acknowledged,
        mayWait,
      )
      return Array.isArray(inserted) ? [inserted[0].catch(refused)] : inserted
    } catch (error) {
      return refused(error)
    }
  }

  /** Inserts one row and tells its address. */
  insertOne(session: NativeSession, row: object): Tid {
    this.insert(session, [row])
    const [block, offset] = session.insertedTids()
    return { block: block as number, offset: offset as number }
  }

  /** Replaces the named columns of the row at `tid`. Throws 55P03 rather than wait. */
  update(session: NativeSession, tid: Tid, changes: object): RowResult {
    return this.updateWaiting(session, tid, changes, -1, 'refuse') as RowResult
  }

  /** As `update`, of a row found by its key in an index (by position; -1: otherwise); a promise when it waits. */
  updateWaiting(
    session: NativeSession,
    tid: Tid,
    changes: object,
    keyIndex: number,
    wait: NativeWait,
  ): RowResult | Promise<RowResult> {
    const { layout, batch } = this.#stageChanges(changes)
    return session.update(
      this.native,
      layout.id,
      batch.buffer,
      tid.block,
      tid.offset,
      keyIndex,
      wait,
    )
  }

  /**
   * Replaces columns of the rows with these keys of a unique index (a list of values each), one after the other. Returns
   * how many rows there were, `before` included; a promise when it waits.
   */
  updateByKey(
    session: NativeSession,
    index: number,
    keys: readonly (readonly unknown[])[],
    changes: readonly object[],
    wait: NativeWait,
    start = 0,
    before = 0,
  ): number | Promise<number> {
    const keyed = this.#keyStaging(index)
    let updated = before
    let done = start
    while (done < keys.length) {
      const first = done
      const { names, staging } = this.#changeStaging(changes[first] as object)
      let end = first + 1
      while (end < keys.length && givesColumns(changes[end] as object, names)) end++
      // As many rows as there are keys, whichever of them fill their buffer first.
      let count = keyed.encoder.encode(keyed.batch, keys, first, end)
      const changed = staging.encoder.encode(staging.batch, changes, first, first + count)
      if (changed < count) count = keyed.encoder.encode(keyed.batch, keys, first, first + changed)
      done += count
      const result = withError(
        () =>
          session.updateByKey(
            this.native,
            index,
            keyed.layout.id,
            keyed.batch.buffer,
            staging.layout.id,
            staging.batch.buffer,
            wait,
          ),
        (error) => {
          if (!(error instanceof PgError) || !error.code.startsWith('23')) return error
          const row = first + session.failedRow()
          const old = this.get<object>(session, index, keys[row] as readonly unknown[])
          return withRefusedRow(error, this, { ...old, ...changes[row] })
        },
      )
      if (result instanceof Promise) {
        const next = done
        const sum = updated
        return result.then((more) =>
          this.updateByKey(session, index, keys, changes, wait, next, sum + more),
        )
      }
      updated += result
    }
    return updated
  }

  /** As `update`, overwriting the row for everybody and for good: columns of fixed width of catalogs only. */
  updateInPlace(
    session: NativeSession,
    tid: Tid,
    changes: object,
  ): ReturnType<NativeSession['updateInPlace']> {
    const { layout, batch } = this.#stageChanges(changes)
    return session.updateInPlace(this.native, layout.id, batch.buffer, tid.block, tid.offset)
  }

  #stageChanges(changes: object): Staging {
    const { staging } = this.#changeStaging(changes)
    staging.encoder.encode(staging.batch, [changes], 0)
    return staging
  }

  // For rows that give the same columns as this one.
  #changeStaging(changes: object): ChangeStaging {
    if (this.#lastChanges !== undefined && givesColumns(changes, this.#lastChanges.names))
      return this.#lastChanges
    const names = Object.keys(changes).filter(
      (name) => (changes as Record<string, unknown>)[name] !== undefined,
    )
    const key = JSON.stringify(names)
    let found = this.#changeStagings.get(key)
    if (found === undefined) {
      const columns = names.map((name) => this.column(name))
      found = { names, staging: this.#makeStaging(columns, keyBatchRows, changeBatchBytes) }
      this.#changeStagings.set(key, found)
    }
    this.#lastChanges = found
    return found
  }

  /** An error of class 23 with what it says about the row that a statement would have written, by default `given`. */
  withRefusedRow(session: NativeSession, error: unknown, given?: object): unknown {
    if (!(error instanceof PgError) || !error.code.startsWith('23')) return error
    const { layout, decoder } = this.#pointReader(undefined, false)
    const batch = this.#pointBatch
    if (batch.buffer.length < layout.heap) batch.grow(layout.heap + pointBatchBytes)
    while (session.refusedRow(this.native, layout.id, batch.buffer) === 0) {
      if (batch.needed === 0) return withRefusedRow(error, this, given)
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    }
    decoder.attach(batch)
    return withRefusedRow(error, this, decoder.row(0) as object)
  }

  /** Throws 55P03 rather than wait. */
  delete(session: NativeSession, tid: Tid): RowResult {
    return this.deleteWaiting(session, tid, -1, 'refuse') as RowResult
  }

  deleteWaiting(
    session: NativeSession,
    tid: Tid,
    keyIndex: number,
    wait: NativeWait,
  ): RowResult | Promise<RowResult> {
    return session.delete(this.native, tid.block, tid.offset, keyIndex, wait)
  }

  /**
   * Locks the row at `tid` and gives it as it is then, or undefined: it is gone, does not meet the conditions any more,
   * or was skipped.
   */
  lockRow<T>(
    session: NativeSession,
    tid: Tid,
    lock: RowLock,
    wait: NativeWait,
    keyIndex: number,
    conditions: readonly Condition[],
    columns?: readonly string[],
  ): T | undefined | Promise<T | undefined> {
    const { filters, staging } = this.#conditions(conditions)
    const result = session.lockRow(
      this.native,
      tid.block,
      tid.offset,
      lock,
      wait,
      keyIndex,
      filters,
      staging?.layout.id ?? 0,
      staging?.batch.buffer,
    )
    return whenDone(result, (outcome) =>
      outcome === 'ok' ? this.#fetchLocked<T>(session, columns) : undefined,
    )
  }

  #fetchLocked<T>(session: NativeSession, columns: readonly string[] | undefined): T {
    const [block, offset] = session.lockedTid()
    const { layout, decoder } = this.#pointReader(columns, false)
    const batch = this.#pointBatch
    if (batch.buffer.length < layout.heap) batch.grow(layout.heap + pointBatchBytes)
    while (
      session.fetchRow(this.native, block as number, offset as number, layout.id, batch.buffer) ===
      0
    ) {
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    }
    decoder.attach(batch)
    return decoder.row(0) as T
  }

  /** The visible row whose index key equals `key` (one value per key column), or undefined. */
  get<T>(
    session: NativeSession,
    index: number,
    key: readonly unknown[],
    columns?: readonly string[],
  ): T | undefined {
    const reader = this.#pointReader(columns, false)
    return this.#point(session, index, key, reader) ? (reader.decoder.row(0) as T) : undefined
  }

  /** For a session that reads rows by their keys in a unique index again and again. */
  pointLookup<T>(
    session: NativeSession,
    index: number,
    columns: readonly string[] | undefined,
  ): PointLookup<T> {
    const names = this.#keyNames(index)
    const keyed = names.map((name) => this.column(name))
    const keys = this.#makeStaging(keyed, 1, pointKeyBytes, true)
    const { layout, newDecoder } = this.#reader(columns, 1, false)
    return new PointLookup<T>({
      prepare: (staged, batch) =>
        session.prepareLookup(
          this.native,
          index,
          keys.layout.id,
          staged.buffer,
          layout.id,
          batch.buffer,
        ),
      encoder: keys.encoder,
      keys: keys.batch,
      decoder: newDecoder(),
      batch: new RowBatch(layout.heap + pointBatchBytes),
    })
  }

  /** For a session that reads ranges of an index again and again. */
  rangeLookup<T>(
    session: NativeSession,
    index: number,
    columns: readonly string[] | undefined,
  ): RangeLookup<T> {
    const keyed = this.#keyNames(index).map((name) => this.column(name))
    const reader = this.#reader(columns, rangeBatchRows, false)
    return new RangeLookup<T>(() => {
      const keys = this.#makeStaging(keyed, 2, pointKeyBytes, true)
      return {
        prepare: (staged, batch) =>
          session.prepareRange(
            this.native,
            index,
            keys.layout.id,
            staged.buffer,
            reader.layout.id,
            batch.buffer,
          ),
        encoder: keys.encoder,
        keys: keys.batch,
        decoder: reader.newDecoder(),
        batch: new RowBatch(reader.layout.heap + rangeBatchBytes),
      }
    })
  }

  /** As `get`, with the row's address. */
  find<T>(
    session: NativeSession,
    index: number,
    key: readonly unknown[],
    columns?: readonly string[],
  ): { row: T; tid: Tid } | undefined {
    const reader = this.#pointReader(columns, true)
    if (!this.#point(session, index, key, reader)) return undefined
    return { tid: this.#pointBatch.tid(reader.layout, 0), row: reader.decoder.row(0) as T }
  }

  /** The rows for many keys, in the keys' order; undefined where there is none. */
  getMany<T>(
    session: NativeSession,
    index: number,
    keys: readonly (readonly unknown[])[],
    columns?: readonly string[],
  ): (T | undefined)[] {
    const found: (T | undefined)[] = []
    const staging = this.#keyStaging(index)
    const reader = this.#reader(columns, keyBatchRows, false)
    this.#manyBatch ??= new RowBatch(reader.layout.heap + scanBatchBytes)
    const batch = this.#manyBatch
    if (batch.buffer.length < reader.layout.heap) batch.grow(reader.layout.heap + scanBatchBytes)
    reader.decoder ??= reader.newDecoder()
    const { decoder } = reader
    this.#hits ??= new Uint8Array(keyBatchRows)
    const hits = this.#hits
    let start = 0
    while (start < keys.length) {
      staging.encoder.encode(staging.batch, keys, start)
      let answered = 0
      while (answered === 0) {
        answered = session.lookup(
          this.native,
          index,
          staging.layout.id,
          staging.batch.buffer,
          reader.layout.id,
          batch.buffer,
          hits,
        )
        if (answered === 0) batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
      }
      decoder.attach(batch)
      let row = 0
      for (let key = 0; key < answered; key++) {
        found.push(hits[key] === 1 ? (decoder.row(row++) as T) : undefined)
      }
      start += answered
    }
    return found
  }

  /** All visible rows that meet the conditions, in the order of the heap. */
  scan<T>(session: NativeSession, options: ReadOptions = {}): RowIterator<T> {
    const reader = this.#reader(options.columns, scanBatchRows, false)
    const { filters, staging } = this.#conditions(options.conditions)
    const scan = session.scan(
      this.native,
      reader.layout.id,
      filters,
      staging?.layout.id ?? 0,
      staging?.batch.buffer,
    )
    return this.#rows<T>(session, scan, reader, options.limit)
  }

  /** As `scan`, with each row's address. */
  scanWithTids<T>(session: NativeSession, options: ReadOptions = {}): TidIterator<T> {
    const reader = this.#reader(options.columns, scanBatchRows, true)
    const { filters, staging } = this.#conditions(options.conditions)
    const scan = session.scan(
      this.native,
      reader.layout.id,
      filters,
      staging?.layout.id ?? 0,
      staging?.batch.buffer,
    )
    return new TidIterator<T>(this.#rows<T>(session, scan, reader))
  }

  /** The visible rows in index order between the bounds. */
  range<T>(session: NativeSession, bounds: RangeBounds, options: ReadOptions = {}): RowIterator<T> {
    const reader = this.#reader(options.columns, scanBatchRows, false)
    const scan = this.#openRange(session, bounds, options, reader)
    return this.#rows<T>(session, scan, reader, options.limit)
  }

  /** As `range`, all rows at once: for few of them, of which a scan would need more memory than they do. */
  rangeOfFew<T>(session: NativeSession, bounds: RangeBounds): T[] {
    const reader = this.#reader(undefined, fewBatchRows, false)
    reader.decoder ??= reader.newDecoder()
    const { decoder } = reader
    const batch = this.#pointBatch
    const needed = reader.layout.heap + pointBatchBytes
    if (batch.buffer.length < needed) batch.grow(needed)
    const scan = this.#openRange(session, bounds, {}, reader)
    const rows: T[] = []
    try {
      do {
        const count = scan.next(batch.buffer)
        if (count > 0) decoder.attach(batch)
        for (let row = 0; row < count; row++) rows.push(decoder.row(row) as T)
        if (count === 0 && !batch.ended) batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
      } while (!batch.ended)
    } finally {
      scan.close()
    }
    return rows
  }

  rangeWithTids<T>(
    session: NativeSession,
    bounds: RangeBounds,
    options: ReadOptions = {},
  ): TidIterator<T> {
    const reader = this.#reader(options.columns, scanBatchRows, true)
    return new TidIterator<T>(
      this.#rows<T>(session, this.#openRange(session, bounds, options, reader), reader),
    )
  }

  #rows<T>(
    session: NativeSession,
    scan: NativeScan,
    reader: Reader,
    limit?: number,
  ): RowIterator<T> {
    const { schema, name } = this.descriptor
    return new RowIterator<T>(scan, reader, portalParent(session), `${schema}.${name}`, limit)
  }

  aggregate(
    session: NativeSession,
    aggregates: readonly { kind: NativeAggregate['kind']; column?: string }[],
    conditions?: readonly Condition[],
  ): (number | bigint | null)[] {
    const { filters, staging } = this.#conditions(conditions)
    const wanted = aggregates.map(({ kind, column }) => ({
      kind,
      attribute: column === undefined ? 0 : this.column(column).attribute,
    }))
    return session.aggregate(
      this.native,
      wanted,
      filters,
      staging?.layout.id ?? 0,
      staging?.batch.buffer,
    )
  }

  #openRange(
    session: NativeSession,
    bounds: RangeBounds,
    options: ReadOptions,
    reader: Reader,
  ): NativeScan {
    const { filters, staging } = this.#conditions(options.conditions)
    const keys = this.#keyStaging(bounds.index)
    const lower = bounds.lower ?? []
    const upper = bounds.upper ?? []
    keys.encoder.encode(keys.batch, [lower, upper], 0)
    const range: NativeRange = {
      index: bounds.index,
      backward: bounds.backward ?? false,
      lowerCount: lower.length,
      lowerInclusive: bounds.lowerInclusive ?? true,
      upperCount: upper.length,
      upperInclusive: bounds.upperInclusive ?? true,
    }
    return session.range(
      this.native,
      reader.layout.id,
      range,
      keys.layout.id,
      keys.batch.buffer,
      filters,
      staging?.layout.id ?? 0,
      staging?.batch.buffer,
    )
  }

  // Looks one key up into the point batch; true when there is a row, with the decoder attached.
  #point(
    session: NativeSession,
    index: number,
    key: readonly unknown[],
    reader: PointReader,
  ): boolean {
    const keys = this.#keyStaging(index)
    keys.encoder.encode(keys.batch, [key], 0)
    const batch = this.#pointBatch
    if (batch.buffer.length < reader.layout.heap) batch.grow(reader.layout.heap + pointBatchBytes)
    for (;;) {
      const answered = session.lookup(
        this.native,
        index,
        keys.layout.id,
        keys.batch.buffer,
        reader.layout.id,
        batch.buffer,
        undefined,
      )
      if (answered > 0) break
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    }
    if (batch.rows === 0) return false
    reader.decoder.attach(batch)
    return true
  }

  #keyNames(index: number): string[] {
    const { columns, keyCount } = this.#index(index)
    return columns.slice(0, keyCount).map(({ attribute }) => this.#attribute(attribute).name)
  }

  #index(index: number) {
    const descriptor = this.descriptor.indexes[index]
    if (descriptor === undefined) throw new RangeError(`relation has no index number ${index}`)
    return descriptor
  }

  #attribute(attribute: number): AccessColumn {
    const column = this.columns.find((candidate) => candidate.attribute === attribute)
    if (column === undefined) throw new RangeError(`relation has no column number ${attribute}`)
    return column
  }

  #keyStaging(index: number): Staging {
    let staging = this.#keyStagings[index]
    if (staging === undefined) {
      const columns = this.#keyNames(index).map((name) => this.column(name))
      staging = this.#makeStaging(columns, keyBatchRows, pointBatchBytes, true)
      this.#keyStagings[index] = staging
    }
    return staging
  }

  #conditions(conditions: readonly Condition[] = []): {
    filters: NativeFilter[]
    staging: Staging | undefined
  } {
    if (conditions.length === 0) return { filters: [], staging: undefined }
    const filters: NativeFilter[] = []
    const constants: AccessColumn[] = []
    const row: Record<string, unknown> = {}
    for (const { column: name, operator, value } of conditions) {
      const column = this.column(name)
      filters.push({ attribute: column.attribute, operator })
      if (operator === 'is null' || operator === 'is not null') continue
      // One staged column per condition, so that two conditions on a column keep apart.
      const constant = `${constants.length}`
      constants.push({ ...column, name: constant })
      row[constant] = value
    }
    const key = constants.map(({ attribute }) => attribute).join()
    let staging = this.#conditionStagings.get(key)
    if (staging === undefined) {
      staging = this.#makeStaging(constants, 1, pointBatchBytes)
      this.#conditionStagings.set(key, staging)
    }
    staging.encoder.encode(staging.batch, [row], 0)
    return { filters, staging }
  }

  #makeStaging(
    columns: readonly AccessColumn[],
    capacity: number,
    variableBytes: number,
    positional = false,
  ): Staging {
    const layout = this.native.layout(
      columns.map(({ attribute }) => attribute),
      capacity,
      false,
    )
    const batch = new RowBatch(layout.heap + variableBytes)
    return { layout, encoder: makeRowEncoder([...columns], layout, positional), batch }
  }

  #pointReader(names: readonly string[] | undefined, withTids: boolean): PointReader {
    const key = `${withTids ? 't' : ''}${names === undefined ? '' : JSON.stringify(names)}`
    let reader = this.#pointReaders.get(key)
    if (reader === undefined) {
      const { layout, newDecoder } = this.#reader(names, 1, withTids)
      reader = { layout, decoder: newDecoder() }
      this.#pointReaders.set(key, reader)
    }
    return reader
  }

  #reader(names: readonly string[] | undefined, capacity: number, withTids: boolean): Reader {
    const key = `${capacity}${withTids ? 't' : ''}${names === undefined ? '' : JSON.stringify(names)}`
    let reader = this.#readers.get(key)
    if (reader === undefined) {
      const columns =
        names === undefined ? [...this.columns] : names.map((name) => this.column(name))
      const layout = this.native.layout(
        columns.map(({ attribute }) => attribute),
        capacity,
        withTids,
      )
      reader = { layout, newDecoder: rowDecoderFactory(columns, layout) }
      this.#readers.set(key, reader)
    }
    return reader
  }
}
