// What reading a table costs: as a whole, or by an index.
//
// Source: cost_seqscan, cost_index, cost_bitmap_heap_scan, index_pages_fetched in src/backend/optimizer/path/costsize.c, genericcostestimate and
// btcostestimate in src/backend/utils/adt/selfuncs.c, PostgreSQL 18.

import type { PlannerSettings } from '../config/planner-settings.ts'
import { clampRows } from './column-variable.ts'
import type { OperatorCount } from './expression-cost.ts'
import type { TableStatistics } from './table-statistics.ts'

export interface ScanCost {
  startup: number
  total: number
}

/** What an index scan reads. */
export interface IndexUse {
  /** By its place among the table's. */
  index: number
  /** Fraction of the table's rows that its conditions leave. */
  selectivity: number
  /** Entries that are visited; undefined: as many as the conditions leave of the table's rows. */
  entries: number | undefined
  /** Conditions that the index tests. */
  conditions: number
  /** Searches: one for each value of a list. */
  searches: number
  /** How often the whole is done, each time for another row. */
  loops: number
  /** Of the order of the index with that of the table. */
  correlation: number
  isIndexOnly: boolean
}

// Operators that going over a page of the tree counts for.
const operatorsPerPage = 50

const bitmapEntryBytes = 64

export class ScanCosts {
  readonly #settings: PlannerSettings
  // Of all tables of the query.
  readonly #tablePages: number

  constructor(settings: PlannerSettings, tablePages: number) {
    this.#settings = settings
    this.#tablePages = tablePages
  }

  sequential({ pages, tuples }: TableStatistics, filter: OperatorCount): ScanCost {
    const { seq_page_cost, cpu_tuple_cost, cpu_operator_cost } = this.#settings
    const startup = filter.startup * cpu_operator_cost
    const perRow = cpu_tuple_cost + filter.perRow * cpu_operator_cost
    return { startup, total: startup + perRow * tuples + seq_page_cost * pages }
  }

  /** Reading the index alone. */
  ofIndex(table: TableStatistics, use: IndexUse): ScanCost {
    const { random_page_cost, cpu_operator_cost, cpu_index_tuple_cost } = this.#settings
    const { tuples } = table
    const pages = table.indexPages(use.index)
    const searches = Math.max(1, Math.min(use.searches, Math.ceil(pages / 3)))
    let entries = use.entries ?? roundEven((use.selectivity * tuples) / searches)
    entries = Math.max(1, Math.min(entries, Math.max(tuples, 1)))
    let visited = 1
    if (pages > 1 && tuples > 1) visited = Math.ceil((entries * pages) / tuples)
    const scans = searches * use.loops
    let total: number
    if (scans > 1) {
      const fetched = this.#pagesFetched(visited * scans, pages, pages)
      total = (fetched * random_page_cost) / use.loops
    } else {
      total = visited * random_page_cost
    }
    total += entries * searches * (cpu_index_tuple_cost + use.conditions * cpu_operator_cost)
    let descent = 0
    if (tuples > 1) descent += Math.ceil(Math.log2(tuples)) * cpu_operator_cost
    descent += (table.indexHeight(use.index) + 1) * operatorsPerPage * cpu_operator_cost
    return { startup: descent, total: total + searches * descent }
  }

  /** Rows by an index; `filter`: what else is tested. */
  byIndex(table: TableStatistics, use: IndexUse, filter: OperatorCount): ScanCost {
    const { cpu_tuple_cost, cpu_operator_cost, random_page_cost, seq_page_cost } = this.#settings
    const { pages, tuples } = table
    const ofIndex = this.ofIndex(table, use)
    const rows = clampRows(use.selectivity * tuples)
    const indexPages = table.indexPages(use.index)
    const notVisible = (fetched: number) =>
      use.isIndexOnly ? Math.ceil(fetched * (1 - table.allVisibleFraction)) : fetched
    let most: number
    let least: number
    if (use.loops > 1) {
      const fetched = (count: number) =>
        (notVisible(this.#pagesFetched(count * use.loops, pages, indexPages)) * random_page_cost) /
        use.loops
      most = fetched(rows)
      least = fetched(Math.ceil(use.selectivity * pages))
    } else {
      most = notVisible(this.#pagesFetched(rows, pages, indexPages)) * random_page_cost
      const inOrder = notVisible(Math.ceil(use.selectivity * pages))
      least = inOrder > 0 ? random_page_cost + (inOrder - 1) * seq_page_cost : 0
    }
    const perRow = cpu_tuple_cost + filter.perRow * cpu_operator_cost
    const startup = ofIndex.startup + filter.startup * cpu_operator_cost
    const run =
      ofIndex.total - ofIndex.startup + most + use.correlation ** 2 * (least - most) + perRow * rows
    return { startup, total: startup + run }
  }

  /** What a bitmap of what an index leads to costs, for each row that the table's conditions leave a little more. */
  ofBitmap(table: TableStatistics, use: IndexUse, rows: number): number {
    return this.ofIndex(table, use).total + 0.1 * this.#settings.cpu_operator_cost * rows
  }

  /** What putting two bitmaps together costs. */
  get bitmapJunction(): number {
    return 100 * this.#settings.cpu_operator_cost
  }

  /** Rows by a bitmap that costs so much and leads to that fraction of the rows; `all`: what is tested of each. */
  byBitmap(
    table: TableStatistics,
    bitmap: { cost: number; selectivity: number },
    all: OperatorCount,
  ): ScanCost {
    const { cpu_tuple_cost, cpu_operator_cost, random_page_cost, seq_page_cost, work_mem } =
      this.#settings
    const size = Math.max(table.pages, 1)
    let fetched = clampRows(bitmap.selectivity * table.tuples)
    let pages = Math.min((2 * size * fetched) / (2 * size + fetched), table.pages)
    const room = Math.trunc((work_mem * 1024) / bitmapEntryBytes)
    if (room < pages) {
      // Of pages that there is no room for all rows are looked at.
      const lossy = Math.max(0, pages - room / 2) / pages
      fetched = clampRows(table.tuples * (bitmap.selectivity * (1 - lossy) + lossy))
    }
    pages = pages >= size ? size : Math.ceil(pages)
    const perPage =
      pages >= 2
        ? random_page_cost - (random_page_cost - seq_page_cost) * Math.sqrt(pages / size)
        : random_page_cost
    const startup = bitmap.cost + all.startup * cpu_operator_cost
    const perRow = cpu_tuple_cost + all.perRow * cpu_operator_cost
    return { startup, total: startup + pages * perPage + perRow * fetched }
  }

  // By Mackert and Lohman, with the share of the cache that is the object's.
  #pagesFetched(tuples: number, pages: number, indexPages: number): number {
    const size = Math.max(pages, 1)
    const all = Math.max(this.#tablePages + indexPages, 1)
    const share = (this.#settings.effective_cache_size * size) / all
    const cached = share <= 1 ? 1 : Math.ceil(share)
    const wanted = (2 * size * tuples) / (2 * size + tuples)
    if (size <= cached) return wanted >= size ? size : Math.ceil(wanted)
    const limit = (2 * size * cached) / (2 * size - cached)
    if (tuples <= limit) return Math.ceil(wanted)
    return Math.ceil(cached + ((tuples - limit) * (size - cached)) / size)
  }
}

function roundEven(value: number): number {
  const whole = Math.round(value)
  return Math.abs(value % 1) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole
}
