// RangeLookup: reads the rows between two keys again and again, most often in one call.
//
// Each iteration has buffers to itself as long as it is under way; then the next one gets them. Those of an iteration that
// was forgotten are the collector's.
import { type NativePreparedRange, type NativeScan, rangeFlags } from '../binding/native.ts'
import { notNow } from './point-lookup.ts'
import type { RangeBounds } from './relation-access.ts'
import type { RowBatch } from './row-batch.ts'
import type { RowDecoder } from './row-decoder.ts'
import type { RowEncoder } from './row-encoder.ts'

// Rows of a batch: as many as most ranges have, in a buffer that stays in the processor's cache.
export const rangeBatchRows = 256
export const rangeBatchBytes = 64 * 1024
// Iterations under way at once for which buffers are kept.
const freeMax = 4
const int4Max = 2 ** 31 - 1
const none: readonly unknown[] = []

export interface RangeBuffers {
  /** Makes the native function for the buffers as they are now; see NativeSession.prepareRange. */
  prepare: (keys: RowBatch, batch: RowBatch) => NativePreparedRange | undefined
  /** Two keys, whose values come as lists, and their room. */
  encoder: RowEncoder
  keys: RowBatch
  /** The rows and their room. */
  decoder: RowDecoder<unknown>
  batch: RowBatch
  run?: NativePreparedRange | undefined
}

function prepared(buffers: RangeBuffers): NativePreparedRange | undefined {
  buffers.run = buffers.prepare(buffers.keys, buffers.batch)
  return buffers.run
}

export class RangeLookup<T> {
  readonly #newBuffers: () => RangeBuffers
  readonly #free: RangeBuffers[] = []
  readonly #release = (buffers: RangeBuffers): void => {
    if (this.#free.length < freeMax) this.#free.push(buffers)
  }

  constructor(newBuffers: () => RangeBuffers) {
    this.#newBuffers = newBuffers
  }

  /**
   * The rows in index order, `limit` at most (1 or more); the index of the bounds is the one that this was made for.
   * Throws what the keys' codecs do.
   */
  rows(bounds: RangeBounds, limit: number): RangeRows<T> | typeof notNow {
    const buffers = this.#free.pop() ?? this.#newBuffers()
    const { encoder, keys, batch } = buffers
    const lower = bounds.lower ?? none
    const upper = bounds.upper ?? none
    const staged = keys.buffer
    encoder.encode(keys, [lower, upper], 0)
    // Long keys have got a buffer of their own.
    if (keys.buffer !== staged || buffers.run === undefined) prepared(buffers)
    const flags =
      (bounds.backward === true ? rangeFlags.backward : 0) +
      (bounds.lowerInclusive === false ? 0 : rangeFlags.lowerInclusive) +
      (bounds.upperInclusive === false ? 0 : rangeFlags.upperInclusive)
    const rowsMax = Math.min(Math.ceil(limit), int4Max)
    let answer = buffers.run?.(lower.length, upper.length, flags, rowsMax) ?? -2
    while (answer === -1) {
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
      answer = prepared(buffers)?.(lower.length, upper.length, flags, rowsMax) ?? -2
    }
    if (typeof answer === 'number' && answer < 0) {
      this.#release(buffers)
      return notNow
    }
    return new RangeRows<T>(buffers, answer, Math.ceil(limit), this.#release)
  }
}

/** As RowIterator. */
export class RangeRows<T> implements IterableIterator<T> {
  readonly #release: (buffers: RangeBuffers) => void
  #buffers: RangeBuffers | undefined
  readonly #decoder: RowDecoder<unknown>
  #scan: NativeScan | undefined
  #row = 0
  #rows: number
  // Rows that are still to be fetched.
  #left: number

  /** `answer`: of a prepared range that has filled the batch. */
  constructor(
    buffers: RangeBuffers,
    answer: number | NativeScan,
    limit: number,
    release: (buffers: RangeBuffers) => void,
  ) {
    this.#buffers = buffers
    this.#release = release
    this.#decoder = buffers.decoder
    this.#scan = typeof answer === 'number' ? undefined : answer
    this.#rows = buffers.batch.rows
    this.#left = limit - this.#rows
    if (this.#rows > 0) this.#decoder.attach(buffers.batch)
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<T, undefined> {
    if (this.#row === this.#rows && !this.#fill()) return { done: true, value: undefined }
    return { done: false, value: this.#decoder.row(this.#row++) as T }
  }

  return(): IteratorResult<T, undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    this.#row = 0
    this.#rows = 0
    this.#close()
    const buffers = this.#buffers
    this.#buffers = undefined
    if (buffers !== undefined) this.#release(buffers)
  }

  // Gets the next batch; false at the end.
  #fill(): boolean {
    const batch = this.#buffers?.batch
    if (batch === undefined || this.#scan === undefined) {
      this[Symbol.dispose]()
      return false
    }
    for (;;) {
      this.#rows = this.#scan.next(batch.buffer, Math.min(this.#left, rangeBatchRows))
      if (this.#rows > 0 || batch.ended) break
      this.#grow(batch)
    }
    this.#row = 0
    this.#left -= this.#rows
    if (batch.ended || this.#left <= 0) this.#close()
    if (this.#rows === 0) {
      this[Symbol.dispose]()
      return false
    }
    this.#decoder.attach(batch)
    return true
  }

  // A native function that was made for the buffer is of no use any more.
  #grow(batch: RowBatch): void {
    batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    if (this.#buffers !== undefined) this.#buffers.run = undefined
  }

  #close(): void {
    const scan = this.#scan
    this.#scan = undefined
    scan?.close()
  }
}
