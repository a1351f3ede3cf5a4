// CREATE TABLE and DROP TABLE.
import type { NativeSession, Persistence } from '../binding/native.ts'
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgCollation } from '../catalog/pg_collation.ts'
import { pgConstraint } from '../catalog/pg_constraint.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import { isOwnTemporary, temporaryClaimOf } from '../relation/temporary-schema.ts'
import { buildIndex, createFiles, reopen } from './build-index.ts'
import { claimTemporarySchema } from './claim-temporary-schema.ts'
import {
  type ColumnDefinition,
  type ColumnText,
  checkColumnNames,
  defineColumn,
  parseColumnText,
} from './column-definition.ts'
import {
  type CommandContext,
  catalogNamespace,
  defaultCollation,
  heapAccessMethod,
  toastNamespace,
} from './command-context.ts'
import { checkIndexColumnCount, resolveKeyColumn } from './create-index.ts'
import { currentDatabase } from './current-database.ts'
import {
  constraintAddress,
  type Dependency,
  namespaceAddress,
  recordDependencies,
  relationAddress,
  typeAddress,
} from './dependency.ts'
import { type DropOptions, dropObject } from './drop-object.ts'
import { olderId } from './id-order.ts'
import { insertIndexRows, newConstraintRow } from './index-rows.ts'
import { newOid, newRelationOid } from './new-oid.ts'
import {
  chooseArrayTypeName,
  chooseConstraintName,
  chooseIndexColumnNames,
  chooseRelationName,
  indexNameAddition,
} from './object-name.ts'
import type { OnCommit } from './on-commit.ts'
import { defaultSchema, parseName, type QualifiedName } from './qualified-name.ts'
import { temporaryAlias } from './relation-name.ts'
import {
  type AttributeRow,
  attributeRow,
  type ClassRow,
  classRow,
  rowTypeRows,
  systemAttributeRows,
} from './relation-rows.ts'
import { fillfactorOptions } from './storage-parameter.ts'
import { displayName, findRelation, refuseSystemRelation } from './table-name.ts'
import { relationTablespace } from './tablespace-name.ts'
import { insertToastTableRows, needsToastTable } from './toast-table.ts'

/** A column of a list: `{ name: 'id', type: 'int8 not null' }`. */
export interface NamedColumn {
  name: string
  type: string
}

export interface CreateTableOptions {
  /**
   * Name to type, with what may follow it: 'int8 not null', 'varchar(20) unique', 'text collate "C"', 'int4 primary key'.
   * A list keeps the order of names that look like numbers.
   */
  columns: Readonly<Record<string, string>> | readonly NamedColumn[]
  primaryKey?: readonly string[]
  /** Columns of each unique constraint. */
  unique?: readonly (readonly string[])[]
  tablespace?: string
  /** Percent of a page that inserting fills. */
  fillfactor?: number
  /** Its changes are not logged: quicker to write, empty after a crash. */
  unlogged?: boolean
  /** Of this session alone, in its own memory and schema (pg_temp); gone when the session ends. */
  temporary?: boolean
  /** Of a temporary table: what each commit does to it. Default: 'preserve rows'. */
  onCommit?: OnCommit
  ifNotExists?: boolean
}

interface KeyConstraint {
  kind: 'p' | 'u'
  columns: readonly string[]
}

