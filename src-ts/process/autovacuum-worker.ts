// AutovacuumWorker: vacuums and analyzes what needs it in one database, table by table, and gives way to whoever waits for
// one; drops temporary tables that are nobody's.
//
// Source: do_autovacuum, table_recheck_autovac, AutoVacuumUpdateCostLimit in src/backend/postmaster/autovacuum.c; for
// giving way, DeadLockCheck in src/backend/storage/lmgr/deadlock.c, PostgreSQL 18.
import { setImmediate } from 'node:timers/promises'
import { pgClass } from '../catalog/pg_class.ts'
import { pgDatabase } from '../catalog/pg_database.ts'
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { pgStatistic } from '../catalog/pg_statistic.ts'
import { type AnalyzeOptions, type AnalyzeReport, analyzeByOid } from '../command/analyze.ts'
import { findClassRow } from '../command/class-row.ts'
import type { CommandContext } from '../command/command-context.ts'
import { dropOrphan } from '../command/drop-object.ts'
import { type OrphanedTable, orphanedTables } from '../command/orphaned-tables.ts'
import type { ClassRow } from '../command/relation-rows.ts'
import type { CostLimited } from '../command/upkeep-target.ts'
import {
  updateDatabaseBounds,
  type VacuumOptions,
  type VacuumReport,
  type VacuumRun,
  vacuumByOid,
} from '../command/vacuum.ts'
import { PgError } from '../errors/pg-error.ts'
import { type StorageParameters, storageParameters } from '../relation/storage-parameters.ts'
import { needsAnalyze, type VacuumNeed, vacuumNeed } from './vacuum-need.ts'
import type { WorkerDatabase, WorkerHost } from './worker-host.ts'

interface Sharing {
  native: CostLimited
  limit: number
}

/** What the workers of a cluster know of each other. */
export interface SharedByWorkers {
  /** Relations that are being vacuumed: "database/oid", database 0 for shared ones. */
  relations: Set<string>
  /** Vacuums and analyzes that share one cost limit, each with the limit that it would have alone. */
  balanced: Set<Sharing>
}

interface Candidate {
  oid: number
  /** The table whose TOAST table it is; itself for a table. */
  table: number
  name: string
  isShared: boolean
  /** Undefined when it is only to be analyzed. */
  need: VacuumNeed | undefined
  isToAnalyze: boolean
  parameters: StorageParameters
}

// Modes that conflict with a vacuum's own, SHARE UPDATE EXCLUSIVE.
const conflicting = new Set([
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
])
// How CREATE DATABASE locks what it copies, and DROP DATABASE what it removes.
const ownersModes = new Set(['ShareLock', 'AccessExclusiveLock'])
const ownersIntervalMs = 100
const lookIntervalMaxMs = 500
const rowsPerTurn = 50
const backendType = 'autovacuum worker'

export class AutovacuumWorker {
  readonly #host: WorkerHost
  readonly #database: WorkerDatabase
  readonly #shared: SharedByWorkers
  readonly #stop = new AbortController()

  constructor(host: WorkerHost, database: WorkerDatabase, shared: SharedByWorkers) {
    this.#host = host
    this.#database = database
    this.#shared = shared
  }

  /** Ends what is going on as soon as it can be. */
  stop(): void {
    this.#stop.abort()
  }

  /** Never rejects: what goes wrong is told as a notice, and tried again the next time. */
  async run(): Promise<void> {
    const watch = this.#watchForOwners()
    try {
      await using session = await this.#host.connect(this.#database.name)
      if (session === undefined) return
      this.#host.native.reportAutovacuumStart(this.#database.oid)
      await session.runVacuum((run) => this.#vacuumAll({ ...run, isAutovacuum: true }))
    } catch (error) {
      this.#tell(error, `automatic vacuum of database "${this.#database.name}"`)
    } finally {
      clearInterval(watch)
    }
  }

  // Ends for whoever copies or drops the database, in this process or another one: they hold its lock, and wait for it to
  // be theirs alone.
  #watchForOwners(): NodeJS.Timeout {
    const { native } = this.#host
    const timer = setInterval(() => {
      try {
        const isOwned = native
          .locks()
          .some(
            ({ type, field1, field2, field3, granted, mode }) =>
              type === 'object' &&
              field1 === 0 &&
              field2 === pgDatabase.oid &&
              field3 === this.#database.oid &&
              granted &&
              ownersModes.has(mode),
          )
        if (isOwned) this.stop()
      } catch {
        // The cluster is poisoned: so the worker ends by itself.
      }
    }, ownersIntervalMs)
    timer.unref()
    return timer
  }

