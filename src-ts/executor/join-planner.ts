// Ways to join one more table to the rows so far: by hashes, side by side in the order of the keys, or by going through one side, or searching an index of it, for
// each row of the other.
//
// Source: src/backend/optimizer/path/joinpath.c, PostgreSQL 18.
import type { NativePlanNode, NativeType } from '../binding/native.ts'
import type { AnalyzedJoin } from './analyze-join.ts'
import { isCheaper } from './estimate.ts'
import {
  type BoundExpression,
  type ColumnReference,
  nativeType,
  visitColumns,
} from './expression.ts'
import { cheapestFirst } from './expression-cost.ts'
import { filterFractions } from './filter-selectivity.ts'
import { type ColumnOrder, satisfies, usableIndexes } from './index-match.ts'
import { hashJoinCost, type JoinFacts, type JoinType, joinFacts } from './join-costs.ts'
import { materialized, nestedLoopCost, readAgain } from './loop-costs.ts'
import { MergePlanner } from './merge-planner.ts'
import type { PlanCosts } from './plan-costs.ts'
import { type Candidate, placing, type ScanPlanner, type Wanted } from './plan-scans.ts'
import { isSortable } from './row-order.ts'
import type { Scope, ScopeTable } from './scope.ts'

// The same join with its inputs the other way round.
const swappedTypes: Partial<Record<JoinType, JoinType>> = {
  inner: 'inner',
  left: 'right',
  right: 'left',
  full: 'full',
}

// One input on the left, the other one on the right.
interface Sides {
  join: AnalyzedJoin
  lefts: readonly Candidate[]
  right: Candidate
  rights: readonly Candidate[]
  /** If the right input is a table. */
  rightTable: Wanted | undefined
  facts: JoinFacts
}

function swapped({ type, keys, filter }: AnalyzedJoin): AnalyzedJoin | undefined {
  const other = swappedTypes[type]
  const swappedKeys = keys.map((key) => ({ ...key, left: key.right, right: key.left }))
  return other && { type: other, keys: swappedKeys, filter }
}

