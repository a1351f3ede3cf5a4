// pg_shdepend: dependencies of database objects on shared objects. Source: src/include/catalog/pg_shdepend.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgShdepend = defineCatalog({
  name: 'pg_shdepend',
  oid: 1214,
  shared: true,
  mapped: true,
  columns: {
    dbid: 'oid not null',
    classid: 'oid not null',
    objid: 'oid not null',
    objsubid: 'int4 not null',
    refclassid: 'oid not null',
    refobjid: 'oid not null',
    deptype: 'char not null',
  },
  indexes: [
    {
      oid: 1232,
      name: 'pg_shdepend_depender_index',
      unique: false,
      columns: ['dbid', 'classid', 'objid', 'objsubid'],
    },
    {
      oid: 1233,
      name: 'pg_shdepend_reference_index',
      unique: false,
      columns: ['refclassid', 'refobjid'],
    },
  ],
})
