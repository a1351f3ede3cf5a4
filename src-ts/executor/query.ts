// Query: a SELECT, or a set operation on several, as a plain object, as users write it.

import type { JsonStep } from '../binding/native.ts'

/** A column by its name, alone or after its table's name or alias; a number, bigint, boolean or null as itself. */
export type Operand = string | number | bigint | boolean | null | Expression

/** A value computed for each row. A text, a date or any other constant is given as `{ value }`. */
export type Expression =
  | { column: string }
  | { value: unknown }
  /** Of the row that was to be inserted, in what ON CONFLICT does instead. */
  | { excluded: string }
  | { add: readonly [Operand, Operand] }
  | { subtract: readonly [Operand, Operand] }
  | { multiply: readonly [Operand, Operand] }
  | { divide: readonly [Operand, Operand] }
  | { modulo: readonly [Operand, Operand] }
  /** What a json or jsonb document has there, by keys and places from outside to inside (`->`); null if nothing. */
  | { json: readonly [Operand, ...JsonStep[]] }
  /** The same as text, where JSON's null is null (`->>`). */
  | { jsonText: readonly [Operand, ...JsonStep[]] }
  /** The same of jsonb as numeric (`(… -> …)::numeric`); 22023 where it is no number. */
  | { jsonNumber: readonly [Operand, ...JsonStep[]] }

/** What a column, or an expression, is compared with: a constant as itself, or an expression. */
export interface Comparison {
  '='?: unknown
  '<>'?: unknown
  '<'?: unknown
  '<='?: unknown
  '>'?: unknown
  '>='?: unknown
  isNull?: boolean
  in?: readonly unknown[]
  /** With % and _, and a backslash before either to mean itself. */
  like?: unknown
  /** Both ends included. */
  between?: readonly [unknown, unknown]
  not?: Comparison
}

/**
 * What must be true of a row: all of its members. A column's name with what it is compared with (a plain value means
 * equality, null `is null`); `and`, `or`, `not` with further conditions; or an operator with its operands, of which
 * strings are columns: `{ '>': ['a', { add: ['b', 1] }] }`.
 */
export interface Conditions {
  and?: readonly Conditions[]
  or?: readonly Conditions[]
  not?: Conditions
  [column: string]: unknown
}

/** A column by its name, or an expression with the name of the column that it makes. */
export type OutputColumn = string | (Expression & { as: string })

/** An aggregate of the rows of each group; of all rows without `groupBy`. */
export type AggregateCall =
  | { count: '*' | Operand }
  | { sum: Operand }
  | { avg: Operand }
  | { min: Operand }
  | { max: Operand }

/** Where a frame begins or ends: at the partition's, with the row, or so many rows, groups of peers, or so far in value, away. */
export type FrameBound =
  | 'unbounded'
  | 'current row'
  | { preceding: number | bigint }
  | { following: number | bigint }

/**
 * A frame as SQL has them: `{ mode: 'rows', from: { preceding: 2 }, to: { following: 2 } }`. `from` is 'unbounded' by default,
 * `to` 'current row'. In a range the row stands for its peers, and offsets are distances of the one column that orders the
 * rows, of a number type.
 */
export interface WindowFrame {
  mode: 'rows' | 'range' | 'groups'
  from?: FrameBound
  to?: FrameBound
  exclude?: 'current row' | 'group' | 'ties'
}

/**
 * A function of the rows around each row: its number among them, a value of one of them, or an aggregate. `frame`: of all rows
 * up to the last peer ('range', the default; without an order all are peers), up to the row itself ('rows'), of the whole
 * partition, or of any others. Numbers and `lag` to `ntile` take no frame.
 */
export type WindowCall = (
  | AggregateCall
  | { rowNumber: true }
  | { rank: true }
  | { denseRank: true }
  | { percentRank: true }
  | { cumeDist: true }
  /** In which of so many parts, as even as can be, the row is, from 1. */
  | { ntile: number }
  /** Of the row before, or so many rows before; the third operand stands for a row that there is not, or null does. */
  | { lag: Operand | readonly [Operand, number, Operand?] }
  | { lead: Operand | readonly [Operand, number, Operand?] }
  | { firstValue: Operand }
  | { lastValue: Operand }
  /** Of the row of that number, from 1; null until there is one. */
  | { nthValue: readonly [Operand, number] }
) & {
  partitionBy?: readonly Operand[]
  orderBy?: readonly OrderBy[]
  frame?: 'range' | 'rows' | 'partition' | WindowFrame
}

/** A name is a column of the result if it has one of that name. Ascending by default, nulls last; descending, first. */
export type OrderBy =
  | string
  | {
      column: string | Expression
      direction?: 'asc' | 'desc'
      nulls?: 'first' | 'last'
    }

/** A further table, whose rows are joined with those so far where the conditions hold. */
export interface Join {
  table: string
  as?: string
  /** Semi and anti: rows so far that have, or do not have, a partner; the table's columns are then known in `on` alone. */
  type?: 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti' | 'cross'
  /**
   * Conditions as in `where`, but that a plain text beside a column's name is another column:
   * `{ 'o.account': 'accounts.id', 'o.total': { '>': 100 } }`. A cross join has none.
   */
  on?: Conditions
}

export interface Select {
  /** A table; "public" unless the name says otherwise. */
  from: string | { table: string; as?: string }
  join?: readonly Join[]
  /** Default: all columns. */
  columns?: readonly OutputColumn[]
  where?: Conditions
  /** Columns and named expressions that the rows of a group have in common. */
  groupBy?: readonly OutputColumn[]
  /** Columns of the result by their names, after the others: `{ n: { count: '*' }, total: { sum: 'balance' } }`. */
  aggregates?: Readonly<Record<string, AggregateCall>>
  /** Columns of the result by their names, after the others: `{ place: { rank: true, orderBy: ['total'] } }`. */
  windows?: Readonly<Record<string, WindowCall>>
  /** Conditions on the groups, in terms of their columns and of the aggregates' names. */
  having?: Conditions
  orderBy?: readonly OrderBy[]
  /** Of rows that are alike only one. */
  distinct?: boolean
  limit?: number | bigint
  offset?: number | bigint
}

interface SetOperationParts {
  /** Rows that are alike are not made one. */
  all?: boolean
  /** By names of the result's columns. */
  orderBy?: readonly OrderBy[]
  limit?: number | bigint
  offset?: number | bigint
}

/**
 * The rows of two or more queries, from the left to the right, that have as many columns, of types that go together. Names are
 * those of the first. Nulls are alike.
 */
export type SetOperation = SetOperationParts &
  ({ union: readonly Query[] } | { intersect: readonly Query[] } | { except: readonly Query[] })

export type Query = Select | SetOperation

export interface QueryOptions {
  /** Ends the query with 57014. */
  signal?: AbortSignal
}
