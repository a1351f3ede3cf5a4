// peer: what a database must offer to be compared. A method that is missing is a workload that it cannot do.
//
// Methods take whole batches, so that a peer whose calls return at once never waits for a promise, and they answer
// with what the caller checks: a count or a sum over rows that were fully decoded.
import type { Account } from './accounts.ts'

type Answer = number | Promise<number>

/** What a commit has outlived when it is told: classes are compared with their own kind only. */
export type Durability = 'power failure' | 'process crash'

export interface Transfer {
  from: number
  to: number
  amount: number
}

export interface OpenOptions {
  durability: Durability
  cacheBytes: number
  /** All memory that it may use, where that can be set; the process is limited anyway. */
  memoryBytes?: number
  /** Keeps all changes in the log, so that a crash leaves them there. */
  neverCheckpoint?: boolean
  /** How the data file is read and written, where that can be chosen. */
  io?: 'buffered' | 'direct'
  /** What another process's database answered as `shared`: this one joins it. */
  join?: string
}

export interface Database {
  /** Makes an empty table of accounts. */
  create(): void | Promise<void>
  /** All rows in one go; durable when it returns. */
  load(rows: readonly Account[]): void | Promise<void>
  /** Sum of the balances of these accounts, looked up one by one. */
  lookups(keys: readonly number[]): Answer
  /** The same, `size` keys at a time, in the best form that the peer has. */
  lookupsMany?(keys: readonly number[], size: number): Answer
  /** Sum of the ids of the `size` rows from each start. */
  ranges?(starts: readonly number[], size: number): Answer
  /** Sum of the balances of all rows, each an object that is dropped. */
  stream?(): Answer
  /** The same, after all rows were kept in a list. */
  keep?(): Answer
  count?(): Answer
  sum?(): Answer
  /** Inserts each row in a transaction of its own, one after the other, by the fastest way to wait. */
  commits?(rows: readonly Account[]): void | Promise<void>
  /** The same, with the form that leaves the event loop free. */
  commitsAwaited?(rows: readonly Account[]): Promise<void>
  /** Inserts each row in a transaction of its own, so many of them begun before the first has ended. */
  commitsInFlight?(rows: readonly Account[], inFlight: number): Promise<void>
  /** Inserts so many rows in one transaction, as an application would that collects requests. */
  commitsCollected?(rows: readonly Account[], together: number): void | Promise<void>
  /** Gives each of these accounts the balance, row by row, so many in one transaction. */
  updates?(keys: readonly number[], balance: number, together: number): void | Promise<void>
  /** The same with one statement for a whole transaction. */
  updatesBySet?(keys: readonly number[], balance: number, together: number): Promise<void>
  /** Each moves an amount from one account to another in a transaction of its own, and notes it in a history. */
  transfers?(transfers: readonly Transfer[], inFlight: number): void | Promise<void>
  /** Loads beside what else is going on. */
  loadBeside?(rows: readonly Account[]): Promise<unknown>
  /** Bytes of the log that a crash now would leave to be read. */
  logBytes?(): number
  checkpoint?(): Promise<void>
  vacuum?(): Promise<void>
  /** Ends its processes at once, where killing this one would not do. */
  crash?(): Promise<void>
  /** For `join` of another process. */
  readonly shared?: string
  /** Ids of processes that work for the database beside this one. */
  helpers?(): number[]
  close(): void | Promise<void>
}

export interface Peer {
  name: string
  version(): string
  /** Settings, and what has outlived a commit: one text per class that it offers. */
  durability: Partial<Record<Durability, string>>
  /** Why some workloads are missing, by the name of the method. */
  cannot?: Partial<Record<keyof Database | 'two processes' | 'direct', string>>
  open(directory: string, options: OpenOptions): Database | Promise<Database>
}
