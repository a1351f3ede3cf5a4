// pg_index: what is particular to an index. Source: src/include/catalog/pg_index.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgIndex = defineCatalog({
  name: 'pg_index',
  oid: 2610,
  toast: { oid: 6351, indexOid: 6352 },
  columns: {
    indexrelid: 'oid not null',
    indrelid: 'oid not null',
    indnatts: 'int2 not null',
    indnkeyatts: 'int2 not null',
    indisunique: 'bool not null',
    indnullsnotdistinct: 'bool not null',
    indisprimary: 'bool not null',
    indisexclusion: 'bool not null',
    indimmediate: 'bool not null',
    indisclustered: 'bool not null',
    indisvalid: 'bool not null',
    indcheckxmin: 'bool not null',
    indisready: 'bool not null',
    indislive: 'bool not null',
    indisreplident: 'bool not null',
    indkey: 'int2vector not null',
    indcollation: 'oidvector not null',
    indclass: 'oidvector not null',
    indoption: 'int2vector not null',
    indexprs: 'pg_node_tree',
    indpred: 'pg_node_tree',
  },
  indexes: [
    { oid: 2678, name: 'pg_index_indrelid_index', unique: false, columns: ['indrelid'] },
    { oid: 2679, name: 'pg_index_indexrelid_index', unique: true, columns: ['indexrelid'] },
  ],
})
