// Planning of what a query reads: scans of its tables, and their joins.
import type { NativeExpression, NativePlanNode } from '../binding/native.ts'
import type { Names } from './analyze-expression.ts'
import {
  type BoundExpression,
  type ColumnReference,
  malformed,
  nativeType,
  place,
  visitColumns,
} from './expression.ts'
import { comparable } from './operator-types.ts'
import type { Join, Query } from './query.ts'
import type { Scope } from './scope.ts'

/** Operators with what their batches' columns are. */
export interface Stage {
  node: NativePlanNode
  place: (expression: BoundExpression) => NativeExpression
}

interface AnalyzedJoin {
  type: NonNullable<Join['type']>
  keys: { left: BoundExpression; right: BoundExpression }[]
}

const joinTypes: readonly string[] = ['inner', 'left', 'right', 'full', 'semi', 'anti']

function tablesOf(expression: BoundExpression): Set<number> {
  const tables = new Set<number>()
  visitColumns(expression, ({ table }) => tables.add(table))
  return tables
}

function analyzeJoin(names: Names, join: Join, table: number): AnalyzedJoin {
  const { type = 'inner', on } = join
  if (!joinTypes.includes(type)) throw malformed(`unknown type of join "${type}"`)
  const keys = Object.entries(on).map(([first, second]) => {
    const [a, b] = [names.column(first), names.column(second)]
    const [left, right] = tablesOf(a.expression).has(table) ? [b, a] : [a, b]
    const isPair =
      tablesOf(right.expression).has(table) &&
      [...tablesOf(left.expression)].every((earlier) => earlier < table)
    if (!isPair) throw malformed(`"on" of the join compares "${first}" with "${second}"`)
    const [one, other] = comparable(names.codecOf, '=', left, right)
    return { left: one.expression, right: other.expression }
  })
  if (keys.length === 0) throw malformed('a join needs columns in "on"')
  return { type, keys }
}

// The tables whose columns a join may make null.
function nullableTables(joins: readonly AnalyzedJoin[]): Set<number> {
  const nullable = new Set<number>()
  joins.forEach(({ type }, i) => {
    if (type === 'left' || type === 'full') nullable.add(i + 1)
    if (type === 'right' || type === 'full') {
      for (let table = 0; table <= i; table++) nullable.add(table)
    }
  })
  return nullable
}

/** Where a column is in batches with these columns. */
function placing(columns: readonly ColumnReference[]): Stage['place'] {
  return (expression) =>
    place(expression, ({ table, attribute }) =>
      columns.findIndex((one) => one.table === table && one.attribute === attribute),
    )
}

/**
 * The rows of a query's tables that meet the conditions, with the columns that `read` needs. `names` are those of all tables,
 * of semi and anti joins, too.
 */
export function planTables(
  names: Names,
  scope: Scope,
  query: Query,
  conditions: readonly BoundExpression[],
  read: readonly BoundExpression[],
): Stage {
  const joins = (query.join ?? []).map((join, i) => analyzeJoin(names, join, i + 1))
  const nullable = nullableTables(joins)
  // A condition on one table is tested by its scan, unless its columns are null after a join where they were not.
  const ofScan = (condition: BoundExpression): number | undefined => {
    const [table, ...rest] = tablesOf(condition)
    if (rest.length > 0 || (table !== undefined && nullable.has(table))) return undefined
    return table ?? (joins.length === 0 ? 0 : undefined)
  }
  const late = conditions.filter((condition) => ofScan(condition) === undefined)
  const needed = [
    ...read,
    ...late,
    ...joins.flatMap(({ keys }) => keys.flatMap(({ left, right }) => [left, right])),
  ]
  const scan = (table: number): Stage & { columns: ColumnReference[] } => {
    const early = conditions.filter((condition) => ofScan(condition) === table)
    const attributes = new Set<number>()
    for (const expression of [...needed, ...early]) {
      visitColumns(expression, (column) => {
        if (column.table === table) attributes.add(column.attribute)
      })
    }
    const sorted = [...attributes].sort((a, b) => a - b)
    const columns = sorted.map((attribute) => ({ table, attribute }))
    const placed = placing(columns)
    return {
      node: {
        node: 'seq scan',
        relation: table,
        attributes: sorted,
        conditions: early.map(placed),
      },
      place: placed,
      columns,
    }
  }
  const typeOf = (column: ColumnReference) => nativeType(scope.typeOf(column))
  let stage = scan(0)
  joins.forEach(({ type, keys }, i) => {
    const right = scan(i + 1)
    const left = stage
    const isFilter = type === 'semi' || type === 'anti'
    const columns = isFilter ? left.columns : [...left.columns, ...right.columns]
    stage = {
      node: {
        node: 'hash join',
        type,
        left: left.node,
        right: right.node,
        leftColumns: left.columns.map(typeOf),
        rightColumns: right.columns.map(typeOf),
        keys: keys.map((key) => ({ left: left.place(key.left), right: right.place(key.right) })),
      },
      place: placing(columns),
      columns,
    }
  })
  if (late.length === 0) return stage
  const { columns, place: placed } = stage
  return {
    node: {
      node: 'filter',
      child: stage.node,
      columns: columns.length,
      conditions: late.map(placed),
    },
    place: placed,
  }
}
