// pg_am: access methods. Source: src/include/catalog/pg_am.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgAm = defineCatalog({
  name: 'pg_am',
  oid: 2601,
  columns: {
    oid: 'oid not null',
    amname: 'name not null',
    amhandler: 'regproc not null',
    amtype: 'char not null',
  },
  indexes: [
    { oid: 2651, name: 'pg_am_name_index', unique: true, columns: ['amname'] },
    { oid: 2652, name: 'pg_am_oid_index', unique: true, columns: ['oid'] },
  ],
})
