// Text from bytes and bytes from text, without a Buffer object per value.

interface BufferSlices {
  utf8Slice(start: number, end: number): string
  latin1Slice(start: number, end: number): string
  hexSlice(start: number, end: number): string
  utf8Write(text: string, offset: number, length: number): number
}

// Node's Buffer methods work on any Uint8Array as `this`; its types do not say so.
const slices = Buffer.prototype as unknown as BufferSlices

const ASCII_LOOP_MAX = 16

/** UTF-8 bytes as a string. */
export function utf8Text(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start <= ASCII_LOOP_MAX) {
    let text = ''
    let at = start
    for (; at < end; at++) {
      const code = bytes[at] as number
      if (code >= 128) break
      text += String.fromCharCode(code)
    }
    if (at === end) return text
  }
  return slices.utf8Slice.call(bytes, start, end)
}

/** Bytes as two hexadecimal digits each. */
export function hexText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return slices.hexSlice.call(bytes, start, end)
}

export function utf8Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/** Writes UTF-8 at an offset of a buffer that has room; returns the bytes written. */
export function writeUtf8(bytes: Uint8Array, text: string, offset: number): number {
  return slices.utf8Write.call(bytes, text, offset, bytes.length - offset)
}

export function utf8Length(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}
