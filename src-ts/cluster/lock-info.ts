// LockInfo: one row of pg_locks.
// Source: pg_lock_status, src/backend/utils/adt/lockfuncs.c, PostgreSQL 18.
import type { NativeLock } from '../binding/native.ts'

export interface LockInfo {
  locktype: string
  database: number | null
  relation: number | null
  page: number | null
  tuple: number | null
  transactionid: number | null
  classid: number | null
  objid: number | null
  objsubid: number | null
  /** Number of the session that holds the lock or waits for it. */
  pid: number
  mode: string
  granted: boolean
}

export function lockInfo(lock: NativeLock): LockInfo {
  const { type, field1, field2, field3, field4 } = lock
  const info: LockInfo = {
    locktype: type,
    database: null,
    relation: null,
    page: null,
    tuple: null,
    transactionid: null,
    classid: null,
    objid: null,
    objsubid: null,
    pid: lock.session,
    mode: lock.mode,
    granted: lock.granted,
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
    default:
      return { ...info, database: field1, classid: field2, objid: field3, objsubid: field4 }
  }
}
