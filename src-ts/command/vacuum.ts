// VACUUM: removes dead rows, freezes old transaction ids, and keeps what pg_class and pg_database say of both.
//
// The work is done by native code on another thread, in no transaction; before and after, short transactions read and
// overwrite the catalogs. Source: src/backend/commands/vacuum.c, PostgreSQL 18.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type {
  NativeIndexVacuumOutcome,
  NativeVacuum,
  NativeVacuumOutcome,
  NativeVacuumSettings,
} from '../binding/native.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgDatabase } from '../catalog/pg_database.ts'
import { PgError } from '../errors/pg-error.ts'
import {
  booleanParameter,
  type StorageParameters,
  storageParameters,
} from '../relation/storage-parameters.ts'
import { lockLevels } from '../transaction/relation-lock.ts'
import { canceled } from '../transaction/transaction-queue.ts'
import { type AnalyzeReport, analyzeByOid } from './analyze.ts'
import { findClassRow, overwriteClassRow } from './class-row.ts'
import type { CommandContext } from './command-context.ts'
import { invalidDatabase } from './create-database.ts'
import { currentDatabase } from './current-database.ts'
import { idPrecedes } from './id-order.ts'
import {
  namedOid,
  type UpkeepRun,
  type UpkeepTarget,
  upkeepOids,
  whileLocked,
  whileWatched,
} from './upkeep-target.ts'

/** Progress of the relation that is being vacuumed, named as the columns of pg_stat_progress_vacuum. */
export interface VacuumProgress {
  relation: string
  phase:
    | 'initializing'
    | 'scanning heap'
    | 'vacuuming indexes'
    | 'vacuuming heap'
    | 'cleaning up indexes'
    | 'truncating heap'
    | 'performing final cleanup'
  heap_blks_total: number
  heap_blks_scanned: number
  heap_blks_vacuumed: number
  index_vacuum_count: number
  max_dead_tuple_bytes: number
  dead_tuple_bytes: number
  num_dead_item_ids: number
  indexes_total: number
  indexes_processed: number
}

/** Options of VACUUM, and the settings it goes by, with PostgreSQL's names; by default as they are in the session. */
export interface VacuumOptions {
  /** Freezes every row that all transactions see: as if the freeze ages were 0. */
  freeze?: boolean
  /**
   * Writes tables anew, without dead rows, and their indexes; nobody else can read or write a table meanwhile, nor define
   * anything while it is a system catalog.
   */
  full?: boolean
  /** Analyzes each table, too, once it is vacuumed; see AnalyzeReport. */
  analyze?: boolean
  /** For `analyze`, as for AnalyzeOptions. */
  default_statistics_target?: number
  /** Gives empty pages at the end of a table back. Default: the table's storage parameter vacuum_truncate. */
  truncate?: boolean
  /** For tables without that parameter. */
  vacuum_truncate?: boolean
  /**
   * 'auto': indexes are left alone while almost nothing is to be removed from them. Default: the table's storage parameter
   * vacuum_index_cleanup, or 'auto'.
   */
  indexCleanup?: 'auto' | 'on' | 'off'
  /** Looks at every page, whatever the visibility map says. */
  disablePageSkipping?: boolean
  /** Leaves tables out whose lock is not to be had at once. Default false: waits. */
  skipLocked?: boolean
  /** Vacuums the TOAST table, too. Default true. */
  processToast?: boolean
  /** Bytes for dead line pointers; default: maintenance_work_mem, of autovacuum autovacuum_work_mem. */
  maintenanceWorkMem?: number
  vacuum_freeze_min_age?: number
  vacuum_freeze_table_age?: number
  vacuum_multixact_freeze_min_age?: number
  vacuum_multixact_freeze_table_age?: number
  vacuum_failsafe_age?: number
  vacuum_multixact_failsafe_age?: number
  autovacuum_freeze_max_age?: number
  autovacuum_multixact_freeze_max_age?: number
  vacuum_max_eager_freeze_failure_rate?: number
  /** Milliseconds; 0: never sleeps. */
  vacuum_cost_delay?: number
  vacuum_cost_limit?: number
  vacuum_cost_page_miss?: number
  vacuum_cost_page_dirty?: number
  /** Aborting it ends the command with 57014; what was done until then stays. */
  signal?: AbortSignal
  /** Called now and then. */
  onProgress?: (progress: VacuumProgress) => void
}

