// SettingDefinition: what a setting may be and when it can change. A caller may rely on a definition for each setting that
// PostgreSQL 18 has, whether it means something here or not, by any spelling of its name.
import { type KnownSetting, knownSettings } from './known-settings.generated.ts'

export type SettingContext =
  | 'internal'
  | 'postmaster'
  | 'sighup'
  | 'superuser-backend'
  | 'backend'
  | 'superuser'
  | 'user'

export type SettingType = 'bool' | 'integer' | 'real' | 'string' | 'enum'

export interface SettingDefinition {
  name: string
  context: SettingContext
  vartype: SettingType
  /** Of a bare number: B, kB, MB, 8kB, ms, s, min. */
  unit: string | undefined
  min: number
  max: number
  choices: readonly string[]
  /** Null of a text that nobody has given. */
  boot: string | null
}

// Here other than in PostgreSQL: what the engine cannot change while it runs is fixed when the cluster is opened.
const fixedAtOpen = [
  'archive_timeout',
  'autovacuum_naptime',
  'bgwriter_delay',
  'bgwriter_lru_maxpages',
  'bgwriter_lru_multiplier',
  'checkpoint_completion_target',
  'checkpoint_timeout',
  'fsync',
  'full_page_writes',
  'log_checkpoints',
  'log_destination',
  'log_lock_waits',
  'max_pred_locks_per_page',
  'max_pred_locks_per_relation',
  'max_wal_size',
  'min_wal_size',
  'recovery_init_sync_method',
  'track_counts',
  'wal_consistency_checking',
  'wal_sync_method',
  'wal_writer_delay',
  'wal_writer_flush_after',
]

// Choices of settings without a meaning here that the oracle was built without.
const furtherChoices: Record<string, readonly string[]> = {
  default_toast_compression: ['lz4'],
  io_method: ['io_uring'],
  wal_compression: ['lz4', 'zstd'],
}

function differing(known: SettingDefinition): SettingDefinition {
  const { name, choices } = known
  const context = fixedAtOpen.includes(name) ? 'postmaster' : known.context
  const definition = { ...known, context }
  const further = furtherChoices[name]?.filter((choice) => !choices.includes(choice)) ?? []
  if (further.length > 0) return { ...definition, choices: [...choices, ...further] }
  switch (name) {
    case 'log_min_messages':
      // One for all sessions of a process.
      return { ...definition, context: 'sighup' }
    case 'recovery_init_sync_method':
      return { ...definition, boot: 'syncfs' }
    case 'shared_memory_type':
      // 'private': memory that no other process can attach to.
      return { ...definition, boot: 'sysv', choices: [...choices, 'private'] }
    case 'wal_sync_method':
      return {
        ...definition,
        boot: 'adaptive',
        choices: [...choices, 'adaptive', 'open_datasync_direct'],
      }
    default:
      return definition
  }
}

const ownSettings: readonly SettingDefinition[] = [
  // Whether pages also stand in the operating system's cache.
  {
    name: 'io_mode',
    context: 'postmaster',
    vartype: 'enum',
    unit: undefined,
    min: 0,
    max: 0,
    choices: ['buffered', 'direct'],
    boot: 'buffered',
  },
  // Relations of a database that a process remembers what the catalogs say of. The name is one that stock takes as an
  // extension's.
  {
    name: 'pgdata.relation_cache_size',
    context: 'postmaster',
    vartype: 'integer',
    unit: undefined,
    min: 16,
    max: 2_147_483_647,
    choices: [],
    boot: '10000',
  },
]

function definitionOf(known: KnownSetting): SettingDefinition {
  const [name, context, vartype, unit, min, max, choices, boot] = known
  return differing({
    name,
    context: context as SettingContext,
    vartype: vartype as SettingType,
    unit: unit ?? undefined,
    min: Number(min),
    max: Number(max),
    choices: choices ?? [],
    boot,
  })
}

// Names that settings had in earlier releases. Source: map_old_guc_names in src/backend/utils/misc/guc.c, PostgreSQL 18.
const formerNames: Record<string, string> = {
  sort_mem: 'work_mem',
  vacuum_mem: 'maintenance_work_mem',
  ssl_ecdh_curve: 'ssl_groups',
}

// Definitions are made when they are asked for: most never are, and every program that imports the package would wait.
const knownByName = new Map(knownSettings.map((each) => [each[0].toLowerCase(), each]))
const byName = new Map(ownSettings.map((each) => [each.name, each]))
let all: readonly SettingDefinition[] | undefined

/** Undefined for a name that PostgreSQL does not know. */
export function findSettingDefinition(name: string): SettingDefinition | undefined {
  const lower = name.toLowerCase()
  const current = formerNames[lower] ?? lower
  let definition = byName.get(current)
  if (definition === undefined) {
    const known = knownByName.get(current)
    if (known === undefined) return undefined
    definition = definitionOf(known)
    byName.set(current, definition)
  }
  return definition
}

/** Would PostgreSQL refuse to start with that value, as `parseSetting` gives it, in one of its files? */
export function isOursAlone({ name, vartype }: SettingDefinition, setting: string): boolean {
  if (name.includes('.')) return false
  const known = knownByName.get(name.toLowerCase())
  if (known === undefined) return true
  return (
    vartype === 'enum' && ![...(known[6] ?? []), ...(furtherChoices[name] ?? [])].includes(setting)
  )
}

/** Of all settings, in the order of their names. */
export function settingDefinitions(): readonly SettingDefinition[] {
  all ??= [...new Set([...knownByName.keys(), ...byName.keys()])]
    .sort()
    .map((name) => findSettingDefinition(name) as SettingDefinition)
  return all
}

/** May a setting that PostgreSQL does not know have the name? Each part of "class.name" is an identifier. */
export function isCustomName(name: string): boolean {
  return /^[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*(\.[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)+$/.test(
    name,
  )
}

/** The definition of a setting that PostgreSQL does not know: a text that each session may set. */
export function customDefinition(name: string): SettingDefinition {
  return {
    name,
    context: 'user',
    vartype: 'string',
    unit: undefined,
    min: 0,
    max: 0,
    choices: [],
    boot: null,
  }
}
