// Arrays of any type that has a codec.
//
// The payload of an array datum, after its four-byte varlena header:
//
//   offset  size  field       meaning
//        0     4  ndim        dimensions, 0 to 6; 0 is an empty array, and nothing follows elemtype
//        4     4  dataoffset  where elements begin, from the varlena header; 0 without null bitmap
//        8     4  elemtype    OID of the element type
//       12  4 * n dims        length of each dimension, the innermost last
//              4 * n lbounds  lower bound of each
//              -  nulls       one bit an element, 1 for not null, when dataoffset is not 0
//              -  elements    aligned to 8 bytes from the varlena header, then as typalign says
//
// Little-endian. Source: src/include/utils/array.h, PostgreSQL 18.

import type { PgError } from '../errors/pg-error.ts'
import type { BuiltinType } from './builtin-types.ts'
import { readInt32, readUint32 } from './byte-text.ts'
import { isSpace } from './character.ts'
import type { LaneValue, TypeCodec } from './codec.ts'
import { alignUp, DatumReader, DatumWriter } from './datum.ts'
import { readSigned } from './integer.ts'
import { checkText, corrupted, refusal, wrongKind } from './refusal.ts'

const VARLENA_HEADER = 4
const DIMENSIONS_MAX = 6
const ELEMENTS_MAX = 134217727
const INT32_MAX = 2147483647

/** An array in lane values: its shape and its elements in storage order. */
export interface ArrayContent {
  readonly dims: readonly number[]
  readonly lowerBounds: readonly number[]
  readonly elements: readonly (LaneValue | null)[]
}

const EMPTY: ArrayContent = { dims: [], lowerBounds: [], elements: [] }

function tooManyDimensions(): PgError {
  return refusal(
    '54000',
    `number of array dimensions exceeds the maximum allowed (${DIMENSIONS_MAX})`,
  )
}

function tooManyElements(): PgError {
  return refusal('54000', `array size exceeds the maximum allowed (${ELEMENTS_MAX})`)
}

/** The OID of the element type that an array datum names. */
export function elementTypeOf(bytes: Uint8Array): number {
  if (bytes.length < 12) throw corrupted('array')
  return readUint32(bytes, 8)
}

/** The payload of an array datum. */
export function encodeArray(element: TypeCodec, content: ArrayContent): Uint8Array {
  const { dims, lowerBounds, elements } = content
  const writer = new DatumWriter(VARLENA_HEADER)
  if (elements.length === 0) {
    writer.writeInt32(0)
    writer.writeInt32(0)
    writer.writeInt32(element.oid)
    return writer.finish()
  }
  const hasNulls = elements.includes(null)
  const bitmapBytes = hasNulls ? (elements.length + 7) >> 3 : 0
  const headerBytes = 12 + dims.length * 8
  const dataAt = alignUp(VARLENA_HEADER + headerBytes + bitmapBytes, 'd')
  writer.writeInt32(dims.length)
  writer.writeInt32(hasNulls ? dataAt : 0)
  writer.writeInt32(element.oid)
  for (const length of dims) writer.writeInt32(length)
  for (const bound of lowerBounds) writer.writeInt32(bound)
  writer.reserve(dataAt - VARLENA_HEADER - headerBytes)
  for (let index = 0; index < elements.length; index++) {
    const raw = elements[index] as LaneValue | null
    if (raw === null) continue
    if (hasNulls) writer.setBit(headerBytes + (index >> 3), index & 7)
    writer.write(element, raw)
  }
  return writer.finish()
}

/** What an array datum holds; lane values of lane bytes are views of it. */
export function decodeArray(element: TypeCodec, bytes: Uint8Array): ArrayContent {
  if (bytes.length < 12) throw corrupted('array')
  const ndim = readInt32(bytes, 0)
  if (ndim === 0) return EMPTY
  const dataOffset = readInt32(bytes, 4)
  const headerBytes = 12 + ndim * 8
  if (ndim < 0 || ndim > DIMENSIONS_MAX || headerBytes > bytes.length) throw corrupted('array')
  const dims: number[] = []
  const lowerBounds: number[] = []
  let count = 1
  for (let index = 0; index < ndim; index++) {
    const length = readInt32(bytes, 12 + index * 4)
    dims.push(length)
    lowerBounds.push(readInt32(bytes, 12 + (ndim + index) * 4))
    count *= length
    if (length < 0 || count > ELEMENTS_MAX) throw corrupted('array')
  }
  if (count === 0) return EMPTY
  const bitmapBytes = dataOffset === 0 ? 0 : (count + 7) >> 3
  const dataAt = dataOffset === 0 ? alignUp(VARLENA_HEADER + headerBytes, 'd') : dataOffset
  if (dataAt < VARLENA_HEADER + headerBytes + bitmapBytes) throw corrupted('array')
  if (count - bitmapBytes * 8 > bytes.length) throw corrupted('array')
  const reader = new DatumReader(bytes, dataAt - VARLENA_HEADER, VARLENA_HEADER)
  const elements: (LaneValue | null)[] = []
  for (let index = 0; index < count; index++) {
    const isNull =
      bitmapBytes !== 0 &&
      ((bytes[headerBytes + (index >> 3)] as number) & (1 << (index & 7))) === 0
    elements.push(isNull ? null : reader.read(element))
  }
  return { dims, lowerBounds, elements }
}

