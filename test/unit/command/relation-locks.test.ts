// Goal: one may change a relation, or many may write it. Method: owners that take and release locks.
import { expect, test } from 'vitest'
import { RelationLocks } from '../../../src-ts/transaction/relation-locks.ts'

const refused = expect.objectContaining({ code: '55P03' })

test('writers do not disturb each other, but whoever changes the relation', () => {
  const locks = new RelationLocks()
  const [a, b] = [{}, {}]
  locks.lockForWriting(a, 1, 't')
  locks.lockForWriting(b, 1, 't')
  expect(() => locks.lockExclusively(a, 1, 't')).toThrow(refused)
  locks.lockExclusively(a, 2, 'u')
  locks.release(b)
  locks.lockExclusively(a, 1, 't')
  expect(() => locks.lockForWriting(b, 1, 't')).toThrow(refused)
  expect(() => locks.lockExclusively(b, 1, 't')).toThrow(refused)
  locks.lockForWriting(a, 1, 't')
  locks.release(a)
  locks.lockExclusively(b, 1, 't')
  locks.lockForWriting(b, 1, 't')
})

test('a refused lock leaves nothing behind', () => {
  const locks = new RelationLocks()
  const [a, b] = [{}, {}]
  locks.lockExclusively(a, 1, 't')
  expect(() => locks.lockForWriting(b, 1, 't')).toThrow(refused)
  locks.release(a)
  locks.lockExclusively(a, 1, 't')
})
