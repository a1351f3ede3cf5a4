// Planning: a query object as the operators that run it.
import type { AccessColumn } from '../access/relation-access.ts'
import type { NativePlan } from '../binding/native.ts'
import { nativeLane } from '../relation/descriptor.ts'
import { nativeType } from './expression.ts'
import { refuseDuplicates } from './output-columns.ts'
import type { PlanContext } from './plan-context.ts'
import { PlanCosts } from './plan-costs.ts'
import { SetPlanner } from './plan-sets.ts'
import type { Query } from './query.ts'
import type { ScopeTable } from './scope.ts'

export interface QueryPlan {
  native: NativePlan
  costs: PlanCosts
  /** No two of them go by the same name. */
  tables: readonly ScopeTable[]
  /** Names and codecs of the result's columns. */
  columns: Pick<AccessColumn, 'name' | 'codec'>[]
}

// Rows of a batch that crosses to JavaScript.
const outputBatchRows = 1000

// Tables that go by the same name in different SELECTs of a query, as EXPLAIN calls them.
// Source: set_rtable_names in src/backend/utils/adt/ruleutils.c, PostgreSQL 18.
function withOwnNames(tables: readonly ScopeTable[]): ScopeTable[] {
  const taken = new Set<string>()
  return tables.map((table) => {
    let alias = table.alias
    for (let i = 1; taken.has(alias); i++) alias = `${table.alias}_${i}`
    taken.add(alias)
    return { ...table, alias }
  })
}

/** `tables`: those that the query names, in order. */
export function planQuery(
  context: PlanContext,
  query: Query,
  tables: readonly ScopeTable[],
): QueryPlan {
  const statistics = tables.map(({ relation }) => context.statisticsOf(relation))
  const costs = new PlanCosts(context.settings, statistics, context.codecOf)
  const { root, columns } = new SetPlanner(context, costs, tables).plan(query)
  refuseDuplicates(columns)
  return {
    native: {
      relations: tables.map(({ relation }) => relation.access.native),
      root,
      columns: columns.map(({ type }) => ({ ...nativeType(type), lane: nativeLane(type.codec) })),
      capacity: outputBatchRows,
      bytewiseDefaultCollation: context.bytewiseDefaultCollation,
    },
    costs,
    tables: withOwnNames(tables),
    columns: columns.map(({ name, type }) => ({ name, codec: type.codec })),
  }
}
