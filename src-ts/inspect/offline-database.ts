// OfflineDatabase: one database of an OfflineCluster: its catalogs and relations, found without their indexes.
import { type AccessColumn, RelationAccess } from '../access/relation-access.ts'
import type {
  AttributeDescriptor,
  IndexDescriptor,
  Locator,
  NativeSession,
  RelationDescriptor,
} from '../binding/native.ts'
import { parseQualifiedName } from '../command/qualified-name.ts'
import { PgError } from '../errors/pg-error.ts'
import { attributeDescriptor, attributeFromRow } from '../relation/descriptor.ts'
import { temporaryOfOthers } from '../relation/relation-cache.ts'
import { type RelationMap, readRelationMap } from '../relation/relation-map.ts'
import { anyArrayCodec, arrayCodec } from '../types/array.ts'
import {
  type BuiltinType,
  builtinTypeNamed,
  type CodecOptions,
  codecFor,
  type TypeCodec,
} from '../types/index.ts'
import { attributeColumns } from './attribute-columns.ts'
import { DatabaseNames } from './database-names.ts'
import type { OfflineCluster } from './offline-cluster.ts'

export interface DatabaseRow {
  oid: number
  datname: string
  dattablespace: number
  encoding: number
}

export interface ClassRow {
  oid: number
  relname: string
  relnamespace: number
  relam: number
  relfilenode: number
  reltablespace: number
  reltuples: number
  reltoastrelid: number
  relisshared: boolean
  relpersistence: string
  relkind: string
  relfrozenxid: number
  relminmxid: number
}

export interface AttributeRow {
  attrelid: number
  attname: string
  atttypid: number
  attlen: number
  attnum: number
  atttypmod: number
  attbyval: boolean
  attalign: string
  attstorage: string
  attcompression: string
  attnotnull: boolean
  atthasmissing: boolean
  attgenerated: string
  attisdropped: boolean
  attcollation: number
  attmissingval: Uint8Array | null
}

interface TypeRow {
  oid: number
  typname: string
  typlen: number
  typbyval: boolean
  typtype: string
  typelem: number
  typalign: string
  typstorage: string
  typdelim: string
  typarray: number
  typbasetype: number
  typtypmod: number
}

interface IndexRow {
  indexrelid: number
  indrelid: number
  indnkeyatts: number
  indisunique: boolean
  indisvalid: boolean
  indisready: boolean
  indkey: number[]
  indcollation: number[]
  indclass: number[]
  indoption: number[]
  indexprs: string | null
  indpred: string | null
}

export interface OfflineColumn extends AccessColumn {
  /** A generated column: COPY leaves it out. */
  generated: boolean
}

export interface OfflineIndex {
  oid: number
  name: string
  /** All rows have an entry, so that the heap can be checked against it. */
  complete: boolean
}

export interface OfflineRelation {
  row: ClassRow
  schema: string
  columns: OfflineColumn[]
  access: RelationAccess
  /** The B-trees, in the order of the descriptor's. */
  indexes: OfflineIndex[]
}

const catalog = {
  pgType: 1247,
  pgAttribute: 1249,
  pgProc: 1255,
  pgClass: 1259,
  pgIndex: 2610,
  pgNamespace: 2615,
  pgOpclass: 2616,
  pgEnum: 3501,
} as const
const bootstrapMapped: number[] = [
  catalog.pgType,
  catalog.pgAttribute,
  catalog.pgProc,
  catalog.pgClass,
]

const anyarrayOid = 2277
const aclItemOid = 1033
const aclItemArrayOid = 1034
const globalTablespace = 1664
const btreeAccessMethod = 403
const cCollation = 950
const encodingUtf8 = 6
const encodingSqlAscii = 0
const maxSharedCatalogOid = 16384
// pg_index.indoption bits. Source: src/include/catalog/pg_index.h.
const indoptionDescending = 1
const indoptionNullsFirst = 2

const classColumns = [
  'oid',
  'relname',
  'relnamespace',
  'relam',
  'relfilenode',
  'reltablespace',
  'reltuples',
  'reltoastrelid',
  'relisshared',
  'relpersistence',
  'relkind',
  'relfrozenxid',
  'relminmxid',
]

// A row of a catalog that is not in the profile of an older release gets this.
const absentDefaults: Record<string, unknown> = { attcompression: '' }

