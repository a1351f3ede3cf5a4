// RowBatch: one buffer in which rows cross between JavaScript and native code, with typed views of it.
import { batchHeader, batchHeaderBytes, type RowLayout } from '../binding/native.ts'
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

  /** `bytes`: whole size, rounded up to 8; at least the fixed part of the layout it serves. */
  constructor(bytes: number) {
    this.buffer = Buffer.alloc(0)
    this.grow(bytes)
  }

  /** Replaces the buffer with a larger one; what it held is gone. */
  grow(bytes: number): void {
    // allocUnsafeSlow: an ArrayBuffer of its own, so that every view starts at offset 0.
    this.buffer = Buffer.allocUnsafeSlow((bytes + 7) & ~7)
    const memory = this.buffer.buffer
    this.i8 = new Int8Array(memory)
    this.u8 = new Uint8Array(memory)
    this.i16 = new Int16Array(memory)
    this.i32 = new Int32Array(memory)
    this.u32 = new Uint32Array(memory)
    this.f32 = new Float32Array(memory)
    this.f64 = new Float64Array(memory)
    this.u32.fill(0, 0, batchHeaderBytes / 4)
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
