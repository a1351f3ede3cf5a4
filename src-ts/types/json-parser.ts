// Reads JSON text as PostgreSQL does: for jsonb into a tree that keeps numbers as they were written,
// and for json to say what is wrong with text that is not JSON.
// Source: src/common/jsonapi.c, PostgreSQL 18.

import type { PgError } from '../errors/pg-error.ts'
import { hexValue, isDigit, isLetter } from './character.ts'
import { refusal } from './refusal.ts'

/** A number as it was written. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

/** An object is a Map: a key that is repeated keeps its last value. */
export type JsonNode = null | boolean | string | JsonNumber | JsonNode[] | Map<string, JsonNode>

/** Levels of arrays and objects. PostgreSQL's limit is the size of its stack, some more than this. */
export const JSON_DEPTH_MAX = 10000

export function nestedTooDeep(): PgError {
  return refusal(
    '54001',
    'stack depth limit exceeded',
    `JSON is nested more than ${JSON_DEPTH_MAX} levels deep.`,
  )
}

/** An array or object that is being read, without recursion: the depth is not ours to limit. */
interface OpenContainer {
  readonly node: JsonNode[] | Map<string, JsonNode>
  /** The key whose value comes next. */
  key: string
}

const QUOTE = 34
const BACKSLASH = 92

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class JsonReader {
  private at = 0

  constructor(private readonly text: string) {}

  readDocument(): JsonNode {
    this.skipSpaces()
    const node = this.readValue()
    this.skipSpaces()
    if (this.at !== this.text.length) throw this.unexpected('Expected end of input')
    return node
  }

  private skipSpaces(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at)
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return
      this.at++
    }
  }

  private skip(): void {
    this.at++
    this.skipSpaces()
  }

  private readValue(): JsonNode {
    const open: OpenContainer[] = []
    let expected = 'Expected JSON value'
    for (;;) {
      const code = this.text.charCodeAt(this.at)
      let node: JsonNode
      if (code === 91 || code === 123) {
        if (open.length === JSON_DEPTH_MAX) throw nestedTooDeep()
        const container = this.openContainer(code === 91)
        if (container.key !== undefined) {
          open.push({ node: container.node, key: container.key })
          expected = code === 91 ? 'Expected array element or "]"' : 'Expected JSON value'
          continue
        }
        node = container.node
      } else {
        node = this.readScalar(code, expected)
      }
      const root = this.attach(open, node)
      if (root !== undefined) return root
      expected = 'Expected JSON value'
    }
  }

  /** Reads up to the first value; an empty container is read whole, and has no key. */
  private openContainer(isArray: boolean): {
    node: OpenContainer['node']
    key: string | undefined
  } {
    this.skip()
    const isEmpty = this.text.charCodeAt(this.at) === (isArray ? 93 : 125)
    if (isEmpty) this.at++
    if (isArray) return { node: [], key: isEmpty ? undefined : '' }
    return { node: new Map(), key: isEmpty ? undefined : this.readKey('Expected string or "}"') }
  }

  private readKey(expected: string): string {
    if (this.text.charCodeAt(this.at) !== QUOTE) throw this.unexpected(expected)
    const key = this.readString()
    this.skipSpaces()
    if (this.text.charCodeAt(this.at) !== 58) throw this.unexpected('Expected ":"')
    this.skip()
    return key
  }

  /**
   * Puts a value where it belongs and closes what ends after it. Returns the document when that is
   * complete; otherwise the next value comes.
   */
  private attach(open: OpenContainer[], value: JsonNode): JsonNode | undefined {
    let node = value
    for (;;) {
      const container = open[open.length - 1]
      if (container === undefined) return node
      const isArray = Array.isArray(container.node)
      if (Array.isArray(container.node)) container.node.push(node)
      else container.node.set(container.key, node)
      this.skipSpaces()
      const code = this.text.charCodeAt(this.at)
      if (code === 44) {
        this.skip()
        if (!isArray) container.key = this.readKey('Expected string')
        return undefined
      }
      if (code !== (isArray ? 93 : 125)) {
        throw this.unexpected(isArray ? 'Expected "," or "]"' : 'Expected "," or "}"')
      }
      this.at++
      open.pop()
      node = container.node
    }
  }

  private readScalar(code: number, expected: string): JsonNode {
    if (code === QUOTE) return this.readString()
    if (code === 45 || isDigit(code)) return this.readNumber()
    const word = this.wordAt(this.at)
    if (word === 'true' || word === 'false' || word === 'null') {
      this.at += word.length
      return word === 'null' ? null : word === 'true'
    }
    throw this.unexpected(expected)
  }

  private readString(): string {
    const start = this.at + 1
    let at = start
    for (;;) {
      const code = this.text.charCodeAt(at)
      if (code === QUOTE) {
        this.at = at + 1
        return this.text.substring(start, at)
      }
      if (code === BACKSLASH) return this.readEscapedString(start, at)
      if (!(code >= 32)) throw this.badCharacter(at)
      at++
    }
  }

  private readEscapedString(start: number, at: number): string {
    let result = this.text.substring(start, at)
    let high = 0
    let plain = at
    for (;;) {
      const code = this.text.charCodeAt(at)
      if (code === BACKSLASH && this.text.charCodeAt(at + 1) === 117) {
        result += this.text.substring(plain, at)
        const unit = this.readUnicodeEscape(at + 2)
        at += 6
        plain = at
        if (unit >= 0xd800 && unit <= 0xdbff) {
          if (high !== 0)
            throw malformed('Unicode high surrogate must not follow a high surrogate.')
          high = unit
          continue
        }
        if (unit >= 0xdc00 && unit <= 0xdfff) {
          if (high === 0) throw lowSurrogate()
          result += String.fromCharCode(high, unit)
          high = 0
          continue
        }
        if (high !== 0) throw lowSurrogate()
        if (unit === 0) {
          throw refusal(
            '22P05',
            'unsupported Unicode escape sequence',
            '\\u0000 cannot be converted to text.',
          )
        }
        result += String.fromCharCode(unit)
        continue
      }
      if (Number.isNaN(code)) throw this.badCharacter(at)
      if (high !== 0) throw lowSurrogate()
      if (code === QUOTE) {
        this.at = at + 1
        return result + this.text.substring(plain, at)
      }
      if (code === BACKSLASH) {
        result += this.text.substring(plain, at)
        const letter = this.text.charAt(at + 1)
        if (letter === '') throw this.badCharacter(at + 1)
        const character = escapes[letter]
        if (character === undefined) {
          const found = String.fromCodePoint(this.text.codePointAt(at + 1) as number)
          throw malformed(`Escape sequence "\\${found}" is invalid.`)
        }
        result += character
        at += 2
        plain = at
        continue
      }
      if (!(code >= 32)) throw this.badCharacter(at)
      at++
    }
  }

  private readUnicodeEscape(at: number): number {
    let unit = 0
    for (let index = 0; index < 4; index++) {
      if (at + index >= this.text.length) throw this.badCharacter(at + index)
      const digit = hexValue(this.text.charCodeAt(at + index))
      if (digit < 0) throw malformed('"\\u" must be followed by four hexadecimal digits.')
      unit = unit * 16 + digit
    }
    return unit
  }

  private badCharacter(at: number): PgError {
    if (at >= this.text.length) {
      return malformed(`Token "${this.text.substring(this.at)}" is invalid.`)
    }
    const hex = this.text.charCodeAt(at).toString(16).padStart(2, '0')
    return malformed(`Character with value 0x${hex} must be escaped.`)
  }

  private readNumber(): JsonNumber {
    const start = this.at
    const { text } = this
    let at = start
    let isBad = false
    const digits = () => {
      const first = at
      while (isDigit(text.charCodeAt(at))) at++
      if (at === first) isBad = true
    }
    if (text.charCodeAt(at) === 45) at++
    if (text.charCodeAt(at) === 48) at++
    else digits()
    if (text.charCodeAt(at) === 46) {
      at++
      digits()
    }
    if ((text.charCodeAt(at) | 32) === 101) {
      at++
      if (text.charCodeAt(at) === 43 || text.charCodeAt(at) === 45) at++
      digits()
    }
    const end = at
    while (isWordCharacter(text.charCodeAt(at))) at++
    if (isBad || at !== end) throw malformed(`Token "${text.substring(start, at)}" is invalid.`)
    this.at = at
    return new JsonNumber(text.substring(start, at))
  }

  private wordAt(at: number): string {
    const start = at
    while (isWordCharacter(this.text.charCodeAt(at))) at++
    return this.text.substring(start, at)
  }

  /** What is wrong at the current place, where `expected` did not come. */
  private unexpected(expected: string): PgError {
    if (this.at >= this.text.length) return malformed('The input string ended unexpectedly.')
    const start = this.at
    const code = this.text.charCodeAt(start)
    let token = this.text.charAt(start)
    if (code === QUOTE) {
      this.readString()
      token = this.text.substring(start, this.at)
    } else if (code === 45 || isDigit(code)) {
      token = this.readNumber().text
    } else if (!'{}[],:'.includes(token)) {
      const word = this.wordAt(start)
      if (word !== '') token = word
      if (word !== 'true' && word !== 'false' && word !== 'null') {
        return malformed(`Token "${token}" is invalid.`)
      }
    }
    return malformed(`${expected}, but found "${token}".`)
  }
}

function isWordCharacter(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 95 || code === 36 || code >= 128
}

function malformed(detail: string): PgError {
  return refusal('22P02', 'invalid input syntax for type json', detail)
}

function lowSurrogate(): PgError {
  return malformed('Unicode low surrogate must follow a high surrogate.')
}

/** Throws 22P02 for text that is not JSON, 22P05 for an escaped NUL. */
export function parseJson(text: string): JsonNode {
  return new JsonReader(text).readDocument()
}
