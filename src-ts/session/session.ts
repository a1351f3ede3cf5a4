// Session: a backend: one transaction at a time, on one database.
import { closeSessionMemory, openSessionMemory } from '../access/session-memory.ts'
import type { NativeCluster, NativeCommitTimestamp, NativeSession } from '../binding/native.ts'
import {
  alterSettings,
  type SettingsOwner,
  type StoredSettingsInput,
} from '../command/alter-settings.ts'
import { type AnalyzeOptions, type AnalyzeReport, analyze } from '../command/analyze.ts'
import { dropTemporaryRelations } from '../command/claim-temporary-schema.ts'
import { bootstrapSuperuser } from '../command/command-context.ts'
import { Commands } from '../command/commands.ts'
import {
  beginDropDatabase,
  type CreateDatabaseOptions,
  createDatabase,
  type DatabaseUse,
  finishDropDatabase,
} from '../command/create-database.ts'
import type { CreateIndexOptions } from '../command/create-index.ts'
import type { CreateSchemaOptions } from '../command/create-schema.ts'
import type { CreateTableOptions } from '../command/create-table.ts'
import { createTablespace, dropTablespace } from '../command/create-tablespace.ts'
import type { DropOptions } from '../command/drop-object.ts'
import { type ReindexOptions, type ReindexTarget, tablesToReindex } from '../command/reindex.ts'
import { relationName } from '../command/relation-name.ts'
import type { ClusterOptions } from '../command/rewrite-table.ts'
import { type VacuumOptions, type VacuumReport, type VacuumRun, vacuum } from '../command/vacuum.ts'
import type { ClusterSettings, SettingInfo } from '../config/cluster-settings.ts'
import { SessionSettings } from '../config/session-settings.ts'
import type { SettingInput } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import type { Query, QueryOptions } from '../executor/query.ts'
import { type MemoryContextInfo, memoryContextRows } from '../memory/context-rows.ts'
import type { MemoryContext } from '../memory/memory-context.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import type { RelationCache, RelationInfo } from '../relation/relation-cache.ts'
import { temporaryClaimOf } from '../relation/temporary-schema.ts'
import {
  type AdvisoryKey,
  type AdvisoryLockOptions,
  releaseAdvisoryLock,
  takeAdvisoryLock,
} from '../transaction/advisory-lock.ts'
import { type Invalidated, lockLevels, lockRelation } from '../transaction/relation-lock.ts'
import { withinStatementTimeout } from '../transaction/time-limits.ts'
import { type TransactionOptions, TransactionQueue } from '../transaction/transaction-queue.ts'
import { int64Of } from '../types/int64.ts'
import { readTimestamptz } from '../types/timestamp.ts'
import { type ListenOptions, NotificationStream } from './notifications.ts'
import { type Begin, planContextOf, QueryResult } from './query-result.ts'
import {
  type IndexStatistics,
  indexStatistics,
  type TableStatistics,
  tableStatistics,
} from './statistics-views.ts'
import { Table } from './table.ts'
import { Transaction } from './transaction.ts'
import { memoryLimits, transactionDefaults } from './transaction-defaults.ts'
import { vacuumDefaults } from './vacuum-defaults.ts'

// The catalogs that definitions change, whose rows others may have cached: pg_class, pg_attribute, pg_type, pg_index,
// pg_constraint, pg_namespace, pg_attrdef. Source: src/include/catalog/*.h, PostgreSQL 18.
const definingCatalogs = [1259, 1249, 1247, 2610, 2606, 2615, 2604]

/** What all sessions on a database share in this process. */
export interface DatabaseServices {
  oid: number
  name: string
  dataDirectory: string
  catalogs: CatalogStore
  relations: RelationCache
  /** Forgets what other processes have defined anew. */
  acceptInvalidations: () => Invalidated
}

/** What a session asks of its cluster. */
export interface SessionEvents {
  onClose: () => void
  /** A warning for the user. */
  onNotice: (notice: PgError) => void
  /** Catalogs may have new files. */
  onCatalogsReplaced: () => void
  databaseUse: DatabaseUse
}

