// Whether autovacuum should vacuum a relation, or analyze it.
//
// Source: relation_needs_vacanalyze in src/backend/postmaster/autovacuum.c, PostgreSQL 18.
import { idPrecedes } from '../command/id-order.ts'
import type { Settings } from '../config/settings.ts'
import { booleanParameter, type StorageParameters } from '../relation/storage-parameters.ts'

/** The part of pg_class that it depends on. */
export interface RelationSizes {
  relpages: number
  reltuples: number
  relallfrozen: number
  relfrozenxid: number
  relminmxid: number
}

/** What was counted since the last vacuum. */
export interface RelationChanges {
  dead_tuples: number
  ins_since_vacuum: number
}

export interface VacuumNeed {
  /** Ids are about to run out: also when autovacuum is off, and without giving way. */
  wraparound: boolean
}

const firstNormalXid = 3
const firstMulti = 1

// An id so far back; ids below the first one are skipped.
function idBefore(next: number, age: number, first: number): number {
  const id = (next - age) >>> 0
  return id < first ? (id - first) >>> 0 : id
}

/** Ids that are older than these must be frozen. */
export function freezeLimits(
  next: { nextXid: number; nextMulti: number },
  maxAge: number,
  multixactMaxAge: number,
): { xid: number; multi: number } {
  return {
    xid: idBefore(next.nextXid, maxAge, firstNormalXid),
    multi: idBefore(next.nextMulti, multixactMaxAge, firstMulti),
  }
}

/** Whether a bound of a relation or database is older than such limits. */
export function isBeforeLimits(
  frozenXid: number,
  minMulti: number,
  limits: { xid: number; multi: number },
): boolean {
  const xidIsOld = frozenXid >= firstNormalXid && idPrecedes(frozenXid, limits.xid)
  return xidIsOld || (minMulti >= firstMulti && idPrecedes(minMulti, limits.multi))
}

/** Not only to save ids: what needs a vacuum is known from what was counted. */
export function isAutovacuuming({ autovacuum, track_counts }: Settings): boolean {
  return autovacuum && track_counts
}

// A parameter that is not set, or out of its range, leaves it to the setting.
function numberOf(parameters: StorageParameters, name: string, setting: number, least = 0): number {
  const value = Number(parameters(name) ?? Number.NaN)
  return value >= least ? value : setting
}

// Not if ids are running out.
function isEnabled(settings: Settings, parameters: StorageParameters): boolean {
  return isAutovacuuming(settings) && booleanParameter(parameters, 'autovacuum_enabled') !== false
}

/** `changes`: rows that were changed since the last analyze; undefined when nothing was counted. */
export function needsAnalyze(
  { reltuples }: RelationSizes,
  changes: number | undefined,
  settings: Settings,
  parameters: StorageParameters,
): boolean {
  if (!isEnabled(settings, parameters) || changes === undefined) return false
  const { autovacuum_analyze_threshold, autovacuum_analyze_scale_factor } = settings
  const threshold =
    numberOf(parameters, 'autovacuum_analyze_threshold', autovacuum_analyze_threshold) +
    numberOf(parameters, 'autovacuum_analyze_scale_factor', autovacuum_analyze_scale_factor) *
      Math.max(0, reltuples)
  return changes > threshold
}

/** Undefined when the relation needs no vacuum. `changes`: undefined when nothing was counted of it. */
export function vacuumNeed(
  sizes: RelationSizes,
  changes: RelationChanges | undefined,
  settings: Settings,
  parameters: StorageParameters,
  next: { nextXid: number; nextMulti: number },
): VacuumNeed | undefined {
  const number = (name: string, setting: number, least = 0) =>
    numberOf(parameters, name, setting, least)
  const limits = freezeLimits(
    next,
    Math.min(
      number('autovacuum_freeze_max_age', Number.POSITIVE_INFINITY),
      settings.autovacuum_freeze_max_age,
    ),
    Math.min(
      number('autovacuum_multixact_freeze_max_age', Number.POSITIVE_INFINITY),
      settings.autovacuum_multixact_freeze_max_age,
    ),
  )
  if (isBeforeLimits(sizes.relfrozenxid, sizes.relminmxid, limits)) return { wraparound: true }
  if (!isEnabled(settings, parameters) || changes === undefined) return undefined

  const tuples = Math.max(0, sizes.reltuples)
  const maximum = number(
    'autovacuum_vacuum_max_threshold',
    settings.autovacuum_vacuum_max_threshold,
    -1,
  )
  let threshold =
    number('autovacuum_vacuum_threshold', settings.autovacuum_vacuum_threshold) +
    number('autovacuum_vacuum_scale_factor', settings.autovacuum_vacuum_scale_factor) * tuples
  if (maximum >= 0) threshold = Math.min(threshold, maximum)
  if (changes.dead_tuples > threshold) return { wraparound: false }

  const insertBase = number(
    'autovacuum_vacuum_insert_threshold',
    settings.autovacuum_vacuum_insert_threshold,
    -1,
  )
  if (insertBase < 0) return undefined
  // Only rows that are not frozen yet are worth another visit.
  const unfrozen =
    sizes.relpages > 0 && sizes.relallfrozen > 0
      ? 1 - Math.min(sizes.relallfrozen, sizes.relpages) / sizes.relpages
      : 1
  const insertThreshold =
    insertBase +
    number(
      'autovacuum_vacuum_insert_scale_factor',
      settings.autovacuum_vacuum_insert_scale_factor,
    ) *
      tuples *
      unfrozen
  return changes.ins_since_vacuum > insertThreshold ? { wraparound: false } : undefined
}
