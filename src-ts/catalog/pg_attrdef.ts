// pg_attrdef: column defaults. Source: src/include/catalog/pg_attrdef.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgAttrdef = defineCatalog({
  name: 'pg_attrdef',
  oid: 2604,
  toast: { oid: 2830, indexOid: 2831 },
  columns: {
    oid: 'oid not null',
    adrelid: 'oid not null',
    adnum: 'int2 not null',
    adbin: 'pg_node_tree not null',
  },
  indexes: [
    {
      oid: 2656,
      name: 'pg_attrdef_adrelid_adnum_index',
      unique: true,
      columns: ['adrelid', 'adnum'],
    },
    { oid: 2657, name: 'pg_attrdef_oid_index', unique: true, columns: ['oid'] },
  ],
})
