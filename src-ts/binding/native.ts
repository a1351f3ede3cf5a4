// The shape of the native addon: what crosses between TypeScript and C++, call by call.
//
// Rows cross in batches: buffers that JavaScript owns and whose layout the native side dictates (RowLayout). Everything else is a
// number, a string or a short descriptor. Native calls throw PgError; those that may wait for the disk or
// for another transaction return a promise.

import type { PgError } from '../errors/pg-error.ts'

/** A file number in a database in a tablespace (PostgreSQL's RelFileLocator). */
export interface Locator {
  spcOid: number
  dbOid: number
  relNumber: number
}

export interface NativeClusterOptions {
  /** Absolute path. */
  dataDirectory: string
  /** Never write: no lock, no recovery, no hint bits; what the commit log says is committed is visible. */
  readOnly: boolean
  /** shared_buffers, in blocks. */
  sharedBuffers: number
  /** wal_buffers, in pages. */
  walBuffers: number
  ioMode: 'buffered' | 'direct'
  walSyncMethod: 'adaptive' | 'fdatasync' | 'fsync' | 'open_datasync' | 'open_datasync_direct'
  fsync: boolean
  /** recovery_init_sync_method is 'syncfs'. */
  recoverySyncsFileSystems: boolean
  fullPageWrites: boolean
  /** Resource managers whose records carry images to compare with, as in the setting. */
  walConsistencyChecking: string
  maxBackends: number
  maxPreparedTransactions: number
  /** Milliseconds. */
  walWriterDelay: number
  /** Bytes. */
  walWriterFlushAfter: number
  trackCounts: boolean
  trackIoTiming: boolean
  trackWalIoTiming: boolean
  maxLocksPerTransaction: number
  /** Bytes. */
  minWalSize: number
  maxWalSize: number
  /** Seconds. */
  checkpointTimeout: number
  checkpointCompletionTarget: number
  /** Milliseconds. */
  bgwriterDelay: number
  bgwriterLruMaxpages: number
  bgwriterLruMultiplier: number
  /** Complete segments are marked for an archiver, and kept until they are archived. */
  archiving: boolean
  /** Seconds; 0: never. */
  archiveTimeout: number
  /** Settings of PostgreSQL. */
  maxPredLocksPerTransaction: number
  maxPredLocksPerRelation: number
  maxPredLocksPerPage: number
  walLevel: 'minimal' | 'replica'
  walLogHints: boolean
  trackCommitTimestamp: boolean
  maxWorkerProcesses: number
  maxWalSenders: number
  /** In memory that other processes can attach to. */
  shared: boolean
  /** For the server log. */
  logCheckpoints: boolean
  logLockWaits: boolean
  /** Where messages for it go; none: nobody wants them. */
  log?: NativeLogQueue
  /** What stands before the file system, in tests. */
  disk?: NativeDisk
}

export type OperationKind =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'allocate'
  | 'make_directory'
  | 'remove_file'
  | 'remove_directory'
  | 'rename'
  | 'link_symbolic'
  | 'sync_directory'
  | 'sync_file_system'
  | 'look_up'

/** Operations of these kinds meet the fault; see native/file/fault_plan.h. */
export interface FaultRule {
  fault: 'io_error' | 'no_space' | 'short_write' | 'delay' | 'power_failure' | 'broken_invariant'
  kinds: OperationKind[]
  /** Only paths that contain this. */
  path?: string
  /** Operations that go well first. Default 0. */
  skip?: number
  /** Operations that meet the fault. Default 1; Infinity: all. */
  times?: number
  /** Of each of them. Default 1. */
  probability?: number
  seed?: number
  delayMs?: number
}

/** A file system that fails operations on demand and keeps a journal; see native/file/watched_file_system.h. */
export interface NativeDisk {
  fail(rule: FaultRule): void
  clearFaults(): void
  /** Operations so far, and how many of them met a fault. */
  step(): number
  faultsMet(): number
  /** Records in the journal so far. */
  journalRecords(): number
  flushJournal(): void
}

export interface NativeInitOptions extends NativeClusterOptions {
  blockSize: number
  walSegmentSize: number
  dataChecksums: boolean
  systemIdentifier: bigint
  /** Counters of the new cluster's first checkpoint. */
  nextXid: number
  nextOid: number
  /** The database of the oldest xid and multixact: template1. */
  oldestXidDatabase: number
}

export interface AttributeDescriptor {
  name: string
  typeOid: number
  /** pg_type.typelem of an array, else 0. */
  elementType: number
  /** attlen: bytes, -1 varlena, -2 C string. */
  length: number
  byValue: boolean
  align: 'c' | 's' | 'i' | 'd'
  storage: 'p' | 'e' | 'm' | 'x'
  compression: '' | 'p' | 'l'
  notNull: boolean
  dropped: boolean
  typmod: number
  collation: number
  /** How the column crosses: a byte width for fixed-width columns, else text or raw bytes. */
  lane: 1 | 2 | 4 | 8 | 'text' | 'bytes'
  /** attmissingval as datum bytes in the lane's form, for rows older than the column. */
  missing?: Uint8Array
}

export interface IndexColumnDescriptor {
  /** The heap column, numbered from 1. */
  attribute: number
  /** pg_opclass.opcfamily and opcintype of the column's operator class select the comparison. */
  family: number
  operandType: number
  /** pg_type.typelem of an array column, else 0. */
  elementType: number
  collation: number
  descending: boolean
  nullsFirst: boolean
}

export interface IndexDescriptor {
  oid: number
  name: string
  locator: Locator
  unique: boolean
  nullsNotDistinct: boolean
  /** Key columns first, then INCLUDE columns. */
  keyCount: number
  columns: IndexColumnDescriptor[]
  /** Whether it may be written and read; false: maintenance raises 0A000 (expression, partial, not btree …). */
  usable: boolean
  /** Percent of a leaf page that a build fills. */
  fillfactor: number
}

/** pg_class.relpersistence: permanent, unlogged, temporary. */
export type Persistence = 'p' | 'u' | 't'

export interface RelationDescriptor {
  oid: number
  schema: string
  name: string
  locator: Locator
  persistence: Persistence
  attributes: AttributeDescriptor[]
  indexes: IndexDescriptor[]
  /** The database's default collation orders by bytes (C, POSIX or a builtin locale). */
  bytewiseDefaultCollation: boolean
  toast?: { oid: number; locator: Locator; indexOid: number; indexLocator: Locator }
  fillfactor: number
}

/** Where things are in a row batch: byte offsets into the buffer, for `capacity` rows. */
export interface RowLayout {
  /** Rows the fixed part has room for. */
  capacity: number
  /** Per column: offset of its null bytes (one a row, 1 = null). */
  nulls: number[]
  /** Per column: offset of its values: `lane` bytes a row; text: uint32 end offsets; bytes: uint32 offset and length pairs. */
  values: number[]
  /** Offset of the row addresses (uint32 block, uint32 offset number a row), or 0. */
  tids: number
  /** Where the variable part starts. */
  heap: number
}

