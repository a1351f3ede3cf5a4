// The type jsonb: JSON as a tree of containers that can be searched without parsing.
//
// A container:
//
//   offset  size  field      meaning
//        0     4  header     bits 0-27 elements or pairs; bit 28 scalar, 29 object, 30 array
//        4  4 * n  children  one JEntry an element; for an object the keys', then the values'
//              -  data       of each child in turn
//
// A JEntry: bits 0-27 the length of the child's data, or in every 32nd the offset of its end (bit 31);
// bits 28-30: 0 string, 1 numeric, 2 false, 3 true, 4 null, 5 container. Numerics (with their varlena
// header) and containers are aligned to 4 bytes by padding that counts as theirs. Keys are sorted by
// length in bytes, then by their bytes. A document that is a scalar is an array of one with the
// scalar bit. Little-endian. Source: src/include/utils/jsonb.h, PostgreSQL 18.

import type { BuiltinType } from './builtin-types.ts'
import { readUint32, utf8Length, utf8Text, writeInt32, writeUtf8 } from './byte-text.ts'
import type { CodecOptions, TypeCodec } from './codec.ts'
import { stringifyJson } from './json.ts'
import {
  JSON_DEPTH_MAX,
  type JsonNode,
  JsonNumber,
  nestedTooDeep,
  parseJson,
} from './json-parser.ts'
import { decodeNumeric, encodeNumeric } from './numeric.ts'
import { checkText, corrupted, refusal, wrongKind } from './refusal.ts'

const COUNT_MASK = 0x0fffffff
const SCALAR_BIT = 0x10000000
const OBJECT_BIT = 0x20000000
const ARRAY_BIT = 0x40000000

const LENGTH_MASK = 0x0fffffff
const HAS_OFFSET = 0x80000000
const TYPE_SHIFT = 28
const OFFSET_STRIDE = 32

const STRING = 0
const NUMERIC = 1
const FALSE = 2
const TRUE = 3
const NULL = 4
const CONTAINER = 5

const LENGTH_MAX = LENGTH_MASK

/** Bytes being written; grows, and is copied from when a document is complete. */
class JsonbWriter {
  private bytes = new Uint8Array(4096)
  private length = 0

  encode(node: JsonNode): Uint8Array {
    this.length = 0
    if (node instanceof Map || Array.isArray(node)) this.writeContainer(node)
    else this.writeArray([node], SCALAR_BIT)
    const result = this.bytes.slice(0, this.length)
    if (this.bytes.length > 1 << 20) this.bytes = new Uint8Array(4096)
    return result
  }

  private reserve(size: number): number {
    const at = this.length
    this.length += size
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.bytes.length * 2))
      grown.set(this.bytes)
      this.bytes = grown
    }
    return at
  }

  private align(): void {
    const padding = -this.length & 3
    const at = this.reserve(padding)
    this.bytes.fill(0, at, at + padding)
  }

  private writeContainer(node: JsonNode[] | Map<string, JsonNode>): void {
    if (Array.isArray(node)) this.writeArray(node, 0)
    else this.writeObject(node)
  }

  private writeArray(nodes: JsonNode[], flags: number): void {
    const children = this.openContainer(nodes.length, ARRAY_BIT | flags, nodes.length)
    const start = this.length
    for (let index = 0; index < nodes.length; index++) {
      const from = this.length
      const type = this.writeNode(nodes[index] as JsonNode)
      this.writeEntry(children, index, type, this.length - from, this.length - start, 'array')
    }
  }

  private writeObject(nodes: Map<string, JsonNode>): void {
    const keys = sortKeys([...nodes.keys()])
    const count = keys.length
    const children = this.openContainer(count, OBJECT_BIT, count * 2)
    const start = this.length
    for (let index = 0; index < count; index++) {
      const from = this.length
      this.writeString(keys[index] as string)
      this.writeEntry(children, index, STRING, this.length - from, this.length - start, 'object')
    }
    for (let index = 0; index < count; index++) {
      const from = this.length
      const type = this.writeNode(nodes.get(keys[index] as string) as JsonNode)
      const place = count + index
      this.writeEntry(children, place, type, this.length - from, this.length - start, 'object')
    }
  }

  /** Writes the header and makes room for the children's entries; returns where they begin. */
  private openContainer(count: number, flags: number, entries: number): number {
    this.align()
    const at = this.reserve(4 + entries * 4)
    writeInt32(this.bytes, at, count | flags)
    return at + 4
  }

  private writeEntry(
    children: number,
    index: number,
    type: number,
    size: number,
    end: number,
    kind: 'array' | 'object',
  ): void {
    if (end > LENGTH_MAX) {
      throw refusal(
        '54000',
        `total size of jsonb ${kind} elements exceeds the maximum of ${LENGTH_MAX} bytes`,
      )
    }
    const place = index % OFFSET_STRIDE === 0 ? end | HAS_OFFSET : size
    writeInt32(this.bytes, children + index * 4, place | (type << TYPE_SHIFT))
  }

  private writeNode(node: JsonNode): number {
    if (typeof node === 'string') {
      this.writeString(node)
      return STRING
    }
    if (node === null) return NULL
    if (node === true) return TRUE
    if (node === false) return FALSE
    if (node instanceof JsonNumber) {
      const payload = encodeNumeric(node.text)
      this.align()
      const at = this.reserve(4 + payload.length)
      writeInt32(this.bytes, at, (4 + payload.length) << 2)
      this.bytes.set(payload, at + 4)
      return NUMERIC
    }
    this.writeContainer(node)
    return CONTAINER
  }

  private writeString(text: string): void {
    const length = text.length
    const at = this.reserve(length)
    let index = 0
    for (; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code >= 128) break
      this.bytes[at + index] = code
    }
    if (index === length) return
    this.length = at
    const size = utf8Length(text)
    if (size > LENGTH_MAX) {
      throw refusal(
        '54000',
        'string too long to represent as jsonb string',
        `Due to an implementation restriction, jsonb strings cannot exceed ${LENGTH_MAX} bytes.`,
      )
    }
    this.reserve(size)
    writeUtf8(this.bytes, text, at)
  }
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 128) return false
  }
  return true
}

