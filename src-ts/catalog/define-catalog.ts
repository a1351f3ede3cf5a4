// defineCatalog: the form in which a system catalog is described to the rest of the code.
//
// Only catalogs that TypeScript reads or writes by name are described here, one file each; test/oracle checks every
// description against a real PostgreSQL 18. All other catalogs are found through pg_class and pg_attribute like
// ordinary tables.

/** A column's type as pg_type.typname, with `not null` after it where attnotnull is set. */
type ColumnSpec = string

export interface CatalogIndex {
  oid: number
  name: string
  unique: boolean
  /** Key columns, each ascending with its type's default operator class. */
  columns: string[]
}

export interface CatalogColumn {
  name: string
  /** pg_type.typname. */
  type: string
  notNull: boolean
}

interface CatalogSpec<C extends Record<string, ColumnSpec>> {
  name: string
  oid: number
  /** In the global tablespace, seen from every database. */
  shared?: boolean
  /** Its file number stands in pg_filenode.map, not in pg_class. */
  mapped?: boolean
  toast?: { oid: number; indexOid: number }
  columns: C
  indexes: CatalogIndex[]
}

export interface Catalog<C extends string = string> {
  readonly name: string
  readonly oid: number
  readonly shared: boolean
  readonly mapped: boolean
  readonly toast: { oid: number; indexOid: number } | undefined
  readonly columns: readonly CatalogColumn[]
  readonly indexes: readonly CatalogIndex[]
  /** Carries the column names in its type. */
  readonly columnNames: readonly C[]
}

type ValueOf<S extends string> = S extends `${infer T} not null`
  ? BaseValue<T>
  : BaseValue<S> | null
type BaseValue<T extends string> = T extends 'bool'
  ? boolean
  : T extends 'oid' | 'int2' | 'int4' | 'float4' | 'float8' | 'xid' | 'regproc' | 'int8'
    ? number
    : T extends 'name' | 'text' | 'pg_node_tree' | 'char' | 'timestamptz'
      ? string
      : T extends 'int2vector' | 'oidvector'
        ? number[]
        : T extends 'anyarray'
          ? Uint8Array
          : T extends `_${infer E}`
            ? BaseValue<E>[]
            : unknown

/** A row of a catalog, keyed by column name, for example `CatalogRow<typeof pgClass>`. */
export type CatalogRow<T> = T extends { readonly spec: infer C extends Record<string, string> }
  ? { -readonly [K in keyof C]: ValueOf<C[K]> }
  : never

export function defineCatalog<const C extends Record<string, ColumnSpec>>(
  spec: CatalogSpec<C>,
): Catalog<Extract<keyof C, string>> & { readonly spec: C } {
  const columns = Object.entries(spec.columns).map(([name, column]) => {
    const notNull = column.endsWith(' not null')
    return { name, type: notNull ? column.slice(0, -' not null'.length) : column, notNull }
  })
  return {
    name: spec.name,
    oid: spec.oid,
    shared: spec.shared ?? false,
    mapped: spec.mapped ?? false,
    toast: spec.toast,
    columns,
    indexes: spec.indexes,
    columnNames: columns.map(({ name }) => name) as Extract<keyof C, string>[],
    spec: spec.columns,
  }
}
