// Slab: the allocator for chunks of one size, freed in any order. Chunks are taken from the fullest blocks, so that others
// become empty and go back.
// Source: src/backend/utils/mmgr/slab.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { fillBytes, int32Views, slotShift, unitBytes, unitMask } from './address-space.ts'
import {
  blockField,
  blockFree,
  blockFreed,
  blockHead,
  blockHeaderBytes,
  blockHeaderUnits,
  blockNext,
  initBlock,
  linkFirst,
  setBlockField,
  unlink,
} from './memory-block.ts'
import { headerBlockOffset, headerHigh, headerLow, methods, wipedByte } from './memory-chunk.ts'
import {
  MemoryContext,
  type MemoryContextOptions,
  type MemoryStatistics,
} from './memory-context.ts'

export interface SlabOptions extends MemoryContextOptions {
  /** Bytes of every chunk. */
  chunkSize: number
  /** Bytes of a block. Default 8 kB. */
  blockSize?: number
}

// Lists of blocks by how many chunks are free in them; the first is of those without any.
const listCount = 3
const emptyBlocksMax = 10
// Of a free chunk, which leads to the next one of its block.
const linkBytes = 4

export class Slab extends MemoryContext {
  override readonly type = 'Slab'
  override readonly method = methods.slab
  readonly chunkSize: number
  readonly blockSize: number
  readonly #headerUnits: number
  /** Bytes for a chunk's content, and units with its header. */
  readonly #space: number
  readonly #chunkUnits: number
  readonly #chunksPerBlock: number
  readonly #shift: number
  // Blocks; `blockFreed` counts the chunks that are free in one, `blockFree` is the first that never was used.
  readonly #lists = new Int32Array(listCount)
  #empty = 0
  #emptyCount = 0

