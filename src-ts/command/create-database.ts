// CREATE DATABASE and DROP DATABASE. Neither can be rolled back; each runs in transactions of its own.
// Source: src/backend/commands/dbcommands.c, PostgreSQL 18, strategy FILE_COPY.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgAuthid } from '../catalog/pg_authid.ts'
import { pgDatabase } from '../catalog/pg_database.ts'
import { pgDbRoleSetting } from '../catalog/pg_db_role_setting.ts'
import { pgShdepend } from '../catalog/pg_shdepend.ts'
import { pgShdescription } from '../catalog/pg_shdescription.ts'
import { pgShseclabel } from '../catalog/pg_shseclabel.ts'
import { pgTablespace } from '../catalog/pg_tablespace.ts'
import { PgError } from '../errors/pg-error.ts'
import { databaseDirectory } from '../relation/database-directory.ts'
import { type LockLevel, lockLevels } from '../transaction/relation-lock.ts'
import { bootstrapSuperuser, type CommandContext, globalTablespace } from './command-context.ts'
import { type DropOptions, deleteWhere } from './drop-object.ts'
import { checkIdentifier } from './identifier.ts'
import { newOid } from './new-oid.ts'
import { findTablespace } from './tablespace-name.ts'

export interface CreateDatabaseOptions {
  /** The database to copy. Default: 'template1'. */
  template?: string
  /** Name of a role. Default: the superuser that init made. */
  owner?: string
  /** Default: the template's. */
  tablespace?: string
  isTemplate?: boolean
  allowConnections?: boolean
  /** -1 is none. */
  connectionLimit?: number
}

/** What these commands ask of the cluster. */
export interface DatabaseUse {
  /** Sessions on a database, not counting the one that asks. */
  otherSessions: (oid: number) => number
  /** A database's caches are of no use any more. */
  forget: (oid: number) => void
}

type DatabaseRow = CatalogRow<typeof pgDatabase>

// datconnlimit of a database whose dropping was begun. Source: src/include/catalog/pg_database.h, PostgreSQL 18.
export const invalidDatabase = -2

const attemptsMax = 50
const attemptIntervalMs = 100

function findDatabase(context: CommandContext, name: string): DatabaseRow | undefined {
  return context.catalogs.findOne(context.session, pgDatabase, 'pg_database_datname_index', [name])
}

/**
 * Locks a database until the end of the transaction, so that nobody connects to it meanwhile; undefined when there is none
 * of that name.
 */
/** The row of a database, which is locked; undefined when there is none of the name. */
export async function lockDatabase(
  context: CommandContext,
  name: string,
  level: LockLevel,
): Promise<DatabaseRow | undefined> {
  for (;;) {
    const row = findDatabase(context, name)
    if (row === undefined) return undefined
    await context.session.lockDatabase(row.oid, lockLevels[level], false, true)
    // Whoever held it may have dropped the database, and made another one of that name.
    context.session.advanceCommand()
    if (findDatabase(context, name)?.oid === row.oid) return row
  }
}

// As PostgreSQL's CountOtherDBBackends: autovacuum gives way, and who is just leaving is waited for.
async function sessionsLeft(use: DatabaseUse, oid: number): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const others = use.otherSessions(oid)
    if (others === 0 || attempt === attemptsMax) return others
    await sleep(attemptIntervalMs)
  }
}

function usedBy(sessions: number): string {
  return sessions === 1
    ? 'There is 1 other session using the database.'
    : `There are ${sessions} other sessions using the database.`
}

/** Makes a database as a copy of another. Throws 42P04, 3D000, 42704, 55006, 22023. */
export async function createDatabase(
  context: CommandContext,
  use: DatabaseUse,
  name: string,
  options: CreateDatabaseOptions,
): Promise<void> {
  const { session, catalogs, cluster } = context
  checkIdentifier(name)
  const templateName = options.template ?? 'template1'
  const template = await lockDatabase(context, templateName, 'share')
  if (template === undefined)
    throw new PgError('3D000', `template database "${templateName}" does not exist`)
  if (template.datconnlimit === invalidDatabase) {
    throw new PgError('55000', `cannot use invalid database "${templateName}" as template`, {
      hint: 'Use DROP DATABASE to drop invalid databases.',
    })
  }
  if (findDatabase(context, name) !== undefined)
    throw new PgError('42P04', `database "${name}" already exists`)
  const datdba = ownerOid(context, options.owner)
  const dattablespace = databaseTablespace(context, options.tablespace, template)
  refuseConflictingTablespace(context, template, dattablespace)

  const others = await sessionsLeft(use, template.oid)
  if (others > 0) {
    throw new PgError(
      '55006',
      `source database "${templateName}" is being accessed by other users`,
      { detail: usedBy(others) },
    )
  }
  const oid = newDatabaseOid(context)
  catalogs.insert(session, pgDatabase, [
    {
      ...template,
      oid,
      datname: name,
      datdba,
      datistemplate: options.isTemplate ?? false,
      datallowconn: options.allowConnections ?? true,
      datconnlimit: options.connectionLimit ?? -1,
      dattablespace,
      datacl: null,
    },
  ])
  copySharedDependencies(context, template.oid, oid, datdba)
  session.advanceCommand()
  await copyFiles(context, template, oid, dattablespace)
  // A crash after this replays no record of the copy, whose source may have changed by then.
  await cluster.checkpoint()
}

function ownerOid(context: CommandContext, owner: string | undefined): number {
  if (owner === undefined) return bootstrapSuperuser
  const role = context.catalogs.findOne(context.session, pgAuthid, 'pg_authid_rolname_index', [
    owner,
  ])
  if (role === undefined) throw new PgError('42704', `role "${owner}" does not exist`)
  return role.oid
}

