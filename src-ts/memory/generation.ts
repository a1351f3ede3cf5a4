// Generation: the allocator for chunks that are freed in about the order in which they were allocated. Freed chunks are not
// used again, but a block all of whose chunks were freed is, or goes back.
// Source: src/backend/utils/mmgr/generation.c, PostgreSQL 18.
import {
  copyBytes,
  fillBytes,
  int32Views,
  slotShift,
  unitBytes,
  unitMask,
} from './address-space.ts'
import { GrowingContext, type GrowingContextOptions } from './growing-context.ts'
import {
  blockChunks,
  blockEnd,
  blockField,
  blockFree,
  blockFreed,
  blockHeaderBytes,
  blockHeaderUnits,
  setBlockField,
} from './memory-block.ts'
import {
  checkedHeaderBytes,
  externalBit,
  externalLow,
  externalUnits,
  headerBlockOffset,
  headerHigh,
  headerLow,
  headerValue,
  invalidPointer,
  methods,
  wipedByte,
} from './memory-chunk.ts'
import type { MemoryContext } from './memory-context.ts'

// The largest block shall have room for that many chunks.
const chunksPerBlock = 8

export class Generation extends GrowingContext {
  override readonly type = 'Generation'
  override readonly method = methods.generation
  // An empty block that is kept for the next one that is needed.
  #spare = 0

  constructor(
    parent: MemoryContext | undefined,
    name: string,
    options: GrowingContextOptions = {},
  ) {
    super(parent, name, options, 1, Number.POSITIVE_INFINITY, chunksPerBlock)
  }

  override palloc(size: number): number {
    if (size >>> 0 !== size || size > this.shortLimit) return this.orThrow(size)
    const units = (size + 7) >>> 3
    const header = this.free
    const end = header + 1 + units
    if (end > this.end) return this.orThrow(size)
    this.free = end
    this.chunks++
    const ints = int32Views[header >>> slotShift]!
    const at = (header & unitMask) << 1
    ints[at] = headerLow(methods.generation, units * unitBytes)
    ints[at + 1] = headerHigh(units * unitBytes, (header - this.block) * unitBytes)
    return header + 1
  }

  override tryPalloc(size: number): number {
    return this.slowly(size)
  }

  protected override slowly(size: number): number {
    this.refuseSize(size)
    const wanted = this.checking ? size + 1 : size
    if (wanted > this.chunkLimit) return this.alone(size, wanted)
    const bytes = ((wanted + 7) >>> 3) * unitBytes
    const units = this.headerUnits + bytes / unitBytes
    if (this.free + units > this.end && !this.#nextBlock(units)) return 0
    const header = this.free + this.headerUnits - 1
    this.free += units
    this.chunks++
    const ints = int32Views[header >>> slotShift]!
    const at = (header & unitMask) << 1
    ints[at] = headerLow(methods.generation, bytes)
    ints[at + 1] = headerHigh(bytes, (header - this.block) * unitBytes)
    if (this.checking) this.markAllocated(header + 1, size, bytes)
    return header + 1
  }

  // The spare block, the keeper or a new block becomes the current one.
  #nextBlock(units: number): boolean {
    for (const block of [this.#spare, this.keeper]) {
      if (block === 0 || block === this.block || blockField(block, blockChunks) > 0) continue
      if (blockField(block, blockEnd) - blockField(block, blockFree) < units) continue
      if (block === this.#spare) this.#spare = 0
      this.makeCurrent(block)
      return true
    }
    return this.addBlock(units)
  }

  override freeChunk(address: number, low: number, high: number): void {
    if ((low & externalBit) !== 0) {
      const alone = this.blockAlone(address, low, high)
      if (this.checking) this.requestedSize(address)
      this.removeBlock(alone)
      return
    }
    if (this.checking) this.markFreed(address, headerValue(low, high))
    const block = address - 1 - headerBlockOffset(high) / unitBytes
    const freed = blockField(block, blockFreed) + 1
    setBlockField(block, blockFreed, freed)
    const isCurrent = block === this.block
    if (freed < (isCurrent ? this.chunks : blockField(block, blockChunks))) return
    if (!isCurrent && block !== this.keeper) {
      if (this.#spare !== 0) {
        this.removeBlock(block)
        return
      }
      this.#spare = block
    }
    this.#empty(block, isCurrent)
  }

  #empty(block: number, isCurrent: boolean): void {
    const free = block + blockHeaderUnits
    setBlockField(block, blockFree, free)
    setBlockField(block, blockChunks, 0)
    setBlockField(block, blockFreed, 0)
    if (isCurrent) {
      this.free = free
      this.chunks = 0
    }
    if (!this.checking) return
    const bytes = (blockField(block, blockEnd) - block) * unitBytes
    fillBytes(block, blockHeaderBytes, bytes - blockHeaderBytes, wipedByte)
  }

  override resizeChunk(address: number, size: number, low: number, high: number): number {
    this.refuseSize(size)
    const space = this.#usableSpace(address, low, high)
    const kept = this.checking ? this.requestedSize(address) : space
    if ((this.checking ? size + 1 : size) <= space) {
      if (this.checking) this.markAllocated(address, size, space)
      return address
    }
    const moved = this.palloc(size)
    copyBytes(moved, address, kept)
    this.freeChunk(address, low, high)
    return moved
  }

  #usableSpace(address: number, low: number, high: number): number {
    if ((low & externalBit) === 0) return headerValue(low, high)
    return (blockField(this.blockAlone(address, low, high), blockEnd) - address) * unitBytes
  }

  override chunkSpace(address: number, low: number, high: number): number {
    const header = (low & externalBit) === 0 ? this.headerUnits * unitBytes : checkedHeaderBytes
    return header + this.#usableSpace(address, low, high)
  }

  protected override checkChunk(block: number, header: number): number {
    const low = blockField(header, 0)
    const high = blockField(header, 1)
    const address = header + 1
    if (low === externalLow(methods.generation)) {
      this.requestedSize(block + externalUnits)
      return blockField(block, blockEnd)
    }
    if (headerBlockOffset(high) !== (header - block) * unitBytes) {
      throw invalidPointer('check', address, low, high)
    }
    const space = headerValue(low, high)
    if (this.isFreed(address)) this.checkFree(address, 0, space)
    else this.requestedSize(address)
    return address + space / unitBytes + this.headerUnits - 1
  }

  protected override clear(): void {
    this.#spare = 0
    super.clear()
  }

  protected override releaseAll(): void {
    this.#spare = 0
    super.releaseAll()
  }
}
