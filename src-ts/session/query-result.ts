// QueryResult: a query that was asked for, to be run as often as its rows are.
import { portalParent } from '../access/session-memory.ts'
import type { Commands } from '../command/commands.ts'
import { relationName } from '../command/relation-name.ts'
import { plannerSettings } from '../config/planner-settings.ts'
import type { ExplainOptions, Explanation } from '../executor/explain.ts'
import type { PlanContext } from '../executor/plan-context.ts'
import { planQuery } from '../executor/plan-query.ts'
import type { Query, QueryOptions } from '../executor/query.ts'
import { QueryCursor, type RunningQuery } from '../executor/query-cursor.ts'
import { tablesOfQuery } from '../executor/scope.ts'
import { TableStatistics } from '../executor/table-statistics.ts'
import type { MemoryContext } from '../memory/memory-context.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { lockLevels } from '../transaction/relation-lock.ts'
import { withinStatementTimeout } from '../transaction/time-limits.ts'
import { explainQuery, refuseUnmeant, shown } from './explanation.ts'

/** What planning needs to know, of a session as it is now. */
export function planContextOf(commands: Commands): PlanContext {
  const { relations, native } = commands
  const codecOf = (type: number) => relations.codec(type)
  const source = { session: native, codecOf, ...commands.storage }
  return {
    codecOf,
    bytewiseDefaultCollation: relations.bytewiseDefaultCollation,
    settings: plannerSettings((name) => commands.setting(name)),
    blockSize: source.cluster.blockSize(),
    timesIo: commands.setting('track_io_timing') === 'on',
    statisticsOf: (relation: RelationInfo) => new TableStatistics(source, relation),
  }
}

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

  /**
   * The plan, as EXPLAIN shows it; with `analyze`, the query runs, within `statement_timeout`, and it says what
   * the operators did.
   */
  explain(options: ExplainOptions & { format: 'json' }): Promise<[Explanation]>
  explain(options?: ExplainOptions & { format?: 'text' }): Promise<string>
  async explain(options: ExplainOptions = {}): Promise<string | [Explanation]> {
    refuseUnmeant(options)
    const explanation = await (options.analyze ? this.#analyze(options) : this.#explain(options))
    return shown(explanation, options)
  }

  async #explain(options: ExplainOptions): Promise<Explanation> {
    let explanation: Explanation | undefined
    const running = await this.#begin(() => this.#open())
    try {
      explanation = this.#explanation(running, options)
    } finally {
      running.scan.close()
    }
    return explanation
  }

  #analyze(options: ExplainOptions): Promise<Explanation> {
    const { statementTimeout } = this.#commands
    return withinStatementTimeout(statementTimeout, this.#signal, async (signal) => {
      let running: RunningQuery | undefined
      let planned = 0
      const cursor = new QueryCursor<T>(
        async () => {
          const begun = performance.now()
          running = await this.#begin(() => this.#open())
          planned = performance.now() - begun
          return running
        },
        this.#memory(),
        signal,
      )
      const begun = performance.now()
      while ((await cursor.nextBatch()).length > 0);
      const execution = performance.now() - begun - planned
      const explained = this.#explanation(running as unknown as RunningQuery, options)
      return { ...explained, 'Planning Time': planned, 'Execution Time': execution }
    })
  }

  #explanation({ plan, reports }: RunningQuery, options: ExplainOptions): Explanation {
    return explainQuery(planContextOf(this.#commands), plan, reports(), options)
  }

  #cursor(signal: AbortSignal | undefined): QueryCursor<T> {
    return new QueryCursor<T>(() => this.#begin(() => this.#open()), this.#memory(), signal)
  }

  #memory(): MemoryContext {
    return portalParent(this.#commands.native)
  }

  #open(): RunningQuery {
    const commands = this.#commands
    const { native } = commands
    const named = tablesOfQuery(this.#query).map(({ table, alias, isHidden }) => {
      const { schema, name } = relationName(native, commands.relations, table)
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
      const tables = named.map(({ oid, alias, isHidden }) => ({
        relation: commands.open(oid),
        alias,
        isHidden,
      }))
      const plan = planQuery(planContextOf(commands), this.#query, tables)
      return { plan, ...native.query(plan.native) }
    } finally {
      for (const oid of locked) native.unlockForSession(oid, lockLevels['access share'])
    }
  }
}
