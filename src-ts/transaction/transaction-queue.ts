// TransactionQueue: runs a session's transactions one after the other, and savepoints inside them.
//
// A transaction that code asks for while it runs inside one of the same session is a savepoint of that one. Savepoints
// of one transaction run one after the other too, since the engine has one innermost level at a time.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NativeSession } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { namedCommand } from './named-command.ts'
import {
  noTimeLimits,
  type TimeLimitOptions,
  type TimeLimits,
  TransactionTimer,
  timeLimits,
} from './time-limits.ts'

export interface SavepointOptions {
  /** Nothing may be written until it ends. */
  readOnly?: boolean
  /** Aborting it rolls back and rejects with 57014. */
  signal?: AbortSignal
}

/**
 * When a commit is acknowledged: 'off' at once, durable within about wal_writer_delay; all others when it is durable,
 * since there is no standby to wait for.
 */
export type SynchronousCommit = 'on' | 'off' | 'local' | 'remote_write' | 'remote_apply'

export interface TransactionOptions extends SavepointOptions, TimeLimitOptions {
  /** Default 'read committed'. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable'
  /** Of a serializable read-only transaction: begin it when no other one can make it fail, nor it any other. */
  deferrable?: boolean
  /** Default: the session's. */
  synchronousCommit?: SynchronousCommit
}

/** A transaction or savepoint that is open, as the code inside it knows it. */
export interface TransactionScope {
  /**
   * Runs a write, which returns a promise if it has to wait for other transactions; those that follow are run after it.
   * Throws 25P01 when the scope has ended, 25001 while a savepoint inside it is open.
   */
  write<T>(action: () => T | Promise<T>): T | Promise<T>
  /** May it wait for other transactions? Not inside a synchronous body. */
  readonly mayWait: boolean
  /** Runs `body` in a savepoint, after those that were asked for earlier; rolls back to it if `body` throws. */
  savepoint<T>(
    body: (scope: TransactionScope) => T | Promise<T>,
    options?: SavepointOptions,
  ): Promise<T>
  /** As `savepoint`, at once, for a body that does not wait. */
  savepointSync<T>(
    body: (scope: TransactionScope) => T,
    options?: Omit<SavepointOptions, 'signal'>,
  ): T
}

/** Called when a transaction or savepoint begins or ended, before anything else runs. */
export interface QueueEvents {
  onTransactionEnd?: (isCommitted: boolean) => void
  /** So many levels, the innermost ones, were rolled back. */
  onSavepointRollback?: (levels: number) => void
  /** A transaction or a savepoint begins. */
  onBegin?: () => void
  onSavepointRelease?: () => void
  /** The transaction is to commit: the last that is done in it. */
  beforeCommit?: () => void | Promise<void>
  /** The session ends, since a transaction of it, which was rolled back, took too long. */
  onTerminate?: (reason: PgError) => void
}

/** What holds for transactions that do not say otherwise. */
export interface TransactionDefaults {
  limits: TimeLimits
  synchronousCommit: SynchronousCommit
  isolation?: TransactionOptions['isolation']
  readOnly?: boolean
}

// The scope that the running code belongs to: that of the synchronous body it is in, else the one whose asynchronous
// body it continues.
const runningScope = new AsyncLocalStorage<Scope>()
let synchronousScope: Scope | undefined

// A variable does for a body that does not wait, and costs less than the hooks of an AsyncLocalStorage.
function runInScope<T>(scope: Scope, body: (scope: TransactionScope) => T): T {
  const around = synchronousScope
  synchronousScope = scope
  try {
    return body(scope)
  } finally {
    synchronousScope = around
  }
}

export class TransactionQueue {
  readonly #native: NativeSession
  readonly #events: QueueEvents
  readonly defaults: TransactionDefaults
  // The open transaction and its open savepoints, innermost last.
  readonly #scopes: Scope[] = []
  // Those of the open transaction, or of the last one.
  #limits: TimeLimits
  // With which the open transaction, or the last one, was begun.
  #options: TransactionOptions = {}
  // What the native session was told last.
  #inEffect: { lock: number; deadlock: number } | undefined
  #terminated: PgError | undefined
  // Operations that have not ended.
  #underWay = 0
  #tail: Promise<unknown> = Promise.resolve()
  // Transactions and commands that were asked for and have not ended.
  #turns = 0

