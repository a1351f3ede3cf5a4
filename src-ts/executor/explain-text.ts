// EXPLAIN (FORMAT TEXT): the nodes of a plan as an indented text.
// Source: src/backend/commands/explain.c, PostgreSQL 18.

import type { ExplainNode, Explanation } from './explain.ts'
import { quoteIdentifier } from './explain-expression.ts'
import { usageLines } from './explain-usage.ts'

function title(node: ExplainNode): string {
  const type = node['Node Type']
  if ('Relation Name' in node) {
    const [name, alias] = [String(node['Relation Name']), String(node.Alias)]
    const direction = node['Scan Direction'] === 'Backward' ? ' Backward' : ''
    const index = node['Index Name']
    const using = index === undefined ? '' : `${direction} using ${quoteIdentifier(String(index))}`
    const suffix = alias === name ? '' : ` ${quoteIdentifier(alias)}`
    if (type === 'ModifyTable') return `${node.Operation} on ${quoteIdentifier(name)}${suffix}`
    return `${type}${using} on ${quoteIdentifier(name)}${suffix}`
  }
  if (type === 'Values Scan') return `${type} on ${quoteIdentifier(String(node.Alias))}`
  if (type === 'Bitmap Index Scan')
    return `${type} on ${quoteIdentifier(String(node['Index Name']))}`
  if (type === 'Aggregate') return aggregateNames[String(node.Strategy)] ?? type
  if (type === 'SetOp') return `Hash${type} ${node.Command}`
  const join = node['Join Type']
  if (type === 'Hash Join' && join !== 'Inner') return `Hash ${join} Join`
  if (type === 'Merge Join' && join !== 'Inner') return `Merge ${join} Join`
  if (type === 'Nested Loop' && join !== 'Inner') return `${type} ${join} Join`
  return type
}

const aggregateNames: Readonly<Record<string, string>> = {
  Hashed: 'HashAggregate',
  Sorted: 'GroupAggregate',
}

function cost(node: ExplainNode): string {
  if (!('Total Cost' in node)) return ''
  const [startup, total] = [node['Startup Cost'], node['Total Cost']].map((one) =>
    Number(one).toFixed(2),
  )
  return `  (cost=${startup}..${total} rows=${node['Plan Rows']} width=${node['Plan Width']})`
}

function actual(node: ExplainNode): string {
  if (!('Actual Loops' in node)) return ''
  if (node['Actual Loops'] === 0) return ' (never executed)'
  const [startup, total] = [node['Actual Startup Time'], node['Actual Total Time']].map((time) =>
    Number(time).toFixed(3),
  )
  const rows = Number(node['Actual Rows']).toFixed(2)
  return ` (actual time=${startup}..${total} rows=${rows} loops=${node['Actual Loops']})`
}

function memory(
  node: ExplainNode,
  batches: 'HashAgg Batches' | 'Hash Batches' | 'SetOp Batches',
): string[] {
  if (!(batches in node)) return []
  const disk = node['Disk Usage']
  const onDisk = disk === undefined || disk === 0 ? '' : `  Disk Usage: ${disk}kB`
  return [`Batches: ${node[batches]}  Memory Usage: ${node['Peak Memory Usage']}kB${onDisk}`]
}

function details(node: ExplainNode): string[] {
  const lines: string[] = node.Disabled === true ? ['Disabled: true'] : []
  for (const name of [
    'Window',
    'Recheck Cond',
    'Index Cond',
    'Hash Cond',
    'Merge Cond',
    'Join Filter',
    'Sort Key',
    'Group Key',
    'Conflict Resolution',
    'Conflict Arbiter Indexes',
    'Conflict Filter',
    'One-Time Filter',
    'Filter',
  ]) {
    const value = node[name]
    if (value !== undefined)
      lines.push(`${name}: ${Array.isArray(value) ? value.join(', ') : value}`)
  }
  const unjoined = node['Rows Removed by Join Filter']
  if (unjoined !== undefined && unjoined !== 0) {
    const place = lines.findIndex((line) => line.startsWith('Join Filter: '))
    lines.splice(place + 1, 0, `Rows Removed by Join Filter: ${unjoined}`)
  }
  const refused = node['Rows Removed by Conflict Filter']
  if (refused !== undefined && refused !== 0)
    lines.push(`Rows Removed by Conflict Filter: ${refused}`)
  for (const name of ['Tuples Inserted', 'Conflicting Tuples'])
    if (name in node) lines.push(`${name}: ${node[name]}`)
  const removed = node['Rows Removed by Filter']
  if (removed !== undefined && removed !== 0) lines.push(`Rows Removed by Filter: ${removed}`)
  const rechecked = node['Rows Removed by Index Recheck']
  if (rechecked !== undefined && rechecked !== 0)
    lines.push(`Rows Removed by Index Recheck: ${rechecked}`)
  const [exact, lossy] = [node['Exact Heap Blocks'], node['Lossy Heap Blocks']]
  if (exact || lossy) {
    const counts = [exact && ` exact=${exact}`, lossy && ` lossy=${lossy}`]
    lines.push(`Heap Blocks:${counts.filter(Boolean).join('')}`)
  }
  if ('Heap Fetches' in node) lines.push(`Heap Fetches: ${node['Heap Fetches']}`)
  if ('Index Searches' in node) lines.push(`Index Searches: ${node['Index Searches']}`)
  if ('Maximum Storage' in node)
    lines.push(`Storage: ${node.Storage}  Maximum Storage: ${node['Maximum Storage']}kB`)
  if ('Sort Method' in node) {
    const space = `${node['Sort Space Type']}: ${node['Sort Space Used']}kB`
    lines.push(`Sort Method: ${node['Sort Method']}  ${space}`)
  }
  return [
    ...lines,
    ...memory(node, 'HashAgg Batches'),
    ...memory(node, 'Hash Batches'),
    ...memory(node, 'SetOp Batches'),
    ...usageLines(node),
  ]
}

// `indent`: of the node's own line; what belongs to it is further to the right.
function linesOf(node: ExplainNode, indent: number): string[] {
  const isRoot = indent === 0
  const margin = ' '.repeat(isRoot ? 2 : indent + 6)
  const head = isRoot ? '' : `${' '.repeat(indent)}->  `
  return [
    `${head}${title(node)}${cost(node)}${actual(node)}`,
    ...details(node).map((line) => margin + line),
    ...(node.Plans ?? []).flatMap((child) => {
      const name = child['Subplan Name']
      const below = isRoot ? 2 : indent + 6
      return name === undefined
        ? linesOf(child, below)
        : [`${margin}${name}`, ...linesOf(child, below + 2)]
    }),
  ]
}

export function explainText(explanation: Explanation): string {
  const lines = linesOf(explanation.Plan, 0)
  for (const name of ['Planning Time', 'Execution Time'] as const) {
    const time = explanation[name]
    if (time !== undefined) lines.push(`${name}: ${time.toFixed(3)} ms`)
  }
  return lines.join('\n')
}
