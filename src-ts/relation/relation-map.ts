// The relation map: file numbers of the catalogs that are needed to read pg_class.
//
//   offset  size  field         meaning
//        0     4  magic         0x592717
//        4     4  num_mappings  entries in use
//        8     8  mappings[]    catalog OID, file number; room for 64 (62 before release 16)
//      520     4  crc           CRC-32C of all above (at 504, with 4 bytes of padding after, before release 16)
//
// Little-endian. Source: src/backend/utils/cache/relmapper.c, PostgreSQL 18.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '../binding/addon.ts'
import { PgError } from '../errors/pg-error.ts'

const magic = 0x592717
const headerBytes = 8
// Entries a map has room for, and so where its CRC stands, by file size.
const roomBySize = new Map([
  [524, 64],
  [512, 62],
])

export type RelationMap = ReadonlyMap<number, number>

/** Decodes a pg_filenode.map. `path` is for messages. Throws XX001. */
export function decodeRelationMap(bytes: Buffer, path: string): RelationMap {
  const refuse = (detail: string) =>
    new PgError('XX001', `relation mapping file "${path}" contains invalid data`, { detail })
  const room = roomBySize.get(bytes.length)
  if (room === undefined) throw refuse(`Its size is ${bytes.length} bytes.`)
  const crcAt = headerBytes + room * 8
  if (bytes.readUInt32LE(0) !== magic) throw refuse('The magic number is wrong.')
  const count = bytes.readUInt32LE(4)
  if (count > room) throw refuse(`It claims ${count} mappings.`)
  if (bytes.readUInt32LE(crcAt) !== crc32c(bytes.subarray(0, crcAt))) {
    throw refuse('The checksum is wrong.')
  }
  const map = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const at = headerBytes + i * 8
    map.set(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4))
  }
  return map
}

/** The 524 bytes of a map as release 18 writes it. */
export function encodeRelationMap(map: RelationMap): Buffer {
  const room = 64
  if (map.size > room) throw new PgError('54000', 'ran out of space in relation map')
  const crcAt = headerBytes + room * 8
  const bytes = Buffer.alloc(crcAt + 4)
  bytes.writeUInt32LE(magic, 0)
  bytes.writeUInt32LE(map.size, 4)
  let at = headerBytes
  for (const [oid, fileNumber] of map) {
    bytes.writeUInt32LE(oid, at)
    bytes.writeUInt32LE(fileNumber, at + 4)
    at += 8
  }
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, crcAt)), crcAt)
  return bytes
}

/** Reads the map in a directory below the data directory: "global", "base/5", … */
export function readRelationMap(dataDirectory: string, directory: string): RelationMap {
  const path = join(directory, 'pg_filenode.map')
  return decodeRelationMap(readFileSync(join(dataDirectory, path)), path)
}
