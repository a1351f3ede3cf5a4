// TOAST tables: which tables need one, and its catalog rows.
// Source: src/backend/catalog/toasting.c, src/backend/access/heap/heapam_handler.c, PostgreSQL 18.
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgIndex } from '../catalog/pg_index.ts'
import { temporaryClaimOf } from '../relation/temporary-schema.ts'
import type { ColumnDefinition } from './column-definition.ts'
import {
  btreeAccessMethod,
  type CommandContext,
  heapAccessMethod,
  toastNamespace,
} from './command-context.ts'
import { recordDependencies, relationAddress } from './dependency.ts'
import { newRelationOid } from './new-oid.ts'
import {
  attributeRow,
  byteaType,
  type ClassRow,
  classRow,
  int4Type,
  oidType,
  systemAttributeRows,
} from './relation-rows.ts'

const alignments: Readonly<Record<string, number>> = { c: 1, s: 2, i: 4, d: 8 }
const tupleHeaderBytes = 23
const maximumAlignment = 8
const bpcharType = 1042
const varcharType = 1043
const numericType = 1700
const varlenaHeaderBytes = 4
const oidOpclass = 1981
const int4Opclass = 1978

function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment
}

// The most bytes that a value of the column can take, or undefined when there is no bound.
function bytesMax(
  { type, typmod }: ColumnDefinition,
  characterBytesMax: number,
): number | undefined {
  if (type.typlen > 0) return type.typlen
  if (typmod < 0) return undefined
  switch (type.oid) {
    case bpcharType:
    case varcharType:
      return characterBytesMax * (typmod - varlenaHeaderBytes) + varlenaHeaderBytes
    case numericType: {
      const precision = ((typmod - varlenaHeaderBytes) >> 16) & 0xffff
      const digits = Math.floor((precision + 6) / 4)
      return 8 + digits * 2
    }
    default:
      return undefined
  }
}

/** Could a row be too long for a quarter of a page, with a column that can be stored elsewhere? */
export function needsToastTable(
  columns: readonly ColumnDefinition[],
  blockSize: number,
  characterBytesMax: number,
): boolean {
  if (columns.every(({ type }) => type.typstorage === 'p')) return false
  let dataBytes = 0
  for (const column of columns) {
    const bytes = bytesMax(column, characterBytesMax)
    if (bytes === undefined) return true
    dataBytes = alignUp(dataBytes, alignments[column.type.typalign] as number) + bytes
  }
  const nullBitmapBytes = Math.ceil(columns.length / 8)
  const tupleBytes =
    alignUp(tupleHeaderBytes + nullBitmapBytes, maximumAlignment) +
    alignUp(dataBytes, maximumAlignment)
  // Four tuples with their line pointers fill a page exactly.
  const quarter = (blockSize - alignUp(24 + 4 * 4, maximumAlignment)) / 4
  return tupleBytes > Math.floor(quarter / maximumAlignment) * maximumAlignment
}

/** Makes the catalog rows of the TOAST table of `table` and of its index. Returns their pg_class rows. */
export function insertToastTableRows(
  context: CommandContext,
  table: Pick<ClassRow, 'oid' | 'reltablespace' | 'relpersistence' | 'relfrozenxid' | 'relminmxid'>,
): { toast: ClassRow; index: ClassRow } {
  const { session, catalogs } = context
  const { reltablespace, relpersistence, relfrozenxid, relminmxid } = table
  const oid = newRelationOid(context, reltablespace)
  const indexOid = newRelationOid(context, reltablespace)
  const relname = `pg_toast_${table.oid}`
  const relnamespace =
    (relpersistence === 't' && temporaryClaimOf(session).schema?.toastOid) || toastNamespace
  const toast = classRow({
    oid,
    relname,
    relnamespace,
    relam: heapAccessMethod,
    reltablespace,
    relpersistence,
    relkind: 't',
    relnatts: 3,
    relhasindex: true,
    relfrozenxid,
    relminmxid,
  })
  const index = classRow({
    oid: indexOid,
    relname: `${relname}_index`,
    relnamespace,
    relam: btreeAccessMethod,
    reltablespace,
    relpersistence,
    relkind: 'i',
    relnatts: 2,
    relpages: 1,
    reltuples: 0,
  })
  catalogs.insert(session, pgClass, [toast, index])
  const chunkId = { name: 'chunk_id', type: oidType }
  const chunkSeq = { name: 'chunk_seq', type: int4Type }
  catalogs.insert(session, pgAttribute, [
    attributeRow(oid, 1, chunkId),
    attributeRow(oid, 2, chunkSeq),
    attributeRow(oid, 3, { name: 'chunk_data', type: byteaType, storage: 'p' }),
    ...systemAttributeRows(oid),
    attributeRow(indexOid, 1, chunkId),
    attributeRow(indexOid, 2, chunkSeq),
  ])
  catalogs.insert(session, pgIndex, [
    {
      indexrelid: indexOid,
      indrelid: oid,
      indnatts: 2,
      indnkeyatts: 2,
      indisunique: true,
      indnullsnotdistinct: false,
      indisprimary: true,
      indisexclusion: false,
      indimmediate: true,
      indisclustered: false,
      indisvalid: true,
      indcheckxmin: false,
      indisready: true,
      indislive: true,
      indisreplident: false,
      indkey: [1, 2],
      indcollation: [0, 0],
      indclass: [oidOpclass, int4Opclass],
      indoption: [0, 0],
      indexprs: null,
      indpred: null,
    },
  ])
  recordDependencies(context, [
    { object: relationAddress(oid), on: relationAddress(table.oid), kind: 'i' },
    { object: relationAddress(indexOid), on: relationAddress(oid, 1), kind: 'a' },
    { object: relationAddress(indexOid), on: relationAddress(oid, 2), kind: 'a' },
  ])
  return { toast, index }
}
