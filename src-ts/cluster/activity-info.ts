// ActivityInfo: one row of pg_stat_activity.
// Source: pg_stat_get_activity in src/backend/utils/adt/pgstatfuncs.c, PostgreSQL 18.
import type { NativeActivity } from '../binding/native.ts'
import { int64Of } from '../types/int64.ts'
import { readTimestamptz } from '../types/timestamp.ts'

/** Columns as PostgreSQL names them; times are right to a few milliseconds. */
export interface ActivityInfo {
  /** OID of the database; null for a worker that is on none. */
  datid: number | null
  datname: string | null
  /** Of the operating system's process, which may have many sessions and workers. */
  pid: number
  /** Number of the session, as Session.id; null for a worker that is none. */
  session: number | null
  application_name: string
  backend_start: Date
  xact_start: Date | null
  /** When the operation began that is under way, or was the last one. */
  query_start: Date | null
  state_change: Date | null
  wait_event_type: string | null
  wait_event: string | null
  /** Null for a worker other than one of autovacuum. */
  state: 'active' | 'idle' | 'idle in transaction' | 'idle in transaction (aborted)' | null
  backend_xid: number | null
  backend_xmin: number | null
  /** The operation that is under way, or was the last one, and what it works on: "UPDATE public.accounts". */
  query: string
  backend_type: string
}

const time = (value: bigint | null) => (value === null ? null : readTimestamptz(int64Of(value)))

/** `databaseName` and `relationName` know what there is in the catalogs. */
export function activityInfo(
  row: NativeActivity,
  databaseName: (database: number) => string | undefined,
  relationName: (database: number, relation: number) => string | undefined,
): ActivityInfo {
  const { database, relation, operation } = row
  const works = relation !== 0 && operation !== ''
  const name = works ? (relationName(database, relation) ?? `relation ${relation}`) : undefined
  return {
    datid: database === 0 ? null : database,
    datname: databaseName(database) ?? null,
    pid: row.pid,
    session: row.session,
    application_name: row.applicationName,
    backend_start: readTimestamptz(int64Of(row.backendStart)),
    xact_start: time(row.xactStart),
    query_start: time(row.queryStart),
    state_change: time(row.stateChange),
    wait_event_type: row.waitEventType,
    wait_event: row.waitEvent,
    state: row.state,
    backend_xid: row.backendXid,
    backend_xmin: row.backendXmin,
    query: name === undefined ? operation : `${operation} ${name}`,
    backend_type: row.backendType,
  }
}
