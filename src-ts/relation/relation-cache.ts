// RelationCache: relations of one database by name and by OID, with all that reading and writing them needs. Of more than
// `sizeMax` it forgets those that it has known longest; whoever works with one keeps it.
import { type AccessColumn, RelationAccess } from '../access/relation-access.ts'
import type {
  AttributeDescriptor,
  IndexDescriptor,
  Locator,
  NativeCluster,
  NativeSession,
  RelationDescriptor,
} from '../binding/native.ts'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { pgOpclass } from '../catalog/pg_opclass.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import { type CodecOptions, codecFor, type Lane, type TypeCodec } from '../types/index.ts'
import type { CatalogStore } from './catalog-store.ts'
import { attributeFromRow } from './descriptor.ts'
import { isOwnTemporary } from './temporary-schema.ts'

const globalTablespace = 1664
const btreeAccessMethod = 403
// pg_index.indoption bits. Source: src/include/catalog/pg_index.h.
const indoptionDescending = 1
const indoptionNullsFirst = 2

export type ClassRow = CatalogRow<typeof pgClass>
export type IndexRow = CatalogRow<typeof pgIndex>

/** An index of a relation as its users see it. */
export interface RelationIndex {
  oid: number
  name: string
  unique: boolean
  primary: boolean
  /** Names of the key columns; undefined for an expression. */
  keyColumns: (string | undefined)[]
  /** Can it be used for reading and writing? If not, why not. */
  unusableBecause: string | undefined
}

export interface RelationInfo {
  oid: number
  schema: string
  name: string
  row: ClassRow
  columns: readonly AccessColumn[]
  /** In the order of the descriptor's. */
  indexes: readonly RelationIndex[]
  access: RelationAccess
}

// A type that has no codec travels as raw bytes and is refused when a value is read or written.
function refusingCodec(type: CatalogRow<typeof pgType>, typmod: number): TypeCodec {
  const refuse = (): never => {
    throw new PgError('0A000', `type ${type.typname} is not supported`, {
      dataType: type.typname,
    })
  }
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
    lane: laneOfStorage(type.typlen, type.typbyval),
    isIdentity: false,
    fromLane: refuse,
    toLane: refuse,
    toText: refuse,
    fromText: refuse,
  }
}

// The lane of a type without a codec: only its width matters.
function laneOfStorage(length: number, byValue: boolean): Lane {
  if (!byValue) return 'bytes'
  switch (length) {
    case 1:
      return 'char'
    case 2:
      return 'int16'
    case 4:
      return 'int32'
    default:
      return 'float64'
  }
}

export class RelationCache {
  readonly #cluster: NativeCluster
  readonly #catalogs: CatalogStore
  readonly #bytewiseDefaultCollation: boolean
  readonly #options: CodecOptions
  readonly #sizeMax: number
  // In the order in which they were read.
  readonly #byOid = new Map<number, RelationInfo>()
  readonly #namespaces = new Map<string, number>()
  readonly #types = new Map<number, CatalogRow<typeof pgType>>()
  readonly #opclasses = new Map<number, CatalogRow<typeof pgOpclass>>()

  constructor(
    cluster: NativeCluster,
    catalogs: CatalogStore,
    bytewiseDefaultCollation: boolean,
    options: CodecOptions,
    sizeMax: number,
  ) {
    this.#cluster = cluster
    this.#catalogs = catalogs
    this.#bytewiseDefaultCollation = bytewiseDefaultCollation
    this.#options = options
    this.#sizeMax = sizeMax
  }

  /** An empty cache of the same database; with other catalogs, if they are given. */
  fork(catalogs: CatalogStore = this.#catalogs): RelationCache {
    return new RelationCache(
      this.#cluster,
      catalogs,
      this.#bytewiseDefaultCollation,
      this.#options,
      this.#sizeMax,
    )
  }

  /** Does the default collation of the database order by bytes? */
  get bytewiseDefaultCollation(): boolean {
    return this.#bytewiseDefaultCollation
  }

  /** What values of a built-in type are in JavaScript, in this database. Throws 0A000. */
  codec(type: number): TypeCodec {
    return codecFor(type, -1, this.#options)
  }

  /** OID of a schema. Throws 3F000. */
  namespaceOid(session: NativeSession, schema: string): number {
    let oid = this.#namespaces.get(schema)
    if (oid === undefined) {
      oid = this.#catalogs.findOne(
        session,
        pgNamespace,
        'pg_namespace_nspname_index',
        [schema],
        ['oid'],
      )?.oid
      if (oid === undefined)
        throw new PgError('3F000', `schema "${schema}" does not exist`, { schema })
      this.#namespaces.set(schema, oid)
    }
    return oid
  }

