// EXPLAIN: a plan, and what its operators did, in PostgreSQL's shape.
// Source: src/backend/commands/explain.c, PostgreSQL 18.
import type {
  IndexDescriptor,
  NativeBitmap,
  NativeExpression,
  NativeOperatorReport,
  NativePlanNode,
  NativeSortKey,
} from '../binding/native.ts'
import { frameText } from './analyze-frames.ts'
import {
  type ColumnText,
  expressionText,
  junctionText,
  listText,
  quoteIdentifier,
} from './explain-expression.ts'
import { doneProperties, rounded } from './explain-numbers.ts'
import { type ShownUsage, usageOf, usageProperties } from './explain-usage.ts'
import type { CodecOf } from './operator-types.ts'
import type { PlanCosts } from './plan-costs.ts'
import type { QueryPlan } from './plan-query.ts'
import type { ScopeTable } from './scope.ts'

export type ExplainValue = string | number | boolean | readonly string[]

/** An operator under the names that EXPLAIN (FORMAT JSON) has. */
export interface ExplainNode {
  'Node Type': string
  Plans?: ExplainNode[]
  [property: string]: ExplainValue | ExplainNode[] | undefined
}

export interface ExplainOptions {
  /** Runs the query, and tells what its operators did. */
  analyze?: boolean
  /** What the nodes are expected to cost. By default it does. */
  costs?: boolean
  /** Blocks that its operators found in buffers, read and wrote. By default it does where it runs. */
  buffers?: boolean
  /** What its operators wrote to the log, where it runs. By default it does not. */
  wal?: boolean
  format?: 'text' | 'json'
}

/** Times in milliseconds. */
export interface Explanation {
  Plan: ExplainNode
  'Planning Time'?: number
  'Execution Time'?: number
}

interface Described {
  properties: Record<string, ExplainValue>
  children: ExplainNode[]
  columns: ColumnText[]
}

type NodeOf<K extends NativePlanNode['node']> = Extract<NativePlanNode, { node: K }>

const joinTypes = {
  inner: 'Inner',
  left: 'Left',
  right: 'Right',
  full: 'Full',
  semi: 'Semi',
  anti: 'Anti',
} as const

const setOpCommands = {
  intersect: 'Intersect',
  'intersect all': 'Intersect All',
  except: 'Except',
  'except all': 'Except All',
} as const

function childrenOf(node: NativePlanNode): readonly NativePlanNode[] {
  if ('children' in node) return node.children
  if ('child' in node) return [node.child]
  return 'left' in node ? [node.left, node.right] : []
}

function storage({ diskBytes, peakBytes }: NativeOperatorReport) {
  const isOnDisk = diskBytes > 0
  return {
    Storage: isOnDisk ? 'Disk' : 'Memory',
    'Maximum Storage': kilobytes(isOnDisk ? diskBytes : peakBytes),
  }
}

function kilobytes(bytes: number): number {
  return Math.ceil(bytes / 1024)
}

export class Explainer {
  readonly #codecOf: CodecOf
  readonly #tables: readonly ScopeTable[]
  readonly #costs: PlanCosts | undefined
  readonly #disabled: (node: NativePlanNode) => number
  readonly #usage: ShownUsage
  // Of the operators that are still to come, in order.
  readonly #reports: NativeOperatorReport[] | undefined
  // So many windows, and plans of single values, were named.
  #windows = 0
  #initPlans = 0
  // What plans of single values call the table that each of them reads by itself.
  readonly #aliases: Set<string>
  #ownAlias: string | undefined
  // Of the rows that an index is searched for: their columns, and what is tested of them beside those that it finds.
  #outer: { columns: readonly ColumnText[]; filter: readonly NativeExpression[] } | undefined

