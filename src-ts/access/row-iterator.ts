// RowIterator: the rows of a native scan, one object at a time, a batch at a time across the boundary.
import type { NativeScan, RowLayout } from '../binding/native.ts'
import { RowBatch } from './row-batch.ts'
import type { RowDecoder } from './row-decoder.ts'
import type { Tid } from './tid.ts'

// Enough rows to make a call across the boundary cheap, few enough that the batch's string stays small.
export const scanBatchRows = 1000
export const scanBatchBytes = 256 * 1024

export interface Reader {
  layout: { id: number } & RowLayout
  newDecoder: () => RowDecoder<unknown>
}

/** Ends with the transaction at the latest. Leaving a `for … of` early releases the scan, as does `return()`. */
export class RowIterator<T> implements IterableIterator<T> {
  readonly #scan: NativeScan
  readonly #layout: RowLayout
  readonly #decoder: RowDecoder<unknown>
  #batch: RowBatch | undefined
  #row = 0
  #rows = 0
  #ended = false

  constructor(scan: NativeScan, reader: Reader) {
    this.#scan = scan
    this.#layout = reader.layout
    this.#decoder = reader.newDecoder()
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<T, undefined> {
    if (this.#row === this.#rows && !this.#fill()) return { done: true, value: undefined }
    return { done: false, value: this.#decoder.row(this.#row++) as T }
  }

  return(): IteratorResult<T, undefined> {
    this.#close()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    this.#close()
  }

  /** All remaining rows. */
  toArray(): T[] {
    const rows: T[] = []
    const decoder = this.#decoder
    do {
      for (; this.#row < this.#rows; this.#row++) rows.push(decoder.row(this.#row) as T)
    } while (this.#fill())
    return rows
  }

  /** The address of the row that `next` gave last. */
  lastTid(): Tid {
    return (this.#batch as RowBatch).tid(this.#layout, this.#row - 1)
  }

  // Gets the next batch; false at the end.
  #fill(): boolean {
    if (this.#ended) return false
    this.#batch ??= new RowBatch(this.#layout.heap + scanBatchBytes)
    const batch = this.#batch
    for (;;) {
      this.#rows = this.#scan.next(batch.buffer)
      if (this.#rows > 0 || batch.ended) break
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    }
    this.#row = 0
    if (batch.ended) this.#close()
    if (this.#rows === 0) return false
    this.#decoder.attach(batch)
    return true
  }

  #close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#scan.close()
  }
}

/** Pairs of a row and its address. */
export class TidIterator<T> implements IterableIterator<{ row: T; tid: Tid }> {
  readonly #rows: RowIterator<T>

  constructor(rows: RowIterator<T>) {
    this.#rows = rows
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<{ row: T; tid: Tid }, undefined> {
    const { done, value } = this.#rows.next()
    if (done === true) return { done, value: undefined }
    return { done: false, value: { row: value, tid: this.#rows.lastTid() } }
  }

  return(): IteratorResult<{ row: T; tid: Tid }, undefined> {
    this.#rows.return()
    return { done: true, value: undefined }
  }
}
