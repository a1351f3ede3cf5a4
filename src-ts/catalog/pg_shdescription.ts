// pg_shdescription: comments on shared objects. Source: src/include/catalog/pg_shdescription.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgShdescription = defineCatalog({
  name: 'pg_shdescription',
  oid: 2396,
  shared: true,
  mapped: true,
  toast: { oid: 2846, indexOid: 2847 },
  columns: {
    objoid: 'oid not null',
    classoid: 'oid not null',
    description: 'text not null',
  },
  indexes: [
    {
      oid: 2397,
      name: 'pg_shdescription_o_c_index',
      unique: true,
      columns: ['objoid', 'classoid'],
    },
  ],
})
