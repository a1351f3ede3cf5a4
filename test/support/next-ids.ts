// Moves the counters of a cluster that was shut down cleanly, as pg_resetwal does: in its last checkpoint record and in
// pg_control's copy of it. For tests of what happens when ids run out.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { binding } from '../../src-ts/binding/addon.ts'

export interface NextIds {
  /** With its epoch above its lowest 32 bits. The first of a file of pg_xact, since the file must not be there yet. */
  nextXid?: bigint
  oldestXid?: number
  /** The first of a file of pg_multixact/offsets. */
  nextMulti?: number
  nextMultiOffset?: number
  oldestMulti?: number
}

// Transactions of a file of pg_xact, and multixacts of one of pg_multixact/offsets.
export const xidsPerFile = 32 * 8192 * 4
export const multisPerFile = 32 * 2048

const recordHeader = 24
const checkpointSize = 88
// CheckPoint within pg_control, and that file's checksum.
const copyOffset = 40
const controlCrcOffset = 292

function change(checkpoint: Buffer, ids: NextIds): void {
  if (ids.nextXid !== undefined) checkpoint.writeBigUInt64LE(ids.nextXid, 24)
  if (ids.nextMulti !== undefined) checkpoint.writeUInt32LE(ids.nextMulti, 36)
  if (ids.nextMultiOffset !== undefined) checkpoint.writeUInt32LE(ids.nextMultiOffset, 40)
  if (ids.oldestXid !== undefined) checkpoint.writeUInt32LE(ids.oldestXid, 44)
  if (ids.oldestMulti !== undefined) checkpoint.writeUInt32LE(ids.oldestMulti, 52)
}

export function setNextIds(directory: string, ids: NextIds): void {
  const controlPath = join(directory, 'global/pg_control')
  const control = readFileSync(controlPath)
  const record = control.readBigUInt64LE(32)
  const segmentSize = BigInt(control.readUInt32LE(228))
  const timeline = control.readUInt32LE(copyOffset + 8)
  change(control.subarray(copyOffset, copyOffset + checkpointSize), ids)
  control.writeUInt32LE(binding.crc32c(control.subarray(0, controlCrcOffset)), controlCrcOffset)

  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, '0')
  const segment = record / segmentSize
  const perId = 0x1_0000_0000n / segmentSize
  const name = hex(BigInt(timeline)) + hex(segment / perId) + hex(segment % perId)
  // The record with the two bytes that say how long its data is; it must not go over the end of a page.
  const size = recordHeader + 2 + checkpointSize
  if (8192n - (record % 8192n) < BigInt(size))
    throw new Error('the checkpoint record goes over two pages: log something more')
  const file = openSync(join(directory, 'pg_wal', name), 'r+')
  const bytes = Buffer.alloc(size)
  readSync(file, bytes, 0, size, Number(record % segmentSize))
  if (bytes.readUInt32LE(0) !== size) throw new Error('no checkpoint record where pg_control says')
  change(bytes.subarray(recordHeader + 2), ids)
  // The checksum is of the data first, then of the header up to the checksum.
  const covered = Buffer.concat([bytes.subarray(recordHeader), bytes.subarray(0, 20)])
  bytes.writeUInt32LE(binding.crc32c(covered), 20)
  writeSync(file, bytes, 0, size, Number(record % segmentSize))
  closeSync(file)
  const output = openSync(controlPath, 'r+')
  writeSync(output, control, 0, control.length, 0)
  closeSync(output)
}
