// Finds the codec of a type.

import { aclItemCodec } from './acl-item.ts'
import { anyArrayCodec, arrayCodec, vectorCodec } from './array.ts'
import { booleanCodec } from './boolean.ts'
import { type BuiltinType, builtinType, unsupportedTypeName } from './builtin-types.ts'
import { byteaCodec } from './bytea.ts'
import type { CodecOptions, TypeCodec } from './codec.ts'
import { dateCodec } from './date.ts'
import { float4Codec, float8Codec } from './float.ts'
import { lsnCodec, parseInt2List, parseOidList, regCodec, tidCodec } from './identifier.ts'
import { int2Codec, int4Codec, int8Codec, uint32Codec, xid8Codec } from './integer.ts'
import { intervalCodec } from './interval.ts'
import { jsonCodec } from './json.ts'
import { jsonbCodec } from './jsonb.ts'
import { numericCodec } from './numeric.ts'
import { notSupported } from './refusal.ts'
import {
  bpcharCodec,
  charCodec,
  nameCodec,
  nodeTreeCodec,
  textCodec,
  varcharCodec,
} from './text.ts'
import { timeCodec, timetzCodec } from './time.ts'
import { timestampCodec, timestamptzCodec } from './timestamp.ts'
import { uuidCodec } from './uuid.ts'

type MakeCodec = (type: BuiltinType, typmod: number, options: CodecOptions) => TypeCodec

const reg: MakeCodec = (type, _typmod, options) => regCodec(type, options.names)

const makers: Readonly<Record<string, MakeCodec>> = {
  bool: booleanCodec,
  bytea: byteaCodec,
  char: charCodec,
  name: nameCodec,
  int8: (type, _typmod, options) => int8Codec(type, options),
  int2: int2Codec,
  int2vector: (type, _typmod, options) =>
    vectorCodec(type, codecFor(21, -1, options), parseInt2List),
  int4: int4Codec,
  regproc: reg,
  text: textCodec,
  oid: uint32Codec,
  tid: tidCodec,
  xid: uint32Codec,
  cid: uint32Codec,
  oidvector: (type, _typmod, options) => vectorCodec(type, codecFor(26, -1, options), parseOidList),
  json: (type, _typmod, options) => jsonCodec(type, options),
  pg_node_tree: nodeTreeCodec,
  float4: float4Codec,
  float8: float8Codec,
  unknown: textCodec,
  aclitem: (type, _typmod, options) => aclItemCodec(type, options.names),
  bpchar: bpcharCodec,
  varchar: varcharCodec,
  date: dateCodec,
  time: timeCodec,
  timestamp: timestampCodec,
  timestamptz: timestamptzCodec,
  interval: intervalCodec,
  timetz: timetzCodec,
  numeric: numericCodec,
  refcursor: textCodec,
  regprocedure: reg,
  regoper: reg,
  regoperator: reg,
  regclass: reg,
  regtype: reg,
  cstring: textCodec,
  anyarray: (type, _typmod, options) => anyArrayCodec(type, (oid) => codecFor(oid, -1, options)),
  uuid: uuidCodec,
  pg_lsn: lsnCodec,
  regconfig: reg,
  regdictionary: reg,
  jsonb: (type, _typmod, options) => jsonbCodec(type, options),
  regnamespace: reg,
  regrole: reg,
  regcollation: reg,
  xid8: (type, _typmod, options) => xid8Codec(type, options),
}

const defaults: CodecOptions = {}
/** Codecs by type and modifier, for each options object that was used. */
const caches = new WeakMap<CodecOptions, Map<number, Map<number, TypeCodec>>>()

/**
 * The codec of a built-in type with a type modifier (atttypmod; -1 for none). The same arguments give
 * the same codec. Throws 0A000, with the type's name, for a type that has none.
 */
export function codecFor(oid: number, typmod = -1, options: CodecOptions = defaults): TypeCodec {
  let byOid = caches.get(options)
  if (byOid === undefined) {
    byOid = new Map()
    caches.set(options, byOid)
  }
  let byTypmod = byOid.get(oid)
  if (byTypmod === undefined) {
    byTypmod = new Map()
    byOid.set(oid, byTypmod)
  }
  let codec = byTypmod.get(typmod)
  if (codec === undefined) {
    codec = makeCodec(oid, typmod, options)
    byTypmod.set(typmod, codec)
  }
  return codec
}

function makeCodec(oid: number, typmod: number, options: CodecOptions): TypeCodec {
  const type = builtinType(oid)
  if (type === undefined)
    throw notSupported(`type ${unsupportedTypeName(oid) ?? `with OID ${oid}`}`)
  const make = makers[type.name]
  if (make !== undefined) return make(type, typmod, options)
  return arrayCodec(type, codecFor(type.typelem, typmod, options))
}