function needsQuotes(text: string, delimiter: number): boolean {
  if (text === '') return true
  if (text.length === 4 && text.toLowerCase() === 'null') return true
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34 || code === 92 || code === 123 || code === 125) return true
    if (code === delimiter || isSpace(code)) return true
  }
  return false
}

/** array_out. */
export function printArray(element: TypeCodec, content: ArrayContent): string {
  const { dims, lowerBounds, elements } = content
  if (elements.length === 0) return '{}'
  const { typdelim } = element
  const delimiter = typdelim.charCodeAt(0)
  let next = 0
  const level = (depth: number): string => {
    const texts: string[] = []
    const length = dims[depth] as number
    for (let index = 0; index < length; index++) {
      if (depth < dims.length - 1) {
        texts.push(level(depth + 1))
        continue
      }
      const raw = elements[next++] as LaneValue | null
      if (raw === null) {
        texts.push('NULL')
        continue
      }
      const text = element.toText(raw)
      texts.push(needsQuotes(text, delimiter) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text)
    }
    return `{${texts.join(typdelim)}}`
  }
  const body = level(0)
  if (lowerBounds.every((bound) => bound === 1)) return body
  const bounds = dims.map((length, index) => {
    const lower = lowerBounds[index] as number
    return `[${lower}:${lower + length - 1}]`
  })
  return `${bounds.join('')}=${body}`
}

/** Reads an array literal: '{1,2}', '{{a,"b c"},{NULL,d}}', '[0:1]={1,2}'. */
class ArrayLiteralReader {
  private at = 0
  private readonly dims: number[] = []
  private readonly lowerBounds: number[] = []
  private readonly elements: (LaneValue | null)[] = []
  private readonly delimiter: number

  constructor(
    private readonly element: TypeCodec,
    private readonly text: string,
  ) {
    this.delimiter = element.typdelim.charCodeAt(0)
  }

  read(): ArrayContent {
    this.readBounds()
    const hasBounds = this.dims.length > 0
    if (hasBounds) {
      if (this.code() !== 61) throw this.malformed('Missing "=" after array dimensions.')
      this.at++
      this.skipSpaces()
      if (this.code() !== 123) throw this.malformed('Array contents must start with "{".')
    } else if (this.code() !== 123) {
      throw this.malformed('Array value must start with "{" or dimension information.')
    }
    this.readContents(hasBounds)
    this.skipSpaces()
    if (this.at !== this.text.length) throw this.malformed('Junk after closing right brace.')
    if (this.elements.length === 0) return EMPTY
    if (this.elements.length > ELEMENTS_MAX) throw tooManyElements()
    const lowerBounds = this.dims.map((_, index) => this.lowerBounds[index] ?? 1)
    return { dims: this.dims, lowerBounds, elements: this.elements }
  }

  private code(): number {
    return this.text.charCodeAt(this.at)
  }

  private skipSpaces(): void {
    while (isSpace(this.code())) this.at++
  }

  private malformed(detail: string): PgError {
    return refusal('22P02', `malformed array literal: "${this.text}"`, detail)
  }

  private readBound(): number | undefined {
    const read = readSigned(this.text, this.at)
    if (read === undefined) return undefined
    if (read.value > INT32_MAX || read.value < -INT32_MAX - 1) {
      throw refusal('54000', 'array bound is out of integer range')
    }
    this.at = read.end
    return read.value
  }

  private readBounds(): void {
    for (;;) {
      this.skipSpaces()
      if (this.code() !== 91) return
      this.at++
      if (this.dims.length >= DIMENSIONS_MAX) throw tooManyDimensions()
      const first = this.readBound()
      if (first === undefined) {
        throw this.malformed('"[" must introduce explicitly-specified array dimensions.')
      }
      let lower = 1
      let upper = first
      if (this.code() === 58) {
        this.at++
        const second = this.readBound()
        if (second === undefined) throw this.malformed('Missing array dimension value.')
        lower = first
        upper = second
      }
      if (this.code() !== 93) throw this.malformed('Missing "]" after array dimensions.')
      this.at++
      if (upper < lower) {
        throw refusal('2202E', 'upper bound cannot be less than lower bound')
      }
      if (upper === INT32_MAX) {
        throw refusal('54000', `array upper bound is too large: ${upper}`)
      }
      if (upper - lower + 1 > INT32_MAX) throw tooManyElements()
      this.lowerBounds.push(lower)
      this.dims.push(upper - lower + 1)
    }
  }

