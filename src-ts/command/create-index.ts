// CREATE INDEX and DROP INDEX.
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import { blocksOf } from '../relation/main-fork.ts'
import { buildIndex, createFiles, reopen, updateClassRow } from './build-index.ts'
import { resolveCollation, systemColumnNames } from './column-definition.ts'
import type { CommandContext } from './command-context.ts'
import { currentDatabase } from './current-database.ts'
import { relationAddress } from './dependency.ts'
import { type DropOptions, dropObject } from './drop-object.ts'
import { checkIdentifier } from './identifier.ts'
import { type IndexKeyColumn, insertIndexRows, type NewIndex } from './index-rows.ts'
import { chooseIndexColumnNames, chooseRelationName, indexNameAddition } from './object-name.ts'
import { resolveOperatorClass } from './operator-class.ts'
import type { AttributeRow, ClassRow } from './relation-rows.ts'
import { fillfactorOptions } from './storage-parameter.ts'
import { displayName, findRelation, openTable, refuseSystemRelation } from './table-name.ts'
import { relationTablespace } from './tablespace-name.ts'

export interface IndexColumn {
  column: string
  /** Default: ascending. */
  desc?: boolean
  /** Default: last when ascending, first when descending. */
  nulls?: 'first' | 'last'
  /** Name of an operator class; default: the type's. */
  opclass?: string
  /** Name of a collation; default: the column's. */
  collation?: string
}

export interface CreateIndexOptions {
  /** Default: made from the names of table and columns. */
  name?: string
  columns: readonly (string | IndexColumn)[]
  unique?: boolean
  /** Further columns that are stored but not part of the key. */
  include?: readonly string[]
  /** Of a unique index: null equals null. */
  nullsNotDistinct?: boolean
  /** Percent of a leaf page that the build fills. */
  fillfactor?: number
  tablespace?: string
  ifNotExists?: boolean
}

// INDEX_MAX_KEYS.
const indexColumnsMax = 32

/** The columns of a table that are not dropped, by name. */
export function tableAttributes(context: CommandContext, oid: number): Map<string, AttributeRow> {
  const rows = context.catalogs.find(
    context.session,
    pgAttribute,
    'pg_attribute_relid_attnum_index',
    [oid],
  )
  return new Map(
    rows.filter((row) => row.attnum > 0 && !row.attisdropped).map((row) => [row.attname, row]),
  )
}

function findColumn(attributes: ReadonlyMap<string, AttributeRow>, name: string): AttributeRow {
  const attribute = attributes.get(name)
  if (attribute !== undefined) return attribute
  if (systemColumnNames.includes(name)) {
    throw new PgError('0A000', 'index creation on system columns is not supported', {
      column: name,
    })
  }
  throw new PgError('42703', `column "${name}" does not exist`, { column: name })
}

/** A key column of an index, with what it leaves to defaults. Throws 42703, 42704, 42804. */
export function resolveKeyColumn(
  context: CommandContext,
  attributes: ReadonlyMap<string, AttributeRow>,
  given: string | IndexColumn,
  encoding: number,
): IndexKeyColumn {
  const {
    column,
    desc = false,
    nulls,
    opclass,
    collation,
  }: IndexColumn = typeof given === 'string' ? { column: given } : given
  const attribute = findColumn(attributes, column)
  const type = context.catalogs.findOne(context.session, pgType, 'pg_type_oid_index', [
    attribute.atttypid,
  ])
  if (type === undefined)
    throw new PgError('XX000', `cache lookup failed for type ${attribute.atttypid}`)
  return {
    attribute,
    collation: resolveCollation(context, type, attribute.attcollation, collation, encoding),
    operatorClass: resolveOperatorClass(context, type, opclass),
    descending: desc,
    nullsFirst: nulls === undefined ? desc : nulls === 'first',
  }
}

/** Throws 54011 where an index would have too many columns. */
export function checkIndexColumnCount(count: number): void {
  if (count > indexColumnsMax) {
    throw new PgError('54011', `cannot use more than ${indexColumnsMax} columns in an index`)
  }
}

