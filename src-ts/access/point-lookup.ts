// PointLookup: reads one row by its key again and again, each time in one call.
import type { NativeSession } from '../binding/native.ts'
import type { RowBatch } from './row-batch.ts'
import type { RowDecoder } from './row-decoder.ts'
import type { RowEncoder } from './row-encoder.ts'

/** What `PointLookup.get` returns when something stands in the way: the slower calls tell what, or do without. */
export const notNow: unique symbol = Symbol('not now')

export interface PointLookupParts {
  /** Makes the native function for the buffers as they are now; see NativeSession.prepareLookup. */
  prepare: (keys: RowBatch, batch: RowBatch) => ReturnType<NativeSession['prepareLookup']>
  /** A key and its room: of one row, whose values come as a list. */
  encoder: RowEncoder
  keys: RowBatch
  /** The row and its room. */
  decoder: RowDecoder<unknown>
  batch: RowBatch
}

export class PointLookup<T> {
  readonly #parts: PointLookupParts
  readonly #rows: (readonly unknown[])[] = [[]]
  #run: (() => number) | undefined

  constructor(parts: PointLookupParts) {
    this.#parts = parts
    this.#prepare()
  }

  /** The row with this key (one value per key column), undefined when there is none. Throws what the key's codec does. */
  get(key: readonly unknown[]): T | undefined | typeof notNow {
    const { encoder, keys, decoder, batch } = this.#parts
    const buffer = keys.buffer
    this.#rows[0] = key
    encoder.encode(keys, this.#rows, 0)
    // A long key has got a buffer of its own.
    if (keys.buffer !== buffer) this.#prepare()
    if (this.#run === undefined) return notNow
    let answer = this.#run()
    while (answer === -1) {
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
      this.#prepare()
      answer = this.#run()
    }
    if (answer === 0) return undefined
    if (answer < 0) return notNow
    decoder.attach(batch)
    return decoder.row(0) as T
  }

  #prepare(): void {
    this.#run = this.#parts.prepare(this.#parts.keys, this.#parts.batch)
  }
}
