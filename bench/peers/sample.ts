// sample: one figure of one peer, in a process of its own. The job comes as JSON in the first argument, the answer
// goes to the parent as a message.
import { readFileSync } from 'node:fs'
import { type Latency, latencies } from './latency.ts'
import type { Durability, Peer } from './peer.ts'
import { loadPeer } from './peers.ts'
import { crashing, joined, specials } from './special.ts'
import { type Context, load, workloads } from './workload.ts'

export interface Job {
  peer: string
  workload: string
  /** Workloads that only read, one after the other: `workload` is 'reads'. */
  reads?: string[]
  directory: string
  rows: number
  durability: Durability
  sequence: number
  warmUpMs: number
  measureMs: number
  cacheBytes: number
  /** Of a process that is limited. */
  memoryBytes?: number
  io?: 'buffered' | 'direct'
  join?: string
}

export interface Answer {
  value: number
  /** Kilobytes in memory at the end, processes of the database's own included. */
  residentKb: number
  latencies?: Latency[]
  /** Of each of `reads`, or why there is none. */
  reads?: Record<string, { value: number; residentKb: number } | string>
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

function run(workload: string, context: Context): Promise<number> {
  const found = workloads.find(({ name }) => name === workload)
  if (found === undefined) throw new Error(`no such workload: ${workload}`)
  return found.run(context)
}

async function measured(job: Job): Promise<Answer | Facts> {
  const special = specials.find(({ name }) => name === job.workload)
  if (special !== undefined) {
    const value = await special.run(job, () => loadPeer(job.peer))
    return { value, residentKb: residentKb([process.pid]) }
  }
  const { durability, cacheBytes, memoryBytes, io } = job
  const peer = await loadPeer(job.peer)
  const db = await peer.open(job.directory, {
    durability,
    cacheBytes,
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(io && { io }),
  })
  try {
    if (job.workload === 'facts') {
      return {
        version: peer.version(),
        durability: peer.durability,
        cannot: { ...peer.cannot },
        can: Object.keys(db),
      }
    }
    const memory = () => residentKb([process.pid, ...(db.helpers?.() ?? [])])
    if (job.reads !== undefined) {
      const reads: NonNullable<Answer['reads']> = {}
      for (const name of job.reads) {
        try {
          reads[name] = { value: await run(name, { ...job, db }), residentKb: memory() }
        } catch (error) {
          reads[name] = `failed: ${(error as Error).message}`
        }
      }
      return { value: 0, residentKb: memory(), reads }
    }
    if (job.workload === 'latency') {
      const found = await latencies({ ...job, db })
      return { value: found.length, residentKb: memory(), latencies: found }
    }
    const value = await (job.workload === 'load'
      ? load(db, job.rows)
      : run(job.workload, { ...job, db }))
    return { value, residentKb: memory() }
  } finally {
    await db.close()
  }
}

// It never outlives the process that asked.
process.on('disconnect', () => process.exit(1))

const job = JSON.parse(process.argv[2] ?? '{}') as Job
if (job.workload === 'joined') {
  await joined(job, await loadPeer(job.peer))
  process.exit(0)
} else if (job.workload === 'crashing') {
  await crashing(job, await loadPeer(job.peer))
} else {
  const answer = await measured(job)
  process.send?.(answer, () => process.exit(0))
}
