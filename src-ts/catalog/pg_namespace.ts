// pg_namespace: schemas. Source: src/include/catalog/pg_namespace.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgNamespace = defineCatalog({
  name: 'pg_namespace',
  oid: 2615,
  toast: { oid: 4163, indexOid: 4164 },
  columns: {
    oid: 'oid not null',
    nspname: 'name not null',
    nspowner: 'oid not null',
    nspacl: '_aclitem',
  },
  indexes: [
    { oid: 2684, name: 'pg_namespace_nspname_index', unique: true, columns: ['nspname'] },
    { oid: 2685, name: 'pg_namespace_oid_index', unique: true, columns: ['oid'] },
  ],
})
