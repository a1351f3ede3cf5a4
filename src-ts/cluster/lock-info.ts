// LockInfo: one row of pg_locks.
// Source: pg_lock_status, src/backend/utils/adt/lockfuncs.c, PostgreSQL 18.
import type { NativeLock } from '../binding/native.ts'
import { int64Of } from '../types/int64.ts'
import { readTimestamptz } from '../types/timestamp.ts'

export interface LockInfo {
  locktype: string
  database: number | null
  relation: number | null
  page: number | null
  tuple: number | null
  virtualxid: string | null
  transactionid: number | null
  classid: number | null
  objid: number | null
  objsubid: number | null
  /** Of the transaction that holds the lock or waits for it; as long as a session is in none, its local number is 0. */
  virtualtransaction: string
  /** The operating system's process; null: a prepared transaction. */
  pid: number | null
  /** Number of the session that holds the lock or waits for it, as Session.id; null: a prepared transaction. */
  session: number | null
  mode: string
  granted: boolean
  /** Held without an entry in the table of locks. */
  fastpath: boolean
  /** Since when it waits. */
  waitstart: Date | null
}

export function lockInfo(lock: NativeLock): LockInfo {
  const { type, field1, field2, field3, field4, session } = lock
  const isPrepared = session === 0
  const info: LockInfo = {
    locktype: type,
    database: null,
    relation: null,
    page: null,
    tuple: null,
    virtualxid: null,
    transactionid: null,
    classid: null,
    objid: null,
    objsubid: null,
    virtualtransaction: isPrepared
      ? `-1/${lock.transaction}`
      : `${session}/${lock.localTransaction}`,
    pid: isPrepared ? null : lock.pid,
    session: isPrepared ? null : session,
    mode: lock.mode,
    granted: lock.granted,
    fastpath: lock.fastPath,
    waitstart: lock.waitStart === null ? null : readTimestamptz(int64Of(lock.waitStart)),
  }
  switch (type) {
    case 'relation':
    case 'extend':
      return { ...info, database: field1, relation: field2 }
    case 'page':
      return { ...info, database: field1, relation: field2, page: field3 }
    case 'tuple':
      return { ...info, database: field1, relation: field2, page: field3, tuple: field4 }
    case 'transactionid':
      return { ...info, transactionid: field1 }
    case 'virtualxid':
      return { ...info, virtualxid: `${field1}/${field2}` }
    default:
      return { ...info, database: field1, classid: field2, objid: field3, objsubid: field4 }
  }
}