/**
 * The first 64 bytes of a batch, as 32-bit words.
 *
 *   word  meaning
 *      0  rows in the batch
 *      1  bytes of text at the start of the variable part
 *      2  bytes of the `bytes` lanes at the end of the buffer
 *      3  1: all text is ASCII, so that byte offsets are character offsets
 *      4  1: the scan has ended
 *      5  bytes the buffer needs, when one row alone did not fit (rows is 0)
 */
export const batchHeader = {
  rows: 0,
  textBytes: 1,
  byteBytes: 2,
  ascii: 3,
  ended: 4,
  needed: 5,
} as const
export const batchHeaderBytes = 64

/** `column op constant`; constants travel as row 0 of a batch of `plan`, in the order of the filters. */
export interface NativeFilter {
  /** The heap column, numbered from 1. */
  attribute: number
  operator: '=' | '<>' | '<' | '<=' | '>' | '>=' | 'is null' | 'is not null'
}

export interface NativeAggregate {
  kind: 'count' | 'sum' | 'min' | 'max' | 'avg'
  /** 0 for count(*). */
  attribute: number
}

/** See NativeSession.prepareRange. */
export type NativePreparedRange = (
  lowerCount: number,
  upperCount: number,
  flags: number,
  rowsMax: number,
) => number | NativeScan

export const rangeFlags = { backward: 1, lowerInclusive: 2, upperInclusive: 4 } as const

export interface NativeScan {
  /** Fills the batch, with at most `rowsMax` rows; see batchHeader. Throws what a bad page says. */
  next(batch: Uint8Array, rowsMax?: number): number
  close(): void
}

/** What native code must know of the type of a column or expression of a query. */
export interface NativeType {
  oid: number
  length: number
  byValue: boolean
  collation: number
  elementType: number
}

export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>='
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%'

/** An expression; `C` says which column is meant. Constants are datum bytes, a varlena's without its header. */
export type ExpressionOver<C> =
  | ({ kind: 'column'; type: NativeType } & C)
  | { kind: 'constant'; type: NativeType; value: Uint8Array | null }
  | {
      kind: 'comparison'
      operator: ComparisonOperator
      left: ExpressionOver<C>
      right: ExpressionOver<C>
    }
  | {
      kind: 'arithmetic'
      operator: ArithmeticOperator
      left: ExpressionOver<C>
      right: ExpressionOver<C>
    }
  | { kind: 'in'; operand: ExpressionOver<C>; list: Uint8Array[]; hasNull: boolean }
  | { kind: 'like'; left: ExpressionOver<C>; right: ExpressionOver<C> }
  | { kind: 'and' | 'or'; operands: ExpressionOver<C>[] }
  | { kind: 'not' | 'is null'; operand: ExpressionOver<C> }
  | { kind: 'cast'; operand: ExpressionOver<C>; type: NativeType }
  /** In a document, from outside to inside; as one of the operand's type, as text, or as numeric. */
  | { kind: 'json'; operand: ExpressionOver<C>; steps: JsonStep[]; type: NativeType }

/** A key, or a place, which counts from the end if it is negative. */
export type JsonStep = string | number

/** Of the columns of the operator below, or of a scan's. */
export type NativeExpression = ExpressionOver<{ index: number }>

export type AggregateFunctionName = 'count(*)' | 'count' | 'sum' | 'avg' | 'min' | 'max'

export interface NativeAggregateCall {
  function: AggregateFunctionName
  /** Null for count(*). */
  argument: NativeExpression | null
  /** Of the result. */
  type: NativeType
}

export interface NativeSortKey {
  index: number
  descending: boolean
  nullsFirst: boolean
}

export type NativeIndexOperator = Exclude<ComparisonOperator, '<>'> | 'is null' | 'is not null'

/** What an index tests of a key column, numbered from 0. */
export interface NativeIndexKey {
  column: number
  operator: NativeIndexOperator
  /** Of the column's type; not for the tests for null. */
  value?: NativeExpression
  /** In place of `value`, of one key at most: different values, of which one is to be equal. */
  list?: Uint8Array[]
  /** Of the list's values. */
  type?: NativeType
  /** EXPLAIN tells of which type constants were: the query compares with each value of the list by itself. */
  isJunction?: boolean
}

/** Of which rows a window function has the same result: of one, of peers, of a partition; it is of all rows up to their end. */
export type NativeWindowUnit = 'row' | 'peers' | 'partition'

export interface NativeFrameBound {
  kind: 'unbounded' | 'current row' | 'preceding' | 'following'
  /** Rows, or groups of peers. */
  count?: number
  /** In a range: how far, a value of that type. */
  type?: NativeType
  distance?: Uint8Array
  /** How far, as EXPLAIN has it. */
  text?: string
}

/** Which rows of its partition a window function is of. */
export interface NativeWindowFrame {
  mode: 'rows' | 'range' | 'groups'
  start: NativeFrameBound
  end: NativeFrameBound
  exclusion: 'none' | 'current row' | 'group' | 'ties'
  /** Whether SQL says where it ends. */
  isBetween: boolean
}

export type NativeWindowFunction =
  | AggregateFunctionName
  | 'row_number'
  | 'rank'
  | 'dense_rank'
  | 'percent_rank'
  | 'cume_dist'
  | 'ntile'
  | 'lag'
  | 'lead'
  | 'nth_value'
  | 'last_value'

export interface NativeWindowCall {
  function: NativeWindowFunction
  /** A column; null where it is of rows. */
  argument: number | null
  /** Of nth_value: which row's; of ntile: how many parts; of lag and lead: how many rows away. */
  number?: number
  /** Of lag and lead: a column, for a row that there is not. */
  fallback?: number
  type: NativeType
}

