// CREATE TABLESPACE and DROP TABLESPACE. Neither can be rolled back; each runs in a transaction of its own.
// Source: src/backend/commands/tablespace.c, PostgreSQL 18.
import { statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { pgShdescription } from '../catalog/pg_shdescription.ts'
import { pgTablespace } from '../catalog/pg_tablespace.ts'
import { PgError } from '../errors/pg-error.ts'
import { bootstrapSuperuser, type CommandContext, firstNormalOid } from './command-context.ts'
import { type DropOptions, deleteWhere } from './drop-object.ts'
import { checkIdentifier } from './identifier.ts'
import { newOid } from './new-oid.ts'
import { findTablespace } from './tablespace-name.ts'

// MAXPGPATH, less what a file's path in the tablespace needs after the directory.
const locationBytesMax = 1024 - '/PG_18_202506291/4294967295/4294967295_init.131071'.length - 1

function checkLocation(location: string): void {
  if (location.includes("'"))
    throw new PgError('42602', 'tablespace location cannot contain single quotes')
  if (!isAbsolute(location))
    throw new PgError('42P17', 'tablespace location must be an absolute path')
  if (Buffer.byteLength(location) > locationBytesMax) {
    throw new PgError('42P17', `tablespace location "${location}" is too long`)
  }
  const info = statSync(location, { throwIfNoEntry: false })
  if (!info?.isDirectory()) throw new PgError('58P01', `directory "${location}" does not exist`)
  if (process.geteuid !== undefined && info.uid !== process.geteuid()) {
    throw new PgError('42501', `directory "${location}" has wrong ownership`, {
      hint: 'The directory must belong to the user that runs this process.',
    })
  }
}

/** Makes a tablespace in an existing directory of ours. Throws 42710, 42939, 42P17, 58P01, 55006. */
export function createTablespace(context: CommandContext, name: string, path: string): void {
  const { session, catalogs } = context
  const location = path.replace(/(?<=.)\/+$/, '')
  checkIdentifier(name)
  if (name.startsWith('pg_')) {
    throw new PgError('42939', `unacceptable tablespace name "${name}"`, {
      detail: 'The prefix "pg_" is reserved for system tablespaces.',
    })
  }
  checkLocation(location)
  if (
    catalogs.findOne(session, pgTablespace, 'pg_tablespace_spcname_index', [name]) !== undefined
  ) {
    throw new PgError('42710', `tablespace "${name}" already exists`)
  }
  const oid = newOid(context, pgTablespace, 'pg_tablespace_oid_index')
  const row = { oid, spcname: name, spcowner: bootstrapSuperuser, spcacl: null, spcoptions: null }
  catalogs.insert(session, pgTablespace, [row])
  session.createTablespace(oid, location)
}

/** Removes a tablespace in which nothing is. Throws 42704, 42501, 55000. */
export async function dropTablespace(
  context: CommandContext,
  name: string,
  options: DropOptions,
): Promise<void> {
  const { session, catalogs, cluster } = context
  if (
    options.ifExists &&
    catalogs.findOne(session, pgTablespace, 'pg_tablespace_spcname_index', [name]) === undefined
  ) {
    return
  }
  const { oid } = findTablespace(context, name)
  if (oid < firstNormalOid) throw new PgError('42501', `permission denied for tablespace ${name}`)
  // Files of dropped relations stay until the next checkpoint.
  await cluster.checkpoint()
  deleteWhere(context, pgTablespace, 'pg_tablespace_oid_index', [oid])
  deleteWhere(context, pgShdescription, 'pg_shdescription_o_c_index', [oid, pgTablespace.oid])
  try {
    session.dropTablespace(oid)
  } catch (error) {
    if (!(error instanceof PgError) || error.code !== '55000') throw error
    throw new PgError('55000', `tablespace "${name}" is not empty`, { cause: error })
  }
}
