// Planning of set operations, and of the SELECTs that they are made of.
//
// Source: plan_union_children, generate_union_paths and generate_nonunion_paths in src/backend/optimizer/prep/prepunion.c,
// PostgreSQL 18.
import type { NativeExpression, NativePlanNode } from '../binding/native.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import { asCommonType, commonType, type SetColumn, setColumn } from './common-type.ts'
import { nativeType, place, type ResultType } from './expression.ts'
import { groupCount, grouped } from './group-costs.ts'
import { comparable } from './operator-types.ts'
import type { PlanContext } from './plan-context.ts'
import type { PlanCosts } from './plan-costs.ts'
import { planSelect } from './plan-select.ts'
import type { OrderBy, Query, SetOperation } from './query.ts'
import { analyzeOrder, limitNode, rowCounts, sortNode } from './row-order.ts'
import { Scope, type ScopeTable, tablesOfSelect } from './scope.ts'
import { appended, setOperated } from './set-costs.ts'
import { isSetOperation, operandsOf, type SetOperationKind } from './set-operation.ts'
import { typeWidth } from './table-statistics.ts'

/** What gives the rows of a query or of a part of it. */
interface PlannedRows {
  root: NativePlanNode
  columns: readonly SetColumn[]
  /** How many different rows there are expected to be. */
  groups: () => number
  /** Of a union: what it is the rows of, of which none was ordered or counted off. */
  union?: { all: boolean; inputs: readonly NativePlanNode[] }
}

function isSameType(one: ResultType, other: ResultType): boolean {
  return one.codec.oid === other.codec.oid
}

function columnsOf(types: readonly { type: ResultType }[]): NativeExpression[] {
  return types.map(({ type }, index) => ({ kind: 'column', type: nativeType(type), index }))
}

export class SetPlanner {
  readonly #context: PlanContext
  readonly #costs: PlanCosts
  readonly #tables: readonly ScopeTable[]
  // Of those tables, how many the SELECTs so far have named.
  #named = 0

  constructor(context: PlanContext, costs: PlanCosts, tables: readonly ScopeTable[]) {
    this.#context = context
    this.#costs = costs
    this.#tables = tables
  }