/** An operator of a plan. `relation`: of the plan's; attributes are numbered from 1. */
export type NativePlanNode =
  | { node: 'one row' }
  | {
      node: 'seq scan'
      relation: number
      attributes: number[]
      conditions: NativeExpression[]
    }
  | {
      node: 'index scan'
      relation: number
      /** Of the relation's indexes. */
      index: number
      backward: boolean
      keys: NativeIndexKey[]
      attributes: number[]
      conditions: NativeExpression[]
      /** Of an index-only scan: which columns of the index (from 0) the attributes are. */
      entryColumns?: number[]
    }
  | {
      node: 'bitmap scan'
      relation: number
      attributes: number[]
      bitmap: NativeBitmap
      /** What its indexes have tested. */
      recheck: NativeExpression[]
      conditions: NativeExpression[]
    }
  | { node: 'filter'; child: NativePlanNode; columns: number; conditions: NativeExpression[] }
  | {
      node: 'merge join'
      type: 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti'
      /** Both come in the keys' ascending order. */
      left: NativePlanNode
      right: NativePlanNode
      leftColumns: NativeType[]
      rightColumns: NativeType[]
      keys: { left: NativeExpression; right: NativeExpression }[]
      /** On the left columns, then the right ones. */
      filter: NativeExpression[]
      /** PostgreSQL would keep the right rows as they come; here those of one key are kept in any case. */
      isMaterialized: boolean
    }
  | {
      node: 'hash join'
      type: 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti'
      left: NativePlanNode
      right: NativePlanNode
      /** Of which types the columns of the batches on both sides are. */
      leftColumns: NativeType[]
      rightColumns: NativeType[]
      keys: { left: NativeExpression; right: NativeExpression }[]
      /** What must be true besides, on the left columns, then the right ones. */
      filter: NativeExpression[]
    }
  | {
      node: 'nested loop'
      type: 'inner' | 'left' | 'semi' | 'anti'
      left: NativePlanNode
      /** An index scan, whose keys' values may be of the left columns, or what can be read again: a scan, or kept rows. */
      right: NativePlanNode
      leftColumns: NativeType[]
      rightColumns: NativeType[]
      /** On the left columns, then the right ones. */
      filter: NativeExpression[]
      /** The left columns that it reads. */
      testedColumns: number[]
      /** Of the partners of a left row, one is enough or all that there are. */
      takesFirst: boolean
      /** The index is searched for each left row, and the filter is what else its rows are tested for. */
      isSearched: boolean
    }
  /** Rows that are kept, to be read again. */
  | { node: 'materialize'; child: NativePlanNode; columns: NativeType[] }
  | {
      node: 'aggregate'
      /** Sorted: rows come in the order of the keys, of which there are some; unique: the same, of a result's columns. */
      strategy: 'hashed' | 'sorted' | 'unique'
      child: NativePlanNode
      keys: NativeExpression[]
      calls: NativeAggregateCall[]
    }
  | {
      node: 'sort'
      child: NativePlanNode
      /** Of the child's batches. */
      columns: NativeType[]
      keys: NativeSortKey[]
      /** Only so many of the first rows are asked for. */
      limit?: number
    }
  | {
      node: 'window'
      child: NativePlanNode
      /** Of the child's batches. */
      columns: NativeType[]
      /** Numbers of columns. */
      partition: number[]
      order: NativeSortKey[]
      /** Where that is all that has to be known of the frame. */
      unit?: NativeWindowUnit
      frame: NativeWindowFrame
      calls: NativeWindowCall[]
    }
  | { node: 'append'; children: NativePlanNode[] }
  /** One row: of each child, which has one column and no more than one row, the value; or null. */
  | { node: 'first values'; children: NativePlanNode[]; columns: NativeType[] }
  | {
      node: 'set op'
      command: 'intersect' | 'intersect all' | 'except' | 'except all'
      left: NativePlanNode
      right: NativePlanNode
      /** Of the batches on both sides. */
      columns: NativeType[]
    }
  | { node: 'project'; child: NativePlanNode; expressions: NativeExpression[] }
  | { node: 'limit'; child: NativePlanNode; limit?: number; offset: number }

/** Addresses of rows: those that an index leads to, or that others have all or any of. */
export type NativeBitmap =
  | Extract<NativePlanNode, { node: 'index scan' }>
  | { node: 'bitmap and' | 'bitmap or'; children: NativeBitmap[] }

/** What an operator of a plan did. */
export interface NativeOperatorReport {
  rows: number
  /** By its conditions. */
  rowsRemoved: number
  loops: number
  /** Until the first row, and in all; with what is below. */
  startupMs: number
  totalMs: number
  /** Of the memory that is limited. */
  peakBytes: number
  diskBytes: number
  batches: number
  indexSearches: number
  /** Rows that an index-only scan had to look at. */
  heapFetches: number
  /** Blocks of a bitmap, and what was tested again of the latter. */
  exactBlocks: number
  lossyBlocks: number
  rowsRecheckedAway: number
  /** Of an insertion: rows that met another one's key. */
  conflicts: number
  /** Blocks, with what is below; what was read ahead counts as read, and is no hit when its turn comes. */
  sharedHit: number
  sharedRead: number
  sharedDirtied: number
  sharedWritten: number
  localHit: number
  localRead: number
  localDirtied: number
  localWritten: number
  tempReadBytes: number
  tempWrittenBytes: number
  walRecords: number
  walImages: number
  walBytes: number
  /** With `track_io_timing`. */
  readMs: number
  writeMs: number
  sortMethod?: string
}

export interface NativePlan {
  relations: NativeRelation[]
  root: NativePlanNode
  columns: (NativeType & { lane: AttributeDescriptor['lane'] })[]
  /** Rows of a batch. */
  capacity: number
  bytewiseDefaultCollation: boolean
}

/** What RETURNING gives of each row that a statement changed: of these attributes of it, these expressions. */
export interface NativeReturning {
  attributes: number[]
  expressions: NativeExpression[]
}

/** The new values of columns, on the batches of the rows to change. */
export interface NativeAssignments {
  /** Attribute numbers. */
  set: number[]
  expressions: NativeExpression[]
  /** To the column's type, or within its modifier, where that has to be done. */
  casts: ((NativeType & { typmod: number }) | null)[]
}

/** The rows that a statement changes: what the child's batches have of them, -1 (the address) first. */
export interface NativeFoundRows {
  child: NativePlanNode
  attributes: number[]
  /** All that a row must meet, on these attributes; for its newest version. */
  conditions: NativeExpression[]
}

/** ON CONFLICT; the columns of its batches are those of the row that is there, then those of the row to be inserted. */
export interface NativeOnConflict extends NativeAssignments {
  /** Numbers of unique indexes. */
  arbiters: number[]
  /** DO UPDATE, rather than DO NOTHING. */
  updates: boolean
  /** Attributes. */
  existing: number[]
  excluded: number[]
  conditions: NativeExpression[]
}

export type NativeChangeNode =
  | { node: 'insert'; onConflict: NativeOnConflict | null }
  | ({ node: 'update' } & NativeFoundRows & NativeAssignments)
  | ({ node: 'delete' } & NativeFoundRows)

/** A statement that changes rows. The child's relation is number 0. */
export type NativeChange = NativeChangeNode & {
  relation: NativeRelation
  returning: NativeReturning | null
  /** Of what it gives. */
  columns: NativePlan['columns']
  capacity: number
  bytewiseDefaultCollation: boolean
}

/** Of which `next` is not called. */
export interface NativeChangeScan {
  close(): void
}

export interface NativeRelation {
  /** A layout for these columns (numbered from 1), for reading or staging. The id is given to the calls below. */
  layout(attributes: number[], capacity: number, withTids: boolean): { id: number } & RowLayout
  /** From now on transactions read the newest committed rows of it, and their own, whatever their snapshot. */
  readNewest(): void
}

export interface NativeRange {
  /** 0 for the first index of the descriptor. */
  index: number
  backward: boolean
  /** Number of leading key columns bounded from below and above; constants in two staging rows of `boundsLayout`: row 0 lower, row 1 upper. */
  lowerCount: number
  lowerInclusive: boolean
  upperCount: number
  upperInclusive: boolean
}

/** What to do when another transaction is in the way; `refuse`: the caller cannot wait. */
/** When a commit is: 0 when it is durable, 1 by a promise, 2 at once. */
export type Acknowledged = 0 | 1 | 2
export type InsertedAlone = boolean | null | Promise<void> | [Promise<number>]
export type NativeWait = 'wait' | 'nowait' | 'skip locked' | 'refuse'
export type RowLock = 'for update' | 'for no key update' | 'for share' | 'for key share'
export type RowResult =
  | 'ok'
  | 'invisible'
  | 'self_modified'
  | 'updated'
  | 'deleted'
  | 'being_modified'

