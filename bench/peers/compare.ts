// compare: runs the samples in turn, and keeps what each answered.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Latency } from './latency.ts'
import { forgetFiles, limitMemory } from './memory-limit.ts'
import type { Durability } from './peer.ts'
import type { Answer, Facts, Job } from './sample.ts'
import { sample } from './sampling.ts'
import { type Special, specials } from './special.ts'
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
  /** Of the table that all workloads are run on, and of all tables. */
  rows: number
  sizes: number[]
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
  latencies: Record<string, Latency[]>
}

const cacheBytes = 256 * 2 ** 20

const loading: Workload = {
  name: 'load',
  title: 'bulk load with the primary key, durable at the end',
  unit: 'rows/s',
  better: 'more',
  writes: true,
  needs: 'load',
  run: () => Promise.reject(new Error('it makes its database itself')),
}

// Whose tables are larger than the main one, too: loading those of others takes too long.
const peersOfLarge: readonly string[] = ['pgdata', 'better-sqlite3', 'lmdb']

type Described = Pick<Workload, 'name' | 'title' | 'unit' | 'better'> & { rounds?: number }

interface Contender {
  peer: string
  durability: Durability
  /** What of the job is not as usual. */
  special?: Partial<Job>
  /** Instead of the peer's name. */
  label?: string
}

type Sample = Answer & { diskBytes?: number }

interface Taking {
  figure: Figure
  contender: Contender
  answers: Sample[]
}

/** Runs all workloads on databases of one number of rows. */
class Round {
  readonly figures: Figure[] = []
  readonly latencies: Record<string, Latency[]> = {}
  readonly #plan: Plan
  readonly #facts: Record<string, Facts>
  readonly #sequences = new Map<string, number>()

  constructor(plan: Plan, facts: Record<string, Facts>) {
    this.#plan = plan
    this.#facts = facts
  }

