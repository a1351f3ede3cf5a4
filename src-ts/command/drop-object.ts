// dropObject: drops an object with all that is part of it, and with `cascade` all that depends on it.
//
// pg_depend says what goes along. Tables, indexes, sequences, row types, constraints, defaults and schemas can be
// dropped here; when anything else would have to go (a view, a trigger, a policy …), nothing does.
// Source: src/backend/catalog/dependency.c, PostgreSQL 18.
import type { Catalog, CatalogRow } from '../catalog/define-catalog.ts'
import { pgAttrdef } from '../catalog/pg_attrdef.ts'
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgConstraint } from '../catalog/pg_constraint.ts'
import { pgDepend } from '../catalog/pg_depend.ts'
import { pgDescription } from '../catalog/pg_description.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { pgInherits } from '../catalog/pg_inherits.ts'
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { pgSeclabel } from '../catalog/pg_seclabel.ts'
import { pgSequence } from '../catalog/pg_sequence.ts'
import { pgShdepend } from '../catalog/pg_shdepend.ts'
import { pgStatistic } from '../catalog/pg_statistic.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import { refuseTemporary } from '../relation/relation-cache.ts'
import { dropFiles } from './build-index.ts'
import { type CommandContext, firstNormalOid } from './command-context.ts'
import { type ObjectAddress, relationAddress } from './dependency.ts'
import { sqlName } from './table-name.ts'

export interface DropOptions {
  ifExists?: boolean
  /** Drop what depends on it too, instead of refusing. */
  cascade?: boolean
}

type DependRow = CatalogRow<typeof pgDepend>
type AnyCatalog = Catalog & { readonly spec: Record<string, string> }

const publicNamespace = 2200
const kindNames: Readonly<Record<string, string>> = {
  r: 'table',
  i: 'index',
  t: 'toast table',
  S: 'sequence',
  v: 'view',
  m: 'materialized view',
  p: 'table',
  I: 'index',
  f: 'foreign table',
  c: 'composite type',
}

const keyOf = ({ classId, objectId }: ObjectAddress) => `${classId}/${objectId}`

/** How messages name an object: "table s1.x", "constraint t_pkey on table t". */
export function describeObject(
  context: CommandContext,
  { classId, objectId }: ObjectAddress,
): string {
  const { session, catalogs } = context
  const schemaOf = (oid: number) =>
    catalogs.findOne(session, pgNamespace, 'pg_namespace_oid_index', [oid])?.nspname ?? 'public'
  switch (classId) {
    case pgClass.oid: {
      const row = catalogs.findOne(session, pgClass, 'pg_class_oid_index', [objectId])
      if (row === undefined) break
      return `${kindNames[row.relkind] ?? 'relation'} ${sqlName({ schema: schemaOf(row.relnamespace), name: row.relname })}`
    }
    case pgType.oid: {
      const row = catalogs.findOne(session, pgType, 'pg_type_oid_index', [objectId])
      if (row === undefined) break
      return `type ${sqlName({ schema: schemaOf(row.typnamespace), name: row.typname })}`
    }
    case pgConstraint.oid: {
      const row = catalogs.findOne(session, pgConstraint, 'pg_constraint_oid_index', [objectId])
      if (row === undefined) break
      if (row.conrelid === 0) return `constraint ${row.conname}`
      return `constraint ${row.conname} on ${describeObject(context, { classId: pgClass.oid, objectId: row.conrelid })}`
    }
    case pgNamespace.oid: {
      const row = catalogs.findOne(session, pgNamespace, 'pg_namespace_oid_index', [objectId])
      if (row === undefined) break
      return `schema ${row.nspname}`
    }
  }
  const catalog = catalogs.findOne(session, pgClass, 'pg_class_oid_index', [classId])
  return `object ${objectId} of "${catalog?.relname ?? classId}"`
}

/** Drops the object. Throws 2BP01 when others depend on it, 0A000 when one that cannot be dropped here would go. */
export function dropObject(context: CommandContext, target: ObjectAddress, cascade: boolean): void {
  if (target.objectId < firstNormalOid && target.objectId !== publicNamespace) {
    const what = describeObject(context, target)
    throw new PgError('2BP01', `cannot drop ${what} because it is required by the database system`)
  }
  refusePart(context, target)
  dropAll(context, collect(context, target, cascade))
}

