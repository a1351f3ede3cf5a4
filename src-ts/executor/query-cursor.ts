// QueryCursor: the rows of a running query, one batch after the other.
//
// While native code needs more than a few milliseconds for a batch, the event loop has its turn in between.
import { setImmediate } from 'node:timers/promises'
import { RowBatch } from '../access/row-batch.ts'
import { type RowDecoder, rowDecoderFactory } from '../access/row-decoder.ts'
import type { NativeOperatorReport, NativeScan, RowLayout } from '../binding/native.ts'
import { canceled } from '../transaction/transaction-queue.ts'
import type { QueryPlan } from './plan-query.ts'

/** A query that native code has begun. */
export interface RunningQuery {
  plan: QueryPlan
  scan: NativeScan
  layout: RowLayout
  /** What the operators did, once the last row was given: of the root, then of those below, from the left to the right. */
  reports: () => NativeOperatorReport[]
}

// Variable bytes of a batch.
const batchBytes = 256 * 1024

export class QueryCursor<T> implements AsyncIterableIterator<T> {
  readonly #open: () => RunningQuery | Promise<RunningQuery>
  readonly #signal: AbortSignal | undefined
  #running: RunningQuery | undefined
  #decoder: RowDecoder<unknown> | undefined
  #batch: RowBatch | undefined
  #row = 0
  #rows = 0
  #ended = false
  // Calls are answered in the order in which they were made.
  #last: Promise<unknown> | undefined

  /** `open` is called when the first row is asked for. */
  constructor(open: () => RunningQuery | Promise<RunningQuery>, signal: AbortSignal | undefined) {
    this.#open = open
    this.#signal = signal
    signal?.addEventListener('abort', this.#stop, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#inOrder(async () => {
      if (this.#row === this.#rows && !(await this.#fill())) return { done: true, value: undefined }
      return { done: false, value: this.#take() }
    })
  }

  /** The rows of the next batch; none at the end. */
  nextBatch(): Promise<T[]> {
    return this.#inOrder(async () => {
      if (this.#row === this.#rows && !(await this.#fill())) return []
      const rows: T[] = []
      while (this.#row < this.#rows) rows.push(this.#take())
      return rows
    })
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return this.#inOrder(async () => {
      this.#end()
      return { done: true, value: undefined }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #inOrder<R>(action: () => Promise<R>): Promise<R> {
    const result = this.#last === undefined ? action() : this.#last.then(action, action)
    this.#last = result
    const done = () => {
      if (this.#last === result) this.#last = undefined
    }
    result.then(done, done)
    return result
  }

  #take(): T {
    return this.#decoder?.row(this.#row++) as T
  }

  // Gets the next batch; false at the end.
  async #fill(): Promise<boolean> {
    this.#refuseCanceled()
    if (this.#ended) return false
    try {
      this.#running ??= await this.#begin()
      const batch = this.#batch as RowBatch
      for (;;) {
        this.#refuseCanceled()
        this.#rows = this.#running.scan.next(batch.buffer)
        this.#row = 0
        if (this.#rows > 0 || batch.ended) break
        if (batch.needed > 0) batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
        else await setImmediate()
      }
      if (batch.ended) this.#end()
      if (this.#rows === 0) return false
      this.#decoder?.attach(batch)
      return true
    } catch (error) {
      this.#end()
      this.#rows = 0
      this.#row = 0
      throw error
    }
  }

  async #begin(): Promise<RunningQuery> {
    const running = await this.#open()
    const { layout, plan } = running
    this.#decoder = rowDecoderFactory(plan.columns, layout)()
    this.#batch = new RowBatch(layout.heap + batchBytes)
    return running
  }

  #refuseCanceled(): void {
    if (this.#signal?.aborted) throw canceled(this.#signal)
  }

  readonly #stop = (): void => {
    this.#running?.scan.close()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#signal?.removeEventListener('abort', this.#stop)
    this.#running?.scan.close()
  }
}
