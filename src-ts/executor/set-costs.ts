// What set operations cost, and how many rows they give.
//
// Source: cost_append in src/backend/optimizer/path/costsize.c, create_setop_path in pathnode.c, generate_union_paths and
// generate_nonunion_paths in src/backend/optimizer/prep/prepunion.c, PostgreSQL 18.
import type { PlannerSettings } from '../config/planner-settings.ts'
import type { Estimate } from './estimate.ts'

// Of what a row costs elsewhere, as it is only handed on.
const appendShare = 0.5

/** All rows of several inputs, of at least one. */
export function appended(settings: PlannerSettings, inputs: readonly Estimate[]): Estimate {
  const sum = (of: (input: Estimate) => number) =>
    inputs.reduce((total, input) => total + of(input), 0)
  const rows = sum((input) => input.rows)
  return {
    startup: inputs[0]?.startup ?? 0,
    total: sum(({ total }) => total) + settings.cpu_tuple_cost * appendShare * rows,
    rows,
    width: Math.round(sum((input) => input.rows * input.width) / rows),
    disabled: sum(({ disabled }) => disabled),
  }
}

/** INTERSECT or EXCEPT by hashes of so many columns, with so many rows of that width as its result. */
export function setOperated(
  settings: PlannerSettings,
  left: Estimate,
  right: Estimate,
  columns: number,
  result: { rows: number; width: number },
): Estimate {
  const { cpu_operator_cost, enable_hashagg } = settings
  const startup = left.total + right.total + cpu_operator_cost * columns * (left.rows + right.rows)
  return {
    ...result,
    startup,
    total: startup + cpu_operator_cost * result.rows,
    disabled: left.disabled + right.disabled + (enable_hashagg ? 0 : 1),
  }
}
