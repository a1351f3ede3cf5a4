// TransactionQueue: runs a session's transactions one after the other.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { NativeSession } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'

export interface TransactionOptions {
  /** Default 'read committed'. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readOnly?: boolean
  /** Aborting it rolls the transaction back and rejects with 57014. */
  signal?: AbortSignal
}

// The queue whose transaction the running code belongs to: a second one asked for from inside would wait for itself.
const runningQueue = new AsyncLocalStorage<TransactionQueue>()

export class TransactionQueue {
  readonly #native: NativeSession
  readonly #onEnd: () => void
  #tail: Promise<unknown> = Promise.resolve()
  #open = false
  #failed = false

  /** `onEnd` is called when a transaction has committed or rolled back, before another one begins. */
  constructor(native: NativeSession, onEnd: () => void = () => undefined) {
    this.#native = native
    this.#onEnd = onEnd
  }

  /** Is a transaction open now? */
  get isOpen(): boolean {
    return this.#open
  }

  /** Runs `body` in a transaction of its own when its turn comes; resolves when the commit is durable. */
  run<T>(body: () => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (runningQueue.getStore() === this && this.#open) {
      return Promise.reject(new PgError('25001', 'there is already a transaction in progress'))
    }
    const turn = this.#tail.then(async () => {
      if (options.signal?.aborted) throw canceled(options.signal)
      this.#begin(options)
      try {
        const result = await abortable(runningQueue.run(this, body), options.signal)
        this.#refuseFailed()
        // The next transaction may begin before this one's commit is on disk; flushes are shared.
        return { result, durable: this.#commitAsync() }
      } catch (error) {
        this.#rollBack()
        throw error
      }
    })
    this.#tail = turn.catch(() => undefined)
    return turn.then(async ({ result, durable }) => {
      await durable
      return result
    })
  }

  /** Runs `body` at once and returns when the commit is durable. Throws 25001 while a transaction is open. */
  runSync<T>(body: () => T, options: TransactionOptions = {}): T {
    this.#begin(options)
    try {
      const result = body()
      if (result instanceof Promise) {
        throw new TypeError('the body of a synchronous transaction must not return a promise')
      }
      this.#refuseFailed()
      this.#native.commit()
      this.#open = false
      this.#onEnd()
      return result
    } catch (error) {
      this.#rollBack()
      throw error
    }
  }

  /** Runs one write of the open transaction; if it throws, the transaction can only be rolled back. */
  write<T>(action: () => T): T {
    if (!this.#open) throw new PgError('25P01', 'there is no transaction in progress')
    this.#refuseFailed()
    try {
      return action()
    } catch (error) {
      this.#failed = true
      throw error
    }
  }

  /** Waits for the transactions that were asked for. */
  async idle(): Promise<void> {
    await this.#tail
  }

  #begin(options: TransactionOptions): void {
    if (this.#open) throw new PgError('25001', 'there is already a transaction in progress')
    this.#native.begin(options.isolation ?? 'read committed', options.readOnly ?? false)
    this.#open = true
    this.#failed = false
  }

  #commitAsync(): Promise<void> {
    const durable = this.#native.commitAsync()
    this.#open = false
    this.#onEnd()
    return durable
  }

  #rollBack(): void {
    this.#open = false
    try {
      this.#native.abort()
    } finally {
      this.#onEnd()
    }
  }

  #refuseFailed(): void {
    if (!this.#failed) return
    throw new PgError(
      '25P02',
      'current transaction is aborted, commands ignored until end of transaction block',
    )
  }
}

/** The error for work that its signal ended. */
export function canceled(signal: AbortSignal): PgError {
  return new PgError('57014', 'canceling statement due to user request', { cause: signal.reason })
}

async function abortable<T>(result: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result
  if (signal.aborted) throw canceled(signal)
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(canceled(signal))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([result, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort as () => void)
  }
}