/** Drops everything that depends on the object, which stays. Throws 0A000. */
export function dropContents(context: CommandContext, container: ObjectAddress): void {
  const doomed = collect(context, container, true)
  doomed.delete(keyOf(container))
  dropAll(context, doomed)
}

/**
 * Drops a temporary table whose session is gone; its files went with the session's process, or when the cluster was opened.
 * False when it is not there any more. Throws 0A000.
 */
export function dropOrphan(context: CommandContext, oid: number): boolean {
  const { session, catalogs } = context
  if (catalogs.findOne(session, pgClass, 'pg_class_oid_index', [oid]) === undefined) return false
  dropAll(context, collect(context, relationAddress(oid), true), true)
  return true
}

function dropAll(
  context: CommandContext,
  doomed: ReadonlyMap<string, ObjectAddress>,
  isOrphan = false,
): void {
  for (const object of doomed.values()) lockTable(context, object)
  const drops = [...doomed.values()].map((object) => planDrop(context, object, doomed, isOrphan))
  for (const drop of drops) drop()
  for (const object of doomed.values()) deleteRowsAbout(context, object)
  context.session.advanceCommand()
  context.relations.forget()
}

// An object that is a part of another goes with that one only.
function refusePart(context: CommandContext, target: ObjectAddress): void {
  const owner = dependenciesOf(context, target).find(({ deptype }) => deptype === 'i')
  if (owner === undefined) return
  const what = describeObject(context, target)
  const whole = describeObject(context, { classId: owner.refclassid, objectId: owner.refobjid })
  throw new PgError('2BP01', `cannot drop ${what} because ${whole} requires it`, {
    hint: `You can drop ${whole} instead.`,
  })
}

function dependenciesOf(
  context: CommandContext,
  { classId, objectId }: ObjectAddress,
): DependRow[] {
  return context.catalogs.find(context.session, pgDepend, 'pg_depend_depender_index', [
    classId,
    objectId,
  ])
}

function dependentsOf(context: CommandContext, { classId, objectId }: ObjectAddress): DependRow[] {
  return context.catalogs.find(context.session, pgDepend, 'pg_depend_reference_index', [
    classId,
    objectId,
  ])
}

// The target and all objects that go with it, by key, in the order in which they were met.
function collect(
  context: CommandContext,
  target: ObjectAddress,
  cascade: boolean,
): Map<string, ObjectAddress> {
  const doomed = new Map([[keyOf(target), target]])
  const blockers: { dependent: ObjectAddress; on: ObjectAddress }[] = []
  // A map is walked in order of insertion, what is added on the way included.
  for (const object of doomed.values()) {
    for (const row of dependentsOf(context, object)) {
      const dependent: ObjectAddress = {
        classId: row.classid,
        objectId: row.objid,
        subId: row.objsubid,
      }
      if (doomed.has(keyOf(dependent))) continue
      const isColumn = row.objsubid !== 0
      if (row.deptype === 'n' && !cascade) {
        blockers.push({ dependent, on: object })
      } else if (isColumn) {
        throw notSupported(`column ${row.objsubid} of ${describeObject(context, dependent)}`)
      } else {
        doomed.set(keyOf(dependent), { classId: row.classid, objectId: row.objid })
      }
    }
  }
  const standing = blockers.filter(({ dependent }) => !doomed.has(keyOf(dependent)))
  if (standing.length > 0) {
    const lines = standing.map(
      ({ dependent, on }) =>
        `${describeObject(context, dependent)} depends on ${describeObject(context, on)}`,
    )
    throw new PgError(
      '2BP01',
      `cannot drop ${describeObject(context, target)} because other objects depend on it`,
      {
        detail: [...new Set(lines)].join('\n'),
        hint: 'Use DROP ... CASCADE to drop the dependent objects too.',
      },
    )
  }
  return doomed
}

function notSupported(what: string): PgError {
  return new PgError('0A000', `cannot drop ${what}: dropping objects of its kind is not supported`)
}

function lockTable(context: CommandContext, { classId, objectId }: ObjectAddress): void {
  if (classId !== pgClass.oid) return
  const { session, catalogs, lockExclusively } = context
  const row = catalogs.findOne(session, pgClass, 'pg_class_oid_index', [objectId])
  if (row === undefined) return
  const index =
    row.relkind === 'i' &&
    catalogs.findOne(session, pgIndex, 'pg_index_indexrelid_index', [objectId])
  // Who writes a table writes its indexes.
  lockExclusively(index ? index.indrelid : row.oid, row.relname)
}

