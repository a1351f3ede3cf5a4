// RowEncoder: fills a staging batch from objects, for native code to form tuples from.
//
// All strings of a batch are joined and written once. A value that its column cannot hold raises the codec's
// error with the column's name before anything is handed over.
import { batchHeader, type RowLayout } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import type { TypeCodec } from '../types/codec.ts'
import type { RowBatch } from './row-batch.ts'

export interface EncodedColumn {
  name: string
  codec: TypeCodec
}

export interface RowEncoder {
  /**
   * Writes rows from `rows[start]` on until all are written, the layout's capacity is reached or the buffer is
   * full, growing the buffer for a row that alone is too long. Returns how many were written.
   */
  encode(batch: RowBatch, rows: readonly object[], start: number): number
}

// Room that a string of this many UTF-16 units may need in UTF-8.
const utf8BytesPerUnit = 3

type Setter = (batch: RowBatch, row: number, value: unknown) => void

function fixedSetter(codec: TypeCodec, offset: number): Setter | undefined {
  const toLane = (value: unknown) => codec.toLane(value) as number
  switch (codec.lane) {
    case 'bool':
      return (batch, row, value) => {
        batch.u8[offset + row] = toLane(value)
      }
    case 'char':
      return (batch, row, value) => {
        batch.i8[offset + row] = toLane(value)
      }
    case 'int16':
      return (batch, row, value) => {
        batch.i16[offset / 2 + row] = toLane(value)
      }
    case 'int32':
      return (batch, row, value) => {
        batch.i32[offset / 4 + row] = toLane(value)
      }
    case 'uint32':
      return (batch, row, value) => {
        batch.u32[offset / 4 + row] = toLane(value)
      }
    case 'float32':
      return (batch, row, value) => {
        batch.f32[offset / 4 + row] = toLane(value)
      }
    case 'float64':
      return (batch, row, value) => {
        batch.f64[offset / 8 + row] = toLane(value)
      }
    case 'int64': {
      const { toHalves } = codec
      if (toHalves === undefined) {
        throw new TypeError(`codec of ${codec.name} has no toHalves`)
      }
      return (batch, row, value) => {
        toHalves.call(codec, value, batch.i32, offset / 4 + 2 * row)
      }
    }
    default:
      return undefined
  }
}

function nameColumn(error: unknown, column: string): unknown {
  if (!(error instanceof PgError) || error.column !== undefined) return error
  const { code, message, detail, hint, dataType } = error
  return new PgError(code, message, { detail, hint, dataType, column, cause: error })
}

/** An encoder for these columns, in the order of the layout's. Keys of a row that are no column raise 42703. */
export function makeRowEncoder(columns: EncodedColumn[], layout: RowLayout): RowEncoder {
  const known = new Set(columns.map(({ name }) => name))
  const plans = columns.map(({ name, codec }, i) => ({
    name,
    codec,
    isText: codec.lane === 'text',
    nulls: layout.nulls[i] as number,
    values: layout.values[i] as number,
    set: fixedSetter(codec, layout.values[i] as number),
  }))

  function refuseUnknownKeys(row: object): void {
    for (const key in row) {
      if (!known.has(key) && (row as Record<string, unknown>)[key] !== undefined) {
        throw new PgError('42703', `column "${key}" does not exist`, { column: key })
      }
    }
  }

  function encode(batch: RowBatch, rows: readonly object[], start: number): number {
    const last = Math.min(rows.length - start, layout.capacity)
    const strings: string[] = []
    const ends: number[] = [] // Where in u32 each string's end is kept.
    let units = 0
    // The bytes lanes grow down from the end of the buffer.
    let bytesFrom = batch.buffer.length
    let count = 0
    for (; count < last; count++) {
      const row = rows[start + count] as Record<string, unknown>
      const stringsBefore = strings.length
      const unitsBefore = units
      const bytesBefore = bytesFrom
      let pieces: { at: number; bytes: Uint8Array }[] | undefined
      let present = 0
      let pieceBytes = 0
      for (const plan of plans) {
        const value = row[plan.name]
        if (value !== undefined) present++
        if (value === null || value === undefined) {
          batch.u8[plan.nulls + count] = 1
          if (plan.isText) {
            strings.push('')
            ends.push(plan.values / 4 + count)
          }
          continue
        }
        batch.u8[plan.nulls + count] = 0
        try {
          if (plan.set !== undefined) {
            plan.set(batch, count, value)
          } else if (plan.isText) {
            const text = plan.codec.toLane(value) as string
            strings.push(text)
            ends.push(plan.values / 4 + count)
            units += text.length
          } else {
            const bytes = plan.codec.toLane(value) as Uint8Array
            pieceBytes += bytes.length
            pieces ??= []
            pieces.push({ at: plan.values / 4 + 2 * count, bytes })
          }
        } catch (error) {
          throw nameColumn(error, plan.name)
        }
      }
      let keys = 0
      for (const _ in row) keys++
      if (keys !== present) refuseUnknownKeys(row)

      const room = bytesFrom - pieceBytes - layout.heap - units * utf8BytesPerUnit
      if (room < 0) {
        strings.length = stringsBefore
        ends.length = stringsBefore
        const needed = layout.heap + pieceBytes + units * utf8BytesPerUnit
        units = unitsBefore
        bytesFrom = bytesBefore
        if (count > 0) break
        batch.grow(Math.max(needed, batch.buffer.length * 2))
        return encode(batch, rows, start)
      }
      if (pieces !== undefined) {
        for (const piece of pieces) {
          bytesFrom -= piece.bytes.length
          batch.u8.set(piece.bytes, bytesFrom)
          batch.u32[piece.at] = bytesFrom
          batch.u32[piece.at + 1] = piece.bytes.length
        }
      }
    }
    writeStrings(batch, strings, ends, units, layout.heap)
    batch.u32[batchHeader.rows] = count
    batch.u32[batchHeader.byteBytes] = batch.buffer.length - bytesFrom
    return count
  }

  return { encode }
}

// Joins the strings into the variable part and notes each one's end, in bytes from `heap`.
function writeStrings(
  batch: RowBatch,
  strings: string[],
  ends: number[],
  units: number,
  heap: number,
): void {
  const joined = strings.join('')
  const written = batch.buffer.write(joined, heap, 'utf8')
  const ascii = written === units
  let end = 0
  for (let i = 0; i < strings.length; i++) {
    const text = strings[i] as string
    end += ascii ? text.length : Buffer.byteLength(text)
    batch.u32[ends[i] as number] = end
  }
  batch.u32[batchHeader.textBytes] = written
  batch.u32[batchHeader.ascii] = ascii ? 1 : 0
}
