// Records of the log as pg_waldump prints them, and as JSON under pg_walinspect's names.
//
// Source: src/bin/pg_waldump/pg_waldump.c, XLogRecGetBlockRefInfo in src/backend/access/rmgrdesc/xlogdesc.c,
// contrib/pg_walinspect/pg_walinspect.c, PostgreSQL 18.
import { formatLsn } from './control-file.ts'
import type { WalBlockReference, WalRecord } from './wal-log.ts'

const rmgrInfoMask = 0xf0

// pg_waldump pads the low half: "0/015D5A48".
function paddedLsn(lsn: bigint): string {
  const half = (value: bigint) => value.toString(16).toUpperCase()
  return `${half(lsn >> 32n)}/${half(lsn & 0xffffffffn).padStart(8, '0')}`
}

/** The type of a record; one that the resource manager does not have is UNKNOWN with its code. */
export function recordTypeText({ type, info }: WalRecord): string {
  return type ?? `UNKNOWN (${(info & rmgrInfoMask).toString(16)})`
}

function relationText({ relation }: WalBlockReference): string {
  return `${relation.spcOid}/${relation.dbOid}/${relation.relNumber}`
}

function shortReference(reference: WalBlockReference): string {
  const { id, fork, block, image } = reference
  const forkText = fork === 'main' ? '' : ` fork ${fork}`
  const imageText = image === undefined ? '' : image.apply ? ' FPW' : ' FPW for WAL verification'
  return `, blkref #${id}: rel ${relationText(reference)}${forkText} blk ${block}${imageText}`
}

function detailedReference(reference: WalBlockReference, blockSize: number): string {
  const { id, fork, block, image } = reference
  let text = `\tblkref #${id}: rel ${relationText(reference)} fork ${fork} blk ${block}`
  if (image !== undefined) {
    const { holeOffset, holeLength, compression, length } = image
    const purpose = image.apply ? '' : ' for WAL verification'
    text += ` (FPW${purpose}); hole: offset: ${holeOffset}, length: ${holeLength}`
    if (compression !== undefined) {
      const saved = blockSize - holeLength - length
      text += `, compression saved: ${saved}, method: ${compression}`
    }
  }
  return `${text}\n`
}

/** The record's block references, as pg_waldump prints them after the description, with the newline. */
export function blockReferencesText(
  record: WalRecord,
  detailed: boolean,
  blockSize: number,
): string {
  if (!detailed) return `${record.blocks.map(shortReference).join('')}\n`
  return `\n${record.blocks.map((block) => detailedReference(block, blockSize)).join('')}`
}

/** One record as pg_waldump prints it, with the newline. */
export function recordLine(record: WalRecord, detailed: boolean, blockSize: number): string {
  const { rmgr, totalLength, fpiLength, xid, lsn, prevLsn, description } = record
  const lengths = `${`${totalLength - fpiLength}`.padStart(6)}/${`${totalLength}`.padStart(6)}`
  return (
    `rmgr: ${rmgr.padEnd(11)} len (rec/tot): ${lengths}, tx: ${`${xid}`.padStart(10)}, ` +
    `lsn: ${paddedLsn(lsn)}, prev ${paddedLsn(prevLsn)}, ` +
    `desc: ${recordTypeText(record)} ${description}` +
    blockReferencesText(record, detailed, blockSize)
  )
}

/** One record for JSON. */
export function recordObject(record: WalRecord): Record<string, unknown> {
  return {
    start_lsn: formatLsn(record.lsn),
    end_lsn: formatLsn(record.endLsn),
    prev_lsn: formatLsn(record.prevLsn),
    xid: record.xid,
    resource_manager: record.rmgr,
    record_type: recordTypeText(record),
    record_length: record.totalLength,
    main_data_length: record.mainDataLength,
    fpi_length: record.fpiLength,
    description: record.description,
    blocks: record.blocks.map(({ id, relation, fork, block, dataLength, image }) => ({
      block_id: id,
      reltablespace: relation.spcOid,
      reldatabase: relation.dbOid,
      relfilenode: relation.relNumber,
      relfork: fork,
      relblocknumber: block,
      block_data_length: dataLength,
      block_fpi_length: image?.length ?? 0,
      block_fpi_info: image?.info ?? [],
    })),
  }
}