export class OfflineDatabase {
  readonly row: DatabaseRow
  readonly session: NativeSession
  readonly cluster: OfflineCluster
  readonly directory: string
  readonly #codecOptions: CodecOptions
  readonly #catalogs = new Map<number, RelationAccess>()
  #attributes: RelationAccess | undefined
  #localMap: RelationMap | undefined
  #sharedMap: RelationMap | undefined
  #classes: Map<number, ClassRow> | undefined
  #types: Map<number, TypeRow> | undefined
  #namespaces: Map<number, string> | undefined
  #opclasses: Map<number, { opcfamily: number; opcintype: number }> | undefined
  #indexRows: IndexRow[] | undefined
  #enums: Map<number, string> | undefined

  constructor(
    cluster: OfflineCluster,
    session: NativeSession,
    row: DatabaseRow,
    directory: string,
  ) {
    this.cluster = cluster
    this.session = session
    this.row = row
    this.directory = directory
    this.#codecOptions = { int8: 'bigint', json: 'text', names: new DatabaseNames(this) }
  }

  /** Columns of the visible rows of a catalog. */
  catalogRows<R>(oid: number, columns: string[], where?: { column: string; value: unknown }): R[] {
    const access = this.#catalog(oid)
    return access
      .scan<R & object>(this.session, {
        columns,
        ...(where && { conditions: [{ ...where, operator: '=' as const }] }),
      })
      .toArray()
  }