/** A lock that is held or awaited. The fields of the tag mean what pg_locks makes of them. */
export interface NativeLock {
  type: string
  field1: number
  field2: number
  field3: number
  field4: number
  /** Number of the session. */
  session: number
  /** Of the operating system; 0: a prepared transaction. */
  pid: number
  /** Number of the session's transaction; 0: none. */
  localTransaction: number
  /** Its xid; 0: none. */
  transaction: number
  mode: string
  granted: boolean
  fastPath: boolean
  /** Microseconds since 2000-01-01; null when it does not wait. */
  waitStart: bigint | null
}

export interface NativeNotification {
  channel: string
  payload: string
  pid: number
  /** Number of the session. */
  session: number
}

export interface NativeListener {
  /** What was notified next, a batch of it, at once or when there is something; empty once it was closed. */
  next(): NativeNotification[] | Promise<NativeNotification[]>
  close(): void
}

/** One session or worker. Times are microseconds since 2000-01-01. */
export interface NativeActivity {
  session: number | null
  pid: number
  backendType: string
  database: number
  applicationName: string
  state: 'active' | 'idle' | 'idle in transaction' | 'idle in transaction (aborted)' | null
  waitEventType: string | null
  waitEvent: string | null
  backendStart: bigint
  xactStart: bigint | null
  queryStart: bigint | null
  stateChange: bigint | null
  backendXid: number | null
  backendXmin: number | null
  operation: string
  /** What the operation works on; 0: nothing in particular. */
  relation: number
}

/** What the operations of a session may take. In bytes; -1: no limit, no file. */
export interface MemoryLimits {
  workMem: number
  hashMemMultiplier: number
  maintenanceWorkMem: number
  tempFileLimit: number
  /** Temporary files from this size on are told to the server log. */
  logTempFiles: number
  /** In which they are: the database's. */
  tablespace: number
}

export interface NativeSession {
  /**
   * Until as many calls of `endCommand`, the session's operations are parts of a command of this name; without one, of the
   * command around it.
   */
  beginCommand(name: string, relation: number): void
  endCommand(): void
  /** The open transaction is going to change catalogs: other processes are told when it commits. */
  willDefine(): void
  inTransaction(): boolean
  /** `deferrable` is for serializable read-only transactions. */
  begin(
    isolation: 'read committed' | 'repeatable read' | 'serializable',
    readOnly: boolean,
    deferrable: boolean,
  ): void
  /** Of a deferrable transaction: may it begin to read? If not, ask again when others have ended. Else true. */
  safeSnapshot(): boolean
  /** With `wait` durable when it returns, else within wal_writer_delay. */
  commit(wait: boolean): void
  /** Resolves when durable, without `wait` at once; the session can be used again at once. */
  commitAsync(wait: boolean): Promise<void>
  /**
   * PREPARE TRANSACTION; resolves when durable. `catalogs`: OIDs of those that were changed. Throws 22023, 42710, 53200,
   * 55000, and the transaction is still open then.
   */
  prepareAsync(gid: string, owner: number, catalogs: number[]): Promise<void>
  abort(): void
  /**
   * The innermost (sub)transaction failed: it is rolled back at once, so that nobody waits for it, and refuses everything
   * with 25P02 until it is ended by `abort` or `abortSubtransaction`.
   */
  fail(): void
  /** A subtransaction of the innermost open one; `readOnly` lasts until it ends. */
  beginSubtransaction(readOnly: boolean): void
  /** What the innermost subtransaction did becomes part of the one around it. */
  commitSubtransaction(): void
  /** Undoes the innermost subtransaction, and closes the scans that began in it. */
  abortSubtransaction(): void
  /** The id of the innermost open (sub)transaction, assigned if need be. */
  assignXid(): number
  /** The id of the whole transaction with its epoch, assigned if need be. */
  transactionId(): number
  advanceCommand(): void
  /** No transaction that runs has an xid, or sees one as running, that is older than this. */
  oldestXmin(): number

  /** Inserts the rows of a staging batch with all index entries. Returns their number. `frozen`: as COPY FREEZE. */
  insert(
    relation: NativeRelation,
    layout: number,
    batch: Uint8Array,
    frozen: boolean,
    wait: NativeWait,
  ): number | Promise<number>
  /**
   * Inserts the rows of a staging batch in a transaction of their own. `acknowledged`: 0 when the commit is durable, 1 by the
   * promise that is returned, 2 at once. False when it does nothing, since something of the session is under way; null
   * when it did nothing but begin a transaction, since others hold or have redefined the relation; a list of one promise when
   * the insert, which waits for another transaction, and the commit are left. Throws with the transaction rolled back.
   */
  insertAlone(
    relation: NativeRelation,
    layout: number,
    batch: Uint8Array,
    acknowledged: Acknowledged,
    mayWait: boolean,
  ): InsertedAlone
  /** The row addresses of the last `insert` of one batch: block, offset pairs. */
  insertedTids(): Uint32Array
  /**
   * Replaces columns of the row at `block`,`offset` with those of the batch's row 0. Returns ok or why not. A row that
   * others changed: under read committed its newest version counts, if it has the same key of index `keyIndex` (none if
   * negative); else 40001.
   */
  update(
    relation: NativeRelation,
    layout: number,
    batch: Uint8Array,
    block: number,
    offset: number,
    keyIndex: number,
    wait: NativeWait,
  ): RowResult | Promise<RowResult>
  /**
   * `update` of the rows that have the staged keys in a unique index, each as a statement of its own with the batch's row
   * of the same number. Returns how many there were; after an error `failedRow` is the one that met it.
   */
  updateByKey(
    relation: NativeRelation,
    index: number,
    keyLayout: number,
    keys: Uint8Array,
    layout: number,
    batch: Uint8Array,
    wait: NativeWait,
  ): number | Promise<number>
  delete(
    relation: NativeRelation,
    block: number,
    offset: number,
    keyIndex: number,
    wait: NativeWait,
  ): RowResult | Promise<RowResult>
  /** Locks the row; a newer version must also meet the filters. being_modified: it was skipped. */
  lockRow(
    relation: NativeRelation,
    block: number,
    offset: number,
    lock: RowLock,
    wait: NativeWait,
    keyIndex: number,
    filters: NativeFilter[],
    filterLayout: number,
    constants: Uint8Array | undefined,
  ): RowResult | Promise<RowResult>
  /** Block and offset of the row that `lockRow` locked last. */
  lockedTid(): Uint32Array
  /** Reads that row into the batch; 0 when it does not fit (see batchHeader.needed). */
  fetchRow(
    relation: NativeRelation,
    block: number,
    offset: number,
    layout: number,
    batch: Uint8Array,
  ): number
  /** Locks a relation of the session's database until the transaction ends; false when that needs waiting and it may not. */
  lockRelation(oid: number, level: number, wait: boolean): boolean | Promise<boolean>
  /**
   * Locks a relation until `unlockForSession`, beyond the ends of transactions; false when that needs waiting and it may
   * not.
   */
  lockForSession(oid: number, level: number, wait: boolean): boolean | Promise<boolean>
  unlockForSession(oid: number, level: number): void
  /**
   * Locks a database against being copied, dropped or connected to: until the end of the transaction, or of the session.
   * False when that needs waiting and it may not.
   */
  lockDatabase(
    oid: number,
    level: number,
    ofSession: boolean,
    wait: boolean,
  ): boolean | Promise<boolean>
  /**
   * Of an advisory key, whose halves are given with the number of parts that it has; false when `wait` is false and others
   * hold it.
   */
  advisoryLock(
    high: number,
    low: number,
    parts: 1 | 2,
    shared: boolean,
    ofSession: boolean,
    wait: boolean,
  ): boolean | Promise<boolean>
  /** Of the session; false when it does not hold it. */
  advisoryUnlock(high: number, low: number, parts: 1 | 2, shared: boolean): boolean
  advisoryUnlockAll(): void
  /**
   * Before a single read: 0 when nobody can redefine the relation before this turn of the event loop ends; 1 when nobody can
   * before `endRead`; 2 when something has been redefined, or is just being.
   */
  beginRead(oid: number): 0 | 1 | 2
  endRead(): void
  /**
   * Keeps other processes from redefining a relation: if it returns true, until `unlockForSession` at level 1. Throws 55P03
   * when one does so now.
   */
  lockForReading(oid: number): boolean
  /** When the transaction commits. Throws 22023, 22021. */
  notify(channel: string, payload: string): void
  /** From now on, and until it is closed or the session ends. Throws 22023, 53400. */
  listen(channel: string): NativeListener
  /** Ends the wait of the operation that waits with 57014; false when none does. */
  cancel(): boolean
  /** Ends the operation that waits, or if none does what the transaction is asked for next, with 57014. */
  timeOutStatement(): void
  /** The operation has ended: nothing else is to be timed out. */
  endStatement(): void
  /** How long ago the open transaction was last used; 0 while an operation waits. */
  idleMilliseconds(): number
  /** Milliseconds: how long an operation waits for a lock (0: without limit), and when a wait is looked at for a deadlock. */
  setLockTimeouts(lock: number, deadlock: number): void
  setMemoryLimits(limits: MemoryLimits): void
  /** track_io_timing and track_wal_io_timing of the session. Does nothing in one that is closed. */
  setIoTimings(relations: boolean, wal: boolean): void
  /** Of the session, from 1; others may have had it before. 0 when the cluster is read only. */
  number(): number

