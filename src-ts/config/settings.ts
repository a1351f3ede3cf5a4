// Settings of a cluster: PostgreSQL's names, units and ranges, as given in `Cluster.open`.
import { PgError } from '../errors/pg-error.ts'

/** Bytes per unit of memory settings. */
const memoryUnits: Record<string, number> = {
  B: 1,
  kB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
}

/** Milliseconds per unit of time settings. */
const timeUnits: Record<string, number> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

interface MemorySetting {
  kind: 'memory'
  /** Bytes of a bare number. */
  unit: number
  /** Bytes. */
  min: number
  max: number
  default: number
}
interface IntegerSetting {
  kind: 'integer'
  min: number
  max: number
  default: number
}
interface RealSetting {
  kind: 'real'
  min: number
  max: number
  default: number
}
interface TimeSetting {
  kind: 'time'
  /** Milliseconds of a bare number; 1 when not given. */
  unit?: number
  /** Milliseconds. */
  min: number
  max: number
  default: number
}
interface BooleanSetting {
  kind: 'boolean'
  default: boolean
}
interface ChoiceSetting<C extends string> {
  kind: 'choice'
  choices: readonly C[]
  default: C
}

/** A text that the native side takes apart, and refuses when it is wrong. */
interface TextSetting {
  kind: 'text'
  default: string
}

function choice<C extends string>(choices: readonly C[], standard: C): ChoiceSetting<C> {
  return { kind: 'choice', choices, default: standard }
}

// Such as the many thresholds and ages.
function integer(standard: number, min: number, max = 2147483647): IntegerSetting {
  return { kind: 'integer', min, max, default: standard }
}

function real(standard: number, min: number, max: number): RealSetting {
  return { kind: 'real', min, max, default: standard }
}

const kilobyte = 1024
const megabyte = 1024 ** 2
const gigabyte = 1024 ** 3
const block = 8192

