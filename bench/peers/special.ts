// special: workloads that need more than an open database: another process, a crash, or what opening itself takes.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { balanceOf } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import type { Job } from './sample.ts'
import { type Context, drawnKeys, lookups } from './workload.ts'

export interface Special {
  name: string
  title: string
  unit: string
  better: 'more' | 'less'
  /** A peer that says why it cannot do this is left out. */
  needs: 'two processes' | 'lookups' | 'updates'
  run(job: Job, load: () => Promise<Peer>): Promise<number>
}

function options(job: Job): OpenOptions {
  return { durability: job.durability, cacheBytes: job.cacheBytes }
}

async function firstRow(db: Database): Promise<void> {
  const answer = await db.lookups([1])
  if (Number.isNaN(answer)) throw new Error('the first row is not there')
}

async function inOtherProcess(job: Job): Promise<ChildProcess> {
  const child = fork(process.argv[1] as string, [JSON.stringify(job)], {
    execArgv: ['--expose-gc'],
  })
  const ended = once(child, 'exit')
  const [message] = await Promise.race([once(child, 'message'), ended])
  if (message !== 'ready') throw new Error('the other process failed')
  return child
}

async function twoProcesses(job: Job, load: () => Promise<Peer>): Promise<number> {
  const peer = await load()
  const db = await peer.open(job.directory, options(job))
  try {
    const joined = { ...job, workload: 'joined', ...(db.shared && { join: db.shared }) }
    const other = await inOtherProcess({ ...joined, sequence: job.sequence + 1000 })
    const answer = once(other, 'message')
    other.send('go')
    const ours = await lookups('uniform')({ ...job, db })
    const [theirs] = (await answer) as [number]
    const exit = once(other, 'exit')
    other.send('end')
    await exit
    return ours + theirs
  } finally {
    await db.close()
  }
}

/** The process beside: opens, looks up when told, answers, and ends when told. */
export async function joined(job: Job, peer: Peer): Promise<void> {
  const join = job.join === undefined ? {} : { join: job.join }
  const db = await peer.open(job.directory, { ...options(job), ...join })
  const context: Context = { ...job, db }
  process.send?.('ready')
  await once(process, 'message')
  process.send?.(await lookups('uniform')(context))
  await once(process, 'message')
  await db.close()
}

const logBytesWanted = 100e6
const updatesWithoutLog = 300_000
const writingMs = 30_000

/** Changes rows until the log holds enough, tells it, and waits to be killed. */
export async function crashing(job: Job, peer: Peer): Promise<void> {
  const db = await peer.open(job.directory, { ...options(job), neverCheckpoint: true })
  const before = db.logBytes?.() ?? 0
  const drawn = drawnKeys(job.rows, job.sequence)
  let made = 0
  const isEnough = () =>
    db.logBytes === undefined ? made >= updatesWithoutLog : db.logBytes() - before >= logBytesWanted
  const update = (db.updatesBySet ?? db.updates)?.bind(db)
  const end = performance.now() + writingMs
  while (!isEnough()) {
    if (performance.now() > end) throw new Error('the log does not grow fast enough')
    const at = made % (drawn.length - 1000)
    await update?.(drawn.slice(at, at + 1000), balanceOf(made), 1000)
    made += 1000
  }
  await db.updates?.([1], job.sequence + 0.75, 1)
  if (db.crash) {
    await db.crash()
    process.send?.('ready', () => process.exit(0))
  } else {
    process.send?.('ready')
  }
  await new Promise(() => setInterval(() => undefined, 1000))
}

async function reopen(job: Job, load: () => Promise<Peer>): Promise<number> {
  const child = await inOtherProcess({ ...job, workload: 'crashing' })
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
  const peer = await load()
  const start = performance.now()
  const db = await peer.open(job.directory, options(job))
  const answer = await db.lookups([1])
  const ms = performance.now() - start
  await db.close()
  if (answer !== job.sequence + 0.75)
    throw new Error(`after the crash the row has ${answer}, not ${job.sequence + 0.75}`)
  return ms
}

export const specials: Special[] = [
  {
    name: 'two-processes',
    title: 'lookups by key from two processes at once, both together',
    unit: 'rows/s',
    better: 'more',
    needs: 'two processes',
    run: twoProcesses,
  },
  {
    name: 'import',
    title: 'import of the module',
    unit: 'ms',
    better: 'less',
    needs: 'lookups',
    async run(_job, load) {
      const start = performance.now()
      await load()
      return performance.now() - start
    },
  },
  {
    name: 'open',
    title: 'open to the first row',
    unit: 'ms',
    better: 'less',
    needs: 'lookups',
    async run(job, load) {
      const peer = await load()
      const start = performance.now()
      const db = await peer.open(job.directory, options(job))
      await firstRow(db)
      const ms = performance.now() - start
      await db.close()
      return ms
    },
  },
  {
    name: 'reopen',
    title: 'reopen to the first row after kill -9, with 100 MB of committed changes in the log',
    unit: 'ms',
    better: 'less',
    needs: 'updates',
    run: reopen,
  },
]