  directory(peer: string, rows: number): string {
    return join(this.#plan.directory, `${peer}-${rows}`)
  }

  job({ peer, durability, special }: Contender, workload: string, rows: number): Job {
    const directory = this.directory(peer, rows)
    const sequence = this.#sequences.get(directory) ?? 0
    this.#sequences.set(directory, sequence + 1)
    const { isQuick } = this.#plan
    return {
      peer,
      workload,
      directory,
      rows,
      durability,
      sequence,
      warmUpMs: isQuick ? 100 : 300,
      measureMs: isQuick ? 250 : 600,
      cacheBytes,
      ...special,
    }
  }

  /** One workload, in turns; a contender that fails is out. */
  async take(
    workload: Described,
    contenders: readonly Contender[],
    rows: number,
    isClass: boolean,
    each: (job: Job) => Promise<Sample>,
  ): Promise<void> {
    const made = contenders.map((contender) => this.#taking(workload, contender, rows, isClass))
    const { rounds = this.#plan.rounds } = workload
    for (let round = 0; round < rounds; round++) {
      for (const { figure, contender, answers } of made) {
        if (figure.reason !== undefined) continue
        try {
          answers.push(await each(this.job(contender, workload.name, rows)))
        } catch (error) {
          figure.reason = `failed: ${(error as Error).message}`
        }
      }
    }
    this.#keep(workload, rows, made)
  }

  #taking(workload: Described, contender: Contender, rows: number, isClass: boolean): Taking {
    const { name, title, unit, better } = workload
    const peer = contender.label ?? contender.peer
    const figure: Figure = { workload: name, title, unit, better, rows, peer }
    if (isClass) figure.durability = contender.durability
    return { figure, contender, answers: [] }
  }

  #keep({ title, unit }: Described, rows: number, made: readonly Taking[]): void {
    for (const { figure, answers } of made) {
      const last = answers.at(-1)
      if (figure.reason === undefined && last !== undefined) {
        const samples = answers.map(({ value }) => value)
        figure.result = { ...summary(samples), samples, residentKb: last.residentKb }
        if (last.diskBytes !== undefined) figure.result.diskBytes = last.diskBytes
      }
      this.figures.push(figure)
    }
    const shown = made.map(({ figure }) => {
      const value = figure.result?.median
      return `${figure.peer} ${value === undefined ? figure.reason : value.toPrecision(4)}`
    })
    console.log(`${title} (${unit}), ${rows} rows: ${shown.join(', ')}`)
  }

  /** Workloads that only read: a process of a peer runs all that it can, one after the other. */
  async reads(wanted: readonly Workload[], rows: number): Promise<void> {
    const made = wanted.map((workload) => ({
      workload,
      takings: this.#able(workload, rows).map((peer) =>
        this.#taking(workload, this.main(peer), rows, false),
      ),
    }))
    for (let round = 0; round < this.#plan.rounds; round++) {
      for (const peer of this.#peers(rows)) {
        const takings = made
          .flatMap(({ takings }) => takings)
          .filter(({ figure }) => figure.peer === peer && figure.reason === undefined)
        const reads = takings.map(({ figure }) => figure.workload)
        if (reads.length === 0) continue
        let answer: Answer['reads'] | string
        try {
          answer = (
            await sample(this.#plan, { ...this.job(this.main(peer), 'reads', rows), reads })
          ).reads
        } catch (error) {
          answer = `failed: ${(error as Error).message}`
        }
        for (const { figure, answers } of takings) {
          const one = typeof answer === 'string' ? answer : answer?.[figure.workload]
          if (typeof one === 'object') answers.push(one)
          else figure.reason = one ?? 'failed: no answer'
        }
      }
    }
    for (const { workload, takings } of made) this.#keep(workload, rows, takings)
  }

  cannot(workload: Described, peer: string, rows: number, reason: string): void {
    const { name, title, unit, better } = workload
    this.figures.push({ workload: name, title, unit, better, rows, peer, reason })
  }

  /** With the strongest class of durability that it has. */
  main = (peer: string): Contender => ({
    peer,
    durability:
      this.#facts[peer]?.durability['power failure'] === undefined
        ? 'process crash'
        : 'power failure',
  })

  classes = (peer: string): Contender[] =>
    (Object.keys(this.#facts[peer]?.durability ?? {}) as Durability[]).map((durability) => ({
      peer,
      durability,
    }))

  async load(rows: number): Promise<void> {
    const rounds = rows > this.#plan.rows ? 1 : this.#plan.rounds
    const contenders = this.#peers(rows).map(this.main)
    await this.take({ ...loading, rounds }, contenders, rows, true, async (one) => {
      rmSync(one.directory, { recursive: true, force: true })
      mkdirSync(one.directory, { recursive: true })
      const answer = await sample(this.#plan, one)
      return { ...answer, diskBytes: diskBytes(one.directory) }
    })
  }

  #peers(rows: number): string[] {
    const { peers, rows: mainRows } = this.#plan
    return peers.filter((peer) => rows <= mainRows || peersOfLarge.includes(peer))
  }