function databaseTablespace(
  context: CommandContext,
  name: string | undefined,
  template: DatabaseRow,
): number {
  if (name === undefined) return template.dattablespace
  const { oid } = findTablespace(context, name)
  if (oid === globalTablespace)
    throw new PgError('22023', 'pg_global cannot be used as default tablespace')
  return oid
}

// Relations that say they are in the new default tablespace, and those that say nothing, would share a directory.
function refuseConflictingTablespace(
  context: CommandContext,
  template: DatabaseRow,
  tablespace: number,
): void {
  if (tablespace === template.dattablespace) return
  if (!existsSync(join(context.dataDirectory, databaseDirectory(template.oid, tablespace)))) return
  throw new PgError(
    '0A000',
    `cannot assign new default tablespace to a copy of database "${template.datname}"`,
    {
      detail: `There is a conflict because database "${template.datname}" already has some tables in this tablespace.`,
    },
  )
}

function newDatabaseOid(context: CommandContext): number {
  for (;;) {
    const oid = newOid(context, pgDatabase, 'pg_database_oid_index')
    if (
      !existsSync(
        join(context.dataDirectory, databaseDirectory(oid, context.catalogs.database.tablespace)),
      )
    )
      return oid
  }
}

// Objects of the copy depend on the same roles and tablespaces. Source: copyTemplateDependencies, pg_shdepend.c.
function copySharedDependencies(
  context: CommandContext,
  template: number,
  oid: number,
  owner: number,
): void {
  const { session, catalogs } = context
  const rows = catalogs.find(session, pgShdepend, 'pg_shdepend_depender_index', [template])
  const copies = rows.map((row) => ({ ...row, dbid: oid }))
  if (owner !== bootstrapSuperuser) {
    copies.push({
      dbid: 0,
      classid: pgDatabase.oid,
      objid: oid,
      objsubid: 0,
      refclassid: pgAuthid.oid,
      refobjid: owner,
      deptype: 'o',
    })
  }
  if (copies.length > 0) catalogs.insert(session, pgShdepend, copies)
}

async function copyFiles(
  context: CommandContext,
  template: DatabaseRow,
  oid: number,
  tablespace: number,
): Promise<void> {
  const { session, cluster } = context
  // The copy is of files, so what is in memory must be in them.
  await cluster.checkpoint()
  for (const source of tablespacesOf(context, template.oid)) {
    const target = source === template.dattablespace ? tablespace : source
    await session.copyDatabase(template.oid, source, oid, target)
  }
}

// The tablespaces in which a database has a directory.
function tablespacesOf(context: CommandContext, database: number): number[] {
  return context.catalogs
    .scan(context.session, pgTablespace)
    .toArray()
    .map(({ oid }) => oid)
    .filter((oid) => oid !== globalTablespace)
    .filter((oid) => existsSync(join(context.dataDirectory, databaseDirectory(database, oid))))
}

/**
 * Checks that a database can be dropped and marks it, so that a crash half-way leaves none that looks whole.
 * Returns its OID, undefined when there is none and `ifExists` was given. Throws 3D000, 42809, 55006.
 */
export async function beginDropDatabase(
  context: CommandContext,
  use: DatabaseUse,
  name: string,
  options: DropOptions,
): Promise<number | undefined> {
  const { session, catalogs } = context
  await lockDatabase(context, name, 'access exclusive')
  const [located] = catalogs.locate(session, pgDatabase, 'pg_database_datname_index', [name])
  if (located === undefined) {
    if (options.ifExists) return undefined
    throw new PgError('3D000', `database "${name}" does not exist`)
  }
  const { row, tid } = located
  if (row.datistemplate) throw new PgError('42809', 'cannot drop a template database')
  if (row.oid === catalogs.database.oid)
    throw new PgError('55006', 'cannot drop the currently open database')
  const others = await sessionsLeft(use, row.oid)
  if (others > 0) {
    throw new PgError('55006', `database "${name}" is being accessed by other users`, {
      detail: usedBy(others),
    })
  }
  catalogs.update(session, pgDatabase, tid, { datconnlimit: invalidDatabase })
  return row.oid
}

/** Removes the rows and files of a database that `beginDropDatabase` marked. */
export async function finishDropDatabase(
  context: CommandContext,
  use: DatabaseUse,
  oid: number,
): Promise<void> {
  const { session, catalogs, cluster } = context
  await session.lockDatabase(oid, lockLevels['access exclusive'], false, true)
  // Somebody else who dropped it may have been quicker.
  if (catalogs.findOne(session, pgDatabase, 'pg_database_oid_index', [oid]) === undefined)
    throw new PgError('3D000', `database ${oid} does not exist`)
  const tablespaces = tablespacesOf(context, oid)
  deleteWhere(context, pgDatabase, 'pg_database_oid_index', [oid])
  deleteWhere(context, pgShdescription, 'pg_shdescription_o_c_index', [oid, pgDatabase.oid])
  deleteWhere(context, pgShseclabel, 'pg_shseclabel_object_index', [oid, pgDatabase.oid])
  deleteWhere(context, pgDbRoleSetting, 'pg_db_role_setting_databaseid_rol_index', [oid])
  deleteWhere(context, pgShdepend, 'pg_shdepend_depender_index', [oid])
  deleteWhere(context, pgShdepend, 'pg_shdepend_depender_index', [0, pgDatabase.oid, oid])
  use.forget(oid)
  // So that no checkpoint has yet to sync or remove files of it.
  await cluster.checkpoint()
  await session.dropDatabaseFiles(oid, tablespaces)
  context.cluster.dropDatabaseStatistics(oid)
}
