// New object identifiers: from the cluster's counter, and not yet in use.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Catalog } from '../catalog/define-catalog.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { databaseDirectory } from '../relation/database-directory.ts'
import { type CommandContext, globalTablespace } from './command-context.ts'

type AnyCatalog = Catalog & { readonly spec: Record<string, string> }

/** An OID for a row of `catalog`; `indexName` is its unique index on oid. */
export function newOid(context: CommandContext, catalog: AnyCatalog, indexName: string): number {
  for (;;) {
    const oid = context.cluster.newOid()
    if (context.catalogs.findOne(context.session, catalog, indexName, [oid]) === undefined)
      return oid
  }
}

/**
 * A number that is free in pg_class and among the files of the database in the tablespace: an OID and file number
 * of a new relation, or a new file number of an old one. `tablespace` is 0 for the database's.
 */
export function newRelationOid(context: CommandContext, tablespace: number): number {
  const { database } = context.catalogs
  const directory =
    tablespace === globalTablespace
      ? 'global'
      : databaseDirectory(database.oid, tablespace === 0 ? database.tablespace : tablespace)
  for (;;) {
    const oid = newOid(context, pgClass, 'pg_class_oid_index')
    const names = [`${oid}`, `t${context.session.number() - 1}_${oid}`]
    if (names.some((name) => existsSync(join(context.dataDirectory, directory, name)))) continue
    context.session.statisticsCreated(oid)
    return oid
  }
}