/** What was done to one relation. */
export interface VacuumReport {
  relation: string
  aggressive: boolean
  /** Transaction ids were about to run out: only freezing was done. */
  failsafe: boolean
  /** Pages before and after. */
  pages: number
  remainingPages: number
  scannedPages: number
  tuplesRemoved: number
  tuplesFrozen: number
  /** Dead, but still seen by a running transaction. */
  tuplesNotYetRemovable: number
  liveTuples: number
  deadItemIds: number
  indexScans: number
  /** In the order of the table's indexes. */
  indexes: {
    name: string
    pages: number
    tuplesRemoved: number
    pagesNewlyDeleted: number
    pagesDeleted: number
    pagesFree: number
  }[]
  relfrozenxid: number
  relminmxid: number
  /** With the option `analyze`, of a table. */
  analyzed?: AnalyzeReport
}

/** What the command works with between its steps. */
export interface VacuumRun extends UpkeepRun {
  /** Writes a table anew, in a transaction of its own. */
  rewrite: (oid: number, signal: AbortSignal | undefined) => Promise<VacuumReport>
}

const phases: readonly VacuumProgress['phase'][] = [
  'initializing',
  'scanning heap',
  'vacuuming indexes',
  'vacuuming heap',
  'cleaning up indexes',
  'truncating heap',
  'performing final cleanup',
]
const defaultMaintenanceWorkMem = 64 * 1024 * 1024
// VACUUM_TRUNCATE_LOCK_WAIT_INTERVAL, and as often as that fits into VACUUM_TRUNCATE_LOCK_TIMEOUT.
const truncateLockIntervalMs = 50
const truncateLockAttempts = 100
const firstNormalXid = 3
/** The settings that VACUUM goes by: numbers, each an option of the same name. */
export const vacuumSettingNames = [
  'vacuum_freeze_min_age',
  'vacuum_freeze_table_age',
  'vacuum_multixact_freeze_min_age',
  'vacuum_multixact_freeze_table_age',
  'vacuum_failsafe_age',
  'vacuum_multixact_failsafe_age',
  'autovacuum_freeze_max_age',
  'autovacuum_multixact_freeze_max_age',
  'vacuum_max_eager_freeze_failure_rate',
  'vacuum_cost_delay',
  'vacuum_cost_limit',
  'vacuum_cost_page_miss',
  'vacuum_cost_page_dirty',
] as const

/** Vacuums a table, or all of the database. Throws 42P01, 42809, 55P03, 57014, 0A000. */
export async function vacuum(
  run: VacuumRun,
  name: string | undefined,
  options: VacuumOptions,
): Promise<VacuumReport[]> {
  if (options.full) return await vacuumFully(run, name, options)
  const oids = await run.step((context) =>
    name === undefined ? upkeepOids(context) : [namedOid(context, name, 'vacuum')],
  )
  const reports: VacuumReport[] = []
  for (const oid of oids) {
    let report: VacuumReport | undefined
    await whileLocked(run, oid, 'VACUUM', options, async (target) => {
      report = await vacuumRelation(run, target, false, options)
      reports.push(report)
      if (target.toastOid !== 0 && options.processToast !== false)
        reports.push(await vacuumRelation(run, target, true, options))
    })
    if (report !== undefined) await analyzeAfter(run, oid, report, options)
  }
  await updateDatabaseBounds(run)
  return reports
}

async function analyzeAfter(
  run: VacuumRun,
  oid: number,
  report: VacuumReport,
  { onProgress: _, ...options }: VacuumOptions,
): Promise<void> {
  if (!options.analyze) return
  const analyzed = await analyzeByOid(run, oid, options)
  if (analyzed !== undefined) report.analyzed = analyzed
}

/** Vacuums a table without its TOAST table, or that alone; undefined when it is gone, or was to be skipped. */
export async function vacuumByOid(
  run: VacuumRun,
  table: number,
  ofToast: boolean,
  options: VacuumOptions,
): Promise<VacuumReport | undefined> {
  let report: VacuumReport | undefined
  await whileLocked(run, table, 'VACUUM', options, async (target) => {
    report = await vacuumRelation(run, target, ofToast, options)
  })
  return report
}

