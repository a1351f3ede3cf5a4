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
import { type JsonNode, type JsonNumber, parseJson } from './json-parser.ts'
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

const BUFFER_BYTES = 4096
const BUFFER_KEPT_MAX = 1 << 20

/** A container that is being written, without recursion. */
interface OpenContainer {
  /** Where its data begins, padding included: what its own entry counts from. */
  readonly from: number
  /** Where its children's entries begin, and their data. */
  readonly entries: number
  readonly data: number
  readonly keys: number
  readonly values: readonly JsonNode[]
  /** The value that comes next. */
  index: number
}

/** Bytes being written; grows, and is copied from when a document is complete. */
class JsonbWriter {
  private bytes = new Uint8Array(BUFFER_BYTES)
  private length = 0

  encode(root: JsonNode): Uint8Array {
    this.length = 0
    const isContainer = root instanceof Map || Array.isArray(root)
    const open = [
      isContainer ? this.openContainer(root, 0) : this.openContainer([root], SCALAR_BIT),
    ]
    for (;;) {
      const container = open[open.length - 1] as OpenContainer
      if (container.index === container.values.length) {
        open.pop()
        const parent = open[open.length - 1]
        if (parent === undefined) break
        this.writeEntry(parent, CONTAINER, container.from)
        continue
      }
      const node = container.values[container.index] as JsonNode
      if (node instanceof Map || Array.isArray(node)) {
        open.push(this.openContainer(node, 0))
        continue
      }
      const from = this.length
      this.writeEntry(container, this.writeScalar(node), from)
    }
    const result = this.bytes.slice(0, this.length)
    if (this.bytes.length > BUFFER_KEPT_MAX) this.bytes = new Uint8Array(BUFFER_BYTES)
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

  /** Writes the header, room for the children's entries, and the keys of an object. */
  private openContainer(node: JsonNode[] | Map<string, JsonNode>, flags: number): OpenContainer {
    const from = this.length
    const isArray = Array.isArray(node)
    const keys = isArray ? [] : sortKeys([...node.keys()])
    const values = isArray ? node : keys.map((key) => node.get(key) as JsonNode)
    this.align()
    const entries = this.reserve(4 + (keys.length + values.length) * 4) + 4
    const kind = isArray ? ARRAY_BIT : OBJECT_BIT
    writeInt32(this.bytes, entries - 4, values.length | kind | flags)
    const container = { from, entries, data: this.length, keys: keys.length, values, index: 0 }
    keys.forEach((key, place) => {
      const start = this.length
      this.writeString(key)
      this.writePlace(container, place, STRING, start)
    })
    return container
  }

  /** The entry of the value that was just written from `from` on. */
  private writeEntry(container: OpenContainer, type: number, from: number): void {
    this.writePlace(container, container.keys + container.index, type, from)
    container.index++
  }

  private writePlace(container: OpenContainer, place: number, type: number, from: number): void {
    const end = this.length - container.data
    if (end > LENGTH_MASK) {
      const kind = container.keys > 0 ? 'object' : 'array'
      throw refusal(
        '54000',
        `total size of jsonb ${kind} elements exceeds the maximum of ${LENGTH_MASK} bytes`,
      )
    }
    const length = place % OFFSET_STRIDE === 0 ? end | HAS_OFFSET : this.length - from
    writeInt32(this.bytes, container.entries + place * 4, length | (type << TYPE_SHIFT))
  }

  private writeScalar(node: null | boolean | string | JsonNumber): number {
    if (typeof node === 'string') {
      this.writeString(node)
      return STRING
    }
    if (node === null) return NULL
    if (node === true) return TRUE
    if (node === false) return FALSE
    const payload = encodeNumeric(node.text)
    this.align()
    const at = this.reserve(4 + payload.length)
    writeInt32(this.bytes, at, (4 + payload.length) << 2)
    this.bytes.set(payload, at + 4)
    return NUMERIC
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
    if (size > LENGTH_MASK) {
      throw refusal(
        '54000',
        'string too long to represent as jsonb string',
        `Due to an implementation restriction, jsonb strings cannot exceed ${LENGTH_MASK} bytes.`,
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

/** A container that is being read, without recursion. */
interface WalkedContainer<T> {
  readonly entries: number
  readonly entryCount: number
  /** How many of the entries are keys. */
  readonly keyCount: number
  readonly data: number
  readonly end: number
  readonly isObject: boolean
  readonly isScalar: boolean
  readonly keys: string[]
  readonly items: T[]
  /** The entry that comes next, and where its data begins. */
  index: number
  offset: number
}

function openWalked<T>(bytes: Uint8Array, start: number, end: number): WalkedContainer<T> {
  if (start + 4 > end) throw corrupted('jsonb')
  const header = readUint32(bytes, start)
  const count = header & COUNT_MASK
  const isObject = (header & OBJECT_BIT) !== 0
  if (isObject === ((header & ARRAY_BIT) !== 0)) throw corrupted('jsonb')
  const isScalar = (header & SCALAR_BIT) !== 0
  if (isScalar && (isObject || count !== 1)) throw corrupted('jsonb')
  const entryCount = isObject ? count * 2 : count
  const entries = start + 4
  const data = entries + entryCount * 4
  if (data > end) throw corrupted('jsonb')
  const keyCount = isObject ? count : 0
  return {
    entries,
    entryCount,
    keyCount,
    data,
    end,
    isObject,
    isScalar,
    keys: [],
    items: [],
    index: 0,
    offset: 0,
  }
}

function walk<T>(bytes: Uint8Array, builder: JsonbBuilder<T>): T {
  const open = [openWalked<T>(bytes, 0, bytes.length)]
  for (;;) {
    const container = open[open.length - 1] as WalkedContainer<T>
    if (container.index === container.entryCount) {
      open.pop()
      const parent = open[open.length - 1]
      if (container.isScalar && parent !== undefined) throw corrupted('jsonb')
      const value = container.isObject
        ? builder.object(container.keys, container.items)
        : container.isScalar
          ? (container.items[0] as T)
          : builder.array(container.items)
      if (parent === undefined) return value
      parent.items.push(value)
      continue
    }
    const entry = readUint32(bytes, container.entries + container.index * 4)
    const place = entry & LENGTH_MASK
    const next = entry >= HAS_OFFSET ? place : container.offset + place
    if (next < container.offset || container.data + next > container.end) throw corrupted('jsonb')
    const type = (entry >>> TYPE_SHIFT) & 7
    const start = container.data + container.offset
    const end = container.data + next
    const isKey = container.index < container.keyCount
    container.index++
    container.offset = next
    if (isKey) {
      if (type !== STRING) throw corrupted('jsonb')
      container.keys.push(utf8Text(bytes, start, end))
    } else if (type === CONTAINER) {
      open.push(openWalked<T>(bytes, (start + 3) & ~3, end))
    } else {
      container.items.push(readScalar(bytes, start, end, type, builder))
    }
  }
}

function readScalar<T>(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  builder: JsonbBuilder<T>,
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
    default:
      throw corrupted('jsonb')
  }
}

/** jsonb_out: the text of the payload of a jsonb datum. */
export function printJsonb(raw: Uint8Array): string {
  return walk(raw, textBuilder)
}

/** The document as JavaScript values; numbers are what JSON.parse would make of them. */
export function decodeJsonb(raw: Uint8Array): unknown {
  return walk(raw, valueBuilder)
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
