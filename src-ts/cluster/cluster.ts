// Cluster: an open data directory.
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { binding } from '../binding/addon.ts'
import type {
  ClusterProcess,
  ComparedPages,
  NativeCluster,
  NativeClusterOptions,
  NativeDisk,
  NativeSession,
} from '../binding/native.ts'
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgAuthid } from '../catalog/pg_authid.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgDatabase } from '../catalog/pg_database.ts'
import { pgDbRoleSetting } from '../catalog/pg_db_role_setting.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { pgOpclass } from '../catalog/pg_opclass.ts'
import { invalidDatabase } from '../command/create-database.ts'
import type { VacuumOptions, VacuumReport } from '../command/vacuum.ts'
import { emptyAutoConfiguration, writeAutoConfiguration } from '../config/auto-configuration.ts'
import {
  ClusterSettings,
  configurationError,
  type SettingInfo,
} from '../config/cluster-settings.ts'
import type { SettingInput, Settings, SettingsInput } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import {
  type MemoryContextInfo,
  memoryContextLines,
  memoryContextRows,
} from '../memory/context-rows.ts'
import { topMemoryContext } from '../memory/top-memory.ts'
import { BackgroundWorkers } from '../process/background-workers.ts'
import type { LogRecord, LogSeverity } from '../process/log-record.ts'
import { ServerLog } from '../process/server-log.ts'
import type { WorkerDatabase } from '../process/worker-host.ts'
import { CatalogStore, prepareCatalogs } from '../relation/catalog-store.ts'
import { databaseDirectory } from '../relation/database-directory.ts'
import { bytewiseCollation } from '../relation/descriptor.ts'
import { RelationCache } from '../relation/relation-cache.ts'
import { type DatabaseServices, Session } from '../session/session.ts'
import {
  type ClusterStatistics,
  clusterStatistics,
  type DatabaseStatistics,
  databaseStatistics,
  type SlruName,
} from '../session/statistics-views.ts'
import { type Invalidated, lockLevels } from '../transaction/relation-lock.ts'
import type { TimeLimitOptions } from '../transaction/time-limits.ts'
import type { SynchronousCommit } from '../transaction/transaction-queue.ts'
import type { CodecOptions } from '../types/index.ts'
import { type ActivityInfo, activityInfo } from './activity-info.ts'
import {
  giveAutovacuumSettings,
  giveClientSettings,
  giveStoredSettings,
  storedSettings,
} from './given-settings.ts'
import { type InitOptions, initCluster } from './init.ts'
import { LockFile } from './lock-file.ts'
import { type LockInfo, lockInfo } from './lock-info.ts'
import { ReloadSignal } from './reload-signal.ts'

export interface OpenOptions {
  /** Make the cluster first if the directory does not exist or is empty; an object says how. */
  create?: boolean | InitOptions
  /** Read what is on disk; take no lock, write nothing. Works beside a running server. */
  readOnly?: boolean
  /** They count before those of postgresql.conf and postgresql.auto.conf. When `readOnly`, the files are not read. */
  settings?: SettingsInput
  /** Read the configuration files again whenever the process gets SIGHUP, which then does not end it. Default false. */
  reloadOnSighup?: boolean
  /** Called now and then while a directory that was not shut down cleanly is recovered. */
  onProgress?: (progress: RecoveryProgress) => void
  /** Gives up opening with 57014. A recovery that was under way is done by the next open. */
  signal?: AbortSignal
  /** What an int8 is in JavaScript. Default 'number'; a value beyond 2^53 then raises 22003. */
  int8?: CodecOptions['int8']
  /** What json and jsonb are in JavaScript: the parsed value or the text. Default 'value'. */
  json?: CodecOptions['json']
  /**
   * Called with each warning, in a turn of its own: a PgError of class 01. Default: process.emitWarning, with the first of
   * each kind.
   */
  onNotice?: (notice: PgError) => void
  /**
   * Called with each message of the server log that `log_min_messages` lets pass, with the keys of PostgreSQL's jsonlog,
   * whatever `logging_collector` says.
   */
  onLog?: (record: LogRecord) => void
  /** For tests of the engine: what stands before the file system, failing operations or recording them. */
  disk?: NativeDisk
}

/** How far the replay of the write-ahead log is. */
export interface RecoveryProgress {
  replayedBytes: number
  /** Of log in all; an estimate, upwards, until the last call. */
  totalBytes: number
  records: number
}

/** The time limits are for transactions that do not say otherwise. */
export interface ConnectOptions extends TimeLimitOptions {
  /** Default 'postgres'. */
  database?: string
  /** What Cluster.activity calls the session; what is beyond 63 bytes is cut. */
  applicationName?: string
  /** For the session's transactions that do not say otherwise. Default: the setting synchronous_commit. */
  synchronousCommit?: SynchronousCommit
  /** Values that Session.reset goes back to; they count before those of the database and the role. */
  settings?: SettingsInput
}

