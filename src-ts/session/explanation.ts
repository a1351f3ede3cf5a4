// EXPLAIN of what a session runs: options, and the forms in which it is given.
import type { NativeOperatorReport } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { Explainer, type ExplainOptions, type Explanation } from '../executor/explain.ts'
import { explainText } from '../executor/explain-text.ts'
import type { ChangePlan } from '../executor/plan-change.ts'
import type { PlanContext } from '../executor/plan-context.ts'
import type { QueryPlan } from '../executor/plan-query.ts'

/** Throws 22023. */
export function refuseUnmeant({ analyze, wal }: ExplainOptions): void {
  if (wal && !analyze) throw new PgError('22023', 'EXPLAIN option WAL requires ANALYZE')
}

function explainerOf(
  { codecOf, timesIo, blockSize }: PlanContext,
  plan: Pick<QueryPlan, 'tables' | 'costs'>,
  reports: readonly NativeOperatorReport[],
  { costs = true, buffers = true, wal = false }: ExplainOptions,
): Explainer {
  const usage = { buffers, wal, timings: timesIo, blockSize }
  return new Explainer(codecOf, plan, reports.length === 0 ? undefined : reports, costs, usage)
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
  if (found === undefined) throw new PgError('0A000', 'EXPLAIN of an insertion is not supported')
  const explainer = explainerOf(context, found, reports, options)
  return { Plan: explainer.explainChange(operation, found.node, columns.length > 0) }
}

/** As it was asked for. */
export function shown(
  explanation: Explanation,
  { format }: ExplainOptions,
): string | [Explanation] {
  return format === 'json' ? [explanation] : explainText(explanation)
}
