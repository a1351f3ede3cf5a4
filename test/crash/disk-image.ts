// What a power failure can leave of a directory, made from the journal of a run on it.
//
// A model keeps for each file what is on the device and which changes since its last sync are not, and the same for
// the entries of each directory. `advance` replays the journal up to a record; `write` makes a directory of what a
// crash at that moment could have left. The rules are those of native/file/faulty_file_system.h: what was synced is
// there, of the rest any choice of sectors, and of a directory's changes all up to some point.
import { createHash } from 'node:crypto'
import {
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { OperationKind } from '../../src-ts/binding/native.ts'
import { Random } from '../support/random.ts'

// In the order of native/file/fault_plan.h.
const kinds: readonly OperationKind[] = [
  'open',
  'create',
  'read',
  'write',
  'sync',
  'truncate',
  'allocate',
  'make_directory',
  'remove_file',
  'remove_directory',
  'rename',
  'link_symbolic',
  'sync_directory',
  'sync_file_system',
  'look_up',
]

export interface JournalRecord {
  kind: OperationKind
  /** A sync that failed. */
  failed: boolean
  /** Written through a dsync file. */
  lasts: boolean
  path: string
  target: string
  file: number
  offset: number
  size: number
  bytes: Buffer
}

/** Layout: native/file/watched_file_system.h. */
export function readJournal(path: string): JournalRecord[] {
  const journal = readFileSync(path)
  const records: JournalRecord[] = []
  for (let at = 0; at < journal.length; ) {
    const end = at + journal.readUInt32LE(at)
    const pathAt = at + 32
    const targetAt = pathAt + journal.readUInt16LE(at + 6)
    const bytesAt = targetAt + journal.readUInt32LE(at + 8)
    if (end > journal.length || bytesAt > end) throw new Error(`${path} ends within a record`)
    const flags = journal.readUInt8(at + 5)
    records.push({
      kind: kinds[journal.readUInt8(at + 4)] as OperationKind,
      failed: (flags & 1) !== 0,
      lasts: (flags & 2) !== 0,
      path: journal.toString('utf8', pathAt, targetAt),
      target: journal.toString('utf8', targetAt, bytesAt),
      file: journal.readUInt32LE(at + 12),
      offset: Number(journal.readBigUInt64LE(at + 16)),
      size: Number(journal.readBigUInt64LE(at + 24)),
      bytes: journal.subarray(bytesAt, end),
    })
    at = end
  }
  return records
}

/** What of the changes that were not synced is there after the crash. */
export interface Survival {
  /** `nothing`: as of the last syncs. `everything`: only the process was killed. `some`: each sector by chance. */
  mode: 'nothing' | 'everything' | 'some'
  /** The chance of each sector. */
  keep: number
  sectorBytes: 512 | 4096
  seed: number
}

/** The way of dying that belongs to a seed. */
export function survivalOf(seed: number): Survival {
  const random = new Random(seed)
  return {
    mode: random.pick(['nothing', 'everything', 'some', 'some', 'some', 'some'] as const),
    keep: random.pick([0.1, 0.5, 0.9]),
    sectorBytes: random.pick([512, 4096] as const),
    seed,
  }
}

interface FileChange {
  /** Number of its record. */
  record: number
  /** none: the size becomes `offset`, or with `grows` at least that. */
  bytes: Buffer | undefined
  grows: boolean
  offset: number
  lasts: boolean
  /** A sync of it failed: no later one brings it back. */
  lost: boolean
}

let nodes = 0

class FileNode {
  readonly id = nodes++
  /** Where the contents are that were there before the run, unless they changed. */
  #original: string | undefined
  #bytes = Buffer.alloc(0)
  #size = 0
  #version = 0
  changes: FileChange[] = []

  constructor(original?: string) {
    this.#original = original
  }

  get original(): string | undefined {
    return this.changes.length === 0 ? this.#original : undefined
  }

  /** Equal for equal contents; of an image with changes that were not synced there is none. */
  get token(): string | undefined {
    return this.changes.length === 0 ? `${this.id}.${this.#version}` : undefined
  }

  change(change: FileChange): void {
    this.changes.push(change)
    if (this.changes.every(({ lasts }) => lasts)) this.sync(Number.POSITIVE_INFINITY)
  }

  sync(covered: number): void {
    const synced = this.changes.filter(({ record }) => record < covered)
    if (synced.length === 0) return
    this.changes = this.changes.filter(({ record }) => record >= covered)
    this.#load()
    for (const change of synced) if (!change.lost) this.#apply(change)
    this.#version++
  }

  lose(covered: number): void {
    for (const change of this.changes) if (change.record < covered) change.lost = !change.lasts
  }

  /** The contents after a crash. */
  survivor(survival: Survival, random: Random): Buffer {
    this.#load()
    const copy = new FileNode()
    copy.#bytes = Buffer.from(this.#bytes.subarray(0, this.#size))
    copy.#size = this.#size
    for (const change of this.changes) {
      if (change.lasts || survival.mode === 'everything') copy.#apply(change)
      else if (survival.mode === 'some') copy.#applySome(change, survival, random)
    }
    return copy.#bytes.subarray(0, copy.#size)
  }

  #load(): void {
    if (this.#original === undefined) return
    this.#bytes = readFileSync(this.#original)
    this.#size = this.#bytes.length
    this.#original = undefined
  }

  #resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(size, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, this.#size)
      this.#bytes = larger
    }
    if (size < this.#size) this.#bytes.fill(0, size, this.#size)
    this.#size = size
  }

  #apply(change: FileChange): void {
    const { bytes, offset } = change
    if (bytes !== undefined) {
      if (bytes.length === 0) return
      if (offset + bytes.length > this.#size) this.#resize(offset + bytes.length)
      bytes.copy(this.#bytes, offset)
    } else if (!change.grows || offset > this.#size) this.#resize(offset)
  }

  #applySome(change: FileChange, { keep, sectorBytes }: Survival, random: Random): void {
    const { bytes, offset } = change
    if (bytes === undefined) {
      if (random.chance(keep)) this.#apply(change)
      return
    }
    const end = offset + bytes.length
    for (let at = offset; at < end; ) {
      const sectorEnd = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes)
      if (random.chance(keep)) {
        const sector = bytes.subarray(at - offset, sectorEnd - offset)
        this.#apply({ ...change, offset: at, bytes: sector })
      }
      at = sectorEnd
    }
  }
}

