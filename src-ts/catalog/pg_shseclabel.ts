// pg_shseclabel: security labels of shared objects. Source: src/include/catalog/pg_shseclabel.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgShseclabel = defineCatalog({
  name: 'pg_shseclabel',
  oid: 3592,
  shared: true,
  mapped: true,
  toast: { oid: 4060, indexOid: 4061 },
  columns: {
    objoid: 'oid not null',
    classoid: 'oid not null',
    provider: 'text not null',
    label: 'text not null',
  },
  indexes: [
    {
      oid: 3593,
      name: 'pg_shseclabel_object_index',
      unique: true,
      columns: ['objoid', 'classoid', 'provider'],
    },
  ],
})
