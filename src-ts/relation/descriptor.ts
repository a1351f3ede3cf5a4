// Descriptors: what native code must know of a relation's columns, made from catalog rows or built-in types.
import type { AttributeDescriptor } from '../binding/native.ts'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import type { pgAttribute } from '../catalog/pg_attribute.ts'
import type { BuiltinType } from '../types/builtin-types.ts'
import type { Lane } from '../types/codec.ts'
import { codecFor, datumBytes, decodeArray, type TypeCodec } from '../types/index.ts'

// The pg_collation row "C".
const cCollation = 950

const nativeLanes: Record<Lane, AttributeDescriptor['lane']> = {
  bool: 1,
  char: 1,
  int16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  float64: 8,
  text: 'text',
  bytes: 'bytes',
}

/** How native code is told of a column's lane. */
export function nativeLane(codec: TypeCodec): AttributeDescriptor['lane'] {
  return nativeLanes[codec.lane]
}

// Types with a collation among those that catalogs use.
const collatableTypes = new Set(['name', 'text', '_text', 'pg_node_tree'])

/** A column of a described catalog. Collatable catalog columns have the collation C. */
export function attributeDescriptor(column: {
  name: string
  type: BuiltinType
  notNull: boolean
}): AttributeDescriptor {
  const { type } = column
  return {
    name: column.name,
    typeOid: type.oid,
    elementType: type.typelem,
    length: type.typlen,
    byValue: type.typbyval,
    align: type.typalign,
    storage: type.typstorage,
    compression: '',
    notNull: column.notNull,
    dropped: false,
    typmod: -1,
    collation: collatableTypes.has(type.name) ? cCollation : 0,
    lane: nativeLane(codecFor(type.oid)),
  }
}

// The lane of a column whose type has no codec, or that was dropped: never read, but its width is needed.
function laneOfStorage(length: number, byValue: boolean): AttributeDescriptor['lane'] {
  return byValue ? (length as 1 | 2 | 4 | 8) : 'bytes'
}

/** A column of a table, from its pg_attribute row. `codec` is undefined for a column that was dropped. */
export function attributeFromRow(
  row: CatalogRow<typeof pgAttribute>,
  codec: TypeCodec | undefined,
): AttributeDescriptor {
  const descriptor: AttributeDescriptor = {
    name: row.attname,
    typeOid: row.atttypid,
    elementType: codec?.typelem ?? 0,
    length: row.attlen,
    byValue: row.attbyval,
    align: row.attalign as AttributeDescriptor['align'],
    storage: row.attstorage as AttributeDescriptor['storage'],
    compression: row.attcompression as AttributeDescriptor['compression'],
    notNull: row.attnotnull,
    dropped: row.attisdropped,
    typmod: row.atttypmod,
    collation: row.attcollation,
    lane: codec === undefined ? laneOfStorage(row.attlen, row.attbyval) : nativeLane(codec),
  }
  if (codec === undefined || !row.atthasmissing || row.attmissingval === null) return descriptor
  // An array of the one value that rows older than the column have.
  const [missing] = decodeArray(codec, row.attmissingval).elements
  if (missing === undefined || missing === null) return descriptor
  return { ...descriptor, missing: datumBytes(codec, missing) }
}

/** Does the database's default collation order by bytes? `provider` and `locale` are pg_database's. */
export function bytewiseCollation(provider: string, datcollate: string): boolean {
  // A builtin locale (C, C.UTF-8, PG_UNICODE_FAST) orders by code point, which in UTF-8 is byte order.
  if (provider === 'b') return true
  return provider === 'c' && (datcollate === 'C' || datcollate === 'POSIX')
}
