// pg_amop: operators of operator families. Source: src/include/catalog/pg_amop.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgAmop = defineCatalog({
  name: 'pg_amop',
  oid: 2602,
  columns: {
    oid: 'oid not null',
    amopfamily: 'oid not null',
    amoplefttype: 'oid not null',
    amoprighttype: 'oid not null',
    amopstrategy: 'int2 not null',
    amoppurpose: 'char not null',
    amopopr: 'oid not null',
    amopmethod: 'oid not null',
    amopsortfamily: 'oid not null',
  },
  indexes: [
    {
      oid: 2653,
      name: 'pg_amop_fam_strat_index',
      unique: true,
      columns: ['amopfamily', 'amoplefttype', 'amoprighttype', 'amopstrategy'],
    },
    {
      oid: 2654,
      name: 'pg_amop_opr_fam_index',
      unique: true,
      columns: ['amopopr', 'amoppurpose', 'amopfamily'],
    },
    { oid: 2756, name: 'pg_amop_oid_index', unique: true, columns: ['oid'] },
  ],
})
