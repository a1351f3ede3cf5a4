// Cumulative statistics as PostgreSQL's views show them: pg_stat_all_tables, pg_statio_all_tables, pg_stat_all_indexes,
// pg_stat_database and those of which there is one row.
//
// Names and meanings are the views'. Times are in milliseconds. Source: src/backend/catalog/system_views.sql,
// src/backend/utils/adt/pgstatfuncs.c, PostgreSQL 18.
import type { IoStatistics, NativeCluster, NativeCounters, SlruName } from '../binding/native.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'

export type { IoStatistics, SlruName }

/** A row of pg_stat_all_tables, and of pg_statio_all_tables. */
export interface TableStatistics {
  relid: number
  schemaname: string
  relname: string
  seq_scan: number
  last_seq_scan: Date | null
  seq_tup_read: number
  /** Null, as all of its kind, for a table without indexes. */
  idx_scan: number | null
  last_idx_scan: Date | null
  idx_tup_fetch: number | null
  n_tup_ins: number
  n_tup_upd: number
  n_tup_del: number
  n_tup_hot_upd: number
  n_tup_newpage_upd: number
  n_live_tup: number
  n_dead_tup: number
  n_mod_since_analyze: number
  n_ins_since_vacuum: number
  last_vacuum: Date | null
  last_autovacuum: Date | null
  last_analyze: Date | null
  last_autoanalyze: Date | null
  vacuum_count: number
  autovacuum_count: number
  analyze_count: number
  autoanalyze_count: number
  total_vacuum_time: number
  total_autovacuum_time: number
  total_analyze_time: number
  total_autoanalyze_time: number
  heap_blks_read: number
  heap_blks_hit: number
  idx_blks_read: number | null
  idx_blks_hit: number | null
  /** Null, as all of its kind, for a table without a TOAST table. */
  toast_blks_read: number | null
  toast_blks_hit: number | null
  tidx_blks_read: number | null
  tidx_blks_hit: number | null
}

/** A row of pg_stat_all_indexes, and of pg_statio_all_indexes. */
export interface IndexStatistics {
  relid: number
  indexrelid: number
  schemaname: string
  relname: string
  indexrelname: string
  idx_scan: number
  last_idx_scan: Date | null
  idx_tup_read: number
  idx_tup_fetch: number
  idx_blks_read: number
  idx_blks_hit: number
}

/** A row of pg_stat_database. */
export interface DatabaseStatistics {
  datid: number
  /** Null for what is counted of shared catalogs. */
  datname: string | null
  xact_commit: number
  xact_rollback: number
  blks_read: number
  blks_hit: number
  tup_returned: number
  tup_fetched: number
  tup_inserted: number
  tup_updated: number
  tup_deleted: number
  temp_files: number
  temp_bytes: number
  deadlocks: number
  /** 0 without track_io_timing. */
  blk_read_time: number
  blk_write_time: number
  session_time: number
  sessions: number
  sessions_abandoned: number
  sessions_fatal: number
  sessions_killed: number
  stats_reset: Date | null
}

/** A row of pg_stat_slru: pages of one of the areas that are kept apart from relations. */
export interface SlruStatistics {
  name: SlruName
  blks_zeroed: number
  blks_hit: number
  blks_read: number
  blks_written: number
  blks_exists: number
  flushes: number
  truncates: number
  stats_reset: Date | null
}

/** The views of one row, pg_stat_io and pg_stat_slru. */
export interface ClusterStatistics {
  archiver: {
    archived_count: number
    last_archived_wal: string | null
    last_archived_time: Date | null
    failed_count: number
    last_failed_wal: string | null
    last_failed_time: Date | null
    stats_reset: Date | null
  }
  bgwriter: {
    buffers_clean: number
    maxwritten_clean: number
    buffers_alloc: number
    stats_reset: Date | null
  }
  checkpointer: {
    num_timed: number
    num_requested: number
    num_done: number
    write_time: number
    sync_time: number
    buffers_written: number
    slru_written: number
    stats_reset: Date | null
  }
  wal: {
    wal_records: number
    wal_fpi: number
    wal_bytes: number
    wal_buffers_full: number
    stats_reset: Date | null
  }
  /** Rows of pg_stat_io that have a count. */
  io: IoStatistics[]
  /** One row for each name. */
  slru: SlruStatistics[]
}