/** Makes a table. False if it was there and `ifNotExists` was given. Throws 42P07, 42701, 42704, 3F000 … */
export function createTable(
  context: CommandContext,
  text: string,
  options: CreateTableOptions,
): boolean {
  const { session, catalogs, relations, cluster } = context
  const { schema, name } = nameToMake(context, text, options)
  const namespace = relations.namespaceOid(session, schema)
  if (namespace === catalogNamespace || namespace === toastNamespace) {
    throw new PgError('42501', `permission denied to create "${schema}.${name}"`, {
      detail: 'System catalog modifications are currently disallowed.',
    })
  }
  const persistence = persistenceIn(session, { oid: namespace, name: schema }, options)
  const { onCommit = 'preserve rows' } = options
  if (options.onCommit !== undefined && persistence !== 't')
    throw new PgError('42P16', 'ON COMMIT can only be used on temporary tables', { table: name })
  if (relations.lookUp(session, schema, name) !== undefined) {
    if (options.ifNotExists) return false
    throw new PgError('42P07', `relation "${name}" already exists`, { schema, table: name })
  }
  const { encoding, datminmxid } = currentDatabase(context)
  const texts = columnTexts(name, options)
  checkColumnNames([...texts.keys()])
  const keys = keyConstraints(name, texts, options)
  const columns = [...texts].map(([column, parsed]) =>
    defineColumn(context, column, parsed, encoding),
  )
  const notNullOrder = notNullColumns(columns, texts, keys)
  for (const column of columns) column.notNull = notNullOrder.includes(column.name)

  const reltablespace = relationTablespace(context, options.tablespace)
  const reloptions = fillfactorOptions(options.fillfactor)
  const xid = session.assignXid()
  const oid = newRelationOid(context, reltablespace)
  const arrayTypeOid = newOid(context, pgType, 'pg_type_oid_index')
  const typeOid = newOid(context, pgType, 'pg_type_oid_index')
  makeRoomForType(context, name, namespace)
  const arrayTypeName = chooseArrayTypeName(context, name, namespace)
  const types = rowTypeRows({ oid, name, namespace, typeOid, arrayTypeOid, arrayTypeName })
  const table = classRow({
    oid,
    relname: name,
    relnamespace: namespace,
    reltype: typeOid,
    relam: heapAccessMethod,
    reltablespace,
    relpersistence: persistence,
    relkind: 'r',
    relnatts: columns.length,
    relhasindex: keys.length > 0,
    relreplident: 'd',
    // Nobody who may write the table has an older one.
    relfrozenxid: olderId(xid, session.oldestXmin()),
    relminmxid: datminmxid,
    reloptions,
  })
  const attributes = columns.map((column, i) => attributeRow(oid, i + 1, column))
  catalogs.insert(session, pgType, types)
  catalogs.insert(session, pgAttribute, [...attributes, ...systemAttributeRows(oid)])
  recordDependencies(context, tableDependencies(table, columns, arrayTypeOid))
  insertNotNullConstraints(context, table, attributes, notNullOrder)
  const toastRows = needsToastTable(columns, cluster.blockSize(), characterBytesMax(encoding))
    ? insertToastTableRows(context, table)
    : undefined
  if (toastRows !== undefined) table.reltoastrelid = toastRows.toast.oid
  catalogs.insert(session, pgClass, [table])
  session.advanceCommand()

  const indexRows = keys.map((key) => insertKey(context, table, attributes, key, encoding))
  const others = toastRows === undefined ? [] : [toastRows.toast, toastRows.index]
  createFiles(context, [table, ...others, ...indexRows])
  const info = reopen(context, oid)
  if (toastRows !== undefined) session.buildToastIndex(info.access.native)
  for (const index of indexRows) buildIndex(context, info, index.oid)
  if (onCommit !== 'preserve rows') temporaryClaimOf(session).actAtCommit(oid, onCommit)
  return true
}

// A temporary table is made in the session's own schema, which `pg_temp` names, too.
function nameToMake(
  context: CommandContext,
  text: string,
  { temporary, unlogged }: CreateTableOptions,
): QualifiedName {
  const { schema, name } = parseName(text)
  if (!temporary && schema !== temporaryAlias) return { schema: schema ?? defaultSchema, name }
  if (unlogged)
    throw new PgError('42601', 'a table cannot be both temporary and unlogged', { table: name })
  const own = claimTemporarySchema(context)
  if (schema !== undefined && schema !== temporaryAlias && schema !== own.name)
    throw new PgError('42P16', 'cannot create temporary relation in non-temporary schema', {
      table: name,
    })
  return { schema: own.name, name }
}