async function vacuumFully(
  run: VacuumRun,
  name: string | undefined,
  options: VacuumOptions,
): Promise<VacuumReport[]> {
  if (options.disablePageSkipping) {
    throw new PgError('0A000', 'VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL')
  }
  if (options.processToast === false)
    throw new PgError('0A000', 'PROCESS_TOAST required with VACUUM FULL')
  const { signal } = options
  if (signal?.aborted) throw canceled(signal)
  const oids = await run.step((context) =>
    name === undefined ? upkeepOids(context) : [namedOid(context, name, 'vacuum')],
  )
  const reports: VacuumReport[] = []
  for (const oid of oids) {
    const isThere = await run.step((context) => findClassRow(context, oid) !== undefined)
    if (!isThere) continue
    const report = await run.rewrite(oid, signal)
    reports.push(report)
    await analyzeAfter(run, oid, report, options)
  }
  await updateDatabaseBounds(run)
  return reports
}

function settingsOf(options: VacuumOptions, parameters: StorageParameters): NativeVacuumSettings {
  const cleanup = booleanParameter(parameters, 'vacuum_index_cleanup')
  const settings: NativeVacuumSettings = {
    maintenanceWorkMem: options.maintenanceWorkMem ?? defaultMaintenanceWorkMem,
    disablePageSkipping: options.disablePageSkipping ?? false,
    truncate:
      options.truncate ??
      booleanParameter(parameters, 'vacuum_truncate') ??
      options.vacuum_truncate ??
      true,
    indexCleanup: options.indexCleanup ?? (cleanup === undefined ? 'auto' : cleanup ? 'on' : 'off'),
  }
  for (const name of vacuumSettingNames) {
    const value = options[name]
    if (value === undefined) continue
    if (!(value >= 0)) throw new PgError('22023', `invalid value for parameter "${name}": ${value}`)
    settings[name] = value
  }
  const eager = Number(parameters('vacuum_max_eager_freeze_failure_rate') ?? -1)
  if (eager >= 0) settings.vacuum_max_eager_freeze_failure_rate = eager
  if (options.freeze) {
    settings.vacuum_freeze_min_age = 0
    settings.vacuum_freeze_table_age = 0
    settings.vacuum_multixact_freeze_min_age = 0
    settings.vacuum_multixact_freeze_table_age = 0
  }
  return settings
}

// The table itself, or its TOAST table.
async function vacuumRelation(
  run: VacuumRun,
  target: UpkeepTarget,
  ofToast: boolean,
  options: VacuumOptions,
): Promise<VacuumReport> {
  const oid = ofToast ? target.toastOid : target.oid
  const began = Date.now()
  const { native, row } = await run.step((context) => {
    const found = findClassRow(context, oid)
    if (found === undefined) throw new PgError('XX000', `cache lookup failed for relation ${oid}`)
    const { oid: database } = context.catalogs.database
    const { native } = target.info.access
    return {
      native: target.isTemporary
        ? context.session.vacuumTemporary(native, ofToast)
        : context.cluster.vacuum(database, native, ofToast, run.isAutovacuum ?? false),
      row: found,
    }
  })
  const name = ofToast ? `pg_toast.${row.relname}` : target.name
  run.onNative?.(native)
  const { signal, onProgress } = options
  const tell = onProgress && (() => onProgress(progressOf(native, name)))
  return await whileWatched(native, tell, signal, async () => {
    const outcome = await native.run(
      {
        relfrozenxid: row.relfrozenxid,
        relminmxid: row.relminmxid,
        relpages: row.relpages,
        reltuples: row.reltuples,
      },
      settingsOf(options, storageParameters(row.reloptions)),
      run.isOn('track_io_timing'),
      run.isOn('track_wal_io_timing'),
    )
    const remainingPages = await cutOff(run, target.oid, native, outcome, options)
    const { indexes } = target.info.access.descriptor
    const indexNames = ofToast
      ? [{ oid: target.info.access.descriptor.toast?.indexOid ?? 0, name: `${row.relname}_index` }]
      : indexes.filter(({ usable }) => usable)
    const bounds = await run.change((context) => {
      const bounds = updateTableRow(context, oid, outcome, remainingPages)
      outcome.indexes.forEach((index, i) => {
        const { oid: indexOid } = indexNames[i] as { oid: number }
        if (index.counted) updateIndexRow(context, indexOid, index)
      })
      return bounds
    })
    await run.step(({ cluster, catalogs }) => {
      // What was changed before this vacuum is none of the next one's business.
      cluster.flushStatistics()
      cluster.reportVacuum(
        catalogs.database.oid,
        oid,
        row.relisshared,
        run.isAutovacuum ?? false,
        outcome.liveTuples,
        outcome.recentlyDeadTuples + outcome.missedDeadTuples,
        Date.now() - began,
      )
    })
    return {
      relation: name,
      aggressive: outcome.aggressive,
      failsafe: outcome.failsafe,
      pages: outcome.relPages,
      remainingPages,
      scannedPages: outcome.scannedPages,
      tuplesRemoved: outcome.tuplesDeleted,
      tuplesFrozen: outcome.tuplesFrozen,
      tuplesNotYetRemovable: outcome.recentlyDeadTuples + outcome.missedDeadTuples,
      liveTuples: outcome.liveTuples,
      deadItemIds: outcome.deadItems,
      indexScans: outcome.indexScans,
      indexes: outcome.indexes.map((index, i) => ({
        name: (indexNames[i] as { name: string }).name,
        pages: index.pages,
        tuplesRemoved: index.tuplesRemoved,
        pagesNewlyDeleted: index.pagesNewlyDeleted,
        pagesDeleted: index.pagesDeleted,
        pagesFree: index.pagesFree,
      })),
      ...bounds,
    }
  })
}

