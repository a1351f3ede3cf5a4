// The catalog rows of a new index: pg_class, pg_attribute, pg_index, pg_constraint, pg_depend.
// Source: src/backend/catalog/{index.c,pg_constraint.c}, PostgreSQL 18.
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgCollation } from '../catalog/pg_collation.ts'
import { pgConstraint } from '../catalog/pg_constraint.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import type { pgOpclass } from '../catalog/pg_opclass.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import { btreeAccessMethod, type CommandContext, defaultCollation } from './command-context.ts'
import {
  constraintAddress,
  type Dependency,
  recordDependencies,
  relationAddress,
} from './dependency.ts'
import { newOid, newRelationOid } from './new-oid.ts'
import { chooseIndexColumnNames } from './object-name.ts'
import { type AttributeRow, attributeRow, type ClassRow, classRow } from './relation-rows.ts'

// pg_index.indoption. Source: src/include/catalog/pg_index.h, PostgreSQL 18.
const indoptionDescending = 1
const indoptionNullsFirst = 2

export interface IndexKeyColumn {
  /** The table's column. */
  attribute: AttributeRow
  operatorClass: CatalogRow<typeof pgOpclass>
  /** 0 for a type without collation. */
  collation: number
  descending: boolean
  nullsFirst: boolean
}

export interface NewIndex {
  name: string
  keys: readonly IndexKeyColumn[]
  included: readonly AttributeRow[]
  unique: boolean
  nullsNotDistinct: boolean
  /** The constraint that the index is made for: primary key or unique. */
  constraint: 'p' | 'u' | undefined
  /** 0 for the database's. */
  tablespace: number
  reloptions: string[] | null
}

// The index's column: a key of a type whose operator class stores another one has that one's shape.
function keyAttributeRow(
  context: CommandContext,
  indexOid: number,
  attnum: number,
  name: string,
  key: IndexKeyColumn,
): AttributeRow {
  const { attribute, operatorClass, collation } = key
  const stored = operatorClass.opckeytype
  if (stored === 0 || stored === attribute.atttypid) {
    return { ...copiedAttributeRow(indexOid, attnum, name, attribute), attcollation: collation }
  }
  const type = context.catalogs.findOne(context.session, pgType, 'pg_type_oid_index', [stored])
  if (type === undefined) throw new PgError('XX000', `cache lookup failed for type ${stored}`)
  return attributeRow(indexOid, attnum, { name, type, collation })
}

function copiedAttributeRow(
  indexOid: number,
  attnum: number,
  name: string,
  source: AttributeRow,
): AttributeRow {
  return {
    ...source,
    attrelid: indexOid,
    attnum,
    attname: name,
    attnotnull: false,
    atthasdef: false,
    atthasmissing: false,
    attidentity: '',
    attgenerated: '',
    attislocal: true,
    attinhcount: 0,
    attcollation: 0,
    attstattarget: null,
    attacl: null,
    attoptions: null,
    attfdwoptions: null,
    attmissingval: null,
  }
}

function constraintRow(
  oid: number,
  table: ClassRow,
  indexOid: number,
  index: NewIndex,
): CatalogRow<typeof pgConstraint> {
  return newConstraintRow({
    oid,
    conname: index.name,
    connamespace: table.relnamespace,
    contype: index.constraint as string,
    conrelid: table.oid,
    conindid: indexOid,
    connoinherit: true,
    conkey: index.keys.map(({ attribute }) => attribute.attnum),
  })
}

/** A pg_constraint row of a key or NOT NULL. */
export function newConstraintRow(
  constraint: Pick<
    CatalogRow<typeof pgConstraint>,
    | 'oid'
    | 'conname'
    | 'connamespace'
    | 'contype'
    | 'conrelid'
    | 'conindid'
    | 'connoinherit'
    | 'conkey'
  >,
): CatalogRow<typeof pgConstraint> {
  return {
    condeferrable: false,
    condeferred: false,
    conenforced: true,
    convalidated: true,
    contypid: 0,
    conparentid: 0,
    confrelid: 0,
    confupdtype: ' ',
    confdeltype: ' ',
    confmatchtype: ' ',
    conislocal: true,
    coninhcount: 0,
    conperiod: false,
    confkey: null,
    conpfeqop: null,
    conppeqop: null,
    conffeqop: null,
    confdelsetcols: null,
    conexclop: null,
    conbin: null,
    ...constraint,
  }
}

/** Inserts all rows of an index on `table`, as of an empty one, and returns its pg_class row. */
export function insertIndexRows(
  context: CommandContext,
  table: ClassRow,
  index: NewIndex,
): ClassRow {
  const { session, catalogs } = context
  const oid = newRelationOid(context, index.tablespace)
  const attributes = [...index.keys.map(({ attribute }) => attribute), ...index.included]
  const names = chooseIndexColumnNames(attributes.map(({ attname }) => attname))
  const row = classRow({
    oid,
    relname: index.name,
    relnamespace: table.relnamespace,
    relam: btreeAccessMethod,
    reltablespace: index.tablespace,
    relpersistence: table.relpersistence,
    relkind: 'i',
    relnatts: attributes.length,
    relpages: 1,
    reltuples: 0,
    reloptions: index.reloptions,
  })
  catalogs.insert(session, pgClass, [row])
  catalogs.insert(
    session,
    pgAttribute,
    attributes.map((attribute, i) => {
      const key = index.keys[i]
      const name = names[i] as string
      return key === undefined
        ? copiedAttributeRow(oid, i + 1, name, attribute)
        : keyAttributeRow(context, oid, i + 1, name, key)
    }),
  )
  catalogs.insert(session, pgIndex, [
    {
      indexrelid: oid,
      indrelid: table.oid,
      indnatts: attributes.length,
      indnkeyatts: index.keys.length,
      indisunique: index.unique,
      indnullsnotdistinct: index.nullsNotDistinct,
      indisprimary: index.constraint === 'p',
      indisexclusion: false,
      indimmediate: true,
      indisclustered: false,
      indisvalid: true,
      indcheckxmin: false,
      indisready: true,
      indislive: true,
      indisreplident: false,
      indkey: attributes.map(({ attnum }) => attnum),
      indcollation: index.keys.map(({ collation }) => collation),
      indclass: index.keys.map(({ operatorClass }) => operatorClass.oid),
      indoption: index.keys.map(
        ({ descending, nullsFirst }) =>
          (descending ? indoptionDescending : 0) | (nullsFirst ? indoptionNullsFirst : 0),
      ),
      indexprs: null,
      indpred: null,
    },
  ])
  const dependencies: Dependency[] = []
  // On each column once, from the constraint if there is one, else from the index.
  let holder = relationAddress(oid)
  if (index.constraint !== undefined) {
    const constraintOid = newOid(context, pgConstraint, 'pg_constraint_oid_index')
    catalogs.insert(session, pgConstraint, [constraintRow(constraintOid, table, oid, index)])
    holder = constraintAddress(constraintOid)
    dependencies.push({ object: relationAddress(oid), on: holder, kind: 'i' })
  }
  const columns = new Set(attributes.map(({ attnum }) => attnum))
  for (const column of columns) {
    dependencies.push({ object: holder, on: relationAddress(table.oid, column), kind: 'a' })
  }
  const collations = new Set(index.keys.map(({ collation }) => collation))
  for (const collation of collations) {
    if (collation === 0 || collation === defaultCollation) continue
    dependencies.push({
      object: relationAddress(oid),
      on: { classId: pgCollation.oid, objectId: collation },
      kind: 'n',
    })
  }
  recordDependencies(context, dependencies)
  return row
}