  /** `reports`: what a plan that ran gave. */
  constructor(
    codecOf: CodecOf,
    plan: Pick<QueryPlan, 'tables' | 'costs'>,
    reports: readonly NativeOperatorReport[] | undefined,
    hasCosts: boolean,
    usage: ShownUsage,
  ) {
    this.#codecOf = codecOf
    this.#tables = plan.tables
    this.#aliases = new Set(plan.tables.map(({ alias }) => alias))
    this.#costs = hasCosts ? plan.costs : undefined
    this.#disabled = (node) => plan.costs.of(node).disabled
    this.#usage = usage
    this.#reports = reports && [...reports]
  }

  explain(root: NativePlanNode): ExplainNode {
    return this.#describe(root, {}).node
  }

  /** A statement that changes the rows which it finds; `returns` says whether it gives some. */
  explainChange(
    operation: 'Update' | 'Delete',
    found: NativePlanNode,
    returns: boolean,
  ): ExplainNode {
    // What computes the columns to be returned is no operator of PostgreSQL's.
    if (returns) this.#reports?.shift()
    const report = this.#reports?.shift()
    const [{ relation, alias }] = this.#tables as readonly [ScopeTable]
    const estimate = this.#estimate(found)
    const isEstimated = 'Plan Rows' in estimate
    return {
      'Node Type': 'ModifyTable',
      Operation: operation,
      'Parallel Aware': false,
      'Async Capable': false,
      'Relation Name': relation.name,
      Alias: alias,
      ...estimate,
      ...(isEstimated && !returns && { 'Plan Rows': 0, 'Plan Width': 0 }),
      ...(report && doneProperties(report)),
      Disabled: false,
      ...(report && usageProperties(report, this.#usage)),
      Plans: [this.#child(found, 'Outer').node],
    }
  }

  #describe(
    node: NativePlanNode,
    placed: Record<string, ExplainValue>,
  ): { node: ExplainNode; columns: ColumnText[] } {
    const report = this.#reports?.shift()
    // These are no operators of PostgreSQL's: columns are computed, and conditions tested, by what is below.
    if (node.node === 'project') {
      const child = this.#describe(node.child, placed)
      const columns = node.expressions.map((one) => this.#column(one, child.columns))
      Object.assign(child.node, this.#estimate(node))
      return { node: child.node, columns }
    }
    if (node.node === 'filter') {
      const child = this.#describe(node.child, placed)
      // An aggregate is computed where it is tested.
      const columns = child.columns.map(({ text }) => ({ text, isPlain: true }))
      const isOneRow = node.child.node === 'first values'
      child.node[isOneRow ? 'One-Time Filter' : 'Filter'] = this.#conditions(
        node.conditions,
        columns,
      )
      Object.assign(child.node, this.#estimate(node))
      if (report !== undefined) child.node['Actual Rows'] = report.rows
      if (report !== undefined && !isOneRow) {
        child.node['Rows Removed by Filter'] = report.rowsRemoved
      }
      return child
    }
    const { properties, children, columns } = this.#operator(node, report)
    const { 'Node Type': type, ...rest } = properties
    const described: ExplainNode = {
      'Node Type': type as string,
      ...('Strategy' in rest && { Strategy: rest.Strategy }),
      ...(type === 'Aggregate' && { 'Partial Mode': 'Simple' }),
      ...placed,
      'Parallel Aware': false,
      'Async Capable': false,
      ...('Index Name' in rest && {
        ...('Scan Direction' in rest && { 'Scan Direction': rest['Scan Direction'] }),
        'Index Name': rest['Index Name'],
      }),
      ...('Relation Name' in rest && { 'Relation Name': rest['Relation Name'], Alias: rest.Alias }),
      ...('Join Type' in rest && { 'Join Type': rest['Join Type'] }),
      ...('Command' in rest && { Command: rest.Command }),
      ...this.#estimate(node),
      ...(report && doneProperties(report)),
      Disabled: this.#isDisabled(node),
      ...rest,
      ...(report && usageProperties(report, this.#usage)),
    }
    if (children.length > 0) described.Plans = children
    return { node: described, columns }
  }

  #operator(node: NativePlanNode, report: NativeOperatorReport | undefined): Described {
    switch (node.node) {
      case 'seq scan':
        return this.#seqScan(node, report)
      case 'index scan':
        return this.#indexScan(node, report)
      case 'bitmap scan':
        return this.#bitmapScan(node, report)
      case 'nested loop':
        return this.#nestedLoop(node, report)
      case 'materialize': {
        const child = this.#child(node.child, 'Outer')
        return {
          properties: { 'Node Type': 'Materialize', ...(report && storage(report)) },
          children: [child.node],
          columns: child.columns,
        }
      }
      case 'hash join':
        return this.#hashJoin(node, report)
      case 'merge join':
        return this.#mergeJoin(node, report)
      case 'aggregate':
        return this.#aggregate(node, report)
      case 'sort':
        return this.#sort(node, report)
      case 'append': {
        const children = node.children.map((one) => this.#child(one, 'Member'))
        return {
          properties: { 'Node Type': 'Append', 'Subplans Removed': 0 },
          children: children.map((child) => child.node),
          columns: children[0]?.columns ?? [],
        }
      }
      case 'first values':
        return this.#firstValues(node)
      case 'window':
        return this.#window(node, report)
      case 'set op':
        return this.#setOp(node, report)
      case 'limit': {
        const child = this.#child(node.child, 'Outer')
        return {
          properties: { 'Node Type': 'Limit' },
          children: [child.node],
          columns: child.columns,
        }
      }
      default:
        return { properties: { 'Node Type': 'Result' }, children: [], columns: [] }
    }
  }

  #firstValues(node: NodeOf<'first values'>): Described {
    const columns: ColumnText[] = []
    const children = node.children.map((child, i) => {
      const name = `InitPlan ${++this.#initPlans}`
      columns.push({ text: `(${name}).col1`, isPlain: true })
      this.#ownAlias = i === 0 ? undefined : this.#freeAlias(child)
      return this.#describe(child, {
        'Parent Relationship': 'InitPlan',
        'Subplan Name': name,
      }).node
    })
    this.#ownAlias = undefined
    return { properties: { 'Node Type': 'Result' }, children, columns }
  }

  // A name that no other table goes by.
  #freeAlias(node: NativePlanNode): string | undefined {
    if ('child' in node) return this.#freeAlias(node.child)
    if (!('relation' in node)) return undefined
    const { alias } = this.#tables[node.relation] as ScopeTable
    let number = 1
    while (this.#aliases.has(`${alias}_${number}`)) number++
    this.#aliases.add(`${alias}_${number}`)
    return `${alias}_${number}`
  }

  // Is it of a kind that settings want avoided?
  #isDisabled(node: NativePlanNode): boolean {
    const below = childrenOf(node).reduce((sum, child) => sum + this.#disabled(child), 0)
    return this.#disabled(node) > below
  }

  #estimate(node: NativePlanNode | NativeBitmap): Record<string, number> {
    if (this.#costs === undefined) return {}
    const { startup, total, rows, width } = this.#costs.of(node)
    return {
      'Startup Cost': rounded(startup, 2),
      'Total Cost': rounded(total, 2),
      'Plan Rows': Math.round(rows),
      'Plan Width': width,
    }
  }

  #seqScan(node: NodeOf<'seq scan'>, report: NativeOperatorReport | undefined): Described {
    return this.#scan(node, report, { 'Node Type': 'Seq Scan' })
  }

  #indexScan(node: NodeOf<'index scan'>, report: NativeOperatorReport | undefined): Described {
    return this.#scan(node, report, {
      'Node Type': node.entryColumns === undefined ? 'Index Scan' : 'Index Only Scan',
      'Scan Direction': node.backward ? 'Backward' : 'Forward',
      ...this.#search(node, report),
      ...(report !== undefined &&
        node.entryColumns !== undefined && { 'Heap Fetches': report.heapFetches }),
    })
  }

  #bitmapScan(node: NodeOf<'bitmap scan'>, report: NativeOperatorReport | undefined): Described {
    const bitmap = this.#bitmap(node.bitmap, 'Outer')
    const columns = node.attributes.map((attribute) => ({
      text: this.#columnName(node.relation, attribute),
      isPlain: true,
    }))
    const described = this.#scan(node, report, {
      'Node Type': 'Bitmap Heap Scan',
      ...(node.recheck.length > 0 && { 'Recheck Cond': this.#conditions(node.recheck, columns) }),
      ...(report !== undefined && {
        'Rows Removed by Index Recheck': report.rowsRecheckedAway,
        'Exact Heap Blocks': report.exactBlocks,
        'Lossy Heap Blocks': report.lossyBlocks,
      }),
    })
    return { ...described, children: [bitmap] }
  }

  #bitmap(node: NativeBitmap, relationship: 'Outer' | 'Member'): ExplainNode {
    const report = this.#reports?.shift()
    const isIndex = node.node === 'index scan'
    const junction = node.node === 'bitmap and' ? 'BitmapAnd' : 'BitmapOr'
    const found = isIndex ? this.#search(node, report) : {}
    const { 'Index Name': index, ...rest } = found
    return {
      'Node Type': isIndex ? 'Bitmap Index Scan' : junction,
      'Parent Relationship': relationship,
      'Parallel Aware': false,
      'Async Capable': false,
      ...(index !== undefined && { 'Index Name': index }),
      ...this.#estimate(node),
      ...(report && doneProperties(report)),
      Disabled: false,
      ...rest,
      ...(report && usageProperties(report, this.#usage)),
      ...(!isIndex && { Plans: node.children.map((one) => this.#bitmap(one, 'Member')) }),
    }
  }

  // An index, and what it tests.
  #search(
    node: NodeOf<'index scan'>,
    report: NativeOperatorReport | undefined,
  ): Record<string, ExplainValue> {
    const { relation } = this.#tables[node.relation] as ScopeTable
    const { name, columns } = relation.access.descriptor.indexes[node.index] as IndexDescriptor
    const conditions = node.keys.map(({ column, operator, value, list, type, isJunction }) => {
      const attribute = columns[column]?.attribute as number
      const key = this.#columnName(node.relation, attribute)
      if (list !== undefined && type !== undefined) {
        return listText(this.#codecOf, key, type, { list, areAlone: isJunction === true })
      }
      if (value === undefined) return `(${key} ${operator.toUpperCase()})`
      return `(${key} ${operator} ${expressionText(this.#codecOf, value, this.#outer?.columns ?? [])})`
    })
    return {
      'Index Name': name,
      ...(conditions.length > 0 && { 'Index Cond': junctionText('and', conditions) }),
      ...(report !== undefined && { 'Index Searches': report.indexSearches }),
    }
  }

  #columnName(table: number, attribute: number): string {
    const { relation } = this.#tables[table] as ScopeTable
    const column = relation.columns.find((one) => one.attribute === attribute)
    return quoteIdentifier(column?.name ?? '?')
  }

  #scan(
    node: NodeOf<'seq scan' | 'index scan' | 'bitmap scan'>,
    report: NativeOperatorReport | undefined,
    own: Record<string, ExplainValue>,
  ): Described {
    const { relation, alias } = this.#tables[node.relation] as ScopeTable
    const columns = node.attributes.map((attribute) => ({
      text: this.#columnName(node.relation, attribute),
      isPlain: true,
    }))
    // What is above a scan of one of several tables says whose column it is.
    const prefix = this.#tables.length > 1 ? `${quoteIdentifier(alias)}.` : ''
    const properties: Record<string, ExplainValue> = {
      ...own,
      'Relation Name': relation.name,
      Alias: this.#ownAlias ?? alias,
    }
    const { columns: outer = [], filter = [] } = this.#outer ?? {}
    const tests = [
      ...node.conditions.map((one) => expressionText(this.#codecOf, one, columns)),
      ...filter.map((one) => expressionText(this.#codecOf, one, [...outer, ...columns])),
    ]
    if (tests.length > 0) {
      properties.Filter = junctionText('and', tests)
      if (report !== undefined) {
        const removed = Math.round(report.rowsRemoved / report.loops)
        properties['Rows Removed by Filter'] = removed
      }
    }
    const above = columns.map(({ text }) => ({ text: prefix + text, isPlain: true }))
    return { properties, children: [], columns: above }
  }

  #nestedLoop(node: NodeOf<'nested loop'>, report: NativeOperatorReport | undefined): Described {
    const left = this.#child(node.left, 'Outer')
    const search = this.#reports?.[0]
    if (node.isSearched) this.#outer = { columns: left.columns, filter: node.filter }
    const right = this.#child(node.right, 'Inner')
    this.#outer = undefined
    const properties: Record<string, ExplainValue> = {
      'Node Type': 'Nested Loop',
      'Join Type': joinTypes[node.type],
    }
    const columns = [...left.columns, ...right.columns]
    if (!node.isSearched) {
      Object.assign(properties, this.#joinFilter(node.filter, columns, report))
    } else if (node.filter.length > 0 && search !== undefined && report !== undefined) {
      // In PostgreSQL the scan tests all.
      const { loops } = search
      const removed = search.rowsRemoved + report.rowsRemoved
      right.node['Actual Rows'] = rounded((search.rows - report.rowsRemoved) / loops, 2)
      right.node['Rows Removed by Filter'] = Math.round(removed / loops)
    }
    const isFilter = node.type === 'semi' || node.type === 'anti'
    return {
      properties,
      children: [left.node, right.node],
      columns: isFilter ? left.columns : columns,
    }
  }

  #joinFilter(
    filter: readonly NativeExpression[],
    columns: readonly ColumnText[],
    report: NativeOperatorReport | undefined,
  ): Record<string, ExplainValue> {
    if (filter.length === 0) return {}
    return {
      'Join Filter': this.#conditions(filter, columns),
      ...(report && {
        'Rows Removed by Join Filter': Math.round(report.rowsRemoved / report.loops),
      }),
    }
  }

  // What a join compares for equality.
  #keyConditions(
    keys: NodeOf<'hash join'>['keys'],
    left: readonly ColumnText[],
    right: readonly ColumnText[],
  ): string {
    const conditions = keys.map((key) => {
      const one = expressionText(this.#codecOf, key.left, left)
      return `(${one} = ${expressionText(this.#codecOf, key.right, right)})`
    })
    return junctionText('and', conditions)
  }

  #mergeJoin(node: NodeOf<'merge join'>, report: NativeOperatorReport | undefined): Described {
    const left = this.#child(node.left, 'Outer')
    const right = this.#child(node.right, 'Inner')
    const { columns } = right
    const isFilter = node.type === 'semi' || node.type === 'anti'
    return {
      properties: {
        'Node Type': 'Merge Join',
        'Join Type': joinTypes[node.type],
        'Merge Cond': this.#keyConditions(node.keys, left.columns, columns),
        ...this.#joinFilter(node.filter, [...left.columns, ...columns], report),
      },
      children: [left.node, node.isMaterialized ? this.#kept(right.node) : right.node],
      columns: isFilter ? left.columns : [...left.columns, ...columns],
    }
  }

  // PostgreSQL's plan keeps the right rows of a merge join in a node of its own.
  #kept(child: ExplainNode): ExplainNode {
    const kept: ExplainNode = {
      'Node Type': 'Materialize',
      'Parent Relationship': 'Inner',
      'Parallel Aware': false,
      'Async Capable': false,
    }
    if (this.#costs !== undefined) {
      const keeping = this.#costs.settings.cpu_operator_cost * Number(child['Plan Rows'])
      kept['Startup Cost'] = child['Startup Cost']
      kept['Total Cost'] = rounded(Number(child['Total Cost']) + keeping, 2)
      kept['Plan Rows'] = child['Plan Rows']
      kept['Plan Width'] = child['Plan Width']
    }
    for (const name of ['Actual Startup Time', 'Actual Total Time', 'Actual Rows', 'Actual Loops'])
      if (name in child) kept[name] = child[name]
    kept.Disabled = false
    child['Parent Relationship'] = 'Outer'
    kept.Plans = [child]
    return kept
  }

  #hashJoin(node: NodeOf<'hash join'>, report: NativeOperatorReport | undefined): Described {
    const left = this.#child(node.left, 'Outer')
    const right = this.#child(node.right, 'Inner')
    const { node: table, columns } = right
    const hash: ExplainNode = {
      'Node Type': 'Hash',
      'Parent Relationship': 'Inner',
      'Parallel Aware': false,
      'Async Capable': false,
    }
    if (this.#costs !== undefined) {
      hash['Startup Cost'] = table['Total Cost']
      hash['Total Cost'] = table['Total Cost']
      hash['Plan Rows'] = table['Plan Rows']
      hash['Plan Width'] = table['Plan Width']
    }
    if (report !== undefined) {
      hash['Actual Startup Time'] = table['Actual Total Time']
      hash['Actual Total Time'] = table['Actual Total Time']
      hash['Actual Rows'] = table['Actual Rows']
      hash['Actual Loops'] = 1
    }
    hash.Disabled = false
    if (report !== undefined) {
      hash['Hash Batches'] = report.batches
      hash['Peak Memory Usage'] = kilobytes(report.peakBytes)
      if (report.diskBytes > 0) hash['Disk Usage'] = kilobytes(report.diskBytes)
      Object.assign(hash, usageOf(table))
    }
    table['Parent Relationship'] = 'Outer'
    hash.Plans = [table]
    const isFilter = node.type === 'semi' || node.type === 'anti'
    return {
      properties: {
        'Node Type': 'Hash Join',
        'Join Type': joinTypes[node.type],
        'Hash Cond': this.#keyConditions(node.keys, left.columns, columns),
        ...this.#joinFilter(node.filter, [...left.columns, ...columns], report),
      },
      children: [left.node, hash],
      columns: isFilter ? left.columns : [...left.columns, ...columns],
    }
  }

  #aggregate(node: NodeOf<'aggregate'>, report: NativeOperatorReport | undefined): Described {
    const child = this.#child(node.child, 'Outer')
    const keys = node.keys.map((key) => this.#column(key, child.columns))
    const calls = node.calls.map(({ function: name, argument }) => {
      if (argument === null) return { text: name, isPlain: false }
      const text = expressionText(this.#codecOf, argument, child.columns)
      return { text: `${name}(${text})`, isPlain: false }
    })
    const isGrouped = keys.length > 0
    const isHashed = isGrouped && node.strategy === 'hashed'
    const ofRows = node.strategy === 'unique' ? 'Unique' : 'Group'
    const properties: Record<string, ExplainValue> =
      isGrouped && !isHashed && node.calls.length === 0
        ? { 'Node Type': ofRows }
        : {
            'Node Type': 'Aggregate',
            Strategy: isGrouped ? (isHashed ? 'Hashed' : 'Sorted') : 'Plain',
          }
    if (isGrouped && properties['Node Type'] !== 'Unique') {
      // What a projection has computed is no column of a node of its own.
      properties['Group Key'] = node.keys.map((key) =>
        key.kind === 'column' && node.child.node === 'project'
          ? (child.columns[key.index] as ColumnText).text
          : expressionText(this.#codecOf, key, child.columns),
      )
      if (report !== undefined && isHashed) {
        properties['HashAgg Batches'] = report.batches
        properties['Peak Memory Usage'] = kilobytes(report.peakBytes)
        properties['Disk Usage'] = kilobytes(report.diskBytes)
      }
    }
    return { properties, children: [child.node], columns: [...keys, ...calls] }
  }

  #window(node: NodeOf<'window'>, report: NativeOperatorReport | undefined): Described {
    const child = this.#child(node.child, 'Outer')
    const name = `w${++this.#windows}`
    const listed = (indexes: readonly number[]) =>
      indexes
        .map((index) => child.columns[index] as ColumnText)
        .map(({ text, isPlain }) => (isPlain ? text : `(${text})`))
        .join(', ')
    const { partition, order } = node
    const frame = frameText(node.frame)
    const parts = [
      ...(partition.length > 0 ? [`PARTITION BY ${listed(partition)}`] : []),
      ...(order.length > 0 ? [`ORDER BY ${listed(order.map(({ index }) => index))}`] : []),
      ...(frame === undefined ? [] : [frame]),
    ]
    const calls = node.calls.map(({ function: called, argument, number, fallback }): ColumnText => {
      const columnOf = (column: number) => (child.columns[column] as ColumnText).text
      const operands = [
        ...(argument === null ? [] : [columnOf(argument)]),
        ...(number === undefined ? [] : [`${number}`]),
        ...(fallback === undefined ? [] : [columnOf(fallback)]),
      ]
      const text = called === 'count(*)' ? called : `${called}(${operands.join(', ')})`
      return { text: `${text} OVER ${name}`, isPlain: false }
    })
    const properties: Record<string, ExplainValue> = {
      'Node Type': 'WindowAgg',
      Window: `${name} AS (${parts.join(' ')})`,
    }
    if (report !== undefined) Object.assign(properties, storage(report))
    return { properties, children: [child.node], columns: [...child.columns, ...calls] }
  }

  #setOp(node: NodeOf<'set op'>, report: NativeOperatorReport | undefined): Described {
    const left = this.#child(node.left, 'Outer')
    const right = this.#child(node.right, 'Inner')
    const properties: Record<string, ExplainValue> = {
      'Node Type': 'SetOp',
      Strategy: 'Hashed',
      Command: setOpCommands[node.command],
    }
    if (report !== undefined) {
      properties['SetOp Batches'] = report.batches
      properties['Peak Memory Usage'] = kilobytes(report.peakBytes)
      properties['Disk Usage'] = kilobytes(report.diskBytes)
    }
    return { properties, children: [left.node, right.node], columns: left.columns }
  }

  #sort(node: NodeOf<'sort'>, report: NativeOperatorReport | undefined): Described {
    const child = this.#child(node.child, 'Outer')
    const properties: Record<string, ExplainValue> = {
      'Node Type': 'Sort',
      'Sort Key': node.keys.map((key) => this.#sortKey(key, child.columns)),
    }
    if (report?.sortMethod !== undefined) {
      properties['Sort Method'] = report.sortMethod
      const bytes = report.diskBytes > 0 ? report.diskBytes : report.peakBytes
      properties['Sort Space Used'] = kilobytes(bytes)
      properties['Sort Space Type'] = report.diskBytes > 0 ? 'Disk' : 'Memory'
    }
    return { properties, children: [child.node], columns: child.columns }
  }

  #sortKey({ index, descending, nullsFirst }: NativeSortKey, columns: ColumnText[]): string {
    const { text, isPlain } = columns[index] as ColumnText
    const nulls = nullsFirst === descending ? '' : ` NULLS ${nullsFirst ? 'FIRST' : 'LAST'}`
    return `${isPlain ? text : `(${text})`}${descending ? ' DESC' : ''}${nulls}`
  }

  #child(node: NativePlanNode, relationship: 'Outer' | 'Inner' | 'Member') {
    return this.#describe(node, { 'Parent Relationship': relationship })
  }

  #column(expression: NativeExpression, columns: readonly ColumnText[]): ColumnText {
    if (expression.kind === 'column') return columns[expression.index] as ColumnText
    return { text: expressionText(this.#codecOf, expression, columns), isPlain: false }
  }

  #conditions(conditions: readonly NativeExpression[], columns: readonly ColumnText[]): string {
    const texts = conditions.map((one) => expressionText(this.#codecOf, one, columns))
    return junctionText('and', texts)
  }
}