  constructor(
    native: NativeSession,
    events: QueueEvents = {},
    defaults: TransactionDefaults = { limits: noTimeLimits, synchronousCommit: 'on' },
  ) {
    this.#native = native
    this.#events = events
    this.defaults = defaults
    this.#limits = defaults.limits
  }

  /** From now on, for the open transaction too; its timers for idling and for its whole time go on as they are. */
  changeDefaults(defaults: TransactionDefaults): void {
    Object.assign(this.defaults, defaults)
    if (this.isOpen) this.#applyLimits(timeLimits(this.#options, defaults.limits))
    else this.#limits = defaults.limits
  }

  /** Is a transaction open now? */
  get isOpen(): boolean {
    return this.#scopes.length > 0
  }

  /**
   * May a statement that is a transaction of its own be run at once, past the queue? Not while a transaction is open or
   * has been asked for. The limits are then in effect.
   */
  takesOne(): boolean {
    if (this.#scopes.length > 0 || this.#turns > 0) return false
    const { isolation = 'read committed', readOnly = false } = this.defaults
    if (readOnly || isolation !== 'read committed') return false
    this.#options = {}
    this.#applyLimits(this.defaults.limits)
    return true
  }

  /** As `run`, in a transaction that such a statement has begun. */
  goOn<T>(body: () => T | Promise<T>): Promise<T> {
    return this.#run((scope) => scope.write(body), {}, undefined, true)
  }

  /** As `runSync`, in a transaction that such a statement has begun. */
  goOnSync<T>(body: () => T): T {
    return this.#runSync(body, {}, true)
  }

  /**
   * Runs `body` in a transaction of its own when its turn comes; resolves when the commit is durable. Inside a
   * transaction: in a savepoint, which becomes durable with the transaction.
   */
  run<T>(
    body: (scope: TransactionScope) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const around = this.#scopeAround()
    if (around !== undefined) {
      try {
        refuseIsolation(options)
      } catch (error) {
        return Promise.reject(error)
      }
      return around.savepoint(body, options)
    }
    return this.#run(body, options)
  }

  /**
   * As `run`, with `finish` in place of the commit: it ends the transaction, and resolves when that is durable. Throws
   * 25001 inside a transaction.
   */
  runAndFinish<T>(
    command: string,
    body: (scope: TransactionScope) => T | Promise<T>,
    options: TransactionOptions,
    finish: () => Promise<void>,
  ): Promise<T> {
    if (this.#scopeAround() !== undefined) return Promise.reject(insideTransaction(command))
    return this.#run(body, options, finish)
  }

  #run<T>(
    body: (scope: TransactionScope) => T | Promise<T>,
    options: TransactionOptions,
    finish?: () => Promise<void>,
    isBegun = false,
  ): Promise<T> {
    const turn = this.#takeTurn(() => this.#transaction(body, options, finish, isBegun))
    return turn.then(async ({ result, durable }) => {
      await durable
      return result
    })
  }

  #takeTurn<T>(action: () => T | Promise<T>): Promise<T> {
    this.#turns++
    const turn = this.#tail.then(action)
    const end = () => {
      this.#turns--
    }
    this.#tail = turn.then(end, end)
    return turn
  }

  /**
   * Runs `body` when its turn comes, outside a transaction; it runs transactions of its own with the function that it
   * is given. For commands that must not be part of one, such as VACUUM. Rejects with 25001 inside one.
   */
  runOutside<T>(
    what: string,
    body: (step: <R>(action: () => R | Promise<R>) => Promise<R>) => Promise<T>,
  ): Promise<T> {
    if (this.#scopeAround() !== undefined) {
      return Promise.reject(new PgError('25001', `${what} cannot run inside a transaction block`))
    }
    const step = async <R>(action: () => R | Promise<R>): Promise<R> => {
      const { result, durable } = await this.#transaction(action, {})
      await durable
      return result
    }
    return this.#takeTurn(() => namedCommand(this.#native, what, () => body(step)))
  }

