// CatalogStore: the described system catalogs of one database, as relations that can be searched and changed.

import { type AccessColumn, RelationAccess } from '../access/relation-access.ts'
import type { RowIterator } from '../access/row-iterator.ts'
import type { Tid } from '../access/tid.ts'
import type {
  AttributeDescriptor,
  IndexDescriptor,
  NativeCluster,
  NativeSession,
  RelationDescriptor,
  RowResult,
} from '../binding/native.ts'
import type { Catalog, CatalogRow } from '../catalog/define-catalog.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { PgError } from '../errors/pg-error.ts'
import { type BuiltinType, builtinTypeNamed, codecFor, type TypeCodec } from '../types/index.ts'
import { attributeDescriptor } from './descriptor.ts'
import { encodeRelationMap, type RelationMap, readRelationMap } from './relation-map.ts'

const globalTablespace = 1664
const catalogSchema = 'pg_catalog'

/** Which database, and where its files are. */
export interface DatabaseIdentity {
  oid: number
  /** dattablespace. */
  tablespace: number
  /** Below the data directory: "base/5". */
  directory: string
}

interface Located<R> {
  row: R
  tid: Tid
}

type AnyCatalog = Catalog & { readonly spec: Record<string, string> }

export class CatalogStore {
  readonly #cluster: NativeCluster
  readonly #dataDirectory: string
  readonly database: DatabaseIdentity
  readonly #accesses = new Map<number, RelationAccess>()
  readonly #fileNumbers = new Map<number, number>()
  #sharedMap: RelationMap | undefined
  #localMap: RelationMap | undefined

  constructor(cluster: NativeCluster, dataDirectory: string, database: DatabaseIdentity) {
    this.#cluster = cluster
    this.#dataDirectory = dataDirectory
    this.database = database
  }