  /** As `update`, but overwrites the row for everybody and for good. For columns of fixed width of catalogs. */
  updateInPlace(
    relation: NativeRelation,
    layout: number,
    batch: Uint8Array,
    block: number,
    offset: number,
  ): 'ok' | 'invisible' | 'self_modified' | 'updated' | 'deleted' | 'being_modified'

  /**
   * Point reads through a unique index: for each row of `keys` the visible row, in the keys' order; absent ones are
   * left out and have a 0 in `hits`. Returns how many keys were answered: fewer than there are when the batch
   * filled up, 0 when the first row alone does not fit (see batchHeader.needed).
   */
  lookup(
    relation: NativeRelation,
    index: number,
    keyLayout: number,
    keys: Uint8Array,
    layout: number,
    batch: Uint8Array,
    hits: Uint8Array | undefined,
  ): number
  /**
   * A function that looks one key up, the one that is staged in `keys` when it is called: 1 when its row is in `batch`, 0
   * when there is none; -1 when the row does not fit (see batchHeader.needed); -2 when something was or is just being
   * redefined or is not locked yet, of which `beginRead` and `lookup` make the best. It keeps the buffers, and is of no use
   * once the relation is defined anew. Undefined where `lookup` must do.
   */
  prepareLookup(
    relation: NativeRelation,
    index: number,
    keyLayout: number,
    keys: Uint8Array,
    layout: number,
    batch: Uint8Array,
  ): (() => number) | undefined
  /**
   * As `prepareLookup`, a function for the rows between two keys that are staged in `keys`. Its arguments are how many
   * columns each of them has, the sum of `rangeFlags`, and how many rows are wanted at most. Returns their number when
   * `batch` has them all, or what goes on after those in the batch, or the negative numbers of `prepareLookup`.
   */
  prepareRange(
    relation: NativeRelation,
    index: number,
    keyLayout: number,
    keys: Uint8Array,
    layout: number,
    batch: Uint8Array,
  ): NativePreparedRange | undefined
  scan(
    relation: NativeRelation,
    layout: number,
    filters: NativeFilter[],
    filterLayout: number,
    constants: Uint8Array | undefined,
  ): NativeScan
  range(
    relation: NativeRelation,
    layout: number,
    range: NativeRange,
    boundsLayout: number,
    bounds: Uint8Array | undefined,
    filters: NativeFilter[],
    filterLayout: number,
    constants: Uint8Array | undefined,
  ): NativeScan
  aggregate(
    relation: NativeRelation,
    aggregates: NativeAggregate[],
    filters: NativeFilter[],
    filterLayout: number,
    constants: Uint8Array | undefined,
  ): (number | bigint | null)[]
  /**
   * Begins a query. `next` of its scan works for a few milliseconds: a batch without rows that has not ended and needs no
   * larger buffer means that it must be called again.
   */
  /**
   * `reports`: what the operators did, once the last row was given; nothing before. `memory`: bytes that they hold now.
   */
  query(plan: NativePlan): {
    scan: NativeScan
    layout: RowLayout
    reports: () => NativeOperatorReport[]
    memory: () => number
  }

  /**
   * Begins a statement that changes rows, in a transaction. `nextChanges` works on it as `next` of a query's scan does, or
   * waits for another transaction and resolves when it is to be called again, with the rows given before. An error ends it;
   * so does -1: ON CONFLICT DO UPDATE came to a row that the statement itself has written.
   */
  /** `reports`: what the operators did, once the statement has ended. */
  change(
    change: NativeChange,
    wait: NativeWait,
  ): { scan: NativeChangeScan; layout: RowLayout; reports: () => NativeOperatorReport[] }
  nextChanges(scan: NativeChangeScan, batch: Uint8Array): number | Promise<number>
  /** The next rows of one that inserts, once the batch has ended that the rows before led to. */
  supplyRows(
    scan: NativeChangeScan,
    relation: NativeRelation,
    layout: number,
    batch: Uint8Array,
  ): void
  /** Rows that it has changed. */
  rowsChanged(scan: NativeChangeScan): number
  /** The row that the last error of class 23 was about, as it would have been: 1; 0 when the batch is too small. */
  refusedRow(relation: NativeRelation, layout: number, batch: Uint8Array): number

