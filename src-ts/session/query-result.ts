// QueryResult: a query that was asked for, to be run as often as its rows are.
import type { Commands } from '../command/commands.ts'
import { parseQualifiedName } from '../command/qualified-name.ts'
import { planQuery } from '../executor/plan-query.ts'
import type { Query, QueryOptions } from '../executor/query.ts'
import { QueryCursor, type RunningQuery } from '../executor/query-cursor.ts'
import { tablesOfQuery } from '../executor/scope.ts'
import { lockLevels } from '../transaction/relation-lock.ts'
import { withinStatementTimeout } from '../transaction/time-limits.ts'

/** Begins a query when its turn has come. */
export type Begin = (open: () => RunningQuery) => RunningQuery | Promise<RunningQuery>

/** Nothing is read until rows are asked for; each time it is a query of its own, with a snapshot of its own. */
export class QueryResult<T = Record<string, unknown>> implements AsyncIterable<T> {
  readonly #commands: Commands
  readonly #begin: Begin
  readonly #query: Query
  readonly #signal: AbortSignal | undefined

  constructor(commands: Commands, begin: Begin, query: Query, options: QueryOptions) {
    this.#commands = commands
    this.#begin = begin
    this.#query = query
    this.#signal = options.signal
  }

  /** The rows as they come. Leaving the loop early, or `return()`, ends the query. */
  [Symbol.asyncIterator](): QueryCursor<T> {
    return this.#cursor(this.#signal)
  }

  /** All rows. */
  all(): Promise<T[]> {
    const { statementTimeout } = this.#commands
    return withinStatementTimeout(statementTimeout, this.#signal, async (signal) => {
      const rows: T[] = []
      const cursor = this.#cursor(signal)
      for (;;) {
        const batch = await cursor.nextBatch()
        if (batch.length === 0) return rows
        for (const row of batch) rows.push(row)
      }
    })
  }

  #cursor(signal: AbortSignal | undefined): QueryCursor<T> {
    return new QueryCursor<T>(() => this.#begin(() => this.#open()), signal)
  }

  #open(): RunningQuery {
    const commands = this.#commands
    const { native } = commands
    const named = tablesOfQuery(this.#query).map(({ table, alias, isHidden }) => {
      const { schema, name } = parseQualifiedName(table)
      return {
        oid: commands.relations.open(native, schema, name).oid,
        alias: alias ?? name,
        isHidden,
      }
    })
    const locked: number[] = []
    try {
      // Another process may define the relations anew at any moment.
      if (commands.acceptInvalidations() !== 'alone') {
        for (const { oid } of named) if (native.lockForReading(oid)) locked.push(oid)
        commands.acceptInvalidations()
      }
      const { relations } = commands
      const tables = named.map(({ oid, alias, isHidden }) => ({
        relation: commands.open(oid),
        alias,
        isHidden,
      }))
      const context = {
        codecOf: (type: number) => relations.codec(type),
        bytewiseDefaultCollation: relations.bytewiseDefaultCollation,
      }
      const plan = planQuery(context, this.#query, tables)
      return { plan, ...native.query(plan.native) }
    } finally {
      for (const oid of locked) native.unlockForSession(oid, lockLevels['access share'])
    }
  }
}
