// Makes prebuilds/catalog-18.bundle: the rows of every system catalog of a new cluster.
//
// The rows are read, with our own reader, from a directory that the real initdb of the development dependency
// makes; nothing of it is copied but the rows. The native binary must have been built.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { RowBatch } from '../src-ts/access/row-batch.ts'
import { binding } from '../src-ts/binding/addon.ts'
import { batchHeader, type NativeSession, type RowLayout } from '../src-ts/binding/native.ts'
import {
  type BundleBatch,
  type BundleHeader,
  type BundleRelation,
  catalogsOfInit,
  encodeBundle,
} from '../src-ts/catalog/bundle.ts'
import { pgClass } from '../src-ts/catalog/pg_class.ts'
import { nativeOptions } from '../src-ts/cluster/cluster.ts'
import { bundlePath } from '../src-ts/cluster/init.ts'
import { resolveSettings } from '../src-ts/config/settings.ts'
import { CatalogStore } from '../src-ts/relation/catalog-store.ts'
import { RelationCache, type RelationInfo } from '../src-ts/relation/relation-cache.ts'
import { readRelationMap } from '../src-ts/relation/relation-map.ts'
import { Oracle } from '../test/support/oracle.ts'
import { main } from './run.ts'

const template1 = { oid: 1, tablespace: 1663, directory: 'base/1' }
const batchRowsMax = 1000
const batchBytes = 8 * 1024 * 1024
const blockSize = 8192

class BundleData {
  readonly pieces: Buffer[] = []
  length = 0

  add(piece: Buffer): { start: number; end: number } {
    const start = this.length
    this.pieces.push(piece)
    this.length += piece.length
    return { start, end: this.length }
  }
}

// A batch as small as it can be: the bytes lanes moved up to the end of the text.
function compact(batch: RowBatch, layout: RowLayout, bytesLanes: number[]): Buffer {
  const textEnd = layout.heap + (batch.u32[batchHeader.textBytes] as number)
  const byteBytes = batch.u32[batchHeader.byteBytes] as number
  const from = batch.buffer.length - byteBytes
  for (const column of bytesLanes) {
    for (let row = 0; row < batch.rows; row++) {
      if (batch.u8[(layout.nulls[column] as number) + row] !== 0) continue
      const at = (layout.values[column] as number) / 4 + 2 * row
      batch.u32[at] = (batch.u32[at] as number) - from + textEnd
    }
  }
  return Buffer.concat([batch.buffer.subarray(0, textEnd), batch.buffer.subarray(from)])
}

function readBatches(session: NativeSession, info: RelationInfo, data: BundleData): BundleBatch[] {
  const { native, descriptor } = info.access
  const [rows] = info.access.aggregate(session, [{ kind: 'count' }])
  if (Number(rows) === 0) return []
  const layout = native.layout(
    descriptor.attributes.map((_, i) => i + 1),
    Math.min(batchRowsMax, Number(rows)),
    false,
  )
  const bytesLanes = descriptor.attributes.flatMap(({ lane }, i) => (lane === 'bytes' ? [i] : []))
  const batches: BundleBatch[] = []
  const batch = new RowBatch(layout.heap + batchBytes)
  const scan = session.scan(native, layout.id, [], 0, undefined)
  let read = 0
  do {
    batch.buffer.fill(0)
    const count = scan.next(batch.buffer)
    if (batch.needed > 0) throw new Error(`a row of ${info.name} is longer than a batch`)
    if (count === 0) continue
    read += count
    batches.push({
      rows: layout.capacity,
      ...data.add(compact(batch, layout, bytesLanes)),
      offsets: [...layout.nulls, ...layout.values, layout.heap],
    })
  } while (!batch.ended)
  scan.close()
  if (read !== Number(rows)) throw new Error(`${info.name} has ${rows} rows, ${read} were read`)
  return batches
}

function readRelation(
  session: NativeSession,
  info: RelationInfo,
  data: BundleData,
): BundleRelation {
  const { descriptor } = info.access
  if (!catalogsOfInit.includes(info.name))
    return { descriptor, batches: readBatches(session, info, data) }
  return {
    descriptor,
    batches: [],
    rows: info.access.scan<Record<string, unknown>>(session).toArray(),
  }
}

async function build(): Promise<void> {
  const oracle = await Oracle.initdb({
    args: [
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--encoding=UTF8',
      '--username=postgres',
    ],
  })
  const directory = oracle.dir
  const control = binding.readControlFile(directory)
  const native = await binding.openCluster(
    nativeOptions(directory, resolveSettings(), true, blockSize),
  )
  const session = native.session(template1.oid)
  const catalogs = new CatalogStore(native, directory, template1)
  const relations = new RelationCache(native, catalogs, true, {}, Number.POSITIVE_INFINITY)
  const data = new BundleData()
  const bundled: BundleRelation[] = []
  for (const row of catalogs.scan(session, pgClass).toArray()) {
    if (row.relkind === 'r')
      bundled.push(readRelation(session, relations.openByOid(session, row.oid), data))
  }
  const header: BundleHeader = {
    major: `${control.major}`,
    catalogVersion: Number(control.catalog_version_no),
    nextXid: Number(control.nextXid),
    nextOid: Number(control.nextOid),
    maps: {
      global: [...readRelationMap(directory, 'global')],
      database: [...readRelationMap(directory, template1.directory)],
    },
    relations: bundled,
  }
  session.close()
  await native.close()
  await oracle[Symbol.asyncDispose]()
  const file = await encodeBundle(header, Buffer.concat(data.pieces))
  mkdirSync(dirname(bundlePath()), { recursive: true })
  writeFileSync(bundlePath(), file)
  console.log(`catalog bundle: ${bundled.length} relations, ${file.length} bytes`)
}

await main(build)
