// RowEncoder: fills a staging batch from rows, for native code to form tuples or keys from.
//
// The code is generated once per set of columns, so that the engine sees constant keys, and so that the plain
// values of the commonest types are written without a call. All strings of a batch are joined and written once. A
// value that its column cannot hold raises the codec's error with the column's name before anything is handed over.
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
   * Writes rows from `rows[start]` on until `end` (default: all), the layout's capacity is reached or the buffer is
   * full, growing the buffer for a row that alone is too long. Returns how many were written.
   */
  encode(batch: RowBatch, rows: readonly object[], start: number, end?: number): number
}

// Room that a string of this many UTF-16 units may need in UTF-8.
const utf8BytesPerUnit = 3

// By type: what a value must be to lie in its lane as it is. All else goes through the codec.
const plainTests = new Map<number, string>([
  [16, "typeof v === 'boolean'"],
  [20, 'Number.isSafeInteger(v)'],
  [21, '(v << 16) >> 16 === v'],
  [23, '(v | 0) === v'],
  [25, "typeof v === 'string'"],
  [26, 'v >>> 0 === v'],
  [701, "typeof v === 'number'"],
  [1043, "typeof v === 'string'"],
])

function nameColumn(error: unknown, column: string): unknown {
  if (!(error instanceof PgError) || error.column !== undefined) return error
  const { code, message, detail, hint, dataType } = error
  return new PgError(code, message, { detail, hint, dataType, column, cause: error })
}

interface Encoding {
  /** Rows written. */
  count: number
  /** The text cells of those rows, in order. */
  strings: string[]
  /** UTF-16 units of the strings. */
  units: number
  /** Where the bytes lanes, which grow down from the end of the buffer, begin. */
  bytesFrom: number
  /** Bytes the buffer must have for the row that did not fit. */
  needed: number
  /** Column whose codec was called last. */
  column: number
}

type EncodeRows = (
  batch: RowBatch,
  rows: readonly object[],
  start: number,
  last: number,
  out: Encoding,
) => void

// The statements that write column `i` of row `r` from `v`, which is not null.
function writeStatements(codec: TypeCodec, i: number, values: number): string {
  const test = codec.typmod === -1 ? plainTests.get(codec.oid) : undefined
  const fixed = (view: string, width: number) => {
    const cell = `${view}[${values / width} + r]`
    const slowly = `out.column = ${i}; ${cell} = codec${i}.toLane(v)`
    return test === undefined ? slowly : `if (${test}) ${cell} = v; else { ${slowly} }`
  }
  switch (codec.lane) {
    case 'bool':
      return fixed('u8', 1)
    case 'char':
      return fixed('i8', 1)
    case 'int16':
      return fixed('i16', 2)
    case 'int32':
      return fixed('i32', 4)
    case 'uint32':
      return fixed('u32', 4)
    case 'float32':
      return fixed('f32', 4)
    case 'float64':
      return fixed('f64', 8)
    case 'int64': {
      const at = `${values / 4} + 2 * r`
      const slowly = `out.column = ${i}; codec${i}.toHalves(v, i32, ${at})`
      if (test === undefined) return slowly
      return `if (${test}) { i32[${at}] = v % 4294967296 | 0; i32[${at} + 1] = Math.floor(v / 4294967296) }
      else { ${slowly} }`
    }
    case 'text': {
      const plain = test === undefined ? '' : `if (!(${test})) `
      return `${plain}{ out.column = ${i}; v = codec${i}.toLane(v) }
      strings.push(v); units += v.length; u32[${values / 4} + r] = units`
    }
    case 'bytes':
      return `out.column = ${i}; v = codec${i}.toLane(v)
      pieceBytes += v.length
      if (pieces === undefined) pieces = []
      pieces.push(${values / 4} + 2 * r, v)`
  }
}

