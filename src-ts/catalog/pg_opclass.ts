// pg_opclass: operator classes of index access methods. Source: src/include/catalog/pg_opclass.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgOpclass = defineCatalog({
  name: 'pg_opclass',
  oid: 2616,
  columns: {
    oid: 'oid not null',
    opcmethod: 'oid not null',
    opcname: 'name not null',
    opcnamespace: 'oid not null',
    opcowner: 'oid not null',
    opcfamily: 'oid not null',
    opcintype: 'oid not null',
    opcdefault: 'bool not null',
    opckeytype: 'oid not null',
  },
  indexes: [
    {
      oid: 2686,
      name: 'pg_opclass_am_name_nsp_index',
      unique: true,
      columns: ['opcmethod', 'opcname', 'opcnamespace'],
    },
    { oid: 2687, name: 'pg_opclass_oid_index', unique: true, columns: ['oid'] },
  ],
})