// Checks that the object can be dropped, and returns how.
function planDrop(
  context: CommandContext,
  object: ObjectAddress,
  doomed: ReadonlyMap<string, ObjectAddress>,
  isOrphan: boolean,
): () => void {
  const { session, catalogs } = context
  const refuse = () => notSupported(describeObject(context, object))
  const oid = object.objectId
  switch (object.classId) {
    case pgClass.oid: {
      const [located] = catalogs.locate(session, pgClass, 'pg_class_oid_index', [oid])
      if (located === undefined || !['r', 'i', 't', 'S'].includes(located.row.relkind))
        throw refuse()
      // Only the session itself knows its files, which no commit record names.
      if (!isOrphan) refuseTemporary(session, located.row)
      if (catalogs.find(session, pgInherits, 'pg_inherits_relid_seqno_index', [oid]).length > 0)
        throw refuse()
      return () => dropRelation(context, located, isOrphan)
    }
    case pgType.oid: {
      const row = catalogs.findOne(session, pgType, 'pg_type_oid_index', [oid])
      const isArray = row?.typelem !== 0 && row?.typcategory === 'A'
      if (row === undefined || !(row.typtype === 'c' || isArray)) throw refuse()
      return () => deleteWhere(context, pgType, 'pg_type_oid_index', [oid])
    }
    case pgConstraint.oid: {
      const row = catalogs.findOne(session, pgConstraint, 'pg_constraint_oid_index', [oid])
      const table = row && keyOf({ classId: pgClass.oid, objectId: row.conrelid })
      if (table === undefined || !doomed.has(table)) throw refuse()
      return () => deleteWhere(context, pgConstraint, 'pg_constraint_oid_index', [oid])
    }
    case pgAttrdef.oid: {
      const row = catalogs.findOne(session, pgAttrdef, 'pg_attrdef_oid_index', [oid])
      const table = row && keyOf({ classId: pgClass.oid, objectId: row.adrelid })
      if (table === undefined || !doomed.has(table)) throw refuse()
      return () => deleteWhere(context, pgAttrdef, 'pg_attrdef_oid_index', [oid])
    }
    case pgNamespace.oid:
      return () => deleteWhere(context, pgNamespace, 'pg_namespace_oid_index', [oid])
    default:
      throw refuse()
  }
}

function dropRelation(
  context: CommandContext,
  {
    row,
    tid,
  }: ReturnType<CommandContext['catalogs']['locate']>[number] & { row: CatalogRow<typeof pgClass> },
  isOrphan: boolean,
): void {
  const { session, catalogs } = context
  const { oid, relkind } = row
  if (!isOrphan) dropFiles(context, row)
  if (relkind === 'r') session.removesAllRows(oid)
  session.statisticsDropped(oid)
  const index =
    relkind === 'i' && catalogs.findOne(session, pgIndex, 'pg_index_indexrelid_index', [oid])
  if (index) session.transferPredicateLocks(oid, index.indrelid)
  if (relkind === 'i') deleteWhere(context, pgIndex, 'pg_index_indexrelid_index', [oid])
  if (relkind === 'S') deleteWhere(context, pgSequence, 'pg_sequence_seqrelid_index', [oid])
  deleteWhere(context, pgStatistic, 'pg_statistic_relid_att_inh_index', [oid])
  deleteWhere(context, pgAttribute, 'pg_attribute_relid_attnum_index', [oid])
  catalogs.delete(session, pgClass, tid)
}

// The rows that other catalogs keep about any object: its dependencies, comments and labels.
function deleteRowsAbout(context: CommandContext, { classId, objectId }: ObjectAddress): void {
  const { database } = context.catalogs
  deleteWhere(context, pgDepend, 'pg_depend_depender_index', [classId, objectId])
  deleteWhere(context, pgShdepend, 'pg_shdepend_depender_index', [database.oid, classId, objectId])
  deleteWhere(context, pgDescription, 'pg_description_o_c_o_index', [objectId, classId])
  deleteWhere(context, pgSeclabel, 'pg_seclabel_object_index', [objectId, classId])
}

/** Deletes all rows of a catalog whose leading columns of the index equal the key. */
export function deleteWhere(
  context: CommandContext,
  catalog: AnyCatalog,
  index: string,
  key: readonly unknown[],
): void {
  const { session, catalogs } = context
  for (const { tid } of catalogs.locate(session, catalog, index, key))
    catalogs.delete(session, catalog, tid)
}