  /** pg_class, by OID. */
  classes(): Map<number, ClassRow> {
    this.#classes ??= new Map(
      this.catalogRows<ClassRow>(catalog.pgClass, classColumns).map((row) => [row.oid, row]),
    )
    return this.#classes
  }

  /** Names of schemas, by OID. */
  namespaces(): Map<number, string> {
    this.#namespaces ??= new Map(
      this.catalogRows<{ oid: number; nspname: string }>(catalog.pgNamespace, [
        'oid',
        'nspname',
      ]).map(({ oid, nspname }) => [oid, nspname]),
    )
    return this.#namespaces
  }

  /** The pg_class row of a relation; "public", then pg_catalog where the name has no schema. Throws 42P01. */
  find(name: string): ClassRow {
    const { schema, name: relname } = parseQualifiedName(name)
    const named = [...this.classes().values()].filter((row) => row.relname === relname)
    const inSchema = (wanted: string) =>
      named.find(({ relnamespace }) => this.namespaces().get(relnamespace) === wanted)
    const isQualified = name.includes('.') && !/^"[^"]*"$/.test(name)
    const found = inSchema(schema) ?? (isQualified ? undefined : inSchema('pg_catalog'))
    if (found !== undefined) return found
    throw new PgError('42P01', `relation "${name}" does not exist`, { schema, table: relname })
  }

  /** Does the relation have files of its own, and where. */
  locator(row: ClassRow): Locator {
    const shared = row.relisshared
    return {
      spcOid: row.reltablespace !== 0 ? row.reltablespace : this.row.dattablespace,
      dbOid: shared ? 0 : this.row.oid,
      relNumber: row.relfilenode !== 0 ? row.relfilenode : this.#mapped(row.oid, shared),
    }
  }

  attributeRows(oid: number): AttributeRow[] {
    this.#attributes ??= this.#openAttributes()
    const known = new Set(this.#attributes.columns.map(({ name }) => name))
    const wanted = [
      'attrelid',
      'attname',
      'atttypid',
      'attlen',
      'attnum',
      'atttypmod',
      'attbyval',
      'attalign',
      'attstorage',
      'attcompression',
      'attnotnull',
      'atthasmissing',
      'attgenerated',
      'attisdropped',
      'attcollation',
      'attmissingval',
    ]
    return this.#attributes
      .scan<AttributeRow>(this.session, {
        columns: wanted.filter((name) => known.has(name)),
        conditions: [
          { column: 'attrelid', operator: '=', value: oid },
          { column: 'attnum', operator: '>', value: 0 },
        ],
      })
      .toArray()
      .map((row) => ({ ...absentDefaults, ...row }))
      .sort((a, b) => a.attnum - b.attnum)
  }

  /** A relation with its columns. Throws 42809 when it has no rows of its own. */
  open(row: ClassRow): OfflineRelation {
    if (row.relpersistence === 't') throw temporaryOfOthers(row.relname)
    const schema = this.namespaces().get(row.relnamespace) ?? `${row.relnamespace}`
    const rows = this.attributeRows(row.oid)
    const attributes: AttributeDescriptor[] = []
    const columns: OfflineColumn[] = []
    for (const attribute of rows) {
      if (attribute.attisdropped) {
        attributes.push(this.#attribute(attribute, undefined))
        continue
      }
      const codec = this.typeCodec(attribute.atttypid, attribute.atttypmod)
      attributes.push(this.#attribute(attribute, codec))
      columns.push({
        name: attribute.attname,
        attribute: attribute.attnum,
        codec,
        generated: attribute.attgenerated !== '',
      })
    }
    const indexes: OfflineIndex[] = []
    const descriptor: RelationDescriptor = {
      oid: row.oid,
      schema,
      name: row.relname,
      locator: this.locator(row),
      persistence: row.relpersistence as RelationDescriptor['persistence'],
      fillfactor: 100,
      bytewiseDefaultCollation: false,
      attributes,
      indexes: this.#indexes(row.oid, attributes, indexes),
    }
    if (row.reltoastrelid !== 0) descriptor.toast = this.#toast(row.reltoastrelid)
    const access = new RelationAccess(this.cluster.native, descriptor, columns)
    return { row, schema, columns, access, indexes }
  }

  /** The codec of any type; one that has none refuses when a value is met. */
  typeCodec(oid: number, typmod: number): TypeCodec {
    if (oid === anyarrayOid) {
      const type = builtinTypeNamed('anyarray') as BuiltinType
      return anyArrayCodec(type, (element) => this.typeCodec(element, -1)) as TypeCodec
    }
    if (this.cluster.control.major < 16 && (oid === aclItemOid || oid === aclItemArrayOid)) {
      const item = narrowAclItemCodec(codecFor(aclItemOid, -1, this.#codecOptions))
      if (oid === aclItemOid) return item
      const array = { ...(builtinTypeNamed('_aclitem') as BuiltinType), typalign: 'i' as const }
      return arrayCodec(array, item) as TypeCodec
    }
    try {
      return codecFor(oid, typmod, this.#codecOptions)
    } catch (error) {
      if (!(error instanceof PgError) || error.code !== '0A000') throw error
    }
    const type = this.#typeRow(oid)
    if (type.typtype === 'd') {
      return this.typeCodec(type.typbasetype, type.typtypmod)
    }
    if (type.typtype === 'e') return this.#enumCodec(type)
    const plain = refusingCodec(type, typmod)
    if (type.typelem === 0 || type.typlen !== -1) return plain
    return { ...arrayCodec(plain, this.typeCodec(type.typelem, typmod)), typmod } as TypeCodec
  }

  /** The type whose array type this is, if it is one and exists. */
  elementOfArray(oid: number): number | undefined {
    const element = this.#typeRows().get(oid)?.typelem
    if (element === undefined) return undefined
    return this.#typeRows().get(element)?.typarray === oid ? element : undefined
  }

  #typeRow(oid: number): TypeRow {
    const row = this.#typeRows().get(oid)
    if (row === undefined) throw new PgError('42704', `type with OID ${oid} does not exist`)
    return row
  }

  #typeRows(): Map<number, TypeRow> {
    this.#types ??= new Map(
      this.catalogRows<TypeRow>(catalog.pgType, [
        'oid',
        'typname',
        'typlen',
        'typbyval',
        'typtype',
        'typelem',
        'typalign',
        'typstorage',
        'typdelim',
        'typarray',
        'typbasetype',
        'typtypmod',
      ]).map((row) => [row.oid, row]),
    )
    return this.#types
  }

  // Enum values are OIDs of pg_enum rows.
  #enumCodec(type: TypeRow): TypeCodec {
    this.#enums ??= new Map(
      this.catalogRows<{ oid: number; enumlabel: string }>(catalog.pgEnum, [
        'oid',
        'enumlabel',
      ]).map(({ oid, enumlabel }) => [oid, enumlabel]),
    )
    const label = (oid: unknown): string => {
      const text = this.#enums?.get(oid as number)
      if (text === undefined) {
        throw new PgError('22P03', `invalid internal value for enum: ${oid}`)
      }
      return text
    }
    return { ...refusingCodec(type, -1), lane: 'uint32', fromLane: label, toText: label }
  }

  // Columns that an older release's pg_attribute lacks, and that nothing here asks for, are missing from the row.
  #attribute(row: AttributeRow, codec: TypeCodec | undefined): AttributeDescriptor {
    return attributeFromRow(row as unknown as Parameters<typeof attributeFromRow>[0], codec)
  }

  #mapped(oid: number, shared: boolean): number {
    const { dataDirectory } = this.cluster
    if (shared) this.#sharedMap ??= readRelationMap(dataDirectory, 'global')
    else this.#localMap ??= readRelationMap(dataDirectory, this.directory)
    return (shared ? this.#sharedMap : this.#localMap)?.get(oid) ?? 0
  }

  // pg_attribute, whose columns the release tells.
  #openAttributes(): RelationAccess {
    const { major } = this.cluster.control
    const profile = attributeColumns(major)
    if (profile === undefined) throw new PgError('0A000', `release ${major} is not supported`)
    if (this.row.encoding !== encodingUtf8 && this.row.encoding !== encodingSqlAscii) {
      throw new PgError('0A000', `database "${this.row.datname}" has an encoding other than UTF8`)
    }
    const types = profile.map(({ type }) => builtinTypeNamed(type) as BuiltinType)
    const attributes = profile.map(({ name }, i) =>
      attributeDescriptor({ name, type: types[i] as BuiltinType, notNull: false }),
    )
    const columns = profile.map(({ name }, i) => {
      const codec = codecFor((types[i] as BuiltinType).oid)
      // The array as it lies there; its column's codec decodes the element.
      const raw = name === 'attmissingval' ? { ...codec, isIdentity: true } : codec
      return { name, attribute: i + 1, codec: raw }
    })
    return this.#access(catalog.pgAttribute, 'pg_attribute', attributes, columns, {
      spcOid: this.row.dattablespace,
      dbOid: this.row.oid,
      relNumber: this.#mapped(catalog.pgAttribute, false),
    })
  }

  #access(
    oid: number,
    name: string,
    attributes: AttributeDescriptor[],
    columns: AccessColumn[],
    locator: Locator,
    toast?: RelationDescriptor['toast'],
  ): RelationAccess {
    return new RelationAccess(
      this.cluster.native,
      {
        oid,
        schema: 'pg_catalog',
        name,
        locator,
        persistence: 'p',
        fillfactor: 100,
        bytewiseDefaultCollation: true,
        attributes,
        indexes: [],
        ...(toast && { toast }),
      },
      columns,
    )
  }

  // A catalog, whose columns pg_attribute tells.
  #catalog(oid: number): RelationAccess {
    const known = this.#catalogs.get(oid)
    if (known !== undefined) return known
    const columns: AccessColumn[] = []
    const attributes = this.attributeRows(oid).map((row) => {
      const codec = this.typeCodec(row.atttypid, row.atttypmod)
      columns.push({ name: row.attname, attribute: row.attnum, codec })
      return this.#attribute(row, codec)
    })
    if (attributes.length === 0) {
      throw new PgError('XX001', `pg_attribute has no columns of the catalog with OID ${oid}`)
    }
    const access = this.#access(oid, `${oid}`, attributes, columns, ...this.#catalogPlace(oid))
    this.#catalogs.set(oid, access)
    return access
  }

  #catalogPlace(oid: number): [Locator, RelationDescriptor['toast']?] {
    const local = { spcOid: this.row.dattablespace, dbOid: this.row.oid }
    if (bootstrapMapped.includes(oid)) {
      return [{ ...local, relNumber: this.#mapped(oid, false) }]
    }
    const shared = oid < maxSharedCatalogOid ? this.#mapped(oid, true) : 0
    if (shared !== 0) return [{ spcOid: globalTablespace, dbOid: 0, relNumber: shared }]
    const row = this.classes().get(oid)
    if (row === undefined) {
      throw new PgError('XX001', `could not find pg_class entry for relation with OID ${oid}`)
    }
    if (row.reltoastrelid === 0) return [this.locator(row)]
    // pg_index is needed to find a TOAST index, and keeps no long values that are read here.
    if (oid === catalog.pgIndex) return [this.locator(row)]
    return [this.locator(row), this.#toast(row.reltoastrelid)]
  }

  #toast(oid: number): NonNullable<RelationDescriptor['toast']> {
    const row = this.classes().get(oid)
    const index = this.#indexRowsOf(oid)[0]
    const indexRow = index && this.classes().get(index.indexrelid)
    if (row === undefined || indexRow === undefined) {
      throw new PgError('XX001', `could not find TOAST table with OID ${oid} or its index`)
    }
    return {
      oid,
      locator: this.locator(row),
      indexOid: indexRow.oid,
      indexLocator: this.locator(indexRow),
    }
  }

  #indexRowsOf(oid: number): IndexRow[] {
    this.#indexRows ??= this.#readIndexRows()
    return this.#indexRows.filter(({ indrelid }) => indrelid === oid)
  }

  #readIndexRows(): IndexRow[] {
    // Expressions may be toasted; only whether they are there matters, which the null test tells.
    const plain = [
      'indexrelid',
      'indrelid',
      'indnkeyatts',
      'indisunique',
      'indisvalid',
      'indisready',
      'indkey',
      'indcollation',
      'indclass',
      'indoption',
    ]
    const access = this.#catalog(catalog.pgIndex)
    const simple = new Set(
      access
        .scan<{ indexrelid: number }>(this.session, {
          columns: ['indexrelid'],
          conditions: [
            { column: 'indexprs', operator: 'is null' },
            { column: 'indpred', operator: 'is null' },
          ],
        })
        .toArray()
        .map(({ indexrelid }) => indexrelid),
    )
    return this.catalogRows<IndexRow>(catalog.pgIndex, plain).map((row) => {
      const special = simple.has(row.indexrelid) ? null : ''
      return { ...row, indexprs: special, indpred: special }
    })
  }

  #opclass(oid: number): { opcfamily: number; opcintype: number } | undefined {
    this.#opclasses ??= new Map(
      this.catalogRows<{ oid: number; opcfamily: number; opcintype: number }>(catalog.pgOpclass, [
        'oid',
        'opcfamily',
        'opcintype',
      ]).map((row) => [row.oid, row]),
    )
    return this.#opclasses.get(oid)
  }

  // Descriptors of the B-trees on plain columns; what they are called goes to `infos`.
  #indexes(
    oid: number,
    attributes: AttributeDescriptor[],
    infos: OfflineIndex[],
  ): IndexDescriptor[] {
    const descriptors: IndexDescriptor[] = []
    for (const index of this.#indexRowsOf(oid)) {
      const row = this.classes().get(index.indexrelid)
      if (row === undefined || row.relam !== btreeAccessMethod) continue
      if (index.indexprs !== null || !index.indisready) continue
      infos.push({ oid: row.oid, name: row.relname, complete: index.indisvalid })
      descriptors.push({
        oid: row.oid,
        name: row.relname,
        locator: this.locator(row),
        unique: index.indisunique,
        nullsNotDistinct: false,
        keyCount: index.indnkeyatts,
        usable: true,
        fillfactor: 90,
        columns: index.indkey.map((attribute, i) => {
          const isKey = i < index.indnkeyatts
          const opclass = isKey ? this.#opclass(index.indclass[i] as number) : undefined
          const option = isKey ? (index.indoption[i] as number) : 0
          return {
            attribute,
            family: opclass?.opcfamily ?? 0,
            operandType: opclass?.opcintype ?? 0,
            elementType: attributes[attribute - 1]?.elementType ?? 0,
            collation: isKey ? (index.indcollation[i] ?? cCollation) : 0,
            descending: (option & indoptionDescending) !== 0,
            nullsFirst: (option & indoptionNullsFirst) !== 0,
          }
        }),
      })
    }
    return descriptors
  }
}

