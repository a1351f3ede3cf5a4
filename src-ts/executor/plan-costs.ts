// PlanCosts: what the nodes of a query's plans are expected to cost.
//
// Whoever makes a scan or a join says its estimate; what is above them is computed here. Source: cost_agg, cost_qual_eval in
// src/backend/optimizer/path/costsize.c, estimate_num_groups in src/backend/utils/adt/selfuncs.c, PostgreSQL 18.
import type {
  NativeBitmap,
  NativeExpression,
  NativePlanNode,
  NativeType,
} from '../binding/native.ts'
import type { PlannerSettings } from '../config/planner-settings.ts'
import { clampRows, type Origins, type Variable } from './column-variable.ts'
import { type Estimate, limited, sorted } from './estimate.ts'
import { type BoundExpression, operandType, place } from './expression.ts'
import { addUp } from './expression-cost.ts'
import { groupCount, grouped } from './group-costs.ts'
import type { CodecOf } from './operator-types.ts'
import { ScanCosts } from './scan-costs.ts'
import { Selectivity } from './selectivity.ts'
import { type TableStatistics, typeWidth } from './table-statistics.ts'

// Of a row: of system columns plans have no other.
const addressBytes = 6

type NodeOf<K extends NativePlanNode['node']> = Extract<NativePlanNode, { node: K }>

export class PlanCosts {
  readonly settings: PlannerSettings
  /** Of the plan's relations. */
  readonly tables: readonly TableStatistics[]
  readonly selectivity: Selectivity
  readonly scans: ScanCosts
  readonly #codecOf: CodecOf
  readonly #known = new WeakMap<NativePlanNode | NativeBitmap, Estimate>()

  constructor(settings: PlannerSettings, tables: readonly TableStatistics[], codecOf: CodecOf) {
    this.settings = settings
    this.tables = tables
    this.#codecOf = codecOf
    this.selectivity = new Selectivity(tables, codecOf)
    const pages = tables.reduce((sum, table) => sum + table.pages, 0)
    this.scans = new ScanCosts(settings, pages)
  }

  /** Says what a node costs. */
  set(node: NativePlanNode | NativeBitmap, estimate: Estimate): void {
    this.#known.set(node, estimate)
  }

  of(node: NativePlanNode | NativeBitmap): Estimate {
    let estimate = this.#known.get(node)
    if (estimate === undefined) {
      estimate = this.#compute(node)
      this.#known.set(node, estimate)
    }
    return estimate
  }

  /** Which columns of tables those of a node's batches are. */
  origins(node: NativePlanNode): Origins {
    switch (node.node) {
      case 'seq scan':
      case 'index scan':
      case 'bitmap scan':
        return node.attributes.map((attribute) => ({ table: node.relation, attribute }))
      case 'hash join':
      case 'merge join':
      case 'nested loop':
        return node.type === 'semi' || node.type === 'anti'
          ? this.origins(node.left)
          : [...this.origins(node.left), ...this.origins(node.right)]
      case 'project': {
        const below = this.origins(node.child)
        return node.expressions.map((one) => (one.kind === 'column' ? below[one.index] : undefined))
      }
      case 'aggregate': {
        const below = this.origins(node.child)
        return [
          ...node.keys.map((one) => (one.kind === 'column' ? below[one.index] : undefined)),
          ...node.calls.map(() => undefined),
        ]
      }
      default:
        return 'child' in node ? this.origins(node.child) : []
    }
  }

  /** Bytes of a table's column. */
  columnWidth(table: number, attribute: number): number {
    if (attribute < 0) return addressBytes
    const statistics = this.tables[table] as TableStatistics
    const known = statistics.column(attribute)?.width
    const column = statistics.relation.columns.find((one) => one.attribute === attribute)
    return known || (column === undefined ? 32 : typeWidth(column.codec))
  }

  #compute(node: NativePlanNode | NativeBitmap): Estimate {
    switch (node.node) {
      case 'one row':
        return { startup: 0, total: this.settings.cpu_tuple_cost, rows: 1, width: 0, disabled: 0 }
      case 'filter':
        return this.#filter(node)
      case 'project':
        return this.#project(node)
      case 'sort':
        return sorted(this.settings, this.of(node.child), node.limit)
      case 'limit':
        return limited(this.of(node.child), node)
      case 'aggregate':
        return this.#aggregate(node)
      default:
        return 'child' in node
          ? this.of((node as { child: NativePlanNode }).child)
          : { startup: 0, total: 0, rows: 1, width: 0, disabled: 0 }
    }
  }

  #filter({ child, conditions }: NodeOf<'filter'>): Estimate {
    const from = this.of(child)
    const { startup, perRow } = addUp(conditions)
    const { cpu_operator_cost } = this.settings
    const fraction = this.selectivity.all(conditions, this.origins(child))
    return {
      ...from,
      startup: from.startup + startup * cpu_operator_cost,
      total: from.total + (startup + perRow * from.rows) * cpu_operator_cost,
      rows: clampRows(from.rows * fraction),
    }
  }

  #project({ child, expressions }: NodeOf<'project'>): Estimate {
    const from = this.of(child)
    const isLeading = expressions.every((one, i) => one.kind === 'column' && one.index === i)
    if (isLeading) return from
    const { startup, perRow } = addUp(expressions)
    const { cpu_operator_cost } = this.settings
    const origins = this.origins(child)
    return {
      ...from,
      startup: from.startup + startup * cpu_operator_cost,
      total: from.total + (startup + perRow * from.rows) * cpu_operator_cost,
      width: this.#width(expressions, origins),
    }
  }

  /** Bytes of what is computed of a node's rows. */
  width(expressions: readonly NativeExpression[], node: NativePlanNode): number {
    return this.#width(expressions, this.origins(node))
  }

  #width(expressions: readonly NativeExpression[], origins: Origins): number {
    return expressions.reduce((sum, one) => {
      const origin = one.kind === 'column' ? origins[one.index] : undefined
      if (origin !== undefined) return sum + this.columnWidth(origin.table, origin.attribute)
      return sum + this.#typeWidth(operandType(one))
    }, 0)
  }

  #typeWidth(type: NativeType | undefined): number {
    return type === undefined ? 1 : typeWidth(this.#codecOf(type.oid))
  }

  // What a key is computed of; undefined for what is no table's column.
  #variablesOf(key: NativeExpression, node: NativePlanNode): (Variable | undefined)[] {
    if (key.kind !== 'column') {
      const found: (Variable | undefined)[] = []
      place(key as unknown as BoundExpression, (column) => {
        found.push(...this.#variablesOf(column as unknown as NativeExpression, node))
        return 0
      })
      return found
    }
    if (node.node === 'project')
      return this.#variablesOf(node.expressions[key.index] as NativeExpression, node.child)
    if (node.node === 'sort' || node.node === 'filter') return this.#variablesOf(key, node.child)
    return [this.selectivity.variable(key, this.origins(node))]
  }

  #aggregate(node: NodeOf<'aggregate'>): Estimate {
    const from = this.of(node.child)
    const origins = this.origins(node.child)
    const variables = node.keys.flatMap((key) => this.#variablesOf(key, node.child))
    const groups = node.keys.length === 0 ? 1 : groupCount(variables, from.rows, this.tables)
    const width =
      this.#width(node.keys, origins) +
      node.calls.reduce((sum, { type }) => sum + this.#typeWidth(type), 0)
    return { ...grouped(this.settings, from, node, groups), width }
  }
}