  createStorage(locator: Locator, persistence: Persistence): void
  dropStorageAtCommit(locator: Locator, persistence: Persistence): void
  /** Before the first temporary relation is made: gives them so many buffers, unless they have some. Throws 53200. */
  beginTemporaryRelations(buffers: number): void
  /**
   * Empties a temporary table at once, and ends the scans of the transaction, which is to commit now. Whoever knows the
   * relation must make it anew: it remembers pages.
   */
  emptyTemporary(relation: NativeRelation): void
  /** As NativeCluster.vacuum and analyze, of a temporary table of the session's. */
  vacuumTemporary(relation: NativeRelation, ofToast: boolean): NativeVacuum
  analyzeTemporary(relation: NativeRelation): NativeAnalyze
  /** Blocks of the main fork of a temporary relation. */
  temporaryBlocks(locator: Locator): number
  /** As NativeCluster.indexHeight, of a temporary relation. */
  temporaryIndexHeight(relation: NativeRelation, index: number): number
  /**
   * Fills the relation's index of that number (-1: that of its TOAST table), whose storage is empty, with entries for all
   * row versions that somebody may see. The caller keeps others from writing. A step throws 23505; `insertedTids` is
   * then where the rows are.
   */
  rebuildIndex(relation: NativeRelation, index: number): NativeRebuild<IndexRebuildOutcome>
  /**
   * Copies the row versions of a table, or of its TOAST table, that somebody may see into the empty heap of `target`, which
   * has the same columns; in the order of the index of that number, if it is not negative. The caller keeps others away.
   */
  copyHeap(
    source: NativeRelation,
    target: NativeRelation,
    ofToast: boolean,
    order: number,
    bounds: VacuumBounds,
  ): NativeRebuild<HeapCopyOutcome>
  /** What the transaction has logged until now becomes durable. A crash then removes the files that it made. */
  logDurable(): Promise<void>
  /** Makes the relation's TOAST index, empty. */
  buildToastIndex(relation: NativeRelation): void
  /** The transaction removes all rows of a table at once (truncate, drop). Throws 40001. */
  removesAllRows(table: number): void
  /** For the statistics: the table was emptied. */
  countTruncated(relation: NativeRelation): void
  /** Statistics of a relation that is new go if it is rolled back, of one that is dropped at commit. */
  statisticsCreated(relation: number): void
  statisticsDropped(relation: number): void
  /** Rows of a table get other addresses (then both are its OID), or an index of it a new file. */
  transferPredicateLocks(relation: number, table: number): void
  /** Which row of the last `insert` failed, for the message. */
  failedRow(): number
  /** CREATE DATABASE's file copy: all files of a database directory, logged and synced. */
  copyDatabase(
    sourceDb: number,
    sourceSpc: number,
    targetDb: number,
    targetSpc: number,
  ): Promise<void>
  dropDatabaseFiles(db: number, spcs: number[]): Promise<void>
  createTablespace(oid: number, path: string): void
  dropTablespace(oid: number): void
  /**
   * Has the commit write a database's (or, with db 0, the shared) pg_filenode.map, as its last step before the record.
   * `map` is the file. Throws 25001 inside a savepoint; the transaction cannot be prepared.
   */
  replaceRelationMap(db: number, spc: number, map: Uint8Array): void
  close(): void
}

export interface HeapPageComplaint {
  /** Line pointer, from 1; 0: of the page. */
  offset: number
  /** Column, from 1; 0: of the tuple. */
  attribute: number
  message: string
}

export interface IndexReport {
  complaints: { block: number | null; message: string }[]
  complaintCount: number
  /** Heap rows that the index's leaves point to. */
  tids: number
}

export interface NativePreparedTransaction {
  transaction: number
  gid: string
  /** Microseconds since 2000-01-01. */
  preparedAt: bigint
  owner: number
  database: number
}

/** What pg_class says of a relation that is to be vacuumed. */
export interface VacuumBounds {
  relfrozenxid: number
  relminmxid: number
  relpages: number
  reltuples: number
}

/** Settings that are left out keep PostgreSQL's defaults. */
export interface NativeCostSettings {
  vacuum_cost_delay?: number
  vacuum_cost_limit?: number
  vacuum_cost_page_miss?: number
  vacuum_cost_page_dirty?: number
}

/** Settings of PostgreSQL's names keep its defaults when they are left out. */
export interface NativeVacuumSettings extends NativeCostSettings {
  /** Bytes for dead line pointers between two scans of the indexes. */
  maintenanceWorkMem: number
  disablePageSkipping: boolean
  truncate: boolean
  indexCleanup: 'auto' | 'on' | 'off'
  vacuum_freeze_min_age?: number
  vacuum_freeze_table_age?: number
  vacuum_multixact_freeze_min_age?: number
  vacuum_multixact_freeze_table_age?: number
  vacuum_failsafe_age?: number
  vacuum_multixact_failsafe_age?: number
  autovacuum_freeze_max_age?: number
  autovacuum_multixact_freeze_max_age?: number
  vacuum_max_eager_freeze_failure_rate?: number
}

export interface NativeIndexVacuumOutcome {
  /** Its pages and tuples were counted. */
  counted: boolean
  pages: number
  tuples: number
  tuplesRemoved: number
  pagesNewlyDeleted: number
  pagesDeleted: number
  pagesFree: number
}

export interface NativeVacuumOutcome {
  aggressive: boolean
  failsafe: boolean
  truncatable: boolean
  indexScans: number
  relPages: number
  scannedPages: number
  /** Blocks from here on are empty. */
  nonemptyPages: number
  liveTuples: number
  tuplesDeleted: number
  tuplesFrozen: number
  recentlyDeadTuples: number
  missedDeadTuples: number
  deadItems: number
  allVisiblePages: number
  allFrozenPages: number
  /** The new bounds; 0 when pages were left out that may hold older ids. */
  relfrozenxid: number
  relminmxid: number
  indexes: NativeIndexVacuumOutcome[]
}

/** Work inside the session's transaction, done a few milliseconds at a time. */
export interface NativeRebuild<T> {
  /** Null while there is more to do. After an error the transaction can only be rolled back. */
  step(): T | null
}

export interface IndexRebuildOutcome {
  pages: number
  tuples: number
  /** Rows of the table that new snapshots see. */
  liveRows: number
  /** Snapshots from before must not use the index. */
  hasBrokenChains: boolean
}

export interface HeapCopyOutcome {
  pages: number
  liveRows: number
  recentlyDead: number
  /** Row versions that were left out, and those that have no transaction id any more. */
  dead: number
  frozen: number
  relfrozenxid: number
  relminmxid: number
}

/** One vacuum of a table or of its TOAST table. */
export interface NativeVacuum {
  run(
    bounds: VacuumBounds,
    settings: NativeVacuumSettings,
    trackIoTiming: boolean,
    trackWalIoTiming: boolean,
  ): Promise<NativeVacuumOutcome>
  /** How many pages hold anything, looked at without a lock: a guess. */
  countNonempty(relPages: number, nonemptyPages: number): Promise<number>
  /**
   * Cuts empty pages off, for a few milliseconds at most: the pages that are left, `relPages` when there is no more to cut.
   * The caller keeps everybody from the table.
   */
  truncate(relPages: number, nonemptyPages: number): number
  /** Named as the columns of pg_stat_progress_vacuum; the phase as PostgreSQL numbers it. */
  progress(): Record<string, number>
  /** Ends `run` and `countNonempty` with 57014. */
  cancel(): void
  /** In place of the setting vacuum_cost_limit, from now on. */
  setCostLimit(limit: number): void
}

/** A column that is to be analyzed, as the catalogs describe it. */
export interface AnalyzedColumn {
  /** Numbered from 1. */
  attribute: number
  /** Common values and histogram bins at most. */
  target: number
  /** What the operators of its type allow: nothing of the values, which are equal, their order. */
  method: 'trivial' | 'distinct' | 'scalar'
  /** Of the type's default B-tree operator class; 0 without one. */
  family: number
  operandType: number
  elementType: number
  collation: number
  /** Texts that are equal under the collation are the same. */
  isDeterministic: boolean
  /** Equal values have equal bytes. */
  hasEqualImage: boolean
}

