// NotificationStream: what a session hears on a channel, as an async iterator.
import type { NativeListener, NativeNotification, NativeSession } from '../binding/native.ts'
import { canceled } from '../transaction/transaction-queue.ts'

export interface Notification {
  channel: string
  /** '' when there is none. */
  payload: string
  /** Process of the sender. */
  pid: number
  /** Number of the session that sent it, as Session.id. */
  session: number
}

export interface ListenOptions {
  /** Aborting it ends the stream with 57014. */
  signal?: AbortSignal
}

// A session does not go as long as somebody holds a stream of it.
const sessions = new WeakMap<NotificationStream, NativeSession>()

/**
 * Listens from when it was made until it is returned from, disposed of, or its session ends. What is not read yet stays in
 * the cluster's queue.
 */
export class NotificationStream implements AsyncIterableIterator<Notification>, AsyncDisposable {
  readonly #native: NativeListener
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = () => this.#native.close()
  #read: NativeNotification[] = []
  #next = 0
  // Reads run one after the other.
  #tail: Promise<unknown> = Promise.resolve()

  constructor(session: NativeSession, channel: string, signal: AbortSignal | undefined) {
    this.#native = session.listen(channel)
    sessions.set(this, session)
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#native.close()
  }

  next(): Promise<IteratorResult<Notification>> {
    const turn = this.#tail.then(() => this.#take())
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  return(): Promise<IteratorResult<Notification>> {
    this.#read = []
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#native.close()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #take(): Promise<IteratorResult<Notification>> {
    if (this.#signal?.aborted) throw canceled(this.#signal)
    if (this.#next >= this.#read.length) {
      this.#read = await this.#native.next()
      this.#next = 0
    }
    const value = this.#read[this.#next++]
    if (value !== undefined) return { value, done: false }
    if (this.#signal?.aborted) throw canceled(this.#signal)
    return { value: undefined, done: true }
  }
}
