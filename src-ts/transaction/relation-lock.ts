// Locks on relations: how strong they are, and taking them for a session's transaction.
import type { NativeSession } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'

/** What other processes have told since it was asked last; 'alone' when there are none. */
export type Invalidated = 'alone' | 'nothing' | 'something'

/** Weakest first. Source: src/include/storage/lockdefs.h, PostgreSQL 18. */
export const lockLevels = {
  'access share': 1,
  'row share': 2,
  'row exclusive': 3,
  'share update exclusive': 4,
  share: 5,
  'share row exclusive': 6,
  exclusive: 7,
  'access exclusive': 8,
} as const
export type LockLevel = keyof typeof lockLevels

/**
 * What is thrown through a command that must wait for a lock before it may begin: the command has changed nothing yet,
 * and is run again when `granted` resolves; at once, when it is undefined.
 */
export class LockWait {
  readonly granted: Promise<unknown> | undefined
  constructor(granted?: Promise<unknown>) {
    this.granted = granted
  }
}

/**
 * Takes the lock until the end of the open transaction: at once, or as a promise when other transactions must end
 * first. Throws 55P03 when that is so and `mayWait` is false.
 */
export function lockRelation(
  native: NativeSession,
  oid: number,
  name: string,
  level: LockLevel,
  mayWait: boolean,
): Promise<boolean> | boolean {
  const granted = native.lockRelation(oid, lockLevels[level], mayWait)
  if (granted === false) {
    throw new PgError('55P03', `could not obtain lock on relation "${name}"`, {
      hint: 'A synchronous call does not wait for other transactions; use an asynchronous one.',
      table: name,
    })
  }
  return granted
}
