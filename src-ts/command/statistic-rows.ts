// Rows of pg_statistic: what ANALYZE found out about columns, as PostgreSQL's planner reads it.
//
// Source: update_attstats in src/backend/commands/analyze.c, src/include/catalog/pg_statistic.h, PostgreSQL 18.
import type { NativeColumnStatistics } from '../binding/native.ts'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgStatistic } from '../catalog/pg_statistic.ts'
import type { ColumnToAnalyze } from './analyzed-columns.ts'
import type { CommandContext } from './command-context.ts'

type StatisticRow = CatalogRow<typeof pgStatistic>

// STATISTIC_KIND_MCV compares by =, the other kinds by <.
const commonValues = 1
const distinctOption = 'n_distinct='

/** Inserts the row of a table's column, or replaces the one that is there. */
export function writeStatistics(
  { catalogs, session }: CommandContext,
  relation: number,
  column: ColumnToAnalyze,
  found: NativeColumnStatistics,
): void {
  const row = statisticRow(relation, column, found)
  const key = [relation, column.row.attnum, false]
  const [old] = catalogs.locate(session, pgStatistic, 'pg_statistic_relid_att_inh_index', key)
  if (old === undefined) catalogs.insert(session, pgStatistic, [row])
  else catalogs.update(session, pgStatistic, old.tid, row)
}

function statisticRow(
  relation: number,
  column: ColumnToAnalyze,
  { nullFraction, width, distinct, slots }: NativeColumnStatistics,
): StatisticRow {
  const kind = (i: number) => slots[i]?.kind ?? 0
  const operator = (i: number) =>
    slots[i] === undefined ? 0 : slots[i].kind === commonValues ? column.equal : column.less
  const collation = (i: number) => (slots[i] === undefined ? 0 : column.row.attcollation)
  const numbers = (i: number) => (slots[i]?.numbers.length ? slots[i].numbers : null)
  const values = (i: number) => slots[i]?.values ?? null
  return {
    starelid: relation,
    staattnum: column.row.attnum,
    stainherit: false,
    stanullfrac: nullFraction,
    stawidth: width,
    stadistinct: givenDistinct(column.row.attoptions) ?? distinct,
    stakind1: kind(0),
    stakind2: kind(1),
    stakind3: kind(2),
    stakind4: kind(3),
    stakind5: kind(4),
    staop1: operator(0),
    staop2: operator(1),
    staop3: operator(2),
    staop4: operator(3),
    staop5: operator(4),
    stacoll1: collation(0),
    stacoll2: collation(1),
    stacoll3: collation(2),
    stacoll4: collation(3),
    stacoll5: collation(4),
    stanumbers1: numbers(0),
    stanumbers2: numbers(1),
    stanumbers3: numbers(2),
    stanumbers4: numbers(3),
    stanumbers5: numbers(4),
    stavalues1: values(0),
    stavalues2: values(1),
    stavalues3: values(2),
    stavalues4: values(3),
    stavalues5: values(4),
  }
}

// The column's option n_distinct, which counts for more than what was found, unless it is 0.
function givenDistinct(options: readonly string[] | null): number | undefined {
  const text = options?.find((option) => option.startsWith(distinctOption))
  const given = Number(text?.slice(distinctOption.length) ?? 0)
  return given === 0 ? undefined : Math.fround(given)
}
