// Checks of a relation's files: checksums and page headers of every fork, heap pages, B-trees, and the two against
// each other: each index entry points to a line pointer that exists, each visible row has its entries.
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { binding } from '../binding/addon.ts'
import { PgError } from '../errors/pg-error.ts'
import { relationPath } from './offline-cluster.ts'
import type { ClassRow, OfflineDatabase, OfflineRelation } from './offline-database.ts'
import { type Fork, forkSuffixes } from './relation-files.ts'

export interface Problem {
  database: string
  /** Schema and name. */
  relation: string
  /** File of the fork, below the data directory. */
  file: string
  block: number | null
  /** Line pointer, from 1. */
  offset?: number
  /** Column, from 1. */
  attribute?: number
  message: string
}

// Offsets in the page header. Source: src/include/storage/bufpage.h, PostgreSQL 18.
const pdChecksumAt = 8
const pdLowerAt = 12
const pdUpperAt = 14
const pdSpecialAt = 16
const pageHeaderBytes = 24
const itemIdBytes = 4
const heapOnlyTuple = 0x8000
const infomask2At = 18
const ctidAt = 12
const infomaskAt = 20
const hotUpdated = 0x4000
const xmaxInvalid = 0x0800
const lpNormal = 1
const lpRedirect = 2

// Kinds whose main fork is a heap. Sequences are one heap page with a special area of their own.
const heapKinds = ['r', 't', 'm', 'S']
export const kindsWithFiles = ['r', 't', 'm', 'S', 'i']
/** data_corrupted and index_corrupted. */
export const corruptionCodes = ['XX001', 'XX002']
const segmentsMax = 1 << 16
const problemsPerFileMax = 1000

/** Reads a fork block by block. Yields nothing for a fork that does not exist. */
function* blocksOf(path: string, blockSize: number): Generator<{ block: number; page: Buffer }> {
  const page = Buffer.allocUnsafeSlow(blockSize)
  let block = 0
  for (let segment = 0; segment < segmentsMax; segment++) {
    const file = segment === 0 ? path : `${path}.${segment}`
    if (!existsSync(file)) return
    const descriptor = openSync(file, 'r')
    try {
      const blocks = Math.floor(fstatSync(descriptor).size / blockSize)
      for (let i = 0; i < blocks; i++) {
        readSync(descriptor, page, 0, blockSize, i * blockSize)
        yield { block: block++, page }
      }
    } finally {
      closeSync(descriptor)
    }
  }
}

/** What is wrong with a page whatever it holds; undefined for a sound or empty one. */
export function pageComplaint(page: Buffer, block: number, checksums: boolean): string | undefined {
  const upper = page.readUInt16LE(pdUpperAt)
  if (upper === 0) {
    return page.every((byte) => byte === 0) ? undefined : 'page is not empty, but has no header'
  }
  if (checksums) {
    const stored = page.readUInt16LE(pdChecksumAt)
    const computed = binding.pageChecksum(page, block)
    if (stored !== computed) {
      return `page verification failed, calculated checksum ${computed} but expected ${stored}`
    }
  }
  const lower = page.readUInt16LE(pdLowerAt)
  const special = page.readUInt16LE(pdSpecialAt)
  if (lower < pageHeaderBytes || lower > upper || upper > special || special > page.length) {
    return `invalid page header: lower ${lower}, upper ${upper}, special ${special}`
  }
  return undefined
}

// Which line pointers of the heap exist, and for each row the one that indexes point to.
class HeapItems {
  readonly perPage: number
  existing: Uint8Array
  // Root of each heap-only tuple: block * perPage + offset - 1 to the same of its chain's first line pointer.
  readonly roots = new Map<number, number>()

  constructor(blockSize: number) {
    this.perPage = Math.floor((blockSize - pageHeaderBytes) / itemIdBytes)
    this.existing = new Uint8Array(1024)
  }

  at(block: number, offset: number): number {
    return block * this.perPage + offset - 1
  }

  add(block: number, page: Buffer): void {
    const count = (page.readUInt16LE(pdLowerAt) - pageHeaderBytes) / itemIdBytes
    for (let offset = 1; offset <= count; offset++) {
      const { flags, at } = linePointer(page, offset)
      if (flags !== 0) this.#mark(this.at(block, offset))
      if (flags === lpRedirect) this.#follow(block, page, offset, at, count)
      if (flags === lpNormal && (page.readUInt16LE(at + infomask2At) & heapOnlyTuple) === 0) {
        this.#follow(block, page, offset, offset, count)
      }
    }
  }

  #mark(bit: number): void {
    const byte = bit >> 3
    if (byte >= this.existing.length) {
      const larger = new Uint8Array(Math.max(byte + 1, this.existing.length * 2))
      larger.set(this.existing)
      this.existing = larger
    }
    this.existing[byte] = (this.existing[byte] as number) | (1 << (bit & 7))
  }

  // Notes `root` for the heap-only tuples of the chain that begins at `start`.
  #follow(block: number, page: Buffer, root: number, start: number, count: number): void {
    let offset = start
    for (let steps = 0; steps < count && offset >= 1 && offset <= count; steps++) {
      const { flags, at } = linePointer(page, offset)
      if (flags !== lpNormal) return
      const infomask2 = page.readUInt16LE(at + infomask2At)
      if (offset !== root) {
        if ((infomask2 & heapOnlyTuple) === 0) return
        this.roots.set(this.at(block, offset), this.at(block, root))
      }
      if ((infomask2 & hotUpdated) === 0) return
      if ((page.readUInt16LE(at + infomaskAt) & xmaxInvalid) !== 0) return
      offset = page.readUInt16LE(at + ctidAt + 4)
    }
  }
}

