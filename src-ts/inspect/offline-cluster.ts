// OfflineCluster: a data directory of release 13 to 18 as its reader sees it: databases, and their relations.
//
// Read-only: no lock is taken and nothing is written, whether a server runs on the directory or not. What a running
// server has not written out yet is not seen.
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { binding } from '../binding/addon.ts'
import type { NativeCluster, NativeSession } from '../binding/native.ts'
import { nativeOptions } from '../cluster/cluster.ts'
import { resolveSettings } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import { type ControlFile, readControlFile } from './control-file.ts'
import { type DatabaseRow, OfflineDatabase } from './offline-database.ts'

const pgDatabaseOid = 1262
const globalTablespace = 1664
const defaultTablespace = 1663

/** Where a database's files are, below the data directory. */
function directoryOf(oid: number, tablespace: number, control: ControlFile): string {
  if (tablespace === defaultTablespace) return `base/${oid}`
  const version = `PG_${control.major}_${control.catalog_version_no}`
  return `pg_tblspc/${tablespace}/${version}/${oid}`
}

export class OfflineCluster {
  readonly dataDirectory: string
  readonly control: ControlFile
  readonly native: NativeCluster
  readonly #sessions: NativeSession[] = []
  #databases: DatabaseRow[] | undefined

  private constructor(dataDirectory: string, control: ControlFile, native: NativeCluster) {
    this.dataDirectory = dataDirectory
    this.control = control
    this.native = native
  }

  /** Throws 58P01 when the directory is no cluster, 0A000 when its release is not supported. */
  static async open(directory: string): Promise<OfflineCluster> {
    const dataDirectory = resolve(directory)
    const control = readControlFile(dataDirectory)
    const settings = resolveSettings({ shared_buffers: '64MB' })
    const native = await binding.openCluster(
      nativeOptions(dataDirectory, settings, true, control.blcksz),
    )
    return new OfflineCluster(dataDirectory, control, native)
  }

  /** The visible rows of pg_database, by OID. */
  databases(): DatabaseRow[] {
    if (this.#databases === undefined) {
      // Any database's pg_attribute describes the shared catalogs; the oldest one serves.
      const any = readdirSync(join(this.dataDirectory, 'base'))
        .filter((name) => existsSync(join(this.dataDirectory, 'base', name, 'pg_filenode.map')))
        .map(Number)
        .sort((a, b) => a - b)[0]
      if (any === undefined) throw new PgError('XX001', 'the cluster has no database directory')
      const probe = this.#open({
        oid: any,
        datname: '',
        dattablespace: defaultTablespace,
        encoding: 6,
      })
      this.#databases = probe
        .catalogRows<DatabaseRow>(pgDatabaseOid, ['oid', 'datname', 'dattablespace', 'encoding'])
        .sort((a, b) => a.oid - b.oid)
    }
    return this.#databases
  }

  /** A database by name. Throws 3D000. */
  database(name: string): OfflineDatabase {
    const row = this.databases().find(({ datname }) => datname === name)
    if (row === undefined) throw new PgError('3D000', `database "${name}" does not exist`)
    return this.#open(row)
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.close()
    await this.native.close()
  }

  #open(row: DatabaseRow): OfflineDatabase {
    const session = this.native.session(row.oid)
    this.#sessions.push(session)
    const directory = directoryOf(row.oid, row.dattablespace, this.control)
    return new OfflineDatabase(this, session, row, directory)
  }
}

/** The path of a relation's main fork, below the data directory. */
export function relationPath(
  control: ControlFile,
  locator: { spcOid: number; dbOid: number; relNumber: number },
): string {
  if (locator.spcOid === globalTablespace) return `global/${locator.relNumber}`
  return `${directoryOf(locator.dbOid, locator.spcOid, control)}/${locator.relNumber}`
}
