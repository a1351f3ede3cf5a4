// Ways to join one more table to the rows so far: by hashes, or by searching an index of the table for each row.
//
// Source: src/backend/optimizer/path/joinpath.c, PostgreSQL 18.
import type { NativePlanNode, NativeType } from '../binding/native.ts'
import type { Estimate } from './estimate.ts'
import { isCheaper } from './estimate.ts'
import {
  type BoundExpression,
  type ColumnReference,
  nativeType,
  visitColumns,
} from './expression.ts'
import { type ColumnOrder, satisfies, usableIndexes } from './index-match.ts'
import {
  hashJoinCost,
  indexJoinCost,
  type JoinFacts,
  type JoinType,
  joinFacts,
} from './join-costs.ts'
import type { PlanCosts } from './plan-costs.ts'
import { type Candidate, placing, type ScanPlanner, type Wanted } from './plan-scans.ts'
import type { Scope, ScopeTable } from './scope.ts'

export interface AnalyzedJoin {
  type: JoinType
  keys: { left: BoundExpression; right: BoundExpression }[]
}

type IndexScan = Extract<NativePlanNode, { node: 'index scan' }>

// The same join with its inputs the other way round.
const swappedTypes: Partial<Record<JoinType, JoinType>> = {
  inner: 'inner',
  left: 'right',
  right: 'left',
  full: 'full',
}

function cheapest(costs: PlanCosts, candidates: readonly Candidate[]): Candidate {
  return candidates.reduce((best, one) =>
    isCheaper(costs.of(one.node), costs.of(best.node)) ? one : best,
  )
}

/** Those that no other one is better than in every respect: cost, first row, order. */
function worthKeeping(costs: PlanCosts, candidates: readonly Candidate[]): Candidate[] {
  const isBetter = (one: Candidate, other: Candidate) => {
    const [a, b] = [costs.of(one.node), costs.of(other.node)]
    const isNoWorse = !isCheaper(b, a) && !isCheaper(b, a, 0)
    return isNoWorse && satisfies(one.order, other.order as ColumnOrder[])
  }
  const kept: Candidate[] = []
  for (const candidate of candidates) {
    if (kept.some((one) => isBetter(one, candidate))) continue
    const rest = kept.filter((one) => !isBetter(candidate, one))
    kept.splice(0, kept.length, ...rest, candidate)
  }
  return kept
}

export class JoinPlanner {
  readonly #scope: Scope
  readonly #costs: PlanCosts
  readonly #scans: ScanPlanner

  constructor(scope: Scope, costs: PlanCosts, scans: ScanPlanner) {
    this.#scope = scope
    this.#costs = costs
    this.#scans = scans
  }

