// Merge joins: which inputs come in the keys' order, and which are sorted.
//
// Source: sort_inner_and_outer and match_unsorted_outer in src/backend/optimizer/path/joinpath.c, PostgreSQL 18.
import type { NativePlanNode, NativeType } from '../binding/native.ts'
import type { AnalyzedJoin } from './analyze-join.ts'
import { bareColumn } from './column-variable.ts'
import type { BoundExpression, ColumnReference } from './expression.ts'
import { cheapestFirst } from './expression-cost.ts'
import { type ColumnOrder, satisfies } from './index-match.ts'
import type { JoinFacts } from './join-costs.ts'
import type { JoinVariables } from './join-selectivity.ts'
import { mergeJoinCost, scannedShares } from './merge-costs.ts'
import type { PlanCosts } from './plan-costs.ts'
import { type Candidate, placing } from './plan-scans.ts'

function keyColumns(expressions: readonly BoundExpression[]): ColumnReference[] | undefined {
  const columns = expressions.map((one) => bareColumn(one) as ColumnReference | undefined)
  return columns.includes(undefined) ? undefined : (columns as ColumnReference[])
}

function ascending(columns: readonly ColumnReference[]): ColumnOrder[] {
  return columns.map(({ table, attribute }) => ({
    column: { table, attribute },
    descending: false,
    nullsFirst: false,
  }))
}

/** The orders of a table's rows in which a join could be made without a sort of them. */
export function mergeOrders({ keys }: AnalyzedJoin, table: number): ColumnOrder[][] {
  const sides = [keys.map(({ left }) => left), keys.map(({ right }) => right)]
  return sides.flatMap((side) => {
    const columns = keyColumns(side)
    const isOfTable = columns?.every((column) => column.table === table)
    return columns !== undefined && columns.length > 0 && isOfTable ? [ascending(columns)] : []
  })
}

interface MergeSide {
  candidate: Candidate
  columns: readonly ColumnReference[]
  isSorted: boolean
}

/** What is joined: all ways to get the left rows, and all to get the right ones; the cheapest of each may be sorted. */
export interface MergeSides {
  join: AnalyzedJoin
  lefts: readonly Candidate[]
  rights: readonly Candidate[]
  left: Candidate
  right: Candidate
  facts: JoinFacts
}

export class MergePlanner {
  readonly #costs: PlanCosts
  readonly #typesOf: (columns: readonly ColumnReference[]) => NativeType[]
  readonly #isSortable: (column: ColumnReference) => boolean

  constructor(
    costs: PlanCosts,
    typesOf: (columns: readonly ColumnReference[]) => NativeType[],
    isSortable: (column: ColumnReference) => boolean,
  ) {
    this.#costs = costs
    this.#typesOf = typesOf
    this.#isSortable = isSortable
  }

  joins({ join, lefts, rights, left, right, facts }: MergeSides): Candidate[] {
    const { type, keys, filter } = join
    // As in PostgreSQL, which cannot test more than the keys in these.
    if ((type === 'right' || type === 'full') && filter.length > 0) return []
    const leftColumns = keyColumns(keys.map((key) => key.left))
    const rightColumns = keyColumns(keys.map((key) => key.right))
    if (keys.length === 0 || leftColumns === undefined || rightColumns === undefined) return []
    if (![...leftColumns, ...rightColumns].every(this.#isSortable)) return []
    const sides = (
      candidates: readonly Candidate[],
      cheapest: Candidate,
      columns: readonly ColumnReference[],
    ) =>
      candidates.flatMap((candidate): MergeSide[] => {
        const isSorted = satisfies(candidate.order, ascending(columns))
        return isSorted || candidate === cheapest ? [{ candidate, columns, isSorted }] : []
      })
    return sides(lefts, left, leftColumns).flatMap((one) =>
      sides(rights, right, rightColumns).map((other) => this.#join(join, one, other, facts)),
    )
  }

  #sorted({ candidate, columns, isSorted }: MergeSide): NativePlanNode {
    if (isSorted) return candidate.node
    const indexes = columns.map((column) =>
      candidate.columns.findIndex(
        ({ table, attribute }) => table === column.table && attribute === column.attribute,
      ),
    )
    return {
      node: 'sort',
      child: candidate.node,
      columns: this.#typesOf(candidate.columns),
      keys: indexes.map((index) => ({ index, descending: false, nullsFirst: false })),
    }
  }

  #join(
    { type, keys, filter }: AnalyzedJoin,
    left: MergeSide,
    right: MergeSide,
    facts: JoinFacts,
  ): Candidate {
    const [one, other] = [left.candidate, right.candidate]
    const scanned = scannedShares(facts.keys[0] as JoinVariables, false)
    const { estimate, isMaterialized } = mergeJoinCost(
      this.#costs.settings,
      facts,
      { estimate: this.#costs.of(one.node), isSorted: left.isSorted },
      { estimate: this.#costs.of(other.node), isSorted: right.isSorted },
      scanned,
      filter.length > 0,
    )
    const node: NativePlanNode = {
      node: 'merge join',
      type,
      left: this.#sorted(left),
      right: this.#sorted(right),
      leftColumns: this.#typesOf(one.columns),
      rightColumns: this.#typesOf(other.columns),
      keys: keys.map((key) => ({ left: one.place(key.left), right: other.place(key.right) })),
      filter: cheapestFirst(filter).map(placing([...one.columns, ...other.columns])),
      isMaterialized,
    }
    this.#costs.set(node, estimate)
    const isOfLeft = type === 'semi' || type === 'anti'
    const columns = isOfLeft ? one.columns : [...one.columns, ...other.columns]
    const keepsOrder = type !== 'right' && type !== 'full'
    const order = left.isSorted ? one.order : ascending(left.columns)
    return { node, columns, place: placing(columns), order: keepsOrder ? order : [] }
  }
}
