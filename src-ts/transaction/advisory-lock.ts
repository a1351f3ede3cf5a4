// Advisory locks: keys that applications agree on, as PostgreSQL's pg_advisory_* functions lock them.
// Source: src/backend/utils/adt/lockfuncs.c, PostgreSQL 18.
import type { NativeSession } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'

/** One 64-bit key or two 32-bit keys, signed; the two kinds never meet. A number must be a safe integer. */
export type AdvisoryKey = bigint | number | readonly [number, number]

export interface AdvisoryLockOptions {
  /** Beside others that are shared, too. Default: exclusive. */
  shared?: boolean
}

function halves(key: AdvisoryKey): [high: number, low: number, parts: 1 | 2] {
  if (typeof key === 'object') {
    for (const half of key) {
      if (!Number.isInteger(half)) throw new TypeError('an advisory key is a whole number')
      if (half !== (half | 0)) throw new PgError('22003', 'integer out of range')
    }
    return [key[0] >>> 0, key[1] >>> 0, 2]
  }
  if (typeof key === 'number' && !Number.isSafeInteger(key)) {
    throw new TypeError('an advisory key is a whole number; use a bigint beyond 2^53')
  }
  const whole = BigInt(key)
  if (whole !== BigInt.asIntN(64, whole)) throw new PgError('22003', 'bigint out of range')
  const bits = BigInt.asUintN(64, whole)
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn), 1]
}

/** Takes the lock for the session or its open transaction; false when it is not to be had at once and `wait` is false. */
export function takeAdvisoryLock(
  native: NativeSession,
  key: AdvisoryKey,
  shared: boolean,
  scope: 'session' | 'transaction',
  wait: boolean,
): boolean | Promise<boolean> {
  return native.advisoryLock(...halves(key), shared, scope === 'session', wait)
}

/** What a call that cannot wait throws instead. */
export function refuseWait(granted: boolean): void {
  if (granted) return
  throw new PgError('55P03', 'could not obtain advisory lock', {
    hint: 'A synchronous call does not wait for other transactions; use an asynchronous one.',
  })
}

/** Gives back one of the times that the session took the lock; false when it does not hold it so. */
export function releaseAdvisoryLock(
  native: NativeSession,
  key: AdvisoryKey,
  shared: boolean,
): boolean {
  return native.advisoryUnlock(...halves(key), shared)
}