function persistenceIn(
  session: NativeSession,
  namespace: { oid: number; name: string },
  { unlogged }: CreateTableOptions,
): Persistence {
  if (isOwnTemporary(session, namespace.oid)) return 't'
  if (/^pg_(toast_)?temp_\d/.test(namespace.name))
    throw new PgError('42P16', 'cannot create relations in temporary schemas of other sessions')
  return unlogged ? 'u' : 'p'
}

function columnTexts(table: string, { columns }: CreateTableOptions): Map<string, ColumnText> {
  const given: NamedColumn[] = Array.isArray(columns)
    ? [...columns]
    : Object.entries(columns).map(([name, type]) => ({ name, type }))
  checkColumnNames(given.map(({ name }) => name))
  return new Map(given.map(({ name, type }) => [name, parseColumnText(table, name, type)]))
}

// The keys that indexes are made for: the primary key first, none twice.
function keyConstraints(
  table: string,
  texts: ReadonlyMap<string, ColumnText>,
  { primaryKey, unique = [] }: CreateTableOptions,
): KeyConstraint[] {
  const primary: KeyConstraint[] = []
  const others: KeyConstraint[] = []
  for (const [column, text] of texts) {
    if (text.primaryKey) primary.push({ kind: 'p', columns: [column] })
    if (text.unique) others.push({ kind: 'u', columns: [column] })
  }
  if (primaryKey !== undefined) primary.push({ kind: 'p', columns: primaryKey })
  for (const columns of unique) others.push({ kind: 'u', columns })
  if (primary.length > 1) {
    throw new PgError('42P16', `multiple primary keys for table "${table}" are not allowed`, {
      table,
    })
  }
  const kept: KeyConstraint[] = []
  const seen = new Set<string>()
  for (const key of [...primary, ...others]) {
    checkKeyColumns(key, texts)
    const signature = JSON.stringify(key.columns)
    if (!seen.has(signature)) kept.push(key)
    seen.add(signature)
  }
  return kept
}

function checkKeyColumns(
  { kind, columns }: KeyConstraint,
  texts: ReadonlyMap<string, ColumnText>,
): void {
  const what = kind === 'p' ? 'primary key' : 'unique'
  if (columns.length === 0)
    throw new PgError('42601', `${what} constraint needs at least one column`)
  checkIndexColumnCount(columns.length)
  columns.forEach((column, i) => {
    if (!texts.has(column)) {
      throw new PgError('42703', `column "${column}" named in key does not exist`, { column })
    }
    if (columns.indexOf(column) !== i) {
      throw new PgError('42701', `column "${column}" appears twice in ${what} constraint`, {
        column,
      })
    }
  })
}

// The columns that are not null, in the order of their constraints: those that
// say so themselves, then those of a primary key of the table.
function notNullColumns(
  columns: readonly ColumnDefinition[],
  texts: ReadonlyMap<string, ColumnText>,
  keys: readonly KeyConstraint[],
): string[] {
  const said = columns
    .map(({ name }) => name)
    .filter((name) => texts.get(name)?.notNull || texts.get(name)?.primaryKey)
  const primary = keys.find(({ kind }) => kind === 'p')?.columns ?? []
  return [...said, ...primary.filter((name) => !said.includes(name))]
}

// The name of a table is its row type's too. An array type that has it makes way; any other type is in the way.
function makeRoomForType(context: CommandContext, name: string, namespace: number): void {
  const { session, catalogs } = context
  const [taken] = catalogs.locate(session, pgType, 'pg_type_typname_nsp_index', [name, namespace])
  if (taken === undefined) return
  const { row, tid } = taken
  const element =
    row.typelem === 0
      ? undefined
      : catalogs.findOne(session, pgType, 'pg_type_oid_index', [row.typelem])
  if (element?.typarray !== row.oid) {
    throw new PgError('42710', `type "${name}" already exists`, {
      hint: "A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type.",
    })
  }
  catalogs.update(session, pgType, tid, { typname: chooseArrayTypeName(context, name, namespace) })
  session.advanceCommand()
}

