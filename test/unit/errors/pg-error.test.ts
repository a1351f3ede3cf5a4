// Tests of PgError.
// Goal: code, message and fields reach the user as given. Method: construct and compare.
import { expect, test } from 'vitest'
import { PgError } from '../../../src-ts/errors/pg-error.ts'

test('an error carries its code, message and fields', () => {
  const cause = new Error('inner')
  const error = new PgError('23505', 'duplicate key value violates unique constraint "a_pkey"', {
    detail: 'Key (id)=(1) already exists.',
    table: 'a',
    constraint: 'a_pkey',
    cause,
  })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({
    name: 'PgError',
    code: '23505',
    detail: 'Key (id)=(1) already exists.',
    table: 'a',
    constraint: 'a_pkey',
    schema: undefined,
    cause,
  })
  expect(error.condition).toBe('unique_violation')
})

test('a code that we never raise has no condition name', () => {
  expect(new PgError('99999', 'strange').condition).toBeUndefined()
})
