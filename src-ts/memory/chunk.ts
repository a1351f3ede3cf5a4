// Chunks by their address alone: giving them back, resizing them, what they are of.
// Source: src/backend/utils/mmgr/mcxt.c and alignedalloc.c, PostgreSQL 18.
import { copyBytes, int32Views, slotShift, unitBytes, unitMask } from './address-space.ts'
import { blockContext, blockField } from './memory-block.ts'
import {
  checkedHeaderBytes,
  chunkHeaderBytes,
  externalBit,
  externalUnits,
  headerBlockOffset,
  headerValue,
  invalidPointer,
  methodMask,
  methods,
} from './memory-chunk.ts'
import { contextByNumber, type MemoryContext } from './memory-context.ts'

function lowAt(address: number): number {
  const header = address - 1
  return int32Views[header >>> slotShift]![(header & unitMask) << 1] as number
}

function highAt(address: number): number {
  const header = address - 1
  return int32Views[header >>> slotShift]![((header & unitMask) << 1) + 1] as number
}

function contextOf(what: string, address: number, low: number, high: number): MemoryContext {
  const method = low & methodMask
  if (method >= methods.allocSet && method <= methods.bump) {
    const block =
      (low & externalBit) !== 0
        ? address - externalUnits
        : address - 1 - headerBlockOffset(high) / unitBytes
    const context = block > 0 ? contextByNumber(blockField(block, blockContext)) : undefined
    if (context !== undefined && context.method === method) return context
  }
  throw invalidPointer(what, address, low, high)
}

// The chunk in which an aligned one lies.
function unaligned(address: number, high: number): number {
  return address - headerBlockOffset(high) / unitBytes
}

/** Gives a chunk back to its context. */
export function pfree(address: number): void {
  const low = lowAt(address)
  const high = highAt(address)
  if ((low & methodMask) === methods.aligned) pfree(unaligned(address, high))
  else contextOf('pfree', address, low, high).freeChunk(address, low, high)
}

/** Makes a chunk larger or smaller, keeping what it holds; returns where it is now. Throws 53200, and leaves it. */
export function repalloc(address: number, size: number): number {
  const low = lowAt(address)
  const high = highAt(address)
  if ((low & methodMask) === methods.aligned) return repallocAligned(address, size, low, high)
  return contextOf('repalloc', address, low, high).resizeChunk(address, size, low, high)
}

function repallocAligned(address: number, size: number, low: number, high: number): number {
  const chunk = unaligned(address, high)
  const context = chunkContext(chunk)
  const moved = context.pallocAligned(size, headerValue(low, high))
  // A context that checks has one byte more behind what was asked for.
  const header = context.checking ? checkedHeaderBytes : chunkHeaderBytes
  const space = chunkSpace(chunk) - header - (address - chunk) * unitBytes
  copyBytes(moved, address, Math.min(size, space))
  pfree(chunk)
  return moved
}

/** The context of a chunk. */
export function chunkContext(address: number): MemoryContext {
  const low = lowAt(address)
  const high = highAt(address)
  if ((low & methodMask) === methods.aligned) return chunkContext(unaligned(address, high))
  return contextOf('chunkContext', address, low, high)
}

/** Bytes that a chunk takes in its block, with its header. */
export function chunkSpace(address: number): number {
  const low = lowAt(address)
  const high = highAt(address)
  if ((low & methodMask) === methods.aligned) return chunkSpace(unaligned(address, high))
  return contextOf('chunkSpace', address, low, high).chunkSpace(address, low, high)
}