  /** The pg_class row of a relation, or undefined. */
  lookUp(session: NativeSession, schema: string, name: string): ClassRow | undefined {
    const namespace = this.namespaceOid(session, schema)
    return this.#catalogs.findOne(session, pgClass, 'pg_class_relname_nsp_index', [name, namespace])
  }

  /** A relation by name. Throws 42P01, 0A000. */
  open(session: NativeSession, schema: string, name: string): RelationInfo {
    const row = this.lookUp(session, schema, name)
    if (row === undefined) {
      throw new PgError('42P01', `relation "${schema}.${name}" does not exist`, {
        schema,
        table: name,
      })
    }
    const cached = this.#byOid.get(row.oid)
    if (cached === undefined) return this.#load(session, row, schema)
    refuseTemporary(session, row)
    return cached
  }

  openByOid(session: NativeSession, oid: number): RelationInfo {
    const cached = this.#byOid.get(oid)
    if (cached !== undefined) {
      refuseTemporary(session, cached.row)
      return cached
    }
    const row = this.#catalogs.findOne(session, pgClass, 'pg_class_oid_index', [oid])
    if (row === undefined) throw new PgError('42P01', `relation with OID ${oid} does not exist`)
    const namespace = this.#catalogs.findOne(session, pgNamespace, 'pg_namespace_oid_index', [
      row.relnamespace,
    ])
    return this.#load(session, row, namespace?.nspname ?? `${row.relnamespace}`)
  }

  /** The relation, if nothing has to be read for it. */
  cached(oid: number): RelationInfo | undefined {
    return this.#byOid.get(oid)
  }

  /** Forgets one relation, or all, after DDL. */
  forget(oid?: number): void {
    if (oid !== undefined) {
      this.#byOid.delete(oid)
      return
    }
    this.#byOid.clear()
    this.#namespaces.clear()
    this.#types.clear()
    this.#opclasses.clear()
  }

  #type(session: NativeSession, oid: number): CatalogRow<typeof pgType> {
    let row = this.#types.get(oid)
    if (row === undefined) {
      row = this.#catalogs.findOne(session, pgType, 'pg_type_oid_index', [oid])
      if (row === undefined) throw new PgError('42704', `type with OID ${oid} does not exist`)
      this.#types.set(oid, row)
    }
    return row
  }

  // What is in the library of a built-in type is not read.
  #columnCodec(session: NativeSession, type: number, typmod: number): TypeCodec {
    try {
      return codecFor(type, typmod, this.#options)
    } catch (error) {
      if (!(error instanceof PgError) || error.code !== '0A000') throw error
      return refusingCodec(this.#type(session, type), typmod)
    }
  }

  #opclass(session: NativeSession, oid: number): CatalogRow<typeof pgOpclass> {
    let row = this.#opclasses.get(oid)
    if (row === undefined) {
      row = this.#catalogs.findOne(session, pgOpclass, 'pg_opclass_oid_index', [oid])
      if (row === undefined)
        throw new PgError('42704', `operator class with OID ${oid} does not exist`)
      this.#opclasses.set(oid, row)
    }
    return row
  }

  #locator(row: ClassRow): Locator {
    const { database } = this.#catalogs
    const fileNumber =
      row.relfilenode === 0
        ? this.#catalogs.mappedFileNumber(row.oid, row.relisshared)
        : row.relfilenode
    return {
      spcOid: row.reltablespace !== 0 ? row.reltablespace : database.tablespace,
      dbOid: row.reltablespace === globalTablespace ? 0 : database.oid,
      relNumber: fileNumber,
    }
  }

  #load(session: NativeSession, row: ClassRow, schema: string): RelationInfo {
    refuseTemporary(session, row)
    const attributeRows = this.#catalogs
      .find(session, pgAttribute, 'pg_attribute_relid_attnum_index', [row.oid])
      .filter(({ attnum }) => attnum > 0)
    const attributes: AttributeDescriptor[] = []
    const columns: AccessColumn[] = []
    for (const attribute of attributeRows) {
      if (attribute.attisdropped) {
        attributes.push(attributeFromRow(attribute, undefined))
        continue
      }
      const codec = this.#columnCodec(session, attribute.atttypid, attribute.atttypmod)
      attributes.push(attributeFromRow(attribute, codec))
      columns.push({ name: attribute.attname, attribute: attribute.attnum, codec })
    }
    const descriptor: RelationDescriptor = {
      oid: row.oid,
      schema,
      name: row.relname,
      locator: this.#locator(row),
      persistence: row.relpersistence as RelationDescriptor['persistence'],
      fillfactor: relationOption(row.reloptions, 'fillfactor') ?? 100,
      bytewiseDefaultCollation: this.#bytewiseDefaultCollation,
      attributes,
      indexes: [],
    }
    const indexes: RelationIndex[] = []
    if (row.relhasindex) {
      for (const index of this.#catalogs.find(session, pgIndex, 'pg_index_indrelid_index', [
        row.oid,
      ])) {
        if (!index.indislive) continue
        const { descriptor: indexDescriptor, info } = this.#index(session, index, attributes)
        descriptor.indexes.push(indexDescriptor)
        indexes.push(info)
      }
    }
    if (row.reltoastrelid !== 0) descriptor.toast = this.#toast(session, row.reltoastrelid)
    const access = new RelationAccess(this.#cluster, descriptor, columns)
    const info = { oid: row.oid, schema, name: row.relname, row, columns, indexes, access }
    this.#byOid.set(row.oid, info)
    if (this.#byOid.size > this.#sizeMax) {
      const [oldest] = this.#byOid.keys()
      this.#byOid.delete(oldest as number)
    }
    return info
  }

  #toast(session: NativeSession, oid: number): NonNullable<RelationDescriptor['toast']> {
    const row = this.#catalogs.findOne(session, pgClass, 'pg_class_oid_index', [oid])
    const [index] = this.#catalogs.find(session, pgIndex, 'pg_index_indrelid_index', [oid])
    const indexRow =
      index && this.#catalogs.findOne(session, pgClass, 'pg_class_oid_index', [index.indexrelid])
    if (row === undefined || indexRow === undefined) {
      throw new PgError('XX001', `could not find TOAST table with OID ${oid} or its index`)
    }
    return {
      oid,
      locator: this.#locator(row),
      indexOid: indexRow.oid,
      indexLocator: this.#locator(indexRow),
    }
  }

  #index(
    session: NativeSession,
    index: IndexRow,
    attributes: readonly AttributeDescriptor[],
  ): { descriptor: IndexDescriptor; info: RelationIndex } {
    const row = this.#catalogs.findOne(session, pgClass, 'pg_class_oid_index', [index.indexrelid])
    if (row === undefined) {
      throw new PgError(
        'XX001',
        `could not find pg_class entry for index with OID ${index.indexrelid}`,
      )
    }
    const unusableBecause = whyUnusable(row, index)
    const keyCount = index.indnkeyatts
    const columns = index.indkey.map((attribute, i) => {
      const isKey = i < keyCount
      const opclass = isKey ? this.#opclass(session, index.indclass[i] as number) : undefined
      const option = isKey ? (index.indoption[i] as number) : 0
      return {
        attribute,
        family: opclass?.opcfamily ?? 0,
        operandType: opclass?.opcintype ?? 0,
        elementType: attributes[attribute - 1]?.elementType ?? 0,
        collation: isKey ? (index.indcollation[i] as number) : 0,
        descending: (option & indoptionDescending) !== 0,
        nullsFirst: (option & indoptionNullsFirst) !== 0,
      }
    })
    return {
      descriptor: {
        oid: row.oid,
        name: row.relname,
        locator: this.#locator(row),
        unique: index.indisunique,
        nullsNotDistinct: index.indnullsnotdistinct,
        keyCount,
        columns,
        usable: unusableBecause === undefined,
        fillfactor: relationOption(row.reloptions, 'fillfactor') ?? 90,
      },
      info: {
        oid: row.oid,
        name: row.relname,
        unique: index.indisunique,
        primary: index.indisprimary,
        keyColumns: index.indkey
          .slice(0, keyCount)
          .map((attribute) => attributes[attribute - 1]?.name),
        unusableBecause,
      },
    }
  }
}

/** Throws 0A000 for what another session keeps in its memory, or a crashed one has left behind. */
export function refuseTemporary(session: NativeSession, row: ClassRow): void {
  if (row.relpersistence !== 't' || isOwnTemporary(session, row.relnamespace)) return
  throw temporaryOfOthers(row.relname)
}

export function temporaryOfOthers(table: string): PgError {
  return new PgError('0A000', 'cannot access temporary tables of other sessions', { table })
}

function whyUnusable(row: ClassRow, index: IndexRow): string | undefined {
  if (row.relam !== btreeAccessMethod) return 'it is not a B-tree'
  if (index.indexprs !== null) return 'it is on an expression'
  if (index.indpred !== null) return 'it is partial'
  if (!index.indisvalid) return 'it is not valid'
  if (!index.indimmediate) return 'it is deferrable'
  return undefined
}

// The value of a numeric storage parameter in pg_class.reloptions ("fillfactor=70").
function relationOption(options: readonly string[] | null, name: string): number | undefined {
  const option = options?.find((candidate) => candidate.startsWith(`${name}=`))
  return option === undefined ? undefined : Number(option.slice(name.length + 1))
}
