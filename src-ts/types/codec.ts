// The contract between a type and everything that moves its values: what a type codec is, and what
// a value looks like on its way between native code and JavaScript.

import type { BuiltinType } from './builtin-types.ts'

/**
 * How a column travels in a row batch between native code and JavaScript.
 *
 *   lane      a value is
 *   bool      one byte, 0 or 1
 *   int16     int32 uint32 int64 float32 float64: a little-endian number; int64 is read and written
 *             as two 32-bit halves
 *   char      one signed byte (PostgreSQL's "char")
 *   text      a piece of the batch's one string: UTF-8 text without header or trailing NULs
 *   bytes     raw datum bytes. For a varlena: the payload without the length header, detoasted and
 *             decompressed. For a fixed-length type passed by reference: the bytes themselves.
 */
export type Lane =
  | 'bool'
  | 'int16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float32'
  | 'float64'
  | 'char'
  | 'text'
  | 'bytes'

/** A value as it lies in its lane: number, bigint for int64, string for text, Uint8Array for bytes. */
export type LaneValue = number | bigint | string | Uint8Array

export interface TypeCodec<T = unknown, R extends LaneValue = LaneValue> extends BuiltinType {
  /** atttypmod, already encoded as PostgreSQL stores it; -1 is none. */
  readonly typmod: number
  readonly lane: Lane
  /** True when the lane value is the JavaScript value: a decoder may skip `fromLane`. */
  readonly isIdentity: boolean

  /** Lane value to JavaScript value. Throws 22003 where digits would be lost, XX001 on bad bytes. */
  fromLane(raw: R): T
  /** JavaScript value to lane value, the type modifier applied. Throws PgError. */
  toLane(value: unknown): R
  /** The text of PostgreSQL's output function (ISO dates, UTC, postgres intervals, hex bytea). */
  toText(raw: R): string
  /** PostgreSQL's input function with the type modifier applied. Throws PgError with its SQLSTATE. */
  fromText(text: string): R

  /**
   * int64 lane only: what `fromHalves` gives for values that are exact as a number, which a decoder may make itself: the
   * number, or of whole milliseconds, counted in microseconds from 2000, the Date.
   */
  readonly exact?: 'number' | 'date'
  /** int64 lane only: `fromLane` for a value in two halves, without making a bigint. */
  fromHalves?(low: number, high: number): T
  /** int64 lane only: `toLane` that writes the low half at out[at] and the high half at out[at + 1]. */
  toHalves?(value: unknown, out: Int32Array, at: number): void
  /** int64 lane only: `toText` for a value in two halves. */
  textFromHalves?(low: number, high: number): string
}

/** What an array's elements are read as, or a value's text turned into, when names are needed. */
export interface NameResolver {
  /** The text of an object identifier, as the output function of `typeName` prints it. */
  nameOf?(typeName: string, oid: number): string | undefined
  /** The object identifier that `text` names, in the sense of the input function of `typeName`. */
  oidOf?(typeName: string, text: string): number | undefined
}

export interface CodecOptions {
  /** What an int8 is in JavaScript. A 'number' beyond 2^53 raises 22003. Default 'number'. */
  readonly int8?: 'number' | 'bigint' | 'string'
  /** What json and jsonb are in JavaScript: the parsed value, or the text. Default 'value'. */
  readonly json?: 'value' | 'text'
  /** Names for the reg* types and aclitem. Without it they read and write numbers. */
  readonly names?: NameResolver
}
