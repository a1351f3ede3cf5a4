// pg_collation: collations. Source: src/include/catalog/pg_collation.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgCollation = defineCatalog({
  name: 'pg_collation',
  oid: 3456,
  toast: { oid: 6175, indexOid: 6176 },
  columns: {
    oid: 'oid not null',
    collname: 'name not null',
    collnamespace: 'oid not null',
    collowner: 'oid not null',
    collprovider: 'char not null',
    collisdeterministic: 'bool not null',
    collencoding: 'int4 not null',
    collcollate: 'text',
    collctype: 'text',
    colllocale: 'text',
    collicurules: 'text',
    collversion: 'text',
  },
  indexes: [
    { oid: 3085, name: 'pg_collation_oid_index', unique: true, columns: ['oid'] },
    {
      oid: 3164,
      name: 'pg_collation_name_enc_nsp_index',
      unique: true,
      columns: ['collname', 'collencoding', 'collnamespace'],
    },
  ],
})
