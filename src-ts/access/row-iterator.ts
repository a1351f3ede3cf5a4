// RowIterator: the rows of a native scan, one object at a time, a batch at a time across the boundary.
//
// A scan has its batch from a context of its own, a PortalContext, which goes when the last row was taken or the iterator is
// left; with the iterator at the latest.
import type { NativeScan, RowLayout } from '../binding/native.ts'
import { AllocSet } from '../memory/alloc-set.ts'
import { smallSizes } from '../memory/growing-context.ts'
import type { MemoryContext } from '../memory/memory-context.ts'
import { RowBatch } from './row-batch.ts'
import type { RowDecoder } from './row-decoder.ts'
import type { Tid } from './tid.ts'

// Enough rows to make a call across the boundary cheap, few enough that the batch's string stays small.
export const scanBatchRows = 1000
export const scanBatchBytes = 256 * 1024

export interface Reader {
  layout: { id: number } & RowLayout
  newDecoder: () => RowDecoder<unknown>
  /** For calls that have decoded all before they return; made when one needs it. */
  decoder?: RowDecoder<unknown>
}

const forgotten = new FinalizationRegistry<MemoryContext>((portal) => {
  if (!portal.deleted) portal.delete()
})

/** Ends with the transaction at the latest. Leaving a `for … of` early releases the scan, as does `return()`. */
export class RowIterator<T> implements IterableIterator<T> {
  readonly #scan: NativeScan
  readonly #layout: RowLayout
  readonly #decoder: RowDecoder<unknown>
  readonly #parent: MemoryContext
  readonly #ident: string
  #portal: MemoryContext | undefined
  #batch: RowBatch | undefined
  #row = 0
  #rows = 0
  #ended = false
  // Rows that are still to be fetched.
  #left: number

  /** `parent` and `ident`: of the scan's memory context. It ends after `limit` rows. */
  constructor(
    scan: NativeScan,
    reader: Reader,
    parent: MemoryContext,
    ident: string,
    limit = Number.POSITIVE_INFINITY,
  ) {
    this.#scan = scan
    this.#left = Math.ceil(limit)
    if (!(limit > 0)) this.#close()
    this.#layout = reader.layout
    this.#decoder = reader.newDecoder()
    this.#parent = parent
    this.#ident = ident
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
    this.#close()
    this.#release()
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
    if (this.#ended) {
      this.#release()
      return false
    }
    this.#batch ??= this.#newBatch()
    const batch = this.#batch
    for (;;) {
      this.#rows = this.#scan.next(batch.buffer, Math.min(this.#left, scanBatchRows))
      if (this.#rows > 0 || batch.ended) break
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    }
    this.#row = 0
    this.#left -= this.#rows
    if (batch.ended || this.#left <= 0) this.#close()
    if (this.#rows === 0) {
      this.#release()
      return false
    }
    this.#decoder.attach(batch)
    return true
  }

  #newBatch(): RowBatch {
    const ident = this.#ident
    this.#portal = new AllocSet(this.#parent, 'PortalContext', { ...smallSizes, ident })
    forgotten.register(this, this.#portal, this)
    return new RowBatch(this.#layout.heap + scanBatchBytes, this.#portal)
  }

  // Nothing is decoded from the batch any more.
  #release(): void {
    if (this.#portal === undefined) return
    this.#row = 0
    this.#rows = 0
    this.#batch = undefined
    forgotten.unregister(this)
    this.#portal.delete()
    this.#portal = undefined
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
