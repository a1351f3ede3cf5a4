// pg_sequence: sequences. Source: src/include/catalog/pg_sequence.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgSequence = defineCatalog({
  name: 'pg_sequence',
  oid: 2224,
  columns: {
    seqrelid: 'oid not null',
    seqtypid: 'oid not null',
    seqstart: 'int8 not null',
    seqincrement: 'int8 not null',
    seqmax: 'int8 not null',
    seqmin: 'int8 not null',
    seqcache: 'int8 not null',
    seqcycle: 'bool not null',
  },
  indexes: [{ oid: 5002, name: 'pg_sequence_seqrelid_index', unique: true, columns: ['seqrelid'] }],
})