  plan(query: Query): PlannedRows {
    if (isSetOperation(query)) return this.#setOperation(query)
    const count = tablesOfSelect(query).length
    const scope = new Scope(this.#tables, this.#named, count)
    this.#named += count
    const { root, output, isGrouped } = planSelect(this.#context, this.#costs, scope, query)
    const groups = () => {
      const { rows } = this.#costs.of(root)
      return isGrouped ? rows : this.#groupCount(root, output, rows)
    }
    // What DISTINCT compares has a type.
    const isTyped = query.distinct === true
    const columns = output.map((column) => setColumn(column, isTyped))
    return { root, columns, groups }
  }

  #groupCount(root: NativePlanNode, output: readonly { type: ResultType }[], rows: number): number {
    const origins = this.#costs.origins(root)
    const variables = columnsOf(output).map((one) => this.#costs.selectivity.variable(one, origins))
    return groupCount(variables, rows, this.#costs.tables)
  }

  #setOperation(query: SetOperation): PlannedRows {
    const { kind, all, queries } = operandsOf(query)
    const [first, ...rest] = queries.map((one) => this.plan(one)) as [PlannedRows, ...PlannedRows[]]
    const rows = rest.reduce((left, right) => this.#combine(kind, all, left, right), first)
    return this.#ordered(query, rows)
  }

  // The columns of both sides as the result has them. Throws 42601, 42804, 42883.
  #commonColumns(what: string, left: PlannedRows, right: PlannedRows): SetColumn[] {
    if (left.columns.length !== right.columns.length) {
      throw new PgError('42601', `each ${what} query must have the same number of columns`)
    }
    if (left.columns.length === 0) {
      throw new PgError('0A000', `${what} of queries without columns is not supported`)
    }
    return left.columns.map((column, i) => {
      const other = right.columns[i] as SetColumn
      const type = commonType(this.#context.codecOf, what, column, other)
      return { name: column.name, type }
    })
  }

  #refuseWithoutEquality(columns: readonly SetColumn[]): void {
    for (const { type } of columns) {
      try {
        const expression = { kind: 'constant', type: nativeType(type), value: null } as const
        comparable(this.#context.codecOf, '=', { expression, type }, { expression, type })
      } catch {
        const name = formatType(type.codec.oid)
        throw new PgError('42883', `could not identify an equality operator for type ${name}`)
      }
    }
  }

  // With columns of these types.
  #converted({ root, columns: given }: PlannedRows, columns: readonly SetColumn[]): NativePlanNode {
    const isSame = given.every(({ type, literal }, i) => {
      const wanted = columns[i] as SetColumn
      return literal === undefined && type.codec.oid === wanted.type.codec.oid
    })
    if (isSame) return root
    const expressions = given.map((column, i) => {
      const made = asCommonType(column, (columns[i] as SetColumn).type, i)
      return place(made, ({ attribute }) => attribute)
    })
    return { node: 'project', child: root, expressions }
  }

  #combine(
    kind: SetOperationKind,
    all: boolean,
    left: PlannedRows,
    right: PlannedRows,
  ): PlannedRows {
    const what = kind.toUpperCase()
    const columns = this.#commonColumns(what, left, right)
    if (kind !== 'union' || !all) this.#refuseWithoutEquality(columns)
    if (kind === 'union') return this.#union(all, columns, [left, right])
    return this.#hashed(kind, all, columns, left, right)
  }

  // The inputs of unions below are this one's, where their duplicates are its own.
  #union(all: boolean, columns: SetColumn[], operands: readonly PlannedRows[]): PlannedRows {
    const inputs = operands.flatMap((operand) => {
      const { union } = operand
      const isOwn = union !== undefined && (union.all || !all)
      const isOfTypes = operand.columns.every(({ type }, i) =>
        isSameType(type, (columns[i] as SetColumn).type),
      )
      return isOwn && isOfTypes ? union.inputs : [this.#converted(operand, columns)]
    })
    const { settings } = this.#costs
    const append: NativePlanNode = { node: 'append', children: inputs }
    const estimate = appended(
      settings,
      inputs.map((input) => this.#costs.of(input)),
    )
    this.#costs.set(append, estimate)
    let root: NativePlanNode = append
    if (!all) {
      root = {
        node: 'aggregate',
        strategy: 'hashed',
        child: append,
        keys: columnsOf(columns),
        calls: [],
      }
      // Nothing is known of how much they have in common.
      this.#costs.set(root, grouped(settings, estimate, root, estimate.rows))
    }
    return { root, columns, groups: () => estimate.rows, union: { all, inputs } }
  }

  #hashed(
    kind: 'intersect' | 'except',
    all: boolean,
    columns: SetColumn[],
    left: PlannedRows,
    right: PlannedRows,
  ): PlannedRows {
    const groups = [left.groups(), right.groups()] as [number, number]
    const inputs = [this.#converted(left, columns), this.#converted(right, columns)]
    // The one with fewer groups is kept.
    if (kind === 'intersect' && groups[1] < groups[0]) {
      groups.reverse()
      inputs.reverse()
    }
    const [one, other] = inputs as [NativePlanNode, NativePlanNode]
    const [a, b] = [this.#costs.of(one), this.#costs.of(other)]
    const ofAll = kind === 'intersect' ? Math.min(a.rows, b.rows) : a.rows
    const rows = all ? ofAll : groups[0]
    const width = columns.reduce((sum, { type }) => sum + typeWidth(type.codec), 0)
    const root: NativePlanNode = {
      node: 'set op',
      command: all ? `${kind} all` : kind,
      left: one,
      right: other,
      columns: columns.map(({ type }) => nativeType(type)),
    }
    const { settings } = this.#costs
    this.#costs.set(root, setOperated(settings, a, b, columns.length, { rows, width }))
    return { root, columns, groups: () => rows }
  }

  #ordered(query: SetOperation, rows: PlannedRows): PlannedRows {
    const { orderBy = [] } = query
    const counts = rowCounts(query)
    let { root } = rows
    if (orderBy.length > 0) {
      const keys = orderBy.map((one) => this.#sortKey(rows.columns, one))
      root = sortNode(root, rows.columns, keys, counts)
    }
    root = limitNode(root, counts)
    if (root === rows.root) return rows
    const { columns } = rows
    return { root, columns, groups: () => Math.min(rows.groups(), this.#costs.of(root).rows) }
  }

  // Throws 42703, 0A000.
  #sortKey(columns: readonly SetColumn[], given: OrderBy) {
    const { column: name, descending, nullsFirst } = analyzeOrder(given)
    if (typeof name !== 'string') {
      throw new PgError('0A000', 'invalid UNION/INTERSECT/EXCEPT ORDER BY clause', {
        detail: 'Only result column names can be used, not expressions or functions.',
        hint: 'Add the expression/function to every SELECT, or move the UNION into a FROM clause.',
      })
    }
    const index = columns.findIndex((one) => one.name === name)
    const found = columns[index]
    if (found === undefined) {
      throw new PgError('42703', `column "${name}" does not exist`, { column: name })
    }
    const expression = { kind: 'constant', type: nativeType(found.type), value: null } as const
    const operand = { expression, type: found.type }
    comparable(this.#context.codecOf, '<', operand, operand)
    return { index, descending, nullsFirst }
  }
}
