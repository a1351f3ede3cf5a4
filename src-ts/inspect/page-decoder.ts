// One page decoded: header, line pointers, and what its kind puts between them and the end.
//
// Reads the page as it lies on disk and believes nothing on it: what does not fit is shown as far as it goes.
// Source: bufpage.h, htup_details.h, itup.h, nbtree.h, fsm_internals.h, visibilitymap.h, PostgreSQL 18.
import { binding } from '../binding/addon.ts'
import { DatumReader, type TypeCodec } from '../types/index.ts'
import { formatLsn } from './control-file.ts'

export type PageKind = 'heap' | 'btree' | 'fsm' | 'vm' | 'other'

export interface PageColumn {
  name: string
  /** attlen. */
  length: number
  align: 'c' | 's' | 'i' | 'd'
  dropped: boolean
  codec: TypeCodec | undefined
}

export interface DecodedItem {
  offset: number
  lp_off: number
  lp_flags: string
  lp_len: number
  [field: string]: unknown
}

export interface DecodedPage {
  block: number
  kind: PageKind
  header: Record<string, unknown>
  items: DecodedItem[]
  special?: Record<string, unknown>
  /** FSM: free space category of each slot that is not 0; VM: each heap page that has a bit set. */
  entries?: { slot: number; value: unknown }[]
}

const headerBytes = 24
const lineFlags = ['LP_UNUSED', 'LP_NORMAL', 'LP_REDIRECT', 'LP_DEAD']
const pageFlags: Record<number, string> = {
  1: 'PD_HAS_FREE_LINES',
  2: 'PD_PAGE_FULL',
  4: 'PD_ALL_VISIBLE',
}
const infomaskFlags: Record<number, string> = {
  1: 'HEAP_HASNULL',
  2: 'HEAP_HASVARWIDTH',
  4: 'HEAP_HASEXTERNAL',
  8: 'HEAP_HASOID_OLD',
  16: 'HEAP_XMAX_KEYSHR_LOCK',
  32: 'HEAP_COMBOCID',
  64: 'HEAP_XMAX_EXCL_LOCK',
  128: 'HEAP_XMAX_LOCK_ONLY',
  256: 'HEAP_XMIN_COMMITTED',
  512: 'HEAP_XMIN_INVALID',
  1024: 'HEAP_XMAX_COMMITTED',
  2048: 'HEAP_XMAX_INVALID',
  4096: 'HEAP_XMAX_IS_MULTI',
  8192: 'HEAP_UPDATED',
  16384: 'HEAP_MOVED_OFF',
  32768: 'HEAP_MOVED_IN',
}
const infomask2Flags: Record<number, string> = {
  8192: 'HEAP_KEYS_UPDATED',
  16384: 'HEAP_HOT_UPDATED',
  32768: 'HEAP_ONLY_TUPLE',
}
const btreeFlags: Record<number, string> = {
  1: 'BTP_LEAF',
  2: 'BTP_ROOT',
  4: 'BTP_DELETED',
  8: 'BTP_META',
  16: 'BTP_HALF_DEAD',
  32: 'BTP_SPLIT_END',
  64: 'BTP_HAS_GARBAGE',
  128: 'BTP_INCOMPLETE_SPLIT',
  256: 'BTP_HAS_FULLXID',
}
const nattsMask = 0x07ff
const heapTupleHeaderBytes = 23
const btreeMeta = 0x08
const btreeOpaqueBytes = 16
const indexAltTid = 0x2000
const indexSizeMask = 0x1fff
const postingFlag = 0x2000
const postingCountMask = 0x0fff
const fsmBytesAt = headerBytes + 4
const alignments = { c: 1, s: 2, i: 4, d: 8 } as const

function flagNames(value: number, names: Record<number, string>): string[] {
  return Object.entries(names).flatMap(([bit, name]) => ((value & Number(bit)) !== 0 ? [name] : []))
}

function tidText(page: Buffer, at: number): string {
  const block = page.readUInt16LE(at) * 65536 + page.readUInt16LE(at + 2)
  return `(${block},${page.readUInt16LE(at + 4)})`
}

