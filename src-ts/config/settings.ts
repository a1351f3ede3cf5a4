// Settings: the values that have a meaning here, typed, as the engine takes them.
import { PgError } from '../errors/pg-error.ts'
import { findSettingDefinition } from './setting-definition.ts'
import { parseSetting } from './setting-value.ts'

/** How the text of a setting becomes its value: times in milliseconds, memory in bytes. */
type Kind = 'boolean' | 'number' | 'bytes' | 'milliseconds' | 'text'

// Of those that are choices: the choices that mean something here, in place of 'text'.
type Meaning = Kind | readonly string[]

function choice<const C extends readonly string[]>(...choices: C): C {
  return choices
}

// `max_worker_processes` and `max_wal_senders` only matter to servers that replay the log; pg_control tells them.
const meanings = {
  shared_buffers: 'bytes',
  wal_buffers: 'bytes',
  work_mem: 'bytes',
  hash_mem_multiplier: 'number',
  maintenance_work_mem: 'bytes',
  /** -1: maintenance_work_mem. */
  autovacuum_work_mem: 'bytes',
  /** -1: none. */
  temp_file_limit: 'bytes',
  /** Files from this size on are told; -1: none. */
  log_temp_files: 'bytes',
  min_wal_size: 'bytes',
  max_wal_size: 'bytes',
  max_connections: 'number',
  max_pred_locks_per_transaction: 'number',
  max_pred_locks_per_relation: 'number',
  max_pred_locks_per_page: 'number',
  max_prepared_transactions: 'number',
  max_locks_per_transaction: 'number',
  max_worker_processes: 'number',
  max_wal_senders: 'number',
  /** Milliseconds. */
  wal_writer_delay: 'number',
  wal_writer_flush_after: 'bytes',
  track_counts: 'boolean',
  track_io_timing: 'boolean',
  track_wal_io_timing: 'boolean',
  synchronous_commit: choice('on', 'off', 'local', 'remote_write', 'remote_apply'),
  deadlock_timeout: 'milliseconds',
  lock_timeout: 'milliseconds',
  statement_timeout: 'milliseconds',
  transaction_timeout: 'milliseconds',
  idle_in_transaction_session_timeout: 'milliseconds',
  /** Seconds. */
  checkpoint_timeout: 'number',
  checkpoint_completion_target: 'number',
  /** Milliseconds. */
  bgwriter_delay: 'number',
  bgwriter_lru_maxpages: 'number',
  bgwriter_lru_multiplier: 'number',
  archive_mode: choice('off', 'on', 'always'),
  archive_command: 'text',
  /** Seconds; 0: segments are switched when they are full. */
  archive_timeout: 'number',
  default_statistics_target: 'number',
  autovacuum: 'boolean',
  autovacuum_naptime: 'milliseconds',
  autovacuum_max_workers: 'number',
  autovacuum_vacuum_threshold: 'number',
  autovacuum_vacuum_max_threshold: 'number',
  autovacuum_vacuum_insert_threshold: 'number',
  autovacuum_vacuum_scale_factor: 'number',
  autovacuum_vacuum_insert_scale_factor: 'number',
  autovacuum_analyze_threshold: 'number',
  autovacuum_analyze_scale_factor: 'number',
  autovacuum_freeze_max_age: 'number',
  autovacuum_multixact_freeze_max_age: 'number',
  /** Milliseconds; -1: vacuum_cost_delay. */
  autovacuum_vacuum_cost_delay: 'number',
  /** -1: vacuum_cost_limit. */
  autovacuum_vacuum_cost_limit: 'number',
  /** Milliseconds. */
  vacuum_cost_delay: 'number',
  vacuum_cost_limit: 'number',
  vacuum_cost_page_miss: 'number',
  vacuum_cost_page_dirty: 'number',
  vacuum_freeze_min_age: 'number',
  vacuum_freeze_table_age: 'number',
  vacuum_multixact_freeze_min_age: 'number',
  vacuum_multixact_freeze_table_age: 'number',
  vacuum_failsafe_age: 'number',
  vacuum_multixact_failsafe_age: 'number',
  vacuum_max_eager_freeze_failure_rate: 'number',
  vacuum_truncate: 'boolean',
  /** -1: never, 0: always. */
  log_autovacuum_min_duration: 'milliseconds',
  /** '' when nobody has given it, where PostgreSQL writes to standard error. */
  log_destination: 'text',
  logging_collector: 'boolean',
  log_directory: 'text',
  log_filename: 'text',
  log_rotation_age: 'milliseconds',
  log_rotation_size: 'bytes',
  log_truncate_on_rotation: 'boolean',
  log_min_messages: choice(
    'debug5',
    'debug4',
    'debug3',
    'debug2',
    'debug1',
    'info',
    'notice',
    'warning',
    'error',
    'log',
    'fatal',
    'panic',
  ),
  log_checkpoints: 'boolean',
  log_lock_waits: 'boolean',
  fsync: 'boolean',
  full_page_writes: 'boolean',
  wal_level: choice('minimal', 'replica'),
  wal_log_hints: 'boolean',
  track_commit_timestamp: 'boolean',
  wal_sync_method: choice(
    'adaptive',
    'fdatasync',
    'fsync',
    'open_datasync',
    'open_datasync_direct',
  ),
  /** What is made durable before a crashed directory is recovered: each file, or its file systems. */
  recovery_init_sync_method: choice('fsync', 'syncfs'),
  wal_consistency_checking: 'text',
  io_mode: choice('buffered', 'direct'),
  /** Relations of a database; what was read first is forgotten first. */
  'pgdata.relation_cache_size': 'number',
  shared_memory_type: choice('sysv', 'private'),
} satisfies Record<string, Meaning>

