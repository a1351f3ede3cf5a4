// EXPLAIN of insertions: what becomes of rows that are given, and where they come from.
//
// Source: show_modifytable_info in src/backend/commands/explain.c, cost_valuesscan in src/backend/optimizer/path/costsize.c,
// PostgreSQL 18.
import type { NativeExpression, NativeOperatorReport } from '../binding/native.ts'
import type { PlannerSettings } from '../config/planner-settings.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import type { ExplainNode } from './explain.ts'
import { type ColumnText, expressionText, junctionText } from './explain-expression.ts'
import { doneProperties, rounded } from './explain-numbers.ts'
import { type ShownUsage, usageProperties } from './explain-usage.ts'
import type { CodecOf } from './operator-types.ts'
import { typeWidth } from './table-statistics.ts'

/** What ON CONFLICT says. */
export interface ShownConflict {
  resolution: 'NOTHING' | 'UPDATE'
  /** Names of the indexes that were meant. */
  arbiters: string[]
  /** What must hold of the row that is there to be updated, on columns with these names. */
  conditions: readonly NativeExpression[]
  columns: readonly ColumnText[]
}

export interface Insertion {
  relation: RelationInfo
  conflict: ShownConflict | undefined
  /** How many are given. */
  rows: number
  returns: boolean
}

// A column that was dropped has a null of a type that is four bytes wide.
const droppedWidth = 4

function widthOf({ columns, access }: RelationInfo): number {
  const dropped = access.descriptor.attributes.length - columns.length
  return columns.reduce((sum, { codec }) => sum + typeWidth(codec), dropped * droppedWidth)
}

// Rows that were given, as an operator's: nothing was read or written for them.
function givenReport(report: NativeOperatorReport, rows: number): NativeOperatorReport {
  const nothing = Object.fromEntries(Object.keys(report).map((name) => [name, 0]))
  return { ...(nothing as unknown as NativeOperatorReport), rows, loops: 1 }
}

function conflictProperties(
  codecOf: CodecOf,
  { resolution, arbiters, conditions, columns }: ShownConflict,
  rows: number,
  report: NativeOperatorReport | undefined,
) {
  const texts = conditions.map((one) => expressionText(codecOf, one, columns))
  return {
    'Conflict Resolution': resolution,
    ...(arbiters.length > 0 && { 'Conflict Arbiter Indexes': arbiters }),
    ...(texts.length > 0 && {
      'Conflict Filter': junctionText('and', texts),
      ...(report && { 'Rows Removed by Conflict Filter': report.rowsRemoved }),
    }),
    ...(report && {
      'Tuples Inserted': rows - report.conflicts,
      'Conflicting Tuples': report.conflicts,
    }),
  }
}

/** `reports`: of an insertion that was done. */
export function explainInsertion(
  { codecOf, settings }: { codecOf: CodecOf; settings: PlannerSettings },
  { relation, conflict, rows, returns }: Insertion,
  reports: readonly NativeOperatorReport[],
  hasCosts: boolean,
  usage: ShownUsage,
): ExplainNode {
  // What computes the columns to be returned is no operator of PostgreSQL's.
  const report = reports[returns ? 1 : 0]
  const { cpu_operator_cost, cpu_tuple_cost } = settings
  const total = rows === 1 ? cpu_tuple_cost : rows * (cpu_operator_cost + cpu_tuple_cost)
  const estimate = (count: number, width: number) =>
    hasCosts
      ? {
          'Startup Cost': 0,
          'Total Cost': rounded(total, 2),
          'Plan Rows': count,
          'Plan Width': width,
        }
      : {}
  const width = widthOf(relation)
  const shared = { 'Parallel Aware': false, 'Async Capable': false }
  const given = report && givenReport(report, rows)
  const source: ExplainNode = {
    'Node Type': rows === 1 ? 'Result' : 'Values Scan',
    'Parent Relationship': 'Outer',
    ...shared,
    ...(rows > 1 && { Alias: '*VALUES*' }),
    ...estimate(rows, width),
    ...(given && doneProperties(given)),
    Disabled: false,
    ...(given && usageProperties(given, usage)),
  }
  return {
    'Node Type': 'ModifyTable',
    Operation: 'Insert',
    ...shared,
    'Relation Name': relation.name,
    Alias: relation.name,
    ...(returns ? estimate(rows, width) : estimate(0, 0)),
    ...(report && doneProperties(report)),
    Disabled: false,
    ...(conflict && conflictProperties(codecOf, conflict, rows, report)),
    ...(report && usageProperties(report, usage)),
    Plans: [source],
  }
}
