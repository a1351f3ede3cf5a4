// Goal: what the encoder stages is what the decoder reads back, and what a column cannot hold is refused by its name.
// Method: batches made without native code, in a layout laid out here as native/table/row_layout.h says.
import { expect, test } from 'vitest'
import { RowBatch } from '../../../src-ts/access/row-batch.ts'
import { rowDecoderFactory } from '../../../src-ts/access/row-decoder.ts'
import { makeRowEncoder } from '../../../src-ts/access/row-encoder.ts'
import { batchHeader, batchHeaderBytes, type RowLayout } from '../../../src-ts/binding/native.ts'
import { codecFor, PgTimestamp } from '../../../src-ts/types/index.ts'

const int8 = 20
const int4 = 23
const text = 25
const float8 = 701
const timestamptz = 1184
const bytea = 17
const bool = 16

function columnsOf(types: Record<string, number>) {
  return Object.entries(types).map(([name, type]) => ({ name, codec: codecFor(type) }))
}

const widths = { bool: 1, char: 1, int16: 2, int32: 4, uint32: 4, float32: 4, float64: 8, int64: 8 }

function layoutOf(columns: ReturnType<typeof columnsOf>, capacity: number): RowLayout {
  let end = batchHeaderBytes
  const reserve = (bytes: number) => {
    const start = end
    end = (end + bytes + 7) & ~7
    return start
  }
  const nulls: number[] = []
  const values: number[] = []
  for (const { codec } of columns) {
    nulls.push(reserve(capacity))
    const width = codec.lane === 'text' ? 4 : codec.lane === 'bytes' ? 8 : widths[codec.lane]
    values.push(reserve(width * capacity))
  }
  return { capacity, nulls, values, tids: 0, heap: end }
}

function codersOf(types: Record<string, number>, capacity = 10, positional = false) {
  const columns = columnsOf(types)
  const layout = layoutOf(columns, capacity)
  const encoder = makeRowEncoder(columns, layout, positional)
  const decoder = rowDecoderFactory(columns, layout)()
  return { layout, encoder, decoder, batch: new RowBatch(layout.heap + 256) }
}

function roundTrip(types: Record<string, number>, rows: object[]): unknown[] {
  const { encoder, decoder, batch } = codersOf(types)
  expect(encoder.encode(batch, rows, 0)).toBe(rows.length)
  expect(batch.u32[batchHeader.rows]).toBe(rows.length)
  decoder.attach(batch)
  return rows.map((_, i) => decoder.row(i))
}

test('rows come back as they were given', () => {
  const rows = [
    { id: 1, n: -7, t: 'plain', f: 0.5, at: new Date(86_400_001), b: true },
    { id: -(2 ** 53) + 1, n: 2 ** 31 - 1, t: '', f: Number.NaN, at: new Date(-1000), b: false },
    { id: 2 ** 33 + 5, n: -(2 ** 31), t: 'naïve 🐘', f: -0.25, at: new Date(0), b: true },
    { id: null, n: null, t: null, f: null, at: null, b: null },
  ]
  const types = { id: int8, n: int4, t: text, f: float8, at: timestamptz, b: bool }
  expect(roundTrip(types, rows)).toEqual(rows)
})

test('integers and dates of all sizes, in numbers as far as they are exact', () => {
  const exact = [0, 1, -1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, -(2 ** 32)]
  for (const id of [...exact, 2 ** 53 - 1, -(2 ** 53) + 1])
    expect(roundTrip({ id: int8 }, [{ id }])).toEqual([{ id }])
  for (const id of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n])
    expect(() => roundTrip({ id: int8 }, [{ id }])).toThrow('out of range for a JavaScript number')
  const dates = [0, 1, -1, 946684799999, 946684800000, 9007199254740, 8.64e15, -2e14].map(
    (time) => new Date(time),
  )
  for (const at of dates) expect(roundTrip({ at: timestamptz }, [{ at }])).toEqual([{ at }])
  for (const instant of [1n, -1n, 999n, 1001n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const [row] = roundTrip({ at: timestamptz }, [{ at: instant }]) as [{ at: PgTimestamp }]
    expect(row.at).toBeInstanceOf(PgTimestamp)
    expect(row.at.instant).toBe(instant)
  }
})

test('values that are not plain go through the codec', () => {
  const rows = [{ id: '12', n: '34', t: 56, f: '1.5' }, { id: 78n }]
  expect(roundTrip({ id: int8, n: int4, t: text, f: float8 }, rows)).toEqual([
    { id: 12, n: 34, t: '56', f: 1.5 },
    { id: 78, n: null, t: null, f: null },
  ])
})

test('several texts and bytes of several rows keep apart', () => {
  const rows = [
    { a: 'x', raw: Buffer.from([1, 2]), b: 'ÿ' },
    { a: null, raw: null, b: 'yz' },
    { a: 'w', raw: Buffer.alloc(0), b: '' },
  ]
  const read = roundTrip({ a: text, raw: bytea, b: text }, rows) as typeof rows
  expect(read.map(({ a, b }) => [a, b])).toEqual([
    ['x', 'ÿ'],
    [null, 'yz'],
    ['w', ''],
  ])
  expect(read.map(({ raw }) => raw && [...raw])).toEqual([[1, 2], null, []])
})

test('positional rows need no names, and leave out columns at the end', () => {
  const { encoder, decoder, batch } = codersOf({ a: int4, b: text }, 10, true)
  encoder.encode(batch, [[1, 'one'], [2]], 0)
  decoder.attach(batch)
  expect([decoder.row(0), decoder.row(1)]).toEqual([
    { a: 1, b: 'one' },
    { a: 2, b: null },
  ])
})

test('a batch ends where the buffer is full, and grows for a row that alone is too long', () => {
  const { encoder, decoder, batch, layout } = codersOf({ t: text })
  const rows = [{ t: 'a'.repeat(60) }, { t: 'b'.repeat(5000) }, { t: 'c' }]
  expect(encoder.encode(batch, rows, 0)).toBe(1)
  expect(encoder.encode(batch, rows, 1)).toBe(1)
  expect(batch.buffer.length).toBeGreaterThanOrEqual(layout.heap + 15_000)
  decoder.attach(batch)
  expect(decoder.row(0)).toEqual(rows[1])
})

test('what a column cannot hold is refused with its name', () => {
  const { encoder, batch } = codersOf({ n: int4, a: text, b: text })
  const refused = (row: object) => {
    try {
      encoder.encode(batch, [{ n: 1, a: 'a', b: 'b' }, row], 0)
    } catch (error) {
      return error
    }
    return undefined
  }
  expect(refused({ n: 2 ** 31 })).toMatchObject({ code: '22003', column: 'n' })
  expect(refused({ n: 1.5 })).toMatchObject({ code: '22P02', column: 'n' })
  expect(refused({ b: 'nul\0' })).toMatchObject({ code: '22021', column: 'b' })
  expect(refused({ a: {} })).toMatchObject({ column: 'a' })
  expect(refused({ c: 1 })).toMatchObject({ code: '42703', column: 'c' })
  // Two halves of a pair, each alone in its cell, are well formed only together.
  expect(refused({ a: '\ud83d', b: '\udc18' })).toMatchObject({ code: '22021', column: 'a' })
})
