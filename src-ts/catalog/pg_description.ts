// pg_description: comments on objects of one database. Source: src/include/catalog/pg_description.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgDescription = defineCatalog({
  name: 'pg_description',
  oid: 2609,
  toast: { oid: 2834, indexOid: 2835 },
  columns: {
    objoid: 'oid not null',
    classoid: 'oid not null',
    objsubid: 'int4 not null',
    description: 'text not null',
  },
  indexes: [
    {
      oid: 2675,
      name: 'pg_description_o_c_o_index',
      unique: true,
      columns: ['objoid', 'classoid', 'objsubid'],
    },
  ],
})