/** A varlena's bytes as text, where it lies in the tuple uncompressed; else what it is. */
function varlenaText(tuple: Buffer, at: number, codec: TypeCodec): { text: string; end: number } {
  const first = tuple.readUInt8(at)
  if (first === 1) {
    // varattrib_1b_e: tag, then raw size, stored size, value OID and TOAST table OID.
    const end = at + 18
    return {
      text: `<TOAST value ${tuple.readUInt32LE(at + 10)}, ${tuple.readUInt32LE(at + 2) - 4} bytes>`,
      end,
    }
  }
  const isShort = (first & 1) === 1
  const size = isShort ? first >> 1 : tuple.readUInt32LE(at) >>> 2
  const end = at + size
  const start = at + (isShort ? 1 : 4)
  if (end > tuple.length || end < start) throw new RangeError('value ends outside its tuple')
  if (!isShort && (first & 3) === 2) {
    return { text: `<compressed, ${tuple.readUInt32LE(at + 4) & 0x3fffffff} bytes>`, end }
  }
  const payload = tuple.subarray(start, end)
  const raw = codec.lane === 'text' ? payload.toString('utf8') : new Uint8Array(payload)
  return { text: codec.toText(raw), end }
}

// The columns' texts of a heap tuple, whose data begins at t_hoff.
function heapValues(tuple: Buffer, columns: PageColumn[]): Record<string, string | null> {
  const values: Record<string, string | null> = {}
  const natts = tuple.readUInt16LE(18) & nattsMask
  const hasNulls = (tuple.readUInt16LE(20) & 1) !== 0
  const start = tuple.readUInt8(22)
  let at = start
  for (let i = 0; i < Math.min(natts, columns.length); i++) {
    const { name, length, align, dropped, codec } = columns[i] as PageColumn
    const bits = tuple[heapTupleHeaderBytes + (i >> 3)] as number
    if (hasNulls && (bits & (1 << (i & 7))) === 0) {
      if (!dropped) values[name] = null
      continue
    }
    const isShortVarlena = length === -1 && tuple[at] !== 0
    if (!isShortVarlena) {
      const mask = alignments[align] - 1
      at = start + ((at - start + mask) & ~mask)
    }
    try {
      if (codec === undefined && length !== -1) at += length
      else if (length === -1) {
        const shown = varlenaText(tuple, at, codec ?? opaqueCodec)
        at = shown.end
        if (!dropped) values[name] = shown.text
      } else {
        const value = (codec as TypeCodec).toText(
          new DatumReader(tuple, at, 0).read({ ...(codec as TypeCodec), typalign: 'c' }) as never,
        )
        at += length
        if (!dropped) values[name] = value
      }
    } catch (error) {
      values[name] = `<${(error as Error).message}>`
      if (length > 0) at += length
      else break
    }
  }
  return values
}

// For a dropped column: only its length matters.
const opaqueCodec = { lane: 'bytes', toText: () => '' } as unknown as TypeCodec

function heapItem(page: Buffer, at: number, length: number, columns: PageColumn[]) {
  const tuple = page.subarray(at, at + length)
  if (tuple.length < heapTupleHeaderBytes) return { problem: 'tuple is shorter than its header' }
  const infomask = tuple.readUInt16LE(20)
  const infomask2 = tuple.readUInt16LE(18)
  return {
    t_xmin: tuple.readUInt32LE(0),
    t_xmax: tuple.readUInt32LE(4),
    t_cid: tuple.readUInt32LE(8),
    t_ctid: tidText(tuple, 12),
    natts: infomask2 & nattsMask,
    t_hoff: tuple.readUInt8(22),
    flags: [...flagNames(infomask, infomaskFlags), ...flagNames(infomask2, infomask2Flags)],
    values: heapValues(tuple, columns),
  }
}

function indexItem(page: Buffer, at: number, length: number, isHighKey: boolean, isLeaf: boolean) {
  const tuple = page.subarray(at, at + length)
  if (tuple.length < 8) return { problem: 'tuple is shorter than its header' }
  const info = tuple.readUInt16LE(6)
  const offset = tuple.readUInt16LE(4)
  const size = info & indexSizeMask
  const isPivot = !isLeaf || isHighKey
  const isPosting = !isPivot && (info & indexAltTid) !== 0 && (offset & postingFlag) !== 0
  const list = tuple.readUInt16LE(0) * 65536 + tuple.readUInt16LE(2)
  const tids: string[] = []
  if (isPosting) {
    for (let i = 0; i < (offset & postingCountMask); i++) {
      if (list + (i + 1) * 6 <= tuple.length) tids.push(tidText(tuple, list + i * 6))
    }
  }
  return {
    role: isHighKey ? 'high key' : isPosting ? 'posting list' : isLeaf ? 'row' : 'downlink',
    ...(isPosting ? { tids } : { t_tid: tidText(tuple, 0) }),
    size,
    nulls: (info & 0x8000) !== 0,
    data: tuple.subarray(8, isPosting ? Math.min(list, tuple.length) : size).toString('hex'),
  }
}