const postgresEpoch = Date.UTC(2000, 0, 1)

function timeOf(microseconds: number): Date | null {
  return microseconds === 0 ? null : new Date(postgresEpoch + Math.floor(microseconds / 1000))
}

function sum(entries: readonly NativeCounters[], ...names: string[]): number {
  let total = 0
  for (const entry of entries) for (const name of names) total += entry[name] as number
  return total
}

// What was never counted is 0.
const nothing: NativeCounters = new Proxy({}, { get: () => 0 })

/** Of a relation of the database; a relation that nothing was counted of has zeroes. */
export function relationCounters(
  cluster: NativeCluster,
  database: number,
  oid: number,
): NativeCounters {
  return cluster.relationStatistics(database, oid) ?? nothing
}

const hits = (entries: readonly NativeCounters[]) => sum(entries, 'blocks_hit')
const reads = (entries: readonly NativeCounters[]) => sum(entries, 'blocks_fetched') - hits(entries)

export function tableStatistics(
  cluster: NativeCluster,
  database: number,
  info: RelationInfo,
): TableStatistics {
  const of = (oid: number) => relationCounters(cluster, database, oid)
  const { toast } = info.access.descriptor
  const table = of(info.oid)
  const count = (name: string) => table[name] as number
  const time = (name: string) => timeOf(count(name))
  const indexes = info.indexes.map(({ oid }) => of(oid))
  const hasIndexes = indexes.length > 0
  const toasts = toast === undefined ? [] : [of(toast.oid)]
  const toastIndexes = toast === undefined ? [] : [of(toast.indexOid)]
  return {
    relid: info.oid,
    schemaname: info.schema,
    relname: info.name,
    seq_scan: count('numscans'),
    last_seq_scan: time('lastscan'),
    seq_tup_read: count('tuples_returned'),
    idx_scan: hasIndexes ? sum(indexes, 'numscans') : null,
    last_idx_scan: timeOf(Math.max(0, ...indexes.map(({ lastscan }) => lastscan as number))),
    idx_tup_fetch: hasIndexes ? sum(indexes, 'tuples_fetched') + count('tuples_fetched') : null,
    n_tup_ins: count('tuples_inserted'),
    n_tup_upd: count('tuples_updated'),
    n_tup_del: count('tuples_deleted'),
    n_tup_hot_upd: count('tuples_hot_updated'),
    n_tup_newpage_upd: count('tuples_newpage_updated'),
    n_live_tup: count('live_tuples'),
    n_dead_tup: count('dead_tuples'),
    n_mod_since_analyze: count('mod_since_analyze'),
    n_ins_since_vacuum: count('ins_since_vacuum'),
    last_vacuum: time('last_vacuum_time'),
    last_autovacuum: time('last_autovacuum_time'),
    last_analyze: time('last_analyze_time'),
    last_autoanalyze: time('last_autoanalyze_time'),
    vacuum_count: count('vacuum_count'),
    autovacuum_count: count('autovacuum_count'),
    analyze_count: count('analyze_count'),
    autoanalyze_count: count('autoanalyze_count'),
    total_vacuum_time: count('total_vacuum_time'),
    total_autovacuum_time: count('total_autovacuum_time'),
    total_analyze_time: count('total_analyze_time'),
    total_autoanalyze_time: count('total_autoanalyze_time'),
    heap_blks_read: reads([table]),
    heap_blks_hit: hits([table]),
    idx_blks_read: hasIndexes ? reads(indexes) : null,
    idx_blks_hit: hasIndexes ? hits(indexes) : null,
    toast_blks_read: toast === undefined ? null : reads(toasts),
    toast_blks_hit: toast === undefined ? null : hits(toasts),
    tidx_blks_read: toast === undefined ? null : reads(toastIndexes),
    tidx_blks_hit: toast === undefined ? null : hits(toastIndexes),
  }
}

