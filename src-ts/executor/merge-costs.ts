// What merge joins cost.
//
// Source: initial_cost_mergejoin and final_cost_mergejoin in src/backend/optimizer/path/costsize.c, mergejoinscansel and
// get_variable_range in src/backend/utils/adt/selfuncs.c, PostgreSQL 18.
import type { PlannerSettings } from '../config/planner-settings.ts'
import { clampRows, type Variable } from './column-variable.ts'
import { comparesWithConstant, inequalityByDefault, sum } from './comparison-selectivity.ts'
import { bytesOf, type Estimate, sorted } from './estimate.ts'
import { type JoinFacts, matches } from './join-costs.ts'
import type { JoinVariables } from './join-selectivity.ts'
import { scalarOf } from './statistic-values.ts'

// Which share of an input's rows is passed over before the other one begins, and which has come when one of them ends.
interface Scanned {
  start: number
  end: number
}

// The least and the greatest value that statistics know.
function rangeOf({ codec, statistics }: Variable): [unknown, unknown] | undefined {
  if (statistics === undefined) return undefined
  const { histogram, commonValues, commonFractions, nullFraction } = statistics
  const isComplete = sum(commonFractions) + nullFraction > 0.99999
  const known = [
    ...(histogram.length > 0 ? [histogram[0], histogram.at(-1)] : []),
    ...(histogram.length > 0 || isComplete ? commonValues : []),
  ]
  const scaled = known.map((value) => ({ value, scalar: scalarOf(codec, value) }))
  const [first] = scaled
  if (first === undefined || scaled.some(({ scalar }) => scalar === undefined)) return undefined
  let [least, most] = [first, first]
  for (const one of scaled) {
    if ((one.scalar as number) < (least.scalar as number)) least = one
    if ((one.scalar as number) > (most.scalar as number)) most = one
  }
  return [least.value, most.value]
}

/** Of the first key; `descending`: both inputs come so. */
export function scannedShares(
  { left, right }: JoinVariables,
  descending: boolean,
): { left: Scanned; right: Scanned } {
  const all = { left: { start: 0, end: 1 }, right: { start: 0, end: 1 } }
  const [ofLeft, ofRight] = [left && rangeOf(left), right && rangeOf(right)]
  if (!left || !right || !ofLeft || !ofRight) return all
  const [leftFirst, leftLast] = descending ? [...ofLeft].reverse() : ofLeft
  const [rightFirst, rightLast] = descending ? [...ofRight].reverse() : ofRight
  const [before, upTo] = descending ? (['>', '>='] as const) : (['<', '<='] as const)
  const shares = all
  const end = (variable: Variable, last: unknown) => {
    const share = comparesWithConstant(variable, upTo, last)
    return share === inequalityByDefault ? 1 : share
  }
  const start = (variable: Variable, first: unknown) => {
    const share = comparesWithConstant(variable, before, first)
    return share === inequalityByDefault ? 0 : share
  }
  const ends = [end(left, rightLast), end(right, leftLast)] as const
  // Only one of the inputs can end before the other one, and only one of them can begin before.
  if (ends[0] < ends[1]) shares.left.end = ends[0]
  if (ends[1] < ends[0]) shares.right.end = ends[1]
  const starts = [start(left, rightFirst), start(right, leftFirst)] as const
  if (starts[0] > starts[1]) shares.left.start = starts[0]
  if (starts[1] > starts[0]) shares.right.start = starts[1]
  return shares
}

/** An input, and whether it has to be sorted. */
export interface MergeInput {
  estimate: Estimate
  isSorted: boolean
}

function ofInput(settings: PlannerSettings, input: MergeInput, share: Scanned) {
  const from = input.isSorted ? input.estimate : sorted(settings, input.estimate, undefined)
  const rows = Math.max(input.estimate.rows, 1)
  const skipped = Math.round(rows * share.start)
  const read = clampRows(rows * share.end)
  const run = from.total - from.startup
  return {
    skipped,
    read,
    startup: from.startup + (run * skipped) / rows,
    run: run * (read / rows - skipped / rows),
    disabled: from.disabled,
  }
}

export interface MergeCost {
  estimate: Estimate
  /** The right rows are kept as they come, so that some of them can be read again. */
  isMaterialized: boolean
}

/** `scanned`: see `scannedShares`. `hasFilter`: more is tested than the keys. */
export function mergeJoinCost(
  settings: PlannerSettings,
  facts: JoinFacts,
  left: MergeInput,
  right: MergeInput,
  scanned: ReturnType<typeof scannedShares>,
  hasFilter: boolean,
): MergeCost {
  const { cpu_operator_cost, cpu_tuple_cost, enable_material, enable_mergejoin, work_mem } =
    settings
  const { type, keyCost, filterCost } = facts
  const whole: Scanned = { start: 0, end: 1 }
  const keepsLeft = type === 'left' || type === 'anti' || type === 'full'
  const keepsRight = type === 'right' || type === 'full'
  const outer = ofInput(settings, left, keepsLeft ? whole : scanned.left)
  const inner = ofInput(settings, right, keepsRight ? whole : scanned.right)
  const pairs = matches(facts, left.estimate, right.estimate)
  const needsNoMark = facts.partners !== undefined && !hasFilter
  const rescanned = needsNoMark ? 0 : Math.max(pairs - right.estimate.rows, 0)
  const ratio = 1 + rescanned / inner.read
  const again = inner.run * ratio
  const kept = inner.run + cpu_operator_cost * inner.read * ratio
  const bytes = bytesOf(right.estimate.rows, right.estimate.width)
  const isMaterialized =
    !needsNoMark &&
    enable_material &&
    (kept < again || (!right.isSorted && bytes > work_mem * 1024))
  let startup = outer.startup + inner.startup
  let run = outer.run + (isMaterialized ? kept : again)
  const comparing = keyCost.perRow * cpu_operator_cost
  startup += (keyCost.startup + filterCost.startup) * cpu_operator_cost
  startup += comparing * (outer.skipped + inner.skipped * ratio)
  run += comparing * (outer.read - outer.skipped + (inner.read - inner.skipped) * ratio)
  run += (cpu_tuple_cost + filterCost.perRow * cpu_operator_cost) * pairs
  const disabled = outer.disabled + inner.disabled + (enable_mergejoin ? 0 : 1)
  const { rows, width } = facts
  return { estimate: { startup, total: startup + run, rows, width, disabled }, isMaterialized }
}