export interface NativeColumnStatistics {
  nullFraction: number
  width: number
  distinct: number
  /** `kind` as in pg_statistic; `values` an array of the column's type, without its header. */
  slots: { kind: number; numbers: number[]; values: Uint8Array | null }[]
}

export interface NativeAnalyzeOutcome {
  relPages: number
  scannedPages: number
  sampledRows: number
  /** Of the whole table. */
  liveRows: number
  deadRows: number
  allVisiblePages: number
  allFrozenPages: number
  /** In the order of the request; null where there were no rows. */
  columns: (NativeColumnStatistics | null)[]
  /** In the order of the table's indexes. */
  indexPages: number[]
}

/** One analyze of a table, which changes nothing. */
export interface NativeAnalyze {
  run(
    columns: readonly AnalyzedColumn[],
    settings: NativeCostSettings,
    trackIoTiming: boolean,
    trackWalIoTiming: boolean,
  ): Promise<NativeAnalyzeOutcome>
  /** Named as the columns of pg_stat_progress_analyze; the phase as PostgreSQL numbers it. */
  progress(): Record<string, number>
  /** Ends `run` with 57014. */
  cancel(): void
  /** In place of the setting vacuum_cost_limit, from now on. */
  setCostLimit(limit: number): void
}

/** Transaction ids and multixacts in use, without their epochs. */
export interface NativeIdBounds {
  nextXid: number
  nextMulti: number
  /** No transaction that runs is a member of an older multixact, or looks one up. */
  oldestNeededMulti: number
  /** The databases that hold the oldest ids. */
  oldestXidDatabase: number
  oldestMultiDatabase: number
  /** Ids are due to be frozen. */
  isVacuumDue: boolean
  /** Xids or multixacts are so old that messages may soon name the databases that hold them. */
  areScarce: boolean
}

export interface NativeCommitTimestamp {
  transaction: number
  /** Microseconds since 2000-01-01. */
  time: bigint
  /** Replication origin; 0: this cluster. */
  origin: number
}

export interface PredicateLock {
  database: number
  relation: number
  /** Null: the whole relation. */
  page: number | null
  /** Null: the whole page. */
  tuple: number | null
}

/** A process that has the cluster open. */
export interface ClusterProcess {
  pid: number
  /** Does it take the checkpoints? */
  isOwner: boolean
  /** Does a thread of it run the engine at this moment? Killed now, it would end all sessions with 57P02. */
  isInside: boolean
}

/** Relations of `database` were defined anew: that of OID `object`, any when it is 0. */
export interface NativeInvalidation {
  database: number
  object: number
}

export interface NativeCluster {
  blockSize(): number
  /** A vacuum of the relation, or of its TOAST table. The caller keeps others from vacuuming or redefining it. */
  /** `isAutovacuum`: it does not keep the event loop alive. */
  vacuum(
    database: number,
    relation: NativeRelation,
    ofToast: boolean,
    isAutovacuum: boolean,
  ): NativeVacuum
  /** The same of an analyze. */
  analyze(database: number, relation: NativeRelation, isAutovacuum: boolean): NativeAnalyze
  /** As what the session is known to others; without `kind` it is a look at something, and nobody's. */
  session(
    database: number,
    kind?: 'client backend' | 'autovacuum worker',
    applicationName?: string,
  ): NativeSession
  relation(descriptor: RelationDescriptor): NativeRelation
  newOid(): number
  blocks(locator: Locator, fork: 0 | 1 | 2 | 3): number
  /** Levels above the leaves of a relation's index, from where searches begin. */
  indexHeight(relation: NativeRelation, index: number): number
  /**
   * Checks a B-tree. `existing` marks the heap's line pointers, `itemsPerPage` bits a block; `met` gets those that
   * the index points to.
   */
  verifyIndex(
    relation: NativeRelation,
    index: number,
    existing: Uint8Array,
    met: Uint8Array,
    itemsPerPage: number,
  ): IndexReport
  checkpoint(): Promise<void>
  /** The next record begins a new log segment. */
  switchSegment(): Promise<void>
  preparedTransactions(): NativePreparedTransaction[]
  /** COMMIT PREPARED or ROLLBACK PREPARED; resolves when durable. Throws 42704, 55000. */
  finishPrepared(gid: string, commit: boolean): Promise<void>
  idBounds(): NativeIdBounds
  /** Names of the databases that hold the oldest ids, for messages. Warns when ids are about to run out. */
  nameOldestDatabases(ofXid: number, xidName: string, ofMulti: number, multiName: string): void
  /** No database holds older ids: truncates pg_xact, pg_commit_ts and pg_multixact, and moves the limits on. */
  truncateLogs(
    xid: number,
    ofXid: number,
    xidName: string,
    multi: number,
    ofMulti: number,
    multiName: string,
  ): Promise<void>
  /** Called when another process died in the middle of something: all have to leave, and may open the cluster again. */
  onCrash(handler: () => void): void
  /** That having happened: releases everything when no process is inside any more. True: this one was the owner. */
  leaveCrashed(): Promise<boolean>
  /** Called with each warning. */
  onNotice(handler: (notice: PgError) => void): void
  /** When the transaction committed; null when that is not known. Throws 55000 when it is not tracked, 22023. */
  commitTimestamp(transaction: number): NativeCommitTimestamp | null
  /** Of the transaction that committed last. Throws 55000. */
  lastCommitted(): NativeCommitTimestamp | null
  /** Number of the shared memory segment, by which others attach; negative when nobody can. */
  segment(): number
  /** All that have the directory open. */
  processes(): ClusterProcess[]
  /** Asks a process for a list of its memory contexts; false when no such process has the cluster open. */
  requestMemoryContexts(pid: number): boolean
  /** Was this process asked for one since the last call? */
  takeMemoryContextRequest(): boolean
  /** Whether background work is this process's. */
  isOwner(): boolean
  /**
   * With true no other process can join until as many calls with false: they wait. False when others are there already, or
   * this process is ending.
   */
  stayAlone(alone: boolean): boolean
  /** Number of sessions on a database, of all processes. */
  backendsOn(database: number): number
  /**
   * 0 when no other process is there; 1 when others have told nothing new; else what they have told, null when everything
   * that was read from catalogs is to be forgotten.
   */
  acceptInvalidations(): 0 | 1 | NativeInvalidation[] | null
  /** Shutdown checkpoint, if no other process is there, then everything is released. True: nobody has it open any more. */
  close(): Promise<boolean>
  /** As `close`, blocking: for a process that is about to exit. */
  closeSync(): boolean
  /** Releases without a checkpoint, as a crash would. */
  abandon(): void
  /** What serializable transactions have read, as pg_locks shows SIReadLocks. */
  predicateLocks(): PredicateLock[]
  statistics(): Record<string, number>
  /** How full the queue of notifications is, from 0 to 1. */
  notificationQueueUsage(): number
  /** What the sessions of this environment have counted is added to the statistics that all see. */
  flushStatistics(): void
  /** Fields of PgStat_StatTabEntry; null when nothing was counted. `database` is 0 for a shared catalog. */
  relationStatistics(database: number, relation: number): NativeCounters | null
  /** Fields of PgStat_StatDBEntry. */
  databaseStatistics(database: number): NativeCounters | null
  /** Null when open for reading only. */
  clusterStatistics(): NativeClusterStatistics | null
  reportVacuum(
    database: number,
    relation: number,
    isShared: boolean,
    isAutovacuum: boolean,
    liveTuples: number,
    deadTuples: number,
    elapsedMs: number,
  ): void
  reportAnalyze(
    database: number,
    relation: number,
    isShared: boolean,
    isAutovacuum: boolean,
    liveTuples: number,
    deadTuples: number,
    ofAllColumns: boolean,
    elapsedMs: number,
  ): void
  reportAutovacuumStart(database: number): void
  reportArchived(file: string, failed: boolean): void
  dropDatabaseStatistics(database: number): void
  /** track_io_timing and track_wal_io_timing of whatever runs in this process without a session. */
  setIoTimings(relations: boolean, wal: boolean): void
  resetStatistics(): void
  /** Of all areas when `name` is null. */
  resetSlruStatistics(name: string | null): void
  locks(): NativeLock[]
  activity(): NativeActivity[]
  /** The owner has such a worker, which rests, or works. Nothing happens in another process. */
  reportWorker(type: 'autovacuum launcher' | 'archiver', isResting: boolean): void
  /** What recovery compared with the images of records that carry them for that, by kind of record. */
  comparedPages(): ComparedPages[]
}

