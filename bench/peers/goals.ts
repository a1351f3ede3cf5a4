// goals: what pgdata is to reach beside the others, with the main number of rows, and what came of it.
import type { Comparison, Figure } from './compare.ts'

interface Goal {
  workload: string
  /** Undefined of workloads that only read. */
  durability?: 'power failure'
  /** At least `factor` times as fast as the fastest of `peers` at `at`, by default at the same work. */
  factor?: number
  peers?: readonly string[]
  at?: string
  /** Or: in its own unit, at most. */
  most?: number
}

export interface Outcome {
  goal: string
  /** Undefined when one of both was not measured. */
  reached: number | undefined
  /** How many times what was wanted. */
  share: number | undefined
}

const rowStores = ['better-sqlite3', 'lmdb', 'classic-level', 'pglite', 'postgres']
const everybody = [...rowStores, 'duckdb']
const durability = 'power failure'

const goals: readonly Goal[] = [
  { workload: 'commit', durability, factor: 1.15, peers: ['better-sqlite3'] },
  { workload: 'commit-awaited', durability, factor: 0.75, peers: ['pgdata'], at: 'commit' },
  { workload: 'commit-64', durability, factor: 2.5, peers: ['lmdb'] },
  {
    workload: 'commit-64',
    durability,
    factor: 1,
    peers: ['better-sqlite3'],
    at: 'commit-collected',
  },
  { workload: 'load', durability, factor: 2.5, peers: everybody },
  { workload: 'lookup', factor: 1.4, peers: ['lmdb'] },
  { workload: 'lookup-zipfian', factor: 2, peers: ['lmdb'] },
  { workload: 'get-many', factor: 3, peers: ['lmdb'] },
  { workload: 'two-processes', factor: 1.4, peers: ['lmdb'] },
  { workload: 'two-processes', factor: 1.9, peers: ['pgdata'], at: 'lookup' },
  { workload: 'range', factor: 5, peers: ['lmdb'] },
  { workload: 'scan-stream', factor: 4, peers: ['lmdb'] },
  { workload: 'scan-keep', factor: 1.6, peers: ['lmdb'] },
  { workload: 'count', most: 2 },
  { workload: 'sum', most: 15 },
  { workload: 'update', durability, factor: 4, peers: everybody },
  { workload: 'update', durability, factor: 2, peers: ['postgres'], at: 'update-set' },
  { workload: 'import', most: 11 },
  { workload: 'open', most: 5 },
  { workload: 'reopen', durability, most: 100 },
  { workload: 'limited-lookup', factor: 1, peers: rowStores },
  { workload: 'limited-scan-stream', factor: 1, peers: rowStores },
  { workload: 'limited-update', durability, factor: 1, peers: rowStores },
  { workload: 'transfer', durability, factor: 3, peers: everybody },
]

/** Of figures of one number of rows. */
export function outcomes(figures: Comparison['figures']): Outcome[] {
  const best = (peers: readonly string[], workload: string, kind: Goal['durability']) => {
    const found = figures.filter(
      (each) =>
        each.workload === workload &&
        each.result !== undefined &&
        (each.durability === undefined || each.durability === kind) &&
        peers.some((peer) => each.peer === peer || each.peer === `${peer} direct`),
    )
    const medianOf = ({ result }: Figure) => result?.median ?? Number.NaN
    return found.sort((a, b) =>
      a.better === 'more' ? medianOf(b) - medianOf(a) : medianOf(a) - medianOf(b),
    )[0]
  }
  return goals.flatMap((goal) => {
    const ours = best(['pgdata'], goal.workload, goal.durability)
    const reached = ours?.result?.median
    const title = ours?.title ?? goal.workload
    if (goal.most !== undefined) {
      const share = reached === undefined ? undefined : goal.most / reached
      return [{ goal: `${title}: ${goal.most} ${ours?.unit ?? ''}`, reached, share }]
    }
    const { factor = 1, peers = [], at = goal.workload } = goal
    const theirs = best(peers, at, goal.durability)
    const median = theirs?.result?.median
    const of = `${theirs?.peer ?? peers.join(', ')}${at === goal.workload ? '' : ` at "${theirs?.title ?? at}"`}`
    const share =
      reached === undefined || median === undefined ? undefined : reached / median / factor
    return [{ goal: `${title}: ${factor} × ${of}`, reached, share }]
  })
}
