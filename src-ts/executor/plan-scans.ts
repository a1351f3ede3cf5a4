// Ways to read a table of a query: as a whole, and by each index that is of use.
//
// Source: src/backend/optimizer/path/{allpaths,indxpath}.c, PostgreSQL 18.
import type {
  IndexDescriptor,
  NativeBitmap,
  NativeExpression,
  NativePlanNode,
} from '../binding/native.ts'
import { type BitmapPath, BitmapPaths, truthOf } from './bitmap-paths.ts'
import { clampRows, columnVariable } from './column-variable.ts'
import { type BoundExpression, type ColumnReference, place } from './expression.ts'
import { addUp } from './expression-cost.ts'
import { isImplied } from './implied-conditions.ts'
import {
  type ColumnOrder,
  entryColumns,
  type IndexKey,
  matchIndex,
  orderOf,
  satisfies,
  tablesOf,
  testedBy,
  usableIndexes,
} from './index-match.ts'
import type { PlanCosts } from './plan-costs.ts'
import type { Scope, ScopeTable } from './scope.ts'
import type { TableStatistics } from './table-statistics.ts'

/** Operators with what their batches' columns are, and the order of their rows. */
export interface Candidate {
  node: NativePlanNode
  columns: readonly ColumnReference[]
  place: (expression: BoundExpression) => NativeExpression
  order: readonly ColumnOrder[]
}

/** What a query wants of a table. */
export interface Wanted {
  table: number
  conditions: readonly BoundExpression[]
  /** Columns that are read, those of conditions, too. */
  attributes: readonly number[]
  /** Of them, those that are needed by what is above the scan. */
  kept: readonly number[]
  /** Orders that would be of use. */
  orders: readonly (readonly ColumnOrder[])[]
}

/** An index scan for each row of another input. */
export interface RowSearch {
  scan: Candidate
  /** What else of the joined conditions its rows are to be tested for. */
  filter: BoundExpression[]
}

interface Search {
  keys: readonly IndexKey[]
  order: readonly ColumnOrder[]
  backward?: boolean
  loops?: number
  placeValue?: Candidate['place']
  /** Addresses alone are wanted. */
  isForBitmap?: boolean
}

type NativeIndexScan = Extract<NativePlanNode, { node: 'index scan' }>

/** Where a column is in batches with these columns. */
export function placing(columns: readonly ColumnReference[]): Candidate['place'] {
  return (expression) =>
    place(expression, ({ table, attribute }) =>
      columns.findIndex((one) => one.table === table && one.attribute === attribute),
    )
}

export class ScanPlanner {
  readonly #scope: Scope
  readonly #costs: PlanCosts

  constructor(scope: Scope, costs: PlanCosts) {
    this.#scope = scope
    this.#costs = costs
  }

