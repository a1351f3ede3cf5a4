// What do two processes on one directory reach, beside one: point lookups, and commits that share a sync?
//
// Predicted: almost twice the lookups on two cores, since readers meet only in the pins of the pages; but less beside a
// process that is alone, which need not lock its table for a single read. Of 64 transactions in flight at least ten
// commits a sync, in two processes as in one.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Cluster } from 'pgdata'
import { type Account, account, accountRows, accounts, accountsTable } from './accounts.ts'

const lookups = 400_000
const rounds = 9
const commitsEach = 64
const inFlight = 64

interface Work {
  kind: 'lookups' | 'commits'
  /** Of commits: the first id to insert, and how many sessions insert. */
  first: number
  sessions: number
}

/** Opens the directory; then does each piece of work that it is sent, and answers with the milliseconds it took. */
async function child(directory: string): Promise<void> {
  const cluster = await Cluster.open(directory)
  const connect = async () => (await cluster.connect()).table<Account>('public.accounts')
  const table = await connect()
  const tables = [table]
  const work: Record<Work['kind'], (work: Work) => Promise<void>> = {
    async lookups() {
      let sum = 0
      for (let i = 0; i < lookups; i++) sum += table.get(((i * 7919) % accountRows) + 1)?.id ?? 0
      if (sum === 0) throw new Error('nothing was found')
    },
    async commits({ first, sessions }) {
      while (tables.length < sessions) tables.push(await connect())
      let next = first
      const lane = async (each: typeof table) => {
        for (let i = 0; i < commitsEach; i++) await each.insert(account(next++))
      }
      await Promise.all(tables.slice(0, sessions).map(lane))
    },
  }
  process.on('message', async (message: Work) => {
    const start = performance.now()
    await work[message.kind](message)
    process.send?.(performance.now() - start)
  })
  process.on('disconnect', () => void cluster.close())
  process.send?.('ready')
}

async function start(directory: string): Promise<ChildProcess> {
  const started = fork(fileURLToPath(import.meta.url), [directory])
  await once(started, 'message')
  return started
}

/** Milliseconds until all have done it. */
async function together(children: ChildProcess[], work: (i: number) => Work): Promise<number> {
  const times = await Promise.all(
    children.map(async (each, i) => {
      const answer = once(each, 'message')
      each.send(work(i))
      return (await answer)[0] as number
    }),
  )
  return Math.max(...times)
}

/** A directory with the table, closed. */
async function filled(): Promise<string> {
  const directory = join(mkdtempSync(join(tmpdir(), 'pgdata-bench-')), 'data')
  await using cluster = await Cluster.open(directory, { create: true })
  await using session = await cluster.connect()
  await session.createTable('accounts', accountsTable)
  await session.table<Account>('accounts').insertMany(accounts())
  await session.vacuum('accounts')
  return directory
}

async function stop(each: ChildProcess): Promise<void> {
  const exited = once(each, 'exit')
  each.disconnect()
  await exited
}

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number

async function parent(): Promise<void> {
  const directory = await filled()
  const other = await filled()
  const reading = (): Work => ({ kind: 'lookups', first: 0, sessions: 1 })
  const rate = async (children: ChildProcess[]) =>
    (lookups * children.length) / (await together(children, reading))
  const first = await start(directory)
  const apart = await start(other)
  // What the machine itself gives to two processes that share nothing is measured in the same rounds.
  const seen = { alone: [], apart: [], one: [], two: [] } as Record<string, number[]>
  await rate([first, apart])
  for (let round = 0; round < rounds; round++) {
    seen['alone']?.push(await rate([first]))
    seen['apart']?.push(await rate([first, apart]))
    const second = await start(directory)
    await rate([second])
    seen['one']?.push(await rate([first]))
    seen['two']?.push(await rate([first, second]))
    await stop(second)
  }
  await stop(apart)
  const ratios = (of: string, to: string) => {
    const each = (seen[of] as number[]).map((value, i) => value / (seen[to]?.[i] as number))
    return `${median(each).toFixed(2)} (${Math.min(...each).toFixed(2)}-${Math.max(...each).toFixed(2)})`
  }
  console.log(
    `lookups by primary key, medians of ${rounds} rounds: two processes ${median(seen['two'] as number[]).toFixed(0)}/ms; ` +
      `ratio to one alone on the directory ${ratios('two', 'alone')}, to one of them working ${ratios('two', 'one')}; ` +
      `two on directories of their own, to one alone ${ratios('apart', 'alone')}`,
  )

  const second = await start(directory)
  let next = accountRows + 1
  for (const children of [[first, second], [first]]) {
    const sessions = inFlight / children.length
    const committing = (i: number): Work => ({
      kind: 'commits',
      first: next + i * sessions * commitsEach,
      sessions,
    })
    const round = async () => {
      const ms = await together(children, committing)
      next += inFlight * commitsEach
      return ms
    }
    await round()
    const counter = await Cluster.open(directory)
    const syncs = () => counter.statistics().wal_syncs as number
    const before = syncs()
    const ms = await round()
    const commits = inFlight * commitsEach
    console.log(
      `${inFlight} transactions in flight in ${children.length} process${children.length > 1 ? 'es' : ''}: ` +
        `${(commits / (syncs() - before)).toFixed(1)} commits per sync, ${(commits / ms).toFixed(1)} commits/ms`,
    )
    await counter.close()
  }
  for (const each of [first, second]) await stop(each)
  for (const each of [directory, other]) rmSync(join(each, '..'), { recursive: true })
}

const [directory] = process.argv.slice(2)
await (directory === undefined ? parent() : child(directory))