class LinkNode {
  constructor(readonly target: string) {}
}

interface EntryChange {
  record: number
  name: string
  node: Node | undefined
  /** Of a rename within the directory: gone in the same instant. */
  oldName?: string
}

type Node = FileNode | LinkNode | DirectoryNode

class DirectoryNode {
  entries = new Map<string, Node>()
  #lasting = new Map<string, Node>()
  #changes: EntryChange[] = []

  /** An entry from before the run. */
  add(name: string, node: Node): void {
    this.entries.set(name, node)
    this.#lasting.set(name, node)
  }

  change(change: EntryChange): void {
    applyEntry(this.entries, change)
    this.#changes.push(change)
  }

  sync(covered: number): void {
    for (const change of this.#changes)
      if (change.record < covered) applyEntry(this.#lasting, change)
    this.#changes = this.#changes.filter(({ record }) => record >= covered)
  }

  survivor(survival: Survival, random: Random): Map<string, Node> {
    const { mode } = survival
    if (mode === 'everything') return this.entries
    if (mode === 'nothing' || this.#changes.length === 0) return this.#lasting
    const entries = new Map(this.#lasting)
    const kept = random.int(0, this.#changes.length)
    for (const change of this.#changes.slice(0, kept)) applyEntry(entries, change)
    return entries
  }
}

function applyEntry(entries: Map<string, Node>, { name, node, oldName }: EntryChange): void {
  if (oldName !== undefined) entries.delete(oldName)
  if (node === undefined) entries.delete(name)
  else entries.set(name, node)
}

function readTree(path: string): DirectoryNode {
  const directory = new DirectoryNode()
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, entry.name)
    if (entry.isDirectory()) directory.add(entry.name, readTree(below))
    else if (entry.isFile()) directory.add(entry.name, new FileNode(below))
    else throw new Error(`${below} is neither a file nor a directory`)
  }
  return directory
}

// What an image's file last held, and a time that nobody else gives it: whoever writes it moves the time.
const placedAt = 1_000_000_000

/** A directory that holds one image after the other; what they share stays. */
export class ImageDirectory {
  readonly #tokens = new Map<string, string | undefined>()
  #digest = createHash('sha1')

  /** `path` need not exist; what else is in it goes. */
  constructor(readonly path: string) {}

  /** Returns a digest: images of one run that differ have different ones. */
  place(root: DirectoryNode, survival: Survival): string {
    const random = new Random(survival.seed)
    const wanted = new Set<string>()
    this.#digest = createHash('sha1')
    if (!existsSync(this.path)) mkdirSync(this.path, { recursive: true, mode: 0o700 })
    this.#place(root, '', survival, random, wanted)
    for (const name of [...this.#tokens.keys()]) if (!wanted.has(name)) this.#tokens.delete(name)
    this.#removeOthers('', wanted)
    return this.#digest.digest('hex')
  }

  #place(
    directory: DirectoryNode,
    below: string,
    survival: Survival,
    random: Random,
    wanted: Set<string>,
  ): void {
    for (const [name, node] of directory.survivor(survival, random)) {
      const relative = `${below}/${name}`
      const path = this.path + relative
      wanted.add(relative)
      const found = lstatSync(path, { throwIfNoEntry: false })
      if (node instanceof DirectoryNode) {
        if (found !== undefined && !found.isDirectory()) rmSync(path)
        if (found === undefined || !found.isDirectory()) mkdirSync(path, { mode: 0o700 })
        this.#place(node, relative, survival, random, wanted)
      } else if (node instanceof LinkNode) {
        if (found !== undefined) rmSync(path, { recursive: true })
        symlinkSync(node.target, path)
      } else {
        const { token } = node
        const survivor = token === undefined ? node.survivor(survival, random) : undefined
        this.#digest.update(`${relative}=${token ?? ''}`)
        if (survivor !== undefined) this.#digest.update(survivor)
        const isAsPlaced =
          token !== undefined &&
          this.#tokens.get(relative) === token &&
          found?.isFile() &&
          found.mtimeMs === placedAt * 1000
        if (isAsPlaced) continue
        if (found !== undefined && !found.isFile()) rmSync(path, { recursive: true })
        if (node.original !== undefined) {
          copyFileSync(node.original, path, constants.COPYFILE_FICLONE)
        } else {
          writeFileSync(path, survivor ?? node.survivor(survival, random), { mode: 0o600 })
        }
        utimesSync(path, placedAt, placedAt)
        this.#tokens.set(relative, token)
      }
    }
  }

  #removeOthers(below: string, wanted: Set<string>): void {
    for (const entry of readdirSync(this.path + below, { withFileTypes: true })) {
      const relative = `${below}/${entry.name}`
      if (!wanted.has(relative)) rmSync(this.path + relative, { recursive: true })
      else if (entry.isDirectory()) this.#removeOthers(relative, wanted)
    }
  }
}

export class DiskModel {
  readonly #records: readonly JournalRecord[]
  readonly #does: (record: JournalRecord) => JournalRecord | undefined
  readonly #root: string
  readonly #tree: DirectoryNode
  readonly #open = new Map<number, FileNode>()
  #step = 0

  /** `root` is the directory that the run worked on, `original` a copy of it from before, which must not change;
   * what happens is what `does` makes of each record. */
  constructor(
    records: readonly JournalRecord[],
    root: string,
    original: string,
    does: (record: JournalRecord) => JournalRecord | undefined = (record) => record,
  ) {
    this.#records = records
    this.#does = does
    this.#root = root
    this.#tree = readTree(original)
  }

  /** Records that were replayed. */
  get step(): number {
    return this.#step
  }

  /** Replays the journal's first `step` records. */
  advance(step: number): void {
    if (step < this.#step) throw new Error('the journal cannot be replayed backwards')
    while (this.#step < step) {
      const record = this.#records[this.#step] as JournalRecord
      try {
        const done = this.#does(record)
        if (done !== undefined) this.#replay(done, this.#step)
      } catch (error) {
        throw new Error(`journal record ${this.#step} (${record.kind} ${record.path})`, {
          cause: error,
        })
      }
      this.#step++
    }
  }

  /** Makes `directory` what a crash now could have left; returns a digest of that. */
  write(directory: ImageDirectory, survival: Survival): string {
    return directory.place(this.#tree, survival)
  }

  #place(path: string): { directory: DirectoryNode; name: string; node: Node | undefined } {
    if (!path.startsWith(`${this.#root}/`)) throw new Error(`${path} is outside ${this.#root}`)
    const names = path.slice(this.#root.length + 1).split('/')
    const name = names.pop() as string
    let directory = this.#tree
    for (const step of names) {
      const below = directory.entries.get(step)
      if (!(below instanceof DirectoryNode)) throw new Error(`${path} is in no directory`)
      directory = below
    }
    return { directory, name, node: directory.entries.get(name) }
  }

  #replay(record: JournalRecord, number: number): void {
    const { kind, path, target, file, offset, size, bytes, failed, lasts } = record
    switch (kind) {
      case 'open':
      case 'create': {
        const place = this.#place(path)
        let { node } = place
        if (node === undefined) {
          node = new FileNode()
          // One that somebody else made, past this file system (the lock file), is not part of the model.
          if (kind === 'create') place.directory.change({ record: number, name: place.name, node })
        }
        if (!(node instanceof FileNode)) throw new Error('it is no file')
        this.#open.set(file, node)
        return
      }
      case 'write':
      case 'truncate':
      case 'allocate':
        this.#file(file).change({
          record: number,
          bytes: kind === 'write' ? bytes : undefined,
          grows: kind === 'allocate',
          offset: kind === 'allocate' ? offset + size : offset,
          lasts,
          lost: false,
        })
        return
      case 'sync':
        if (failed) this.#file(file).lose(offset)
        else this.#file(file).sync(offset)
        return
      case 'sync_directory':
        if (!failed) this.#directory(path).sync(offset)
        return
      case 'sync_file_system':
        if (!failed) syncTree(this.#tree, offset)
        return
      case 'make_directory': {
        const { directory, name } = this.#place(path)
        directory.change({ record: number, name, node: new DirectoryNode() })
        return
      }
      case 'remove_file':
      case 'remove_directory': {
        const { directory, name } = this.#place(path)
        directory.change({ record: number, name, node: undefined })
        return
      }
      case 'rename': {
        const from = this.#place(path)
        const to = this.#place(target)
        if (from.node === undefined) throw new Error('there is nothing to rename')
        const change = { record: number, name: to.name, node: from.node }
        if (from.directory === to.directory) {
          to.directory.change({ ...change, oldName: from.name })
        } else {
          to.directory.change(change)
          from.directory.change({ record: number, name: from.name, node: undefined })
        }
        return
      }
      case 'link_symbolic': {
        const { directory, name } = this.#place(path)
        directory.change({ record: number, name, node: new LinkNode(target) })
        return
      }
      default:
        throw new Error('it changes nothing')
    }
  }

  #file(number: number): FileNode {
    const node = this.#open.get(number)
    if (node === undefined) throw new Error(`file ${number} was never opened`)
    return node
  }

  #directory(path: string): DirectoryNode {
    if (path === this.#root) return this.#tree
    const { node } = this.#place(path)
    if (!(node instanceof DirectoryNode)) throw new Error(`${path} is no directory`)
    return node
  }
}

function syncTree(directory: DirectoryNode, covered: number): void {
  directory.sync(covered)
  for (const node of directory.entries.values()) {
    if (node instanceof DirectoryNode) syncTree(node, covered)
    else if (node instanceof FileNode) node.sync(covered)
  }
}
