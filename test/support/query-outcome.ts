// What a query gives, by stock PostgreSQL and by us, as texts that can be compared.
import pg from 'pg'
import { expect } from 'vitest'
import { PgError, type Session } from '../../src-ts/index.ts'
import { codecFor } from '../../src-ts/types/index.ts'
import type { GeneratedQuery } from './query-generator.ts'

/** How the cluster is opened: so that texts can be made of all values. */
export const openOptions = { int8: 'bigint', json: 'text' } as const
const asText = { getTypeParser: () => (value: unknown) => value }
const javascriptTypes: Record<number, string> = {
  16: 'boolean',
  20: 'bigint',
  21: 'number',
  23: 'number',
  700: 'number',
  701: 'number',
  1700: 'string',
}

export interface Outcome {
  rows?: string[]
  error?: string
}

function bySort(rows: string[], { compare }: GeneratedQuery): string[] {
  if (compare === 'order') return rows
  return compare === 'count' ? [String(rows.length)] : rows.sort()
}

/** What stock gives, in its `fields`. */
export async function stockOutcome(client: pg.Client, generated: GeneratedQuery) {
  try {
    const { rows, fields } = await client.query({
      text: generated.sql,
      rowMode: 'array',
      types: asText as unknown as pg.CustomTypesConfig,
    })
    const texts = (rows as unknown[][]).map((row) => JSON.stringify(row))
    return { outcome: { rows: bySort(texts, generated) }, fields }
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    return { outcome: { error: error.code as string }, fields: [] }
  }
}

/** What we give, as texts of stock's types. */
export async function ourOutcome(
  session: Session,
  generated: GeneratedQuery,
  fields: readonly pg.FieldDef[],
): Promise<Outcome> {
  try {
    const rows = await session.query(generated.query).all()
    const codecs = fields.map(({ dataTypeID }) => codecFor(dataTypeID, -1, openOptions))
    const texts = rows.map((row) => {
      expect(Object.keys(row)).toEqual(fields.map(({ name }) => name))
      return JSON.stringify(
        Object.values(row).map((value, i) => {
          if (value === null) return null
          const codec = codecs[i] as (typeof codecs)[number]
          const wanted = javascriptTypes[codec.oid]
          if (wanted !== undefined && typeof value !== wanted) {
            return `a ${typeof value} in place of a ${codec.name}`
          }
          return codec.toText(codec.toLane(value))
        }),
      )
    })
    return { rows: bySort(texts, generated) }
  } catch (error) {
    if (!(error instanceof PgError)) throw error
    return { error: error.code }
  }
}
