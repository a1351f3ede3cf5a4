// pg_depend: dependencies between objects of one database. Source: src/include/catalog/pg_depend.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgDepend = defineCatalog({
  name: 'pg_depend',
  oid: 2608,
  columns: {
    classid: 'oid not null',
    objid: 'oid not null',
    objsubid: 'int4 not null',
    refclassid: 'oid not null',
    refobjid: 'oid not null',
    refobjsubid: 'int4 not null',
    deptype: 'char not null',
  },
  indexes: [
    {
      oid: 2673,
      name: 'pg_depend_depender_index',
      unique: false,
      columns: ['classid', 'objid', 'objsubid'],
    },
    {
      oid: 2674,
      name: 'pg_depend_reference_index',
      unique: false,
      columns: ['refclassid', 'refobjid', 'refobjsubid'],
    },
  ],
})