  async #vacuumAll(run: VacuumRun): Promise<void> {
    const { candidates, orphans } = await run.step((context) => this.#candidates(context))
    for (const orphan of orphans) await this.#dropOrphan(run, orphan)
    for (const { oid, table } of candidates) {
      if (this.#stop.signal.aborted) return
      // What was needed when we began may have been done since.
      const candidate = await run.step((context) => {
        const row = findClassRow(context, oid)
        const owner = table === oid ? row : findClassRow(context, table)
        return row && owner && this.#candidateOf(context, row, owner)
      })
      if (candidate !== undefined) await this.#work(run, candidate)
    }
    await updateDatabaseBounds(run)
  }

  async #dropOrphan(run: VacuumRun, { oid, schema, name }: OrphanedTable): Promise<void> {
    if (this.#stop.signal.aborted) return
    const what = `orphan temp table "${this.#database.name}.${schema}.${name}"`
    try {
      if (!(await run.change((context) => dropOrphan(context, oid)))) return
      const message = `autovacuum: dropping ${what}`
      this.#host.log({ severity: 'LOG', backendType, code: '00000', message })
    } catch (error) {
      this.#tell(error, `automatic drop of ${what}`)
    }
  }

  // Relations of the database that need something, and those that are nobody's. Others get their turn now and then.
  async #candidates(
    context: CommandContext,
  ): Promise<{ candidates: Candidate[]; orphans: OrphanedTable[] }> {
    const { session, catalogs } = context
    const rows: ClassRow[] = []
    const temporary: ClassRow[] = []
    const ownerOf = new Map<number, ClassRow>()
    let seen = 0
    for (const row of catalogs.scan(session, pgClass)) {
      if (++seen % rowsPerTurn === 0) await setImmediate()
      if (row.relpersistence === 't') {
        if (row.relkind === 'r') temporary.push(row)
        continue
      }
      if (!'rmt'.includes(row.relkind)) continue
      rows.push(row)
      if (row.reltoastrelid !== 0) ownerOf.set(row.reltoastrelid, row)
    }
    const candidates: Candidate[] = []
    for (const row of rows) {
      if (++seen % rowsPerTurn === 0) await setImmediate()
      const owner = row.relkind === 't' ? ownerOf.get(row.oid) : row
      const candidate = owner && this.#candidateOf(context, row, owner)
      if (candidate !== undefined) candidates.push(candidate)
    }
    return { candidates, orphans: orphanedTables(context, temporary) }
  }

