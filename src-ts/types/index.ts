// What other rooms may use of types.

export {
  type ArrayContent,
  decodeArray,
  encodeArray,
  parseArray,
  printArray,
} from './array.ts'
export {
  type BuiltinType,
  builtinType,
  builtinTypeNamed,
  builtinTypes,
  unsupportedTypeName,
} from './builtin-types.ts'
export type { CodecOptions, Lane, LaneValue, NameResolver, TypeCodec } from './codec.ts'
export { DatumReader, DatumWriter, datumBytes } from './datum.ts'
export { formatType } from './format-type.ts'
export { codecFor } from './registry.ts'
export { PgTimestamp } from './timestamp.ts'
export { parseTypeName, type TypeReference } from './type-name.ts'
