// What nested loops cost, and rows that are kept for them.
//
// Source: initial_cost_nestloop, final_cost_nestloop, cost_material and cost_rescan in
// src/backend/optimizer/path/costsize.c, PostgreSQL 18.
import type { NativePlanNode } from '../binding/native.ts'
import type { PlannerSettings } from '../config/planner-settings.ts'
import { blockBytes, bytesOf, type Estimate } from './estimate.ts'
import type { BoundExpression } from './expression.ts'
import { addUp } from './expression-cost.ts'
import type { JoinFacts } from './join-costs.ts'

type Cost = Pick<Estimate, 'startup' | 'total'>

// Pages that go to a file because memory does not do.
function spilledPages({ work_mem }: PlannerSettings, { rows, width }: Estimate): number {
  const bytes = bytesOf(rows, width)
  return bytes > work_mem * 1024 ? Math.ceil(bytes / blockBytes) : 0
}

/** Rows of an input, kept the first time. */
export function materialized(settings: PlannerSettings, from: Estimate): Estimate {
  const { cpu_operator_cost, seq_page_cost } = settings
  const keeping = 2 * cpu_operator_cost * from.rows + seq_page_cost * spilledPages(settings, from)
  return {
    ...from,
    total: from.total + keeping,
    disabled: from.disabled + (settings.enable_material ? 0 : 1),
  }
}

/** Each time but the first. */
export function readAgain(
  settings: PlannerSettings,
  { node }: NativePlanNode,
  first: Estimate,
): Cost {
  if (node !== 'materialize') return first
  const { cpu_operator_cost, seq_page_cost } = settings
  const total = cpu_operator_cost * first.rows + seq_page_cost * spilledPages(settings, first)
  return { startup: 0, total }
}

export interface LoopFacts {
  /** Of reading the right rows again. */
  again: Cost
  /** By the join, of each pair. */
  tested: readonly BoundExpression[]
  /** An index finds the partners of a left row, and nothing else. */
  isByIndex: boolean
}

/** `right`: of one time, or of one search for a left row. */
export function nestedLoopCost(
  settings: PlannerSettings,
  facts: JoinFacts,
  left: Estimate,
  right: Estimate,
  { again, tested, isByIndex }: LoopFacts,
): Estimate {
  const { cpu_operator_cost, cpu_tuple_cost } = settings
  const testing = addUp(tested)
  const repeats = Math.max(left.rows - 1, 0)
  const once = right.total - right.startup
  const next = again.total - again.startup
  const startup = left.startup + right.startup + testing.startup * cpu_operator_cost
  let run = left.total - left.startup + repeats * again.startup
  let pairs: number
  if (facts.partners === undefined) {
    run += once + repeats * next
    pairs = left.rows * right.rows
  } else {
    let matched = Math.round(left.rows * facts.partners.fraction)
    let unmatched = left.rows - matched
    // Of the right rows, those that are looked at until a partner is found.
    const scanned = 2 / (facts.partners.count + 1)
    pairs = matched * right.rows * scanned
    if (isByIndex) {
      run += once * scanned
      if (matched > 1) run += (matched - 1) * next * scanned
      run += (unmatched * next) / right.rows
    } else {
      pairs += unmatched * right.rows
      run += once
      if (unmatched >= 1) unmatched -= 1
      else matched -= 1
      if (matched > 0) run += matched * next * scanned
      if (unmatched > 0) run += unmatched * next
    }
  }
  run += (cpu_tuple_cost + testing.perRow * cpu_operator_cost) * pairs
  const disabled = left.disabled + right.disabled + (settings.enable_nestloop ? 0 : 1)
  return { startup, total: startup + run, rows: facts.rows, width: facts.width, disabled }
}
