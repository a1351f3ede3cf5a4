// The catalog rows of new relations: pg_class, pg_attribute, pg_type.
// Source: src/backend/catalog/{heap.c,index.c,pg_type.c}, PostgreSQL 18.
import type { CatalogRow } from '../catalog/define-catalog.ts'
import type { pgAttribute } from '../catalog/pg_attribute.ts'
import type { pgClass } from '../catalog/pg_class.ts'
import type { pgType } from '../catalog/pg_type.ts'
import { bootstrapSuperuser } from './command-context.ts'

export type ClassRow = CatalogRow<typeof pgClass>
export type AttributeRow = CatalogRow<typeof pgAttribute>
export type TypeRow = CatalogRow<typeof pgType>

/** What is particular to a new relation. */
export type NewRelation = Pick<
  ClassRow,
  | 'oid'
  | 'relname'
  | 'relnamespace'
  | 'relam'
  | 'reltablespace'
  | 'relkind'
  | 'relnatts'
  | 'relpersistence'
> &
  Partial<ClassRow>

/** The pg_class row of a relation whose file number is its OID. */
export function classRow(relation: NewRelation): ClassRow {
  return {
    reltype: 0,
    reloftype: 0,
    relowner: bootstrapSuperuser,
    relfilenode: relation.oid,
    relpages: 0,
    reltuples: -1,
    relallvisible: 0,
    relallfrozen: 0,
    reltoastrelid: 0,
    relhasindex: false,
    relisshared: false,
    relchecks: 0,
    relhasrules: false,
    relhastriggers: false,
    relhassubclass: false,
    relrowsecurity: false,
    relforcerowsecurity: false,
    relispopulated: true,
    relreplident: 'n',
    relispartition: false,
    relrewrite: 0,
    relfrozenxid: 0,
    relminmxid: 0,
    relacl: null,
    reloptions: null,
    relpartbound: null,
    ...relation,
  } as ClassRow
}

/** What is particular to a column. */
export interface NewAttribute {
  name: string
  type: Pick<TypeRow, 'oid' | 'typlen' | 'typbyval' | 'typalign' | 'typstorage'>
  typmod?: number
  dimensions?: number
  collation?: number
  notNull?: boolean
  /** Where it is not the type's. */
  storage?: string
}

export function attributeRow(attrelid: number, attnum: number, column: NewAttribute): AttributeRow {
  const { type } = column
  return {
    attrelid,
    attname: column.name,
    atttypid: type.oid,
    attlen: type.typlen,
    attnum,
    atttypmod: column.typmod ?? -1,
    attndims: column.dimensions ?? 0,
    attbyval: type.typbyval,
    attalign: type.typalign,
    attstorage: column.storage ?? type.typstorage,
    attcompression: '',
    attnotnull: column.notNull ?? false,
    atthasdef: false,
    atthasmissing: false,
    attidentity: '',
    attgenerated: '',
    attisdropped: false,
    attislocal: true,
    attinhcount: 0,
    attcollation: column.collation ?? 0,
    attstattarget: null,
    attacl: null,
    attoptions: null,
    attfdwoptions: null,
    attmissingval: null,
  } as AttributeRow
}

const fixed4 = { typlen: 4, typbyval: true, typalign: 'i', typstorage: 'p' }
const tidType = { oid: 27, typlen: 6, typbyval: false, typalign: 's', typstorage: 'p' }
const xidType = { oid: 28, ...fixed4 }
const cidType = { oid: 29, ...fixed4 }
export const oidType = { oid: 26, ...fixed4 }
export const int4Type = { oid: 23, ...fixed4 }
export const byteaType = { oid: 17, typlen: -1, typbyval: false, typalign: 'i', typstorage: 'x' }

const systemColumns: readonly { attnum: number; name: string; type: NewAttribute['type'] }[] = [
  { attnum: -1, name: 'ctid', type: tidType },
  { attnum: -2, name: 'xmin', type: xidType },
  { attnum: -3, name: 'cmin', type: cidType },
  { attnum: -4, name: 'xmax', type: xidType },
  { attnum: -5, name: 'cmax', type: cidType },
  { attnum: -6, name: 'tableoid', type: oidType },
]

/** The rows of the system columns of a table or TOAST table. */
export function systemAttributeRows(attrelid: number): AttributeRow[] {
  return systemColumns.map(({ attnum, name, type }) =>
    attributeRow(attrelid, attnum, { name, type, notNull: true }),
  )
}

// Functions of row and array types. Source: src/include/catalog/pg_proc.dat, PostgreSQL 18.
const functions = {
  array_in: 750,
  array_out: 751,
  array_recv: 2400,
  array_send: 2401,
  array_typanalyze: 3816,
  array_subscript_handler: 6179,
  record_in: 2290,
  record_out: 2291,
  record_recv: 2402,
  record_send: 2403,
} as const

/** The type of a table's rows and the type of arrays of them. */
export function rowTypeRows(table: {
  oid: number
  name: string
  namespace: number
  typeOid: number
  arrayTypeOid: number
  arrayTypeName: string
}): TypeRow[] {
  const both = {
    typnamespace: table.namespace,
    typowner: bootstrapSuperuser,
    typlen: -1,
    typbyval: false,
    typispreferred: false,
    typisdefined: true,
    typdelim: ',',
    typmodin: 0,
    typmodout: 0,
    typalign: 'd',
    typstorage: 'x',
    typnotnull: false,
    typbasetype: 0,
    typtypmod: -1,
    typndims: 0,
    typcollation: 0,
    typdefaultbin: null,
    typdefault: null,
    typacl: null,
  }
  return [
    {
      ...both,
      oid: table.typeOid,
      typname: table.name,
      typtype: 'c',
      typcategory: 'C',
      typrelid: table.oid,
      typsubscript: 0,
      typelem: 0,
      typarray: table.arrayTypeOid,
      typinput: functions.record_in,
      typoutput: functions.record_out,
      typreceive: functions.record_recv,
      typsend: functions.record_send,
      typanalyze: 0,
    },
    {
      ...both,
      oid: table.arrayTypeOid,
      typname: table.arrayTypeName,
      typtype: 'b',
      typcategory: 'A',
      typrelid: 0,
      typsubscript: functions.array_subscript_handler,
      typelem: table.typeOid,
      typarray: 0,
      typinput: functions.array_in,
      typoutput: functions.array_out,
      typreceive: functions.array_recv,
      typsend: functions.array_send,
      typanalyze: functions.array_typanalyze,
    },
  ] as TypeRow[]
}
