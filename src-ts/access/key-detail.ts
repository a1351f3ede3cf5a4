// The detail of a unique violation: "Key (a, b)=(1, x) already exists."
// Source: BuildIndexValueDescription, src/backend/access/index/genam.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { quoteIdentifier } from './quote-identifier.ts'
import type { RelationAccess } from './relation-access.ts'

/** The error with the key of `row` in the index as its detail, which ends with `what`. */
export function withKeyDetail(
  error: PgError,
  access: RelationAccess,
  index: number,
  row: Readonly<Record<string, unknown>>,
  what: string,
): PgError {
  const { columns, keyCount } = access.descriptor.indexes[
    index
  ] as (typeof access.descriptor.indexes)[0]
  const names: string[] = []
  const values: string[] = []
  for (const { attribute } of columns.slice(0, keyCount)) {
    const column = access.columns.find((candidate) => candidate.attribute === attribute)
    if (column === undefined) return error
    const value = row[column.name]
    names.push(quoteIdentifier(column.name))
    values.push(
      value === null || value === undefined
        ? 'null'
        : column.codec.toText(column.codec.toLane(value)),
    )
  }
  const { code, message, schema, table, constraint } = error
  return new PgError(code, message, {
    detail: `Key (${names.join(', ')})=(${values.join(', ')}) ${what}`,
    schema,
    table,
    constraint,
    cause: error,
  })
}
