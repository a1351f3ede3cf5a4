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

/** What a session has claimed. Goes back with the transaction, or the savepoint, that claimed it. */
export class TemporaryClaim {
  #schema: TemporarySchema | undefined
  // How many levels are open, a transaction and its savepoints; and the one that made the claim, 0 once that is final.
  #level = 0
  #madeAt = 0

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
  }

  /** The innermost savepoints, so many of them, are rolled back. */
  rollBack(levels: number): void {
    this.#level -= levels
    if (this.#madeAt > this.#level) this.#forget()
  }

  /** The transaction ends. */
  end(isCommitted: boolean): void {
    if (!isCommitted && this.#madeAt > 0) this.#forget()
    this.#level = 0
    this.#madeAt = 0
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
