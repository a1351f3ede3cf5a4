// pg_inherits: table inheritance and partitioning. Source: src/include/catalog/pg_inherits.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgInherits = defineCatalog({
  name: 'pg_inherits',
  oid: 2611,
  columns: {
    inhrelid: 'oid not null',
    inhparent: 'oid not null',
    inhseqno: 'int4 not null',
    inhdetachpending: 'bool not null',
  },
  indexes: [
    { oid: 2187, name: 'pg_inherits_parent_index', unique: false, columns: ['inhparent'] },
    {
      oid: 2680,
      name: 'pg_inherits_relid_seqno_index',
      unique: true,
      columns: ['inhrelid', 'inhseqno'],
    },
  ],
})