function sortKeys(keys: string[]): string[] {
  if (keys.every(isAscii)) {
    return keys.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  }
  const spelled = keys.map((key) => ({ key, bytes: Buffer.from(key, 'utf8') }))
  spelled.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
  return spelled.map(({ key }) => key)
}

const writer = new JsonbWriter()

/** jsonb_in: the payload of a jsonb datum from JSON text. */
export function encodeJsonb(text: string): Uint8Array {
  return writer.encode(parseJson(checkText(text)))
}

/** What a walk over a document builds: JavaScript values, or text. */
interface JsonbBuilder<T> {
  readonly null: T
  readonly true: T
  readonly false: T
  string(text: string): T
  number(text: string): T
  array(items: T[]): T
  object(keys: string[], values: T[]): T
}

const valueBuilder: JsonbBuilder<unknown> = {
  null: null,
  true: true,
  false: false,
  string: (text) => text,
  number: Number,
  array: (items) => items,
  object(keys, values) {
    const object: Record<string, unknown> = {}
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string
      if (key === '__proto__') {
        Object.defineProperty(object, key, {
          value: values[index],
          writable: true,
          enumerable: true,
          configurable: true,
        })
      } else {
        object[key] = values[index]
      }
    }
    return object
  },
}

const textBuilder: JsonbBuilder<string> = {
  null: 'null',
  true: 'true',
  false: 'false',
  string: (text) => JSON.stringify(text),
  number: (text) => text,
  array: (items) => `[${items.join(', ')}]`,
  object: (keys, values) =>
    `{${keys.map((key, index) => `${JSON.stringify(key)}: ${values[index]}`).join(', ')}}`,
}

function walkContainer<T>(
  bytes: Uint8Array,
  start: number,
  end: number,
  builder: JsonbBuilder<T>,
  depth: number,
): T {
  if (depth > JSON_DEPTH_MAX) throw nestedTooDeep()
  if (start + 4 > end) throw corrupted('jsonb')
  const header = readUint32(bytes, start)
  const count = header & COUNT_MASK
  const isObject = (header & OBJECT_BIT) !== 0
  if (isObject === ((header & ARRAY_BIT) !== 0)) throw corrupted('jsonb')
  const entries = isObject ? count * 2 : count
  const data = start + 4 + entries * 4
  if (data > end) throw corrupted('jsonb')

  const keys: string[] = []
  const items: T[] = []
  let offset = 0
  for (let index = 0; index < entries; index++) {
    const entry = readUint32(bytes, start + 4 + index * 4)
    const place = entry & LENGTH_MASK
    const next = entry >= HAS_OFFSET ? place : offset + place
    if (next < offset || data + next > end) throw corrupted('jsonb')
    const type = (entry >>> TYPE_SHIFT) & 7
    if (isObject && index < count) {
      if (type !== STRING) throw corrupted('jsonb')
      keys.push(utf8Text(bytes, data + offset, data + next))
    } else {
      items.push(walkChild(bytes, data + offset, data + next, type, builder, depth))
    }
    offset = next
  }
  if (isObject) return builder.object(keys, items)
  if ((header & SCALAR_BIT) === 0) return builder.array(items)
  if (count !== 1 || depth !== 1) throw corrupted('jsonb')
  return items[0] as T
}

function walkChild<T>(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  builder: JsonbBuilder<T>,
  depth: number,
): T {
  switch (type) {
    case STRING:
      return builder.string(utf8Text(bytes, start, end))
    case NUMERIC: {
      const aligned = (start + 3) & ~3
      if (aligned >= end) throw corrupted('jsonb')
      const isShort = ((bytes[aligned] as number) & 1) === 1
      return builder.number(decodeNumeric(bytes, aligned + (isShort ? 1 : 4), end))
    }
    case FALSE:
      return builder.false
    case TRUE:
      return builder.true
    case NULL:
      return builder.null
    case CONTAINER:
      return walkContainer(bytes, (start + 3) & ~3, end, builder, depth + 1)
    default:
      throw corrupted('jsonb')
  }
}

/** jsonb_out: the text of the payload of a jsonb datum. */
export function printJsonb(raw: Uint8Array): string {
  return walkContainer(raw, 0, raw.length, textBuilder, 1)
}

/** The document as JavaScript values; numbers are what JSON.parse would make of them. */
export function decodeJsonb(raw: Uint8Array): unknown {
  return walkContainer(raw, 0, raw.length, valueBuilder, 1)
}

export function jsonbCodec(
  type: BuiltinType,
  options: CodecOptions,
): TypeCodec<unknown, Uint8Array> {
  const isText = options.json === 'text'
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane: isText ? printJsonb : decodeJsonb,
    toLane(value) {
      if (!isText) return encodeJsonb(stringifyJson(value, 'jsonb'))
      if (typeof value === 'string') return encodeJsonb(value)
      throw wrongKind('jsonb', value)
    },
    toText: printJsonb,
    fromText: encodeJsonb,
  }
}
