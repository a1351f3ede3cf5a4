// AllocSet: the allocator for chunks of any size, freed in any order. Sizes up to 8 kB are rounded up to powers of two, of
// which freed chunks are kept in lists for the next of their size; larger chunks have a block of their own.
// Source: src/backend/utils/mmgr/aset.c, PostgreSQL 18.
import { copyBytes, int32Views, slotShift, unitBytes, unitMask } from './address-space.ts'
import { GrowingContext, type GrowingContextOptions } from './growing-context.ts'
import { blockEnd, blockField, blockFree, setBlockField } from './memory-block.ts'
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
} from './memory-chunk.ts'
import type { MemoryContext, MemoryStatistics } from './memory-context.ts'

const listCount = 11
const chunkBytesMax = 8192
// The largest block shall have room for that many chunks.
const chunksPerBlock = 4
// Of a free chunk, which leads to the next one of its list.
const linkBytes = 4

// The list of chunks of at least `size` bytes: 0 for 8, 1 for 16, …
const listFor = (size: number): number => (size <= 8 ? 0 : 29 - Math.clz32(size - 1))

export class AllocSet extends GrowingContext {
  override readonly type = 'AllocSet'
  override readonly method = methods.allocSet
  readonly #lists = new Int32Array(listCount)

  constructor(
    parent: MemoryContext | undefined,
    name: string,
    options: GrowingContextOptions = {},
  ) {
    super(parent, name, options, 1, chunkBytesMax, chunksPerBlock)
  }

  override palloc(size: number): number {
    if (size >>> 0 !== size || size > this.shortLimit) return this.orThrow(size)
    const list = listFor(size)
    const lists = this.#lists
    const head = lists[list] as number
    if (head !== 0) {
      lists[list] = int32Views[head >>> slotShift]![(head & unitMask) << 1] as number
      return head
    }
    const header = this.free
    const end = header + 1 + (1 << list)
    if (end > this.end) return this.orThrow(size)
    this.free = end
    const ints = int32Views[header >>> slotShift]!
    const at = (header & unitMask) << 1
    ints[at] = headerLow(methods.allocSet, list)
    ints[at + 1] = headerHigh(0, (header - this.block) * unitBytes)
    return header + 1
  }

  override tryPalloc(size: number): number {
    return this.slowly(size)
  }

  // Any size: from lists, the block, a new block, or alone in one.
  protected override slowly(size: number): number {
    this.refuseSize(size)
    const wanted = this.checking ? size + 1 : size
    if (wanted > this.chunkLimit) return this.alone(size, wanted)
    const list = listFor(wanted)
    let address = this.#lists[list] as number
    if (address !== 0) {
      this.#lists[list] = int32Views[address >>> slotShift]![(address & unitMask) << 1] as number
      if (this.checking) this.checkFree(address, linkBytes, 8 << list)
    } else {
      const units = this.headerUnits + (1 << list)
      if (this.free + units > this.end) {
        const { free, end, block } = this
        if (!this.addBlock(units)) return 0
        this.#carve(block, free, end)
      }
      address = this.#cut(this.block, this.free, list)
      this.free += units
    }
    if (this.checking) this.markAllocated(address, size, 8 << list)
    return address
  }

