// The dependencies between the transactions of a history, and Adya's anomalies in them.
//
// An object is anything with versions in one order: a register, a list, a key that is absent, present or gone. A read of
// a range reads the version of every key in it, absent ones too, so that phantoms are dependencies like all others.
// Source: A. Adya, Weak Consistency: A Generalized Theory and Optimistic Implementations for Distributed Transactions
// (1999), chapters 3 and 4; the check of snapshots is G-nonadjacent of Cerone and Gotsman, Analysing Snapshot
// Isolation (2016): every cycle of a snapshot history has two rw dependencies in a row.

/** Who wrote the version that every object begins with. */
export const initialTransaction = 0

export interface Read {
  object: string
  /** The version that was seen. */
  version: string
  /** Part of reading a range. */
  ofPredicate?: boolean
}

export interface HistoryTransaction {
  /** From 1. */
  id: number
  committed: boolean
  /** Reads of versions that the transaction did not write itself. */
  reads: Read[]
  /** Every version that it wrote, in order; the last of an object is the one that it leaves. */
  writes: { object: string; version: string }[]
}

export interface History {
  transactions: HistoryTransaction[]
  /** Of each object, the versions that committed transactions left, the initial one first. */
  versionOrder: Map<string, string[]>
}

export type Dependency = 'ww' | 'wr' | 'rw' | 'predicate rw'
export interface Edge {
  from: number
  to: number
  kind: Dependency
  object: string
}

export type AnomalyName =
  | 'G0'
  | 'G1a'
  | 'G1b'
  | 'G1c'
  | 'G-single'
  | 'G-nonadjacent'
  | 'G2-item'
  | 'G2'
export interface Anomaly {
  name: AnomalyName
  description: string
}

const isAntiDependency = (kind: Dependency) => kind === 'rw' || kind === 'predicate rw'

/** All dependencies between different committed transactions. Throws when the history contradicts itself. */
export function dependencies(history: History): Edge[] {
  const edges: Edge[] = []
  const committed = history.transactions.filter((transaction) => transaction.committed)
  const writerOf = new Map<string, number>()
  for (const { id, writes } of committed)
    for (const { object, version } of writes) writerOf.set(`${object} ${version}`, id)
  const nextOf = new Map<string, { version: string; writer: number }>()
  for (const [object, versions] of history.versionOrder) {
    versions.forEach((version, place) => {
      const writer = place === 0 ? initialTransaction : writerOf.get(`${object} ${version}`)
      if (writer === undefined) throw new Error(`nobody wrote version ${version} of ${object}`)
      const before = versions[place - 1]
      if (before === undefined) return
      nextOf.set(`${object} ${before}`, { version, writer })
      const from = place === 1 ? initialTransaction : (writerOf.get(`${object} ${before}`) ?? 0)
      edges.push({ from, to: writer, kind: 'ww', object })
    })
  }
  for (const { id, reads } of committed) {
    for (const { object, version, ofPredicate } of reads) {
      const writer = writerOf.get(`${object} ${version}`)
      if (writer !== undefined) edges.push({ from: writer, to: id, kind: 'wr', object })
      const next = nextOf.get(`${object} ${version}`)
      if (next === undefined) continue
      const kind = ofPredicate ? 'predicate rw' : 'rw'
      edges.push({ from: id, to: next.writer, kind, object })
    }
  }
  return edges.filter(({ from, to }) => from !== to)
}

// A shortest cycle through `start`, as its edges.
function cycleFrom(start: number, edgesFrom: ReadonlyMap<number, Edge[]>): Edge[] | undefined {
  const cameBy = new Map<number, Edge>()
  const queue = [start]
  for (const node of queue) {
    for (const edge of edgesFrom.get(node) ?? []) {
      if (edge.to === start) {
        const path = [edge]
        for (let at = node; at !== start; ) {
          const step = cameBy.get(at) as Edge
          path.unshift(step)
          at = step.from
        }
        return path
      }
      if (cameBy.has(edge.to)) continue
      cameBy.set(edge.to, edge)
      queue.push(edge.to)
    }
  }
  return undefined
}

function byOrigin(edges: readonly Edge[]): Map<number, Edge[]> {
  const from = new Map<number, Edge[]>()
  for (const edge of edges) {
    const known = from.get(edge.from)
    if (known === undefined) from.set(edge.from, [edge])
    else known.push(edge)
  }
  return from
}

