// Reads the name of a type as SQL writes it: 'varchar(20)', 'timestamp(3) with time zone', 'int8[]'.

import type { PgError } from '../errors/pg-error.ts'
import { type BuiltinType, builtinTypeNamed, unsupportedTypeOid } from './builtin-types.ts'
import { isDigit, isLetter, skipSpaces } from './character.ts'
import { FULL_RANGE } from './interval.ts'
import { notSupported, refusal, valueOutOfRange } from './refusal.ts'
import { clipName } from './text.ts'
import { hasSeconds, intervalRangeNamed, intervalTypmod, typmodOf } from './type-modifier.ts'

/** A column's type: what pg_attribute says of it. */
export interface TypeReference {
  /** atttypid: of an array the array type. */
  readonly oid: number
  /** atttypmod. */
  readonly typmod: number
  /** attndims: how many pairs of brackets were written; PostgreSQL does not enforce it. */
  readonly arrayDims: number
}

type Token =
  | { kind: 'word'; text: string; isQuoted: boolean }
  | { kind: 'number'; text: string }
  | { kind: 'sign'; text: string }

function isNameStart(code: number): boolean {
  return isLetter(code) || code === 95 || code >= 128
}

function cut(text: string): Token[] {
  const tokens: Token[] = []
  let at = skipSpaces(text, 0)
  while (at < text.length) {
    const start = at
    const code = text.charCodeAt(at)
    if (code === 34) {
      let name = ''
      for (;;) {
        const end = text.indexOf('"', at + 1)
        if (end < 0)
          throw refusal(
            '42601',
            `unterminated quoted identifier at or near "${text.substring(start)}"`,
          )
        name += text.substring(at + 1, end)
        at = end + 1
        if (text.charCodeAt(at) !== 34) break
        name += '"'
      }
      if (name === '') throw refusal('42601', 'zero-length delimited identifier at or near """"')
      tokens.push({ kind: 'word', text: clipName(name), isQuoted: true })
    } else if (isNameStart(code)) {
      while (
        isNameStart(text.charCodeAt(at)) ||
        isDigit(text.charCodeAt(at)) ||
        text.charCodeAt(at) === 36
      )
        at++
      const word = text.substring(start, at).replace(/[A-Z]+/g, (upper) => upper.toLowerCase())
      tokens.push({ kind: 'word', text: clipName(word), isQuoted: false })
    } else if (isDigit(code)) {
      while (isDigit(text.charCodeAt(at))) at++
      tokens.push({ kind: 'number', text: text.substring(start, at) })
    } else {
      at++
      tokens.push({ kind: 'sign', text: text.charAt(start) })
    }
    at = skipSpaces(text, at)
  }
  return tokens
}

/** SQL's own names for types, by typname. */
const sqlTypes: Readonly<Record<string, string>> = {
  int: 'int4',
  integer: 'int4',
  smallint: 'int2',
  bigint: 'int8',
  real: 'float4',
  boolean: 'bool',
  decimal: 'numeric',
  dec: 'numeric',
  numeric: 'numeric',
}

const INT32_MAX = 2147483647
const FLOAT4_BITS_MAX = 24
const FLOAT8_BITS_MAX = 53

class TypeNameReader {
  private at = 0
  private readonly tokens: Token[]

  constructor(text: string) {
    this.tokens = cut(text)
  }

  read(): TypeReference {
    const { type, typmod } = this.readScalar()
    let arrayDims = 0
    if (this.takeWord('array')) {
      arrayDims = 1
      if (this.takeSign('[')) {
        this.readBound()
        this.expectSign(']')
      }
    } else {
      while (this.takeSign('[')) {
        if (!this.takeSign(']')) {
          this.readBound()
          this.expectSign(']')
        }
        arrayDims++
      }
    }
    if (this.at !== this.tokens.length) throw this.syntaxError()
    if (arrayDims === 0) return { oid: type.oid, typmod, arrayDims }
    // An array of arrays is the same type as an array.
    if (type.typelem !== 0 && type.typstorage === 'x') return { oid: type.oid, typmod, arrayDims }
    if (type.typarray === 0) throw refusal('42704', `type "${type.name}[]" does not exist`)
    return { oid: type.typarray, typmod, arrayDims }
  }

  private syntaxError(): PgError {
    const token = this.tokens[this.at]
    if (token === undefined) return refusal('42601', 'syntax error at end of input')
    return refusal('42601', `syntax error at or near "${token.text}"`)
  }

  private takeSign(sign: string): boolean {
    const token = this.tokens[this.at]
    if (token?.kind !== 'sign' || token.text !== sign) return false
    this.at++
    return true
  }

  private expectSign(sign: string): void {
    if (!this.takeSign(sign)) throw this.syntaxError()
  }

  private takeWord(...words: string[]): boolean {
    for (let index = 0; index < words.length; index++) {
      const token = this.tokens[this.at + index]
      if (token?.kind !== 'word' || token.isQuoted || token.text !== words[index]) return false
    }
    this.at += words.length
    return true
  }

  private readInteger(): number {
    const negative = this.takeSign('-')
    const token = this.tokens[this.at]
    if (token?.kind !== 'number') throw this.syntaxError()
    const value = Number(token.text)
    this.at++
    return negative ? -value : value
  }

  private readBound(): void {
    const bound = this.readInteger()
    if (bound < 0 || bound > INT32_MAX) throw this.syntaxError()
  }

