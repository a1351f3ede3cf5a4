// RowBatch: one buffer in which rows cross between JavaScript and native code, with typed views of it.
import { batchHeader, batchHeaderBytes, type RowLayout } from '../binding/native.ts'
import { bytesAt } from '../memory/address-space.ts'
import { pfree } from '../memory/chunk.ts'
import type { MemoryContext } from '../memory/memory-context.ts'
import type { Tid } from './tid.ts'

/** A buffer that JavaScript owns; native code writes or reads it only during a call. */
export class RowBatch {
  buffer: Buffer
  i8!: Int8Array
  u8!: Uint8Array
  i16!: Int16Array
  i32!: Int32Array
  u32!: Uint32Array
  f32!: Float32Array
  f64!: Float64Array
  readonly #context: MemoryContext | undefined
  #chunk = 0

  /**
   * `bytes`: whole size, rounded up to 8; at least the fixed part of the layout it serves. The batch is dead with its
   * context; without one it is the collector's.
   */
  constructor(bytes: number, context?: MemoryContext) {
    this.#context = context
    this.buffer = Buffer.alloc(0)
    this.grow(bytes)
  }

  /** Replaces the buffer with a larger one; what it held is gone. */
  grow(bytes: number): void {
    this.buffer = this.#allocate((bytes + 7) & ~7)
    const { buffer: memory, byteOffset: from, length } = this.buffer
    this.i8 = new Int8Array(memory, from, length)
    this.u8 = new Uint8Array(memory, from, length)
    this.i16 = new Int16Array(memory, from, length / 2)
    this.i32 = new Int32Array(memory, from, length / 4)
    this.u32 = new Uint32Array(memory, from, length / 4)
    this.f32 = new Float32Array(memory, from, length / 4)
    this.f64 = new Float64Array(memory, from, length / 8)
    this.u32.fill(0, 0, batchHeaderBytes / 4)
  }

  // All of it begins at a multiple of 8 bytes, as typed arrays must.
  #allocate(bytes: number): Buffer {
    if (this.#context === undefined) return Buffer.allocUnsafeSlow(bytes)
    if (this.#chunk !== 0) pfree(this.#chunk)
    this.#chunk = 0
    this.#chunk = this.#context.palloc(bytes)
    return bytesAt(this.#chunk, bytes)
  }

  get rows(): number {
    return this.u32[batchHeader.rows] as number
  }

  get ended(): boolean {
    return this.u32[batchHeader.ended] !== 0
  }

  /** Bytes the buffer needs because one row alone did not fit; 0 otherwise. */
  get needed(): number {
    return this.u32[batchHeader.needed] as number
  }

  /** The address of row `row`: block and offset number. The layout must have been made with addresses. */
  tid(layout: RowLayout, row: number): Tid {
    const at = layout.tids / 4 + row * 2
    return { block: this.u32[at] as number, offset: this.u32[at + 1] as number }
  }
}
