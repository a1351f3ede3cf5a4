// Bump: the allocator for chunks that are never freed one by one. They have no headers, so that they lie as close together as
// 8 bytes allow: what a sort or a hash table holds until it is reset.
// Source: src/backend/utils/mmgr/bump.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { int32Views, slotShift, unitBytes, unitMask } from './address-space.ts'
import { GrowingContext, type GrowingContextOptions } from './growing-context.ts'
import { blockEnd, blockField } from './memory-block.ts'
import { externalLow, headerHigh, headerLow, headerValue, methods } from './memory-chunk.ts'
import type { MemoryContext } from './memory-context.ts'

// The largest block shall have room for that many chunks.
const chunksPerBlock = 8

function unsupported(what: string): PgError {
  return new PgError('XX000', `${what} is not supported by the bump memory allocator`)
}

export class Bump extends GrowingContext {
  override readonly type = 'Bump'
  override readonly method = methods.bump

  constructor(
    parent: MemoryContext | undefined,
    name: string,
    options: GrowingContextOptions = {},
  ) {
    super(parent, name, options, 0, Number.POSITIVE_INFINITY, chunksPerBlock)
  }

  override palloc(size: number): number {
    if (size >>> 0 !== size || size > this.shortLimit) return this.orThrow(size)
    const address = this.free
    const end = address + ((size + 7) >>> 3)
    if (end > this.end) return this.orThrow(size)
    this.free = end
    return address
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
    if (this.free + units > this.end && !this.addBlock(units)) return 0
    const address = this.free + this.headerUnits
    this.free += units
    if (this.checking) {
      // Only for the sake of clear errors.
      const header = address - 1
      const ints = int32Views[header >>> slotShift]!
      const at = (header & unitMask) << 1
      ints[at] = headerLow(methods.bump, bytes)
      ints[at + 1] = headerHigh(bytes, (header - this.block) * unitBytes)
      this.markAllocated(address, size, bytes)
    }
    return address
  }

  override freeChunk(): never {
    throw unsupported('pfree')
  }

  override resizeChunk(): never {
    throw unsupported('repalloc')
  }

  override chunkSpace(): never {
    throw unsupported('chunkSpace')
  }

  protected override checkChunk(block: number, header: number): number {
    const low = blockField(header, 0)
    this.requestedSize(header + 1)
    if (low === externalLow(methods.bump)) return blockField(block, blockEnd)
    const space = headerValue(low, blockField(header, 1))
    return header + 1 + space / unitBytes + this.headerUnits - 1
  }
}
