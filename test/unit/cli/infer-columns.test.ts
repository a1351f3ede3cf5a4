// Column inference: goal: the narrowest type that holds every value, and never one that would change a value.
import { expect, it } from 'vitest'
import { ColumnInference, parseColumnList } from '../../../src-ts/cli/infer-columns.ts'

function typeOf(values: unknown[], isText = true): string | undefined {
  const inference = new ColumnInference(isText)
  for (const value of values) inference.see({ c: value })
  return inference.columns()[0]?.type
}

it('takes the narrowest type for text', () => {
  expect(typeOf(['1', '-2', null])).toBe('int8')
  expect(typeOf(['9223372036854775807', '-9223372036854775808'])).toBe('int8')
  expect(typeOf(['9223372036854775808'])).toBe('float8')
  expect(typeOf(['007'])).toBe('text')
  expect(typeOf(['1', '2.5', '1e10'])).toBe('float8')
  expect(typeOf(['true', 'f'])).toBe('bool')
  expect(typeOf(['2024-02-29'])).toBe('date')
  expect(typeOf(['2023-02-29'])).toBe('text')
  expect(typeOf(['2024-02-29 12:00'])).toBe('timestamp')
  expect(typeOf(['2024-02-29T12:00:00.5Z'])).toBe('timestamptz')
  expect(typeOf(['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'])).toBe('uuid')
  expect(typeOf(['1', ''])).toBe('text')
  expect(typeOf([null, null])).toBe('text')
})

it('keeps the types that JSON values have', () => {
  expect(typeOf(['1'], false)).toBe('text')
  expect(typeOf([1, 2], false)).toBe('int8')
  expect(typeOf([1, 2.5], false)).toBe('float8')
  expect(typeOf([true], false)).toBe('bool')
  expect(typeOf([{ a: 1 }, [1]], false)).toBe('jsonb')
  expect(typeOf([1, 'x'], false)).toBe('text')
})

it('splits a column list at its outer commas', () => {
  expect(parseColumnList('a int8 not null, b numeric(10,2), "c, d" text')).toEqual([
    { name: 'a', type: 'int8 not null' },
    { name: 'b', type: 'numeric(10,2)' },
    { name: 'c, d', type: 'text' },
  ])
})
