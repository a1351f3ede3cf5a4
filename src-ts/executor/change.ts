// Changes: statements that change rows, as users write them.
import type { Conditions, Expression, OutputColumn } from './query.ts'

/**
 * New values by their columns' names: a constant as itself, or an expression, in which a text is a column of the row as
 * it was.
 */
export type Assignments<T = Record<string, unknown>> = { [K in keyof T]?: T[K] | Expression | null }

/** Columns of the rows that were changed, as they are now (of deleted ones, as they were), or `'*'` for all. */
export type Returning = '*' | readonly OutputColumn[]

/**
 * ON CONFLICT: what becomes of a row whose key another row has. `'do nothing'` leaves it out, whichever key that is.
 * `columns` are those of a unique index, or `constraint` is its name: without `update` a row that meets one there is left
 * out; with it, the row that is there is updated, if it meets `where`. In both a name is a column of the row that is there,
 * and `{ excluded: 'name' }` one of the row that was to be inserted.
 */
export type OnConflict<T = Record<string, unknown>> =
  | 'do nothing'
  | {
      columns?: readonly (keyof T & string)[]
      constraint?: string
      update?: Assignments<T>
      where?: Conditions
    }

/** INSERT, but for its rows. */
export interface InsertRequest<T = Record<string, unknown>> {
  onConflict?: OnConflict<T>
  /** Of the rows that were inserted or updated. */
  returning?: Returning
}

/** UPDATE. */
export interface UpdateRequest<T = Record<string, unknown>> {
  set: Assignments<T>
  /** Default: all rows. */
  where?: Conditions
  returning?: Returning
}

/** DELETE. */
export interface DeleteRequest {
  /** Default: all rows. */
  where?: Conditions
  returning?: Returning
}
