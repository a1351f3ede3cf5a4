// GrowingContext: what AllocSet, Generation and Bump have in common. Chunks are cut from a current block; blocks double from
// `initBlockSize` to `maxBlockSize`; the first one, the keeper, stays over resets; large chunks have a block of their own.
import { PgError } from '../errors/pg-error.ts'
import { fillBytes, int32Views, slotShift, unitBytes, unitMask } from './address-space.ts'
import {
  blockChunks,
  blockEnd,
  blockField,
  blockFree,
  blockHeaderBytes,
  blockHeaderUnits,
  blockNext,
  initBlock,
  linkAfter,
  linkFirst,
  setBlockField,
  unlink,
} from './memory-block.ts'
import {
  externalHigh,
  externalLow,
  externalUnits,
  freedSize,
  invalidPointer,
  wipedByte,
} from './memory-chunk.ts'
import {
  MemoryContext,
  type MemoryContextOptions,
  type MemoryStatistics,
} from './memory-context.ts'

export interface GrowingContextOptions extends MemoryContextOptions {
  /** At least 1 kB, a multiple of 8. Default 8 kB. */
  initBlockSize?: number
  /** Default 8 MB. */
  maxBlockSize?: number
  /** Bytes of the keeper block. Default: initBlockSize. */
  minContextSize?: number
}

/** For contexts that stay small, as ALLOCSET_SMALL_SIZES. */
export const smallSizes = { initBlockSize: 1024, maxBlockSize: 8192 }

const initBlockSizeDefault = 8192
const maxBlockSizeDefault = 8 * 1024 * 1024
const blockBytesMin = 1024
// What the offset in the header of a chunk can reach.
const blockBytesMax = 1 << 29

function requireBlockSizes(...sizes: number[]): void {
  for (const size of sizes) {
    if (size % unitBytes === 0 && size >= blockBytesMin && size <= blockBytesMax) continue
    throw new PgError('XX000', `invalid block size of a memory context: ${size}`)
  }
}

export abstract class GrowingContext extends MemoryContext {
  /** Units before a chunk in a shared block. */
  protected readonly headerUnits: number
  /** Chunks of more bytes are alone in their block. */
  protected readonly chunkLimit: number
  /** Up to here palloc may take the short way; -1 when it never may. */
  protected shortLimit: number
  /** The block from which chunks are cut; where its free part begins and ends. Its header knows after `settle`. */
  protected block = 0
  protected free = 0
  protected end = 0
  /** Chunks of the block, if the allocator counts them. */
  protected chunks = 0
  /** The first of all blocks. */
  protected first = 0
  protected readonly keeper: number
  readonly #keeperBytes: number
  readonly #initBlockSize: number
  readonly #maxBlockSize: number
  #nextBlockSize: number

  /** `chunkLimitMax`: as `chunkLimit`, if blocks can be so large that `chunksPerBlock` fit into the largest. */
  constructor(
    parent: MemoryContext | undefined,
    name: string,
    options: GrowingContextOptions,
    plainHeaderUnits: number,
    chunkLimitMax: number,
    chunksPerBlock: number,
  ) {
    const { initBlockSize = initBlockSizeDefault, maxBlockSize = maxBlockSizeDefault } = options
    const { minContextSize = initBlockSize } = options
    requireBlockSizes(initBlockSize, maxBlockSize, minContextSize)
    super(parent, name, options)
    this.headerUnits = this.checking ? 2 : plainHeaderUnits
    let limit = Math.min(chunkLimitMax, maxBlockSize)
    const header = this.headerUnits * unitBytes
    while (limit + header > (maxBlockSize - blockHeaderBytes) / chunksPerBlock) limit /= 2
    this.chunkLimit = limit
    this.shortLimit = this.checking ? -1 : limit
    this.#initBlockSize = initBlockSize
    this.#maxBlockSize = maxBlockSize
    this.#nextBlockSize = initBlockSize
    this.#keeperBytes = minContextSize
    this.keeper = this.acquire(minContextSize)
    if (this.keeper === 0) {
      this.abandon()
      throw this.outOfMemory(minContextSize)
    }
    this.#beginWithKeeper()
  }

  /** As palloc, for whatever the short way cannot do; 0 when there is no room. */
  protected abstract slowly(size: number): number

  protected orThrow(size: number): number {
    const address = this.slowly(size)
    if (address === 0) throw this.outOfMemory(size)
    return address
  }

  /** Makes a block the one from which chunks are cut. */
  protected makeCurrent(block: number): void {
    this.settle()
    this.block = block
    this.free = blockField(block, blockFree)
    this.end = blockField(block, blockEnd)
    this.chunks = blockField(block, blockChunks)
  }

