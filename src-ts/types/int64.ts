// 64-bit integers as the int64 lane carries them: two halves, joined without a bigint when the
// value is exact as a number.

import type { BuiltinType } from './builtin-types.ts'
import type { TypeCodec } from './codec.ts'

/** A signed 64-bit integer: a number whenever that is exact, else a bigint. */
export type Int64 = number | bigint

const TWO_32 = 4294967296

export function int64FromHalves(low: number, high: number): Int64 {
  const value = high * TWO_32 + (low >>> 0)
  if (Number.isSafeInteger(value)) return value
  return (BigInt(high) << 32n) | BigInt(low >>> 0)
}

export function int64ToHalves(value: Int64, out: Int32Array, at: number): void {
  if (typeof value === 'number') {
    out[at] = (value % TWO_32) | 0
    out[at + 1] = Math.floor(value / TWO_32)
  } else {
    out[at] = Number(BigInt.asIntN(32, value))
    out[at + 1] = Number(BigInt.asIntN(32, value >> 32n))
  }
}

/** The same integer in the form that `Int64` promises. */
export function int64Of(value: Int64): Int64 {
  if (typeof value === 'number') return value
  const narrow = Number(value)
  return Number.isSafeInteger(narrow) ? narrow : value
}

/** What a type of the int64 lane has to say; the lane's several forms follow from it. */
export interface Int64Type<T> {
  read(value: Int64): T
  write(value: unknown): Int64
  print(value: Int64): string
  parse(text: string): Int64
  /** Of `read`: see TypeCodec. */
  exact?: 'number' | 'date'
}

export function int64Codec<T>(
  type: BuiltinType,
  typmod: number,
  meaning: Int64Type<T>,
): TypeCodec<T, bigint> {
  return {
    ...type,
    typmod,
    lane: 'int64',
    isIdentity: false,
    fromLane: (raw) => meaning.read(int64Of(raw)),
    toLane: (value) => BigInt(meaning.write(value)),
    toText: (raw) => meaning.print(int64Of(raw)),
    fromText: (text) => BigInt(meaning.parse(text)),
    ...(meaning.exact && { exact: meaning.exact }),
    fromHalves: (low, high) => meaning.read(int64FromHalves(low, high)),
    toHalves: (value, out, at) => int64ToHalves(meaning.write(value), out, at),
    textFromHalves: (low, high) => meaning.print(int64FromHalves(low, high)),
  }
}