  /** An empty store of the same database, for a transaction that gives catalogs new files. */
  fork(): CatalogStore {
    return new CatalogStore(this.#cluster, this.#dataDirectory, this.database)
  }

  /** The file number of a mapped catalog or its index. Throws XX001 when the map lacks it. */
  mappedFileNumber(oid: number, shared: boolean): number {
    const fileNumber = this.#map(shared).get(oid)
    if (fileNumber === undefined) {
      throw new PgError('XX001', `could not find relation mapping for relation with OID ${oid}`)
    }
    return fileNumber
  }

  /**
   * From here on, as far as this store goes, mapped catalogs and indexes have other files; the transaction's commit makes it
   * so for all. Nobody else may do so until then.
   */
  remap(session: NativeSession, fileNumbers: ReadonlyMap<number, number>, shared: boolean): void {
    const map = new Map(this.#map(shared))
    for (const [oid, fileNumber] of fileNumbers) map.set(oid, fileNumber)
    const { oid, tablespace } = this.database
    session.replaceRelationMap(
      shared ? 0 : oid,
      shared ? globalTablespace : tablespace,
      encodeRelationMap(map),
    )
    if (shared) this.#sharedMap = map
    else this.#localMap = map
    this.refresh()
  }

  /** Visible rows whose leading columns of the named index equal `key`. */
  find<C extends AnyCatalog>(
    session: NativeSession,
    catalog: C,
    indexName: string,
    key: readonly unknown[],
  ): CatalogRow<C>[] {
    const access = this.access(session, catalog)
    const index = indexNumber(catalog, indexName)
    return access.rangeOfFew<CatalogRow<C>>(session, { index, lower: [...key], upper: [...key] })
  }

  /** As `find`, for at most one row; with these columns alone, if they are given. */
  findOne<
    C extends AnyCatalog,
    K extends keyof CatalogRow<C> & string = keyof CatalogRow<C> & string,
  >(
    session: NativeSession,
    catalog: C,
    indexName: string,
    key: readonly unknown[],
    columns?: readonly K[],
  ): Pick<CatalogRow<C>, K> | undefined {
    const access = this.access(session, catalog)
    return access.get(session, indexNumber(catalog, indexName), key, columns)
  }

  /** Has the catalog no page? Tells nothing of one that has. */
  isWithoutPages(session: NativeSession, catalog: AnyCatalog): boolean {
    return this.#cluster.blocks(this.access(session, catalog).locator, 0) === 0
  }

  /** As `find`, with the rows' addresses. */
  locate<C extends AnyCatalog>(
    session: NativeSession,
    catalog: C,
    indexName: string,
    key: readonly unknown[],
  ): Located<CatalogRow<C>>[] {
    const access = this.access(session, catalog)
    const index = indexNumber(catalog, indexName)
    return [
      ...access.rangeWithTids<CatalogRow<C>>(session, { index, lower: [...key], upper: [...key] }),
    ]
  }

  scan<C extends AnyCatalog>(session: NativeSession, catalog: C): RowIterator<CatalogRow<C>> {
    return this.access(session, catalog).scan<CatalogRow<C>>(session)
  }

  insert<C extends AnyCatalog>(
    session: NativeSession,
    catalog: C,
    rows: readonly CatalogRow<C>[],
  ): void {
    this.access(session, catalog).insert(session, rows as readonly object[])
  }

  /** Replaces columns of a row found by `locate`. Throws 40001 when another transaction was there first. */
  update<C extends AnyCatalog>(
    session: NativeSession,
    catalog: C,
    tid: Tid,
    changes: Partial<CatalogRow<C>>,
  ): void {
    this.#expectOk(catalog, this.access(session, catalog).update(session, tid, changes as object))
  }

  /** Overwrites columns of a row for everybody, now and for good. Throws 40001 when the row is being changed. */
  updateInPlace<C extends AnyCatalog>(
    session: NativeSession,
    catalog: C,
    tid: Tid,
    changes: Partial<CatalogRow<C>>,
  ): void {
    this.#expectOk(
      catalog,
      this.access(session, catalog).updateInPlace(session, tid, changes as object),
    )
  }

  delete(session: NativeSession, catalog: AnyCatalog, tid: Tid): void {
    this.#expectOk(catalog, this.access(session, catalog).delete(session, tid))
  }

  /** The catalog as a relation. */
  access(session: NativeSession, catalog: AnyCatalog): RelationAccess {
    let access = this.#accesses.get(catalog.oid)
    if (access === undefined) {
      access = this.#open(session, catalog)
      this.#accesses.set(catalog.oid, access)
    }
    return access
  }

  /** Forgets what pg_class says of file numbers, after a change of it. */
  refresh(): void {
    this.#accesses.clear()
    this.#fileNumbers.clear()
  }

  /** Forgets what is known of file numbers and maps, after a catalog was given a new file. */
  forget(): void {
    this.refresh()
    this.#sharedMap = undefined
    this.#localMap = undefined
  }

  #map(shared: boolean): RelationMap {
    const known = shared ? this.#sharedMap : this.#localMap
    if (known !== undefined) return known
    const read = readRelationMap(this.#dataDirectory, shared ? 'global' : this.database.directory)
    if (shared) this.#sharedMap = read
    else this.#localMap = read
    return read
  }

  #expectOk(catalog: AnyCatalog, result: RowResult): void {
    if (result === 'ok') return
    throw new PgError('40001', `could not change a row of "${catalog.name}"`, {
      detail: `The row is ${result.replace('_', ' ')}.`,
      schema: catalogSchema,
      table: catalog.name,
    })
  }

