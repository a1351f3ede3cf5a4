// NewFiles: files that relations are to have in place of theirs, filled before anybody knows of them.
//
// Until they are installed the catalogs, which may be what is being written anew, say nothing of them. A mapped catalog's
// are installed in the relation map. Source: swap_relation_files in src/backend/commands/cluster.c, PostgreSQL 18.
import { RelationAccess } from '../access/relation-access.ts'
import type { Locator, RelationDescriptor } from '../binding/native.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { createFiles, dropFiles, isMapped, locatorOf, updateClassRow } from './build-index.ts'
import { type CommandContext, firstUnpinnedOid } from './command-context.ts'
import { newRelationOid } from './new-oid.ts'
import type { ClassRow } from './relation-rows.ts'

/** Is it a system catalog, or its TOAST table? */
export function isCatalog(oid: number): boolean {
  return oid < firstUnpinnedOid
}

interface NewFile {
  row: ClassRow
  locator: Locator
}

export class NewFiles {
  readonly #context: CommandContext
  readonly #files = new Map<number, NewFile>()

  /** Makes empty files, which go if the transaction does. */
  constructor(context: CommandContext, rows: readonly ClassRow[]) {
    this.#context = context
    // Recovery knows by the id whose files they were.
    context.session.assignXid()
    for (const row of rows) {
      const relNumber = newRelationOid(context, row.reltablespace)
      const made = { ...row, relfilenode: relNumber }
      createFiles(context, [made])
      this.#files.set(row.oid, { row, locator: locatorOf(context, made) })
    }
  }

  /** The table with its new files, and the old ones of what has none. */
  open(info: RelationInfo): RelationInfo {
    const { descriptor, columns } = info.access
    const at = (oid: number, locator: Locator) => this.#files.get(oid)?.locator ?? locator
    const { toast } = descriptor
    const renewed: RelationDescriptor = {
      ...descriptor,
      locator: at(descriptor.oid, descriptor.locator),
      indexes: descriptor.indexes.map((index) => ({
        ...index,
        locator: at(index.oid, index.locator),
      })),
      ...(toast && {
        toast: {
          ...toast,
          locator: at(toast.oid, toast.locator),
          indexLocator: at(toast.indexOid, toast.indexLocator),
        },
      }),
    }
    return { ...info, access: new RelationAccess(this.#context.cluster, renewed, columns) }
  }

  /**
   * Makes them the relations' files, and what `changes` says, by OID, part of their pg_class rows; all other columns that
   * say what is in a file are of an empty one. The old files go at commit.
   */
  install(changes: ReadonlyMap<number, Partial<ClassRow>>): void {
    const { session, catalogs } = this.#context
    const files = [...this.#files.values()]
    for (const { row } of files) dropFiles(this.#context, row)
    for (const shared of [false, true]) {
      const mapped = files.filter(({ row }) => isMapped(row) && row.relisshared === shared)
      if (mapped.length === 0) continue
      const numbers = new Map(mapped.map(({ row, locator }) => [row.oid, locator.relNumber]))
      catalogs.remap(session, numbers, shared)
    }
    for (const { row, locator } of files) {
      updateClassRow(this.#context, row.oid, {
        ...(!isMapped(row) && { relfilenode: locator.relNumber }),
        relpages: 0,
        reltuples: -1,
        relallvisible: 0,
        relallfrozen: 0,
        ...changes.get(row.oid),
      })
    }
    session.advanceCommand()
    if (files.some(({ row }) => isCatalog(row.oid))) catalogs.refresh()
  }
}
