// pg_database: databases of the cluster. Source: src/include/catalog/pg_database.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgDatabase = defineCatalog({
  name: 'pg_database',
  oid: 1262,
  shared: true,
  mapped: true,
  toast: { oid: 4177, indexOid: 4178 },
  columns: {
    oid: 'oid not null',
    datname: 'name not null',
    datdba: 'oid not null',
    encoding: 'int4 not null',
    datlocprovider: 'char not null',
    datistemplate: 'bool not null',
    datallowconn: 'bool not null',
    dathasloginevt: 'bool not null',
    datconnlimit: 'int4 not null',
    datfrozenxid: 'xid not null',
    datminmxid: 'xid not null',
    dattablespace: 'oid not null',
    datcollate: 'text not null',
    datctype: 'text not null',
    datlocale: 'text',
    daticurules: 'text',
    datcollversion: 'text',
    datacl: '_aclitem',
  },
  indexes: [
    { oid: 2671, name: 'pg_database_datname_index', unique: true, columns: ['datname'] },
    { oid: 2672, name: 'pg_database_oid_index', unique: true, columns: ['oid'] },
  ],
})
