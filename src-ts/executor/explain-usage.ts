// EXPLAIN's BUFFERS and WAL: what the operators of a plan that ran read and wrote.
// Source: show_buffer_usage and show_wal_usage of src/backend/commands/explain.c, PostgreSQL 18.
import type { NativeOperatorReport } from '../binding/native.ts'

export interface ShownUsage {
  buffers: boolean
  wal: boolean
  /** Whether reads and writes are timed. */
  timings: boolean
  /** Bytes of a block. */
  blockSize: number
}

/** Under the names that EXPLAIN (FORMAT JSON) has. */
export function usageProperties(
  report: NativeOperatorReport,
  shown: ShownUsage,
): Record<string, number> {
  const blocks = (bytes: number) => Math.ceil(bytes / shown.blockSize)
  const rounded = (ms: number) => Number(ms.toFixed(3))
  return {
    ...(shown.buffers && {
      'Shared Hit Blocks': report.sharedHit,
      'Shared Read Blocks': report.sharedRead,
      'Shared Dirtied Blocks': report.sharedDirtied,
      'Shared Written Blocks': report.sharedWritten,
      'Local Hit Blocks': report.localHit,
      'Local Read Blocks': report.localRead,
      'Local Dirtied Blocks': report.localDirtied,
      'Local Written Blocks': report.localWritten,
      'Temp Read Blocks': blocks(report.tempReadBytes),
      'Temp Written Blocks': blocks(report.tempWrittenBytes),
      ...(shown.timings && {
        'Shared I/O Read Time': rounded(report.readMs),
        'Shared I/O Write Time': rounded(report.writeMs),
      }),
    }),
    ...(shown.wal && {
      'WAL Records': report.walRecords,
      'WAL FPI': report.walImages,
      'WAL Bytes': report.walBytes,
    }),
  }
}

/** Of a node, to be that of one above it too. */
export function usageOf(node: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(
    Object.entries(node).filter(([name]) => /^(Shared|Local|Temp|WAL) /.test(name)),
  )
}

function counts(node: Readonly<Record<string, unknown>>, names: readonly [string, string][]) {
  return names
    .filter(([property]) => Number(node[property] ?? 0) > 0)
    .map(([property, name]) => ` ${name}=${node[property]}`)
    .join('')
}

/** The lines of a node in EXPLAIN (FORMAT TEXT): what is not zero. */
export function usageLines(node: Readonly<Record<string, unknown>>): string[] {
  const kinds = ['Shared', 'Local', 'Temp'].map((kind) => {
    const text = counts(
      node,
      ['Hit', 'Read', 'Dirtied', 'Written'].map((what) => [
        `${kind} ${what} Blocks`,
        what.toLowerCase(),
      ]),
    )
    return text && ` ${kind.toLowerCase()}${text}`
  })
  const buffers = kinds.filter(Boolean).join(',')
  const timings = (['Read', 'Write'] as const)
    .map((what) => ({ what, ms: Number(node[`Shared I/O ${what} Time`] ?? 0) }))
    .filter(({ ms }) => ms > 0)
    .map(({ what, ms }) => ` ${what.toLowerCase()}=${ms.toFixed(3)}`)
    .join('')
  const wal = counts(node, [
    ['WAL Records', 'records'],
    ['WAL FPI', 'fpi'],
    ['WAL Bytes', 'bytes'],
  ])
  return [
    ...(buffers ? [`Buffers:${buffers}`] : []),
    ...(timings ? [`I/O Timings: shared${timings}`] : []),
    ...(wal ? [`WAL:${wal}`] : []),
  ]
}