/** The settings of a session: those of its cluster, and what is given when it begins. */
export interface SettingsOfSession {
  cluster: ClusterSettings
  begin: (settings: SessionSettings) => void
}

export interface SetOptions {
  /** Until the end of the transaction. */
  local?: boolean
}

/** When a transaction committed. */
export interface CommitTimestamp {
  /** Its id, without the epoch. */
  transaction: number
  /** A PgTimestamp where a Date would lose the microseconds. */
  timestamp: Date
  /** OID of the replication origin that it came from; 0: of none. */
  origin: number
}

const temporaryBuffersDetail =
  '"temp_buffers" cannot be changed after any temporary tables have been accessed in the session.'

function commitTimestampOf(native: NativeCommitTimestamp | null): CommitTimestamp | undefined {
  if (native === null) return undefined
  const { transaction, time, origin } = native
  return { transaction, timestamp: readTimestamptz(int64Of(time)), origin }
}

export class Session {
  readonly #native: NativeSession
  readonly #cluster: NativeCluster
  readonly #database: DatabaseServices
  readonly #events: SessionEvents
  readonly #queue: TransactionQueue
  readonly #commands: Commands
  readonly #settings: SessionSettings
  readonly #memory: MemoryContext
  #closed: Promise<void> | undefined
  #terminated: PgError | undefined

  constructor(
    native: NativeSession,
    database: DatabaseServices,
    cluster: NativeCluster,
    events: SessionEvents,
    settings: SettingsOfSession,
  ) {
    this.#native = native
    this.#cluster = cluster
    this.#database = database
    this.#events = events
    this.#settings = new SessionSettings(settings.cluster, () => this.settingsChanged())
    settings.begin(this.#settings)
    this.#memory = openSessionMemory(native, `${native.number()} ${database.name}`)
    const claim = temporaryClaimOf(native)
    this.#queue = new TransactionQueue(
      native,
      {
        onBegin: () => {
          this.#settings.begin()
          claim.begin()
        },
        onTransactionEnd: (isCommitted) => {
          this.#settings.end(isCommitted)
          claim.end(isCommitted)
          this.#commands.endOfTransaction()
        },
        beforeCommit: () => this.#commands.beforeCommit(),
        onSavepointRelease: () => {
          this.#settings.release()
          claim.release()
        },
        onSavepointRollback: (levels) => {
          this.#settings.rollBack(levels)
          claim.rollBack(levels)
          this.#commands.rolledBackToSavepoint()
        },
        onTerminate: (reason) => this.#terminate(reason),
      },
      transactionDefaults(this.#settings),
    )
    this.#timeIo()
    const { catalogs, relations, dataDirectory, acceptInvalidations } = database
    this.#limitMemory()
    this.#commands = new Commands({
      acceptInvalidations,
      native,
      cluster,
      queue: this.#queue,
      catalogs,
      relations,
      dataDirectory,
      setting: (name) => this.#settings.get(name),
      temporaryBuffers: () => {
        this.#settings.fix('temp_buffers', temporaryBuffersDetail)
        return Number(this.#settings.get('temp_buffers'))
      },
      onCatalogsReplaced: events.onCatalogsReplaced,
    })
  }

  /** Number of the session in the cluster, as in Cluster.locks and in the detail of a deadlock. */
  get id(): number {
    return this.#native.number()
  }

  /** Name of the database. */
  get database(): string {
    return this.#database.name
  }

  /**
   * Runs `body` in a transaction; resolves with its result when the commit is durable, rolls back if it throws. Inside
   * a transaction of this session it is a savepoint of that one.
   */
  transaction<T>(
    body: (tx: Transaction) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    this.#refuseClosed()
    return this.#queue.run((scope) => body(new Transaction(this.#commands, scope)), options)
  }

  /** As `transaction`, for a body that does not wait; blocks until the commit is durable: the lowest latency. */
  transactionSync<T>(body: (tx: Transaction) => T, options: TransactionOptions = {}): T {
    this.#refuseClosed()
    return this.#queue.runSync((scope) => body(new Transaction(this.#commands, scope)), options)
  }