  /** As `run`, for a command that cannot be part of a transaction: throws 25001 inside one. */
  runAlone<T>(command: string, body: () => T | Promise<T>): Promise<T> {
    if (this.#scopeAround() === undefined)
      return this.run(() => namedCommand(this.#native, command, body))
    return Promise.reject(insideTransaction(command))
  }

  /**
   * Runs `body` at once and returns when the commit is durable. Inside a transaction: in a savepoint. Throws 25001
   * while a transaction is open that it is not inside of.
   */
  runSync<T>(body: (scope: TransactionScope) => T, options: TransactionOptions = {}): T {
    const around = this.#scopeAround()
    if (around !== undefined) {
      refuseIsolation(options)
      return around.savepointSync(body, options)
    }
    return this.#runSync(body, options, false)
  }

  #runSync<T>(
    body: (scope: TransactionScope) => T,
    options: TransactionOptions,
    isBegun: boolean,
  ): T {
    const scope = this.#begin(options, true, isBegun)
    try {
      if (options.deferrable && !this.#native.safeSnapshot()) {
        throw new PgError('55P03', 'could not obtain a safe snapshot without waiting', {
          hint: 'Use an asynchronous transaction.',
        })
      }
      const result = runInScope(scope, body)
      refusePromise(result)
      scope.refuseFailed()
      refusePromise(this.#events.beforeCommit?.())
      this.#native.commit(this.#waits(options))
      this.#end(true)
      return result
    } catch (error) {
      this.#rollBack()
      throw error
    }
  }

  /** May the innermost level wait for other transactions? Not inside a synchronous body. */
  get mayWait(): boolean {
    return this.#scopes.at(-1)?.mayWait === true
  }

  /** Runs one write at the innermost level; if it throws, that level can only be rolled back. */
  write<T>(action: () => T | Promise<T>): T | Promise<T> {
    const scope = this.#scopes.at(-1)
    if (scope === undefined) throw new PgError('25P01', 'there is no transaction in progress')
    return scope.write(action)
  }

  /** Runs one operation; what of it is not done when it returns is cancelled when it takes too long. */
  timed<T>(action: () => T | Promise<T>): T | Promise<T> {
    const result = action()
    const { statement, idleInTransaction } = this.#limits
    if (!(result instanceof Promise) || (statement === 0 && idleInTransaction === 0)) return result
    const timer =
      statement === 0 ? undefined : setTimeout(() => this.#native.timeOutStatement(), statement)
    this.#underWay++
    return result.finally(() => {
      clearTimeout(timer)
      this.#underWay--
      this.#native.endStatement()
    })
  }

  /** For scopes: why the transaction is gone, unless it ended as it was meant to. */
  get terminated(): PgError | undefined {
    return this.#terminated
  }

  /** Waits for the transactions that were asked for. */
  async idle(): Promise<void> {
    await this.#tail
  }

  /** For scopes: begins a savepoint of the innermost one. */
  beginSavepoint(options: SavepointOptions, isSync: boolean): Scope {
    this.#native.beginSubtransaction(options.readOnly ?? false)
    const scope = new Scope(this, isSync)
    this.#scopes.push(scope)
    this.#events.onBegin?.()
    return scope
  }

  /** For scopes: `scope` is the innermost. */
  releaseSavepoint(scope: Scope): void {
    this.#native.commitSubtransaction()
    this.#scopes.pop()
    scope.open = false
    this.#events.onSavepointRelease?.()
  }

  /** For scopes: undoes `scope` and what is inside it, unless an outer one was rolled back before. */
  rollBackSavepoint(scope: Scope): void {
    if (!scope.open) return
    const ended = this.#scopes.splice(this.#scopes.indexOf(scope))
    for (const inner of ended) inner.open = false
    for (const _ of ended) this.#native.abortSubtransaction()
    this.#events.onSavepointRollback?.(ended.length)
  }

  /** For scopes: the innermost level has failed. */
  fail(): void {
    this.#native.fail()
  }

  /** For scopes. */
  isInnermost(scope: Scope): boolean {
    return this.#scopes.at(-1) === scope
  }

  // The open scope of this session that the running code belongs to.
  #scopeAround(): Scope | undefined {
    const scope = synchronousScope ?? runningScope.getStore()
    return scope?.queue === this && scope.open ? scope : undefined
  }

  // One transaction, which is committed unless `finish` is to end it; the next may begin before this one's commit is on
  // disk, since flushes are shared.
  async #transaction<T>(
    body: (scope: TransactionScope) => T | Promise<T>,
    options: TransactionOptions,
    finish?: () => Promise<void>,
    isBegun = false,
  ): Promise<{ result: T; durable: Promise<void> }> {
    if (options.signal?.aborted) throw canceled(options.signal)
    const scope = this.#begin(options, false, isBegun)
    const timer = this.#startTimer()
    const signal = timer === undefined ? options.signal : anyOf(options.signal, timer.signal)
    try {
      if (options.deferrable) await this.#waitForSafeSnapshot(signal)
      const result = await abortable(
        runningScope.run(scope, () => body(scope)),
        signal,
      )
      await abortable(scope.idle(), signal)
      scope.refuseFailed()
      const last = finish === undefined ? this.#events.beforeCommit?.() : undefined
      if (last instanceof Promise) await abortable(last, signal)
      const durable = finish?.() ?? this.#native.commitAsync(this.#waits(options))
      this.#end(true)
      return { result, durable }
    } catch (error) {
      this.#terminated = timer?.error
      this.#rollBack()
      if (timer?.error !== undefined) this.#events.onTerminate?.(timer.error)
      throw error
    } finally {
      timer?.stop()
    }
  }

  #startTimer(): TransactionTimer | undefined {
    const { transaction, idleInTransaction } = this.#limits
    if (transaction === 0 && idleInTransaction === 0) return undefined
    return new TransactionTimer(this.#limits, () =>
      this.#underWay > 0 ? 0 : this.#native.idleMilliseconds(),
    )
  }

  #begin(options: TransactionOptions, isSync: boolean, isBegun: boolean): Scope {
    if (this.isOpen) throw new PgError('25001', 'there is already a transaction in progress')
    const { isolation = 'read committed', readOnly = false, limits } = this.defaults
    // Refuses bad ones before there is a transaction.
    const inForce = timeLimits(options, limits)
    if (!isBegun) {
      this.#native.begin(
        options.isolation ?? isolation,
        options.readOnly ?? readOnly,
        options.deferrable ?? false,
      )
    }
    this.#options = options
    this.#applyLimits(inForce)
    const scope = new Scope(this, isSync)
    this.#scopes.push(scope)
    this.#events.onBegin?.()
    return scope
  }

  #applyLimits(limits: TimeLimits): void {
    this.#limits = limits
    const { lock, deadlock } = limits
    if (lock !== this.#inEffect?.lock || deadlock !== this.#inEffect.deadlock) {
      this.#native.setLockTimeouts(lock, deadlock)
      this.#inEffect = { lock, deadlock }
    }
  }

  // Others end in sessions and processes that do not know of this one, so it looks from time to time.
  async #waitForSafeSnapshot(signal: AbortSignal | undefined): Promise<void> {
    for (let pauseMs = 1; !this.#native.safeSnapshot(); pauseMs = Math.min(pauseMs * 2, 20)) {
      await sleep(pauseMs)
      if (signal?.aborted) throw canceled(signal)
    }
  }

  #waits(options: TransactionOptions): boolean {
    return (options.synchronousCommit ?? this.defaults.synchronousCommit) !== 'off'
  }

  #rollBack(): void {
    try {
      this.#native.abort()
    } finally {
      this.#end(false)
    }
  }

  #end(isCommitted: boolean): void {
    for (const scope of this.#scopes) scope.open = false
    this.#scopes.length = 0
    this.#events.onTransactionEnd?.(isCommitted)
  }
}