// aclitem until release 15: privileges and grant options of 16 bits each, after the two roles.
function narrowAclItemCodec(wide: TypeCodec): TypeCodec {
  const widen = (raw: unknown): Uint8Array => {
    const narrow = Buffer.from(raw as Uint8Array)
    const bytes = Buffer.alloc(16)
    narrow.copy(bytes, 0, 0, 8)
    bytes.writeUInt32LE(narrow.readUInt16LE(8), 8)
    bytes.writeUInt32LE(narrow.readUInt16LE(10), 12)
    return bytes
  }
  return {
    ...wide,
    typlen: 12,
    typalign: 'i',
    fromLane: (raw) => wide.fromLane(widen(raw)),
    toText: (raw) => wide.toText(widen(raw)),
  }
}

function refusingCodec(type: TypeRow, typmod: number): TypeCodec {
  const refuse = (): never => {
    throw new PgError('0A000', `type ${type.typname} is not supported`, { dataType: type.typname })
  }
  const byWidth: Record<number, TypeCodec['lane']> = { 1: 'char', 2: 'int16', 4: 'int32' }
  return {
    oid: type.oid,
    name: type.typname,
    typarray: type.typarray,
    typlen: type.typlen,
    typbyval: type.typbyval,
    typalign: type.typalign as TypeCodec['typalign'],
    typstorage: type.typstorage as TypeCodec['typstorage'],
    typelem: type.typelem,
    typdelim: type.typdelim,
    typmod,
    lane: type.typbyval ? (byWidth[type.typlen] ?? 'float64') : 'bytes',
    isIdentity: false,
    fromLane: refuse,
    toLane: refuse,
    toText: refuse,
    fromText: refuse,
  }
}
