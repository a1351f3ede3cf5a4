// MemoryContext: a node of the tree of memory contexts. What all allocators have in common: names, parents and children,
// reset and deletion with their callbacks, accounts and limits.
// Source: src/backend/utils/mmgr/mcxt.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import {
  acquireBlock,
  fillBytes,
  float64Views,
  int32Views,
  releaseBlock,
  slotShift,
  unitBytes,
  unitMask,
} from './address-space.ts'
import {
  chunkBytesMax,
  chunkHeaderBytes,
  damaged,
  freedSize,
  headerHigh,
  headerLow,
  methods,
  sentinelByte,
  wipedByte,
} from './memory-chunk.ts'

export interface MemoryContextOptions {
  /** What tells it from others of the same name. */
  ident?: string
  /** Bytes that its blocks and those of its descendants may have together. Default: no limit. */
  limit?: number
  /**
   * Chunks know the size that was asked for and end in a byte that must not change, freed memory is overwritten: double
   * frees, overruns and frees after a reset raise XX000. Default: the environment's PGDATA_MEMORY_CHECKING=1.
   */
  checking?: boolean
}

export interface MemoryStatistics {
  nblocks: number
  freechunks: number
  /** Bytes of its blocks, of those what is free, and the rest. */
  totalspace: number
  freespace: number
  used: number
}

export type AllocatorType = 'AllocSet' | 'Generation' | 'Slab' | 'Bump'

const checkingByDefault = process.env.PGDATA_MEMORY_CHECKING === '1'

// Contexts by number; a block has the number of its own. 0 is none.
const contexts: (MemoryContext | undefined)[] = [undefined]
const freeNumbers: number[] = []

/** The context with a number, if there is one. */
export function contextByNumber(number: number): MemoryContext | undefined {
  return contexts[number]
}

// The header of an aligned chunk, whose value is the alignment and whose offset leads to the chunk that it lies in.
const alignedExtraBytes = (alignment: number) => alignment - unitBytes + chunkHeaderBytes

// Up to here a loop clears faster than a call.
const loopBytesMax = 256

export abstract class MemoryContext {
  abstract readonly type: AllocatorType
  /** Its allocator's number in the headers of chunks. */
  abstract readonly method: number
  readonly name: string
  ident: string | undefined
  readonly number: number
  readonly checking: boolean
  #limit: number
  #parent: MemoryContext | undefined
  #firstChild: MemoryContext | undefined
  #nextChild: MemoryContext | undefined
  #previousChild: MemoryContext | undefined
  #callbacks: (() => void)[] = []
  #ownBytes = 0
  #treeBytes = 0
  #deleted = false
  // The context whose limit the last refusal was for.
  #refusedBy: MemoryContext | undefined

  constructor(
    parent: MemoryContext | undefined,
    name: string,
    { ident, limit = Number.POSITIVE_INFINITY, checking }: MemoryContextOptions,
  ) {
    if (parent?.deleted) throw parent.#gone()
    this.name = name
    this.ident = ident
    this.#limit = limit
    this.checking = checking ?? checkingByDefault
    this.number = freeNumbers.pop() ?? contexts.length
    contexts[this.number] = this
    this.#attach(parent)
  }

  /** A chunk of at least `size` bytes, at an address that is a multiple of 8 bytes. Throws 53200. */
  abstract palloc(size: number): number
  /** As palloc; 0 when there is no room within the limits. */
  abstract tryPalloc(size: number): number
  /** What blocks and chunks it has. */
  abstract statistics(): MemoryStatistics
  /** Looks at every chunk of a context that checks. Throws XX000 for one with a write past its end. */
  abstract check(): void

  /** For pfree: gives back a chunk with that header. */
  abstract freeChunk(address: number, low: number, high: number): void
  /** For repalloc. */
  abstract resizeChunk(address: number, size: number, low: number, high: number): number
  /** Bytes that a chunk takes, with its header. */
  abstract chunkSpace(address: number, low: number, high: number): number
  /** Frees everything and keeps what a new context has. */
  protected abstract clear(): void
  /** Gives back all blocks; what is asked for then must reach `acquire` or `refuseSize`. */
  protected abstract releaseAll(): void

  get parent(): MemoryContext | undefined {
    return this.#parent
  }

  get deleted(): boolean {
    return this.#deleted
  }

  /** Bytes of its own blocks. */
  get ownBytes(): number {
    return this.#ownBytes
  }

  /** Bytes of its blocks and of its descendants'. */
  get treeBytes(): number {
    return this.#treeBytes
  }

  get limit(): number {
    return this.#limit
  }