  private badShape(hasBounds: boolean): PgError {
    return this.malformed(
      hasBounds
        ? 'Specified array dimensions do not match array contents.'
        : 'Multidimensional arrays must have sub-arrays with matching dimensions.',
    )
  }

  private readContents(hasBounds: boolean): void {
    const { dims } = this
    /** Elements, or sub-arrays, seen so far at each level. */
    const counts: number[] = []
    let dimensions = dims.length
    let isFrozen = hasBounds
    let expectsDelimiter = false
    let level = 0
    do {
      this.skipSpaces()
      const code = this.code()
      if (code === 123) {
        this.at++
        if (expectsDelimiter) throw this.malformed('Unexpected "{" character.')
        if (level >= DIMENSIONS_MAX) throw tooManyDimensions()
        counts[level] = 0
        level++
        if (level > dimensions) {
          if (isFrozen) throw this.badShape(hasBounds)
          dimensions = level
        }
      } else if (code === 125) {
        this.at++
        const inner = counts[level - 1] as number
        if (inner > 0 && !expectsDelimiter) throw this.malformed('Unexpected "}" character.')
        level--
        if (level > 0) counts[level - 1] = (counts[level - 1] as number) + 1
        if (dims[level] === undefined) dims[level] = inner
        else if (dims[level] !== inner) throw this.badShape(hasBounds)
        expectsDelimiter = true
      } else if (code === this.delimiter) {
        this.at++
        if (!expectsDelimiter) {
          throw this.malformed(`Unexpected "${this.element.typdelim}" character.`)
        }
        expectsDelimiter = false
      } else {
        const text = code === 34 ? this.readQuoted() : this.readUnquoted()
        if (expectsDelimiter) throw this.malformed('Unexpected array element.')
        this.elements.push(text === null ? null : this.element.fromText(text))
        isFrozen = true
        if (level !== dimensions) throw this.badShape(hasBounds)
        counts[level - 1] = (counts[level - 1] as number) + 1
        expectsDelimiter = true
      }
    } while (level > 0)
  }

  private unexpectedEnd(): PgError {
    return this.malformed('Unexpected end of input.')
  }

  private readQuoted(): string {
    let result = ''
    let plain = ++this.at
    for (;;) {
      const code = this.code()
      if (Number.isNaN(code)) throw this.unexpectedEnd()
      if (code === 92) {
        result += this.text.substring(plain, this.at)
        plain = this.at + 1
        this.at += 2
        if (plain >= this.text.length) throw this.unexpectedEnd()
        continue
      }
      if (code === 34) {
        result += this.text.substring(plain, this.at)
        this.at++
        this.skipSpaces()
        const next = this.code()
        if (Number.isNaN(next)) throw this.unexpectedEnd()
        if (next !== this.delimiter && next !== 125 && next !== 123) {
          throw this.malformed('Incorrectly quoted array element.')
        }
        return result
      }
      this.at++
    }
  }

  private readUnquoted(): string | null {
    let result = ''
    let plain = this.at
    let hasEscape = false
    /** What comes after this place, if only spaces, is not part of the element. */
    let solidEnd = this.at
    let kept = 0
    for (;;) {
      const code = this.code()
      if (Number.isNaN(code)) throw this.unexpectedEnd()
      if (code === 123) throw this.malformed('Unexpected "{" character.')
      if (code === 34) throw this.malformed('Incorrectly quoted array element.')
      if (code === 92) {
        result += this.text.substring(plain, this.at)
        plain = this.at + 1
        if (plain >= this.text.length) throw this.unexpectedEnd()
        this.at += 2
        hasEscape = true
        solidEnd = this.at
        continue
      }
      if (code === this.delimiter || code === 125) {
        kept = Math.max(solidEnd, plain)
        result += this.text.substring(plain, kept)
        if (!hasEscape && result.length === 4 && result.toLowerCase() === 'null') return null
        return result
      }
      this.at++
      if (!isSpace(code)) solidEnd = this.at
    }
  }
}

export function parseArray(element: TypeCodec, text: string): ArrayContent {
  return new ArrayLiteralReader(element, checkText(text)).read()
}

/** True if a JavaScript array is one value of the element type, not a dimension. */
function takesArrays(element: TypeCodec): boolean {
  return element.name === 'json' || element.name === 'jsonb' || element.typelem !== 0
}

