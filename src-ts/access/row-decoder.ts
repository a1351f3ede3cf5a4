// RowDecoder: makes objects of one hidden class from the rows of a batch.
//
// The code of `row` is generated once per set of columns, so that the engine sees one object literal with
// constant keys. Rows are read in order, each once: text cells lie end to end in that order.
import { batchHeader, type RowLayout } from '../binding/native.ts'
import type { TypeCodec } from '../types/codec.ts'
import { EPOCH_MS } from '../types/timestamp.ts'
import type { RowBatch } from './row-batch.ts'

export interface DecodedColumn {
  name: string
  codec: TypeCodec
}

export interface RowDecoder<T> {
  /** Starts with a batch that native code has filled. */
  attach(batch: RowBatch): void
  /** The row `index`; call with 0, 1, 2, … */
  row(index: number): T
}

// The expression for the value of a column that is not null, in terms of the variables of `decoderSource`.
function valueExpression(codec: TypeCodec, offset: number, column: number): string {
  const plain = codec.isIdentity
  const wrap = (raw: string) => (plain ? raw : `codec${column}.fromLane(${raw})`)
  switch (codec.lane) {
    case 'bool':
      return `u8[${offset} + r] !== 0`
    case 'char':
      return wrap(`i8[${offset} + r]`)
    case 'int16':
      return wrap(`i16[${offset / 2} + r]`)
    case 'int32':
      return wrap(`i32[${offset / 4} + r]`)
    case 'uint32':
      return wrap(`u32[${offset / 4} + r]`)
    case 'float32':
      return wrap(`f32[${offset / 4} + r]`)
    case 'float64':
      return wrap(`f64[${offset / 8} + r]`)
    case 'int64': {
      const halves = `i32[${offset / 4} + 2 * r], i32[${offset / 4} + 2 * r + 1]`
      return codec.exact === undefined
        ? `codec${column}.fromHalves(${halves})`
        : `${codec.exact}(codec${column}, ${halves})`
    }
    case 'text':
      return wrap(`cut(u32[${offset / 4} + r])`)
    case 'bytes':
      return wrap(`bytes(u32[${offset / 4} + 2 * r], u32[${offset / 4} + 2 * r + 1])`)
  }
}

// The body of a function that gets the codecs and the header's word numbers and returns { attach, row }.
function decoderSource(columns: DecodedColumn[], layout: RowLayout): string {
  const { heap } = layout
  const cells = columns.map(({ name, codec }, i) => {
    const value = valueExpression(codec, layout.values[i] as number, i)
    const nulls = layout.nulls[i] as number
    // A computed key, since a literal "__proto__" would set the prototype.
    const key = name === '__proto__' ? '["__proto__"]' : JSON.stringify(name)
    return `${key}: u8[${nulls} + r] !== 0 ? null : ${value}`
  })
  return `'use strict'
let u8, i8, i16, i32, u32, f32, f64, buffer, text = '', ascii = true, from = 0
function cut(end) {
  const start = from
  from = end
  return ascii ? text.substring(start, end) : buffer.utf8Slice(${heap} + start, ${heap} + end)
}
function number(codec, low, high) {
  if (high === low >> 31) return low
  if (high >= HIGH_END || high < -HIGH_END + 1) return codec.fromHalves(low, high)
  return high * 0x100000000 + (low >>> 0)
}
function date(codec, low, high) {
  const value = high * 0x100000000 + (low >>> 0)
  const milliseconds = Math.floor(value / 1000)
  if (high >= HIGH_END || high < -HIGH_END + 1 || milliseconds * 1000 !== value)
    return codec.fromHalves(low, high)
  return new Date(milliseconds + EPOCH_MS)
}
function bytes(offset, length) { return u8.slice(offset, offset + length) }
return {
  attach(batch) {
    ({ u8, i8, i16, i32, u32, f32, f64, buffer } = batch)
    ascii = u32[ASCII] !== 0
    text = ascii ? buffer.latin1Slice(${heap}, ${heap} + u32[TEXT_BYTES]) : ''
    from = 0
  },
  row(r) { return { ${cells.join(', ')} } },
}`
}

const decoderConstants = {
  ASCII: batchHeader.ascii,
  TEXT_BYTES: batchHeader.textBytes,
  EPOCH_MS,
  // High halves from here on may be of integers that are not exact as numbers.
  HIGH_END: 2 ** 21,
}

/** Makes decoders for these columns, in the order of the layout's. Each has a state of its own. */
export function rowDecoderFactory(
  columns: DecodedColumn[],
  layout: RowLayout,
): () => RowDecoder<unknown> {
  const codecNames = columns.map((_, i) => `codec${i}`)
  const constants = Object.entries(decoderConstants)
  const make = new Function(
    ...codecNames,
    ...constants.map(([name]) => name),
    decoderSource(columns, layout),
  )
  const codecs = columns.map(({ codec }) => codec)
  const values = constants.map(([, value]) => value)
  return () => make(...codecs, ...values)
}