function findCycle(edges: readonly Edge[]): Edge[] | undefined {
  const from = byOrigin(edges)
  for (const node of from.keys()) {
    const cycle = cycleFrom(node, from)
    if (cycle !== undefined) return cycle
  }
  return undefined
}

// A cycle of dependencies that has one anti-dependency alone.
function findSingle(edges: readonly Edge[]): Edge[] | undefined {
  const plain = edges.filter(({ kind }) => !isAntiDependency(kind))
  for (const anti of edges.filter(({ kind }) => isAntiDependency(kind))) {
    const from = byOrigin([...plain, anti])
    const cycle = cycleFrom(anti.from, new Map([...from, [anti.from, [anti]]]))
    if (cycle !== undefined) return cycle
  }
  return undefined
}

// A cycle in which every anti-dependency is followed by a dependency of another kind: such pairs count as one edge.
function findNonadjacent(edges: readonly Edge[]): Edge[] | undefined {
  const plain = edges.filter(({ kind }) => !isAntiDependency(kind))
  const from = byOrigin(plain)
  const pairs = edges
    .filter(({ kind }) => isAntiDependency(kind))
    .flatMap((anti) => (from.get(anti.to) ?? []).map((next) => ({ ...anti, to: next.to })))
  // A pair that comes back to where it began is a cycle by itself.
  const loop = pairs.find((pair) => pair.from === pair.to)
  return loop === undefined ? findCycle([...plain, ...pairs]) : [loop]
}

function describe(cycle: readonly Edge[]): string {
  return cycle
    .map(({ from, to, kind, object }) => `T${from} -${kind}(${object})-> T${to}`)
    .join(', ')
}

/** One anomaly of each kind that the history has. */
export function anomalies(history: History): Anomaly[] {
  const found: Anomaly[] = []
  const report = (name: AnomalyName, description: string) => {
    if (!found.some((known) => known.name === name)) found.push({ name, description })
  }
  const writes = new Map<string, { writer: HistoryTransaction; last: boolean }>()
  for (const writer of history.transactions) {
    const lastOf = new Map(writer.writes.map(({ object, version }) => [object, version]))
    for (const { object, version } of writer.writes)
      writes.set(`${object} ${version}`, { writer, last: lastOf.get(object) === version })
  }
  for (const { id, committed, reads } of history.transactions) {
    if (!committed) continue
    for (const { object, version } of reads) {
      const write = writes.get(`${object} ${version}`)
      if (write === undefined) {
        if (history.versionOrder.get(object)?.[0] !== version)
          throw new Error(`T${id} read version ${version} of ${object}, which nobody wrote`)
        continue
      }
      const what = `T${id} read ${version} of ${object}, which T${write.writer.id}`
      if (!write.writer.committed) report('G1a', `${what} wrote and rolled back`)
      else if (!write.last && write.writer.id !== id) report('G1b', `${what} overwrote`)
    }
  }
  const edges = dependencies(history)
  const reportCycle = (name: AnomalyName, cycle: Edge[] | undefined) => {
    if (cycle !== undefined) report(name, describe(cycle))
  }
  const of = (...kinds: Dependency[]) => edges.filter(({ kind }) => kinds.includes(kind))
  reportCycle('G0', findCycle(of('ww')))
  reportCycle('G1c', findCycle(of('ww', 'wr')))
  reportCycle('G-single', findSingle(edges))
  reportCycle('G-nonadjacent', findNonadjacent(edges))
  reportCycle('G2-item', findCycle(of('ww', 'wr', 'rw')))
  reportCycle('G2', findCycle(edges))
  return found
}

/** What must not occur at a level. Every cycle is among `G2`. */
export const proscribed: Record<
  'read committed' | 'repeatable read' | 'serializable',
  readonly AnomalyName[]
> = {
  'read committed': ['G0', 'G1a', 'G1b', 'G1c'],
  'repeatable read': ['G0', 'G1a', 'G1b', 'G1c', 'G-single', 'G-nonadjacent'],
  serializable: ['G0', 'G1a', 'G1b', 'G1c', 'G-single', 'G-nonadjacent', 'G2-item', 'G2'],
}
