// ChangeRun: a statement that changes rows, under way.
//
// As a query's cursor, it works for a few milliseconds at a time, and the event loop has its turn in between. A synchronous
// run works to its end at once, and throws 55P03 rather than wait.
import { setImmediate } from 'node:timers/promises'
import { RowBatch } from '../access/row-batch.ts'
import { type RowDecoder, rowDecoderFactory } from '../access/row-decoder.ts'
import type {
  NativeChangeScan,
  NativeOperatorReport,
  NativeSession,
  NativeWait,
} from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { canceled } from '../transaction/transaction-queue.ts'
import { withError } from '../transaction/when-done.ts'
import type { ChangePlan } from './plan-change.ts'

// Variable bytes of a batch.
const batchBytes = 64 * 1024

/** Rows changed, and what was to be returned of them. */
export interface Changed<R> {
  count: number
  rows: R[]
}

export class ChangeRun<R> {
  readonly #session: NativeSession
  readonly #plan: ChangePlan
  readonly #mayWait: boolean
  readonly #signal: AbortSignal | undefined
  readonly #scan: NativeChangeScan
  readonly #batch: RowBatch
  readonly #decoder: RowDecoder<unknown>
  readonly #rows: R[] = []
  /** What the operators did, once the statement has ended. */
  readonly reports: () => NativeOperatorReport[]

  /** In the open transaction. */
  constructor(
    session: NativeSession,
    plan: ChangePlan,
    wait: NativeWait,
    signal: AbortSignal | undefined,
  ) {
    this.#session = session
    this.#plan = plan
    this.#mayWait = wait === 'wait'
    this.#signal = signal
    const { scan, layout, reports } = session.change(plan.native, wait)
    this.reports = reports
    this.#scan = scan
    this.#batch = new RowBatch(layout.heap + (plan.columns.length > 0 ? batchBytes : 0))
    this.#decoder = rowDecoderFactory(plan.columns, layout)()
  }

  /** Of a statement that inserts: deals with these rows, too. */
  insert(rows: readonly object[], start = 0): void | Promise<void> {
    const { access } = this.#plan.relation
    let done = start
    while (done < rows.length) {
      const first = done
      const worked = this.#ended(
        () => {
          const { layout, buffer, count } = access.stageRows(rows, first)
          done += count
          this.#session.supplyRows(this.#scan, access.native, layout, buffer)
          return this.#work()
        },
        () => rows[first + this.#session.failedRow()],
      )
      if (worked instanceof Promise) {
        const next = done
        return worked.then(() => this.insert(rows, next))
      }
    }
  }

  /** Of one that finds its rows by itself: changes them. */
  change(): void | Promise<void> {
    return this.#ended(
      () => this.#work(),
      () => undefined,
    )
  }

  /** Ends the statement: what it writes from here on is another one's. */
  finish(): Changed<R> {
    const count = this.#session.rowsChanged(this.#scan)
    this.#scan.close()
    this.#session.advanceCommand()
    return { count, rows: this.#rows }
  }

  // As `action`; an error ends the statement, and says what it can about the row that it is about.
  #ended(action: () => void | Promise<void>, row: () => object | undefined): void | Promise<void> {
    return withError(action, (error) => {
      const named = this.#plan.relation.access.withRefusedRow(this.#session, error, row())
      this.#scan.close()
      return named
    })
  }

  // Until the rows that there are have been dealt with.
  #work(): void | Promise<void> {
    let result: number | Promise<number>
    do {
      result = this.#step()
      if (result instanceof Promise) return this.#workOn(result)
      this.#take(result)
      if (!this.#batch.ended && this.#mayWait) return this.#workOn(undefined)
    } while (!this.#batch.ended)
  }

  async #workOn(first: Promise<number> | undefined): Promise<void> {
    if (first !== undefined) this.#take(await first)
    while (!this.#batch.ended) {
      await setImmediate()
      // Once the signal has ended the transaction, another may be open.
      if (this.#signal?.aborted) throw canceled(this.#signal)
      this.#take(await this.#step())
    }
  }

  #step(): number | Promise<number> {
    return this.#session.nextChanges(this.#scan, this.#batch.buffer)
  }

  #take(count: number): void {
    const batch = this.#batch
    if (count < 0) {
      throw new PgError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', {
        hint: 'Ensure that no rows proposed for insertion within the same command have duplicate constrained values.',
      })
    }
    if (count > 0) {
      this.#decoder.attach(batch)
      for (let row = 0; row < count; row++) this.#rows.push(this.#decoder.row(row) as R)
    } else if (!batch.ended && batch.needed > 0) {
      batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
    }
  }
}