function progressOf(native: NativeVacuum, relation: string): VacuumProgress {
  const numbers = native.progress()
  return {
    ...numbers,
    relation,
    phase: phases[numbers['phase'] as number],
  } as VacuumProgress
}

// Gives empty pages at the end back, if the lock that keeps everybody away is to be had soon; as soon as somebody waits for
// the table, it is given up, and tried again for what is left. The pages there are then (lazy_truncate_heap).
async function cutOff(
  run: VacuumRun,
  oid: number,
  native: NativeVacuum,
  outcome: NativeVacuumOutcome,
  { signal }: VacuumOptions,
): Promise<number> {
  let pages = outcome.relPages
  if (!outcome.truncatable) return pages
  const nonempty = await native.countNonempty(pages, outcome.nonemptyPages)
  // Synchronous reads of other processes hold out for some milliseconds only: the lock goes before this turn ends.
  const exclusive = lockLevels['access exclusive']
  for (let attempt = 0; pages > nonempty && attempt <= truncateLockAttempts; ) {
    if (signal?.aborted) throw canceled(signal)
    if (run.session.lockForSession(oid, exclusive, false) !== true) {
      attempt++
      await sleep(truncateLockIntervalMs)
      continue
    }
    try {
      const left = native.truncate(pages, nonempty)
      if (left >= pages) return pages
      pages = left
    } finally {
      run.session.unlockForSession(oid, exclusive)
    }
    await nextTurn()
  }
  return pages
}

// vac_update_relstats.
function updateTableRow(
  context: CommandContext,
  oid: number,
  outcome: NativeVacuumOutcome,
  pages: number,
): { relfrozenxid: number; relminmxid: number } {
  const relallvisible = Math.min(outcome.allVisiblePages, pages)
  const row = overwriteClassRow(context, oid, (old) => ({
    relpages: pages,
    reltuples: Math.fround(outcome.liveTuples),
    relallvisible,
    relallfrozen: Math.min(outcome.allFrozenPages, relallvisible),
    ...(outcome.relfrozenxid >= firstNormalXid &&
      idPrecedes(old.relfrozenxid, outcome.relfrozenxid) && { relfrozenxid: outcome.relfrozenxid }),
    ...(outcome.relminmxid > 0 &&
      idPrecedes(old.relminmxid, outcome.relminmxid) && { relminmxid: outcome.relminmxid }),
  }))
  return { relfrozenxid: row.relfrozenxid, relminmxid: row.relminmxid }
}

function updateIndexRow(
  context: CommandContext,
  oid: number,
  index: NativeIndexVacuumOutcome,
): void {
  overwriteClassRow(context, oid, () => ({
    relpages: index.pages,
    reltuples: Math.fround(index.tuples),
    relallvisible: 0,
    relallfrozen: 0,
  }))
}

