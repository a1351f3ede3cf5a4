// QueryCursor: the rows of a running query, one batch after the other.
//
// While native code needs more than a few milliseconds for a batch, the event loop has its turn in between. What it holds and
// the batch are shown below a PortalContext, which goes when the query has ended.
import { setImmediate } from 'node:timers/promises'
import { RowBatch } from '../access/row-batch.ts'
import { type RowDecoder, rowDecoderFactory } from '../access/row-decoder.ts'
import type { NativeOperatorReport, NativeScan, RowLayout } from '../binding/native.ts'
import { AllocSet } from '../memory/alloc-set.ts'
import { smallSizes } from '../memory/growing-context.ts'
import type { MemoryContext } from '../memory/memory-context.ts'
import { NativeMemory } from '../memory/native-memory.ts'
import { canceled } from '../transaction/transaction-queue.ts'
import type { QueryPlan } from './plan-query.ts'

/** A query that native code has begun. */
export interface RunningQuery {
  plan: QueryPlan
  scan: NativeScan
  layout: RowLayout
  /** What the operators did, once the last row was given: of the root, then of those below, from the left to the right. */
  reports: () => NativeOperatorReport[]
  /** Bytes that the operators hold. */
  memory: () => number
}

// Variable bytes of a batch.
const batchBytes = 256 * 1024

const forgotten = new FinalizationRegistry<MemoryContext>((portal) => {
  if (!portal.deleted) portal.delete()
})

export class QueryCursor<T> implements AsyncIterableIterator<T> {
  readonly #open: () => RunningQuery | Promise<RunningQuery>
  readonly #signal: AbortSignal | undefined
  readonly #parent: MemoryContext
  #portal: MemoryContext | undefined
  #running: RunningQuery | undefined
  #decoder: RowDecoder<unknown> | undefined
  #batch: RowBatch | undefined
  #row = 0
  #rows = 0
  #ended = false
  // Calls are answered in the order in which they were made.
  #last: Promise<unknown> | undefined

  /** `open` is called when the first row is asked for; `parent` is above the memory context of the query. */
  constructor(
    open: () => RunningQuery | Promise<RunningQuery>,
    parent: MemoryContext,
    signal: AbortSignal | undefined,
  ) {
    this.#open = open
    this.#parent = parent
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
      this.#release()
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
    try {
      this.#refuseCanceled()
      if (this.#ended) {
        this.#release()
        return false
      }
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
      if (this.#rows === 0) {
        this.#release()
        return false
      }
      this.#decoder?.attach(batch)
      return true
    } catch (error) {
      this.#end()
      this.#release()
      throw error
    }
  }

  async #begin(): Promise<RunningQuery> {
    const running = await this.#open()
    const { layout, plan, memory } = running
    this.#decoder = rowDecoderFactory(plan.columns, layout)()
    const ident = plan.tables.map(({ alias }) => alias).join(', ')
    this.#portal = new AllocSet(this.#parent, 'PortalContext', { ...smallSizes, ident })
    forgotten.register(this, this.#portal, this)
    new NativeMemory(this.#portal, 'ExecutorState', memory)
    this.#batch = new RowBatch(layout.heap + batchBytes, this.#portal)
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

  // Nothing is decoded from the batch any more.
  #release(): void {
    this.#row = 0
    this.#rows = 0
    this.#batch = undefined
    if (this.#portal === undefined) return
    forgotten.unregister(this)
    if (!this.#portal.deleted) this.#portal.delete()
    this.#portal = undefined
  }
}