// The body of a function that gets the codecs and `refuse` and returns an EncodeRows. `positional`: rows are lists
// of the columns' values. Text ends are written as if all text were ASCII.
function encoderSource(columns: EncodedColumn[], layout: RowLayout, positional: boolean): string {
  const cells = columns.map(({ name, codec }, i) => {
    const nulls = layout.nulls[i] as number
    const values = layout.values[i] as number
    const whenNull =
      codec.lane === 'text' ? `; strings.push(''); u32[${values / 4} + r] = units` : ''
    return `v = row[${positional ? i : JSON.stringify(name)}]
    if (v === null || v === undefined) { if (v === null) present++; u8[${nulls} + r] = 1${whenNull} }
    else {
      present++
      u8[${nulls} + r] = 0
      ${writeStatements(codec, i, values)}
    }`
  })
  const checkKeys = positional
    ? ''
    : `let keys = 0
    for (const _ in row) keys++
    if (keys !== present) refuse(row)`
  return `'use strict'
return function encodeRows(batch, rows, start, last, out) {
  const { u8, i8, i16, i32, u32, f32, f64 } = batch
  const strings = out.strings
  let units = 0, bytesFrom = batch.buffer.length, r = 0
  for (; r < last; r++) {
    const row = rows[start + r]
    const stringsBefore = strings.length, unitsBefore = units
    let present = 0, pieceBytes = 0, pieces = undefined, v
    ${cells.join('\n    ')}
    ${checkKeys}
    if (bytesFrom - pieceBytes - ${layout.heap} - units * ${utf8BytesPerUnit} < 0) {
      out.needed = ${layout.heap} + pieceBytes + units * ${utf8BytesPerUnit}
      strings.length = stringsBefore
      units = unitsBefore
      break
    }
    if (pieces !== undefined) {
      for (let p = 0; p < pieces.length; p += 2) {
        const piece = pieces[p + 1]
        bytesFrom -= piece.length
        u8.set(piece, bytesFrom)
        u32[pieces[p]] = bytesFrom
        u32[pieces[p] + 1] = piece.length
      }
    }
  }
  out.count = r
  out.units = units
  out.bytesFrom = bytesFrom
}`
}

/**
 * An encoder for these columns, in the order of the layout's. Keys of a row that are no column raise 42703.
 * `positional`: rows are lists of the columns' values in their order, and what a list leaves out is null.
 */
export function makeRowEncoder(
  columns: EncodedColumn[],
  layout: RowLayout,
  positional = false,
): RowEncoder {
  const known = new Set(columns.map(({ name }) => name))
  const texts = columns.flatMap(({ name, codec }, i) =>
    codec.lane === 'text' ? [{ name, codec, values: (layout.values[i] as number) / 4 }] : [],
  )

  function refuseUnknownKeys(row: object): void {
    for (const key in row) {
      if (!known.has(key) && (row as Record<string, unknown>)[key] !== undefined) {
        throw new PgError('42703', `column "${key}" does not exist`, { column: key })
      }
    }
  }

  const codecNames = columns.map((_, i) => `codec${i}`)
  const make = new Function(...codecNames, 'refuse', encoderSource(columns, layout, positional))
  const encodeRows: EncodeRows = make(...columns.map(({ codec }) => codec), refuseUnknownKeys)

  // Text that is not all ASCII: every string is checked, and its end counted in bytes.
  function placeText(batch: RowBatch, strings: string[]): void {
    let end = 0
    for (let i = 0; i < strings.length; i++) {
      const { name, codec, values } = texts[i % texts.length] as (typeof texts)[number]
      const text = strings[i] as string
      try {
        if (codec.typmod === -1 && plainTests.has(codec.oid)) codec.toLane(text)
      } catch (error) {
        throw nameColumn(error, name)
      }
      end += Buffer.byteLength(text)
      batch.u32[values + Math.floor(i / texts.length)] = end
    }
  }

  function encode(
    batch: RowBatch,
    rows: readonly object[],
    start: number,
    end = rows.length,
  ): number {
    const last = Math.min(end - start, layout.capacity)
    const out: Encoding = { count: 0, strings: [], units: 0, bytesFrom: 0, needed: 0, column: -1 }
    try {
      encodeRows(batch, rows, start, last, out)
    } catch (error) {
      throw out.column < 0 ? error : nameColumn(error, columns[out.column]?.name as string)
    }
    const { count, strings, units, bytesFrom } = out
    if (count === 0 && last > 0) {
      batch.grow(Math.max(out.needed, batch.buffer.length * 2))
      return encode(batch, rows, start, end)
    }
    let written = 0
    if (texts.length > 0) {
      const joined = strings.length === 1 ? (strings[0] as string) : strings.join('')
      written = batch.buffer.write(joined, layout.heap, 'utf8')
      if (written !== units || joined.includes('\0')) placeText(batch, strings)
    }
    batch.u32[batchHeader.rows] = count
    batch.u32[batchHeader.textBytes] = written
    batch.u32[batchHeader.ascii] = written === units ? 1 : 0
    batch.u32[batchHeader.byteBytes] = batch.buffer.length - bytesFrom
    return count
  }

  return { encode }
}
