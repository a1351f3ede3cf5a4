// What poisoned.test.ts and its child play: situations of sessions, faults that meet them, and ways to end.
import type { FaultRule } from '../../src-ts/binding/native.ts'

export const situations = [
  'commit',
  'synchronous commit',
  'serializable commit',
  'commit that drops a table',
  'commit that creates a table',
  'prepare',
  'commit prepared',
  'inside savepoints',
  'scans open, then savepoints',
  'a lock is waited for',
  'rollback',
  'checkpoint',
  'vacuum',
  'write',
] as const

export const endings = {
  sessions: 'sessions, then the cluster',
  cluster: 'the cluster',
  faulty: 'the faulty cluster',
  garbage: 'garbage',
  exit: 'exit',
} as const

export interface Case {
  situation: (typeof situations)[number]
  fault: FaultRule['fault']
  /** Only files whose path contains this. */
  path?: string
  /** Operations that go well before the first that fails. */
  skip: number
  ending: (typeof endings)[keyof typeof endings]
}
