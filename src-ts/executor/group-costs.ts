// What grouping costs, and how many groups there are.
//
// Source: cost_agg in src/backend/optimizer/path/costsize.c, estimate_num_groups in src/backend/utils/adt/selfuncs.c,
// PostgreSQL 18.
import type { NativePlanNode } from '../binding/native.ts'
import type { PlannerSettings } from '../config/planner-settings.ts'
import { clampRows, distinctValues, type Variable } from './column-variable.ts'
import { blockBytes, bytesOf, type Estimate } from './estimate.ts'
import { addUp } from './expression-cost.ts'
import { typeOids } from './operator-types.ts'
import type { TableStatistics } from './table-statistics.ts'

type Aggregate = Extract<NativePlanNode, { node: 'aggregate' }>

// Of a computed key nothing is known.
const groupsByDefault = 200
// Keys of one table depend on each other.
const shareOfSeveral = 0.1

/** Different values of the keys among so many rows. */
export function groupCount(
  keys: readonly (Variable | undefined)[],
  rows: number,
  tables: readonly TableStatistics[],
): number {
  const byTable = new Map<number, Variable[]>()
  let groups = 1
  for (const key of keys) {
    if (key?.column === undefined) {
      groups *= groupsByDefault
      continue
    }
    const { table, attribute } = key.column
    const known = byTable.get(table) ?? []
    if (known.some(({ column }) => column?.attribute === attribute)) continue
    byTable.set(table, [...known, key])
  }
  for (const [table, variables] of byTable) {
    const tuples = tables[table]?.tuples ?? 0
    const counts = variables.map((one) => distinctValues(one).count)
    let distinct = counts.reduce((product, one) => product * one, 1)
    if (tuples > 0) {
      const limit = counts.length > 1 ? Math.max(tuples * shareOfSeveral, ...counts) : tuples
      distinct = Math.min(distinct, Math.min(limit, tuples))
      // Of values of which there are several rows, most are met even if not all rows are.
      if (rows < tuples) distinct *= 1 - ((tuples - rows) / tuples) ** (tuples / distinct)
    }
    groups *= clampRows(distinct)
  }
  return Math.min(clampRows(Math.ceil(groups)), Math.max(rows, 1))
}

// Functions that compute something at the end of a group.
function hasFinal({ function: name, type }: Aggregate['calls'][number]): boolean {
  return name === 'avg' || (name === 'sum' && type.oid === typeOids.numeric)
}

// Bytes of a group beside its row.
const groupHeaderBytes = 40

/** Groups by hashes, of rows in order, or of all rows as one. The width is not changed. */
export function grouped(
  settings: PlannerSettings,
  from: Estimate,
  { strategy, keys, calls }: Aggregate,
  groups: number,
): Estimate {
  const { cpu_operator_cost, cpu_tuple_cost, random_page_cost, seq_page_cost } = settings
  if (strategy !== 'hashed' && calls.length === 0) {
    const total = from.total + cpu_operator_cost * from.rows * keys.length
    return { ...from, total, rows: groups }
  }
  const keyCosts = addUp(keys)
  const own = calls.length
  const { startup, perRow } = addUp(
    calls.flatMap(({ argument }) => argument ?? []),
    own,
  )
  const finals = calls.filter(hasFinal).length
  const perInput = perRow + keyCosts.perRow + keys.length
  if (strategy !== 'hashed') {
    const ofInput = (startup + keyCosts.startup + perInput * from.rows) * cpu_operator_cost
    const ofGroups = groups * (finals * cpu_operator_cost + cpu_tuple_cost)
    return { ...from, total: from.total + ofInput + ofGroups, rows: groups }
  }
  let first = from.total + (startup + keyCosts.startup + perInput * from.rows) * cpu_operator_cost
  let total = first + groups * (finals * cpu_operator_cost + cpu_tuple_cost)
  if (keys.length === 0) {
    first += finals * cpu_operator_cost
    return { ...from, startup: first, total: first + cpu_tuple_cost, rows: 1 }
  }
  const memory = settings.work_mem * settings.hash_mem_multiplier * 1024
  const batches = Math.ceil((groups * (groupHeaderBytes + from.width)) / memory)
  if (batches > 1) {
    // Written and read once, where each part then fits.
    const pages = 2 * Math.ceil(bytesOf(from.rows, from.width) / blockBytes)
    const spilling = from.rows * 2 * cpu_tuple_cost
    first += pages * random_page_cost + spilling
    total += pages * (random_page_cost + seq_page_cost) + spilling
  }
  return {
    ...from,
    startup: first,
    total,
    rows: groups,
    disabled: from.disabled + (settings.enable_hashagg ? 0 : 1),
  }
}
