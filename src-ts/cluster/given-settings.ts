// The values that settings have when a session begins: those of its database and role, in pg_db_role_setting, and those
// that connect was given. Source: process_settings in src/backend/utils/init/postinit.c, src/backend/postmaster/autovacuum.c,
// PostgreSQL 18.
import type { NativeSession } from '../binding/native.ts'
import { pgDbRoleSetting } from '../catalog/pg_db_role_setting.ts'
import { bootstrapSuperuser } from '../command/command-context.ts'
import type { SettingSource } from '../config/cluster-settings.ts'
import type { SessionSettings } from '../config/session-settings.ts'
import type { SettingInput, SettingsInput } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import { noTimeLimits, type TimeLimitOptions, timeLimits } from '../transaction/time-limits.ts'
import type { SynchronousCommit } from '../transaction/transaction-queue.ts'

/** Settings as pg_db_role_setting has them: 'name=value'. */
export interface StoredSettings {
  source: SettingSource
  texts: readonly string[]
}

interface ClientOptions extends TimeLimitOptions {
  synchronousCommit?: SynchronousCommit
  settings?: SettingsInput
}

/** Those for a session on the database, the ones that count most last. */
export function storedSettings(
  shared: CatalogStore,
  session: NativeSession,
  database: number,
): StoredSettings[] {
  if (shared.isWithoutPages(session, pgDbRoleSetting)) return []
  const rows = [...shared.scan(session, pgDbRoleSetting)]
  if (rows.length === 0) return []
  const places: [number, number, SettingSource][] = [
    [0, 0, 'global'],
    [database, 0, 'database'],
    [0, bootstrapSuperuser, 'user'],
    [database, bootstrapSuperuser, 'database user'],
  ]
  return places.flatMap(([setdatabase, setrole, source]) => {
    const row = rows.find((each) => each.setdatabase === setdatabase && each.setrole === setrole)
    return row?.setconfig ? [{ source, texts: row.setconfig as string[] }] : []
  })
}

/** Gives them to a session. Bad ones are left out: the errors are returned. */
export function giveStoredSettings(
  settings: SessionSettings,
  stored: readonly StoredSettings[],
): PgError[] {
  const errors: PgError[] = []
  for (const { source, texts } of stored) {
    for (const text of texts) {
      const [name, ...value] = text.split('=')
      try {
        settings.give(name as string, value.join('='), source)
      } catch (error) {
        if (!(error instanceof PgError)) throw error
        errors.push(error)
      }
    }
  }
  return errors
}

/** Gives a session what connect was given. Throws RangeError, 42704, 22023, 55P02. */
export function giveClientSettings(settings: SessionSettings, options: ClientOptions): void {
  const limits = timeLimits(options, noTimeLimits)
  const given: Record<string, SettingInput | undefined> = {
    ...options.settings,
    ...(options.lockTimeout !== undefined && { lock_timeout: limits.lock }),
    ...(options.deadlockTimeout !== undefined && { deadlock_timeout: limits.deadlock }),
    ...(options.statementTimeout !== undefined && { statement_timeout: limits.statement }),
    ...(options.idleInTransactionSessionTimeout !== undefined && {
      idle_in_transaction_session_timeout: limits.idleInTransaction,
    }),
    ...(options.transactionTimeout !== undefined && { transaction_timeout: limits.transaction }),
    ...(options.synchronousCommit !== undefined && {
      synchronous_commit: options.synchronousCommit,
    }),
  }
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) settings.give(name, value, 'client')
}

/** What would hinder autovacuum is as if nobody had given it. */
export function giveAutovacuumSettings(settings: SessionSettings): void {
  settings.give('statement_timeout', 0, 'override')
  settings.give('transaction_timeout', 0, 'override')
  settings.give('lock_timeout', 0, 'override')
  settings.give('idle_in_transaction_session_timeout', 0, 'override')
  settings.give('default_transaction_isolation', 'read committed', 'override')
  settings.give('default_transaction_read_only', false, 'override')
}