  /** '(a, b)', or nothing. */
  private readModifiers(): number[] | undefined {
    if (!this.takeSign('(')) return undefined
    const values = [this.readInteger()]
    while (this.takeSign(',')) values.push(this.readInteger())
    this.expectSign(')')
    for (const value of values) {
      if (Math.abs(value) > INT32_MAX) throw valueOutOfRange('integer', `${value}`)
    }
    return values
  }

  /** '(n)' with one plain number, as the types with a grammar of their own have it. */
  private readLength(): number[] | undefined {
    if (!this.takeSign('(')) return undefined
    const token = this.tokens[this.at]
    if (token?.kind !== 'number') throw this.syntaxError()
    const length = Number(token.text)
    if (length > INT32_MAX) throw this.syntaxError()
    this.at++
    this.expectSign(')')
    return [length]
  }

  private named(name: string, modifiers: readonly number[] | undefined): ScalarType {
    const type = builtinTypeNamed(name)
    if (type === undefined) {
      if (unsupportedTypeOid(name) !== undefined)
        throw notSupported(`type ${name.replace(/^_(.*)/, '$1[]')}`)
      throw refusal('42704', `type "${name}" does not exist`)
    }
    return { type, typmod: modifiers === undefined ? -1 : typmodOf(type.name, modifiers) }
  }

  private readScalar(): ScalarType {
    const token = this.tokens[this.at]
    if (token?.kind !== 'word') throw this.syntaxError()
    if (token.isQuoted) return this.readPlain()
    switch (token.text) {
      case 'double':
        this.at++
        if (this.at === this.tokens.length) throw refusal('42704', 'type "double" does not exist')
        if (!this.takeWord('precision')) throw this.syntaxError()
        return this.named('float8', undefined)
      case 'float':
        this.at++
        return this.readFloat()
      case 'national':
        this.at++
        if (!this.takeWord('character') && !this.takeWord('char')) throw this.syntaxError()
        return this.readCharacter()
      case 'character':
      case 'char':
      case 'nchar':
        this.at++
        return this.readCharacter()
      case 'varchar':
        this.at++
        return this.named('varchar', this.readLength())
      case 'bit':
        throw notSupported('type bit')
      case 'time':
      case 'timestamp':
        this.at++
        return this.readTime(token.text)
      case 'interval':
        this.at++
        return this.readInterval()
    }
    const sqlType = Object.hasOwn(sqlTypes, token.text) ? sqlTypes[token.text] : undefined
    if (sqlType !== undefined && !this.isQualified()) {
      this.at++
      return this.named(sqlType, this.readModifiers())
    }
    return this.readPlain()
  }

  private isQualified(): boolean {
    const next = this.tokens[this.at + 1]
    return next?.kind === 'sign' && next.text === '.'
  }

  /** A typname, perhaps with its schema. */
  private readPlain(): ScalarType {
    const takeName = (): string => {
      const token = this.tokens[this.at]
      if (token?.kind !== 'word') throw this.syntaxError()
      this.at++
      return token.text
    }
    let name = takeName()
    if (this.takeSign('.')) {
      const schema = name
      name = takeName()
      if (schema !== 'pg_catalog') throw refusal('42704', `type "${schema}.${name}" does not exist`)
    }
    const modifiers = this.readModifiers()
    if (name === 'interval' && modifiers !== undefined) {
      throw refusal('22023', 'invalid INTERVAL type modifier')
    }
    return this.named(name, modifiers)
  }

  private readFloat(): ScalarType {
    const bits = this.readLength()?.[0]
    if (bits === undefined) return this.named('float8', undefined)
    if (bits < 1) throw refusal('22023', 'precision for type float must be at least 1 bit')
    if (bits > FLOAT8_BITS_MAX) {
      throw refusal('22023', 'precision for type float must be less than 54 bits')
    }
    return this.named(bits <= FLOAT4_BITS_MAX ? 'float4' : 'float8', undefined)
  }

  private readCharacter(): ScalarType {
    const isVarying = this.takeWord('varying')
    const modifiers = this.readLength()
    if (isVarying) return this.named('varchar', modifiers)
    return this.named('bpchar', modifiers ?? [1])
  }

  private readTime(name: string): ScalarType {
    const modifiers = this.readLength()
    const isZoned = this.takeWord('with', 'time', 'zone')
    if (!isZoned) this.takeWord('without', 'time', 'zone')
    return this.named(isZoned ? `${name}tz` : name, modifiers)
  }

  private readInterval(): ScalarType {
    const { type } = this.named('interval', undefined)
    const digits = this.readLength()?.[0]
    if (digits !== undefined) {
      return { type, typmod: intervalTypmod(FULL_RANGE, digits) }
    }
    const token = this.tokens[this.at]
    if (token?.kind !== 'word' || token.text === 'array') return { type, typmod: -1 }
    this.at++
    let name = token.text
    if (this.takeWord('to')) {
      const last = this.tokens[this.at]
      if (last?.kind !== 'word') throw this.syntaxError()
      name += ` to ${last.text}`
      this.at++
    }
    const range = intervalRangeNamed(name)
    if (range === undefined) throw this.syntaxError()
    const ofSecond = hasSeconds(range) ? this.readLength() : undefined
    return { type, typmod: intervalTypmod(range, ofSecond?.[0]) }
  }
}

interface ScalarType {
  type: BuiltinType
  typmod: number
}

/**
 * The type that a name stands for. Throws 42601 where it is not a type's name, 42704 for a type that
 * does not exist, 0A000 for one that is not supported, 22023 for a modifier out of range.
 */
export function parseTypeName(text: string): TypeReference {
  return new TypeNameReader(text).read()
}