function tableDependencies(
  table: ClassRow,
  columns: readonly ColumnDefinition[],
  arrayTypeOid: number,
): Dependency[] {
  const self = relationAddress(table.oid)
  const dependencies: Dependency[] = [
    { object: self, on: namespaceAddress(table.relnamespace), kind: 'n' },
    { object: typeAddress(table.reltype), on: self, kind: 'i' },
    { object: typeAddress(arrayTypeOid), on: typeAddress(table.reltype), kind: 'i' },
  ]
  columns.forEach(({ collation }, i) => {
    if (collation === 0 || collation === defaultCollation) return
    dependencies.push({
      object: relationAddress(table.oid, i + 1),
      on: { classId: pgCollation.oid, objectId: collation },
      kind: 'n',
    })
  })
  return dependencies
}

function insertNotNullConstraints(
  context: CommandContext,
  table: ClassRow,
  attributes: readonly AttributeRow[],
  columns: readonly string[],
): void {
  if (columns.length === 0) return
  const { session, catalogs } = context
  const taken: string[] = []
  const dependencies: Dependency[] = []
  const rows = columns.map((column) => {
    const attnum = attributes.findIndex(({ attname }) => attname === column) + 1
    const conname = chooseConstraintName(
      context,
      table.relname,
      column,
      'not_null',
      table.relnamespace,
      taken,
    )
    taken.push(conname)
    const oid = newOid(context, pgConstraint, 'pg_constraint_oid_index')
    dependencies.push({
      object: constraintAddress(oid),
      on: relationAddress(table.oid, attnum),
      kind: 'a',
    })
    return newConstraintRow({
      oid,
      conname,
      connamespace: table.relnamespace,
      contype: 'n',
      conrelid: table.oid,
      conindid: 0,
      connoinherit: false,
      conkey: [attnum],
    })
  })
  catalogs.insert(session, pgConstraint, rows)
  recordDependencies(context, dependencies)
}

// Catalog rows of the index of a key. Returns its pg_class row.
function insertKey(
  context: CommandContext,
  table: ClassRow,
  attributes: readonly AttributeRow[],
  { kind, columns }: KeyConstraint,
  encoding: number,
): ClassRow {
  const byName = new Map(attributes.map((attribute) => [attribute.attname, attribute]))
  const keys = columns.map((column) => resolveKeyColumn(context, byName, column, encoding))
  const addition = kind === 'p' ? undefined : indexNameAddition(chooseIndexColumnNames(columns))
  const label = kind === 'p' ? 'pkey' : 'key'
  const row = insertIndexRows(context, table, {
    name: chooseRelationName(context, table.relname, addition, label, table.relnamespace, true),
    keys,
    included: [],
    unique: true,
    nullsNotDistinct: false,
    constraint: kind,
    tablespace: 0,
    reloptions: null,
  })
  context.session.advanceCommand()
  return row
}

// Bytes of the longest character, by pg_database.encoding. Source: src/common/wchar.c, PostgreSQL 18.
const characterBytes: Readonly<Record<number, number>> = {
  1: 3,
  2: 2,
  3: 3,
  4: 4,
  5: 3,
  6: 4,
  7: 4,
}

function characterBytesMax(encoding: number): number {
  return characterBytes[encoding] ?? 1
}

/** Drops a table with all that is part of it. Throws 42P01, 42809, 2BP01. */
export function dropTable(context: CommandContext, text: string, options: DropOptions): void {
  const { row, name } = findRelation(context, text)
  if (row === undefined) {
    if (options.ifExists) return
    throw new PgError('42P01', `table "${displayName(name)}" does not exist`, {
      schema: name.schema,
      table: name.name,
    })
  }
  if (row.relkind !== 'r') {
    const hint = row.relkind === 'i' ? 'Use DROP INDEX to remove an index.' : undefined
    throw new PgError('42809', `"${row.relname}" is not a table`, { hint })
  }
  refuseSystemRelation(row)
  dropObject(context, relationAddress(row.oid), options.cascade ?? false)
}