  /**
   * Runs `body` in a transaction and prepares it for a two-phase commit: it then belongs to no session, holds its locks,
   * outlives the process, and waits for Cluster.commitPrepared or rollbackPrepared. Resolves when that is durable.
   * Throws 55000 when max_prepared_transactions is 0, 42710 for a name in use, 22023 for one of 200 bytes or more, 53200.
   */
  prepareTransaction<T>(
    gid: string,
    body: (tx: Transaction) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    this.#refuseClosed()
    return this.#queue.runAndFinish(
      'PREPARE TRANSACTION',
      (scope) => body(new Transaction(this.#commands, scope)),
      options,
      () =>
        this.#native.prepareAsync(
          gid,
          bootstrapSuperuser,
          this.#commands.hasDefined ? definingCatalogs : [],
        ),
    )
  }

  /** A table by name; "public" unless the name says otherwise. Throws 42P01 when it does not exist. */
  table<T extends object = Record<string, unknown>>(name: string): Table<T> {
    this.#refuseClosed()
    const commands = this.#commands
    const meant = relationName(this.#native, commands.relations, name)
    const { oid } = commands.relations.open(this.#native, meant.schema, meant.name)
    return new Table<T>({
      native: this.#native,
      queue: this.#queue,
      planContext: () => planContextOf(commands),
      relation: () => {
        commands.acceptInvalidations()
        return commands.open(oid)
      },
      known: () => commands.open(oid),
      cached: () => commands.cached(oid),
      read: (body) => {
        const begun = this.#native.beginRead(oid)
        if (begun === 0) return body(commands.open(oid))
        if (begun === 1) {
          try {
            return body(commands.open(oid))
          } finally {
            this.#native.endRead()
          }
        }
        if (commands.acceptInvalidations() === 'alone') return body(commands.open(oid))
        // Another process may define the relation anew at any moment.
        const isLocked = this.#native.lockForReading(oid)
        try {
          commands.acceptInvalidations()
          return body(commands.open(oid))
        } finally {
          if (isLocked) this.#native.unlockForSession(oid, lockLevels['access share'])
        }
      },
      lock: (level, mayWait) => {
        const may = mayWait && this.#queue.mayWait
        const granted = lockRelation(this.#native, oid, meant.name, level, may)
        if (!(granted instanceof Promise)) return granted
        return granted.then((isGranted) => {
          // Whoever had the lock may have changed the relation.
          commands.relations.forget(oid)
          return isGranted
        })
      },
    })
  }

  /**
   * The rows that a SELECT gives: to be iterated over, or all at once. See docs/queries.md. Throws, when it is run,
   * 42P01, 42703, 42883 and what its expressions raise.
   */
  query<T extends object = Record<string, unknown>>(
    query: Query,
    options: QueryOptions = {},
  ): QueryResult<T> {
    this.#refuseClosed()
    const begin: Begin = (open) => {
      this.#refuseClosed()
      return open()
    }
    return new QueryResult<T>(this.#commands, begin, query, options)
  }

  /**
   * Makes a table; false if it was there and `ifNotExists` was given. Column types are SQL's, with NOT NULL, PRIMARY KEY,
   * UNIQUE and COLLATE after them. Throws 42P07, 42701, 42704, 3F000, 0A000 for what is not supported.
   */
  createTable(name: string, options: CreateTableOptions): Promise<boolean> {
    return this.#define((commands) => commands.createTable(name, options))
  }

  /** Drops a table with its indexes. Throws 42P01; 2BP01 when something depends on it and `cascade` was not given. */
  dropTable(name: string, options?: DropOptions): Promise<void> {
    return this.#define((commands) => commands.dropTable(name, options))
  }

  /** Makes a B-tree index from the table's rows; resolves with its name. Throws 42P07, 42703, 23505. */
  createIndex(table: string, options: CreateIndexOptions): Promise<string> {
    return this.#define((commands) => commands.createIndex(table, options))
  }

  dropIndex(name: string, options?: DropOptions): Promise<void> {
    return this.#define((commands) => commands.dropIndex(name, options))
  }

  /** Empties tables by giving them new files. */
  truncate(...tables: string[]): Promise<void> {
    return this.#define((commands) => commands.truncate(...tables))
  }

  /**
   * Removes rows of a table that nobody can see any more, freezes old transaction ids, and gives empty pages back; without
   * a name, of all tables of the database, system catalogs included. Off the event loop; writers and readers go on. Resolves with
   * what was done to each relation. Throws 25001 in a transaction, 42P01, 55P03 when the table is being
   * redefined or vacuumed, 57014.
   */
  vacuum(table: string, options?: VacuumOptions): Promise<VacuumReport[]>
  vacuum(options?: VacuumOptions): Promise<VacuumReport[]>
  vacuum(table?: string | VacuumOptions, options: VacuumOptions = {}): Promise<VacuumReport[]> {
    this.#refuseClosed()
    const [name, given] = typeof table === 'string' ? [table, options] : [undefined, table ?? {}]
    const { statement } = this.#queue.defaults.limits
    return this.runVacuum((run) =>
      withinStatementTimeout(statement, given.signal, (signal) =>
        vacuum(run, name, {
          ...vacuumDefaults(this.#settings),
          ...given,
          ...(signal && { signal }),
        }),
      ),
    )
  }

  /**
   * Finds out from a sample of its rows how many a table has, and for each column how many distinct values, which are
   * common and how they are distributed, and writes that to `pg_class` and `pg_statistic`, where PostgreSQL's planner
   * reads it; without a name, for all tables of the database, system catalogs included. Off the event loop; writers and
   * readers go on. Resolves with what was found of each table. Throws 25001 in a transaction, 42P01, 42703, 55P03 when the
   * table is being redefined or vacuumed, 57014.
   */
  analyze(table: string, options?: AnalyzeOptions): Promise<AnalyzeReport[]>
  analyze(options?: Omit<AnalyzeOptions, 'columns'>): Promise<AnalyzeReport[]>
  analyze(table?: string | AnalyzeOptions, options: AnalyzeOptions = {}): Promise<AnalyzeReport[]> {
    this.#refuseClosed()
    const [name, given] = typeof table === 'string' ? [table, options] : [undefined, table ?? {}]
    const { statement } = this.#queue.defaults.limits
    return this.runVacuum(
      (run) =>
        withinStatementTimeout(statement, given.signal, (signal) =>
          analyze(run, name, {
            ...vacuumDefaults(this.#settings),
            ...given,
            ...(signal && { signal }),
          }),
        ),
      'ANALYZE',
    )
  }

  /** For autovacuum: vacuums with steps in transactions of their own. Throws 25001 in a transaction. */
  runVacuum<T>(body: (run: VacuumRun) => Promise<T>, command = 'VACUUM'): Promise<T> {
    const commands = this.#commands
    return this.#queue.runOutside(command, (step) =>
      body({
        session: this.#native,
        isOn: (name) => this.#settings.get(name) === 'on',
        step: (action) => step(() => action(commands.context())),
        change: (action) =>
          step(async () => {
            await commands.beginDefining()
            return action(commands.context())
          }),
        rewrite: (oid, signal) => step(() => commands.vacuumFull(oid, signal)),
      }),
    )
  }

  /**
   * Writes a table anew in the order of one of its indexes; without a name, of that which it was clustered by before.
   * Nobody else can read or write it meanwhile. Throws 42P01, 42704, 42809, 0A000, 57014.
   */
  cluster(table: string, index?: string, options: ClusterOptions = {}): Promise<VacuumReport> {
    return this.#define((commands) => commands.cluster(table, index, options))
  }

  /**
   * Builds indexes anew: one, those of a table and of its TOAST table, or those of many tables, then each table in a
   * transaction of its own. Nobody else can read or write a table meanwhile, nor define anything while it is a system
   * catalog. Resolves with the names of the indexes. Throws 42P01, 42704, 42809, 3F000, 23505, 0A000, 57014; in a
   * transaction 25001 for many tables and for the catalogs of which the relation map knows the files.
   */
  reindex(target: ReindexTarget, options: ReindexOptions = {}): Promise<string[]> {
    if ('index' in target || 'table' in target)
      return this.#define((commands) => commands.reindex(target, options))
    this.#refuseClosed()
    const commands = this.#commands
    const what = Object.keys(target).join().toUpperCase()
    return this.#queue.runOutside(`REINDEX ${what}`, async (step) => {
      const names: string[] = []
      for (const table of await step(() => tablesToReindex(commands.context(), target)))
        names.push(...(await step(() => commands.reindex(table, options))))
      return names
    })
  }

  createSchema(name: string, options?: CreateSchemaOptions): Promise<void> {
    return this.#define((commands) => commands.createSchema(name, options))
  }

  dropSchema(name: string, options?: DropOptions): Promise<void> {
    return this.#define((commands) => commands.dropSchema(name, options))
  }

  /** Makes a database as a copy of another one, to which nobody else may be connected. Throws 42P04, 3D000, 55006. */
  createDatabase(name: string, options: CreateDatabaseOptions = {}): Promise<void> {
    this.#refuseClosed()
    return this.#queue.runAlone('CREATE DATABASE', async () => {
      await this.#commands.beginDefining()
      await createDatabase(this.#commands.context(), this.#events.databaseUse, name, options)
    })
  }

  /** Removes a database and its files, for good. Throws 3D000, 42809, 55006 while sessions are connected. */
  async dropDatabase(name: string, options: DropOptions = {}): Promise<void> {
    this.#refuseClosed()
    const use = this.#events.databaseUse
    const oid = await this.#queue.runAlone('DROP DATABASE', async () => {
      await this.#commands.beginDefining()
      return beginDropDatabase(this.#commands.context(), use, name, options)
    })
    if (oid === undefined) return
    await this.#queue.run(async () => {
      await this.#commands.beginDefining()
      await finishDropDatabase(this.#commands.context(), use, oid)
    })
  }

