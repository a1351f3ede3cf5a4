// SessionSettings: the values that settings have in one session. A caller may rely on changes being part of the transaction
// they are made in: undone when it, or the savepoint, is rolled back; local ones also when it commits.
// Source: src/backend/utils/misc/guc.c (set_config_with_handle, AtEOXact_GUC), PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import {
  type ClusterSettings,
  definitionFor,
  type GivenSetting,
  type SettingInfo,
  type SettingSource,
} from './cluster-settings.ts'
import type { PlannerSetting } from './planner-settings.ts'
import {
  findSettingDefinition,
  type SettingContext,
  type SettingDefinition,
} from './setting-definition.ts'
import { parseSetting } from './setting-value.ts'
import type { SettingInput, SettingName } from './settings.ts'

// By name; a change makes a new map, so that a level can be gone back to.
type Values = ReadonlyMap<string, string | null>

interface Level {
  session: Values
  /** Until the end of the transaction. */
  local: Values
}

const none: Values = new Map()

// They are what the options of connect and of transactions say.
const unsupported = [
  'application_name',
  'client_encoding',
  'role',
  'seed',
  'session_authorization',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
]

function refusal(context: SettingContext, isConnecting: boolean): string | undefined {
  switch (context) {
    case 'internal':
      return 'cannot be changed'
    case 'postmaster':
      return 'cannot be changed without restarting the server'
    case 'sighup':
      return 'cannot be changed now'
    case 'backend':
    case 'superuser-backend':
      return isConnecting ? undefined : 'cannot be set after connection start'
    case 'superuser':
    case 'user':
      return undefined
  }
}

/** Throws 55P02 when the setting cannot be given at connect, or changed later, 0A000 for those that are not settings here. */
export function refuseUnlessSettable(
  { name, context }: SettingDefinition,
  isConnecting: boolean,
): void {
  const because = refusal(context, isConnecting)
  if (because !== undefined) throw new PgError('55P02', `parameter "${name}" ${because}`)
  if (!isConnecting && unsupported.includes(name))
    throw new PgError('0A000', `setting parameter "${name}" is not supported`, {
      hint: 'Use the options of connect or of transaction.',
    })
}

/** Settings that are read here and there, beside those of all of the cluster. */
export type KnownSetting =
  | SettingName
  | PlannerSetting
  | 'default_transaction_isolation'
  | 'default_transaction_read_only'
  | 'temp_buffers'

export class SessionSettings {
  readonly #cluster: ClusterSettings
  readonly #onChange: () => void
  /** To which a reset goes back; others have the value of the cluster. */
  readonly #given = new Map<string, GivenSetting>()
  #level: Level = { session: none, local: none }
  /** Of the open transaction and its savepoints: what was there when each began. */
  readonly #saved: Level[] = []
  /** Those that keep their value, and why. */
  readonly #fixed = new Map<string, string>()

  /** `onChange`: values may have changed. */
  constructor(cluster: ClusterSettings, onChange: () => void) {
    this.#cluster = cluster
    this.#onChange = onChange
  }

  /**
   * A value from when the session begins; the last one counts. Throws 42704, 42602, 22023, 55P02.
   */
  give(name: string, value: SettingInput, source: SettingSource): void {
    const definition = definitionFor(name)
    refuseUnlessSettable(definition, true)
    this.#given.set(definition.name, { setting: parseSetting(definition, String(value)), source })
  }

  /** Sets a value, or without one the value of a reset. Throws 42704, 42602, 22023, 55P02, 0A000. */
  set(name: string, value: SettingInput | undefined, isLocal: boolean): void {
    const definition = definitionFor(name)
    refuseUnlessSettable(definition, false)
    const known = definition.name
    const setting = value === undefined ? undefined : parseSetting(definition, String(value))
    this.#refuseFixed(known, setting ?? this.#reset(definition).setting)
    const { session, local } = this.#level
    if (isLocal) {
      const reset = this.#reset(definition).setting
      this.#change({ session, local: new Map(local).set(known, setting ?? reset) })
      return
    }
    const changed = new Map(session)
    if (setting === undefined) changed.delete(known)
    else changed.set(known, setting)
    const rest = new Map(local)
    rest.delete(known)
    this.#change({ session: changed, local: rest })
  }

  /** From now on it cannot be set to another value. */
  fix(name: KnownSetting, because: string): void {
    this.#fixed.set(name, because)
  }

  #refuseFixed(name: string, wanted: string | null): void {
    const detail = this.#fixed.get(name)
    if (detail === undefined || wanted === this.#now(name)?.setting) return
    throw new PgError('22023', `invalid value for parameter "${name}": ${wanted}`, { detail })
  }

  /** Throws what `set` would. */
  check(name: string, value: SettingInput | undefined): void {
    const definition = definitionFor(name)
    refuseUnlessSettable(definition, false)
    if (value !== undefined) parseSetting(definition, String(value))
  }

  /** Goes back to the values from when the session began. */
  resetAll(): void {
    this.#change({ session: none, local: none })
  }

  /** As SHOW. Throws 42704. */
  show(name: string): string {
    const definition = findSettingDefinition(name)
    const value = this.#now(definition?.name ?? name)
    if (value === undefined)
      throw new PgError('42704', `unrecognized configuration parameter "${name}"`)
    return this.#cluster.show(definition ?? definitionFor(name), value.setting)
  }

  /** The text of a setting that PostgreSQL knows. */
  get(name: KnownSetting): string {
    return this.#now(name)?.setting ?? ''
  }

  /** As pg_settings. */
  rows(): SettingInfo[] {
    const { session, local } = this.#level
    const others = [...this.#given.keys(), ...session.keys(), ...local.keys()]
    return this.#cluster.rows(
      (name) => ({
        now: this.#now(name) as GivenSetting,
        reset: this.#reset(definitionFor(name)),
      }),
      others.filter((name) => findSettingDefinition(name) === undefined),
    )
  }

  /** A transaction, or a savepoint of it, begins. */
  begin(): void {
    this.#saved.push(this.#level)
  }

  /** A savepoint ends well: what was set in it is the surrounding level's. */
  release(): void {
    this.#saved.pop()
  }

  /** The innermost savepoints, so many of them, are rolled back. */
  rollBack(levels: number): void {
    const before = this.#saved[this.#saved.length - levels]
    this.#saved.length -= levels
    if (before !== undefined) this.#change(before)
  }

  /** The transaction ends. */
  end(isCommitted: boolean): void {
    const [before] = this.#saved
    this.#saved.length = 0
    if (!isCommitted) {
      if (before !== undefined) this.#change(before)
    } else if (this.#level.local !== none) {
      this.#change({ session: this.#level.session, local: none })
    }
  }

  #change(level: Level): void {
    if (level === this.#level) return
    this.#level = level
    this.#onChange()
  }

  #reset(definition: SettingDefinition): GivenSetting {
    const { name } = definition
    const given = this.#given.get(name) ?? this.#cluster.get(name)
    return given ?? { setting: null, source: 'default' }
  }

  #now(name: string): GivenSetting | undefined {
    const { session, local } = this.#level
    const set = local.has(name) ? local.get(name) : session.get(name)
    if (set !== undefined) return { setting: set, source: 'session' }
    return this.#given.get(name) ?? this.#cluster.get(name)
  }
}