/** Makes an index and fills it from the table's rows. Returns its name. Throws 42P01, 42P07, 42703, 23505 … */
export function createIndex(
  context: CommandContext,
  tableName: string,
  options: CreateIndexOptions,
): string {
  const { session } = context
  if (options.columns.length === 0) throw new PgError('42601', 'an index needs at least one column')
  const include = options.include ?? []
  checkIndexColumnCount(options.columns.length + include.length)
  const found = openTable(context, tableName)
  // Readers go on. Two of them at once would change the same row of pg_class, so stronger than PostgreSQL's.
  context.lockRelation(found.oid, found.relname, 'share row exclusive')
  // As it is now that nobody else changes it.
  const table = openTable(context, tableName)
  const { encoding } = currentDatabase(context)
  const attributes = tableAttributes(context, table.oid)
  const keys = options.columns.map((column) =>
    resolveKeyColumn(context, attributes, column, encoding),
  )
  const included = include.map((column) => findColumn(attributes, column))
  const name =
    options.name === undefined
      ? madeUpName(context, table, keys, included)
      : checkIdentifier(options.name)
  if (options.name !== undefined && nameIsTaken(context, table, name)) {
    if (options.ifNotExists) return name
    throw new PgError('42P07', `relation "${name}" already exists`, { table: name })
  }
  const index: NewIndex = {
    name,
    keys,
    included,
    unique: options.unique ?? false,
    nullsNotDistinct: options.nullsNotDistinct ?? false,
    constraint: undefined,
    tablespace: relationTablespace(context, options.tablespace),
    reloptions: fillfactorOptions(options.fillfactor),
  }
  const row = insertIndexRows(context, table, index)
  if (!table.relhasindex) updateClassRow(context, table.oid, { relhasindex: true })
  session.advanceCommand()
  createFiles(context, [row])
  const info = reopen(context, table.oid)
  const rows = buildIndex(context, info, row.oid)
  recordCounts(context, info, table, row.oid, rows)
  return name
}

function madeUpName(
  context: CommandContext,
  table: ClassRow,
  keys: readonly IndexKeyColumn[],
  included: readonly AttributeRow[],
): string {
  const columns = [...keys.map(({ attribute }) => attribute), ...included].map(
    ({ attname }) => attname,
  )
  const addition = indexNameAddition(chooseIndexColumnNames(columns))
  return chooseRelationName(context, table.relname, addition, 'idx', table.relnamespace, false)
}

function nameIsTaken(context: CommandContext, table: ClassRow, name: string): boolean {
  const { schema } = context.relations.openByOid(context.session, table.oid)
  return context.relations.lookUp(context.session, schema, name) !== undefined
}

// What a build learns of sizes: pages and rows of table and index. An empty table stays as it was: not yet counted.
function recordCounts(
  context: CommandContext,
  info: ReturnType<typeof reopen>,
  table: ClassRow,
  indexOid: number,
  rows: number,
): void {
  const { session } = context
  if (rows === 0 && table.reltuples < 0) return
  const index = info.access.descriptor.indexes.find(({ oid }) => oid === indexOid)
  if (index === undefined)
    throw new PgError('XX000', `index with OID ${indexOid} is not in the list of its table`)
  updateClassRow(context, table.oid, {
    relpages: blocksOf(context, info, info.access.locator),
    reltuples: rows,
  })
  updateClassRow(context, indexOid, {
    relpages: blocksOf(context, info, index.locator),
    reltuples: rows,
  })
  session.advanceCommand()
}

/** Drops an index that no constraint needs. Throws 42704, 42809, 2BP01. */
export function dropIndex(context: CommandContext, text: string, options: DropOptions): void {
  const { row, name } = findRelation(context, text)
  if (row === undefined) {
    if (options.ifExists) return
    throw new PgError('42704', `index "${displayName(name)}" does not exist`)
  }
  if (row.relkind !== 'i') {
    const hint = row.relkind === 'r' ? 'Use DROP TABLE to remove a table.' : undefined
    throw new PgError('42809', `"${row.relname}" is not an index`, { hint })
  }
  refuseSystemRelation(row)
  dropObject(context, relationAddress(row.oid), options.cascade ?? false)
}