  /** Rows and bytes of a row that conditions leave of a table, whatever way it is read. */
  size({ table, conditions, kept }: Pick<Wanted, 'table' | 'conditions' | 'kept'>) {
    const { tuples } = this.#costs.tables[table] as TableStatistics
    const width = kept.reduce((sum, one) => sum + this.#costs.columnWidth(table, one), 0)
    return { rows: clampRows(tuples * this.#fraction(table, conditions)), width }
  }

  /**
   * Searches by values of other tables' columns, which `placeValue` puts in place, done so many times: by those indexes that
   * test something of `joined`, conditions on both.
   */
  searches(
    wanted: Wanted,
    joined: readonly BoundExpression[],
    loops: number,
    placeValue: Candidate['place'],
  ): RowSearch[] {
    const conditions = [...wanted.conditions, ...joined]
    const given = { ...wanted, conditions }
    const table = this.#scope.tables[wanted.table] as ScopeTable
    return usableIndexes(table).flatMap(([number, index]) => {
      const keys = matchIndex(wanted.table, index, conditions)
      const tested = testedBy(keys)
      const filter = joined.filter((one) => !tested.has(one))
      if (filter.length === joined.length) return []
      const search = { keys, order: [], loops, placeValue }
      return [{ scan: this.#indexScan(given, number, index, search), filter }]
    })
  }

  /** All of them, the scan of the whole table first. */
  scans(wanted: Wanted): Candidate[] {
    const { table, conditions, attributes, orders } = wanted
    const columns = attributes.map((attribute) => ({ table, attribute }))
    const placed = placing(columns)
    const statistics = this.#costs.tables[table] as TableStatistics
    const { rows, width } = this.size(wanted)
    const node: NativePlanNode = {
      node: 'seq scan',
      relation: table,
      attributes: [...attributes],
      conditions: conditions.map(placed),
    }
    this.#costs.set(node, {
      ...this.#costs.scans.sequential(statistics, addUp(conditions)),
      rows,
      width,
      disabled: this.#costs.settings.enable_seqscan ? 0 : 1,
    })
    const scans: Candidate[] = [{ node, columns, place: placed, order: [] }]
    for (const [number, index] of usableIndexes(this.#scope.tables[table] as ScopeTable)) {
      const keys = matchIndex(table, index, conditions)
      const forward = orderOf(table, index, keys, false)
      const useful = orders.filter((order) => order.length > 0)
      const isOrdered = useful.some((order) => satisfies(forward, order))
      const isEnough = this.#entryColumns(wanted, index) !== undefined
      if (keys.length > 0 || isOrdered || isEnough) {
        scans.push(this.#indexScan(wanted, number, index, { keys, order: forward }))
      }
      const backward = orderOf(table, index, keys, true)
      const isBackward = useful.some(
        (order) => !satisfies(forward, order) && satisfies(backward, order),
      )
      if (isBackward) {
        scans.push(
          this.#indexScan(wanted, number, index, { keys, order: backward, backward: true }),
        )
      }
    }
    return [...scans, ...this.#bitmapScan(wanted)]
  }

  // Of an index that has all columns that are read.
  #entryColumns({ table, attributes }: Wanted, index: IndexDescriptor): number[] | undefined {
    if (!this.#costs.settings.enable_indexonlyscan) return undefined
    return entryColumns(this.#scope.tables[table] as ScopeTable, index, attributes)
  }

  // Of a table's rows, those for which the conditions hold; values of other tables' columns are not known yet.
  #fraction(table: number, conditions: readonly BoundExpression[]): number {
    const columns: (ColumnReference | undefined)[] = []
    const placed = conditions.map((condition) =>
      place(condition, (column) => columns.push(column.table === table ? column : undefined) - 1),
    )
    return this.#costs.selectivity.all(placed, columns)
  }

  #indexScan(
    wanted: Wanted,
    number: number,
    index: IndexDescriptor,
    { keys, order, backward = false, loops = 1, placeValue, isForBitmap = false }: Search,
  ): Candidate {
    const { table, conditions, attributes } = wanted
    const columns = attributes.map((attribute) => ({ table, attribute }))
    const placed = placing(columns)
    const tested = testedBy(keys)
    const rest = conditions.filter((condition) => !tested.has(condition))
    const entries = isForBitmap ? undefined : this.#entryColumns(wanted, index)
    const node: NativeIndexScan = {
      node: 'index scan',
      relation: table,
      index: number,
      backward,
      keys: keys.map(({ column, operator, value, list }) => ({
        column,
        operator,
        ...(value && { value: (placeValue ?? placed)(value) }),
        ...(list && {
          list: list.values,
          type: list.type,
          ...(list.isJunction && { isJunction: true }),
        }),
      })),
      attributes: [...attributes],
      conditions: rest
        .filter((condition) => [...tablesOf(condition)].every((one) => one === table))
        .map(placed),
      ...(entries && { entryColumns: entries }),
    }
    const statistics = this.#costs.tables[table] as TableStatistics
    const isIndexOnly = entries !== undefined
    const use = { ...this.#use(wanted, number, index, keys), loops, isIndexOnly }
    this.#costs.set(node, {
      ...this.#costs.scans.byIndex(statistics, use, addUp(rest)),
      ...this.size(wanted),
      disabled: this.#costs.settings.enable_indexscan ? 0 : 1,
    })
    return { node, columns, place: placed, order }
  }

  // By the best bitmap there is.
  #bitmapScan(wanted: Wanted): Candidate[] {
    const { table, conditions, attributes } = wanted
    const statistics = this.#costs.tables[table] as TableStatistics
    const { scans, settings } = this.#costs
    const size = this.size(wanted)
    const all = addUp(conditions)
    const indexes = usableIndexes(this.#scope.tables[table] as ScopeTable)
    const byNumber = new Map(indexes)
    const path = new BitmapPaths({
      table,
      indexes,
      price: (number, keys) => {
        const index = byNumber.get(number) as IndexDescriptor
        const use = { ...this.#use(wanted, number, index, keys), loops: 1 }
        const tested = testedBy(keys)
        const rest = addUp(conditions.filter((condition) => !tested.has(condition)))
        return {
          cost: scans.ofBitmap(statistics, use, size.rows),
          selectivity: use.selectivity,
          scanCost: scans.byIndex(statistics, use, rest).total,
        }
      },
      readingCost: (bitmap) => scans.byBitmap(statistics, bitmap, all).total,
      junctionCost: scans.bitmapJunction,
    }).best(conditions)
    if (path === undefined) return []
    const columns = attributes.map((attribute) => ({ table, attribute }))
    const placed = placing(columns)
    const truth = truthOf(path, (key) => (key.isLossy ? key.condition : key.of))
    const filter = conditions.filter((condition) => !isImplied(condition, truth))
    // What is tested in any case need not be tested again.
    const recheck = truthOf(path, (key) => key.of).filter((one) => !filter.includes(one))
    const node: NativePlanNode = {
      node: 'bitmap scan',
      relation: table,
      attributes: [...attributes],
      bitmap: this.#bitmap(wanted, path, byNumber),
      recheck: recheck.map(placed),
      conditions: filter.map(placed),
    }
    this.#costs.set(node, {
      ...scans.byBitmap(statistics, path, all),
      ...size,
      disabled: settings.enable_bitmapscan ? 0 : 1,
    })
    return [{ node, columns, place: placed, order: [] }]
  }

  #bitmap(
    wanted: Wanted,
    path: BitmapPath,
    indexes: ReadonlyMap<number, IndexDescriptor>,
  ): NativeBitmap {
    const { tuples } = this.#costs.tables[wanted.table] as TableStatistics
    const rows = clampRows(path.selectivity * tuples)
    if (path.kind !== 'index') {
      const children = path.paths.map((one) => this.#bitmap(wanted, one, indexes))
      const [only] = children
      if (children.length === 1 && only) return only
      const node: NativeBitmap = { node: `bitmap ${path.kind}`, children }
      const { cost } = path
      this.#costs.set(node, { startup: cost, total: cost, rows, width: 0, disabled: 0 })
      return node
    }
    const index = indexes.get(path.index) as IndexDescriptor
    const search = { keys: path.keys, order: [], isForBitmap: true }
    const { node: scan } = this.#indexScan(wanted, path.index, index, search)
    const node = { ...(scan as NativeIndexScan), attributes: [], conditions: [] }
    const use = { ...this.#use(wanted, path.index, index, path.keys), loops: 1 }
    const statistics = this.#costs.tables[wanted.table] as TableStatistics
    const { total } = this.#costs.scans.ofIndex(statistics, use)
    this.#costs.set(node, { startup: 0, total, rows, width: 0, disabled: 0 })
    return node
  }

  #use({ table }: Wanted, number: number, index: IndexDescriptor, keys: readonly IndexKey[]) {
    const { tuples } = this.#costs.tables[table] as TableStatistics
    const fraction = (used: readonly IndexKey[]) =>
      this.#fraction(
        table,
        used.map(({ condition }) => condition),
      )
    const bounds = boundsOf(keys)
    const isEquality = ({ operator }: IndexKey) => operator === '='
    const searches = keys.find(({ list }) => list !== undefined)?.list?.values.length
    const isOneRow =
      searches === undefined &&
      index.unique &&
      new Set(bounds.filter(isEquality).map(({ column }) => column)).size === index.keyCount
    return {
      index: number,
      selectivity: fraction(keys),
      entries: isOneRow ? 1 : Math.round((fraction(bounds) * tuples) / (searches ?? 1)),
      conditions: keys.length,
      searches: searches ?? 1,
      correlation: this.#correlation(table, index),
      isIndexOnly: false,
    }
  }

  #correlation(table: number, index: IndexDescriptor): number {
    const [first] = index.columns
    if (first === undefined) return 0
    const statistics = this.#costs.tables[table] as TableStatistics
    const variable = columnVariable(statistics, { table, attribute: first.attribute })
    const correlation = variable?.statistics?.correlation ?? 0
    const signed = first.descending ? -correlation : correlation
    return index.keyCount > 1 ? signed * 0.75 : signed
  }
}

// The conditions that tell where in the index the search begins and ends.
function boundsOf(keys: readonly IndexKey[]): IndexKey[] {
  const bounds: IndexKey[] = []
  for (let column = 0; ; column++) {
    const ofColumn = keys.filter((key) => key.column === column)
    bounds.push(...ofColumn)
    const isFixed = ofColumn.some(({ operator }) => operator === '=' || operator === 'is null')
    if (!isFixed) return bounds
  }
}
