// Goal: names are read, joined and shortened as PostgreSQL does. Method: cases by hand, against expectations that a
// server gave.
import { expect, test } from 'vitest'
import { parseColumnText } from '../../../src-ts/command/column-definition.ts'
import {
  chooseIndexColumnNames,
  indexNameAddition,
  joinNames,
} from '../../../src-ts/command/object-name.ts'
import { parseQualifiedName } from '../../../src-ts/command/qualified-name.ts'

test('a qualified name has one or two parts, quoted or not', () => {
  expect(parseQualifiedName('accounts')).toEqual({ schema: 'public', name: 'accounts' })
  expect(parseQualifiedName('s1.Accounts')).toEqual({ schema: 's1', name: 'Accounts' })
  expect(parseQualifiedName('"My Schema"."a.""b"')).toEqual({ schema: 'My Schema', name: 'a."b' })
})

test.each(['', '.', 'a.', '.a', 'a..b', 'a.b.c', '"a', 'a"b', 'a b', '""'])(
  '%j is no name',
  (text) => {
    expect(() => parseQualifiedName(text)).toThrow(expect.objectContaining({ code: '42602' }))
  },
)

test('a name of more than 63 bytes is refused', () => {
  expect(parseQualifiedName('é'.repeat(31)).name).toHaveLength(31)
  expect(() => parseQualifiedName('é'.repeat(32))).toThrow(
    expect.objectContaining({ code: '42622' }),
  )
})

test('joined names give way, the longer one first, and end between characters', () => {
  expect(joinNames('accounts', undefined, 'pkey')).toBe('accounts_pkey')
  expect(joinNames('t'.repeat(63), undefined, 'pkey')).toBe(`${'t'.repeat(58)}_pkey`)
  expect(joinNames('t'.repeat(40), 'c'.repeat(40), 'idx')).toBe(
    `${'t'.repeat(29)}_${'c'.repeat(29)}_idx`,
  )
  expect(joinNames('t'.repeat(60), 'c', 'key')).toBe(`${'t'.repeat(57)}_c_key`)
  expect(joinNames('é'.repeat(31), undefined, 'pkey')).toBe(`${'é'.repeat(29)}_pkey`)
  expect(joinNames('', 'u1', '')).toBe('_u1')
})

test('the columns of an index have different names', () => {
  expect(chooseIndexColumnNames(['a', 'b', 'a', 'a'])).toEqual(['a', 'b', 'a1', 'a2'])
  expect(indexNameAddition(['a', 'b', 'a1'])).toBe('a_b_a1')
})

test('the text of a column is taken apart', () => {
  const plain = { notNull: false, primaryKey: false, unique: false, collation: undefined }
  expect(parseColumnText('t', 'c', 'int8')).toEqual({ ...plain, type: 'int8' })
  expect(parseColumnText('t', 'c', ' numeric(10, 2)  NOT NULL unique ')).toEqual({
    ...plain,
    type: 'numeric(10, 2)',
    notNull: true,
    unique: true,
  })
  expect(parseColumnText('t', 'c', 'timestamp with time zone primary key')).toEqual({
    ...plain,
    type: 'timestamp with time zone',
    primaryKey: true,
  })
  expect(parseColumnText('t', 'c', 'text collate pg_catalog."C" not null').collation).toBe(
    'pg_catalog."C"',
  )
})

test.each([
  ['int4 default 7', '0A000'],
  ['int4 references t', '0A000'],
  ['int4 check (c > 0)', '0A000'],
  ['int4 not', '42601'],
  ['int4 primary', '42601'],
  ['int4 not null 7', '42601'],
  ['int4 null not null', '42601'],
  ['text collate', '42601'],
])('%j is refused with %s', (text, code) => {
  expect(() => parseColumnText('t', 'c', text)).toThrow(expect.objectContaining({ code }))
})
