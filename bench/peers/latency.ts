// latency: how long single commits and lookups take while something else goes on in the database, and how long the
// event loop is kept from its turn meanwhile.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { account, accounts, balanceOf, keys } from './accounts.ts'
import type { Database } from './peer.ts'
import type { Context } from './workload.ts'

export const operations = ['commit', 'lookup'] as const
export const backgrounds = ['nothing', 'checkpoint', 'vacuum', 'bulk load'] as const
export type Background = (typeof backgrounds)[number]

/** Microseconds. */
export interface Latency {
  operation: (typeof operations)[number]
  background: Background
  count: number
  p50: number
  p99: number
  p999: number
  eventLoopP99: number
  eventLoopMax: number
}

const loadRows = 20_000

let rowsLoaded = 0

/** What goes on beside, again and again; undefined where the peer has no such thing. */
function beside(
  db: Database,
  background: Background,
  context: Context,
): (() => Promise<unknown>) | undefined {
  const first = 2_500_000_000 + context.sequence * 4_000_000
  switch (background) {
    case 'nothing':
      return async () => undefined
    case 'checkpoint':
      return db.checkpoint && (() => db.checkpoint?.() as Promise<void>)
    case 'vacuum':
      return db.vacuum && (() => db.vacuum?.() as Promise<void>)
    case 'bulk load':
      return (
        db.loadBeside &&
        (async () => {
          const rows = accounts(first + rowsLoaded, loadRows)
          rowsLoaded += loadRows
          await db.loadBeside?.(rows)
        })
      )
  }
}

async function measure(
  context: Context,
  operation: Latency['operation'],
  background: Background,
): Promise<Latency | undefined> {
  const { db } = context
  const again = beside(db, background, context)
  const commit = db.commitsAwaited ?? db.commits
  if (again === undefined || commit === undefined) return undefined
  const drawn = keys(100_000, context.rows, context.sequence + 1)
  let next =
    2_000_000_000 + context.sequence * 1_000_000 + backgrounds.indexOf(background) * 100_000
  const work = async (turn: number) => {
    if (operation === 'commit') return commit.call(db, [account(next++)])
    const key = drawn[turn % drawn.length] as number
    const answer = await db.lookups([key])
    if (answer !== balanceOf(key)) throw new Error(`balance of ${key}: ${answer}`)
  }
  for (let i = 0; i < 50; i++) await work(i)
  let isOver = false
  const goingOn = (async () => {
    while (!isOver) {
      await again()
      await setImmediate()
    }
  })()
  const taken: number[] = []
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const end = performance.now() + context.measureMs
  for (let i = 0; performance.now() < end; i++) {
    const start = performance.now()
    await work(i)
    taken.push((performance.now() - start) * 1000)
    await setImmediate()
  }
  delay.disable()
  isOver = true
  await goingOn
  taken.sort((a, b) => a - b)
  const at = (part: number) =>
    taken[Math.min(taken.length - 1, Math.floor(taken.length * part))] ?? 0
  return {
    operation,
    background,
    count: taken.length,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    eventLoopP99: delay.percentile(99) / 1000,
    eventLoopMax: delay.max / 1000,
  }
}

/** All pairs of what is done and what goes on beside it. */
export async function latencies(context: Context): Promise<Latency[]> {
  const found: Latency[] = []
  for (const background of backgrounds) {
    for (const operation of operations) {
      const latency = await measure(context, operation, background)
      if (latency !== undefined) found.push(latency)
    }
  }
  return found
}
