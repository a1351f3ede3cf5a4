// compare: runs the samples in turn, and keeps what each answered.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Durability } from './peer.ts'
import type { Answer, Facts, Job } from './sample.ts'
import { type Summary, summary } from './statistics.ts'
import { diskBytes } from './tools.ts'
import { type Workload, workloads } from './workload.ts'

export interface Plan {
  /** Where the bundle is. */
  programs: string
  directory: string
  isQuick: boolean
  peers: string[]
  only: string[] | undefined
  rounds: number
  rows: number
}

export interface Figure {
  workload: string
  title: string
  unit: string
  better: 'more' | 'less'
  rows: number
  peer: string
  /** Undefined of workloads that only read. */
  durability?: Durability
  /** Undefined when it cannot. */
  result?: Summary & { samples: number[]; residentKb: number; diskBytes?: number }
  /** Why there is no result. */
  reason?: string
}

export interface Comparison {
  rounds: number
  peers: Record<string, Facts>
  figures: Figure[]
}

const cacheBytes = 256 * 2 ** 20
const sampleTimeoutMs = 180_000

async function sample<A = Answer>(plan: Plan, job: Job): Promise<A> {
  const child = fork(join(plan.programs, 'sample.js'), [JSON.stringify(job)], {
    execArgv: ['--expose-gc', '--max-old-space-size=8192'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.on('data', (text) => {
    errors += text
  })
  let answer: A | undefined
  child.on('message', (message) => {
    answer = message as A
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), sampleTimeoutMs)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(timer)
  if (answer === undefined || code !== 0) {
    const lines = errors.split('\n').filter((line) => /Error|error/.test(line))
    throw new Error(lines[0] ?? `ended with ${signal ?? `status ${code}`}`)
  }
  return answer
}

const loading = {
  name: 'load',
  title: 'bulk load with the primary key, durable at the end',
  unit: 'rows/s',
  better: 'more',
} as const

export async function compare(plan: Plan): Promise<Comparison> {
  const facts: Record<string, Facts> = {}
  const figures: Figure[] = []
  const sequences = new Map<string, number>()
  const job = (peer: string, workload: string, rows: number, durability: Durability): Job => {
    const directory = join(plan.directory, `${peer}-${rows}`)
    const sequence = sequences.get(directory) ?? 0
    sequences.set(directory, sequence + 1)
    return {
      peer,
      workload,
      directory,
      rows,
      durability,
      sequence,
      warmUpMs: plan.isQuick ? 150 : 400,
      measureMs: plan.isQuick ? 350 : 800,
      cacheBytes,
    }
  }

  // Runs the rounds of one workload; a contender that fails is out.
  async function rounds(
    workload: Pick<Workload, 'name' | 'title' | 'unit' | 'better'>,
    contenders: { peer: string; durability: Durability; isClass: boolean }[],
    rows: number,
    each: (job: Job) => Promise<Answer & { diskBytes?: number }>,
  ): Promise<void> {
    const made = contenders.map(({ peer, durability, isClass }) => {
      const { name, title, unit, better } = workload
      const figure: Figure = { workload: name, title, unit, better, rows, peer }
      if (isClass) figure.durability = durability
      return { figure, peer, durability, answers: [] as (Answer & { diskBytes?: number })[] }
    })
    for (let round = 0; round < plan.rounds; round++) {
      for (const { figure, peer, durability, answers } of made) {
        if (figure.reason !== undefined) continue
        try {
          answers.push(await each(job(peer, workload.name, rows, durability)))
        } catch (error) {
          figure.reason = `failed: ${(error as Error).message}`
        }
      }
    }
    for (const { figure, answers } of made) {
      if (figure.reason === undefined) {
        const samples = answers.map(({ value }) => value)
        const last = answers.at(-1)
        figure.result = {
          ...summary(samples),
          samples,
          residentKb: last?.residentKb ?? 0,
          ...(last?.diskBytes !== undefined && { diskBytes: last.diskBytes }),
        }
      }
      figures.push(figure)
    }
    const shown = made.map(({ figure }) => {
      const value = figure.result?.median
      return `${figure.peer} ${value === undefined ? figure.reason : value.toPrecision(4)}`
    })
    console.log(`${workload.title} (${workload.unit}), ${rows} rows: ${shown.join(', ')}`)
  }

  for (const peer of plan.peers) {
    mkdirSync(join(plan.directory, `${peer}-0`), { recursive: true })
    facts[peer] = await sample<Facts>(plan, job(peer, 'facts', 0, 'power failure'))
  }

  const classOf = (peer: string): Durability =>
    facts[peer]?.durability['power failure'] === undefined ? 'process crash' : 'power failure'
  const main = (peer: string) => ({ peer, durability: classOf(peer), isClass: false })

  async function atSize(rows: number, isMain: boolean): Promise<void> {
    const wanted = workloads.filter(
      ({ name, rowsMax = 0 }) => (plan.only?.includes(name) ?? true) && (isMain || rows <= rowsMax),
    )
    await rounds(
      loading,
      plan.peers.map((peer) => ({ ...main(peer), isClass: true })),
      rows,
      async (one) => {
        rmSync(one.directory, { recursive: true, force: true })
        mkdirSync(one.directory, { recursive: true })
        const answer = await sample(plan, one)
        return { ...answer, diskBytes: diskBytes(one.directory) }
      },
    )
    for (const workload of wanted) {
      const able = plan.peers.filter((peer) => facts[peer]?.can.includes(workload.needs))
      const contenders = workload.writes
        ? able.flatMap((peer) =>
            (Object.keys(facts[peer]?.durability ?? {}) as Durability[]).map((durability) => ({
              peer,
              durability,
              isClass: true,
            })),
          )
        : able.map(main)
      await rounds(workload, contenders, rows, (one) => sample(plan, one))
      for (const peer of plan.peers.filter((name) => !able.includes(name))) {
        const { name, title, unit, better, needs } = workload
        const reason = facts[peer]?.cannot[needs] ?? 'cannot'
        figures.push({ workload: name, title, unit, better, rows, peer, reason })
      }
    }
    for (const peer of plan.peers)
      rmSync(join(plan.directory, `${peer}-${rows}`), { recursive: true, force: true })
  }

  await atSize(plan.rows, true)
  return { rounds: plan.rounds, peers: facts, figures }
}
