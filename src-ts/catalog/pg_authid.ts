// pg_authid: roles. Source: src/include/catalog/pg_authid.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgAuthid = defineCatalog({
  name: 'pg_authid',
  oid: 1260,
  shared: true,
  mapped: true,
  columns: {
    oid: 'oid not null',
    rolname: 'name not null',
    rolsuper: 'bool not null',
    rolinherit: 'bool not null',
    rolcreaterole: 'bool not null',
    rolcreatedb: 'bool not null',
    rolcanlogin: 'bool not null',
    rolreplication: 'bool not null',
    rolbypassrls: 'bool not null',
    rolconnlimit: 'int4 not null',
    rolpassword: 'text',
    rolvaliduntil: 'timestamptz',
  },
  indexes: [
    { oid: 2676, name: 'pg_authid_rolname_index', unique: true, columns: ['rolname'] },
    { oid: 2677, name: 'pg_authid_oid_index', unique: true, columns: ['oid'] },
  ],
})