  /** Those who cannot are told of. */
  #able(workload: Described & { needs: string }, rows: number): string[] {
    return this.#peers(rows).filter((peer) => {
      const { can = [], cannot = {} } = this.#facts[peer] ?? {}
      const isAble =
        cannot[workload.needs] === undefined &&
        (can.includes(workload.needs) || workload.needs === 'two processes')
      if (!isAble) this.cannot(workload, peer, rows, cannot[workload.needs] ?? 'cannot')
      return isAble
    })
  }

  async writes(workload: Workload, rows: number): Promise<void> {
    const contenders = this.#able(workload, rows).flatMap(this.classes)
    await this.take(workload, contenders, rows, true, (one) => sample(this.#plan, one))
  }

  async special(workload: Special, rows: number): Promise<void> {
    const contenders = this.#able(workload, rows).map(this.main)
    const isClass = workload.name === 'reopen'
    await this.take(workload, contenders, rows, isClass, (one) => sample(this.#plan, one))
  }

  /** With a tenth of the data in the pool, and little more for the process: nothing is in memory before. */
  async limited(workload: Workload, rows: number): Promise<void> {
    const able = this.#able(workload, rows)
    const data = diskBytes(this.directory('pgdata', rows))
    const pool = Math.max(2 ** 22, Math.round(rows * 17))
    const memory = pool + 120 * 2 ** 20
    const limit = limitMemory(memory)
    if (
      typeof limit === 'string' &&
      !this.figures.some(({ workload: name }) => name.startsWith('limited'))
    )
      console.log(`no limit of memory, small pools only: ${limit}`)
    const special = { cacheBytes: pool, memoryBytes: pool }
    const contenders = able
      .map((peer): Contender => ({ ...this.main(peer), special: { ...special, io: 'buffered' } }))
      .flatMap((each) => {
        if (this.#facts[each.peer]?.cannot.direct !== undefined) return [each]
        return [
          each,
          { ...each, label: `${each.peer} direct`, special: { ...special, io: 'direct' as const } },
        ]
      })
    const kind =
      typeof limit === 'string' ? 'small pool' : `${Math.round(memory / 2 ** 20)} MB of memory`
    const described = {
      ...workload,
      name: `limited-${workload.name}`,
      title: `${workload.title}, ${kind} for ${Math.round(data / 2 ** 20)} MB of directory`,
    }
    await this.take(described, contenders, rows, workload.writes, async (one) => {
      forgetFiles(one.directory)
      const procs = typeof limit === 'string' ? undefined : limit.procs
      return sample(this.#plan, { ...one, workload: workload.name }, procs)
    })
    if (typeof limit !== 'string') limit.remove()
  }

  async latency(rows: number): Promise<void> {
    const able = this.#plan.peers.filter((peer) => this.#facts[peer]?.can.includes('commits'))
    for (const peer of able) {
      try {
        const answer = await sample(this.#plan, this.job(this.main(peer), 'latency', rows))
        this.latencies[peer] = answer.latencies ?? []
      } catch (error) {
        console.log(`latencies of ${peer} failed: ${(error as Error).message}`)
      }
    }
    console.log('latencies measured')
  }
}

export async function compare(plan: Plan): Promise<Comparison> {
  const facts: Record<string, Facts> = {}
  const round = new Round(plan, facts)
  for (const peer of plan.peers) {
    mkdirSync(round.directory(peer, 0), { recursive: true })
    const job = round.job({ peer, durability: 'power failure' }, 'facts', 0)
    facts[peer] = await sample<Facts>(plan, job)
  }
  const isWanted = (name: string) => plan.only?.includes(name) ?? true

  async function atSize(rows: number, isMain: boolean): Promise<void> {
    const wanted = workloads.filter(
      ({ name, rowsMax = 0 }) => isWanted(name) && (isMain || rows <= rowsMax),
    )
    await round.load(rows)
    await round.reads(
      wanted.filter(({ writes }) => !writes),
      rows,
    )
    const limited = isMain
      ? workloads.filter(({ isLimitedToo, name }) => isLimitedToo && isWanted(`limited-${name}`))
      : []
    for (const workload of limited.filter(({ writes }) => !writes))
      await round.limited(workload, rows)
    const special = isMain ? specials.filter(({ name }) => isWanted(name)) : []
    for (const workload of special.filter(({ name }) => name !== 'reopen'))
      await round.special(workload, rows)
    if (isMain && isWanted('latency')) await round.latency(rows)
    for (const workload of wanted.filter(({ writes }) => writes)) await round.writes(workload, rows)
    for (const workload of limited.filter(({ writes }) => writes))
      await round.limited(workload, rows)
    for (const workload of special.filter(({ name }) => name === 'reopen'))
      await round.special(workload, rows)
    for (const peer of plan.peers)
      rmSync(round.directory(peer, rows), { recursive: true, force: true })
  }

  for (const rows of plan.sizes) await atSize(rows, rows === plan.rows)
  return { rounds: plan.rounds, peers: facts, figures: round.figures, latencies: round.latencies }
}