  /** Brings the header of the current block up to date. */
  protected settle(): void {
    if (this.block === 0) return
    setBlockField(this.block, blockFree, this.free)
    setBlockField(this.block, blockChunks, this.chunks)
  }

  /** Makes a new block with room for `units` the current one; false when there is no memory for it. */
  protected addBlock(units: number): boolean {
    const needed = units * unitBytes + blockHeaderBytes
    let bytes = this.#nextBlockSize
    while (bytes < needed) bytes *= 2
    let block = this.acquire(bytes)
    // Near the limit a small block is better than none.
    while (block === 0 && bytes / 2 >= needed && bytes / 2 >= blockBytesMin) {
      bytes /= 2
      block = this.acquire(bytes)
    }
    if (block === 0) return false
    this.#nextBlockSize = Math.min(this.#nextBlockSize * 2, this.#maxBlockSize)
    initBlock(block, this.number, bytes / unitBytes)
    this.first = linkFirst(block, this.first)
    this.makeCurrent(block)
    if (this.checking) fillBytes(block, blockHeaderBytes, bytes - blockHeaderBytes, wipedByte)
    return true
  }

  /** A chunk in a block of its own; 0 when there is no memory. `wanted`: the size with what checking needs. */
  protected alone(size: number, wanted: number): number {
    const bytes = this.bytesAlone(wanted)
    const block = this.acquire(bytes)
    if (block === 0) return 0
    this.fillAlone(block, bytes)
    const address = block + externalUnits
    if (this.checking) this.markAllocated(address, size, bytes - externalUnits * unitBytes)
    return address
  }

  protected bytesAlone(wanted: number): number {
    return (externalUnits + Math.ceil(wanted / unitBytes)) * unitBytes
  }

  /** Writes the headers of a block for one chunk, and puts it into the list. */
  protected fillAlone(block: number, bytes: number): void {
    initBlock(block, this.number, bytes / unitBytes)
    setBlockField(block, blockFree, block + bytes / unitBytes)
    setBlockField(block, blockChunks, 1)
    linkAfter(block, this.first)
    const header = block + externalUnits - 1
    const ints = int32Views[header >>> slotShift]!
    const at = (header & unitMask) << 1
    ints[at] = externalLow(this.method)
    ints[at + 1] = externalHigh
  }

  /** The block of a chunk that is alone in it. Throws XX000 when the header is none. */
  protected blockAlone(address: number, low: number, high: number): number {
    if (low !== externalLow(this.method) || high !== externalHigh) {
      throw invalidPointer('pfree', address, low, high)
    }
    return address - externalUnits
  }

  protected removeBlock(block: number): void {
    this.first = unlink(block, this.first)
    this.release(block, (blockField(block, blockEnd) - block) * unitBytes)
  }

  /** A chunk's mark for one that is free, without a look at it. */
  protected setFreed(address: number): void {
    const at = address - 2
    int32Views[at >>> slotShift]![(at & unitMask) << 1] = freedSize
  }

  override statistics(): MemoryStatistics {
    this.settle()
    let nblocks = 0
    let freespace = 0
    for (let block = this.first; block !== 0; block = blockField(block, blockNext)) {
      nblocks++
      freespace += (blockField(block, blockEnd) - blockField(block, blockFree)) * unitBytes
    }
    const totalspace = this.ownBytes
    return { nblocks, freechunks: 0, totalspace, freespace, used: totalspace - freespace }
  }

  override check(): void {
    if (!this.checking) return
    this.settle()
    for (let block = this.first; block !== 0; block = blockField(block, blockNext)) {
      const free = blockField(block, blockFree)
      let header = block + blockHeaderUnits + 1
      while (header < free) header = this.checkChunk(block, header)
    }
  }

  /** Looks at a chunk of a context that checks; returns where the header of the next one is. */
  protected abstract checkChunk(block: number, header: number): number

  protected override clear(): void {
    this.#releaseBlocks(this.keeper)
    this.#nextBlockSize = this.#initBlockSize
    this.#beginWithKeeper()
  }

  protected override releaseAll(): void {
    this.#releaseBlocks(0)
    this.first = this.block = this.free = this.end = 0
    this.shortLimit = -1
  }

  #beginWithKeeper(): void {
    const bytes = this.#keeperBytes
    initBlock(this.keeper, this.number, bytes / unitBytes)
    if (this.checking) fillBytes(this.keeper, blockHeaderBytes, bytes - blockHeaderBytes, wipedByte)
    this.first = this.keeper
    this.block = 0
    this.makeCurrent(this.keeper)
  }

  #releaseBlocks(except: number): void {
    for (let block = this.first; block !== 0; ) {
      const next = blockField(block, blockNext)
      if (block !== except) this.release(block, (blockField(block, blockEnd) - block) * unitBytes)
      block = next
    }
  }
}
