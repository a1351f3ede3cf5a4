// The catalog bundle: the rows of every system catalog of a new cluster, as init writes them.
//
// A gzipped file: the length of a JSON header as uint32, the header, then the row batches end to end. The
// batches are in the layout that the native side gives for the relation's columns and the batch's number of rows;
// the header repeats the layout's offsets, so that a bundle made by another build is noticed.
import { readFileSync } from 'node:fs'
import type { RelationDescriptor } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'

/** The catalogs whose rows init writes itself. */
export const catalogsOfInit = ['pg_authid', 'pg_database']

/** A batch of rows and where it stands among the bundle's batches. */
export interface BundleBatch {
  rows: number
  /** Byte range in the bundle's data. */
  start: number
  end: number
  /** Offsets of the layout the batch was made with: nulls and values of each column, then the variable part. */
  offsets: number[]
}

export interface BundleRelation {
  /** Locations as in template1, or in the global tablespace. */
  descriptor: RelationDescriptor
  batches: BundleBatch[]
  /** In place of batches: rows that depend on how the cluster is made, as JavaScript values. */
  rows?: Record<string, unknown>[]
}

export interface BundleHeader {
  /** "18". */
  major: string
  catalogVersion: number
  /** Counters of the cluster that the rows come from. */
  nextXid: number
  nextOid: number
  /** Relation maps: pairs of catalog OID and file number. */
  maps: { global: [number, number][]; database: [number, number][] }
  relations: BundleRelation[]
}

export interface Bundle extends BundleHeader {
  data: Buffer
}

export async function encodeBundle(header: BundleHeader, data: Buffer): Promise<Buffer> {
  const { gzipSync } = await import('node:zlib')
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(json.length)
  return gzipSync(Buffer.concat([length, json, data]), { level: 9 })
}

/** Reads a bundle file. Throws 58P01 when there is none, XX001 when it is not one. */
export async function readBundle(path: string): Promise<Bundle> {
  const { gunzipSync } = await import('node:zlib')
  let file: Buffer
  try {
    file = readFileSync(path)
  } catch (cause) {
    throw new PgError('58P01', `could not read the catalog bundle "${path}"`, {
      hint: 'It ships with the package; in a checkout, "npm run build" makes it.',
      cause,
    })
  }
  try {
    const bytes = gunzipSync(file)
    const end = 4 + bytes.readUInt32LE(0)
    const header = JSON.parse(bytes.toString('utf8', 4, end)) as BundleHeader
    return { ...header, data: bytes.subarray(end) }
  } catch (cause) {
    throw new PgError('XX001', `catalog bundle "${path}" is damaged`, { cause })
  }
}