  #candidateOf(context: CommandContext, row: ClassRow, owner: ClassRow): Candidate | undefined {
    // A TOAST table without parameters of its own goes by its table's.
    const parameters = storageParameters(row.reloptions ?? owner.reloptions)
    const needs = this.#needsOf(context, row, parameters)
    if (needs.need === undefined && !needs.isToAnalyze) return undefined
    const { session, catalogs } = context
    const schema = catalogs.findOne(session, pgNamespace, 'pg_namespace_oid_index', [
      row.relnamespace,
    ])
    return {
      oid: row.oid,
      table: owner.oid,
      name: `${this.#database.name}.${schema?.nspname}.${row.relname}`,
      isShared: row.relisshared,
      ...needs,
      parameters,
    }
  }

  #needsOf(
    { cluster }: CommandContext,
    row: ClassRow,
    parameters: StorageParameters,
  ): Pick<Candidate, 'need' | 'isToAnalyze'> {
    const { settings } = this.#host
    const database = row.relisshared ? 0 : this.#database.oid
    const counters = cluster.relationStatistics(database, row.oid)
    const changes =
      counters === null
        ? undefined
        : {
            dead_tuples: counters.dead_tuples as number,
            ins_since_vacuum: counters.ins_since_vacuum as number,
          }
    const isAnalyzable = row.relkind !== 't' && row.oid !== pgStatistic.oid
    return {
      need: vacuumNeed(row, changes, settings, parameters, cluster.idBounds()),
      isToAnalyze:
        isAnalyzable && needsAnalyze(row, counters?.mod_since_analyze, settings, parameters),
    }
  }

  async #work(run: VacuumRun, candidate: Candidate): Promise<void> {
    const key = `${candidate.isShared ? 0 : this.#database.oid}/${candidate.oid}`
    if (this.#shared.relations.has(key)) return
    this.#shared.relations.add(key)
    const { need, isToAnalyze } = candidate
    try {
      const isDone = need === undefined || (await this.#vacuum(run, candidate, need))
      if (isDone && isToAnalyze) await this.#analyze(run, candidate)
    } finally {
      this.#shared.relations.delete(key)
    }
  }

  // False when it gave way, or went wrong.
  #vacuum(run: VacuumRun, candidate: Candidate, need: VacuumNeed): Promise<boolean> {
    const { table, oid } = candidate
    return this.#tellingOf('vacuum', candidate, need.wraparound, async (signal, balance) => {
      const began = performance.now()
      const options = this.#optionsFor(candidate, need, signal)
      const report = await vacuumByOid(balance(run, options), table, table !== oid, options)
      if (report !== undefined) this.#logVacuum(candidate, need, report, performance.now() - began)
    })
  }

  #analyze(run: VacuumRun, candidate: Candidate): Promise<boolean> {
    return this.#tellingOf('analyze', candidate, false, async (signal, balance) => {
      const began = performance.now()
      const options = this.#analyzeOptionsFor(candidate, signal)
      const report = await analyzeByOid(balance(run, options), candidate.oid, options)
      if (report !== undefined) this.#logAnalyze(candidate, report, performance.now() - began)
    })
  }

  // What goes wrong is told. What works with the run that `balance` gives takes its part of the cost limit.
  async #tellingOf(
    what: 'vacuum' | 'analyze',
    candidate: Candidate,
    isUrgent: boolean,
    work: (
      signal: AbortSignal,
      balance: (run: VacuumRun, options: { vacuum_cost_limit?: number }) => VacuumRun,
    ) => Promise<void>,
  ): Promise<boolean> {
    const giveWay = new AbortController()
    const watch = isUrgent ? undefined : this.#watchForWaiters(candidate, giveWay)
    let sharing: Sharing | undefined
    try {
      await work(AbortSignal.any([this.#stop.signal, giveWay.signal]), (run, options) => ({
        ...run,
        onNative: (native) => {
          sharing = this.#balance(native, candidate, options.vacuum_cost_limit as number)
        },
      }))
      return true
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        const reason = giveWay.signal.aborted
          ? new PgError('57014', 'canceling autovacuum task')
          : error
        this.#tell(reason, `automatic ${what} of table "${candidate.name}"`)
      }
      return false
    } finally {
      clearInterval(watch)
      if (sharing !== undefined) this.#shared.balanced.delete(sharing)
      this.#shareLimit()
    }
  }

  #optionsFor(candidate: Candidate, need: VacuumNeed, signal: AbortSignal): VacuumOptions {
    const { settings } = this.#host
    const { parameters } = candidate
    const number = (name: string, setting: number) => Number(parameters(name) ?? setting)
    return {
      ...this.#costOptionsFor(candidate),
      skipLocked: !need.wraparound,
      processToast: false,
      vacuum_truncate: settings.vacuum_truncate,
      maintenanceWorkMem:
        settings.autovacuum_work_mem >= 0
          ? settings.autovacuum_work_mem
          : settings.maintenance_work_mem,
      vacuum_freeze_min_age: number('autovacuum_freeze_min_age', settings.vacuum_freeze_min_age),
      vacuum_freeze_table_age: number(
        'autovacuum_freeze_table_age',
        settings.vacuum_freeze_table_age,
      ),
      vacuum_multixact_freeze_min_age: number(
        'autovacuum_multixact_freeze_min_age',
        settings.vacuum_multixact_freeze_min_age,
      ),
      vacuum_multixact_freeze_table_age: number(
        'autovacuum_multixact_freeze_table_age',
        settings.vacuum_multixact_freeze_table_age,
      ),
      autovacuum_freeze_max_age: settings.autovacuum_freeze_max_age,
      autovacuum_multixact_freeze_max_age: settings.autovacuum_multixact_freeze_max_age,
      vacuum_failsafe_age: settings.vacuum_failsafe_age,
      vacuum_multixact_failsafe_age: settings.vacuum_multixact_failsafe_age,
      vacuum_max_eager_freeze_failure_rate: settings.vacuum_max_eager_freeze_failure_rate,
      vacuum_cost_page_dirty: settings.vacuum_cost_page_dirty,
      signal,
    }
  }

  #analyzeOptionsFor(candidate: Candidate, signal: AbortSignal): AnalyzeOptions {
    return {
      ...this.#costOptionsFor(candidate),
      skipLocked: true,
      default_statistics_target: this.#host.settings.default_statistics_target,
      signal,
    }
  }

  #costOptionsFor({ parameters }: Candidate) {
    const { settings } = this.#host
    const number = (name: string, setting: number) => Number(parameters(name) ?? setting)
    const delay = number('autovacuum_vacuum_cost_delay', settings.autovacuum_vacuum_cost_delay)
    return {
      vacuum_cost_delay: delay >= 0 ? delay : settings.vacuum_cost_delay,
      vacuum_cost_limit: number('autovacuum_vacuum_cost_limit', this.#costLimit()),
      vacuum_cost_page_miss: settings.vacuum_cost_page_miss,
    }
  }

  #costLimit(): number {
    const { autovacuum_vacuum_cost_limit, vacuum_cost_limit } = this.#host.settings
    return autovacuum_vacuum_cost_limit > 0 ? autovacuum_vacuum_cost_limit : vacuum_cost_limit
  }

  // Tables with a limit or delay of their own do not share.
  #balance(native: CostLimited, { parameters }: Candidate, limit: number): Sharing | undefined {
    const hasOwn =
      parameters('autovacuum_vacuum_cost_limit') !== undefined ||
      parameters('autovacuum_vacuum_cost_delay') !== undefined
    if (hasOwn) return undefined
    const sharing = { native, limit }
    this.#shared.balanced.add(sharing)
    this.#shareLimit()
    return sharing
  }

  #shareLimit(): void {
    const { balanced } = this.#shared
    for (const { native, limit } of balanced)
      native.setCostLimit(Math.max(1, Math.floor(limit / balanced.size)))
  }

  // Whoever has waited for the table for deadlock_timeout gets it.
  #watchForWaiters({ table, isShared }: Candidate, giveWay: AbortController): NodeJS.Timeout {
    const { native, settings } = this.#host
    const database = isShared ? 0 : this.#database.oid
    let waitingSince: number | undefined
    const look = () => {
      const isWaitedFor = native
        .locks()
        .some(
          ({ type, field1, field2, granted, mode }) =>
            type === 'relation' &&
            field1 === database &&
            field2 === table &&
            !granted &&
            conflicting.has(mode),
        )
      const now = performance.now()
      waitingSince = isWaitedFor ? (waitingSince ?? now) : undefined
      if (waitingSince !== undefined && now - waitingSince >= settings.deadlock_timeout)
        giveWay.abort()
    }
    const timer = setInterval(
      () => {
        try {
          look()
        } catch {
          // The cluster is poisoned: so the vacuum ends by itself.
        }
      },
      Math.min(lookIntervalMaxMs, Math.max(1, settings.deadlock_timeout / 2)),
    )
    timer.unref()
    return timer
  }

  #logVacuum({ name }: Candidate, need: VacuumNeed, report: VacuumReport, elapsedMs: number): void {
    const purpose = need.wraparound ? ' to prevent wraparound' : ''
    const { indexScans, pages, remainingPages, tuplesRemoved, liveTuples } = report
    this.#log(
      `automatic vacuum${purpose} of table "${name}": index scans: ${indexScans}\npages: ${pages - remainingPages} removed, ${remainingPages} remain\ntuples: ${tuplesRemoved} removed, ${liveTuples} remain`,
      elapsedMs,
    )
  }

  #logAnalyze({ name }: Candidate, report: AnalyzeReport, elapsedMs: number): void {
    const { pages, scannedPages, liveRows, deadRows, sampledRows } = report
    this.#log(
      `automatic analyze of table "${name}"\npages: ${scannedPages} of ${pages} scanned\ntuples: ${sampledRows} in sample, ${liveRows} live, ${deadRows} dead`,
      elapsedMs,
    )
  }

  #log(what: string, elapsedMs: number): void {
    const { log_autovacuum_min_duration: least } = this.#host.settings
    if (least < 0 || elapsedMs < least) return
    this.#host.log({
      severity: 'LOG',
      backendType,
      code: '00000',
      message: `${what}\nelapsed: ${(elapsedMs / 1000).toFixed(2)} s`,
    })
  }

  #tell(error: unknown, context: string): void {
    if (this.#stop.signal.aborted) return
    const { code, message } =
      error instanceof PgError ? error : { code: 'XX000', message: `${error}` }
    this.#host.notice(
      new PgError(code, message, { detail: context, cause: error }),
      backendType,
      'ERROR',
    )
  }
}
