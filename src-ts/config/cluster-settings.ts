// ClusterSettings: the value that each setting has for the whole cluster, and where it comes from: its default, then
// postgresql.conf, then postgresql.auto.conf, then the options of Cluster.open, which stand where PostgreSQL has its
// command line. Source: ProcessConfigFileInternal in src/backend/utils/misc/guc.c, PostgreSQL 18.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PgError } from '../errors/pg-error.ts'
import {
  type ConfigurationEntry,
  type ConfigurationError,
  readConfiguration,
} from './configuration-file.ts'
import {
  customDefinition,
  findSettingDefinition,
  isCustomName,
  type SettingContext,
  type SettingDefinition,
  type SettingType,
  settingDefinitions,
} from './setting-definition.ts'
import { parseSetting, showSetting, writtenSetting } from './setting-value.ts'
import { meaningfulSettings, type Settings, type SettingsInput } from './settings.ts'

export type SettingSource =
  | 'default'
  | 'configuration file'
  | 'command line'
  | 'global'
  | 'database'
  | 'user'
  | 'database user'
  | 'client'
  | 'override'
  | 'session'

/** The value of a setting, and who gave it. */
export interface GivenSetting {
  /** Null of a text that nobody gave. */
  setting: string | null
  source: SettingSource
  sourcefile?: string
  sourceline?: number
}

/** A setting as pg_settings shows it. */
export interface SettingInfo {
  name: string
  /** Numbers in the unit. */
  setting: string | null
  unit: string | null
  context: SettingContext
  vartype: SettingType
  source: SettingSource
  min_val: string | null
  max_val: string | null
  enumvals: readonly string[] | null
  boot_val: string | null
  reset_val: string | null
  sourcefile: string | null
  sourceline: number | null
  pending_restart: boolean
}

/** What a reload did. */
export interface ReloadedSettings {
  changed: { name: string; setting: string; wasRemoved: boolean }[]
  errors: ConfigurationError[]
}

interface FileSettings {
  values: Map<string, GivenSetting>
  errors: ConfigurationError[]
  /** Names of those whose value is bad. */
  refused: string[]
  /** Are the files taken apart well enough for what they say to count? */
  isUsable: boolean
}

/** The definition of a setting, or of one that PostgreSQL does not know. Throws 42704, 42602. */
export function definitionFor(name: string): SettingDefinition {
  const known = findSettingDefinition(name)
  if (known !== undefined) return known
  if (isCustomName(name)) return customDefinition(name)
  if (!name.includes('.'))
    throw new PgError('42704', `unrecognized configuration parameter "${name}"`)
  throw new PgError('42602', `invalid configuration parameter name "${name}"`, {
    detail: 'Custom parameter names must be two or more simple identifiers separated by dots.',
  })
}

const disabled = '(disabled)'

// By their one spelling; an entry for the same setting further down counts instead.
function lastOfEach(entries: readonly ConfigurationEntry[]): Map<string, ConfigurationEntry> {
  const last = new Map<string, ConfigurationEntry>()
  for (const entry of entries) {
    const name = findSettingDefinition(entry.name)?.name ?? entry.name
    last.delete(name)
    last.set(name, entry)
  }
  return last
}

function errorAt(entry: ConfigurationEntry, error: PgError): ConfigurationError {
  const { code, message, hint } = error
  return { code, message, hint, file: entry.file, line: entry.line }
}

function readFiles(dataDirectory: string, isRequired: boolean): FileSettings {
  const { entries, errors } = readConfiguration(dataDirectory, isRequired)
  const last = lastOfEach(entries)
  for (const [name, { file, line, name: spelled }] of last) {
    if (findSettingDefinition(name) !== undefined || isCustomName(name)) continue
    const message = `unrecognized configuration parameter "${spelled}" in file "${file}" line ${line}`
    errors.push({ code: '42704', message, file, line })
  }
  const isUsable = errors.length === 0
  const values = new Map<string, GivenSetting>()
  const refused: string[] = []
  for (const [name, entry] of last) {
    const definition = findSettingDefinition(name) ?? customDefinition(name)
    try {
      if (definition.context === 'internal')
        throw new PgError('55P02', `parameter "${name}" cannot be changed`)
      values.set(name, {
        setting: parseSetting(definition, entry.value),
        source: 'configuration file',
        sourcefile: entry.file,
        sourceline: entry.line,
      })
    } catch (error) {
      if (!(error instanceof PgError)) throw error
      refused.push(name)
      if (isUsable) errors.push(errorAt(entry, error))
    }
  }
  return { values, errors, refused, isUsable }
}