/** Settings as the native side wants them. `blockSize` turns bytes into blocks. */
export function nativeOptions(
  dataDirectory: string,
  settings: Settings,
  readOnly: boolean,
  blockSize: number,
) {
  return {
    dataDirectory,
    readOnly,
    sharedBuffers: Math.floor(settings.shared_buffers / blockSize),
    walBuffers: Math.floor(settings.wal_buffers / blockSize),
    ioMode: settings.io_mode,
    walSyncMethod: settings.wal_sync_method,
    fsync: settings.fsync,
    recoverySyncsFileSystems: settings.recovery_init_sync_method === 'syncfs',
    fullPageWrites: settings.full_page_writes,
    walConsistencyChecking: settings.wal_consistency_checking,
    maxBackends: settings.max_connections,
    maxPreparedTransactions: settings.max_prepared_transactions,
    walWriterDelay: settings.wal_writer_delay,
    walWriterFlushAfter: settings.wal_writer_flush_after,
    trackCounts: settings.track_counts,
    trackIoTiming: settings.track_io_timing,
    trackWalIoTiming: settings.track_wal_io_timing,
    maxLocksPerTransaction: settings.max_locks_per_transaction,
    minWalSize: settings.min_wal_size,
    maxWalSize: settings.max_wal_size,
    checkpointTimeout: settings.checkpoint_timeout,
    checkpointCompletionTarget: settings.checkpoint_completion_target,
    bgwriterDelay: settings.bgwriter_delay,
    bgwriterLruMaxpages: settings.bgwriter_lru_maxpages,
    bgwriterLruMultiplier: settings.bgwriter_lru_multiplier,
    archiving: settings.archive_mode !== 'off',
    archiveTimeout: settings.archive_timeout,
    maxPredLocksPerTransaction: settings.max_pred_locks_per_transaction,
    maxPredLocksPerRelation: settings.max_pred_locks_per_relation,
    maxPredLocksPerPage: settings.max_pred_locks_per_page,
    walLevel: settings.wal_level,
    walLogHints: settings.wal_log_hints,
    trackCommitTimestamp: settings.track_commit_timestamp,
    maxWorkerProcesses: settings.max_worker_processes,
    maxWalSenders: settings.max_wal_senders,
    shared: settings.shared_memory_type !== 'private',
    logCheckpoints: settings.log_checkpoints,
    logLockWaits: settings.log_lock_waits,
  }
}

// What those settings tell that only look.
function computedSettings(control: Record<string, unknown>): Record<string, string> {
  return {
    block_size: String(control.blcksz),
    wal_block_size: String(control.xlog_blcksz),
    wal_segment_size: String(control.xlog_seg_size),
    data_checksums: Number(control.data_checksum_version) > 0 ? 'on' : 'off',
  }
}

/** A transaction that was prepared and not yet ended, as pg_prepared_xacts shows it. */
export interface PreparedTransaction {
  /** Its xid. */
  transaction: number
  gid: string
  prepared: Date
  /** Names; undefined when the role or database is gone. */
  owner: string | undefined
  database: string | undefined
}

// The point from which PostgreSQL counts microseconds, in milliseconds since 1970.
const postgresEpoch = Date.UTC(2000, 0, 1)

// Warnings that repeat are told once: they come with every transaction.
function emitFirstWarnings(): (notice: PgError) => void {
  const told = new Set<string>()
  return ({ code, message, hint }) => {
    const kind = message.replace(/\d+/g, '')
    if (told.has(kind)) return
    told.add(kind)
    process.emitWarning(message, { type: 'PgWarning', code, ...(hint && { detail: hint }) })
  }
}

let openings = 0
/** A number for an opening, with which it can be given up. */
function nextOpening(): number {
  openings = (openings + 1) >>> 0
  return openings
}

function canceled(): PgError {
  return new PgError('57014', 'canceling open due to user request')
}

// How long opening waits for a process that has the directory and cannot be attached to yet, or is just closing.
const attachTimeoutMs = 30_000
const attachRetryMs = 20
// How long a lock may last whose holder is not to be seen: it may just be dying, or another one be taking over.
const unseenHolderMs = 5000
// What attaching or opening fails with when it may go better a moment later: its holder is gone, is closing, has crashed,
// or has not given up its lock on the directory yet.
const transientCodes = new Set(['42704', '57P03', '57P02', 'F0001'])