  constructor(parent: MemoryContext | undefined, name: string, options: SlabOptions) {
    super(parent, name, options)
    const { chunkSize, blockSize = 8192 } = options
    this.chunkSize = chunkSize
    this.blockSize = blockSize
    this.#headerUnits = this.checking ? 2 : 1
    const units = Math.max(1, Math.ceil((this.checking ? chunkSize + 1 : chunkSize) / unitBytes))
    this.#space = units * unitBytes
    this.#chunkUnits = this.#headerUnits + units
    const perBlock = (blockSize - blockHeaderBytes) / (this.#chunkUnits * unitBytes)
    this.#chunksPerBlock = Math.floor(perBlock)
    if (!(perBlock >= 1) || blockSize % unitBytes !== 0) {
      this.abandon()
      throw new PgError(
        'XX000',
        `block size ${blockSize} for slab is too small for ${chunkSize}-byte chunks`,
      )
    }
    let shift = 0
    while (this.#chunksPerBlock >>> shift >= listCount - 1) shift++
    this.#shift = shift
  }

  override palloc(size: number): number {
    const address = this.tryPalloc(size)
    if (address === 0) throw this.outOfMemory(size)
    return address
  }

  override tryPalloc(size: number): number {
    if (size !== this.chunkSize) throw this.#wrongSize(size)
    const block = this.#lists[1] || this.#lists[2] || this.#addBlock()
    if (block === 0) return 0
    const ints = int32Views[block >>> slotShift]!
    const at = (block & unitMask) << 1
    const freed = (ints[at + blockFreed] as number) - 1
    ints[at + blockFreed] = freed
    let address = ints[at + blockHead] as number
    if (address !== 0) {
      ints[at + blockHead] = blockField(address, 0)
      if (this.checking) this.checkFree(address, linkBytes, this.#space)
    } else {
      const from = ints[at + blockFree] as number
      ints[at + blockFree] = from + this.#chunkUnits
      address = from + this.#headerUnits
      setBlockField(address - 1, 0, headerLow(methods.slab, this.#space))
      setBlockField(address - 1, 1, headerHigh(this.#space, (address - 1 - block) * unitBytes))
    }
    this.#move(block, freed + 1, freed)
    if (this.checking) this.markAllocated(address, size, this.#space)
    return address
  }

  #wrongSize(size: number): PgError {
    this.refuseSize(size)
    return new PgError('XX000', `unexpected alloc chunk size ${size} (expected ${this.chunkSize})`)
  }

  #listFor(freed: number): number {
    return (freed + (1 << this.#shift) - 1) >>> this.#shift
  }

  // Puts a block into the list for its free chunks.
  #move(block: number, before: number, now: number): void {
    const from = this.#listFor(before)
    const to = this.#listFor(now)
    if (from === to) return
    this.#lists[from] = unlink(block, this.#lists[from] as number)
    this.#lists[to] = linkFirst(block, this.#lists[to] as number)
  }

  // An empty block in the list for it; 0 when there is no memory.
  #addBlock(): number {
    let block = this.#empty
    if (block !== 0) {
      this.#empty = unlink(block, block)
      this.#emptyCount--
    } else {
      block = this.acquire(this.blockSize)
      if (block === 0) return 0
      this.#initBlock(block)
    }
    const list = this.#listFor(this.#chunksPerBlock)
    this.#lists[list] = linkFirst(block, this.#lists[list] as number)
    return block
  }

  #initBlock(block: number): void {
    initBlock(block, this.number, this.blockSize / unitBytes)
    setBlockField(block, blockFreed, this.#chunksPerBlock)
    if (this.checking) {
      fillBytes(block, blockHeaderBytes, this.blockSize - blockHeaderBytes, wipedByte)
    }
  }

  override freeChunk(address: number, _low: number, high: number): void {
    if (this.checking) this.markFreed(address, this.#space)
    const block = address - 1 - headerBlockOffset(high) / unitBytes
    setBlockField(address, 0, blockField(block, blockHead))
    setBlockField(block, blockHead, address)
    const freed = blockField(block, blockFreed) + 1
    setBlockField(block, blockFreed, freed)
    this.#move(block, freed - 1, freed)
    if (freed < this.#chunksPerBlock) return
    const list = this.#listFor(freed)
    this.#lists[list] = unlink(block, this.#lists[list] as number)
    if (this.#emptyCount === emptyBlocksMax) {
      this.release(block, this.blockSize)
      return
    }
    this.#initBlock(block)
    this.#empty = linkFirst(block, this.#empty)
    this.#emptyCount++
  }

  override resizeChunk(address: number, size: number): number {
    if (size === this.chunkSize) return address
    throw new PgError('XX000', 'slab allocator does not support realloc()')
  }

  override chunkSpace(): number {
    return this.#chunkUnits * unitBytes
  }

  override statistics(): MemoryStatistics {
    let nblocks = this.#emptyCount
    let freechunks = 0
    let freespace = this.#emptyCount * this.blockSize
    for (const block of this.#blocks()) {
      const freed = blockField(block, blockFreed)
      nblocks++
      freechunks += freed
      freespace += freed * this.#chunkUnits * unitBytes
    }
    const totalspace = this.ownBytes
    return { nblocks, freechunks, totalspace, freespace, used: totalspace - freespace }
  }

  override check(): void {
    if (!this.checking) return
    for (const block of this.#blocks()) {
      const end = blockField(block, blockFree)
      let from = block + blockHeaderUnits
      for (; from < end; from += this.#chunkUnits) {
        const address = from + this.#headerUnits
        if (this.isFreed(address)) this.checkFree(address, linkBytes, this.#space)
        else this.requestedSize(address)
      }
    }
  }

  // The blocks that are not empty; each may be given back when it is reached.
  *#blocks(): Generator<number> {
    for (const first of this.#lists) {
      for (let block = first; block !== 0; ) {
        const next = blockField(block, blockNext)
        yield block
        block = next
      }
    }
  }

  protected override clear(): void {
    for (const block of this.#blocks()) this.release(block, this.blockSize)
    for (let block = this.#empty; block !== 0; ) {
      const next = blockField(block, blockNext)
      this.release(block, this.blockSize)
      block = next
    }
    this.#lists.fill(0)
    this.#empty = 0
    this.#emptyCount = 0
  }

  protected override releaseAll(): void {
    this.clear()
  }
}
