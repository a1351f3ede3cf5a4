// What the package exports.
export { version } from './binding/addon.ts'
export type { ComparedPages } from './binding/native.ts'
export type { ActivityInfo } from './cluster/activity-info.ts'
export {
  Cluster,
  type ConnectOptions,
  type OpenOptions,
  type PreparedTransaction,
  type RecoveryProgress,
} from './cluster/cluster.ts'
export type { InitOptions } from './cluster/init.ts'
export type { LockInfo } from './cluster/lock-info.ts'
export type { SettingsOwner, StoredSettingsInput } from './command/alter-settings.ts'
export type { AnalyzeOptions, AnalyzeProgress, AnalyzeReport } from './command/analyze.ts'
export type { CreateDatabaseOptions } from './command/create-database.ts'
export type { CreateIndexOptions, IndexColumn } from './command/create-index.ts'
export type { CreateSchemaOptions } from './command/create-schema.ts'
export type { CreateTableOptions, NamedColumn } from './command/create-table.ts'
export type { DropOptions } from './command/drop-object.ts'
export type { ReindexOptions, ReindexTarget } from './command/reindex.ts'
export type { ClusterOptions } from './command/rewrite-table.ts'
export type { VacuumOptions, VacuumProgress, VacuumReport } from './command/vacuum.ts'
export type { SettingInfo, SettingSource } from './config/cluster-settings.ts'
export type { SettingsInput } from './config/settings.ts'
export { PgError, type PgErrorFields } from './errors/pg-error.ts'
export type {
  Assignments,
  DeleteRequest,
  InsertRequest,
  OnConflict,
  Returning,
  UpdateRequest,
} from './executor/change.ts'
export type { ExplainNode, ExplainOptions, Explanation } from './executor/explain.ts'
export type {
  AggregateCall,
  Comparison,
  Conditions,
  Expression,
  FrameBound,
  Join,
  Operand,
  OrderBy,
  OutputColumn,
  Query,
  QueryOptions,
  Select,
  SetOperation,
  WindowCall,
  WindowFrame,
} from './executor/query.ts'
export type { QueryCursor } from './executor/query-cursor.ts'
export type { MemoryContextInfo } from './memory/context-rows.ts'
export type { LogRecord, LogSeverity } from './process/log-record.ts'
export type { ListenOptions, Notification, NotificationStream } from './session/notifications.ts'
export type { QueryResult } from './session/query-result.ts'
export type { Session, SetOptions } from './session/session.ts'
export type {
  ClusterStatistics,
  DatabaseStatistics,
  IndexStatistics,
  IoStatistics,
  SlruName,
  SlruStatistics,
  TableStatistics,
} from './session/statistics-views.ts'
export type {
  AggregateRequest,
  AggregateResult,
  Key,
  LockOptions,
  ManyOptions,
  RangeOptions,
  ScanOptions,
  Table,
} from './session/table.ts'
export type { Transaction } from './session/transaction.ts'
export type { Where } from './session/where.ts'
export type { AdvisoryKey, AdvisoryLockOptions } from './transaction/advisory-lock.ts'
export type { LockLevel } from './transaction/relation-lock.ts'
export type {
  SavepointOptions,
  SynchronousCommit,
  TransactionOptions,
} from './transaction/transaction-queue.ts'
export { PgTimestamp } from './types/index.ts'
