// The tree of memory contexts as pg_backend_memory_contexts shows it, and as pg_log_backend_memory_contexts logs it.
// Source: src/backend/utils/adt/mcxtfuncs.c and MemoryContextStatsDetail in src/backend/utils/mmgr/mcxt.c, PostgreSQL 18.
import type { AllocatorType, MemoryContext, MemoryStatistics } from './memory-context.ts'

/** Columns as PostgreSQL names them. */
export interface MemoryContextInfo {
  name: string
  ident: string | null
  type: AllocatorType
  /** 1 for the top. */
  level: number
  /** Numbers of the contexts from the top to this one; good for one answer only. */
  path: number[]
  total_bytes: number
  total_nblocks: number
  free_bytes: number
  free_chunks: number
  used_bytes: number
}

// Characters that are shown of an ident, in rows and in the log; what the log tells of children beyond that many is a sum.
const rowIdentMax = 1023
const logIdentMax = 100
const logChildrenMax = 100
const logLevelMax = 100

/** All contexts from `top` on, level by level. */
export function memoryContextRows(top: MemoryContext): MemoryContextInfo[] {
  const rows: MemoryContextInfo[] = []
  let level: { context: MemoryContext; above: number[] }[] = [{ context: top, above: [] }]
  while (level.length > 0) {
    const next: typeof level = []
    for (const { context, above } of level) {
      const path = [...above, rows.length + 1]
      const { totalspace, nblocks, freespace, freechunks, used } = context.statistics()
      rows.push({
        name: context.name,
        ident: context.ident?.slice(0, rowIdentMax) ?? null,
        type: context.type,
        level: path.length,
        path,
        total_bytes: totalspace,
        total_nblocks: nblocks,
        free_bytes: freespace,
        free_chunks: freechunks,
        used_bytes: used,
      })
      for (const child of context.children()) next.push({ context: child, above: path })
    }
    level = next
  }
  return rows
}

const nothing = (): MemoryStatistics => ({
  nblocks: 0,
  freechunks: 0,
  totalspace: 0,
  freespace: 0,
  used: 0,
})

function add(sum: MemoryStatistics, more: MemoryStatistics): void {
  sum.nblocks += more.nblocks
  sum.freechunks += more.freechunks
  sum.totalspace += more.totalspace
  sum.freespace += more.freespace
  sum.used += more.used
}

function figures(
  { totalspace, nblocks, freespace, freechunks, used }: MemoryStatistics,
  unit: string,
): string {
  return `${totalspace} ${unit} in ${nblocks} blocks; ${freespace} free (${freechunks} chunks); ${used} used`
}

function sumOf(context: MemoryContext, sum: MemoryStatistics): number {
  let contexts = 1
  add(sum, context.statistics())
  for (const child of context.children()) contexts += sumOf(child, sum)
  return contexts
}

/** The messages for the server log: a line for each context, depth first, and the sum of all. */
export function memoryContextLines(top: MemoryContext): string[] {
  const lines: string[] = []
  const total = nothing()
  const visit = (context: MemoryContext, level: number) => {
    const statistics = context.statistics()
    const { ident } = context
    const shown =
      ident === undefined || ident.length <= logIdentMax
        ? ident
        : `${ident.slice(0, logIdentMax)}...`
    const name = shown === undefined ? '' : `: ${shown.replace(/\p{Cc}/gu, ' ')}`
    add(total, statistics)
    lines.push(`level: ${level}; ${context.name}: ${figures(statistics, 'total')}${name}`)
    const more = nothing()
    let contexts = 0
    let children = 0
    for (const child of context.children()) {
      if (level < logLevelMax && children++ < logChildrenMax) visit(child, level + 1)
      else contexts += sumOf(child, more)
    }
    if (contexts === 0) return
    const rest = `${contexts} more child contexts containing ${figures(more, 'total')}`
    lines.push(`level: ${level + 1}; ${rest}`)
    add(total, more)
  }
  visit(top, 1)
  lines.push(`Grand total: ${figures(total, 'bytes')}`)
  return lines
}
