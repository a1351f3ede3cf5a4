// pg_db_role_setting: settings per database and role. Source: src/include/catalog/pg_db_role_setting.h, PostgreSQL 18.
import { defineCatalog } from './define-catalog.ts'

export const pgDbRoleSetting = defineCatalog({
  name: 'pg_db_role_setting',
  oid: 2964,
  shared: true,
  mapped: true,
  toast: { oid: 2966, indexOid: 2967 },
  columns: {
    setdatabase: 'oid not null',
    setrole: 'oid not null',
    setconfig: '_text',
  },
  indexes: [
    {
      oid: 2965,
      name: 'pg_db_role_setting_databaseid_rol_index',
      unique: true,
      columns: ['setdatabase', 'setrole'],
    },
  ],
})
