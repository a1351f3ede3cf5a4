// What planning starts from, and what it makes of a query or of a part of one.
import type { NativePlanNode } from '../binding/native.ts'
import type { PlannerSettings } from '../config/planner-settings.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import type { CodecOf } from './operator-types.ts'
import type { NamedTyped } from './output-columns.ts'
import type { TableStatistics } from './table-statistics.ts'

/** What planning needs to know of the database. */
export interface PlanContext {
  codecOf: CodecOf
  bytewiseDefaultCollation: boolean
  settings: PlannerSettings
  /** track_io_timing */
  timesIo: boolean
  /** Bytes of the cluster's blocks. */
  blockSize: number
  statisticsOf: (relation: RelationInfo) => TableStatistics
}

/** What gives the rows of a SELECT. */
export interface PlannedSelect {
  root: NativePlanNode
  /** Of the root's batches. */
  output: readonly NamedTyped[]
  /** Each row is one of several that are alike, or of all. */
  isGrouped: boolean
}
