// EXPLAIN of what a session runs: options, and the forms in which it is given.
import type { NativeOperatorReport } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { Explainer, type ExplainOptions, type Explanation } from '../executor/explain.ts'
import { explainInsertion } from '../executor/explain-insert.ts'
import { explainText } from '../executor/explain-text.ts'
import type { ShownUsage } from '../executor/explain-usage.ts'
import type { ChangePlan } from '../executor/plan-change.ts'
import type { PlanContext } from '../executor/plan-context.ts'
import type { QueryPlan } from '../executor/plan-query.ts'

/** Throws 22023. */
export function refuseUnmeant({ analyze, wal }: ExplainOptions): void {
  if (wal && !analyze) throw new PgError('22023', 'EXPLAIN option WAL requires ANALYZE')
}

function usageOf(
  { timesIo, blockSize }: PlanContext,
  { buffers = true, wal = false }: ExplainOptions,
): ShownUsage {
  return { buffers, wal, timings: timesIo, blockSize }
}

function explainerOf(
  context: PlanContext,
  plan: Pick<QueryPlan, 'tables' | 'costs'>,
  reports: readonly NativeOperatorReport[],
  options: ExplainOptions,
): Explainer {
  const { costs = true } = options
  const ran = reports.length === 0 ? undefined : reports
  return new Explainer(context.codecOf, plan, ran, costs, usageOf(context, options))
}

/** `reports`: none of what did not run. */
export function explainQuery(
  context: PlanContext,
  plan: QueryPlan,
  reports: readonly NativeOperatorReport[],
  options: ExplainOptions,
): Explanation {
  return { Plan: explainerOf(context, plan, reports, options).explain(plan.native.root) }
}

/** The same of an update or a deletion. */
export function explainChange(
  context: PlanContext,
  operation: 'Update' | 'Delete',
  { found, columns }: ChangePlan,
  reports: readonly NativeOperatorReport[],
  options: ExplainOptions,
): Explanation {
  if (found === undefined) throw new PgError('XX000', 'an insertion finds no rows')
  const explainer = explainerOf(context, found, reports, options)
  return { Plan: explainer.explainChange(operation, found.node, columns.length > 0) }
}

/** The same of an insertion of so many rows. */
export function explainInsert(
  context: PlanContext,
  { relation, conflict, columns }: ChangePlan,
  rows: number,
  reports: readonly NativeOperatorReport[],
  options: ExplainOptions,
): Explanation {
  const insertion = { relation, conflict, rows, returns: columns.length > 0 }
  const { costs = true } = options
  return { Plan: explainInsertion(context, insertion, reports, costs, usageOf(context, options)) }
}

/** As it was asked for. */
export function shown(
  explanation: Explanation,
  { format }: ExplainOptions,
): string | [Explanation] {
  return format === 'json' ? [explanation] : explainText(explanation)
}
