// Estimate: what running a node of a plan is expected to cost, and how many rows it gives.
import type { PlannerSettings } from '../config/planner-settings.ts'

export interface Estimate {
  /** Until the first row. */
  startup: number
  /** Until the last. */
  total: number
  rows: number
  /** Of a row, in bytes. */
  width: number
  /** Nodes of kinds that settings want avoided. */
  disabled: number
}

// Costs that differ by less than this share count as equal. Source: STD_FUZZ_FACTOR in pathnode.c.
const fuzz = 1.01
const tupleHeaderBytes = 24
export const blockBytes = 8192

/** Is the first one better, for someone who takes that share of the rows? */
export function isCheaper(one: Estimate, other: Estimate, share = 1): boolean {
  if (one.disabled !== other.disabled) return one.disabled < other.disabled
  const cost = ({ startup, total }: Estimate) => startup + share * (total - startup)
  if (cost(one) * fuzz < cost(other)) return true
  if (cost(other) * fuzz < cost(one)) return false
  if (one.startup * fuzz < other.startup) return true
  if (other.startup * fuzz < one.startup) return false
  return cost(one) < cost(other)
}

function align(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

/** Bytes of rows outside of a table. */
export function bytesOf(rows: number, width: number): number {
  return rows * (align(width) + tupleHeaderBytes)
}

/** LIMIT and OFFSET. */
export function limited(
  from: Estimate,
  { limit, offset }: { limit?: number; offset: number },
): Estimate {
  const perRow = from.rows > 0 ? (from.total - from.startup) / from.rows : 0
  const skipped = Math.min(offset, from.rows)
  const startup = from.startup + perRow * skipped
  const left = from.rows - skipped
  const given = limit === undefined ? left : Math.min(limit, left)
  const total = limit === undefined ? from.total : startup + perRow * given
  return { ...from, startup, total, rows: Math.max(given, 1) }
}

// Source: tuplesort_merge_order in src/backend/utils/sort/tuplesort.c.
const tapeBytes = 2 * blockBytes + 32 * blockBytes

/** ORDER BY; `wanted`: only so many of the first rows. Source: cost_tuplesort in costsize.c. */
export function sorted(
  settings: PlannerSettings,
  from: Estimate,
  wanted: number | undefined,
): Estimate {
  const { cpu_operator_cost, seq_page_cost, random_page_cost, work_mem } = settings
  const rows = Math.max(from.rows, 2)
  const memory = work_mem * 1024
  const inputBytes = bytesOf(rows, from.width)
  const isBounded = wanted !== undefined && wanted > 0 && wanted < rows
  const kept = isBounded ? wanted : rows
  const comparison = 2 * cpu_operator_cost
  let startup = from.total
  if (bytesOf(kept, from.width) > memory) {
    const pages = Math.ceil(inputBytes / blockBytes)
    const runs = inputBytes / memory
    const order = Math.min(Math.max(Math.trunc(memory / tapeBytes), 6), 500)
    const passes = runs > order ? Math.ceil(Math.log(runs) / Math.log(order)) : 1
    startup += comparison * rows * Math.log2(rows)
    startup += 2 * pages * passes * (seq_page_cost * 0.75 + random_page_cost * 0.25)
  } else if (rows > 2 * kept || inputBytes > memory) {
    startup += comparison * rows * Math.log2(2 * kept)
  } else {
    startup += comparison * rows * Math.log2(rows)
  }
  return {
    ...from,
    startup,
    total: startup + cpu_operator_cost * rows,
    disabled: from.disabled + (settings.enable_sort ? 0 : 1),
  }
}
