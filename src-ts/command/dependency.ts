// Dependencies between objects: recorded when an object is made, followed when one is dropped.

import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgConstraint } from '../catalog/pg_constraint.ts'
import { pgDepend } from '../catalog/pg_depend.ts'
import { pgNamespace } from '../catalog/pg_namespace.ts'
import { pgType } from '../catalog/pg_type.ts'
import { type CommandContext, firstUnpinnedOid } from './command-context.ts'

export interface ObjectAddress {
  /** OID of the catalog that has the object's row. */
  classId: number
  objectId: number
  /** A column's number, or 0 for the whole object. */
  subId?: number
}

/** How the object hangs on the other: normal, automatically, as a part of it. Source: src/include/catalog/dependency.h. */
export type DependencyKind = 'n' | 'a' | 'i'

export interface Dependency {
  object: ObjectAddress
  on: ObjectAddress
  kind: DependencyKind
}

// The schema "public" can be dropped, although initdb makes it.
const publicNamespace = 2200

// Objects that cannot be dropped need no rows. Source: IsPinnedObject, src/backend/catalog/catalog.c.
function isPinned({ classId, objectId }: ObjectAddress): boolean {
  return (
    objectId < firstUnpinnedOid && !(classId === pgNamespace.oid && objectId === publicNamespace)
  )
}

export const relationAddress = (oid: number, subId = 0): ObjectAddress => ({
  classId: pgClass.oid,
  objectId: oid,
  subId,
})
export const typeAddress = (oid: number): ObjectAddress => ({ classId: pgType.oid, objectId: oid })
export const constraintAddress = (oid: number): ObjectAddress => ({
  classId: pgConstraint.oid,
  objectId: oid,
})
export const namespaceAddress = (oid: number): ObjectAddress => ({
  classId: pgNamespace.oid,
  objectId: oid,
})

/** The pg_depend rows for these, without those on pinned objects. */
export function dependencyRows(dependencies: readonly Dependency[]): CatalogRow<typeof pgDepend>[] {
  return dependencies
    .filter(({ on }) => !isPinned(on))
    .map(({ object, on, kind }) => ({
      classid: object.classId,
      objid: object.objectId,
      objsubid: object.subId ?? 0,
      refclassid: on.classId,
      refobjid: on.objectId,
      refobjsubid: on.subId ?? 0,
      deptype: kind,
    }))
}

export function recordDependencies(
  context: CommandContext,
  dependencies: readonly Dependency[],
): void {
  const rows = dependencyRows(dependencies)
  if (rows.length > 0) context.catalogs.insert(context.session, pgDepend, rows)
}
