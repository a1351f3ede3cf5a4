// TimeLimits: how long a session may wait, work, and keep a transaction open, by PostgreSQL's settings.
// Source: src/backend/tcop/postgres.c (ProcessInterrupts), src/backend/utils/misc/guc_tables.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'

/** Milliseconds; 0: without limit. */
export interface TimeLimitOptions {
  /** Each wait for a lock; then the operation fails with 55P03. Default: lock_timeout. */
  lockTimeout?: number
  /** After which a wait is looked at for a deadlock. Default: deadlock_timeout. */
  deadlockTimeout?: number
  /**
   * Each operation that waits or works off the event loop; then it fails with 57014. Synchronous ones are not
   * interrupted. Default: statement_timeout.
   */
  statementTimeout?: number
  /**
   * Between two operations of a transaction whose body waits for something else; then the session ends with 25P03.
   * Default: idle_in_transaction_session_timeout.
   */
  idleInTransactionSessionTimeout?: number
  /** A whole transaction that is not synchronous; then the session ends with 25P04. Default: transaction_timeout. */
  transactionTimeout?: number
}

/** The same, none of them left out. */
export interface TimeLimits {
  lock: number
  deadlock: number
  statement: number
  idleInTransaction: number
  transaction: number
}

export const noTimeLimits: TimeLimits = {
  lock: 0,
  deadlock: 1000,
  statement: 0,
  idleInTransaction: 0,
  transaction: 0,
}

const maxTimeout = 2 ** 31 - 1

function inRange(name: string, given: number): number {
  if (Number.isInteger(given) && given >= 0 && given <= maxTimeout) return given
  throw new RangeError(`${name} must be a whole number of milliseconds from 0 to ${maxTimeout}`)
}

/** What was given in place of the defaults. Throws RangeError. */
export function timeLimits(options: TimeLimitOptions, defaults: TimeLimits): TimeLimits {
  const {
    lockTimeout: lock,
    deadlockTimeout: deadlock,
    statementTimeout: statement,
    idleInTransactionSessionTimeout: idle,
    transactionTimeout: transaction,
  } = options
  const given = (name: string, value: number | undefined, standard: number) =>
    value === undefined ? standard : inRange(name, value)
  return {
    lock: given('lockTimeout', lock, defaults.lock),
    deadlock: Math.max(1, given('deadlockTimeout', deadlock, defaults.deadlock)),
    statement: given('statementTimeout', statement, defaults.statement),
    idleInTransaction: given('idleInTransactionSessionTimeout', idle, defaults.idleInTransaction),
    transaction: given('transactionTimeout', transaction, defaults.transaction),
  }
}

/**
 * Runs a command that its signal can cancel, and cancels it when it takes longer than `limit` milliseconds: with 57014.
 */
export async function withinStatementTimeout<T>(
  limit: number,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (limit === 0) return run(signal)
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new PgError('57014', 'canceling statement due to statement timeout')),
    limit,
  )
  try {
    return await run(
      signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    )
  } finally {
    clearTimeout(timer)
  }
}

/** Ends an open transaction whose time is up, by aborting `signal` with the error that ends the session, too. */
export class TransactionTimer {
  readonly #controller = new AbortController()
  readonly #timers: { transaction?: NodeJS.Timeout; idle?: NodeJS.Timeout } = {}

  /** `idleFor`: how many milliseconds ago the last operation ended; 0 while one is under way. */
  constructor(limits: TimeLimits, idleFor: () => number) {
    if (limits.transaction > 0) {
      this.#timers.transaction = setTimeout(
        () => this.#end('25P04', 'terminating connection due to transaction timeout'),
        limits.transaction,
      ).unref()
    }
    if (limits.idleInTransaction > 0) this.#watchIdle(limits.idleInTransaction, 0, idleFor)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why the session ends; undefined as long as it goes on. */
  get error(): PgError | undefined {
    return this.#controller.signal.aborted ? this.#controller.signal.reason : undefined
  }

  stop(): void {
    clearTimeout(this.#timers.transaction)
    clearTimeout(this.#timers.idle)
  }

  // Looks again when the limit would be reached if nothing happened until then.
  #watchIdle(limit: number, idle: number, idleFor: () => number): void {
    this.#timers.idle = setTimeout(
      () => {
        const now = idleFor()
        if (now < limit) this.#watchIdle(limit, now, idleFor)
        else this.#end('25P03', 'terminating connection due to idle-in-transaction timeout')
      },
      Math.max(1, limit - idle),
    ).unref()
  }

  #end(code: '25P03' | '25P04', message: string): void {
    this.stop()
    this.#controller.abort(new PgError(code, message))
  }
}
