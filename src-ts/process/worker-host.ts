// WorkerHost: what background workers need of the cluster that they work for.
import type { NativeCluster } from '../binding/native.ts'
import type { Settings } from '../config/settings.ts'
import type { PgError } from '../errors/pg-error.ts'
import type { Session } from '../session/session.ts'
import type { LogMessage, LogSeverity } from './log-record.ts'

export interface WorkerHost {
  native: NativeCluster
  settings: Settings
  /** Absolute. */
  dataDirectory: string
  /** All databases that can be vacuumed, also those that take no connections. */
  databases: () => WorkerDatabase[]
  /**
   * A session for upkeep, also on a database that takes no connections; undefined while the database is being copied or
   * dropped.
   */
  connect: (database: string) => Promise<Session | undefined>
  /** Tells the user and the server log of what went wrong. */
  notice: (notice: PgError, backendType: string, severity: LogSeverity) => void
  /** Lines that tell of all memory contexts of this thread. */
  memoryContexts: () => string[]
  /** Tells the server log of what was done. */
  log: (message: LogMessage) => void
}

export interface WorkerDatabase {
  oid: number
  name: string
  datfrozenxid: number
  datminmxid: number
}
