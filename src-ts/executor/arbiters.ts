// Arbiters: the unique indexes that decide whether a row meets another one, for ON CONFLICT.
// Source: infer_arbiter_indexes in src/backend/optimizer/util/plancat.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import type { OnConflict } from './change.ts'
import { malformed } from './expression.ts'

/** Their numbers. Throws 42P10 when no unique index has these columns, 42704 when none has that name, 42601, 42703. */
export function arbitersOf(relation: RelationInfo, given: OnConflict): number[] {
  const { indexes } = relation.access.descriptor
  const unique = indexes.flatMap((index, number) =>
    index.unique && index.usable ? [{ ...index, number }] : [],
  )
  const numbers = (some: typeof unique) => some.map(({ number }) => number)
  if (given === 'do nothing') return numbers(unique)
  const { columns, constraint, update } = given
  if (constraint !== undefined) {
    if (columns !== undefined) throw malformed('"onConflict" takes "columns" or "constraint"')
    const named = unique.filter(({ name }) => name === constraint)
    if (named.length > 0) return numbers(named)
    throw new PgError(
      '42704',
      `constraint "${constraint}" for table "${relation.name}" does not exist`,
      { schema: relation.schema, table: relation.name, constraint },
    )
  }
  if (columns === undefined) {
    if (update === undefined) return numbers(unique)
    throw new PgError(
      '42601',
      'ON CONFLICT DO UPDATE requires inference specification or constraint name',
      { hint: 'For example, ON CONFLICT (column_name).' },
    )
  }
  const wanted = new Set(columns.map((name) => relation.access.column(name).attribute))
  const found = unique.filter(({ columns: all, keyCount }) => {
    const keys = new Set(all.slice(0, keyCount).map(({ attribute }) => attribute))
    return keys.size === wanted.size && [...keys].every((attribute) => wanted.has(attribute))
  })
  if (found.length > 0) return numbers(found)
  throw new PgError(
    '42P10',
    'there is no unique or exclusion constraint matching the ON CONFLICT specification',
  )
}
