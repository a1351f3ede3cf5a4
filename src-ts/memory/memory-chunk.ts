// The header before every chunk: which allocator it is of, and where its block is.
//
//   bits    width  field
//   0            4  method: the allocator (`methods`)
//   4            1  external: the chunk is alone in its block; the rest is a magic number
//   5           30  value: for the allocator; its top bit is the lowest of the next field, which is always 0
//   34          30  block offset: bytes from the block to the header
//
// Source: src/include/utils/memutils_memorychunk.h and memutils_internal.h, PostgreSQL 18. The 64 bits are two int32 here,
// `low` and `high`. A context that checks has 8 bytes before them, of which the first four are the size asked for; an
// external chunk always has these 8 bytes, so that its block is found without knowing the context.
import { PgError } from '../errors/pg-error.ts'
import { unitBytes } from './address-space.ts'
import { blockHeaderUnits } from './memory-block.ts'

export const chunkHeaderBytes = 8
export const checkedHeaderBytes = 16
/** An external chunk lies behind the header of its block and a long header of its own. */
export const externalUnits = blockHeaderUnits + checkedHeaderBytes / unitBytes

/** Allocators, with PostgreSQL's numbers. */
export const methods = { allocSet: 3, generation: 4, slab: 5, aligned: 6, bump: 7, wiped: 15 }
export const methodMask = 0xf
export const externalBit = 0x10

const magicLow = 0x8eb6efa0 | 0
const magicHigh = 0xb1a8db85 | 0

/** The upper half of the header of an external chunk. */
export const externalHigh = magicHigh
export const externalLow = (method: number): number => magicLow | externalBit | method

/** Halves of the header of a chunk in a block. `value` below 2^30, `blockOffset` a multiple of 8 below 2^30. */
export const headerLow = (method: number, value: number): number => method | (value << 5)
export const headerHigh = (value: number, blockOffset: number): number =>
  (value >>> 27) | (blockOffset << 2)
export const headerValue = (low: number, high: number): number => (low >>> 5) | ((high & 0x7) << 27)
export const headerBlockOffset = (high: number): number => (high >>> 2) & 0x3ffffffe

/** Bytes that stand in memory nobody may use, and in the first byte after what was asked for. */
export const wipedByte = 0x7f
export const sentinelByte = 0x7e
/** The size asked for of a chunk that is free. */
export const freedSize = -1

/** As MaxAllocSize: the largest chunk. */
export const chunkBytesMax = 0x3fffffff

const hexadecimal = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')

/** XX000: what is at the address is no chunk that is in use. */
export function invalidPointer(what: string, address: number, low: number, high: number): PgError {
  const header = `0x${hexadecimal(high)}${hexadecimal(low)}`
  const wiped = (low & methodMask) === methods.wiped
  return new PgError(
    'XX000',
    `${what} called with invalid pointer 0x${address.toString(16)} (header ${header})`,
    wiped ? { hint: 'Its context was reset or deleted, or it was freed.' } : {},
  )
}

/** XX000: a chunk of a context that checks was misused. */
export function damaged(what: string, context: string, address: number): PgError {
  return new PgError('XX000', `detected ${what} in ${context} 0x${address.toString(16)}`)
}