// All that is tested, in PostgreSQL's order.
function testsOf({ keys, filter }: AnalyzedJoin): BoundExpression[] {
  return cheapestFirst([...filter, ...keys.map(({ condition }) => condition)])
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
  readonly #merges: MergePlanner

  constructor(
    scope: Scope,
    costs: PlanCosts,
    scans: ScanPlanner,
    bytewiseDefaultCollation: boolean,
  ) {
    this.#scope = scope
    this.#costs = costs
    this.#scans = scans
    this.#merges = new MergePlanner(
      costs,
      (columns) => this.#types(columns),
      (column) => isSortable(scope.typeOf(column), bytewiseDefaultCollation),
    )
  }

  /** `leftTable`: if the left input is one; `above`: what is read of the result. */
  joins(
    lefts: readonly Candidate[],
    leftTable: Wanted | undefined,
    join: AnalyzedJoin,
    rightTable: Wanted,
    above: readonly BoundExpression[],
  ): Candidate[] {
    const rights = this.#scans.scans(rightTable)
    const [left, right] = [cheapest(this.#costs, lefts), cheapest(this.#costs, rights)]
    const facts = this.#facts(join, left, right, above)
    const ways = this.#ways({ join, lefts, right, rights, rightTable, facts })
    const other = swapped(join)
    if (other !== undefined) {
      const { rows } = facts
      ways.push(
        ...this.#ways({
          join: other,
          lefts: rights,
          right: left,
          rights: lefts,
          rightTable: leftTable,
          facts: { ...this.#facts(other, right, left, above), rows },
        }),
      )
    }
    return worthKeeping(this.#costs, ways)
  }

  #ways(sides: Sides): Candidate[] {
    const { join, lefts } = sides
    const { type } = join
    const left = cheapest(this.#costs, lefts)
    const byKeys =
      join.keys.length > 0
        ? [...this.#merges.joins({ ...sides, left }), this.#hashJoin(left, sides)]
        : []
    if (type === 'right' || type === 'full') return byKeys
    return [...byKeys, ...lefts.flatMap((left) => this.#nestedLoops(left, type, sides))]
  }

  #nestedLoops(
    left: Candidate,
    type: 'inner' | 'left' | 'semi' | 'anti',
    { join, right, rightTable, facts }: Sides,
  ): Candidate[] {
    const tests = testsOf(join)
    const loop = (inner: Candidate, filter: readonly BoundExpression[], isSearched: boolean) =>
      this.#nestedLoop(left, inner, type, filter, isSearched, facts)
    const loops: Candidate[] = []
    // What is no table cannot be read again.
    const isTable = rightTable !== undefined
    if (isTable) loops.push(loop(right, tests, false))
    if (!isTable || this.#costs.settings.enable_material)
      loops.push(loop(this.#materialized(right), tests, false))
    if (rightTable !== undefined) {
      const leftRows = this.#costs.of(left.node).rows
      const searches = this.#scans.searches(rightTable, tests, leftRows, left.place)
      loops.push(...searches.map(({ scan, filter }) => loop(scan, filter, true)))
    }
    return loops
  }

  // Of a join of two inputs, the right one of which may be a table.
  #facts(
    join: AnalyzedJoin,
    left: Candidate,
    right: Candidate,
    above: readonly BoundExpression[],
  ): JoinFacts {
    const { type, keys } = join
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
    const filter = filterFractions(
      selectivity,
      join.filter.map(placing([...left.columns, ...right.columns])),
      origins,
      rightRows as number,
    )
    return joinFacts(
      join,
      variables,
      filter,
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

  #hashJoin(left: Candidate, { join, right, facts }: Sides): Candidate {
    const { type, keys, filter } = join
    const node: NativePlanNode = {
      node: 'hash join',
      type,
      left: left.node,
      right: right.node,
      leftColumns: this.#types(left.columns),
      rightColumns: this.#types(right.columns),
      keys: keys.map((key) => ({ left: left.place(key.left), right: right.place(key.right) })),
      filter: cheapestFirst(filter).map(placing([...left.columns, ...right.columns])),
    }
    const [from, to] = [this.#costs.of(left.node), this.#costs.of(right.node)]
    this.#costs.set(node, hashJoinCost(this.#costs.settings, facts, from, to))
    const columns = resultColumns(type, left, right)
    return { node, columns, place: placing(columns), order: [] }
  }

  #materialized(child: Candidate): Candidate {
    const columns = this.#types(child.columns)
    const node: NativePlanNode = { node: 'materialize', child: child.node, columns }
    this.#costs.set(node, materialized(this.#costs.settings, this.#costs.of(child.node)))
    return { ...child, node }
  }

  #nestedLoop(
    left: Candidate,
    right: Candidate,
    type: 'inner' | 'left' | 'semi' | 'anti',
    filter: readonly BoundExpression[],
    isSearched: boolean,
    facts: JoinFacts,
  ): Candidate {
    const both = placing([...left.columns, ...right.columns])
    const read = new Set<number>()
    for (const condition of filter) {
      visitColumns(condition, ({ table, attribute }) =>
        read.add(
          left.columns.findIndex((one) => one.table === table && one.attribute === attribute),
        ),
      )
    }
    read.delete(-1)
    const node: NativePlanNode = {
      node: 'nested loop',
      type,
      left: left.node,
      right: right.node,
      leftColumns: this.#types(left.columns),
      rightColumns: this.#types(right.columns),
      filter: filter.map(both),
      testedColumns: [...read],
      takesFirst: facts.partners !== undefined,
      isSearched,
    }
    const { settings } = this.#costs
    const inner = this.#costs.of(right.node)
    const cost = nestedLoopCost(settings, facts, this.#costs.of(left.node), inner, {
      again: readAgain(settings, right.node, inner),
      // A search tests the conditions itself.
      tested: isSearched ? [] : filter,
      isByIndex: isSearched && filter.length === 0,
    })
    this.#costs.set(node, cost)
    const columns = resultColumns(type, left, right)
    return { node, columns, place: placing(columns), order: left.order }
  }
}

function resultColumns(
  type: JoinType,
  left: Candidate,
  right: Candidate,
): readonly ColumnReference[] {
  return type === 'semi' || type === 'anti' ? left.columns : [...left.columns, ...right.columns]
}
