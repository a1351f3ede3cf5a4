// pg_tablespace: tablespaces. Source: src/include/catalog/pg_tablespace.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgTablespace = defineCatalog({
  name: 'pg_tablespace',
  oid: 1213,
  shared: true,
  mapped: true,
  toast: { oid: 4185, indexOid: 4186 },
  columns: {
    oid: 'oid not null',
    spcname: 'name not null',
    spcowner: 'oid not null',
    spcacl: '_aclitem',
    spcoptions: '_text',
  },
  indexes: [
    { oid: 2697, name: 'pg_tablespace_oid_index', unique: true, columns: ['oid'] },
    { oid: 2698, name: 'pg_tablespace_spcname_index', unique: true, columns: ['spcname'] },
  ],
})