// Source of names, units and ranges: src/backend/utils/misc/guc_tables.c, PostgreSQL 18. `io_mode` is ours:
// whether pages also stand in the operating system's cache.
// `max_worker_processes` and `max_wal_senders` only matter to servers that replay the log; pg_control tells them.
const definitions = {
  shared_buffers: {
    kind: 'memory',
    unit: block,
    min: 128 * kilobyte,
    max: 1024 * gigabyte,
    default: 128 * megabyte,
  } satisfies MemorySetting,
  wal_buffers: {
    kind: 'memory',
    unit: block,
    min: 64 * kilobyte,
    max: 2 * gigabyte,
    default: 16 * megabyte,
  } satisfies MemorySetting,
  min_wal_size: {
    kind: 'memory',
    unit: megabyte,
    min: 2 * megabyte,
    max: 1024 * gigabyte,
    default: 80 * megabyte,
  } satisfies MemorySetting,
  max_wal_size: {
    kind: 'memory',
    unit: megabyte,
    min: 2 * megabyte,
    max: 1024 * gigabyte,
    default: gigabyte,
  } satisfies MemorySetting,
  max_connections: { kind: 'integer', min: 1, max: 262143, default: 100 } satisfies IntegerSetting,
  max_pred_locks_per_transaction: {
    kind: 'integer',
    min: 10,
    max: 2147483647,
    default: 64,
  } satisfies IntegerSetting,
  max_pred_locks_per_relation: {
    kind: 'integer',
    min: -2147483648,
    max: 2147483647,
    default: -2,
  } satisfies IntegerSetting,
  max_pred_locks_per_page: {
    kind: 'integer',
    min: 0,
    max: 2147483647,
    default: 2,
  } satisfies IntegerSetting,
  max_prepared_transactions: {
    kind: 'integer',
    min: 0,
    max: 262143,
    default: 0,
  } satisfies IntegerSetting,
  /** Milliseconds. */
  wal_writer_delay: { kind: 'integer', min: 1, max: 10000, default: 200 } satisfies IntegerSetting,
  wal_writer_flush_after: {
    kind: 'memory',
    unit: block,
    min: 0,
    max: 2_147_483_647 * block,
    default: megabyte,
  } satisfies MemorySetting,
  track_counts: { kind: 'boolean', default: true } satisfies BooleanSetting,
  synchronous_commit: choice(['on', 'off', 'local', 'remote_write', 'remote_apply'], 'on'),
  checkpoint_timeout: {
    kind: 'integer',
    min: 30,
    max: 86400,
    default: 300,
  } satisfies IntegerSetting,
  max_locks_per_transaction: {
    kind: 'integer',
    min: 10,
    max: 2147483647,
    default: 64,
  } satisfies IntegerSetting,
  deadlock_timeout: { kind: 'time', min: 1, max: 2147483647, default: 1000 } satisfies TimeSetting,
  lock_timeout: { kind: 'time', min: 0, max: 2147483647, default: 0 } satisfies TimeSetting,
  checkpoint_completion_target: real(0.9, 0, 1),
  /** Milliseconds. */
  bgwriter_delay: integer(200, 10, 10_000),
  bgwriter_lru_maxpages: integer(100, 0, 1_073_741_823),
  bgwriter_lru_multiplier: real(2, 0, 10),
  archive_mode: choice(['off', 'on', 'always'], 'off'),
  archive_command: { kind: 'text', default: '' } satisfies TextSetting,
  /** Seconds; 0: segments are switched when they are full. */
  archive_timeout: integer(0, 0, 1_073_741_823),
  autovacuum: { kind: 'boolean', default: true } satisfies BooleanSetting,
  autovacuum_naptime: {
    kind: 'time',
    unit: 1000,
    min: 1000,
    max: 2147483000,
    default: 60_000,
  } satisfies TimeSetting,
  autovacuum_max_workers: integer(3, 1, 262143),
  autovacuum_vacuum_threshold: integer(50, 0),
  autovacuum_vacuum_max_threshold: integer(100_000_000, -1),
  autovacuum_vacuum_insert_threshold: integer(1000, -1),
  autovacuum_vacuum_scale_factor: real(0.2, 0, 100),
  autovacuum_vacuum_insert_scale_factor: real(0.2, 0, 100),
  autovacuum_freeze_max_age: integer(200_000_000, 100_000, 2_000_000_000),
  autovacuum_multixact_freeze_max_age: integer(400_000_000, 10_000, 2_000_000_000),
  /** Milliseconds; -1: vacuum_cost_delay. */
  autovacuum_vacuum_cost_delay: real(2, -1, 100),
  /** -1: vacuum_cost_limit. */
  autovacuum_vacuum_cost_limit: integer(-1, -1, 10_000),
  vacuum_cost_delay: real(0, 0, 100),
  vacuum_cost_limit: integer(200, 1, 10_000),
  vacuum_cost_page_miss: integer(2, 0, 10_000),
  vacuum_cost_page_dirty: integer(20, 0, 10_000),
  vacuum_freeze_min_age: integer(50_000_000, 0, 1_000_000_000),
  vacuum_freeze_table_age: integer(150_000_000, 0, 2_000_000_000),
  vacuum_multixact_freeze_min_age: integer(5_000_000, 0, 1_000_000_000),
  vacuum_multixact_freeze_table_age: integer(150_000_000, 0, 2_000_000_000),
  /** Milliseconds; -1: never, 0: always. */
  log_autovacuum_min_duration: {
    kind: 'time',
    min: -1,
    max: 2147483647,
    default: 600_000,
  } satisfies TimeSetting,
  // As text, since '' stands for "not given", which in PostgreSQL is 'stderr'.
  log_destination: { kind: 'text', default: '' } satisfies TextSetting,
  logging_collector: { kind: 'boolean', default: false } satisfies BooleanSetting,
  log_directory: { kind: 'text', default: 'log' } satisfies TextSetting,
  log_filename: {
    kind: 'text',
    default: 'postgresql-%Y-%m-%d_%H%M%S.log',
  } satisfies TextSetting,
  log_rotation_age: {
    kind: 'time',
    unit: 60_000,
    min: 0,
    max: 35_791_394 * 60_000,
    default: 86_400_000,
  } satisfies TimeSetting,
  log_rotation_size: {
    kind: 'memory',
    unit: kilobyte,
    min: 0,
    max: 2_147_483_647 * kilobyte,
    default: 10 * megabyte,
  } satisfies MemorySetting,
  log_truncate_on_rotation: { kind: 'boolean', default: false } satisfies BooleanSetting,
  log_min_messages: choice(
    [
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
    ],
    'warning',
  ),
  log_checkpoints: { kind: 'boolean', default: true } satisfies BooleanSetting,
  log_lock_waits: { kind: 'boolean', default: false } satisfies BooleanSetting,
  statement_timeout: { kind: 'time', min: 0, max: 2147483647, default: 0 } satisfies TimeSetting,
  transaction_timeout: { kind: 'time', min: 0, max: 2147483647, default: 0 } satisfies TimeSetting,
  idle_in_transaction_session_timeout: {
    kind: 'time',
    min: 0,
    max: 2147483647,
    default: 0,
  } satisfies TimeSetting,
  fsync: { kind: 'boolean', default: true } satisfies BooleanSetting,
  full_page_writes: { kind: 'boolean', default: true } satisfies BooleanSetting,
  wal_level: choice(['minimal', 'replica'], 'replica'),
  wal_log_hints: { kind: 'boolean', default: false } satisfies BooleanSetting,
  track_commit_timestamp: { kind: 'boolean', default: false } satisfies BooleanSetting,
  max_worker_processes: {
    kind: 'integer',
    min: 0,
    max: 262143,
    default: 8,
  } satisfies IntegerSetting,
  max_wal_senders: { kind: 'integer', min: 0, max: 262143, default: 10 } satisfies IntegerSetting,
  wal_sync_method: choice(
    ['adaptive', 'fdatasync', 'fsync', 'open_datasync', 'open_datasync_direct'],
    'adaptive',
  ),
  /** What is made durable before a crashed directory is recovered: each file, or (the default here) its file systems. */
  recovery_init_sync_method: choice(['fsync', 'syncfs'], 'syncfs'),
  wal_consistency_checking: { kind: 'text', default: '' } satisfies TextSetting,
  io_mode: choice(['buffered', 'direct'], 'buffered'),
  // 'private' is ours: memory that no other process can attach to.
  shared_memory_type: choice(['sysv', 'private'], 'sysv'),
}

