// The detail of an error about a row that could not be written: the key that is there already, or the whole row
// that has a null where none may be.
// Source: ExecBuildSlotValueDescription, src/backend/executor/execMain.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { withKeyDetail } from './key-detail.ts'
import type { RelationAccess } from './relation-access.ts'

// Bytes of a value that a message shows.
const valueBytesMax = 64

/** The error with what it says about `row`; an error that is not about a row is returned as it is. */
export function withRefusedRow(
  error: unknown,
  access: RelationAccess,
  row: object | undefined,
): unknown {
  if (!(error instanceof PgError) || row === undefined) return error
  const values = row as Readonly<Record<string, unknown>>
  if (error.code === '23502') return withFailingRow(error, access, values)
  if (error.code !== '23505') return error
  const index = access.descriptor.indexes.findIndex(({ name }) => name === error.constraint)
  if (index < 0) return error
  return withKeyDetail(error, access, index, values, 'already exists.')
}

function withFailingRow(
  error: PgError,
  access: RelationAccess,
  row: Readonly<Record<string, unknown>>,
): PgError {
  const texts = access.columns.map(({ name, codec }) => {
    const value = row[name]
    if (value === null || value === undefined) return 'null'
    return shorten(codec.toText(codec.toLane(value)))
  })
  const { code, message, schema, table, column } = error
  return new PgError(code, message, {
    detail: `Failing row contains (${texts.join(', ')}).`,
    schema,
    table,
    column,
    cause: error,
  })
}

function shorten(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= valueBytesMax) return text
  let end = valueBytesMax
  // Not in the middle of a character.
  while (((bytes[end] as number) & 0xc0) === 0x80) end -= 1
  return `${bytes.toString('utf8', 0, end)}...`
}
