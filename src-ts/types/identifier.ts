// The types that hold an identifier of something: tid, pg_lsn, the reg* types, oidvector and
// int2vector elements.

import type { BuiltinType } from './builtin-types.ts'
import { readUint16, writeUint16 } from './byte-text.ts'
import { hexValue, skipSpaces } from './character.ts'
import type { NameResolver, TypeCodec } from './codec.ts'
import { type Int64, int64Codec, int64Of } from './int64.ts'
import { isAllDigits, parseUint32, readSigned, readUnsigned } from './integer.ts'
import { corrupted, invalidText, refusal, valueOutOfRange, wrongKind } from './refusal.ts'

// tid: a tuple's place in its table.
//
//   offset  size  field    meaning
//        0     2  bi_hi    high half of the block number
//        2     2  bi_lo    low half
//        4     2  ip_posid offset number, from 1
//
// Source: src/include/storage/itemptr.h, PostgreSQL 18.
const TID_BYTES = 6

function printTid(raw: Uint8Array): string {
  if (raw.length !== TID_BYTES) throw corrupted('tid')
  const block = readUint16(raw, 0) * 65536 + readUint16(raw, 2)
  return `(${block},${readUint16(raw, 4)})`
}

/** '(block,offset)'; what stands before the parenthesis and after it is ignored. */
function parseTid(text: string): Uint8Array {
  const starts: number[] = []
  for (let at = 0; at < text.length && starts.length < 2; at++) {
    const code = text.charCodeAt(at)
    if (code === 41) break
    if (code === 44 || (code === 40 && starts.length === 0)) starts.push(at + 1)
  }
  const [first, second] = starts
  if (first === undefined || second === undefined) throw invalidText('tid', text)
  const block = readUnsigned(text, first, 10) ?? { value: 0n, end: first, overflow: false }
  const offset = readUnsigned(text, second, 10) ?? { value: 0n, end: second, overflow: false }
  if (block.overflow || text.charCodeAt(block.end) !== 44) throw invalidText('tid', text)
  if (block.value > 0xffffffffn && block.value < 0xffffffff80000000n) throw invalidText('tid', text)
  if (offset.overflow || text.charCodeAt(offset.end) !== 41) throw invalidText('tid', text)
  if (offset.value > 0xffffn) throw invalidText('tid', text)
  const bytes = new Uint8Array(TID_BYTES)
  const number = Number(BigInt.asUintN(32, block.value))
  writeUint16(bytes, 0, number >>> 16)
  writeUint16(bytes, 2, number & 0xffff)
  writeUint16(bytes, 4, Number(offset.value))
  return bytes
}

export function tidCodec(type: BuiltinType): TypeCodec<string, Uint8Array> {
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane: printTid,
    toLane(value) {
      if (typeof value === 'string') return parseTid(value)
      throw wrongKind('tid', value)
    },
    toText: printTid,
    fromText: parseTid,
  }
}

const LSN_DIGITS_MAX = 8

function printLsn(value: Int64): string {
  const whole = BigInt.asUintN(64, BigInt(value))
  return `${(whole >> 32n).toString(16)}/${(whole & 0xffffffffn).toString(16)}`.toUpperCase()
}

function parseLsn(text: string): Int64 {
  const slash = text.indexOf('/')
  const half = (start: number, end: number): bigint => {
    if (end <= start || end - start > LSN_DIGITS_MAX) throw invalidText('pg_lsn', text)
    let value = 0
    for (let at = start; at < end; at++) {
      const digit = hexValue(text.charCodeAt(at))
      if (digit < 0) throw invalidText('pg_lsn', text)
      value = value * 16 + digit
    }
    return BigInt(value)
  }
  const whole = (half(0, slash) << 32n) | half(slash + 1, text.length)
  return int64Of(BigInt.asIntN(64, whole))
}

/** pg_lsn: a byte position in the log; in JavaScript its text, or a bigint to write. */
export function lsnCodec(type: BuiltinType): TypeCodec<string, bigint> {
  return int64Codec(type, -1, {
    read: printLsn,
    write(value) {
      if (typeof value === 'string') return parseLsn(value)
      if (typeof value === 'bigint' && value >= 0n && value < 2n ** 64n) {
        return int64Of(BigInt.asIntN(64, value))
      }
      throw wrongKind('pg_lsn', value)
    },
    print: printLsn,
    parse: parseLsn,
  })
}

/** What a reg* type names, and the SQLSTATE when there is no such thing. */
const namedKinds: Readonly<Record<string, readonly [kind: string, code: string]>> = {
  regproc: ['function', '42883'],
  regprocedure: ['function', '42883'],
  regoper: ['operator', '42883'],
  regoperator: ['operator', '42883'],
  regclass: ['relation', '42P01'],
  regtype: ['type', '42704'],
  regrole: ['role', '42704'],
  regnamespace: ['schema', '3F000'],
  regconfig: ['text search configuration', '42704'],
  regdictionary: ['text search dictionary', '42704'],
  regcollation: ['collation', '42704'],
}

/**
 * The reg* types: OIDs that read and write as names. In JavaScript they are numbers. Without a
 * resolver the text is a number too, and a name raises 0A000.
 */
export function regCodec(
  type: BuiltinType,
  names: NameResolver | undefined,
): TypeCodec<number, number> {
  const none = type.name === 'regoper' || type.name === 'regoperator' ? '0' : '-'
  const parse = (text: string): number => {
    if (text === none) return 0
    if (isAllDigits(text)) return parseUint32(text, 'oid')
    if (names?.oidOf === undefined) {
      throw refusal('0A000', `names are not supported as input of type ${type.name} here`)
    }
    const oid = names.oidOf(type.name, text)
    if (oid !== undefined) return oid
    const [kind, code] = namedKinds[type.name] ?? ['object', '42704']
    throw refusal(code, `${kind} "${text}" does not exist`)
  }
  return {
    ...type,
    typmod: -1,
    lane: 'uint32',
    isIdentity: true,
    fromLane: (raw) => raw,
    toLane(value) {
      if (typeof value === 'string') return parse(value)
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0) {
        if (value > 4294967295) throw valueOutOfRange('oid', `${value}`)
        return value
      }
      throw wrongKind(type.name, value)
    },
    toText: (raw) => (raw === 0 ? none : (names?.nameOf?.(type.name, raw) ?? `${raw}`)),
    fromText: parse,
  }
}

/** '1 2 3' as OIDs, for oidvector. */
export function parseOidList(text: string): number[] {
  const values: number[] = []
  for (let at = skipSpaces(text, 0); at < text.length; at = skipSpaces(text, at)) {
    const read = readUnsigned(text, at, 0)
    const rest = text.substring(at)
    if (read === undefined) throw invalidText('oid', rest)
    if (read.overflow || (read.value > 0xffffffffn && read.value < 0xffffffff80000000n)) {
      throw valueOutOfRange('oid', rest)
    }
    values.push(Number(BigInt.asUintN(32, read.value)))
    at = read.end
  }
  return values
}

/** '1 2 3' as smallints, for int2vector. */
export function parseInt2List(text: string): number[] {
  const values: number[] = []
  for (let at = skipSpaces(text, 0); at < text.length; at = skipSpaces(text, at)) {
    const read = readSigned(text, at)
    const rest = text.substring(at)
    if (read === undefined) throw invalidText('smallint', rest)
    if (read.value < -32768 || read.value > 32767) throw valueOutOfRange('smallint', rest)
    if (read.end < text.length && text.charCodeAt(read.end) !== 32) {
      throw invalidText('smallint', rest)
    }
    values.push(read.value)
    at = read.end
  }
  return values
}
