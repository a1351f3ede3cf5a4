// The leading columns of pg_attribute in each supported major release: what must be known before a directory can
// describe its other catalogs itself. Source: src/include/catalog/pg_attribute.h, PostgreSQL 13 to 18.

const columns13 =
  'attrelid oid, attname name, atttypid oid, attstattarget int4, attlen int2, attnum int2, attndims int4, ' +
  'attcacheoff int4, atttypmod int4, attbyval bool, attstorage char, attalign char, attnotnull bool, ' +
  'atthasdef bool, atthasmissing bool, attidentity char, attgenerated char, attisdropped bool, attislocal bool, ' +
  'attinhcount int4, attcollation oid, attacl _aclitem, attoptions _text, attfdwoptions _text, attmissingval anyarray'

const columns14 =
  'attrelid oid, attname name, atttypid oid, attstattarget int4, attlen int2, attnum int2, attndims int4, ' +
  'attcacheoff int4, atttypmod int4, attbyval bool, attalign char, attstorage char, attcompression char, ' +
  'attnotnull bool, atthasdef bool, atthasmissing bool, attidentity char, attgenerated char, attisdropped bool, ' +
  'attislocal bool, attinhcount int4, attcollation oid, attacl _aclitem, attoptions _text, attfdwoptions _text, ' +
  'attmissingval anyarray'

const columns16 =
  'attrelid oid, attname name, atttypid oid, attlen int2, attnum int2, attcacheoff int4, atttypmod int4, ' +
  'attndims int2, attbyval bool, attalign char, attstorage char, attcompression char, attnotnull bool, ' +
  'atthasdef bool, atthasmissing bool, attidentity char, attgenerated char, attisdropped bool, attislocal bool, ' +
  'attinhcount int2, attstattarget int2, attcollation oid, attacl _aclitem, attoptions _text, ' +
  'attfdwoptions _text, attmissingval anyarray'

const columns17 =
  'attrelid oid, attname name, atttypid oid, attlen int2, attnum int2, attcacheoff int4, atttypmod int4, ' +
  'attndims int2, attbyval bool, attalign char, attstorage char, attcompression char, attnotnull bool, ' +
  'atthasdef bool, atthasmissing bool, attidentity char, attgenerated char, attisdropped bool, attislocal bool, ' +
  'attinhcount int2, attcollation oid, attstattarget int2, attacl _aclitem, attoptions _text, ' +
  'attfdwoptions _text, attmissingval anyarray'

// 18 has no attcacheoff.
const columns18 = columns17.replace(' attcacheoff int4,', '')

const columnsByMajor: Record<number, string> = {
  13: columns13,
  14: columns14,
  15: columns14,
  16: columns16,
  17: columns17,
  18: columns18,
}

export interface ProfileColumn {
  name: string
  /** pg_type.typname. */
  type: string
}

/** The columns of pg_attribute in release `major`, or undefined when it is not supported. */
export function attributeColumns(major: number): ProfileColumn[] | undefined {
  return columnsByMajor[major]?.split(', ').map((column) => {
    const [name, type] = column.split(' ') as [string, string]
    return { name, type }
  })
}
