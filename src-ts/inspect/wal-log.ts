// WalLog: the write-ahead log of a directory, record after record.
//
// Reads the segments of one timeline, of releases 13 to 18, while a server runs or not; nothing is written. The
// first thing that is no valid record is the end of the log.
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { binding } from '../binding/addon.ts'
import * as layouts from '../binding/layouts.generated.ts'
import type { Locator, NativeWal } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { type ControlFile, isClusterDirectory, readControlFile } from './control-file.ts'

export const walForks = ['main', 'fsm', 'vm', 'init'] as const
export type WalFork = (typeof walForks)[number]

export interface WalBlockImage {
  length: number
  holeOffset: number
  holeLength: number
  /** Restored at replay, not only compared. */
  apply: boolean
  compression: 'pglz' | 'lz4' | 'zstd' | undefined
  /** The flags' names. */
  info: string[]
}

export interface WalBlockReference {
  id: number
  relation: Locator
  fork: WalFork
  block: number
  dataLength: number
  image: WalBlockImage | undefined
}

export interface WalRecord {
  lsn: bigint
  endLsn: bigint
  prevLsn: bigint
  xid: number
  rmid: number
  /** The resource manager's name. */
  rmgr: string
  info: number
  /** Undefined: the resource manager has no such type. */
  type: string | undefined
  totalLength: number
  mainDataLength: number
  /** Bytes of page images. */
  fpiLength: number
  origin: number
  blocks: WalBlockReference[]
  /** Empty when it was not asked for. */
  description: string
  /** False: the layout that this release gave the record is not known. */
  isDescribed: boolean
}

export interface WalFilter {
  /** Ids of resource managers. */
  rmgrs?: number[] | undefined
  xid?: number | undefined
  relation?: Locator | undefined
  block?: number | undefined
  fork?: WalFork | undefined
  fullPage?: boolean | undefined
  /** Records that end after this are not read. */
  end?: bigint | undefined
}

/** Why reading stopped: more can be read, no valid record follows, or `end` was reached. */
export type WalState = 'more' | 'end of log' | 'end reached'

const states: Record<number, WalState> = {
  [layouts.WalBatchState_more]: 'more',
  [layouts.WalBatchState_end_of_log]: 'end of log',
  [layouts.WalBatchState_end_reached]: 'end reached',
}

const segmentName = /^[0-9A-F]{24}$/
// The catalog version of each release, for the paths of files in tablespaces when there is no control file.
const catalogVersions: Record<number, number> = {
  13: 202007201,
  14: 202107181,
  15: 202209061,
  16: 202307071,
  17: 202406281,
  18: 202506291,
}

const builtinNames = binding.resourceManagerNames()

/** The name of a resource manager; an extension's is custom128 to custom255. */
export function resourceManagerName(id: number): string {
  return builtinNames[id] ?? `custom${`${id}`.padStart(3, '0')}`
}

/** The id of a resource manager by its name in any case. Throws 22023. */
export function resourceManagerId(name: string): number {
  const id = builtinNames.findIndex((known) => known.toLowerCase() === name.toLowerCase())
  if (id >= 0) return id
  const custom = /^custom(\d{3})$/i.exec(name)?.[1]
  if (custom !== undefined && Number(custom) >= 128 && Number(custom) <= 255) return Number(custom)
  throw new PgError('22023', `resource manager "${name}" does not exist`, {
    hint: `Resource managers are ${builtinNames.join(', ')}.`,
  })
}

export function builtinResourceManagers(): readonly string[] {
  return builtinNames
}

interface Segments {
  directory: string
  timeline: number
  segmentSize: number
  blockSize: number
  systemIdentifier: bigint
  catalogVersion: number
  numbers: bigint[]
}

function segmentNumber(name: string, segmentSize: number): bigint {
  const high = BigInt(`0x${name.slice(8, 16)}`)
  const low = BigInt(`0x${name.slice(16)}`)
  return high * (0x100000000n / BigInt(segmentSize)) + low
}

function readPageHeader(path: string): Buffer {
  const header = Buffer.alloc(layouts.XLogLongPageHeaderData.size)
  const file = openSync(path, 'r')
  try {
    if (readSync(file, header, 0, header.length, 0) < header.length) header.fill(0)
  } finally {
    closeSync(file)
  }
  return header
}