function linePointer(page: Buffer, offset: number): { flags: number; at: number } {
  const word = page.readUInt32LE(pageHeaderBytes + (offset - 1) * itemIdBytes)
  return { at: word & 0x7fff, flags: (word >>> 15) & 3 }
}

export class RelationVerifier {
  readonly #database: OfflineDatabase
  readonly problems: Problem[] = []
  /** Called with the number of blocks just read. */
  readonly #onBlocks: (blocks: number) => void

  constructor(database: OfflineDatabase, onBlocks: (blocks: number) => void) {
    this.#database = database
    this.#onBlocks = onBlocks
  }

  /** Checks a relation with files; an index on its own is checked page by page, with its table as a tree. */
  verify(row: ClassRow): void {
    try {
      this.#verifyForks(row)
    } catch (error) {
      if (!(error instanceof PgError) || !corruptionCodes.includes(error.code)) throw error
      // A catalog that describes the relation is damaged, or a page changed under us.
      this.#complain(row, 'main', { block: null, message: error.message })
    }
  }

  #verifyForks(row: ClassRow): void {
    if (heapKinds.includes(row.relkind)) this.#verifyHeap(row)
    else this.#verifyPages(row, 'main')
    for (const fork of ['fsm', 'vm', 'init'] as const) this.#verifyPages(row, fork)
  }

  #path(row: ClassRow, fork: Fork): string {
    const { cluster } = this.#database
    return relationPath(cluster.control, this.#database.locator(row)) + forkSuffixes[fork]
  }

  #complain(
    row: ClassRow,
    fork: Fork,
    problem: Pick<Problem, 'block' | 'message'> & Partial<Problem>,
  ) {
    const schema = this.#database.namespaces().get(row.relnamespace) ?? `${row.relnamespace}`
    this.problems.push({
      database: this.#database.row.datname,
      relation: `${schema}.${row.relname}`,
      file: this.#path(row, fork),
      ...problem,
    })
  }

  // Every page's checksum and header; sound pages that are not empty go to `visit`. True when all were sound.
  #verifyPages(
    row: ClassRow,
    fork: Fork,
    visit: (page: Buffer, block: number) => void = () => undefined,
  ): boolean {
    const { control, dataDirectory } = this.#database.cluster
    const path = join(dataDirectory, this.#path(row, fork))
    if (fork === 'main' && !existsSync(path)) {
      this.#complain(row, fork, { block: null, message: 'file is missing' })
      return false
    }
    let bad = 0
    for (const { block, page } of blocksOf(path, control.blcksz)) {
      this.#onBlocks(1)
      const message = pageComplaint(page, block, control.data_checksum_version !== 0)
      if (message === undefined) {
        if (page.readUInt16LE(pdUpperAt) !== 0) visit(page, block)
      } else if (bad++ < problemsPerFileMax) this.#complain(row, fork, { block, message })
    }
    return bad === 0
  }

  #verifyHeap(row: ClassRow): void {
    const { control } = this.#database.cluster
    const relation = this.#database.open(row)
    const items = new HeapItems(control.blcksz)
    const bounds = {
      relfrozenxid: row.relkind === 'S' ? 0 : row.relfrozenxid,
      nextXid: Number(control.nextXid & 0xffffffffn),
      relminmxid: row.relkind === 'S' ? 0 : row.relminmxid,
      nextMulti: control.nextMulti,
    }
    let complaints = 0
    const sound = this.#verifyPages(row, 'main', (page, block) => {
      const found = binding.verifyHeapPage(relation.access.native, page, block, bounds)
      complaints += found.length
      for (const { offset, attribute, message } of found) {
        this.#complain(row, 'main', {
          block,
          message,
          ...(offset > 0 && { offset }),
          ...(attribute > 0 && { attribute }),
        })
      }
      if (found.length === 0) items.add(block, page)
    })
    for (const index of relation.indexes.keys()) {
      this.#verifyIndex(relation, index, items, sound && complaints === 0)
    }
  }

  #verifyIndex(relation: OfflineRelation, number: number, items: HeapItems, heapIsSound: boolean) {
    const { cluster, session } = this.#database
    const index = relation.indexes[number]
    const row = index && this.#database.classes().get(index.oid)
    if (index === undefined || row === undefined) return
    // A damaged heap tells nothing of the entries that point to it: every pointer counts as existing.
    const existing = heapIsSound ? items.existing : new Uint8Array(items.existing.length).fill(255)
    const met = new Uint8Array(existing.length)
    let report: ReturnType<typeof cluster.native.verifyIndex>
    try {
      report = cluster.native.verifyIndex(
        relation.access.native,
        number,
        existing,
        met,
        items.perPage,
      )
    } catch (error) {
      // An order that we do not have (a collation, a foreign operator class): its pages were checked.
      if (error instanceof PgError && error.code === '0A000') return
      throw error
    }
    const outside = heapIsSound
      ? report.complaints
      : report.complaints.filter(({ block }) => block !== null)
    for (const { block, message } of outside) this.#complain(row, 'main', { block, message })
    if (!heapIsSound || report.complaintCount > 0 || !index.complete) return
    let absent = 0
    for (const { tid } of relation.access.scanWithTids(session, { columns: [] })) {
      const own = items.at(tid.block, tid.offset)
      const bit = items.roots.get(own) ?? own
      if (((met[bit >> 3] as number) & (1 << (bit & 7))) !== 0) continue
      if (absent++ >= problemsPerFileMax) continue
      this.#complain(row, 'main', {
        block: null,
        message: `heap row (${tid.block},${tid.offset}) of "${relation.row.relname}" has no entry in the index`,
      })
    }
  }
}