class Scope implements TransactionScope {
  readonly queue: TransactionQueue
  readonly mayWait: boolean
  open = true
  #failed = false
  // What the last write that had to wait was rejected with.
  #failure: unknown
  // The last savepoint that was asked for.
  #tail: Promise<unknown> | undefined
  // The write that waits for other transactions; never rejects.
  #waiting: Promise<unknown> | undefined
  #isWriting = false

  constructor(queue: TransactionQueue, isSync: boolean) {
    this.queue = queue
    this.mayWait = !isSync
  }

  write<T>(action: () => T | Promise<T>): T | Promise<T> {
    this.#refuseUnlessCurrent()
    this.refuseFailed()
    // A write may be part of another one; otherwise it has its turn after the one that waits.
    const isPart = this.#isWriting
    if (this.#waiting !== undefined && !isPart) return this.#waiting.then(() => this.write(action))
    let result: T | Promise<T>
    this.#isWriting = true
    try {
      result = isPart ? action() : this.queue.timed(action)
    } catch (error) {
      this.#fail()
      throw error
    } finally {
      this.#isWriting = isPart
    }
    if (!(result instanceof Promise) || isPart) return result
    const done = result.catch((error) => {
      this.#fail()
      this.#failure = error
      throw error
    })
    const settled: Promise<unknown> = done
      .catch(() => undefined)
      .then(() => {
        if (this.#waiting === settled) this.#waiting = undefined
      })
    this.#waiting = settled
    return done
  }

  savepoint<T>(
    body: (scope: TransactionScope) => T | Promise<T>,
    options: SavepointOptions = {},
  ): Promise<T> {
    const turn = (this.#tail ?? Promise.resolve()).then(async () => {
      const { signal } = options
      if (signal?.aborted) throw canceled(signal)
      while (this.#waiting !== undefined) await this.#waiting
      const scope = this.#begin(options, false)
      try {
        const result = await abortable(
          runningScope.run(scope, () => body(scope)),
          signal,
        )
        await abortable(scope.idle(), signal)
        this.#release(scope)
        return result
      } catch (error) {
        this.queue.rollBackSavepoint(scope)
        throw error
      }
    })
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  savepointSync<T>(body: (scope: TransactionScope) => T, options: SavepointOptions = {}): T {
    if (this.#waiting !== undefined) {
      throw new PgError('55000', 'another operation of the transaction waits for a lock', {
        hint: 'Await its promise first.',
      })
    }
    const scope = this.#begin(options, true)
    try {
      const result = runInScope(scope, body)
      refusePromise(result)
      this.#release(scope)
      return result
    } catch (error) {
      this.queue.rollBackSavepoint(scope)
      throw error
    }
  }

  /** Waits for the savepoints that were asked for, also for those that the waited-for asked for, and for writes. */
  async idle(): Promise<void> {
    let seen: Promise<unknown> | undefined
    while (seen !== this.#tail || this.#waiting !== undefined) {
      await this.#waiting
      seen = this.#tail
      await seen
    }
    // Nobody may have awaited the write that failed.
    if (this.#failure !== undefined) throw this.#failure
  }

  // What the level did is rolled back at once, as PostgreSQL does it: others need not wait until its body ends.
  #fail(): void {
    if (this.#failed) return
    this.#failed = true
    if (this.open && this.queue.isInnermost(this)) this.queue.fail()
  }

  refuseFailed(): void {
    if (!this.#failed) return
    throw new PgError(
      '25P02',
      'current transaction is aborted, commands ignored until end of transaction block',
      this.#failure === undefined ? {} : { cause: this.#failure },
    )
  }

  #begin(options: SavepointOptions, isSync: boolean): Scope {
    this.#refuseUnlessCurrent()
    this.refuseFailed()
    return this.queue.beginSavepoint(options, isSync)
  }

  #release(scope: Scope): void {
    scope.#refuseUnlessCurrent()
    scope.refuseFailed()
    this.queue.releaseSavepoint(scope)
  }

  #refuseUnlessCurrent(): void {
    if (!this.open) {
      throw this.queue.terminated ?? new PgError('25P01', 'the transaction has ended')
    }
    if (this.queue.isInnermost(this)) return
    throw new PgError('25001', 'a savepoint of the transaction is open', {
      hint: 'Use the transaction object that the body of the savepoint was given.',
    })
  }
}

function refuseIsolation(options: TransactionOptions): void {
  if (options.isolation === undefined) return
  throw new PgError(
    '25001',
    'SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction',
  )
}

function insideTransaction(command: string): PgError {
  return new PgError('25001', `${command} cannot run inside a transaction block`)
}

function refusePromise(result: unknown): void {
  if (!(result instanceof Promise)) return
  throw new TypeError('the body of a synchronous transaction must not return a promise')
}

/** The error for work that its signal ended. */
export function canceled(signal: AbortSignal): PgError {
  if (signal.reason instanceof PgError) return signal.reason
  return new PgError('57014', 'canceling statement due to user request', { cause: signal.reason })
}

function anyOf(given: AbortSignal | undefined, own: AbortSignal): AbortSignal {
  return given === undefined ? own : AbortSignal.any([given, own])
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
