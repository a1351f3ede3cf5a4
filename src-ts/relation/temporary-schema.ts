// The schema of a session's temporary relations: made when it first needs one, its own until it ends.
//
// Its name says whose it is ("pg_temp_3"), but also whose it was: one that a crashed session left behind is nobody's
// until a session of that number has claimed and emptied it. Source: src/backend/catalog/namespace.c, PostgreSQL 18.
import type { NativeSession } from '../binding/native.ts'

export interface TemporarySchema {
  oid: number
  name: string
  /** OID of the schema of their TOAST tables. */
  toastOid: number
}

/** What becomes of a temporary table when a transaction commits, but for staying as it is. */
export type CommitAction = 'delete rows' | 'drop'

/** What a session has claimed. Goes back with the transaction, or the savepoint, that claimed it. */
export class TemporaryClaim {
  #schema: TemporarySchema | undefined
  // How many levels are open, a transaction and its savepoints; and the one that made the claim, 0 once that is final.
  #level = 0
  #madeAt = 0

  readonly #atCommit = new Map<number, { action: CommitAction; madeAt: number }>()

  /** Tables that another thread works on for the session. */
  readonly inUse = new Set<number>()

  /** From now on, until the table is gone. */
  actAtCommit(table: number, action: CommitAction): void {
    this.#atCommit.set(table, { action, madeAt: this.#level })
  }

  /** Tables that a commit does something to; some may be gone. */
  get atCommit(): { table: number; action: CommitAction }[] {
    return [...this.#atCommit].map(([table, { action }]) => ({ table, action }))
  }

  forgetTable(table: number): void {
    this.#atCommit.delete(table)
  }

  get schema(): TemporarySchema | undefined {
    return this.#schema
  }

  make(schema: TemporarySchema): void {
    this.#schema = schema
    this.#madeAt = this.#level
  }

  /** A transaction, or a savepoint of it, begins. */
  begin(): void {
    this.#level++
  }

  /** A savepoint ends well. */
  release(): void {
    this.#level--
    this.#madeAt = Math.min(this.#madeAt, this.#level)
    for (const each of this.#atCommit.values()) each.madeAt = Math.min(each.madeAt, this.#level)
  }

  /** The innermost savepoints, so many of them, are rolled back. */
  rollBack(levels: number): void {
    this.#level -= levels
    this.#forgetTables(this.#level)
    if (this.#madeAt > this.#level) this.#forget()
  }

  /** The transaction ends. */
  end(isCommitted: boolean): void {
    if (!isCommitted) this.#forgetTables(0)
    for (const [table, each] of this.#atCommit) {
      each.madeAt = 0
      if (each.action === 'drop') this.#atCommit.delete(table)
    }
    if (!isCommitted && this.#madeAt > 0) this.#forget()
    this.#level = 0
    this.#madeAt = 0
  }

  // Those that were made in levels beyond that one.
  #forgetTables(level: number): void {
    for (const [table, { madeAt }] of this.#atCommit)
      if (madeAt > level) this.#atCommit.delete(table)
  }

  #forget(): void {
    this.#schema = undefined
    this.#madeAt = 0
  }
}

const claims = new WeakMap<NativeSession, TemporaryClaim>()

/** The claim of a session; sessions that only look at something, or work for the cluster, never make theirs. */
export function temporaryClaimOf(session: NativeSession): TemporaryClaim {
  let claim = claims.get(session)
  if (claim === undefined) {
    claim = new TemporaryClaim()
    claims.set(session, claim)
  }
  return claim
}

/** Is what is in the schema of that OID the session's own? */
export function isOwnTemporary(session: NativeSession, namespace: number): boolean {
  const schema = claims.get(session)?.schema
  return schema !== undefined && (schema.oid === namespace || schema.toastOid === namespace)
}