/** The shape and elements of a nested JavaScript array. */
function contentOf(element: TypeCodec, value: readonly unknown[]): ArrayContent {
  const dims: number[] = []
  for (let level: unknown = value; Array.isArray(level); level = level[0]) {
    dims.push(level.length)
    if (dims.length > DIMENSIONS_MAX) throw tooManyDimensions()
    if (takesArrays(element)) break
  }
  const elements: (LaneValue | null)[] = []
  const add = (items: readonly unknown[], depth: number): void => {
    const isInnermost = depth === dims.length - 1
    if (items.length !== dims[depth]) throw badJavaScriptShape()
    for (const item of items) {
      if (!isInnermost) {
        if (!Array.isArray(item)) throw badJavaScriptShape()
        add(item, depth + 1)
      } else if (item === null || item === undefined) {
        elements.push(null)
      } else {
        if (Array.isArray(item) && !takesArrays(element)) throw badJavaScriptShape()
        elements.push(element.toLane(item))
      }
    }
  }
  add(value, 0)
  if (elements.length > ELEMENTS_MAX) throw tooManyElements()
  return { dims, lowerBounds: dims.map(() => 1), elements }
}

function badJavaScriptShape(): PgError {
  return refusal(
    '2202E',
    'multidimensional arrays must have array expressions with matching dimensions',
  )
}

/** Nested JavaScript arrays of the elements' values; lower bounds are not kept. */
function jsArrayOf(element: TypeCodec, content: ArrayContent): unknown[] {
  const { dims, elements } = content
  if (elements.length === 0) return []
  let next = 0
  const level = (depth: number): unknown[] => {
    const items: unknown[] = []
    for (let index = dims[depth] as number; index > 0; index--) {
      if (depth < dims.length - 1) {
        items.push(level(depth + 1))
        continue
      }
      const raw = elements[next++] as LaneValue | null
      items.push(raw === null ? null : element.fromLane(raw))
    }
    return items
  }
  return level(0)
}

/** The codec of an array type; its modifier is the elements'. */
export function arrayCodec(
  type: BuiltinType,
  element: TypeCodec,
): TypeCodec<unknown[], Uint8Array> {
  const parse = (text: string) => encodeArray(element, parseArray(element, text))
  return {
    ...type,
    typmod: element.typmod,
    lane: 'bytes',
    isIdentity: false,
    fromLane: (raw) => jsArrayOf(element, decodeArray(element, raw)),
    toLane(value) {
      if (Array.isArray(value)) return encodeArray(element, contentOf(element, value))
      if (typeof value === 'string') return parse(value)
      if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
        return encodeArray(element, contentOf(element, Array.from(value as Uint8Array)))
      }
      throw wrongKind(`${element.name}[]`, value)
    },
    toText: (raw) => printArray(element, decodeArray(element, raw)),
    fromText: parse,
  }
}

/** anyarray, as statistics hold it: the datum names its own element type. Read only. */
export function anyArrayCodec(
  type: BuiltinType,
  elementCodec: (oid: number) => TypeCodec,
): TypeCodec<unknown[], Uint8Array> {
  const refuse = () => refusal('0A000', 'cannot accept a value of type anyarray')
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane(raw) {
      const element = elementCodec(elementTypeOf(raw))
      return jsArrayOf(element, decodeArray(element, raw))
    },
    toLane(value) {
      if (value instanceof Uint8Array) return value
      throw refuse()
    },
    toText(raw) {
      const element = elementCodec(elementTypeOf(raw))
      return printArray(element, decodeArray(element, raw))
    },
    fromText() {
      throw refuse()
    },
  }
}

/** oidvector and int2vector: one dimension from 0, no nulls, printed as numbers with spaces. */
export function vectorCodec(
  type: BuiltinType,
  element: TypeCodec,
  parseElements: (text: string) => number[],
): TypeCodec<number[], Uint8Array> {
  const encode = (values: readonly number[]): Uint8Array => {
    const writer = new DatumWriter(VARLENA_HEADER)
    writer.writeInt32(1)
    writer.writeInt32(0)
    writer.writeInt32(element.oid)
    writer.writeInt32(values.length)
    writer.writeInt32(0)
    // Unlike an array's, the last element is followed by no padding.
    const size = element.typlen
    const bytes = new Uint8Array(20 + values.length * size)
    bytes.set(writer.finish())
    values.forEach((value, index) => {
      for (let at = 0; at < size; at++) bytes[20 + index * size + at] = value >> (at * 8)
    })
    return bytes
  }
  const decode = (raw: Uint8Array): number[] =>
    decodeArray(element, raw).elements.map((value) => value as number)
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane: decode,
    toLane(value) {
      if (typeof value === 'string') return encode(parseElements(value))
      if (Array.isArray(value)) return encode(value.map((item) => element.toLane(item) as number))
      throw wrongKind(type.name, value)
    },
    toText: (raw) => decode(raw).join(' '),
    fromText: (text) => encode(parseElements(text)),
  }
}
