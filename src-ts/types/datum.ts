// Datums laid end to end, as in an array: reading and writing one value of any type at its place.

import { readInt32, readUint16, readUint32, utf8Bytes, utf8Text, writeInt32 } from './byte-text.ts'
import type { LaneValue, TypeCodec } from './codec.ts'
import { corrupted, refusal } from './refusal.ts'

const alignments = { c: 1, s: 2, i: 4, d: 8 } as const

/** A varlena with a four-byte header has 30 bits of length. */
const VARLENA_BYTES_MAX = 0x3fffffff

export function alignUp(at: number, typalign: TypeCodec['typalign']): number {
  const mask = alignments[typalign] - 1
  return (at + mask) & ~mask
}

const view = new DataView(new ArrayBuffer(8))

/** Reads datums one after another. `base` is what must be added to an offset to align it. */
export class DatumReader {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
    private readonly base: number,
  ) {}

  private take(size: number, typeName: string): number {
    const start = this.at
    if (start + size > this.bytes.length) throw corrupted(typeName)
    this.at = start + size
    return start
  }

  /** The next datum, aligned first. The result may be a view of the bytes. */
  read(codec: TypeCodec): LaneValue {
    const { bytes } = this
    this.at = alignUp(this.at + this.base, codec.typalign) - this.base
    switch (codec.lane) {
      case 'bool':
        return bytes[this.take(1, codec.name)] as number
      case 'char':
        return ((bytes[this.take(1, codec.name)] as number) << 24) >> 24
      case 'int16':
        return (readUint16(bytes, this.take(2, codec.name)) << 16) >> 16
      case 'int32':
        return readInt32(bytes, this.take(4, codec.name))
      case 'uint32':
        return readUint32(bytes, this.take(4, codec.name))
      case 'int64': {
        const at = this.take(8, codec.name)
        return (BigInt(readInt32(bytes, at + 4)) << 32n) | BigInt(readUint32(bytes, at))
      }
      case 'float32':
        view.setInt32(0, readInt32(bytes, this.take(4, codec.name)))
        return view.getFloat32(0)
      case 'float64': {
        const at = this.take(8, codec.name)
        view.setInt32(0, readInt32(bytes, at + 4))
        view.setInt32(4, readInt32(bytes, at))
        return view.getFloat64(0)
      }
      default:
        return this.readLong(codec)
    }
  }

  private readLong(codec: TypeCodec): LaneValue {
    const { bytes } = this
    let start: number
    let end: number
    if (codec.typlen >= 0) {
      start = this.take(codec.typlen, codec.name)
      end = this.at
      if (codec.lane === 'text') {
        const nul = bytes.indexOf(0, start)
        if (nul >= 0 && nul < end) end = nul
      }
    } else if (codec.typlen === -2) {
      start = this.at
      end = bytes.indexOf(0, start)
      if (end < 0) throw corrupted(codec.name)
      this.at = end + 1
    } else {
      const header = bytes[this.take(1, codec.name)] as number
      if ((header & 1) === 1) {
        // A one-byte header counts itself; of 1 it would be a pointer to TOAST.
        const size = header >> 1
        if (size < 1) throw corrupted(codec.name)
        start = this.take(size - 1, codec.name)
      } else {
        this.at--
        const wide = readUint32(bytes, this.take(4, codec.name))
        const size = wide >>> 2
        if ((wide & 3) !== 0 || size < 4) throw corrupted(codec.name)
        start = this.take(size - 4, codec.name)
      }
      end = this.at
    }
    return codec.lane === 'text' ? utf8Text(bytes, start, end) : bytes.subarray(start, end)
  }
}

/** Writes datums one after another into bytes that grow. */
export class DatumWriter {
  private bytes: Uint8Array
  private length = 0

  constructor(
    /** Bytes before the first, which count for alignment. */
    private readonly base: number,
  ) {
    this.bytes = new Uint8Array(128)
  }

  /** Makes room for zeroed bytes and returns where they begin. */
  reserve(size: number): number {
    const start = this.length
    this.length += size
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.bytes.length * 2))
      grown.set(this.bytes)
      this.bytes = grown
    }
    return start
  }

  align(typalign: TypeCodec['typalign']): void {
    this.reserve(alignUp(this.length + this.base, typalign) - this.base - this.length)
  }

  writeInt32(value: number): void {
    const at = this.reserve(4)
    writeInt32(this.bytes, at, value)
  }

  setBit(at: number, bit: number): void {
    this.bytes[at] = (this.bytes[at] as number) | (1 << bit)
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  /** Writes a datum, aligned before and after, a varlena with a four-byte header. */
  write(codec: TypeCodec, raw: LaneValue): void {
    this.align(codec.typalign)
    switch (codec.lane) {
      case 'bool':
      case 'char': {
        const at = this.reserve(1)
        this.bytes[at] = raw as number
        break
      }
      case 'int16': {
        const at = this.reserve(2)
        this.bytes[at] = raw as number
        this.bytes[at + 1] = (raw as number) >> 8
        break
      }
      case 'int32':
      case 'uint32':
        this.writeInt32(raw as number)
        break
      case 'int64':
        this.writeInt32(Number(BigInt.asIntN(32, BigInt(raw as bigint))))
        this.writeInt32(Number(BigInt.asIntN(32, BigInt(raw as bigint) >> 32n)))
        break
      case 'float32':
        view.setFloat32(0, raw as number)
        this.writeInt32(view.getInt32(0))
        break
      case 'float64':
        view.setFloat64(0, raw as number)
        this.writeInt32(view.getInt32(4))
        this.writeInt32(view.getInt32(0))
        break
      default:
        this.writeLong(codec, typeof raw === 'string' ? utf8Bytes(raw) : (raw as Uint8Array))
    }
    this.align(codec.typalign)
  }

  private writeLong(codec: TypeCodec, content: Uint8Array): void {
    let at: number
    if (codec.typlen >= 0) {
      at = this.reserve(codec.typlen)
    } else if (codec.typlen === -2) {
      at = this.reserve(content.length + 1)
    } else {
      const size = content.length + 4
      if (size > VARLENA_BYTES_MAX) {
        throw refusal('54000', `value of type ${codec.name} is too long: ${size} bytes`)
      }
      at = this.reserve(size) + 4
      writeInt32(this.bytes, at - 4, size << 2)
    }
    this.bytes.set(content, at)
  }
}

/** A value's own bytes: of a varlena the payload, of a fixed-length type its typlen bytes. */
export function datumBytes(codec: TypeCodec, raw: LaneValue): Uint8Array {
  if (codec.typlen === -1) {
    return typeof raw === 'string' ? utf8Bytes(raw) : (raw as Uint8Array)
  }
  const writer = new DatumWriter(0)
  writer.write(codec, raw)
  const bytes = writer.finish()
  return codec.typlen > 0 ? bytes.subarray(0, codec.typlen) : bytes
}