  // Writes the header of a chunk that begins at `from` with its header.
  #cut(block: number, from: number, list: number): number {
    const header = from + this.headerUnits - 1
    const ints = int32Views[header >>> slotShift]!
    const at = (header & unitMask) << 1
    ints[at] = headerLow(methods.allocSet, list)
    ints[at + 1] = headerHigh(0, (header - block) * unitBytes)
    return header + 1
  }

  // What a block has left when it is no longer the current one goes to the lists.
  #carve(block: number, from: number, end: number): void {
    let free = from
    while (end - free > this.headerUnits) {
      const list = 31 - Math.clz32(end - free - this.headerUnits)
      if (list >= listCount) break
      const address = this.#cut(block, free, list)
      free += this.headerUnits + (1 << list)
      if (this.checking) this.setFreed(address)
      this.#putInList(address, list)
    }
    setBlockField(block, blockFree, free)
  }

  #putInList(address: number, list: number): void {
    int32Views[address >>> slotShift]![(address & unitMask) << 1] = this.#lists[list] as number
    this.#lists[list] = address
  }

  override freeChunk(address: number, low: number, high: number): void {
    if ((low & externalBit) === 0) {
      const list = low >>> 5
      if (this.checking) this.markFreed(address, 8 << list)
      this.#putInList(address, list)
      return
    }
    const block = this.blockAlone(address, low, high)
    if (this.checking) this.requestedSize(address)
    this.removeBlock(block)
  }

  override resizeChunk(address: number, size: number, low: number, high: number): number {
    this.refuseSize(size)
    const space = this.#usableSpace(address, low)
    const kept = this.checking ? this.requestedSize(address) : space
    const wanted = this.checking ? size + 1 : size
    if ((low & externalBit) !== 0) {
      return this.#resizeAlone(this.blockAlone(address, low, high), size, wanted, kept)
    }
    if (wanted <= space) {
      if (this.checking) this.markAllocated(address, size, space)
      return address
    }
    const moved = this.palloc(size)
    copyBytes(moved, address, Math.min(kept, size))
    this.freeChunk(address, low, high)
    return moved
  }

  #resizeAlone(block: number, size: number, wanted: number, kept: number): number {
    const before = (blockField(block, blockEnd) - block) * unitBytes
    const bytes = this.bytesAlone(Math.max(wanted, this.chunkLimit + 1))
    let moved = block
    if (bytes !== before) {
      moved = this.acquire(bytes, before)
      if (moved === 0) throw this.outOfMemory(size)
      this.fillAlone(moved, bytes)
      copyBytes(moved + externalUnits, block + externalUnits, Math.min(kept, size))
      this.removeBlock(block)
    }
    const address = moved + externalUnits
    if (this.checking) this.markAllocated(address, size, bytes - externalUnits * unitBytes)
    return address
  }

  #usableSpace(address: number, low: number): number {
    if ((low & externalBit) === 0) return 8 << (low >>> 5)
    return (blockField(address - externalUnits, blockEnd) - address) * unitBytes
  }

  override chunkSpace(address: number, low: number): number {
    const header = (low & externalBit) === 0 ? this.headerUnits * unitBytes : checkedHeaderBytes
    return header + this.#usableSpace(address, low)
  }

  override statistics(): MemoryStatistics {
    const { nblocks, totalspace, freespace: neverUsed } = super.statistics()
    let freechunks = 0
    let freespace = neverUsed
    for (let list = 0; list < listCount; list++) {
      let chunk = this.#lists[list] as number
      for (; chunk !== 0; chunk = blockField(chunk, 0)) {
        freechunks++
        freespace += this.headerUnits * unitBytes + (8 << list)
      }
    }
    return { nblocks, freechunks, totalspace, freespace, used: totalspace - freespace }
  }

  protected override checkChunk(block: number, header: number): number {
    const low = blockField(header, 0)
    const high = blockField(header, 1)
    const address = header + 1
    if (low === externalLow(methods.allocSet)) {
      this.requestedSize(address)
      return blockField(block, blockEnd)
    }
    const list = headerValue(low, high)
    if (headerBlockOffset(high) !== (header - block) * unitBytes || list >= listCount) {
      throw invalidPointer('check', address, low, high)
    }
    if (this.isFreed(address)) this.checkFree(address, linkBytes, 8 << list)
    else this.requestedSize(address)
    return address + (1 << list) + this.headerUnits - 1
  }

  protected override clear(): void {
    this.#lists.fill(0)
    super.clear()
  }

  protected override releaseAll(): void {
    this.#lists.fill(0)
    super.releaseAll()
  }
}