/** Counters by PostgreSQL's names (layout/statistics_file.h); times are microseconds since 2000, 0 for never. */
export type NativeCounters = Record<string, number>

/** A row of pg_stat_io. */
export interface IoStatistics {
  backend_type: string
  object: string
  context: string
  reads: number
  read_bytes: number
  /** Times are milliseconds: of relations with track_io_timing, of the log with track_wal_io_timing, otherwise 0. */
  read_time: number
  writes: number
  write_bytes: number
  write_time: number
  writebacks: number
  writeback_time: number
  extends: number
  extend_bytes: number
  extend_time: number
  hits: number
  evictions: number
  reuses: number
  fsyncs: number
  fsync_time: number
}

export interface NativeClusterStatistics {
  archiver: {
    archived_count: number
    last_archived_wal: string
    last_archived_timestamp: number
    failed_count: number
    last_failed_wal: string
    last_failed_timestamp: number
    stat_reset_timestamp: number
  }
  bgwriter: NativeCounters
  checkpointer: NativeCounters
  wal: NativeCounters
  /** Rows of pg_stat_io that have a count. */
  io: IoStatistics[]
  /** One for each name, in the order of the file. */
  slru: { name: SlruName; counters: NativeCounters }[]
}

/** As pg_stat_slru names the areas of small pages. */
export type SlruName =
  | 'commit_timestamp'
  | 'multixact_member'
  | 'multixact_offset'
  | 'notify'
  | 'serializable'
  | 'subtransaction'
  | 'transaction'
  | 'other'

export interface ComparedPages {
  resourceManager: string
  /** The resource manager's bits of xl_info. */
  operation: number
  records: number
  pages: number
}

export interface NativeWalOptions {
  /** The directory of the segments. */
  directory: string
  blockSize: number
  segmentSize: number
  timeline: number
  /** 0n: not checked. */
  systemIdentifier: bigint
  catalogVersion: number
}

export interface NativeWalFilter {
  /** Ids of resource managers. */
  rmgrs?: number[] | undefined
  xid?: number | undefined
  relation?: Locator | undefined
  block?: number | undefined
  fork?: number | undefined
  fullPage: boolean
  /** Records that end after this are not read. */
  end?: bigint | undefined
}

/** Reads the log; its batches are laid out by WalBatchHeader, WalBatchRecord and WalBatchBlock. */
export interface NativeWal {
  /** The first record at or after the position; null: there is none. */
  begin(lsn: bigint): bigint | null
  /** Fills the batch with records that the filter lets through; returns their number. */
  next(batch: Uint8Array, describe: boolean): number
  /** Where the last record read ends. */
  position(): bigint
  /** Why there is no next record, in PostgreSQL's words. */
  endReason(): string
  /** The release that wrote the page read last, or 0. */
  major(): number
}

/** A message of the engine for the server log. */
export interface NativeLogMessage {
  severity: 'LOG' | 'WARNING' | 'ERROR' | 'PANIC'
  /** As in pg_stat_activity. */
  backendType: string
  /** SQLSTATE. */
  code: string
  message: string
  detail?: string
  hint?: string
  /** Milliseconds since 1970. */
  time: number
}

/** Messages of the engine's threads, until the JavaScript thread takes them. */
export interface NativeLogQueue {
  take(): NativeLogMessage[]
  /** What comes afterwards is dropped. */
  close(): void
}

export interface NativeBinding {
  /** `onMessages` is called in a turn of its own when there are any. */
  LogQueue: new (
    onMessages: () => void,
  ) => NativeLogQueue
  /** `journal` is the path of a new file. */
  Disk: new (
    journal?: string,
  ) => NativeDisk
  version(): string
  /** Given once at load: PgError, so that what native code throws is an instance of it. */
  setErrorClass(errorClass: unknown): void
  /** `opening` is a number of the caller's for cancelOpening; `onProgress` is called while the log is replayed. */
  openCluster(
    options: NativeClusterOptions,
    opening?: number,
    onProgress?: (replayedBytes: number, totalBytes: number, records: number) => void,
  ): Promise<NativeCluster>
  /**
   * Joins the processes that have the directory open, by the number of their segment; their settings count. Throws 42704
   * when they are gone, 57P03 while they close, 57P02 when they have crashed.
   */
  attachCluster(options: NativeClusterOptions, segment: number): Promise<NativeCluster>
  /** Gives up the recovery of a cluster that is being opened; nothing when there is no such opening. */
  cancelOpening(opening: number): void
  /** Has a process the directory open for writing, in whatever namespace of processes? Throws 58P01. */
  isDirectoryLocked(directory: string): boolean
  initCluster(options: NativeInitOptions): Promise<NativeCluster>
  /** pg_control of any supported major, fields named as PostgreSQL's. */
  readControlFile(dataDirectory: string): Record<string, number | bigint | string | boolean>
  /** Makes everything in the directory durable. */
  syncDirectoryTree(directory: string): Promise<void>
  readWal(options: NativeWalOptions, filter: NativeWalFilter): NativeWal
  /** The built-in resource managers' names, by id. */
  resourceManagerNames(): string[]
  /** The release that a WAL page's magic number belongs to, or 0. */
  walRelease(magic: number): number
  pageChecksum(page: Uint8Array, block: number): number
  crc32c(bytes: Uint8Array): number
  /**
   * For tests of death: a thread of this process that passes the native code's stop point of that name, after so many have
   * passed it, makes the file `report` and stops there for good.
   */
  stopAt(point: string, skipped: number, report: string): void
  /** Checks a heap page whose header is sound; a bound of 0 is not checked. Without a relation no column is walked. */
  verifyHeapPage(
    relation: NativeRelation | undefined,
    page: Uint8Array,
    block: number,
    bounds: { relfrozenxid: number; nextXid: number; relminmxid: number; nextMulti: number },
  ): HeapPageComplaint[]
}