function btreeSpecial(page: Buffer, special: number): Record<string, unknown> {
  if (page.length - special < btreeOpaqueBytes) return { problem: 'no B-tree special area' }
  const flags = page.readUInt16LE(special + 12)
  const opaque = {
    btpo_prev: page.readUInt32LE(special),
    btpo_next: page.readUInt32LE(special + 4),
    btpo_level: page.readUInt32LE(special + 8),
    btpo_flags: flagNames(flags, btreeFlags),
    btpo_cycleid: page.readUInt16LE(special + 14),
  }
  if ((flags & btreeMeta) === 0) return opaque
  return {
    ...opaque,
    btm_magic: page.readUInt32LE(headerBytes),
    btm_version: page.readUInt32LE(headerBytes + 4),
    btm_root: page.readUInt32LE(headerBytes + 8),
    btm_level: page.readUInt32LE(headerBytes + 12),
    btm_fastroot: page.readUInt32LE(headerBytes + 16),
    btm_fastlevel: page.readUInt32LE(headerBytes + 20),
    btm_allequalimage: page.readUInt8(headerBytes + 40) !== 0,
  }
}

function mapEntries(page: Buffer, block: number, kind: PageKind) {
  const entries: { slot: number; value: unknown }[] = []
  if (kind === 'fsm') {
    for (let at = fsmBytesAt; at < page.length; at++) {
      if (page[at] !== 0) entries.push({ slot: at - fsmBytesAt, value: page[at] })
    }
    return entries
  }
  const perPage = (page.length - headerBytes) * 4
  for (let i = 0; i < perPage; i++) {
    const bits = ((page[headerBytes + (i >> 2)] as number) >> ((i & 3) * 2)) & 3
    if (bits === 0) continue
    const value = flagNames(bits, { 1: 'all-visible', 2: 'all-frozen' })
    entries.push({ slot: block * perPage + i, value })
  }
  return entries
}

export function decodePage(
  page: Buffer,
  block: number,
  kind: PageKind,
  columns: PageColumn[],
): DecodedPage {
  const lower = page.readUInt16LE(12)
  const special = page.readUInt16LE(16)
  const header = {
    pd_lsn: formatLsn((BigInt(page.readUInt32LE(0)) << 32n) | BigInt(page.readUInt32LE(4))),
    pd_checksum: page.readUInt16LE(8),
    computed_checksum: page.readUInt16LE(14) === 0 ? null : binding.pageChecksum(page, block),
    pd_flags: flagNames(page.readUInt16LE(10), pageFlags),
    pd_lower: lower,
    pd_upper: page.readUInt16LE(14),
    pd_special: special,
    page_size: page.readUInt16LE(18) & 0xff00,
    version: page.readUInt16LE(18) & 0xff,
    pd_prune_xid: page.readUInt32LE(20),
  }
  const decoded: DecodedPage = { block, kind, header, items: [] }
  if (page.readUInt16LE(14) === 0) return decoded
  if (kind === 'fsm' || kind === 'vm') {
    return { ...decoded, entries: mapEntries(page, block, kind) }
  }
  const opaque = kind === 'btree' ? btreeSpecial(page, special) : undefined
  if (opaque !== undefined) decoded.special = opaque
  const flags = (opaque?.btpo_flags ?? []) as string[]
  if (flags.includes('BTP_META')) return decoded
  const isLeaf = flags.includes('BTP_LEAF')
  const hasHighKey = kind === 'btree' && opaque?.btpo_next !== 0
  const count = Math.floor((Math.min(lower, page.length) - headerBytes) / 4)
  for (let offset = 1; offset <= count; offset++) {
    const word = page.readUInt32LE(headerBytes + (offset - 1) * 4)
    const at = word & 0x7fff
    const length = word >>> 17
    const lineFlag = (word >>> 15) & 3
    const item: DecodedItem = {
      offset,
      lp_off: at,
      lp_flags: lineFlags[lineFlag] as string,
      lp_len: length,
    }
    const hasTuple = length > 0 && at + length <= page.length
    if (hasTuple && kind === 'heap') Object.assign(item, heapItem(page, at, length, columns))
    if (hasTuple && kind === 'btree') {
      Object.assign(item, indexItem(page, at, length, hasHighKey && offset === 1, isLeaf))
    }
    decoded.items.push(item)
  }
  return decoded
}
