// The header of every block of a memory context, and lists of blocks.
//
//   offset  size  field     meaning
//        0     4  context   number of the context, for pfree
//        4     4  previous  address of the block before it in its list, or 0
//        8     4  next      address of the block after it, or 0
//       12     4  free      address of the first byte that was never given out
//       16     4  end       address of the first byte behind the block
//       20     4  chunks    chunks given out, or what the allocator says
//       24     4  freed     of these, given back, or what the allocator says
//       28     4  head      first free chunk (Slab)
import { int32Views, slotShift, unitMask } from './address-space.ts'

export const blockHeaderUnits = 4
export const blockHeaderBytes = 32

export const blockContext = 0
const blockPrevious = 1
export const blockNext = 2
export const blockFree = 3
export const blockEnd = 4
export const blockChunks = 5
export const blockFreed = 6
export const blockHead = 7

export function blockField(block: number, field: number): number {
  return int32Views[block >>> slotShift]![((block & unitMask) << 1) + field] as number
}

export function setBlockField(block: number, field: number, value: number): void {
  int32Views[block >>> slotShift]![((block & unitMask) << 1) + field] = value
}

/** Writes the header of a block that is in no list yet. */
export function initBlock(block: number, context: number, units: number): void {
  const ints = int32Views[block >>> slotShift]!
  const at = (block & unitMask) << 1
  ints[at + blockContext] = context
  ints[at + blockPrevious] = 0
  ints[at + blockNext] = 0
  ints[at + blockFree] = block + blockHeaderUnits
  ints[at + blockEnd] = block + units
  ints[at + blockChunks] = 0
  ints[at + blockFreed] = 0
  ints[at + blockHead] = 0
}

/** Puts a block before the first one of a list, which may be 0; returns the new first. */
export function linkFirst(block: number, first: number): number {
  setBlockField(block, blockPrevious, 0)
  setBlockField(block, blockNext, first)
  if (first !== 0) setBlockField(first, blockPrevious, block)
  return block
}

/** Puts a block behind another one of a list. */
export function linkAfter(block: number, other: number): void {
  const next = blockField(other, blockNext)
  setBlockField(block, blockPrevious, other)
  setBlockField(block, blockNext, next)
  setBlockField(other, blockNext, block)
  if (next !== 0) setBlockField(next, blockPrevious, block)
}

/** Takes a block out of the list that begins with `first`; returns what it begins with now. */
export function unlink(block: number, first: number): number {
  const previous = blockField(block, blockPrevious)
  const next = blockField(block, blockNext)
  if (next !== 0) setBlockField(next, blockPrevious, previous)
  if (previous === 0) return next
  setBlockField(previous, blockNext, next)
  return first
}
