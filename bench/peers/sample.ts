// sample: one figure of one peer, in a process of its own. The job comes as JSON in the first argument, the answer
// goes to the parent as a message.
import { readFileSync } from 'node:fs'
import type { Durability, OpenOptions, Peer } from './peer.ts'
import { loadPeer } from './peers.ts'
import { load, workloads } from './workload.ts'

export interface Job {
  peer: string
  workload: string
  directory: string
  rows: number
  durability: Durability
  sequence: number
  warmUpMs: number
  measureMs: number
  cacheBytes: number
}

export interface Answer {
  value: number
  /** Kilobytes in memory at the end, processes of the database's own included. */
  residentKb: number
}

export interface Facts {
  version: string
  durability: Peer['durability']
  cannot: Record<string, string>
  /** Methods that it has. */
  can: string[]
}

function residentKb(pids: number[]): number {
  let sum = 0
  for (const pid of pids) {
    // What processes share is counted once, by halves: Pss.
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    sum += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0)
  }
  return sum
}

async function measured(job: Job, peer: Peer): Promise<Answer | Facts> {
  const options: OpenOptions = { durability: job.durability, cacheBytes: job.cacheBytes }
  const db = await peer.open(job.directory, options)
  try {
    if (job.workload === 'facts') {
      return {
        version: peer.version(),
        durability: peer.durability,
        cannot: { ...peer.cannot },
        can: Object.keys(db),
      }
    }
    const value = await (job.workload === 'load'
      ? load(db, job.rows)
      : workloads.find(({ name }) => name === job.workload)?.run({ ...job, db }))
    if (value === undefined) throw new Error(`no such workload: ${job.workload}`)
    return { value, residentKb: residentKb([process.pid, ...(db.helpers?.() ?? [])]) }
  } finally {
    await db.close()
  }
}

const job = JSON.parse(process.argv[2] ?? '{}') as Job
const peer = await loadPeer(job.peer)
const answer = await measured(job, peer)
process.send?.(answer, () => process.exit(0))