/** The oldest ids that any database holds, and the databases that do. */
interface OldestIds {
  xid: number
  xidDatabase: { oid: number; name: string }
  multi: number
  multiDatabase: { oid: number; name: string }
}

/** The bounds of the database, and of the cluster, are those of what is oldest in them. */
export async function updateDatabaseBounds(run: VacuumRun): Promise<void> {
  const { cluster, oldest } = await run.change((context) => {
    const isChanged = overwriteDatabaseBounds(context)
    const { cluster } = context
    return { cluster, oldest: isChanged ? oldestIds(context) : undefined }
  })
  if (oldest === undefined) return
  const { xid, xidDatabase, multi, multiDatabase } = oldest
  await cluster.truncateLogs(
    xid,
    xidDatabase.oid,
    xidDatabase.name,
    multi,
    multiDatabase.oid,
    multiDatabase.name,
  )
}

// vac_update_datfrozenxid: the database's bounds are those of its oldest table. Whether the cluster's may have changed.
function overwriteDatabaseBounds(context: CommandContext): boolean {
  const { session, catalogs, cluster } = context
  const bounds = cluster.idBounds()
  let datfrozenxid = session.oldestXmin()
  let datminmxid = bounds.oldestNeededMulti
  for (const { relkind, relfrozenxid, relminmxid } of catalogs.scan(session, pgClass)) {
    if (!'rmt'.includes(relkind)) continue
    if (relfrozenxid >= firstNormalXid) {
      // A bound in the future is damaged: nothing can be said of the database then.
      if (idPrecedes(bounds.nextXid, relfrozenxid)) return false
      if (idPrecedes(relfrozenxid, datfrozenxid)) datfrozenxid = relfrozenxid
    }
    if (relminmxid > 0) {
      if (idPrecedes(bounds.nextMulti, relminmxid)) return false
      if (idPrecedes(relminmxid, datminmxid)) datminmxid = relminmxid
    }
  }
  const old = currentDatabase(context)
  const isNewer = (now: number, before: number, next: number) =>
    now !== before && (idPrecedes(before, now) || idPrecedes(next, before))
  const changes = {
    ...(isNewer(datfrozenxid, old.datfrozenxid, bounds.nextXid) && { datfrozenxid }),
    ...(isNewer(datminmxid, old.datminmxid, bounds.nextMulti) && { datminmxid }),
  }
  if (Object.keys(changes).length === 0) {
    // ForceTransactionIdLimitUpdate.
    const [oldest] = catalogs.locate(session, pgDatabase, 'pg_database_oid_index', [
      bounds.oldestXidDatabase,
    ])
    return bounds.isVacuumDue || oldest === undefined
  }
  const [located] = catalogs.locate(session, pgDatabase, 'pg_database_oid_index', [old.oid])
  if (located === undefined)
    throw new PgError('3D000', `database with OID ${old.oid} does not exist`)
  catalogs.updateInPlace(session, pgDatabase, located.tid, changes)
  return true
}

// vac_truncate_clog: the cluster's bounds are those of its oldest database. Undefined when one of them makes no sense.
function oldestIds(context: CommandContext): OldestIds | undefined {
  const { session, catalogs, cluster } = context
  const { nextXid, nextMulti } = cluster.idBounds()
  let oldest: OldestIds | undefined
  for (const row of catalogs.scan(session, pgDatabase)) {
    const { oid, datname: name, datfrozenxid, datminmxid, datconnlimit } = row
    if (datconnlimit === invalidDatabase) continue
    if (idPrecedes(nextXid, datfrozenxid) || idPrecedes(nextMulti, datminmxid)) return undefined
    oldest ??= {
      xid: datfrozenxid,
      xidDatabase: { oid, name },
      multi: datminmxid,
      multiDatabase: { oid, name },
    }
    if (idPrecedes(datfrozenxid, oldest.xid))
      oldest = { ...oldest, xid: datfrozenxid, xidDatabase: { oid, name } }
    if (idPrecedes(datminmxid, oldest.multi))
      oldest = { ...oldest, multi: datminmxid, multiDatabase: { oid, name } }
  }
  return oldest
}