  #open(session: NativeSession, catalog: AnyCatalog): RelationAccess {
    const { columns, attributes, indexes } = catalogShape(catalog)
    const locate = (oid: number, mapped: boolean) => ({
      spcOid: catalog.shared ? globalTablespace : this.database.tablespace,
      dbOid: catalog.shared ? 0 : this.database.oid,
      relNumber: mapped
        ? this.mappedFileNumber(oid, catalog.shared)
        : this.#fileNumber(session, oid),
    })
    const mapped = catalog.mapped || catalog.shared
    const descriptor: RelationDescriptor = {
      oid: catalog.oid,
      schema: catalogSchema,
      name: catalog.name,
      locator: locate(catalog.oid, mapped),
      persistence: 'p',
      fillfactor: 100,
      // Every collatable catalog column has the collation C.
      bytewiseDefaultCollation: true,
      attributes,
      indexes: indexes.map((index) => ({ ...index, locator: locate(index.oid, mapped) })),
    }
    if (catalog.toast !== undefined) {
      const { oid, indexOid } = catalog.toast
      descriptor.toast = {
        oid,
        indexOid,
        locator: locate(oid, mapped),
        indexLocator: locate(indexOid, mapped),
      }
    }
    const access = new RelationAccess(this.#cluster, descriptor, columns)
    // What others define is seen at once, also by a transaction that keeps its snapshot.
    access.native.readNewest()
    return access
  }

  // relfilenode of a catalog that is not mapped.
  #fileNumber(session: NativeSession, oid: number): number {
    const known = this.#fileNumbers.get(oid)
    if (known !== undefined) return known
    const row = this.findOne(session, pgClass, 'pg_class_oid_index', [oid], ['relfilenode'])
    if (row === undefined) {
      throw new PgError('XX001', `could not find pg_class entry for relation with OID ${oid}`)
    }
    this.#fileNumbers.set(oid, row.relfilenode)
    return row.relfilenode
  }
}

// What is the same of a catalog in every database.
interface CatalogShape {
  columns: readonly AccessColumn[]
  attributes: AttributeDescriptor[]
  indexes: Omit<IndexDescriptor, 'locator'>[]
}

const shapes = new Map<number, CatalogShape>()

function catalogShape(catalog: AnyCatalog): CatalogShape {
  let shape = shapes.get(catalog.oid)
  if (shape === undefined) {
    shape = makeShape(catalog)
    shapes.set(catalog.oid, shape)
  }
  return shape
}

function makeShape(catalog: AnyCatalog): CatalogShape {
  const types = catalog.columns.map(({ type }) => builtinTypeNamed(type) as BuiltinType)
  const columns = catalog.columns.map(({ name }, i) => ({
    name,
    attribute: i + 1,
    codec: catalogCodec(types[i] as BuiltinType),
  }))
  const attributes = catalog.columns.map(({ name, notNull }, i) =>
    attributeDescriptor({ name, type: types[i] as BuiltinType, notNull }),
  )
  const indexes = catalog.indexes.map((index) => ({
    oid: index.oid,
    name: index.name,
    unique: index.unique,
    nullsNotDistinct: false,
    keyCount: index.columns.length,
    usable: true,
    fillfactor: 90,
    columns: index.columns.map((name) => {
      const position = catalog.columns.findIndex((column) => column.name === name)
      return {
        attribute: position + 1,
        family: 0,
        operandType: (types[position] as BuiltinType).oid,
        elementType: 0,
        collation: attributes[position]?.collation ?? 0,
        descending: false,
        nullsFirst: false,
      }
    }),
  }))
  return { columns, attributes, indexes }
}

/** Does what can be done, before a database is open, of what the first look at these catalogs needs. */
export function prepareCatalogs(catalogs: readonly AnyCatalog[]): void {
  for (const catalog of catalogs) catalogShape(catalog)
}

// Only the column that an anyarray speaks of knows how to read it, so it comes as the bytes of the array.
function catalogCodec(type: BuiltinType): TypeCodec {
  const codec = codecFor(type.oid)
  return type.name === 'anyarray' ? { ...codec, isIdentity: true } : codec
}

function indexNumber(catalog: AnyCatalog, name: string): number {
  const index = catalog.indexes.findIndex((candidate) => candidate.name === name)
  if (index < 0) throw new RangeError(`catalog ${catalog.name} has no index ${name}`)
  return index
}
