// Rows as text, straight from the lanes of a batch: the formats of COPY TO, and JSON lines.
//
// The code that prints a row is generated once per set of columns. Source of the formats:
// src/backend/commands/copyto.c, PostgreSQL 18.
import type { RelationAccess } from '../access/relation-access.ts'
import { RowBatch } from '../access/row-batch.ts'
import { batchHeader, type NativeSession, type RowLayout } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import type { TypeCodec } from '../types/index.ts'
import type { OfflineColumn } from './offline-database.ts'

export type TextFormat = 'csv' | 'copy' | 'jsonl'
export const textFormats: readonly TextFormat[] = ['csv', 'copy', 'jsonl']

const batchRows = 1000
const batchBytes = 256 * 1024

const copyEscapes: Record<string, string> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

function copyField(text: string): string {
  return /[\\\b\f\n\r\t\v]/.test(text)
    ? text.replace(/[\\\b\f\n\r\t\v]/g, (character) => copyEscapes[character] as string)
    : text
}

function csvField(text: string): string {
  return text === '' || /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

// In a line of one column, "\." must not look like the end-of-data marker.
function onlyCsvField(text: string): string {
  return text === '\\.' ? '"\\."' : csvField(text)
}

function jsonDocument(text: string): string {
  // Line breaks of a JSON document stand between tokens only.
  return /[\n\r]/.test(text) ? text.replace(/[\n\r]+/g, ' ') : text
}

const numberTypes = new Set(['int2', 'int4', 'int8', 'oid', 'xid', 'cid', 'xid8'])
const floatTypes = new Set(['float4', 'float8'])
const textTypes = new Set(['text', 'varchar', 'bpchar', 'json', 'name', 'pg_node_tree'])
// Their text never needs quotes or escapes.
const plainTypes = new Set([...numberTypes, ...floatTypes, 'bool', 'date', 'uuid', 'numeric'])

function textExpression(codec: TypeCodec, offset: number, i: number): string {
  const text = (raw: string) => `codec${i}.toText(${raw})`
  switch (codec.lane) {
    case 'bool':
      return `(u8[${offset} + r] !== 0 ? 't' : 'f')`
    case 'char':
      return text(`i8[${offset} + r]`)
    case 'int16':
      return numberTypes.has(codec.name) ? `i16[${offset / 2} + r]` : text(`i16[${offset / 2} + r]`)
    case 'int32':
      return numberTypes.has(codec.name) ? `i32[${offset / 4} + r]` : text(`i32[${offset / 4} + r]`)
    case 'uint32':
      return numberTypes.has(codec.name) ? `u32[${offset / 4} + r]` : text(`u32[${offset / 4} + r]`)
    case 'float32':
      return text(`f32[${offset / 4} + r]`)
    case 'float64':
      return text(`f64[${offset / 8} + r]`)
    case 'int64': {
      const low = `i32[${offset / 4} + 2 * r]`
      const high = `i32[${offset / 4} + 2 * r + 1]`
      return codec.textFromHalves === undefined
        ? text(`(BigInt(${high}) << 32n | BigInt(${low} >>> 0))`)
        : `codec${i}.textFromHalves(${low}, ${high})`
    }
    case 'text': {
      const raw = `cut(u32[${offset / 4} + r])`
      return textTypes.has(codec.name) ? raw : text(raw)
    }
    case 'bytes':
      return text(`bytes(u32[${offset / 4} + 2 * r], u32[${offset / 4} + 2 * r + 1])`)
  }
}

function jsonCell(codec: TypeCodec, expression: string): string {
  if (codec.name === 'bool') return `(${expression} === 't' ? 'true' : 'false')`
  if (numberTypes.has(codec.name)) return expression
  if (floatTypes.has(codec.name)) return `jsonNumber(${expression})`
  if (codec.name === 'json' || codec.name === 'jsonb') return `jsonDocument(${expression})`
  return `JSON.stringify(${expression})`
}

// The expression for a row's line, as a piece of generated code.
function lineExpression(columns: OfflineColumn[], layout: RowLayout, format: TextFormat): string {
  const cells = columns.map(({ codec }, i) => {
    const value = textExpression(codec, layout.values[i] as number, i)
    const isNull = `u8[${layout.nulls[i] as number} + r] !== 0`
    if (format === 'jsonl') return `(${isNull} ? 'null' : ${jsonCell(codec, value)})`
    const isPlain = plainTypes.has(codec.name)
    if (format === 'copy')
      return `(${isNull} ? '\\\\N' : ${isPlain ? value : `copyField(${value})`})`
    const quote = columns.length === 1 ? 'onlyCsvField' : 'csvField'
    return `(${isNull} ? '' : ${isPlain ? value : `${quote}(${value})`})`
  })
  if (format !== 'jsonl') {
    const separator = format === 'csv' ? `','` : `'\\t'`
    return cells.length === 0 ? `'\\n'` : `${cells.join(` + ${separator} + `)} + '\\n'`
  }
  const keys = columns.map(({ name }, i) =>
    JSON.stringify(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`),
  )
  const members = cells.map((cell, i) => `${keys[i]} + ${cell}`)
  return members.length === 0 ? `'{}\\n'` : `${members.join(' + ')} + '}\\n'`
}

function jsonNumber(text: string): string {
  return text === 'NaN' || text.endsWith('Infinity') ? `"${text}"` : text
}

type Printer = (batch: RowBatch, rows: number) => string

function makePrinter(columns: OfflineColumn[], layout: RowLayout, format: TextFormat): Printer {
  const { heap } = layout
  const source = `'use strict'
return function print(batch, rows) {
  const { u8, i8, i16, i32, u32, f32, f64, buffer } = batch
  const ascii = u32[${batchHeader.ascii}] !== 0
  const text = ascii ? buffer.latin1Slice(${heap}, ${heap} + u32[${batchHeader.textBytes}]) : ''
  let from = 0
  const cut = (end) => {
    const start = from
    from = end
    return ascii ? text.substring(start, end) : buffer.utf8Slice(${heap} + start, ${heap} + end)
  }
  const bytes = (offset, length) => u8.subarray(offset, offset + length)
  let out = ''
  for (let r = 0; r < rows; r++) out += ${lineExpression(columns, layout, format)}
  return out
}`
  const tools = { copyField, csvField, onlyCsvField, jsonDocument, jsonNumber }
  const codecNames = columns.map((_, i) => `codec${i}`)
  const make = new Function(...Object.keys(tools), ...codecNames, source)
  return make(...Object.values(tools), ...columns.map(({ codec }) => codec)) as Printer
}

/** The line of column names that COPY … (FORMAT csv, HEADER) begins with. */
export function csvHeader(names: readonly string[]): string {
  const quote = names.length === 1 ? onlyCsvField : csvField
  return `${names.map(quote).join(',')}\n`
}

/** The columns that COPY prints: those named, or all that are not generated. Throws 42703, 42701, 42P10. */
export function columnsToPrint(
  relation: string,
  columns: readonly OfflineColumn[],
  names: readonly string[] | undefined,
): OfflineColumn[] {
  if (names === undefined) return columns.filter(({ generated }) => !generated)
  const seen = new Set<string>()
  return names.map((name) => {
    const column = columns.find((candidate) => candidate.name === name)
    if (column === undefined) {
      throw new PgError('42703', `column "${name}" of relation "${relation}" does not exist`)
    }
    if (seen.has(name)) throw new PgError('42701', `column "${name}" specified more than once`)
    seen.add(name)
    if (column.generated) {
      throw new PgError('42P10', `column "${name}" is a generated column`, {
        detail: 'Generated columns cannot be used in COPY.',
      })
    }
    return column
  })
}

/** The visible rows as text, a batch at a time. */
export function* textRows(
  session: NativeSession,
  access: RelationAccess,
  columns: OfflineColumn[],
  format: TextFormat,
): Generator<{ text: string; rows: number }> {
  const layout = access.native.layout(
    columns.map(({ attribute }) => attribute),
    batchRows,
    false,
  )
  const print = makePrinter(columns, layout, format)
  const batch = new RowBatch(layout.heap + batchBytes)
  const scan = session.scan(access.native, layout.id, [], 0, undefined)
  try {
    for (;;) {
      const rows = scan.next(batch.buffer)
      if (rows > 0) yield { text: print(batch, rows), rows }
      else if (!batch.ended) batch.grow(Math.max(batch.needed, batch.buffer.length * 2))
      if (batch.ended) return
    }
  } finally {
    scan.close()
  }
}
