// Upkeep targets: the tables that VACUUM and ANALYZE work on, which of them, and locked from one transaction to the next.
import type { NativeSession } from '../binding/native.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { PgError } from '../errors/pg-error.ts'
import { type RelationInfo, refuseTemporary } from '../relation/relation-cache.ts'
import { isOwnTemporary, temporaryClaimOf } from '../relation/temporary-schema.ts'
import { namedCommand } from '../transaction/named-command.ts'
import { lockLevels } from '../transaction/relation-lock.ts'
import { canceled } from '../transaction/transaction-queue.ts'
import { findClassRow } from './class-row.ts'
import type { CommandContext } from './command-context.ts'
import { displayName, findRelation } from './table-name.ts'

/** What a command of many transactions works with between them. */
export interface UpkeepRun {
  /** Runs an action in a transaction of its own. */
  step: <T>(action: (context: CommandContext) => T | Promise<T>) => Promise<T>
  /** The same for an action that changes rows of catalogs. */
  change: <T>(action: (context: CommandContext) => T | Promise<T>) => Promise<T>
  /** Holds the lock on the relation from one transaction to the next. */
  session: NativeSession
  isOn: (name: 'track_io_timing' | 'track_wal_io_timing') => boolean
  /** Nobody asked for it. */
  isAutovacuum?: boolean
  /** Called with what does the work, before it begins. */
  onNative?: (native: CostLimited) => void
}

/** Work whose cost limit can be changed while it goes on. */
export interface CostLimited {
  setCostLimit(limit: number): void
}

export interface UpkeepTarget {
  oid: number
  name: string
  toastOid: number
  info: RelationInfo
  /** Of the session's own: only it can look at the table's pages. */
  isTemporary: boolean
}

/** How the lock is waited for. */
export interface UpkeepLockOptions {
  skipLocked?: boolean
  signal?: AbortSignal
}

/** Tables and materialized views of the database, system catalogs included, but for temporary ones of other sessions. */
export function upkeepOids(context: CommandContext): number[] {
  const isOthers = ({
    relpersistence,
    relnamespace,
  }: {
    relpersistence: string
    relnamespace: number
  }) => relpersistence === 't' && !isOwnTemporary(context.session, relnamespace)
  return [...context.catalogs.scan(context.session, pgClass)]
    .filter((row) => 'rm'.includes(row.relkind) && !isOthers(row))
    .map(({ oid }) => oid)
}

/** The OID of such a table. Throws 42P01, 42809, 0A000 for another session's temporary one. */
export function namedOid(
  context: CommandContext,
  text: string,
  what: 'vacuum' | 'analyze',
): number {
  const { row, name } = findRelation(context, text)
  if (row === undefined) {
    throw new PgError('42P01', `relation "${displayName(name)}" does not exist`, {
      schema: name.schema,
      table: name.name,
    })
  }
  if (!'rm'.includes(row.relkind)) {
    throw new PgError('42809', `cannot ${what} "${row.relname}"`, {
      detail: 'It is neither a table nor a materialized view.',
      schema: name.schema,
      table: row.relname,
    })
  }
  refuseTemporary(context.session, row)
  return row.oid
}

/**
 * Does the work of a command with a table locked against its like and against definitions. Nothing is done with one that
 * was dropped meanwhile, or is to be skipped.
 */
export async function whileLocked(
  run: UpkeepRun,
  oid: number,
  command: 'VACUUM' | 'ANALYZE',
  options: UpkeepLockOptions,
  work: (target: UpkeepTarget) => Promise<void>,
): Promise<void> {
  let isLocked = false
  try {
    isLocked = await run.step((context) => lockTarget(context, run, oid, options))
    const target = isLocked ? await run.step((context) => targetOf(context, oid)) : undefined
    const name = run.isAutovacuum ? `autovacuum: ${command}` : command
    if (target?.isTemporary) temporaryClaimOf(run.session).inUse.add(oid)
    if (target !== undefined) await namedCommand(run.session, name, () => work(target), oid)
  } finally {
    temporaryClaimOf(run.session).inUse.delete(oid)
    if (isLocked) run.session.unlockForSession(oid, lockLevels['share update exclusive'])
  }
}

// False when the relation is not there any more, or is to be skipped.
async function lockTarget(
  context: CommandContext,
  run: UpkeepRun,
  oid: number,
  { skipLocked = false, signal }: UpkeepLockOptions,
): Promise<boolean> {
  if (signal?.aborted) throw canceled(signal)
  if (findClassRow(context, oid) === undefined) return false
  const granted = run.session.lockForSession(oid, lockLevels['share update exclusive'], !skipLocked)
  if (typeof granted === 'boolean') return granted
  const onAbort = () => run.session.cancel()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await granted
  } catch (error) {
    throw signal?.aborted ? canceled(signal) : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

// As it is now that nobody redefines it.
function targetOf(context: CommandContext, oid: number): UpkeepTarget | undefined {
  const row = findClassRow(context, oid)
  if (row === undefined) return undefined
  context.relations.forget(oid)
  const info = context.relations.openByOid(context.session, oid)
  const isTemporary = row.relpersistence === 't'
  return {
    oid,
    name: `${info.schema}.${info.name}`,
    toastOid: row.reltoastrelid,
    info,
    isTemporary,
  }
}

const progressIntervalMs = 100

/** Calls `report` now and then while native work goes on, and cancels it when the signal says so. */
export async function whileWatched<T>(
  native: { cancel(): void },
  report: (() => void) | undefined,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw canceled(signal)
  const timer = report && setInterval(report, progressIntervalMs)
  timer?.unref()
  const onAbort = () => native.cancel()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const result = await work()
    report?.()
    return result
  } catch (error) {
    throw signal?.aborted ? canceled(signal) : error
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
