// RelationLocks: which transaction writes or changes which relation of a database.
//
// Any number may write a relation's rows, and one may vacuum it meanwhile; one that changes the relation itself (DDL)
// must be alone. Nobody waits:
// a conflict is an error at once, since the transaction in the way may be one of the same event loop. Locks last
// until their transaction ends. Readers take none.
import { PgError } from '../errors/pg-error.ts'

/** Whose locks: one object a session. */
export type LockOwner = object

interface RelationLock {
  exclusive: LockOwner | undefined
  vacuum: LockOwner | undefined
  writers: Set<LockOwner>
}

export class RelationLocks {
  readonly #relations = new Map<number, RelationLock>()
  readonly #owned = new Map<LockOwner, Set<number>>()

  /** Keeps others from changing the relation. Throws 55P03; `name` is for the message. */
  lockForWriting(owner: LockOwner, oid: number, name: string): void {
    const lock = this.#relations.get(oid)
    if (lock?.writers.has(owner)) return
    if (lock?.exclusive !== undefined && lock.exclusive !== owner) throw refusal(name)
    this.#take(owner, oid).writers.add(owner)
  }

  /** Keeps others from writing and from changing the relation. Throws 55P03. */
  lockExclusively(owner: LockOwner, oid: number, name: string): void {
    const lock = this.#relations.get(oid)
    if (lock?.exclusive === owner) return
    const isOthers = (holder: LockOwner) => holder !== owner
    const holders = [lock?.exclusive, lock?.vacuum, ...(lock?.writers ?? [])]
    if (holders.some((holder) => holder !== undefined && isOthers(holder))) throw refusal(name)
    this.#take(owner, oid).exclusive = owner
  }

  /** Keeps others from vacuuming and from changing the relation. Throws 55P03. */
  lockForVacuum(owner: LockOwner, oid: number, name: string): void {
    const lock = this.#relations.get(oid)
    if (lock?.exclusive !== undefined || lock?.vacuum !== undefined) throw refusal(name)
    this.#take(owner, oid).vacuum = owner
  }

  /** As lockExclusively, for who vacuums the relation; gives what ends it, or nothing when somebody is in the way. */
  tryExclusively(owner: LockOwner, oid: number): (() => void) | undefined {
    const lock = this.#relations.get(oid)
    if (lock === undefined || lock.vacuum !== owner || lock.writers.size > 0) return undefined
    lock.exclusive = owner
    return () => {
      lock.exclusive = undefined
    }
  }

  /** At the end of the owner's transaction. */
  release(owner: LockOwner): void {
    for (const oid of this.#owned.get(owner) ?? []) {
      const lock = this.#relations.get(oid) as RelationLock
      lock.writers.delete(owner)
      if (lock.exclusive === owner) lock.exclusive = undefined
      if (lock.vacuum === owner) lock.vacuum = undefined
      const isFree = lock.exclusive === undefined && lock.vacuum === undefined
      if (isFree && lock.writers.size === 0) this.#relations.delete(oid)
    }
    this.#owned.delete(owner)
  }

  /** Who was `from` is `to` from now on: a transaction that was prepared, which has no session. */
  handOver(from: LockOwner, to: LockOwner): void {
    const oids = this.#owned.get(from)
    if (oids === undefined) return
    for (const oid of oids) {
      const lock = this.#relations.get(oid) as RelationLock
      if (lock.writers.delete(from)) lock.writers.add(to)
      if (lock.exclusive === from) lock.exclusive = to
    }
    this.#owned.delete(from)
    this.#owned.set(to, oids)
  }

  /** What an owner has locked. */
  held(owner: LockOwner): { oid: number; exclusive: boolean }[] {
    return [...(this.#owned.get(owner) ?? [])].map((oid) => ({
      oid,
      exclusive: this.#relations.get(oid)?.exclusive === owner,
    }))
  }

  #take(owner: LockOwner, oid: number): RelationLock {
    let lock = this.#relations.get(oid)
    if (lock === undefined) {
      lock = { exclusive: undefined, vacuum: undefined, writers: new Set() }
      this.#relations.set(oid, lock)
    }
    let owned = this.#owned.get(owner)
    if (owned === undefined) {
      owned = new Set()
      this.#owned.set(owner, owned)
    }
    owned.add(oid)
    return lock
  }
}

function refusal(name: string): PgError {
  return new PgError('55P03', `could not obtain lock on relation "${name}"`, {
    detail: 'Another transaction that has not ended writes, vacuums or changes it.',
    hint: 'Try again when it has ended.',
    table: name,
  })
}
