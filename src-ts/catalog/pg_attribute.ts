// pg_attribute: columns of relations. Source: src/include/catalog/pg_attribute.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgAttribute = defineCatalog({
  name: 'pg_attribute',
  oid: 1249,
  mapped: true,
  columns: {
    attrelid: 'oid not null',
    attname: 'name not null',
    atttypid: 'oid not null',
    attlen: 'int2 not null',
    attnum: 'int2 not null',
    atttypmod: 'int4 not null',
    attndims: 'int2 not null',
    attbyval: 'bool not null',
    attalign: 'char not null',
    attstorage: 'char not null',
    attcompression: 'char not null',
    attnotnull: 'bool not null',
    atthasdef: 'bool not null',
    atthasmissing: 'bool not null',
    attidentity: 'char not null',
    attgenerated: 'char not null',
    attisdropped: 'bool not null',
    attislocal: 'bool not null',
    attinhcount: 'int2 not null',
    attcollation: 'oid not null',
    attstattarget: 'int2',
    attacl: '_aclitem',
    attoptions: '_text',
    attfdwoptions: '_text',
    attmissingval: 'anyarray',
  },
  indexes: [
    {
      oid: 2658,
      name: 'pg_attribute_relid_attnam_index',
      unique: true,
      columns: ['attrelid', 'attname'],
    },
    {
      oid: 2659,
      name: 'pg_attribute_relid_attnum_index',
      unique: true,
      columns: ['attrelid', 'attnum'],
    },
  ],
})