  /** Changes the limit; one that is exceeded already refuses whatever comes. */
  set limit(bytes: number) {
    this.#limit = bytes
  }

  /** The youngest first. */
  *children(): Generator<MemoryContext> {
    for (let child = this.#firstChild; child !== undefined; child = child.#nextChild) yield child
  }

  /** A chunk of zeroes. */
  palloc0(size: number): number {
    const address = this.palloc(size)
    if (size > loopBytesMax) fillBytes(address, 0, size, 0)
    else {
      const floats = float64Views[address >>> slotShift]!
      const first = address & unitMask
      const whole = size >>> 3
      for (let i = 0; i < whole; i++) floats[first + i] = 0
      if ((size & 7) !== 0) fillBytes(address, whole * unitBytes, size & 7, 0)
    }
    return address
  }

  /**
   * A chunk whose offset in its ArrayBuffer is a multiple of `alignment` bytes, a power of two of up to 128 kB. It is freed
   * and resized as others are.
   */
  pallocAligned(size: number, alignment: number): number {
    if (alignment < 1 || alignment > 1 << 17 || (alignment & (alignment - 1)) !== 0) {
      throw new PgError('XX000', `invalid alignment: ${alignment}`)
    }
    if (alignment <= unitBytes) return this.palloc(size)
    const chunk = this.palloc(size + alignedExtraBytes(alignment))
    const units = alignment / unitBytes
    // Behind the header of its own.
    const address = (chunk + units) & -units
    const header = address - 1
    const ints = int32Views[header >>> slotShift]!
    const at = (header & unitMask) << 1
    ints[at] = headerLow(methods.aligned, alignment)
    ints[at + 1] = headerHigh(alignment, (address - chunk) * unitBytes)
    return address
  }

  /** Called once, before the next reset or the deletion; the last one that was registered is called first. */
  onReset(callback: () => void): void {
    if (this.#deleted) throw this.#gone()
    this.#callbacks.push(callback)
  }

  /** Frees all that was allocated, and deletes the children. */
  reset(): void {
    this.deleteChildren()
    this.resetOnly()
  }

  /** As reset, but leaves the children alone. */
  resetOnly(): void {
    if (this.#deleted) throw this.#gone()
    this.#callCallbacks()
    if (this.checking) this.check()
    this.clear()
  }

  /** Frees what all descendants allocated, and keeps them. */
  resetChildren(): void {
    for (const child of this.children()) {
      child.resetChildren()
      child.resetOnly()
    }
  }

  deleteChildren(): void {
    while (this.#firstChild !== undefined) this.#firstChild.delete()
  }

  /** Deletes the context: descendants first, callbacks before the memory goes. */
  delete(): void {
    if (this.#deleted) throw this.#gone()
    this.deleteChildren()
    this.#callCallbacks()
    if (this.checking) this.check()
    this.releaseAll()
    this.ident = undefined
    this.abandon()
  }

  [Symbol.dispose](): void {
    if (!this.#deleted) this.delete()
  }

  /** Makes it a child of another context. Throws 53200 when that has no room for it. */
  setParent(parent: MemoryContext): void {
    if (this.#deleted) throw this.#gone()
    if (parent.#deleted) throw parent.#gone()
    if (parent === this.#parent) return
    for (let above: MemoryContext | undefined = parent; above; above = above.#parent) {
      if (above === this) {
        throw new PgError('XX000', `context "${parent.name}" is below "${this.name}"`)
      }
      if (!this.#isBelow(above) && above.#treeBytes + this.#treeBytes > above.#limit) {
        throw this.#outOfMemory(this.#treeBytes, above)
      }
    }
    this.#detach()
    this.#attach(parent)
  }

  /** A block of that many bytes; 0 when a limit or the machine does not allow it. `replacing`: bytes it takes the place of. */
  protected acquire(bytes: number, replacing = 0): number {
    if (this.#deleted) throw this.#gone()
    this.#refusedBy = this.#limitedBy(bytes - replacing)
    if (this.#refusedBy !== undefined) return 0
    const block = acquireBlock(bytes)
    if (block !== 0) this.#count(bytes)
    return block
  }

  protected release(block: number, bytes: number): void {
    if (this.checking) fillBytes(block, 0, bytes, wipedByte)
    releaseBlock(block, bytes)
    this.#count(-bytes)
  }

  /** 53200 for a request that `acquire` just refused a block for. */
  protected outOfMemory(size: number): PgError {
    return this.#outOfMemory(size, this.#refusedBy)
  }

  /** For constructors that fail: undoes what this class's did. */
  protected abandon(): void {
    this.#detach()
    this.#deleted = true
    contexts[this.number] = undefined
    freeNumbers.push(this.number)
  }

  /** Throws for a size that nobody may ask for. */
  protected refuseSize(size: number): void {
    if (this.#deleted) throw this.#gone()
    if (size >>> 0 !== size || size > chunkBytesMax) {
      throw new PgError('XX000', `invalid memory alloc request size ${size}`)
    }
  }

  /** Writes the size asked for into a chunk of `space` bytes, and marks what is behind. */
  protected markAllocated(address: number, size: number, space: number): void {
    const header = address - 2
    int32Views[header >>> slotShift]![(header & unitMask) << 1] = size
    fillBytes(address, size, 1, sentinelByte)
    if (space > size + 1) fillBytes(address, size + 1, space - size - 1, wipedByte)
  }

  /** The size that was asked for. Throws when the chunk is free, or something wrote past its end. */
  protected requestedSize(address: number): number {
    const header = address - 2
    const size = int32Views[header >>> slotShift]![(header & unitMask) << 1] as number
    if (size === freedSize) throw damaged('double pfree', this.name, address)
    if (this.byteAt(address, size) !== sentinelByte) {
      throw damaged('write past chunk end', this.name, address)
    }
    return size
  }

  /** Marks a chunk of `space` bytes as free, after looking at it. */
  protected markFreed(address: number, space: number): void {
    this.requestedSize(address)
    const header = address - 2
    int32Views[header >>> slotShift]![(header & unitMask) << 1] = freedSize
    fillBytes(address, 0, space, wipedByte)
  }

  /** Is it marked as free? */
  protected isFreed(address: number): boolean {
    const header = address - 2
    return int32Views[header >>> slotShift]![(header & unitMask) << 1] === freedSize
  }

  /** Throws when somebody wrote into a free chunk behind its first `skip` bytes. */
  protected checkFree(address: number, skip: number, space: number): void {
    for (let i = skip; i < space; i++) {
      if (this.byteAt(address, i) !== wipedByte) {
        throw damaged('write to freed chunk', this.name, address)
      }
    }
  }

  protected byteAt(address: number, offset: number): number {
    const ints = int32Views[address >>> slotShift]!
    const word = ints[((address & unitMask) << 1) + (offset >>> 2)] as number
    return (word >>> ((offset & 3) << 3)) & 0xff
  }

  #callCallbacks(): void {
    for (;;) {
      const callback = this.#callbacks.pop()
      if (callback === undefined) return
      callback()
    }
  }

  // The context whose limit does not allow that many more bytes.
  #limitedBy(bytes: number): MemoryContext | undefined {
    for (let above: MemoryContext | undefined = this; above; above = above.#parent) {
      if (above.#treeBytes + bytes > above.#limit) return above
    }
    return undefined
  }

  #count(bytes: number): void {
    this.#ownBytes += bytes
    for (let above: MemoryContext | undefined = this; above; above = above.#parent) {
      above.#treeBytes += bytes
    }
  }

  #isBelow(other: MemoryContext): boolean {
    for (let above = this.#parent; above; above = above.#parent) if (above === other) return true
    return false
  }

  #attach(parent: MemoryContext | undefined): void {
    this.#parent = parent
    this.#previousChild = undefined
    this.#nextChild = undefined
    if (parent === undefined) return
    this.#nextChild = parent.#firstChild
    if (parent.#firstChild) parent.#firstChild.#previousChild = this
    parent.#firstChild = this
    for (let above: MemoryContext | undefined = parent; above; above = above.#parent) {
      above.#treeBytes += this.#treeBytes
    }
  }

  #detach(): void {
    const parent = this.#parent
    if (parent === undefined) return
    if (this.#nextChild) this.#nextChild.#previousChild = this.#previousChild
    if (this.#previousChild) this.#previousChild.#nextChild = this.#nextChild
    else parent.#firstChild = this.#nextChild
    this.#nextChild = undefined
    this.#previousChild = undefined
    this.#parent = undefined
    for (let above: MemoryContext | undefined = parent; above; above = above.#parent) {
      above.#treeBytes -= this.#treeBytes
    }
  }

  #outOfMemory(size: number, limited: MemoryContext | undefined): PgError {
    const detail = `Failed on request of size ${size} in memory context "${this.name}".`
    if (limited === undefined) return new PgError('53200', 'out of memory', { detail })
    return new PgError('53200', 'out of memory', {
      detail: `${detail} Memory context "${limited.name}" is limited to ${limited.#limit} bytes.`,
    })
  }

  #gone(): PgError {
    return new PgError('XX000', `memory context "${this.name}" was deleted`)
  }
}
