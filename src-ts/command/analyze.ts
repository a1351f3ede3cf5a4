// ANALYZE: what the planner of PostgreSQL goes by, found out from a sample of a table's rows: pg_statistic, and the sizes in
// pg_class.
//
// The sample is taken by native code on another thread; then one transaction writes the catalogs.
// Source: src/backend/commands/analyze.c, PostgreSQL 18.
import type { NativeAnalyze, NativeAnalyzeOutcome, NativeCostSettings } from '../binding/native.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { pgStatistic } from '../catalog/pg_statistic.ts'
import { PgError } from '../errors/pg-error.ts'
import { type ColumnToAnalyze, columnsToAnalyze } from './analyzed-columns.ts'
import { overwriteClassRow } from './class-row.ts'
import type { CommandContext } from './command-context.ts'
import { writeStatistics } from './statistic-rows.ts'
import {
  namedOid,
  type UpkeepRun,
  type UpkeepTarget,
  upkeepOids,
  whileLocked,
  whileWatched,
} from './upkeep-target.ts'

/** Progress of the relation that is being analyzed, named as the columns of pg_stat_progress_analyze. */
export interface AnalyzeProgress {
  relation: string
  phase:
    | 'initializing'
    | 'acquiring sample rows'
    | 'acquiring inherited sample rows'
    | 'computing statistics'
    | 'computing extended statistics'
    | 'finalizing analyze'
  sample_blks_total: number
  sample_blks_scanned: number
}

/** Options of ANALYZE, and the settings it goes by, with PostgreSQL's names and defaults. */
export interface AnalyzeOptions {
  /** Only these columns of the table that is named. Default: all. */
  columns?: readonly string[]
  /** Leaves tables out whose lock is not to be had at once. Default false: waits. */
  skipLocked?: boolean
  /** Common values and histogram bins of a column for which no other number is set. Default: the session's setting. */
  default_statistics_target?: number
  /** Milliseconds; default 0, never sleeps. */
  vacuum_cost_delay?: number
  vacuum_cost_limit?: number
  vacuum_cost_page_miss?: number
  /** Aborting it ends the command with 57014; tables that are done stay so. */
  signal?: AbortSignal
  /** Called now and then. */
  onProgress?: (progress: AnalyzeProgress) => void
}

/** What was found out about one table. */
export interface AnalyzeReport {
  relation: string
  pages: number
  scannedPages: number
  /** Of the rows on those pages. */
  sampledRows: number
  /** In the whole table, as far as the scanned pages tell. */
  liveRows: number
  deadRows: number
  /** Those that pg_statistic now tells of. */
  columns: string[]
}

const phases: readonly AnalyzeProgress['phase'][] = [
  'initializing',
  'acquiring sample rows',
  'acquiring inherited sample rows',
  'computing statistics',
  'computing extended statistics',
  'finalizing analyze',
]
const defaultStatisticsTarget = 100
const statisticsTargetMax = 10_000
const costSettings = ['vacuum_cost_delay', 'vacuum_cost_limit', 'vacuum_cost_page_miss'] as const

/** Analyzes a table, or all of the database. Throws 42P01, 42809, 42703, 42701, 22023, 55P03, 57014. */
export async function analyze(
  run: UpkeepRun,
  name: string | undefined,
  options: AnalyzeOptions,
): Promise<AnalyzeReport[]> {
  if (name === undefined && options.columns !== undefined)
    throw new PgError('22023', 'a table must be named to analyze some of its columns')
  const oids = await run.step((context) =>
    name === undefined ? upkeepOids(context) : [namedOid(context, name, 'analyze')],
  )
  const reports: AnalyzeReport[] = []
  for (const oid of oids) {
    const report = await analyzeByOid(run, oid, options)
    if (report !== undefined) reports.push(report)
  }
  return reports
}

/** Analyzes a table; undefined when it is gone, was to be skipped, or is pg_statistic, which tells nothing of itself. */
export async function analyzeByOid(
  run: UpkeepRun,
  oid: number,
  options: AnalyzeOptions,
): Promise<AnalyzeReport | undefined> {
  const target = options.default_statistics_target ?? defaultStatisticsTarget
  if (!(Number.isInteger(target) && target >= 1 && target <= statisticsTargetMax)) {
    throw new PgError(
      '22023',
      `${target} is outside the valid range for parameter "default_statistics_target" (1 .. ${statisticsTargetMax})`,
    )
  }
  const settings = costSettingsOf(options)
  if (oid === pgStatistic.oid) return undefined
  let report: AnalyzeReport | undefined
  await whileLocked(run, oid, 'ANALYZE', options, async (table) => {
    report = await analyzeTable(run, table, target, settings, options)
  })
  return report
}

