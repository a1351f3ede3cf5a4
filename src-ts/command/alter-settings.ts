// AlterSettings: the settings of databases and roles, in pg_db_role_setting, as ALTER DATABASE … SET and ALTER ROLE … SET
// write them. Source: src/backend/catalog/pg_db_role_setting.c, src/backend/utils/misc/guc.c (GUCArrayAdd), PostgreSQL 18.
import { pgAuthid } from '../catalog/pg_authid.ts'
import { pgDbRoleSetting } from '../catalog/pg_db_role_setting.ts'
import { definitionFor } from '../config/cluster-settings.ts'
import { refuseUnlessSettable } from '../config/session-settings.ts'
import { findSettingDefinition } from '../config/setting-definition.ts'
import { parseSetting } from '../config/setting-value.ts'
import type { SettingInput } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import type { CommandContext } from './command-context.ts'
import { lockDatabase } from './create-database.ts'

/** Whose sessions the settings are for: all sessions of the role on the database. */
export interface SettingsOwner {
  /** Name; any database when left out. */
  database?: string
  /** Name; any role when left out. */
  role?: string
}

/** By name; undefined takes the stored value away. */
export type StoredSettingsInput = Record<string, SettingInput | undefined>

const indexName = 'pg_db_role_setting_databaseid_rol_index'

// Throws 42704, 42602, 22023, 55P02, 0A000.
function checked(name: string, value: SettingInput | undefined): [string, string | undefined] {
  const definition = definitionFor(name)
  refuseUnlessSettable(definition, true)
  if (value === undefined) return [definition.name, undefined]
  parseSetting(definition, String(value))
  return [definition.name, String(value)]
}

// 'name=value' for each; a changed one keeps its place.
function changed(before: readonly string[], changes: ReadonlyMap<string, string | undefined>) {
  const values = new Map<string, string>()
  for (const text of before) {
    const at = text.indexOf('=')
    const name = text.slice(0, at)
    values.set(findSettingDefinition(name)?.name ?? name, text.slice(at + 1))
  }
  for (const [name, value] of changes) {
    if (value === undefined) values.delete(name)
    else values.set(name, value)
  }
  return [...values].map(([name, value]) => `${name}=${value}`)
}

/** Stores settings for sessions that begin later. Throws 3D000, 42704, 42602, 22023, 55P02, 40001. */
export async function alterSettings(
  context: CommandContext,
  { database, role }: SettingsOwner,
  settings: StoredSettingsInput,
): Promise<void> {
  const { session, catalogs } = context
  const changes = new Map(Object.entries(settings).map(([name, value]) => checked(name, value)))
  const setdatabase = database === undefined ? 0 : await databaseOid(context, database)
  const setrole = role === undefined ? 0 : roleOid(context, role)
  const [found] = catalogs.locate(session, pgDbRoleSetting, indexName, [setdatabase, setrole])
  const setconfig = changed((found?.row.setconfig ?? []) as string[], changes)
  if (found === undefined) {
    if (setconfig.length === 0) return
    catalogs.insert(session, pgDbRoleSetting, [{ setdatabase, setrole, setconfig }])
  } else if (setconfig.length === 0) catalogs.delete(session, pgDbRoleSetting, found.tid)
  else catalogs.update(session, pgDbRoleSetting, found.tid, { setconfig })
}

// The lock keeps it from being dropped meanwhile.
async function databaseOid(context: CommandContext, name: string): Promise<number> {
  const row = await lockDatabase(context, name, 'row exclusive')
  if (row === undefined) throw new PgError('3D000', `database "${name}" does not exist`)
  return row.oid
}

function roleOid({ session, catalogs }: CommandContext, name: string): number {
  const row = catalogs.findOne(session, pgAuthid, 'pg_authid_rolname_index', [name])
  if (row === undefined) throw new PgError('42704', `role "${name}" does not exist`)
  return row.oid
}