// A directory that holds nothing but segments, such as an archive: the first one's page header says the rest.
function describeSegments(directory: string, names: string[]): Omit<Segments, 'numbers'> {
  const { XLogPageHeaderData: page, XLogLongPageHeaderData: long } = layouts
  for (const name of names) {
    const header = readPageHeader(join(directory, name))
    const magic = header.readUInt16LE(page.xlp_magic.offset)
    const segmentSize = header.readUInt32LE(long.xlp_seg_size.offset)
    const blockSize = header.readUInt32LE(long.xlp_xlog_blcksz.offset)
    const release = binding.walRelease(magic)
    if (release === 0) continue
    return {
      directory,
      timeline: Number.parseInt(name.slice(0, 8), 16),
      segmentSize,
      blockSize,
      systemIdentifier: header.readBigUInt64LE(long.xlp_sysid.offset),
      catalogVersion: catalogVersions[release] ?? 0,
    }
  }
  throw new PgError('XX001', `no file in "${directory}" begins like a WAL segment`)
}

function findSegments(directory: string, control: ControlFile | undefined, timeline?: number) {
  const walDirectory = control === undefined ? directory : join(directory, 'pg_wal')
  let names: string[]
  try {
    names = readdirSync(walDirectory).filter((name) => segmentName.test(name))
  } catch (error) {
    throw new PgError('58P01', `could not open directory "${walDirectory}"`, { cause: error })
  }
  if (names.length === 0) {
    throw new PgError('58P01', `"${directory}" holds neither a database cluster nor WAL segments`)
  }
  names.sort()
  const found: Omit<Segments, 'numbers'> =
    control === undefined
      ? describeSegments(walDirectory, names)
      : {
          directory: walDirectory,
          timeline: control.minRecoveryPointTLI || control.ThisTimeLineID,
          segmentSize: control.xlog_seg_size,
          blockSize: control.xlog_blcksz,
          systemIdentifier: control.system_identifier,
          catalogVersion: control.catalog_version_no,
        }
  if (timeline !== undefined) found.timeline = timeline
  const prefix = found.timeline.toString(16).toUpperCase().padStart(8, '0')
  const numbers = names
    .filter((name) => name.startsWith(prefix))
    .map((name) => segmentNumber(name, found.segmentSize))
  if (numbers.length === 0) {
    throw new PgError('58P01', `there is no WAL segment of timeline ${found.timeline}`)
  }
  return { ...found, numbers }
}

export class WalLog {
  /** Where the oldest segment begins from which on none is missing. */
  readonly oldest: bigint
  readonly timeline: number
  /** Bytes of a data page. */
  readonly pageSize: number
  readonly #native: NativeWal
  readonly #control: ControlFile | undefined
  #batch = Buffer.alloc(1 << 18)
  #state: WalState = 'more'

