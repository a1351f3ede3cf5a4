// Quoting of identifiers: goal: what PostgreSQL's quote_identifier gives.
import { expect, it } from 'vitest'
import { quoteIdentifier } from '../../../src-ts/inspect/identifier-quoting.ts'

it('quotes what would not be read back as the same name', () => {
  expect(quoteIdentifier('pg_class')).toBe('pg_class')
  expect(quoteIdentifier('_1')).toBe('_1')
  expect(quoteIdentifier('1a')).toBe('"1a"')
  expect(quoteIdentifier('Name')).toBe('"Name"')
  expect(quoteIdentifier('select')).toBe('"select"')
  expect(quoteIdentifier('a"b')).toBe('"a""b"')
  expect(quoteIdentifier('')).toBe('""')
})