type Meanings = typeof meanings
export type SettingName = keyof Meanings
type ValueOf<M> = M extends readonly (infer C)[]
  ? C
  : M extends 'boolean'
    ? boolean
    : M extends 'text'
      ? string
      : number

/** Memory in bytes; times in milliseconds where no other unit is said. */
export type Settings = { [N in SettingName]: ValueOf<Meanings[N]> }

export type SettingInput = string | number | boolean
/** Values as given, by the names of PostgreSQL's settings: memory also as '256MB', booleans also as 'on' and 'off'. */
export type SettingsInput = Partial<Record<SettingName, SettingInput>> & {
  [name: string]: SettingInput | undefined
}

// What PostgreSQL's values come to that are not known here. A log that is written for replicas lacks nothing that a server
// needs which decodes none; memory of either type is shared by all; O_SYNC syncs more than is asked for.
const substitutes: Record<string, Record<string, string>> = {
  wal_level: { logical: 'replica' },
  shared_memory_type: { mmap: 'sysv' },
  wal_sync_method: { open_sync: 'open_datasync' },
}

// One segment of the log, where PostgreSQL takes a 32nd of shared_buffers and at most that.
const automaticWalBuffers = 16 * 1024 ** 2

const unitSizes: Record<string, number> = {
  B: 1,
  kB: 1024,
  '8kB': 8192,
  MB: 1024 ** 2,
  ms: 1,
  s: 1000,
  min: 60_000,
}

function meaningOf(name: SettingName, setting: string): Settings[SettingName] {
  const meaning: Meaning = meanings[name]
  switch (meaning) {
    case 'boolean':
      return setting === 'on'
    case 'number':
      return Number(setting)
    case 'bytes':
    case 'milliseconds': {
      const value = Number(setting)
      if (name === 'wal_buffers' && value === -1) return automaticWalBuffers
      // -1 stands for "never", whatever the unit.
      const unit = findSettingDefinition(name)?.unit ?? ''
      return value < 0 ? value : value * (unitSizes[unit] ?? 1)
    }
    case 'text':
      return setting
    default:
      return (substitutes[name]?.[setting] ?? setting) as Settings[SettingName]
  }
}

export const settingNames = Object.keys(meanings) as SettingName[]

/**
 * The settings that mean something here, from the text of each, and whether somebody gave it. Throws 22023 for those that
 * exclude each other.
 */
export function meaningfulSettings(
  textOf: (name: SettingName) => { setting: string | null; isGiven: boolean },
): Settings {
  const settings: Record<string, unknown> = {}
  for (const name of settingNames) {
    const { setting, isGiven } = textOf(name)
    settings[name] = name === 'log_destination' && !isGiven ? '' : meaningOf(name, setting ?? '')
  }
  const { wal_level, max_wal_senders, archive_mode } = settings as Settings
  if (wal_level === 'minimal' && archive_mode !== 'off') {
    throw new PgError('22023', 'WAL archival cannot be enabled when "wal_level" is "minimal"')
  }
  if (wal_level === 'minimal' && max_wal_senders > 0) {
    throw new PgError(
      '22023',
      'WAL streaming ("max_wal_senders" > 0) requires "wal_level" to be "replica" or "logical"',
    )
  }
  return settings as Settings
}

/** Those given in place of their defaults, without files. Throws 42704 for an unknown name, 22023 for a bad value. */
export function resolveSettings(input: SettingsInput = {}): Settings {
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(input)) {
    const definition = findSettingDefinition(name)
    if (definition === undefined) {
      throw new PgError('42704', `unrecognized configuration parameter "${name}"`)
    }
    if (value !== undefined) given.set(definition.name, parseSetting(definition, String(value)))
  }
  return meaningfulSettings((name) => ({
    setting: given.get(name) ?? findSettingDefinition(name)?.boot ?? null,
    isGiven: given.has(name),
  }))
}