  private constructor(segments: Segments, filter: WalFilter, control: ControlFile | undefined) {
    this.timeline = segments.timeline
    this.#control = control
    this.pageSize = control?.blcksz ?? 8192
    const size = BigInt(segments.segmentSize)
    // Segments after the checkpoint may be old ones that wait to be used.
    const anchor = control === undefined ? segments.numbers.at(-1) : control.redo / size
    const have = new Set(segments.numbers)
    let first = have.has(anchor as bigint) ? (anchor as bigint) : (segments.numbers[0] as bigint)
    while (have.has(first - 1n)) first--
    this.oldest = first * size
    this.#native = binding.readWal(segments, {
      ...filter,
      fullPage: filter.fullPage ?? false,
      fork: filter.fork === undefined ? undefined : walForks.indexOf(filter.fork),
    })
  }

  /** `directory` is a cluster, or holds segments. Throws 58P01, XX001, or 0A000 for another release. */
  static open(directory: string, filter: WalFilter = {}, timeline?: number): WalLog {
    const path = resolve(directory)
    const control = isClusterDirectory(path) ? readControlFile(path) : undefined
    return new WalLog(findSegments(path, control, timeline), filter, control)
  }

  /** The first record that starts at or after the position, from which on `read` reads; undefined: none. */
  begin(lsn: bigint): bigint | undefined {
    const found = this.#native.begin(lsn) ?? undefined
    this.#state = found === undefined ? 'end of log' : 'more'
    return found
  }

  get state(): WalState {
    return this.#state
  }

  /** In PostgreSQL's words, after `end of log`. */
  get endReason(): string {
    return this.#native.endReason()
  }

  /** The release that wrote the log. */
  get release(): number {
    return this.#native.major()
  }

  /** A position that the log must reach, by the control file, and does not; after `end of log`. */
  missingBefore(): bigint | undefined {
    if (this.#control === undefined) return undefined
    const { checkPoint, minRecoveryPoint, ThisTimeLineID } = this.#control
    if (this.timeline !== ThisTimeLineID) return undefined
    const read = this.#native.position()
    if (read <= checkPoint) return checkPoint
    return read < minRecoveryPoint ? minRecoveryPoint : undefined
  }

  /** The next records that are wanted; none may mean that there are more, see `state`. */
  read(describe: boolean): WalRecord[] {
    for (;;) {
      const count = this.#native.next(this.#batch, describe)
      const header = layouts.WalBatchHeader
      this.#state = states[this.#batch.readUInt32LE(header.state.offset)] as WalState
      const needed = this.#batch.readUInt32LE(header.needed.offset)
      if (count > 0 || needed === 0) return this.#decode(count)
      this.#batch = Buffer.alloc(needed)
    }
  }

  #decode(count: number): WalRecord[] {
    const batch = this.#batch
    const fields = layouts.WalBatchRecord
    const records: WalRecord[] = []
    let at = layouts.WalBatchHeader.size
    for (let i = 0; i < count; i++) {
      const word = (field: { offset: number }) => batch.readUInt32LE(at + field.offset)
      const long = (field: { offset: number }) => batch.readBigUInt64LE(at + field.offset)
      const byte = (field: { offset: number }) => batch.readUInt8(at + field.offset)
      const blockCount = batch.readUInt16LE(at + fields.block_count.offset)
      const blocks: WalBlockReference[] = []
      let end = at + fields.size
      for (let block = 0; block < blockCount; block++) {
        blocks.push(decodeBlock(batch, end))
        end += layouts.WalBatchBlock.size
      }
      const typeEnd = end + byte(fields.type_length)
      const rmid = byte(fields.rmid)
      records.push({
        lsn: long(fields.lsn),
        endLsn: long(fields.end_lsn),
        prevLsn: long(fields.prev_lsn),
        xid: word(fields.xid),
        rmid,
        rmgr: resourceManagerName(rmid),
        info: byte(fields.info),
        type: typeEnd === end ? undefined : batch.toString('latin1', end, typeEnd),
        totalLength: word(fields.total_length),
        mainDataLength: word(fields.main_data_length),
        fpiLength: word(fields.fpi_length),
        origin: batch.readUInt16LE(at + fields.origin.offset),
        blocks,
        description: batch.toString('utf8', typeEnd, typeEnd + word(fields.text_length)),
        isDescribed: byte(fields.undescribed) === 0,
      })
      at += word(fields.entry_length)
    }
    return records
  }
}

function decodeBlock(batch: Buffer, at: number): WalBlockReference {
  const fields = layouts.WalBatchBlock
  const word = (offset: number) => batch.readUInt32LE(at + offset)
  const half = (field: { offset: number }) => batch.readUInt16LE(at + field.offset)
  const flags = batch.readUInt8(at + fields.fork_flags.offset)
  const { offset: relation } = fields.relation
  return {
    id: batch.readUInt8(at + fields.id.offset),
    relation: {
      spcOid: word(relation),
      dbOid: word(relation + 4),
      relNumber: word(relation + 8),
    },
    fork: walForks[batch.readUInt8(at + fields.fork.offset)] as WalFork,
    block: word(fields.block.offset),
    dataLength: half(fields.data_length),
    image:
      (flags & layouts.BKPBLOCK_HAS_IMAGE) === 0
        ? undefined
        : decodeImage(
            batch.readUInt8(at + fields.bimg_info.offset),
            half(fields.image_length),
            half(fields.hole_offset),
            half(fields.hole_length),
          ),
  }
}

function decodeImage(
  flags: number,
  length: number,
  holeOffset: number,
  holeLength: number,
): WalBlockImage {
  const names: [flag: number, name: string, compression?: WalBlockImage['compression']][] = [
    [layouts.BKPIMAGE_HAS_HOLE, 'HAS_HOLE'],
    [layouts.BKPIMAGE_APPLY, 'APPLY'],
    [layouts.BKPIMAGE_COMPRESS_PGLZ, 'COMPRESS_PGLZ', 'pglz'],
    [layouts.BKPIMAGE_COMPRESS_LZ4, 'COMPRESS_LZ4', 'lz4'],
    [layouts.BKPIMAGE_COMPRESS_ZSTD, 'COMPRESS_ZSTD', 'zstd'],
  ]
  const set = names.filter(([flag]) => (flags & flag) !== 0)
  return {
    length,
    holeOffset,
    holeLength,
    apply: (flags & layouts.BKPIMAGE_APPLY) !== 0,
    compression: set.find(([, , compression]) => compression !== undefined)?.[2],
    info: set.map(([, name]) => name),
  }
}

/** A position as users write it: "0/16B3748". Throws 22P02. */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text)
  if (match === null) throw new PgError('22P02', `invalid WAL location: "${text}"`)
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)
}