/** One row for each index of the table. */
export function indexStatistics(
  cluster: NativeCluster,
  database: number,
  info: RelationInfo,
): IndexStatistics[] {
  return info.indexes.map(({ oid, name }) => {
    const counters = relationCounters(cluster, database, oid)
    return {
      relid: info.oid,
      indexrelid: oid,
      schemaname: info.schema,
      relname: info.name,
      indexrelname: name,
      idx_scan: counters['numscans'] as number,
      last_idx_scan: timeOf(counters['lastscan'] as number),
      idx_tup_read: counters['tuples_returned'] as number,
      idx_tup_fetch: counters['tuples_fetched'] as number,
      idx_blks_read: reads([counters]),
      idx_blks_hit: hits([counters]),
    }
  })
}

export function databaseStatistics(
  cluster: NativeCluster,
  datid: number,
  datname: string | null,
): DatabaseStatistics {
  const counters = cluster.databaseStatistics(datid) ?? nothing
  const count = (name: string) => counters[name] as number
  return {
    datid,
    datname,
    xact_commit: count('xact_commit'),
    xact_rollback: count('xact_rollback'),
    blks_read: reads([counters]),
    blks_hit: hits([counters]),
    tup_returned: count('tuples_returned'),
    tup_fetched: count('tuples_fetched'),
    tup_inserted: count('tuples_inserted'),
    tup_updated: count('tuples_updated'),
    tup_deleted: count('tuples_deleted'),
    temp_files: count('temp_files'),
    temp_bytes: count('temp_bytes'),
    deadlocks: count('deadlocks'),
    blk_read_time: count('blk_read_time') / 1000,
    blk_write_time: count('blk_write_time') / 1000,
    session_time: count('session_time') / 1000,
    sessions: count('sessions'),
    sessions_abandoned: count('sessions_abandoned'),
    sessions_fatal: count('sessions_fatal'),
    sessions_killed: count('sessions_killed'),
    stats_reset: timeOf(count('stat_reset_timestamp')),
  }
}

/** Undefined when the cluster is open for reading only. */
export function clusterStatistics(cluster: NativeCluster): ClusterStatistics | undefined {
  const native = cluster.clusterStatistics()
  if (native === null) return undefined
  const { archiver, bgwriter, checkpointer, wal, io, slru } = native
  const count = (counters: NativeCounters, name: string) => counters[name] as number
  const stats_reset = (counters: NativeCounters) => timeOf(count(counters, 'stat_reset_timestamp'))
  return {
    archiver: {
      archived_count: archiver.archived_count,
      last_archived_wal: archiver.last_archived_wal || null,
      last_archived_time: timeOf(archiver.last_archived_timestamp),
      failed_count: archiver.failed_count,
      last_failed_wal: archiver.last_failed_wal || null,
      last_failed_time: timeOf(archiver.last_failed_timestamp),
      stats_reset: timeOf(archiver.stat_reset_timestamp),
    },
    bgwriter: {
      buffers_clean: count(bgwriter, 'buf_written_clean'),
      maxwritten_clean: count(bgwriter, 'maxwritten_clean'),
      buffers_alloc: count(bgwriter, 'buf_alloc'),
      stats_reset: stats_reset(bgwriter),
    },
    checkpointer: {
      num_timed: count(checkpointer, 'num_timed'),
      num_requested: count(checkpointer, 'num_requested'),
      num_done: count(checkpointer, 'num_performed'),
      write_time: count(checkpointer, 'write_time'),
      sync_time: count(checkpointer, 'sync_time'),
      buffers_written: count(checkpointer, 'buffers_written'),
      slru_written: count(checkpointer, 'slru_written'),
      stats_reset: stats_reset(checkpointer),
    },
    wal: {
      wal_records: count(wal, 'wal_records'),
      wal_fpi: count(wal, 'wal_fpi'),
      wal_bytes: count(wal, 'wal_bytes'),
      wal_buffers_full: count(wal, 'wal_buffers_full'),
      stats_reset: stats_reset(wal),
    },
    io,
    slru: slru.map(({ name, counters }) => ({
      name,
      blks_zeroed: count(counters, 'blocks_zeroed'),
      blks_hit: count(counters, 'blocks_hit'),
      blks_read: count(counters, 'blocks_read'),
      blks_written: count(counters, 'blocks_written'),
      blks_exists: count(counters, 'blocks_exists'),
      flushes: count(counters, 'flush'),
      truncates: count(counters, 'truncate'),
      stats_reset: stats_reset(counters),
    })),
  }
}