type Definitions = typeof definitions
export type SettingName = keyof Definitions
type ValueOf<D> = D extends { kind: 'boolean' }
  ? boolean
  : D extends { kind: 'choice'; choices: readonly (infer C)[] }
    ? C
    : D extends { kind: 'text' }
      ? string
      : number

/** Values as used: memory in bytes, times in seconds, or in milliseconds where the kind is "time". */
export type Settings = { [N in SettingName]: ValueOf<Definitions[N]> }
/** Values as given: memory also as '256MB', booleans also as 'on' and 'off'. */
export type SettingsInput = Partial<Record<SettingName, string | number | boolean>>

function refuse(name: string, value: unknown, hint?: string): never {
  throw new PgError('22023', `invalid value for parameter "${name}": "${value}"`, { hint })
}

function parseBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  switch (String(value).toLowerCase()) {
    case 'on':
    case 'true':
    case 'yes':
    case '1':
      return true
    case 'off':
    case 'false':
    case 'no':
    case '0':
      return false
    default:
      throw new PgError('22023', `parameter "${name}" requires a Boolean value`)
  }
}

function parseMemory(name: string, value: unknown, unit: number): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(String(value))
  if (match === null) refuse(name, value)
  const [, digits, suffix] = match
  const factor = suffix === '' ? unit : memoryUnits[suffix as string]
  if (factor === undefined) {
    refuse(name, value, 'Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".')
  }
  return Math.round(Number(digits) * factor)
}

function parseTime(name: string, value: unknown, unit: number): number {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(String(value))
  if (match === null) refuse(name, value)
  const [, digits, suffix] = match
  const factor = suffix === '' ? unit : timeUnits[suffix as string]
  if (factor === undefined) {
    refuse(name, value, 'Valid units for this parameter are "ms", "s", "min", "h", and "d".')
  }
  return Math.round(Number(digits) * factor)
}

function inRange(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value
  throw new PgError(
    '22023',
    `${value} is outside the valid range for parameter "${name}" (${min} .. ${max})`,
  )
}

function parse(name: SettingName, value: unknown): Settings[SettingName] {
  const definition = definitions[name]
  switch (definition.kind) {
    case 'boolean':
      return parseBoolean(name, value)
    case 'integer': {
      const number = Number(value)
      if (!Number.isInteger(number)) refuse(name, value)
      return inRange(name, number, definition.min, definition.max)
    }
    case 'real': {
      const number = Number(value)
      if (Number.isNaN(number)) refuse(name, value)
      return inRange(name, number, definition.min, definition.max)
    }
    case 'time': {
      const { unit = 1, min, max }: TimeSetting = definition
      // -1 stands for "never", whatever the unit.
      const number = String(value).trim() === '-1' ? -1 : parseTime(name, value, unit)
      return inRange(name, number, min, max)
    }
    case 'memory':
      return inRange(
        name,
        parseMemory(name, value, definition.unit),
        definition.min,
        definition.max,
      )
    case 'text':
      return String(value)
    case 'choice': {
      const chosen = (definition.choices as readonly string[]).find((option) => option === value)
      if (chosen === undefined) {
        refuse(name, value, `Available values: ${definition.choices.join(', ')}.`)
      }
      return chosen as Settings[SettingName]
    }
  }
}

/** All settings, those given in place of their defaults. Throws 42704 for an unknown name, 22023 for a bad value. */
export function resolveSettings(input: SettingsInput = {}): Settings {
  const settings: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries(definitions)) settings[name] = definition.default
  for (const [name, value] of Object.entries(input)) {
    if (!Object.hasOwn(definitions, name)) {
      throw new PgError('42704', `unrecognized configuration parameter "${name}"`)
    }
    if (value !== undefined) settings[name] = parse(name as SettingName, value)
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