  /**
   * Stores settings for the sessions of a role, on a database, as ALTER DATABASE … SET and ALTER ROLE … SET: those that
   * begin later start with them. Undefined takes a stored value away. Throws 3D000, 42704, 22023, 55P02, 40001.
   */
  alterSettings(owner: SettingsOwner, settings: StoredSettingsInput): Promise<void> {
    return this.#define((commands) => alterSettings(commands.context(), owner, settings))
  }

  /** Makes a tablespace in an existing directory, given by its absolute path. Throws 42710, 42P17, 58P01, 55006. */
  createTablespace(name: string, path: string): Promise<void> {
    this.#refuseClosed()
    return this.#queue.runAlone('CREATE TABLESPACE', async () => {
      await this.#commands.beginDefining()
      return createTablespace(this.#commands.context(), name, path)
    })
  }

  /** Removes an empty tablespace. Throws 42704, 55000. */
  dropTablespace(name: string, options: DropOptions = {}): Promise<void> {
    this.#refuseClosed()
    return this.#queue.runAlone('DROP TABLESPACE', async () => {
      await this.#commands.beginDefining()
      return dropTablespace(this.#commands.context(), name, options)
    })
  }

  /**
   * When a transaction committed, as pg_xact_commit_timestamp_origin() tells it; undefined when that is not known: it did
   * not commit, or long ago, or while track_commit_timestamp was off. `transaction` is an id with or without its epoch.
   * Throws 55000 when track_commit_timestamp is off, 22023 for 0.
   */
  commitTimestamp(transaction: number): CommitTimestamp | undefined {
    this.#refuseClosed()
    return commitTimestampOf(this.#cluster.commitTimestamp(transaction % 2 ** 32))
  }

  /** The transaction that committed last since the cluster was opened, as pg_last_committed_xact(). Throws 55000. */
  lastCommitted(): CommitTimestamp | undefined {
    this.#refuseClosed()
    return commitTimestampOf(this.#cluster.lastCommitted())
  }

  /** What was done to a table, as pg_stat_all_tables and pg_statio_all_tables show it. Throws 42P01. */
  tableStatistics(table: string): TableStatistics {
    return tableStatistics(this.#cluster, ...this.#counted(table))
  }

  /** What was done to the indexes of a table, as pg_stat_all_indexes and pg_statio_all_indexes show it. Throws 42P01. */
  indexStatistics(table: string): IndexStatistics[] {
    return indexStatistics(this.#cluster, ...this.#counted(table))
  }

  // Where a table is counted; what this process counted is added first.
  #counted(table: string): [number, RelationInfo] {
    this.#refuseClosed()
    const { schema, name } = relationName(this.#native, this.#commands.relations, table)
    const info = this.#commands.relations.open(this.#native, schema, name)
    this.#cluster.flushStatistics()
    return [info.row.relisshared ? 0 : this.#database.oid, info]
  }

  /**
   * Takes an advisory lock for the session, waiting while others hold it; it lasts until it was unlocked as often as it was
   * taken, or the session ends, whatever becomes of the transaction that it was taken in. Throws 40P01, 55P03 (lock_timeout),
   * 57014, 53200, 22003.
   */
  async advisoryLock(
    key: AdvisoryKey,
    options: AdvisoryLockOptions & Pick<TransactionOptions, 'lockTimeout' | 'signal'> = {},
  ): Promise<void> {
    const { shared = false, ...rest } = options
    await this.#lockCommand(
      () => takeAdvisoryLock(this.#native, key, shared, 'session', true),
      rest,
    )
  }

  /** As `advisoryLock`, but false instead of waiting. */
  tryAdvisoryLock(key: AdvisoryKey, options: AdvisoryLockOptions = {}): Promise<boolean> {
    return this.#lockCommand(() =>
      takeAdvisoryLock(this.#native, key, options.shared ?? false, 'session', false),
    )
  }

  /** Gives back one of the times that the session took the lock; warns, and is false, when it does not hold it. */
  async advisoryUnlock(key: AdvisoryKey, options: AdvisoryLockOptions = {}): Promise<boolean> {
    const shared = options.shared ?? false
    const released = await this.#lockCommand(() => releaseAdvisoryLock(this.#native, key, shared))
    if (!released) {
      const mode = shared ? 'ShareLock' : 'ExclusiveLock'
      this.#events.onNotice(new PgError('01000', `you don't own a lock of type ${mode}`))
    }
    return released
  }

  /** Gives back all advisory locks that the session holds; those of transactions stay. */
  async advisoryUnlockAll(): Promise<void> {
    await this.#lockCommand(() => this.#native.advisoryUnlockAll())
  }

  /**
   * Sets a setting, as SET; without a value to that of `reset`. In a transaction it is part of it: it goes back when it, or
   * the savepoint, is rolled back. Returns a promise when something of the transaction waits, as `tx.insert` does. Throws
   * 42704, 22023, 55P02, 42602, 0A000.
   */
  set(
    name: string,
    value: SettingInput | undefined,
    { local = false }: SetOptions = {},
  ): void | Promise<void> {
    this.#refuseClosed()
    if (this.#queue.isOpen) return this.#queue.write(() => this.#settings.set(name, value, local))
    if (!local) return this.#settings.set(name, value, false)
    this.#settings.check(name, value)
    this.#events.onNotice(new PgError('25P01', 'SET LOCAL can only be used in transaction blocks'))
  }

  /** Goes back to the value from when the session began, as RESET. */
  reset(name: string): void | Promise<void> {
    return this.set(name, undefined)
  }

  /** As RESET ALL. */
  resetAll(): void | Promise<void> {
    this.#refuseClosed()
    if (this.#queue.isOpen) return this.#queue.write(() => this.#settings.resetAll())
    this.#settings.resetAll()
  }

  /** The value of a setting, as SHOW tells it: '4MB'. Throws 42704. */
  show(name: string): string {
    this.#refuseClosed()
    return this.#settings.show(name)
  }

  /** Every setting, as pg_settings shows it. */
  settings(): SettingInfo[] {
    this.#refuseClosed()
    return this.#settings.rows()
  }

  /** For the cluster: settings may have new values. */
  settingsChanged(): void {
    if (this.#closed !== undefined) return
    this.#queue.changeDefaults(transactionDefaults(this.#settings))
    this.#limitMemory()
    this.#timeIo()
  }

  #limitMemory(): void {
    const { tablespace } = this.#database.catalogs.database
    this.#native.setMemoryLimits(memoryLimits(this.#settings, tablespace))
  }

  #timeIo(): void {
    const isOn = (name: 'track_io_timing' | 'track_wal_io_timing') =>
      this.#settings.get(name) === 'on'
    this.#native.setIoTimings(isOn('track_io_timing'), isOn('track_wal_io_timing'))
  }

  /** The memory contexts of this session, as pg_backend_memory_contexts shows those of a backend; the first is its own. */
  memoryContexts(): MemoryContextInfo[] {
    this.#refuseClosed()
    return memoryContextRows(this.#memory)
  }

  /** For the cluster: catalogs may have new files. */
  forgetRelations(): void {
    this.#commands.forget()
  }

  /**
   * What is notified on a channel from now on, in this database and by any process, in the order of commits. As long as
   * somebody waits for the next, the process does not end. Throws 22023, 53400 when there are too many listeners.
   */
  listen(channel: string, { signal }: ListenOptions = {}): NotificationStream {
    this.#refuseClosed()
    return new NotificationStream(this.#native, channel, signal)
  }

  /** As Transaction.notify, in a transaction of its own. */
  async notify(channel: string, payload = ''): Promise<void> {
    await this.transaction((tx) => tx.notify(channel, payload))
  }

  /** Rolls an open transaction back when it ends, waits for commits that were asked for, gives the backend back. */
  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // One command in a transaction of its own.
  #define<T>(command: (commands: Commands) => T | Promise<T>): Promise<T> {
    this.#refuseClosed()
    return this.#queue.run(() => this.#queue.timed(() => command(this.#commands)))
  }

  // As a statement of the open transaction, or in one of its own.
  async #lockCommand<T>(
    action: () => T | Promise<T>,
    options: Pick<TransactionOptions, 'lockTimeout' | 'signal'> = {},
  ): Promise<T> {
    this.#refuseClosed()
    return this.#queue.run((scope) => scope.write(action), options)
  }

  async #end(): Promise<void> {
    await this.#queue.idle()
    await this.#dropTemporary()
    this.#leave()
  }

  // What cannot be dropped now, of a cluster that has crashed or because of what depends on it, the next session of that
  // number drops.
  async #dropTemporary(): Promise<void> {
    if (temporaryClaimOf(this.#native).schema === undefined) return
    try {
      await this.#queue.run(() => this.#commands.run('', dropTemporaryRelations), {
        readOnly: false,
        isolation: 'read committed',
      })
    } catch (error) {
      if (!(error instanceof PgError)) throw error
    }
  }

  // The transaction that took too long was rolled back.
  #terminate(reason: PgError): void {
    this.#terminated = reason
    this.#closed = Promise.resolve()
    if (temporaryClaimOf(this.#native).schema !== undefined) {
      try {
        const drop = () => this.#commands.run('', dropTemporaryRelations)
        this.#queue.runSync(drop, { readOnly: false, isolation: 'read committed' })
      } catch (error) {
        if (!(error instanceof PgError)) throw error
      }
    }
    this.#leave()
  }

  #leave(): void {
    closeSessionMemory(this.#native)
    this.#native.close()
    this.#events.onClose()
  }

  #refuseClosed(): void {
    if (this.#closed === undefined) return
    const because = this.#terminated && { detail: `It was ended: ${this.#terminated.message}.` }
    throw new PgError('08003', 'the session is closed', because)
  }
}