/** Attaches to the cluster of those who have the directory open; or opens it, once nobody has it. */
async function attachOrOpen(
  directory: string,
  options: NativeClusterOptions,
  given: OpenOptions,
  log: ServerLog,
): Promise<NativeCluster> {
  let deadline: number | undefined
  let gone: number | undefined
  let unseenSince: number | undefined
  for (;;) {
    let failure: unknown
    const taken = LockFile.take(directory, gone)
    try {
      if (taken instanceof LockFile) return await openLocked(taken, options, given, log)
      if (taken.segment !== undefined) return await binding.attachCluster(options, taken.segment)
      failure = taken.refusal
    } catch (error) {
      if (!(error instanceof PgError) || !transientCodes.has(error.code)) throw error
      failure = error
      gone = undefined
      if (error.code === '42704' && !(taken instanceof LockFile)) {
        gone = taken.segment
        failure = taken.refusal
      }
    }
    if (given.signal?.aborted) throw canceled()
    const now = performance.now()
    deadline ??= now + attachTimeoutMs
    const isUnseen = !(taken instanceof LockFile) && taken.isUnseen === true
    unseenSince = isUnseen ? (unseenSince ?? now) : undefined
    if (unseenSince !== undefined && now > unseenSince + unseenHolderMs) throw notSeen(directory)
    if (now > deadline) throw failure
    await sleep(attachRetryMs)
  }
}

function notSeen(directory: string): PgError {
  return new PgError('F0001', `data directory "${directory}" is in use`, {
    detail: 'A process has it locked that cannot be seen from here, as one in another container.',
    hint: 'Close the cluster there before opening it here.',
  })
}

/** Opens a cluster whose lock file was just taken, and lets others attach. */
async function openLocked(
  lock: LockFile,
  options: NativeClusterOptions,
  given: OpenOptions,
  log: ServerLog,
): Promise<NativeCluster> {
  try {
    log.beginAsOwner()
    const native = await openNative(options, given)
    lock.publish(native.segment())
    return native
  } catch (error) {
    LockFile.release(options.dataDirectory)
    throw error
  }
}

