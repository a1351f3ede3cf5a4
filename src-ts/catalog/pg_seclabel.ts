// pg_seclabel: security labels. Source: src/include/catalog/pg_seclabel.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgSeclabel = defineCatalog({
  name: 'pg_seclabel',
  oid: 3596,
  toast: { oid: 3598, indexOid: 3599 },
  columns: {
    objoid: 'oid not null',
    classoid: 'oid not null',
    objsubid: 'int4 not null',
    provider: 'text not null',
    label: 'text not null',
  },
  indexes: [
    {
      oid: 3597,
      name: 'pg_seclabel_object_index',
      unique: true,
      columns: ['objoid', 'classoid', 'objsubid', 'provider'],
    },
  ],
})
