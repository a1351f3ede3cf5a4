// What the package exports.
export { version } from './binding/addon.ts'
export { Cluster, type ConnectOptions, type OpenOptions } from './cluster/cluster.ts'
export type { InitOptions } from './cluster/init.ts'
export type { SettingsInput } from './config/settings.ts'
export { PgError, type PgErrorFields } from './errors/pg-error.ts'
export type { Session, Transaction } from './session/session.ts'
export type {
  AggregateRequest,
  AggregateResult,
  InsertManyOptions,
  Key,
  RangeOptions,
  ScanOptions,
  Table,
} from './session/table.ts'
export type { Where } from './session/where.ts'
export type { TransactionOptions } from './transaction/transaction-queue.ts'
export { PgTimestamp } from './types/index.ts'