async function openNative(
  options: NativeClusterOptions,
  { onProgress, signal }: OpenOptions,
): Promise<NativeCluster> {
  const opening = nextOpening()
  const cancel = () => binding.cancelOpening(opening)
  signal?.addEventListener('abort', cancel)
  try {
    const opened = binding.openCluster(
      options,
      opening,
      onProgress &&
        ((replayedBytes, totalBytes, records) =>
          onProgress({ replayedBytes, totalBytes, records })),
    )
    // While another thread is at it.
    prepareCatalogs(catalogsOfEveryTable)
    return await opened
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

function isEmptyOrMissing(directory: string): boolean {
  return !existsSync(directory) || readdirSync(directory).length === 0
}

// Clusters that a process which simply exits leaves open. `process.exit` runs no native clean-up, but this.
const openForWriting = new Set<Cluster>()
process.on('exit', () => {
  for (const cluster of openForWriting) cluster.closeAtExit()
})

// Which reading any table begins with.
const catalogsOfEveryTable = [
  pgDatabase,
  pgDbRoleSetting,
  pgClass,
  pgNamespace,
  pgAttribute,
  pgIndex,
  pgOpclass,
] as const

// Of pg_database.
const columnsToConnect = [
  'oid',
  'datallowconn',
  'datconnlimit',
  'dattablespace',
  'datlocprovider',
  'datcollate',
] as const

function sharedCatalogs(native: NativeCluster, dataDirectory: string): CatalogStore {
  return new CatalogStore(native, dataDirectory, { oid: 0, tablespace: 1664, directory: 'global' })
}

export class Cluster {
  // The bundler renames a class that names itself.
  static {
    Object.defineProperty(Cluster, 'name', { value: 'Cluster' })
  }

  readonly dataDirectory: string
  readonly #configuration: ClusterSettings
  #reloadSignal: ReloadSignal | undefined
  #native: NativeCluster
  readonly #codecOptions: CodecOptions
  readonly #onNotice: (notice: PgError) => void
  readonly #databases = new Map<number, DatabaseServices>()
  /** With the OID of the database. */
  readonly #sessions = new Map<Session, number>()
  #shared: CatalogStore
  readonly #log: ServerLog
  #workers: BackgroundWorkers | undefined
  #closed: Promise<void> | undefined
  /** The way back after another process brought the cluster down, while it is gone. */
  #restart: Promise<void> | undefined

  private constructor(
    dataDirectory: string,
    configuration: ClusterSettings,
    native: NativeCluster,
    codecOptions: CodecOptions,
    onNotice: (notice: PgError) => void,
    log: ServerLog,
  ) {
    this.#onNotice = onNotice
    this.#log = log
    this.dataDirectory = dataDirectory
    this.#configuration = configuration
    this.#native = native
    this.#codecOptions = codecOptions
    this.#shared = sharedCatalogs(native, dataDirectory)
  }

  /** Makes a new cluster in a directory that does not exist or is empty, and leaves it closed. */
  static async init(directory: string, options: InitOptions = {}): Promise<void> {
    await initCluster(resolve(directory), options)
  }

  /**
   * Opens a data directory. One that was not shut down cleanly, or is a base backup, is recovered first, on another
   * thread. When other processes have it open with pgdata, this one joins them: they share one memory, whose settings are
   * those of the process that came first. Throws F0001 when a server has it, 58P01 when it is none, 55000 when it needs more than is in its
   * pg_wal (a standby's, an unfinished backup), 57014 when `signal` was aborted.
   */
  static async open(directory: string, given: OpenOptions = {}): Promise<Cluster> {
    const dataDirectory = resolve(directory)
    const readOnly = given.readOnly ?? false
    if (given.signal?.aborted) throw canceled()
    // Bad ones make no cluster.
    const isCluster = existsSync(join(dataDirectory, 'PG_VERSION'))
    if (!isCluster) new ClusterSettings(dataDirectory, given.settings, false)
    if (given.create && !readOnly && isEmptyOrMissing(dataDirectory)) {
      await initCluster(dataDirectory, given.create === true ? {} : given.create)
    }
    if (!existsSync(join(dataDirectory, 'PG_VERSION'))) {
      throw new PgError('58P01', `"${dataDirectory}" is not a database cluster directory`, {
        hint: 'Use { create: true } or "pgdata init" to make one.',
      })
    }
    const configuration = new ClusterSettings(dataDirectory, given.settings, !readOnly)
    const settings = configuration.meaningful
    const control = binding.readControlFile(dataDirectory)
    configuration.compute(computedSettings(control))
    const onNotice = given.onNotice ?? emitFirstWarnings()
    const log = new ServerLog({
      dataDirectory,
      settings,
      onLog: given.onLog,
      onFailure: onNotice,
      isReader: readOnly,
    })
    const options = {
      ...nativeOptions(dataDirectory, settings, readOnly, control.blcksz as number),
      // A test's disk is its process's own.
      ...(given.disk && { disk: given.disk, shared: false }),
      ...(log.queue && { log: log.queue }),
    }
    const open = () =>
      readOnly ? openNative(options, given) : attachOrOpen(dataDirectory, options, given, log)
    const { int8, json } = given
    const codecOptions = { ...(int8 && { int8 }), ...(json && { json }) }
    try {
      const native = await open()
      const cluster = new Cluster(dataDirectory, configuration, native, codecOptions, onNotice, log)
      if (!readOnly) {
        cluster.#isOpenForWriting(open)
        cluster.#listenToReloads(given.reloadOnSighup ?? false)
      }
      return cluster
    } catch (error) {
      await log.close()
      throw error
    }
  }

  /**
   * A session on one database. Throws 3D000 when there is no such database, 55000 when it takes no connections. After the
   * death of another process ended all sessions with 57P02, it waits until the cluster has recovered.
   */
  async connect(options: ConnectOptions = {}): Promise<Session> {
    await this.#restart
    this.#refuseClosed()
    const session = await this.#connect(options.database ?? 'postgres', options)
    return session as Session
  }

  /**
   * Vacuums all databases, also those that take no connections, as autovacuum does before ids run out; resolves with
   * what was done, by database. See Session.vacuum.
   */
  async vacuum(options: VacuumOptions = {}): Promise<Map<string, VacuumReport[]>> {
    this.#refuseClosed()
    const reports = new Map<string, VacuumReport[]>()
    for (const { name } of this.#databasesForUpkeep()) {
      await using session = (await this.#connect(name, {}, { isUpkeep: true })) as Session
      reports.set(name, await session.vacuum(options))
    }
    return reports
  }

  // Closes it at the end of the process, and opens it again with `open` when the death of another process brought it down.
  #isOpenForWriting(open: () => Promise<NativeCluster>): void {
    openForWriting.add(this)
    this.#log.begin(() => this.#isOwner())
    this.#listenToNotices()
    // They may have changed since it was opened first.
    this.#timeIo()
    this.#startWorkers()
    this.#native.onCrash(() => {
      if (this.#closed !== undefined) return
      const restart = this.#reopen(open)
      this.#restart = restart
      // Whoever connects is told of a failure.
      restart.catch(() => undefined)
    })
  }

  async #reopen(open: () => Promise<NativeCluster>): Promise<void> {
    openForWriting.delete(this)
    await this.#workers?.abandon()
    const wasOwner = await this.#native.leaveCrashed()
    if (wasOwner) LockFile.release(this.dataDirectory)
    this.#native = await open()
    this.#shared = sharedCatalogs(this.#native, this.dataDirectory)
    this.#databases.clear()
    this.#sessions.clear()
    this.#restart = undefined
    this.#isOpenForWriting(open)
  }

  // A session on a database that nobody copies or drops at the moment: that is waited for, or undefined. It is there for all
  // to see first and looks for such a lock then, so that whoever locks the database meanwhile sees it, and waits a little.
  async #connect(
    name: string,
    options: ConnectOptions,
    {
      isUpkeep = false,
      isAutovacuum = false,
      mayWait = true,
    }: { isUpkeep?: boolean; isAutovacuum?: boolean; mayWait?: boolean } = {},
  ): Promise<Session | undefined> {
    const type = isAutovacuum ? 'autovacuum worker' : 'client backend'
    for (;;) {
      const { oid } = this.#database(name, isUpkeep)
      const native = this.#native.session(oid, type, options.applicationName ?? '')
      try {
        if (!this.#isBeingCopiedOrDropped(oid)) {
          this.#acceptInvalidations()
          const database = this.#database(name, isUpkeep, native)
          if (database.oid === oid) return this.#session(native, database, options, isAutovacuum)
        }
      } catch (error) {
        native.close()
        throw error
      }
      native.close()
      const waiter = this.#native.session(0)
      try {
        const level = lockLevels['row exclusive']
        if (!(await waiter.lockDatabase(oid, level, true, mayWait))) return undefined
      } finally {
        waiter.close()
      }
      this.#refuseClosed()
      this.#acceptInvalidations()
    }
  }

  #isBeingCopiedOrDropped(oid: number): boolean {
    return this.#native
      .locks()
      .some(
        ({ type, field2, field3, mode }) =>
          type === 'object' &&
          field2 === pgDatabase.oid &&
          field3 === oid &&
          mode !== 'RowExclusiveLock',
      )
  }

  #session(
    native: NativeSession,
    database: DatabaseServices,
    options: ConnectOptions,
    isAutovacuum: boolean,
  ): Session {
    const stored = isAutovacuum ? [] : storedSettings(this.#shared, native, database.oid)
    const session: Session = new Session(
      native,
      database,
      this.#native,
      {
        onClose: () => this.#sessions.delete(session),
        onNotice: (notice) => this.#notice(notice),
        onCatalogsReplaced: () => this.#forgetCatalogs(),
        databaseUse: {
          otherSessions: (oid) =>
            this.#native.backendsOn(oid) -
            (oid === database.oid ? 1 : 0) +
            this.#native.preparedTransactions().filter(({ database }) => database === oid).length,
          forget: (oid) => this.#databases.delete(oid),
        },
      },
      {
        cluster: this.#configuration,
        begin: (settings) => {
          for (const error of giveStoredSettings(settings, stored)) this.#notice(error)
          giveClientSettings(settings, options)
          if (isAutovacuum) giveAutovacuumSettings(settings)
        },
      },
    )
    this.#sessions.set(session, database.oid)
    return session
  }

  /** Every setting, as pg_settings shows it outside any session. */
  settings(): SettingInfo[] {
    return this.#configuration.rows()
  }

  /**
   * Gives a setting a value in postgresql.auto.conf, or removes it from there; it counts after the next `reload`, or the
   * next time the cluster is opened when its context is 'postmaster'. Throws 42704, 42602, 22023, 55P02, F0000, 25006, and
   * 0A000 for what PostgreSQL would not start with.
   */
  alterSystem(name: string, value: SettingInput | undefined): void {
    this.#refuseClosed()
    this.#refuseAlterSystem()
    writeAutoConfiguration(this.dataDirectory, name, value === undefined ? value : String(value))
  }

  /** Removes all settings from postgresql.auto.conf. */
  alterSystemResetAll(): void {
    this.#refuseClosed()
    this.#refuseAlterSystem()
    emptyAutoConfiguration(this.dataDirectory)
  }

  /**
   * Reads postgresql.conf and postgresql.auto.conf again, here and, a moment later, in the other processes that have the
   * cluster open. Returns what is wrong with them, each error with file and line, which `onNotice` is told of, too:
   * those settings keep their values. With an error of syntax or an unknown name all of them do.
   */
  reload(): PgError[] {
    this.#refuseClosed()
    const errors = this.#reload()
    this.#reloadSignal?.send()
    return errors
  }

  /** Writes all that is dirty and moves the point from which recovery would start. */
  async checkpoint(): Promise<void> {
    this.#refuseClosed()
    await this.#native.checkpoint()
  }

  /** The transactions that Session.prepareTransaction, or stock PostgreSQL, prepared and nobody has ended. */
  preparedTransactions(): PreparedTransaction[] {
    this.#refuseClosed()
    const prepared = this.#native.preparedTransactions()
    if (prepared.length === 0) return []
    const probe = this.#native.session(0)
    try {
      return prepared.map(({ transaction, gid, preparedAt, owner, database }) => ({
        transaction,
        gid,
        prepared: new Date(postgresEpoch + Number(preparedAt / 1000n)),
        owner: this.#shared.findOne(probe, pgAuthid, 'pg_authid_oid_index', [owner])?.rolname,
        database: this.#shared.findOne(probe, pgDatabase, 'pg_database_oid_index', [database])
          ?.datname,
      }))
    } finally {
      probe.close()
    }
  }

  /** Commits a prepared transaction; resolves when that is durable. Throws 42704 when there is none of that name. */
  commitPrepared(gid: string): Promise<void> {
    return this.#finishPrepared(gid, true)
  }

  /** Rolls a prepared transaction back. Throws 42704 when there is none of that name. */
  rollbackPrepared(gid: string): Promise<void> {
    return this.#finishPrepared(gid, false)
  }

  /** Counters of the buffer pool and the log. */
  statistics(): Record<string, number> {
    this.#refuseClosed()
    return this.#native.statistics()
  }

  /** The views of one row, pg_stat_io and pg_stat_slru; undefined when open for reading only. */
  clusterStatistics(): ClusterStatistics | undefined {
    this.#refuseClosed()
    this.#native.flushStatistics()
    return clusterStatistics(this.#native)
  }

  /** pg_stat_database: one row for each database, and one for what is counted of shared catalogs. */
  databaseStatistics(): DatabaseStatistics[] {
    this.#refuseClosed()
    const names = this.#databaseNames()
    this.#native.flushStatistics()
    return [
      databaseStatistics(this.#native, 0, null),
      ...[...names].map(([oid, name]) => databaseStatistics(this.#native, oid, name)),
    ]
  }

  /** Sets all cumulative statistics to zero. */
  resetStatistics(): void {
    this.#refuseClosed()
    this.#native.resetStatistics()
  }

  /** pg_stat_reset_slru: the row of that name, or all of pg_stat_slru; what is no name of a row resets `other`. */
  resetSlruStatistics(name?: SlruName): void {
    this.#refuseClosed()
    this.#native.resetSlruStatistics(name ?? null)
  }

  /** The processes that have the cluster open; a worker thread that opened it counts as one of its own. */
  processes(): ClusterProcess[] {
    this.#refuseClosed()
    return this.#native.processes()
  }

  /** How full the queue of notifications is, from 0 to 1, as pg_notification_queue_usage(). */
  notificationQueueUsage(): number {
    this.#refuseClosed()
    return this.#native.notificationQueueUsage()
  }

  /** Every lock that a session holds or waits for, as pg_locks shows it. */
  locks(): LockInfo[] {
    this.#refuseClosed()
    return this.#native.locks().map(lockInfo)
  }

  /**
   * What every session and background worker of the cluster is doing, in all processes, as pg_stat_activity shows it; empty
   * when open for reading only.
   */
  activity(): ActivityInfo[] {
    this.#refuseClosed()
    const rows = this.#native.activity()
    const names = this.#databaseNames()
    const relationName = (database: number, relation: number) => {
      const name = names.get(database)
      return name === undefined ? undefined : this.#relationName(name, relation)
    }
    return rows.map((row) => activityInfo(row, (oid) => names.get(oid), relationName))
  }

  /** The memory contexts of this thread, of all its sessions and caches, as pg_backend_memory_contexts shows them. */
  memoryContexts(): MemoryContextInfo[] {
    this.#refuseClosed()
    return memoryContextRows(topMemoryContext)
  }

  /**
   * Has a process that has the cluster open write its memory contexts into the server log, as
   * pg_log_backend_memory_contexts(); it does so within a second or two. False, with a warning, when there is no such process.
   */
  logMemoryContexts(pid: number): boolean {
    this.#refuseClosed()
    if (this.#native.requestMemoryContexts(pid)) return true
    this.#onNotice(new PgError('01000', `PID ${pid} is not a PostgreSQL server process`))
    return false
  }

  /**
   * Pages that recovery compared when this cluster was opened, by kind of record: those of which the log has images
   * because it was written with wal_consistency_checking. Any difference would have stopped it with XX001.
   */
  comparedPages(): ComparedPages[] {
    this.#refuseClosed()
    return this.#native.comparedPages()
  }

  /** Closes the sessions, writes a shutdown checkpoint and gives the directory back. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /**
   * For the process's exit: closes without waiting for a session, though for processes that close at the same moment. Open transactions are rolled back. Nobody is left to tell
   * of an error; the next open finds an unclean shutdown, and recovers.
   */
  closeAtExit(): void {
    if (this.#closed !== undefined) return
    this.#closed = Promise.resolve()
    openForWriting.delete(this)
    this.#reloadSignal?.close()
    try {
      if (this.#native.closeSync()) LockFile.release(this.dataDirectory)
    } catch (error) {
      if (!(error instanceof PgError)) throw error
      LockFile.release(this.dataDirectory)
    } finally {
      this.#log.closeSync()
    }
  }

  async #shutDown(): Promise<void> {
    await this.#restart?.catch(() => undefined)
    const isReader = !openForWriting.delete(this)
    this.#reloadSignal?.close()
    await this.#workers?.stop()
    await Promise.all([...this.#sessions.keys()].map((session) => session.close()))
    let wasLast = true
    try {
      await this.#workers?.finish()
    } catch (error) {
      // A cluster that went down has nothing to archive.
      if (!(error instanceof PgError)) throw error
    }
    try {
      wasLast = await this.#native.close()
    } finally {
      if (wasLast && !isReader) LockFile.release(this.dataDirectory)
      await this.#log.close()
    }
  }

  // Forgets what other processes have changed. Whether there are any, and whether anything was forgotten.
  #acceptInvalidations(): Invalidated {
    const told = this.#native.acceptInvalidations()
    if (told === 0) return 'alone'
    if (told === 1) return 'nothing'
    this.#shared.forget()
    for (const { oid, relations, catalogs } of this.#databases.values()) {
      if (told !== null && !told.some(({ database }) => database === oid)) continue
      catalogs.forget()
      relations.forget()
    }
    return 'something'
  }

  #isOwner(): boolean {
    try {
      return this.#native.isOwner()
    } catch {
      // The cluster is poisoned, or being closed.
      return false
    }
  }

  #notice(
    notice: PgError,
    backendType = 'client backend',
    severity: LogSeverity = 'WARNING',
  ): void {
    const { code, message, detail, hint } = notice
    this.#log.write({ severity, backendType, code, message, detail, hint })
    this.#onNotice(notice)
  }

  #refuseAlterSystem(): void {
    if (!openForWriting.has(this))
      throw new PgError('25006', 'cannot execute ALTER SYSTEM in a read-only transaction')
    if (this.#configuration.get('allow_alter_system')?.setting === 'on') return
    throw new PgError('22023', 'ALTER SYSTEM is not allowed in this environment')
  }

  #listenToReloads(onSighup: boolean): void {
    const isThere = () => this.#closed === undefined && this.#restart === undefined
    this.#reloadSignal = new ReloadSignal(
      this.dataDirectory,
      () => isThere() && this.#reload(),
      onSighup ? () => isThere() && this.reload() : undefined,
    )
  }

  #reload(): PgError[] {
    const log = (message: string) =>
      this.#log.write({ severity: 'LOG', backendType: 'postmaster', code: '00000', message })
    log('received SIGHUP, reloading configuration files')
    const { changed, errors } = this.#configuration.reload()
    for (const { name, setting, wasRemoved } of changed) {
      if (wasRemoved) log(`parameter "${name}" removed from configuration file, reset to default`)
      else log(`parameter "${name}" changed to "${setting}"`)
    }
    this.#timeIo()
    for (const session of this.#sessions.keys()) {
      try {
        session.settingsChanged()
      } catch (error) {
        // A cluster that has just crashed ends the session by itself.
        if (!(error instanceof PgError)) throw error
      }
    }
    const reported = errors.map((error) => configurationError(error))
    for (const error of reported) this.#notice(error, 'postmaster', 'LOG')
    return reported
  }

  // Of what runs without a session.
  #timeIo(): void {
    const { track_io_timing, track_wal_io_timing } = this.#configuration.meaningful
    this.#native.setIoTimings(track_io_timing, track_wal_io_timing)
  }

  #startWorkers(): void {
    this.#workers = new BackgroundWorkers({
      native: this.#native,
      settings: this.#configuration.meaningful,
      dataDirectory: this.dataDirectory,
      databases: () => this.#databasesForUpkeep(),
      connect: (name) =>
        this.#connect(name, {}, { isUpkeep: true, isAutovacuum: true, mayWait: false }),
      notice: (notice, backendType, severity) => this.#notice(notice, backendType, severity),
      log: (message) => this.#log.write(message),
      memoryContexts: () => memoryContextLines(topMemoryContext),
    })
  }

  #databaseNames(): Map<number, string> {
    const probe = this.#native.session(0)
    try {
      return new Map([...this.#shared.scan(probe, pgDatabase)].map((row) => [row.oid, row.datname]))
    } finally {
      probe.close()
    }
  }

  // "public.accounts"; undefined for one that is gone, or that a transaction is just making.
  #relationName(databaseName: string, relation: number): string | undefined {
    const { oid, catalogs, acceptInvalidations } = this.#database(databaseName, true)
    const probe = this.#native.session(oid)
    try {
      acceptInvalidations()
      const row = catalogs.findOne(probe, pgClass, 'pg_class_oid_index', [relation])
      const schema =
        row && catalogs.findOne(probe, pgNamespace, 'pg_namespace_oid_index', [row.relnamespace])
      return schema && `${schema.nspname}.${row.relname}`
    } finally {
      probe.close()
    }
  }

  #databasesForUpkeep(): WorkerDatabase[] {
    const probe = this.#native.session(0)
    try {
      return [...this.#shared.scan(probe, pgDatabase)]
        .filter(({ datconnlimit }) => datconnlimit !== invalidDatabase)
        .map(({ oid, datname: name, datfrozenxid, datminmxid }) => ({
          oid,
          name,
          datfrozenxid,
          datminmxid,
        }))
    } finally {
      probe.close()
    }
  }

  #listenToNotices(): void {
    this.#native.onNotice((notice) => this.#notice(notice))
    // No message names them while ids are plenty: then it can wait until nobody waits for the cluster to be open.
    if (this.#native.idBounds().areScarce) {
      this.#nameOldestDatabases()
      return
    }
    setImmediate(() => {
      if (this.#closed !== undefined || this.#restart !== undefined) return
      try {
        this.#nameOldestDatabases()
      } catch (error) {
        // A cluster that has just crashed tells so by itself.
        if (!(error instanceof PgError)) throw error
      }
    })
  }

  #nameOldestDatabases(): void {
    const { oldestXidDatabase, oldestMultiDatabase } = this.#native.idBounds()
    const probe = this.#native.session(0)
    try {
      const nameOf = (oid: number) =>
        this.#shared.findOne(probe, pgDatabase, 'pg_database_oid_index', [oid], ['datname'])
          ?.datname ?? ''
      this.#native.nameOldestDatabases(
        oldestXidDatabase,
        nameOf(oldestXidDatabase),
        oldestMultiDatabase,
        nameOf(oldestMultiDatabase),
      )
    } finally {
      probe.close()
    }
  }

  async #finishPrepared(gid: string, commit: boolean): Promise<void> {
    this.#refuseClosed()
    const prepared = this.#native.preparedTransactions().find((each) => each.gid === gid)
    await this.#native.finishPrepared(gid, commit)
    // It may have changed relations.
    if (prepared !== undefined) this.#databases.get(prepared.database)?.relations.forget()
  }

  #forgetCatalogs(): void {
    this.#shared.forget()
    for (const { catalogs, relations } of this.#databases.values()) {
      catalogs.forget()
      relations.forget()
    }
    for (const session of this.#sessions.keys()) session.forgetRelations()
  }

  #refuseClosed(): void {
    if (this.#closed !== undefined) throw new PgError('08003', 'the cluster is closed')
    if (this.#restart !== undefined) {
      throw new PgError('57P02', 'the cluster has crashed', {
        hint: 'Connect again in a moment, when the cluster has recovered.',
      })
    }
  }

  #database(
    name: string,
    forUpkeep = false,
    reader: NativeSession | undefined = undefined,
  ): DatabaseServices {
    const probe = reader ?? this.#native.session(0)
    try {
      const row = this.#shared.findOne(
        probe,
        pgDatabase,
        'pg_database_datname_index',
        [name],
        columnsToConnect,
      )
      if (row === undefined) throw new PgError('3D000', `database "${name}" does not exist`)
      if (!row.datallowconn && !forUpkeep) {
        throw new PgError('55000', `database "${name}" is not currently accepting connections`)
      }
      if (row.datconnlimit === invalidDatabase) {
        throw new PgError('55000', `cannot connect to invalid database "${name}"`, {
          hint: 'Use DROP DATABASE to drop invalid databases.',
        })
      }
      const known = this.#databases.get(row.oid)
      if (known !== undefined && known.name === name) return known
      const identity = {
        oid: row.oid,
        tablespace: row.dattablespace,
        directory: databaseDirectory(row.oid, row.dattablespace),
      }
      const catalogs = new CatalogStore(this.#native, this.dataDirectory, identity)
      const services: DatabaseServices = {
        oid: row.oid,
        name,
        dataDirectory: this.dataDirectory,
        catalogs,
        relations: new RelationCache(
          this.#native,
          catalogs,
          bytewiseCollation(row.datlocprovider, row.datcollate),
          this.#codecOptions,
          this.#configuration.meaningful['pgdata.relation_cache_size'],
        ),
        acceptInvalidations: () => this.#acceptInvalidations(),
      }
      this.#databases.set(row.oid, services)
      return services
    } finally {
      if (reader === undefined) probe.close()
    }
  }
}
