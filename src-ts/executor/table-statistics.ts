// TableStatistics: how large a table and its indexes are, and what ANALYZE found out about its columns.
//
// Read when asked for, once for each query. Source: src/backend/optimizer/util/plancat.c (estimate_rel_size),
// src/backend/access/table/tableam.c (table_block_relation_estimate_size), PostgreSQL 18.
import type { NativeCluster, NativeSession } from '../binding/native.ts'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgClass } from '../catalog/pg_class.ts'
import { pgStatistic } from '../catalog/pg_statistic.ts'
import type { CatalogStore } from '../relation/catalog-store.ts'
import { blocksOf, indexHeightOf } from '../relation/main-fork.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import type { TypeCodec } from '../types/index.ts'
import type { CodecOf } from './operator-types.ts'

/** Fractions are of all rows. */
export interface ColumnStatistics {
  nullFraction: number
  /** Bytes. */
  width: number
  /** Below 0: as a fraction of the rows. 0: unknown. */
  distinct: number
  commonValues: unknown[]
  commonFractions: number[]
  /** Bounds of parts with as many rows each, without the common values; none where there is no histogram. */
  histogram: unknown[]
  /** Of the order of the values with that of the rows, from -1 to 1. */
  correlation: number
}

export interface StatisticsSource {
  cluster: NativeCluster
  session: NativeSession
  catalogs: CatalogStore
  codecOf: CodecOf
}

const anyArray = 2277

// pg_statistic.stakindN. Source: src/include/catalog/pg_statistic.h, PostgreSQL 18.
const kinds = { commonValues: 1, histogram: 2, correlation: 3 } as const
const slots = [1, 2, 3, 4, 5] as const
// A table that never had statistics is taken to have some pages.
const pagesOfUnknown = 10
const tupleHeaderBytes = 24
const linePointerBytes = 4
const pageHeaderBytes = 24

const varlenaHeaderBytes = 4
// NUMERIC_HDRSZ, before digits of two bytes each, of which each is four decimal ones.
const numericHeaderBytes = 8
// Of UTF-8.
const characterBytesMax = 4

/** Bytes that values of a type take as far as is known. Source: get_typavgwidth in lsyscache.c. */
export function typeWidth({ typlen, typmod, name }: TypeCodec): number {
  if (typlen > 0) return typlen
  if (typmod < varlenaHeaderBytes) return 32
  let most: number
  if (name === 'varchar' || name === 'bpchar') {
    most = (typmod - varlenaHeaderBytes) * characterBytesMax + varlenaHeaderBytes
    if (name === 'bpchar') return most
  } else if (name === 'numeric') {
    const precision = ((typmod - varlenaHeaderBytes) >> 16) & 0xffff
    most = numericHeaderBytes + 2 * Math.trunc((precision + 6) / 4)
  } else {
    return 32
  }
  if (most <= 32) return most
  return most < 1000 ? 32 + Math.trunc((most - 32) / 2) : Math.trunc(32 + (1000 - 32) / 2)
}

export class TableStatistics {
  readonly #source: StatisticsSource
  readonly relation: RelationInfo
  readonly #columns = new Map<number, ColumnStatistics | undefined>()
  readonly #indexPages = new Map<number, number>()
  readonly #indexHeights = new Map<number, number>()
  /** Of the heap, as it is. */
  readonly pages: number
  /** Rows, as far as is known. */
  readonly tuples: number
  readonly allVisibleFraction: number

  constructor(source: StatisticsSource, relation: RelationInfo) {
    this.#source = source
    this.relation = relation
    const { session, catalogs } = source
    const row = catalogs.findOne(
      session,
      pgClass,
      'pg_class_oid_index',
      [relation.oid],
      ['relpages', 'reltuples', 'relallvisible'],
    ) ?? { relpages: 0, reltuples: -1, relallvisible: 0 }
    const blocks = blocksOf(source, relation, relation.access.locator)
    const isUnknown = row.reltuples < 0
    this.pages = isUnknown && blocks < pagesOfUnknown ? pagesOfUnknown : blocks
    this.tuples = Math.round(this.#density(row) * this.pages)
    this.allVisibleFraction =
      row.relallvisible === 0 || this.pages === 0 ? 0 : Math.min(row.relallvisible / this.pages, 1)
  }

  #density({ relpages, reltuples }: { relpages: number; reltuples: number }): number {
    if (reltuples >= 0 && relpages > 0) return reltuples / relpages
    const width = this.relation.columns.reduce(
      (sum, { attribute, codec }) => sum + (this.column(attribute)?.width ?? typeWidth(codec)),
      0,
    )
    const aligned = (width + tupleHeaderBytes + 7) & ~7
    const { fillfactor } = this.relation.access.descriptor
    const room = (this.#source.cluster.blockSize() - pageHeaderBytes) * (fillfactor / 100)
    return Math.max(1, Math.trunc(room / (aligned + linePointerBytes)))
  }

  column(attribute: number): ColumnStatistics | undefined {
    if (!this.#columns.has(attribute)) this.#columns.set(attribute, this.#read(attribute))
    return this.#columns.get(attribute)
  }

  /** By the index's place among the table's. */
  indexPages(index: number): number {
    let pages = this.#indexPages.get(index)
    if (pages === undefined) {
      const locator = this.relation.access.descriptor.indexes[index]?.locator
      pages = locator === undefined ? 0 : blocksOf(this.#source, this.relation, locator)
      this.#indexPages.set(index, pages)
    }
    return pages
  }

  /** Levels above the leaves. */
  indexHeight(index: number): number {
    let height = this.#indexHeights.get(index)
    if (height === undefined) {
      height = indexHeightOf(this.#source, this.relation, index)
      this.#indexHeights.set(index, height)
    }
    return height
  }

  #read(attribute: number): ColumnStatistics | undefined {
    const { session, catalogs } = this.#source
    const row = catalogs.findOne(session, pgStatistic, 'pg_statistic_relid_att_inh_index', [
      this.relation.oid,
      attribute,
      false,
    ])
    return row === undefined ? undefined : columnStatistics(row, this.#source.codecOf(anyArray))
  }
}

function columnStatistics(
  row: CatalogRow<typeof pgStatistic>,
  arrayCodec: TypeCodec,
): ColumnStatistics {
  const slot = (kind: number) => slots.find((number) => row[`stakind${number}`] === kind)
  const valuesOf = (kind: number): unknown[] => {
    const number = slot(kind)
    const values = number === undefined ? null : row[`stavalues${number}`]
    return values === null ? [] : (arrayCodec.fromLane(values as never) as unknown[])
  }
  const numbersOf = (kind: number): number[] => {
    const number = slot(kind)
    const found = number === undefined ? null : row[`stanumbers${number}`]
    return (found as number[] | null) ?? []
  }
  return {
    nullFraction: row.stanullfrac,
    width: row.stawidth,
    distinct: row.stadistinct,
    commonValues: valuesOf(kinds.commonValues),
    commonFractions: numbersOf(kinds.commonValues),
    histogram: valuesOf(kinds.histogram),
    correlation: numbersOf(kinds.correlation)[0] ?? 0,
  }
}