/** The error that says where it comes from. */
export function configurationError(
  { code, message, hint, file, line }: ConfigurationError,
  others: readonly ConfigurationError[] = [],
): PgError {
  const at = (from: { file: string | undefined; line: number }) =>
    from.file === undefined ? [] : [`file "${from.file}" line ${from.line}`]
  const place = at({ file, line })
  const further = others.map((other) => [other.message, ...at(other)].join(', '))
  const detail = [
    ...(place.length > 0 ? [`The configuration has the error in ${place.join()}.`] : []),
    ...(further.length > 0 ? [`There are further errors: ${further.join('; ')}.`] : []),
  ].join(' ')
  return new PgError(code, message, { hint, ...(detail && { detail }) })
}

export class ClusterSettings {
  readonly #dataDirectory: string
  /** A postgresql.conf that was there must be there at each reload. */
  #hasFile = false
  readonly #readsFiles: boolean
  readonly #commandLine = new Map<string, GivenSetting>()
  // What counts, of settings that were given in a file.
  #files = new Map<string, GivenSetting>()
  readonly #computed = new Map<string, string>()
  readonly #pendingRestart = new Set<string>()
  /** Changed in place by a reload. */
  readonly meaningful: Settings

  /**
   * Reads the files, unless `readsFiles` is false. Throws 42704, 22023, 42601, 55P02, 54000, 58P01, with file and line
   * in the detail, when there is anything wrong with them or with `given`.
   */
  constructor(dataDirectory: string, given: SettingsInput = {}, readsFiles = true) {
    this.#dataDirectory = dataDirectory
    this.#readsFiles = readsFiles
    for (const [name, value] of Object.entries(given)) {
      const definition = definitionFor(name)
      if (value === undefined) continue
      if (definition.context === 'internal')
        throw new PgError('55P02', `parameter "${definition.name}" cannot be changed`)
      const setting = parseSetting(definition, String(value))
      this.#commandLine.set(definition.name, { setting, source: 'command line' })
    }
    if (readsFiles) {
      this.#hasFile = existsSync(join(dataDirectory, 'postgresql.conf'))
      const { values, errors } = readFiles(dataDirectory, this.#hasFile)
      const [first, ...others] = errors
      if (first !== undefined) throw configurationError(first, others)
      this.#files = values
    }
    this.meaningful = this.#meaningful(this.#files)
  }

  /** Settings that only look: what the control file says. */
  compute(values: Record<string, string>): void {
    for (const [name, value] of Object.entries(values)) this.#computed.set(name, value)
  }

  /** The value for the whole cluster; undefined for a setting that PostgreSQL does not know and nobody gave. */
  get(name: string): GivenSetting | undefined {
    const definition = findSettingDefinition(name)
    const known = definition?.name ?? name
    const given = this.#commandLine.get(known) ?? this.#files.get(known)
    if (given !== undefined || definition === undefined) return given
    return { setting: this.#computed.get(known) ?? definition.boot, source: 'default' }
  }

  /** Reads the files again. What is wrong with them is told; the old values stay. */
  reload(): ReloadedSettings {
    if (!this.#readsFiles) return { changed: [], errors: [] }
    const {
      values: after,
      errors,
      refused,
      isUsable,
    } = readFiles(this.#dataDirectory, this.#hasFile)
    if (!isUsable) return { changed: [], errors }
    const before = this.#files
    for (const name of refused) {
      const old = before.get(name)
      if (old !== undefined) after.set(name, old)
    }
    this.#keepFixed(before, after, errors)
    try {
      const meaningful = this.#meaningful(after)
      this.#files = after
      Object.assign(this.meaningful, meaningful)
    } catch (error) {
      if (!(error instanceof PgError)) throw error
      const { code, message, hint } = error
      return { changed: [], errors: [...errors, { code, message, hint, file: undefined, line: 0 }] }
    }
    return { changed: this.#changes(before, after), errors }
  }

  /** Everything that pg_settings shows, with `current` in place of the values for the whole cluster. */
  rows(
    current?: (name: string) => { now: GivenSetting; reset: GivenSetting },
    others: readonly string[] = [],
  ): SettingInfo[] {
    const custom = [...this.#files.keys(), ...this.#commandLine.keys(), ...others].filter(
      (name) => findSettingDefinition(name) === undefined,
    )
    const definitions = [...settingDefinitions(), ...[...new Set(custom)].map(customDefinition)]
    return definitions.map((definition) => {
      const own = this.get(definition.name) as GivenSetting
      const { now, reset } = current?.(definition.name) ?? { now: own, reset: own }
      return this.#row(definition, now, reset)
    })
  }

  /** As SHOW tells a value. */
  show(definition: SettingDefinition, setting: string | null): string {
    if (this.#isDisabled(definition.name)) return disabled
    return setting === null ? '' : showSetting(definition, setting)
  }

  // The command counts for nothing while nothing is archived.
  #isDisabled(name: string): boolean {
    return name === 'archive_command' && this.meaningful.archive_mode === 'off'
  }

  #row(definition: SettingDefinition, now: GivenSetting, reset: GivenSetting): SettingInfo {
    const { name, context, vartype, unit, min, max, choices, boot } = definition
    const isNumber = vartype === 'integer' || vartype === 'real'
    const written = ({ setting }: GivenSetting) =>
      setting === null
        ? null
        : this.#isDisabled(name)
          ? disabled
          : writtenSetting(definition, setting)
    const bound = (value: number) =>
      vartype === 'real' ? writtenSetting(definition, String(value)) : String(value)
    return {
      name,
      setting: written(now),
      unit: unit ?? null,
      context,
      vartype,
      source: now.source,
      min_val: isNumber ? bound(min) : null,
      max_val: isNumber ? bound(max) : null,
      enumvals: vartype === 'enum' ? choices : null,
      boot_val: boot,
      reset_val: reset.setting,
      sourcefile: now.sourcefile ?? null,
      sourceline: now.sourceline ?? null,
      pending_restart: this.#pendingRestart.has(name),
    }
  }

  #meaningful(files: ReadonlyMap<string, GivenSetting>): Settings {
    return meaningfulSettings((name) => {
      const given = this.#commandLine.get(name) ?? files.get(name)
      const boot = findSettingDefinition(name)?.boot ?? null
      return { setting: given?.setting ?? boot, isGiven: given !== undefined }
    })
  }

  // What can only change when the cluster is opened stays as it was, and is told of when the files say otherwise.
  #keepFixed(
    before: ReadonlyMap<string, GivenSetting>,
    after: Map<string, GivenSetting>,
    errors: ConfigurationError[],
  ): void {
    this.#pendingRestart.clear()
    for (const { name, context, boot } of settingDefinitions()) {
      if (context !== 'postmaster') continue
      const [old, given] = [before.get(name), after.get(name)]
      if (old === undefined && given === undefined) continue
      const isSame = (old?.setting ?? boot) === (given?.setting ?? boot)
      if (isSame) continue
      if (old === undefined) after.delete(name)
      else after.set(name, old)
      if (this.#commandLine.has(name)) continue
      this.#pendingRestart.add(name)
      errors.push({
        code: '55P02',
        message: `parameter "${name}" cannot be changed without restarting the server`,
        file: given?.sourcefile,
        line: given?.sourceline ?? 0,
      })
    }
  }

  #changes(
    before: ReadonlyMap<string, GivenSetting>,
    after: ReadonlyMap<string, GivenSetting>,
  ): ReloadedSettings['changed'] {
    const changed: ReloadedSettings['changed'] = []
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      if (this.#commandLine.has(name)) continue
      const boot = findSettingDefinition(name)?.boot ?? null
      const setting = after.get(name)?.setting ?? boot
      if (setting === (before.get(name)?.setting ?? boot)) continue
      changed.push({ name, setting: setting ?? '', wasRemoved: !after.has(name) })
    }
    return changed
  }
}
