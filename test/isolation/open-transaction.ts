// OpenTransaction: a transaction of pgdata that a test drives step by step, from outside of its body.
import type { Session, Transaction } from '../../src-ts/index.ts'
import type { TransactionOptions } from '../../src-ts/transaction/transaction-queue.ts'

const rollBack = new Error('rolled back by the test')

export class OpenTransaction {
  /** Resolves when the body runs: later than the call for a deferrable transaction. */
  readonly begun: Promise<void>
  readonly #ended: Promise<unknown>
  #tx: Transaction | undefined
  #end: (error: Error | undefined) => void = () => undefined

  constructor(session: Session, options: TransactionOptions) {
    let began: () => void
    let failed: (error: unknown) => void
    this.begun = new Promise((resolve, reject) => {
      began = resolve
      failed = reject
    })
    // Whoever does not wait for the beginning learns of its failure at the end.
    this.begun.catch(() => undefined)
    this.#ended = session.transaction(
      (tx) =>
        new Promise<void>((resolve, reject) => {
          this.#tx = tx
          this.#end = (error) => (error === undefined ? resolve() : reject(error))
          began()
        }),
      options,
    )
    this.#ended.catch((error: unknown) => failed(error))
  }

  get tx(): Transaction {
    if (this.#tx === undefined) throw new Error('the transaction has not begun')
    return this.#tx
  }

  /** Resolves when the commit is durable, rejects with why there is none. */
  async commit(): Promise<void> {
    this.#end(undefined)
    await this.#ended
  }

  async rollBack(): Promise<void> {
    this.#end(rollBack)
    await this.#ended.catch((error: unknown) => {
      if (error !== rollBack) throw error
    })
  }
}