function costSettingsOf(options: AnalyzeOptions): NativeCostSettings {
  const settings: NativeCostSettings = {}
  for (const name of costSettings) {
    const value = options[name]
    if (value === undefined) continue
    if (!(value >= 0)) throw new PgError('22023', `invalid value for parameter "${name}": ${value}`)
    settings[name] = value
  }
  return settings
}

async function analyzeTable(
  run: UpkeepRun,
  { oid, name, info, isTemporary }: UpkeepTarget,
  defaultTarget: number,
  settings: NativeCostSettings,
  { columns: names, signal, onProgress }: AnalyzeOptions,
): Promise<AnalyzeReport> {
  const began = Date.now()
  const isAutovacuum = run.isAutovacuum ?? false
  const { native, columns } = await run.step((context) => ({
    columns: columnsToAnalyze(context, info, names, defaultTarget),
    native: isTemporary
      ? context.session.analyzeTemporary(info.access.native)
      : context.cluster.analyze(context.catalogs.database.oid, info.access.native, isAutovacuum),
  }))
  run.onNative?.(native)
  const tell = onProgress && (() => onProgress(progressOf(native, name)))
  return await whileWatched(native, tell, signal, async () => {
    const requests = columns.map(({ request }) => request)
    const outcome = await native.run(
      requests,
      settings,
      run.isOn('track_io_timing'),
      run.isOn('track_wal_io_timing'),
    )
    const described = await run.change((context) => {
      const described = writeColumns(context, oid, columns, outcome)
      writeSizes(context, info, outcome)
      return described
    })
    await run.step(({ cluster, catalogs }) => {
      // What was counted of these rows must not be added to what is reported.
      cluster.flushStatistics()
      cluster.reportAnalyze(
        catalogs.database.oid,
        oid,
        info.row.relisshared,
        isAutovacuum,
        outcome.liveRows,
        outcome.deadRows,
        names === undefined,
        Date.now() - began,
      )
    })
    return {
      relation: name,
      pages: outcome.relPages,
      scannedPages: outcome.scannedPages,
      sampledRows: outcome.sampledRows,
      liveRows: outcome.liveRows,
      deadRows: outcome.deadRows,
      columns: described,
    }
  })
}

function progressOf(native: NativeAnalyze, relation: string): AnalyzeProgress {
  const numbers = native.progress()
  return { ...numbers, relation, phase: phases[numbers['phase'] as number] } as AnalyzeProgress
}

// Returns the names of the columns that rows were found for.
function writeColumns(
  context: CommandContext,
  oid: number,
  columns: readonly ColumnToAnalyze[],
  outcome: NativeAnalyzeOutcome,
): string[] {
  const described: string[] = []
  columns.forEach((column, i) => {
    const found = outcome.columns[i]
    if (found == null) return
    writeStatistics(context, oid, column, found)
    described.push(column.row.attname)
  })
  return described
}

// Of the table, and of its indexes but the partial ones, of which the sample does not tell how many rows they have.
function writeSizes(
  context: CommandContext,
  info: UpkeepTarget['info'],
  outcome: NativeAnalyzeOutcome,
): void {
  const { catalogs, session } = context
  const reltuples = Math.fround(outcome.liveRows)
  overwriteClassRow(context, info.oid, () => ({
    relpages: outcome.relPages,
    reltuples,
    relallvisible: outcome.allVisiblePages,
    relallfrozen: outcome.allFrozenPages,
  }))
  info.access.descriptor.indexes.forEach((index, i) => {
    const row = catalogs.findOne(session, pgIndex, 'pg_index_indexrelid_index', [index.oid])
    if (row === undefined || row.indpred !== null) return
    overwriteClassRow(context, index.oid, () => ({
      relpages: outcome.indexPages[i] as number,
      reltuples,
      relallvisible: 0,
      relallfrozen: 0,
    }))
  })
}
