// What joins cost, and how many rows they give.
//
// Source: calc_joinrel_size_estimate, initial_cost_hashjoin, final_cost_hashjoin in
// src/backend/optimizer/path/costsize.c, estimate_hash_bucket_stats in src/backend/utils/adt/selfuncs.c,
// ExecChooseHashTableSize in src/backend/executor/nodeHash.c, PostgreSQL 18.
import type { PlannerSettings } from '../config/planner-settings.ts'
import type { AnalyzedJoin } from './analyze-join.ts'
import { clampRows, distinctValues } from './column-variable.ts'
import { blockBytes, bytesOf, type Estimate } from './estimate.ts'
import { addUp, type OperatorCount } from './expression-cost.ts'
import type { FilterFractions } from './filter-selectivity.ts'
import { type JoinVariables, pairFraction, partnerFraction } from './join-selectivity.ts'

export type JoinType = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti'

/** What is known of a join before it is known how it is done. */
export interface JoinFacts {
  type: JoinType
  keys: readonly JoinVariables[]
  /** Operators of comparing keys, and of the other conditions. */
  keyCost: OperatorCount
  filterCost: OperatorCount
  /** Of the result. */
  rows: number
  width: number
  /** Of the left rows, those that have a partner, and how many they have; for joins that look for one alone. */
  partners: { fraction: number; count: number } | undefined
}

export function joinFacts(
  { type, keys: compared, filter }: AnalyzedJoin,
  keys: readonly JoinVariables[],
  fractions: FilterFractions,
  leftRows: number,
  rightRows: number,
  width: number,
  isRightUnique: boolean,
): JoinFacts {
  const pairs = keys.reduce((product, key) => product * pairFraction(key), fractions.pairs)
  const partnered = keys.reduce(
    (product, key) => product * partnerFraction(key, rightRows),
    fractions.partnered,
  )
  const inner = leftRows * rightRows * pairs
  const rows = {
    inner,
    left: Math.max(inner, leftRows),
    right: Math.max(inner, rightRows),
    full: Math.max(inner, leftRows, rightRows),
    semi: leftRows * partnered,
    anti: leftRows * (1 - partnered),
  }[type]
  let partners: JoinFacts['partners']
  if (type === 'semi' || type === 'anti') {
    const count = partnered > 0 ? (pairs * rightRows) / partnered : 1
    partners = { fraction: partnered, count: Math.max(1, count) }
  } else if (isRightUnique) {
    // PostgreSQL takes the fraction of pairs for that of rows here, and so does who wants its costs.
    partners = { fraction: pairs, count: Math.max(1, rightRows) }
  }
  return {
    type,
    keys,
    keyCost: addUp(compared.map(({ condition }) => condition)),
    filterCost: addUp(filter),
    rows: clampRows(rows),
    width,
    partners,
  }
}

const tuplesPerBucketHeader = 16
const minimalTupleBytes = 16
const bucketsMin = 1024

function pages(estimate: Estimate): number {
  return Math.ceil(bytesOf(estimate.rows, estimate.width) / blockBytes)
}

// How many buckets hashes have, and how many times rows are taken.
function hashTable(settings: PlannerSettings, { rows, width }: Estimate) {
  const rowBytes = tuplesPerBucketHeader + minimalTupleBytes + Math.ceil(width / 8) * 8
  const bytes = rows * rowBytes
  const memory = settings.work_mem * settings.hash_mem_multiplier * 1024
  const power = (count: number) => 2 ** Math.ceil(Math.log2(Math.max(count, 1)))
  let buckets = Math.max(power(rows), bucketsMin)
  let batches = 1
  if (bytes + buckets * 8 > memory) {
    buckets = power(Math.floor(memory / (rowBytes + 8)))
    if (buckets > memory / (rowBytes + 8)) buckets = Math.max(buckets / 2, bucketsMin)
    batches = Math.max(2, power(Math.ceil(bytes / (memory - buckets * 8))))
  }
  return { buckets, batches }
}

// The share of the right rows that a bucket has which is looked into.
function bucketShare({ right }: JoinVariables, rightRows: number, buckets: number): number {
  if (right === undefined) return 0.1
  const { count, isDefault } = distinctValues(right)
  const most = right.statistics?.commonFractions[0] ?? 0
  if (isDefault) return Math.max(0.1, most)
  const average = (1 - (right.statistics?.nullFraction ?? 0)) / count
  const distinct = right.tuples > 0 ? clampRows((count * rightRows) / right.tuples) : count
  let share = 1 / Math.min(distinct, buckets)
  if (average > 0 && most > average) share *= most / average
  return Math.min(Math.max(share, 1e-6), 1)
}

/** Pairs that equalities leave. */
export function matches(facts: JoinFacts, left: Estimate, right: Estimate): number {
  const fraction = facts.keys.reduce((product, key) => product * pairFraction(key), 1)
  return clampRows(fraction * left.rows * right.rows)
}

export function hashJoinCost(
  settings: PlannerSettings,
  facts: JoinFacts,
  left: Estimate,
  right: Estimate,
): Estimate {
  const { cpu_operator_cost, cpu_tuple_cost, seq_page_cost } = settings
  const hashing = cpu_operator_cost * facts.keys.length
  const { keyCost, filterCost } = facts
  let startup = left.startup + right.total + (hashing + cpu_tuple_cost) * right.rows
  startup += (keyCost.startup + filterCost.startup) * cpu_operator_cost
  let run = left.total - left.startup + hashing * left.rows
  const { buckets, batches } = hashTable(settings, right)
  if (batches > 1) {
    startup += seq_page_cost * pages(right)
    run += seq_page_cost * (pages(right) + 2 * pages(left))
  }
  const allBuckets = buckets * batches
  const share = Math.min(...facts.keys.map((key) => bucketShare(key, right.rows, allBuckets)))
  const comparing = cpu_operator_cost * keyCost.perRow
  let found: number
  if (facts.partners === undefined) {
    run += comparing * left.rows * clampRows(right.rows * share) * 0.5
    found = matches(facts, left, right)
  } else {
    const matched = Math.round(left.rows * facts.partners.fraction)
    const scanned = 2 / (facts.partners.count + 1)
    run += comparing * matched * clampRows(right.rows * share * scanned) * 0.5
    run += comparing * (left.rows - matched) * clampRows(right.rows / allBuckets) * 0.05
    found = facts.type === 'anti' ? left.rows - matched : matched
  }
  run += (cpu_tuple_cost + filterCost.perRow * cpu_operator_cost) * found
  const disabled = left.disabled + right.disabled + (settings.enable_hashjoin ? 0 : 1)
  return { startup, total: startup + run, rows: facts.rows, width: facts.width, disabled }
}