  /** `above`: what is read of the result. */
  joins(
    lefts: readonly Candidate[],
    join: AnalyzedJoin,
    wanted: Wanted,
    above: readonly BoundExpression[],
  ): Candidate[] {
    const right = cheapest(this.#costs, this.#scans.scans({ ...wanted, order: [] }))
    const [left] = lefts as [Candidate]
    const facts = this.#facts(join, left, right, above)
    const { type } = join
    const cheapestLeft = cheapest(this.#costs, lefts)
    const hashed = [this.#hashJoin(cheapestLeft, right, join, facts)]
    const swapped = swappedTypes[type]
    if (swapped !== undefined) {
      const keys = join.keys.map((key) => ({ left: key.right, right: key.left }))
      const other = this.#facts({ type: swapped, keys }, right, cheapestLeft, above)
      const sides = { type: swapped, keys }
      hashed.push(this.#hashJoin(right, cheapestLeft, sides, { ...other, rows: facts.rows }))
    }
    if (type === 'right' || type === 'full') return hashed
    const leftRows = this.#costs.of(left.node).rows
    const joined = join.keys.map(
      (key): BoundExpression => ({
        kind: 'comparison',
        operator: '=',
        left: key.right,
        right: key.left,
      }),
    )
    const looped = lefts.flatMap((one) =>
      this.#scans
        .searches(wanted, joined, leftRows, one.place)
        .map((search) => this.#indexJoin(one, search, type, facts)),
    )
    return worthKeeping(this.#costs, [...hashed, ...looped])
  }

  // Of a join of two inputs, the right one of which may be a table.
  #facts(
    { type, keys }: AnalyzedJoin,
    left: Candidate,
    right: Candidate,
    above: readonly BoundExpression[],
  ): JoinFacts {
    const origins = { left: this.#costs.origins(left.node), right: this.#costs.origins(right.node) }
    const { selectivity } = this.#costs
    const variables = keys.map((key) => ({
      left: selectivity.variable(left.place(key.left), origins.left),
      right: selectivity.variable(right.place(key.right), origins.right),
    }))
    const columns = resultColumns(type, left, right)
    const used = columns.filter(({ table, attribute }) =>
      above.some((expression) => {
        let isRead = false
        visitColumns(expression, (one) => {
          isRead ||= one.table === table && one.attribute === attribute
        })
        return isRead
      }),
    )
    const width = used.reduce(
      (sum, { table, attribute }) => sum + this.#costs.columnWidth(table, attribute),
      0,
    )
    const compared = variables.flatMap((key) => key.right?.column ?? [])
    const [leftRows, rightRows] = [left, right].map(({ node }) => this.#costs.of(node).rows)
    return joinFacts(
      type,
      variables,
      leftRows as number,
      rightRows as number,
      width,
      this.#isUnique(right.columns, compared),
    )
  }

  // Does a row with such values exist once at most?
  #isUnique(columns: readonly ColumnReference[], compared: readonly ColumnReference[]): boolean {
    const [first] = columns
    if (first === undefined || columns.some((one) => one.table !== first.table)) return false
    const { table } = first
    const attributes = compared.map(({ attribute }) => attribute)
    return usableIndexes(this.#scope.tables[table] as ScopeTable).some(
      ([, index]) =>
        index.unique &&
        index.columns
          .slice(0, index.keyCount)
          .every(({ attribute }) => attributes.includes(attribute)),
    )
  }

  #types(columns: readonly ColumnReference[]): NativeType[] {
    return columns.map((column) => nativeType(this.#scope.typeOf(column)))
  }

  #hashJoin(
    left: Candidate,
    right: Candidate,
    { type, keys }: AnalyzedJoin,
    facts: JoinFacts,
  ): Candidate {
    const node: NativePlanNode = {
      node: 'hash join',
      type,
      left: left.node,
      right: right.node,
      leftColumns: this.#types(left.columns),
      rightColumns: this.#types(right.columns),
      keys: keys.map((key) => ({ left: left.place(key.left), right: right.place(key.right) })),
    }
    return this.#joined(node, left, right, type, hashJoinCost, facts, [])
  }

  #indexJoin(
    left: Candidate,
    right: Candidate,
    type: 'inner' | 'left' | 'semi' | 'anti',
    facts: JoinFacts,
  ): Candidate {
    const node: NativePlanNode = {
      node: 'index join',
      type,
      left: left.node,
      right: right.node as IndexScan,
      leftColumns: this.#types(left.columns),
      rightColumns: this.#types(right.columns),
    }
    return this.#joined(node, left, right, type, indexJoinCost, facts, left.order)
  }

  #joined(
    node: NativePlanNode,
    left: Candidate,
    right: Candidate,
    type: JoinType,
    cost: typeof hashJoinCost,
    facts: JoinFacts,
    order: readonly ColumnOrder[],
  ): Candidate {
    const columns = resultColumns(type, left, right)
    const estimate: Estimate = cost(
      this.#costs.settings,
      facts,
      this.#costs.of(left.node),
      this.#costs.of(right.node),
    )
    this.#costs.set(node, estimate)
    return { node, columns, place: placing(columns), order }
  }
}

function resultColumns(
  type: JoinType,
  left: Candidate,
  right: Candidate,
): readonly ColumnReference[] {
  return type === 'semi' || type === 'anti' ? left.columns : [...left.columns, ...right.columns]
}
