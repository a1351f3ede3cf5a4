// Test of the event loop of a process that uses a cluster.
// Goal: commits, waits for locks, checkpoints, vacuums and recovery leave the event loop free. Method: another process does each
// under load while a histogram measures how late its timer is; what it did is checked, and the histograms are printed. How late
// depends on the machine and decides nothing here.
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

interface Delays {
  name: string
  /** Milliseconds. */
  max: number
  p99: number
  mean: number
  /** Of the phase. */
  ms: number
  done: number
}

test('nothing blocks the event loop for long', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('event-loop')
  const crashed = temporaryDirectory('event-loop-crashed')
  for (const each of [directory, crashed])
    await (await Cluster.open(each, { create: true })).close()

  // Leaves some 50 MB of log behind.
  const victim = await Member.start(crashed)
  await victim.run(async ({ session }) => {
    await session.createTable('t', { columns: { id: 'int8', v: 'text' }, primaryKey: ['id'] })
    const t = session.table('t')
    for (let first = 0; first < 300_000; first += 10_000) {
      await t.insertMany(
        Array.from({ length: 10_000 }, (_, i) => ({ id: first + i, v: 'x'.repeat(80) })),
      )
    }
  })
  await victim.kill()

  await using member = await Member.start(directory, { autovacuum: false })
  const { measured, recoveredRows } = await member.run(phases, crashed)
  for (const { name, max, p99, mean, ms } of measured) {
    const figures = [max, p99, mean].map((each) => each.toFixed(1)).join(', ')
    console.log(
      `event loop during ${name} (${ms.toFixed(0)} ms): max, p99, mean ${figures} ms late`,
    )
  }
  const done = Object.fromEntries(measured.map(({ name, done }) => [name, done]))
  expect(done).toEqual({
    nothing: 0,
    commits: 6400,
    'a wait for a lock': 1,
    'a checkpoint': 1,
    'a vacuum': 50_000,
    'a recovery': 1,
  })
  expect(recoveredRows).toBe(300_000)
})

// Sent as text: it uses only what it is given.
async function phases(
  { cluster }: { cluster: Cluster },
  crashed: string,
): Promise<{ measured: Delays[]; recoveredRows: number }> {
  const { monitorEventLoopDelay } = process.getBuiltinModule('node:perf_hooks')
  const resolution = 1
  const measured: Delays[] = []
  const during = async (name: string, work: () => Promise<number>) => {
    const histogram = monitorEventLoopDelay({ resolution })
    histogram.enable()
    const start = performance.now()
    const done = await work()
    const ms = performance.now() - start
    histogram.disable()
    // The histogram counts from one timer to the next.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolution)
    measured.push({
      name,
      max: late(histogram.max),
      p99: late(histogram.percentile(99)),
      mean: late(histogram.mean),
      ms,
      done,
    })
  }
  const sessions = await Promise.all(Array.from({ length: 64 }, () => cluster.connect()))
  const [session, other] = sessions as [(typeof sessions)[0], (typeof sessions)[0]]
  await session.createTable('t', { columns: { id: 'int8', v: 'text' }, primaryKey: ['id'] })
  const t = session.table<{ id: number; v: string }>('t')
  let next = 0
  const commits = async (each: number) => {
    await Promise.all(
      sessions.map(async (session) => {
        const t = session.table('t')
        for (let i = 0; i < each; i++) await t.insert({ id: next++, v: 'x'.repeat(100) })
      }),
    )
    return each * sessions.length
  }
  // What is compiled and read for the first time is not what is asked here.
  await commits(10)
  await cluster.checkpoint()

  await during('nothing', async () => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    return 0
  })
  await during('commits', () => commits(100))
  await during('a wait for a lock', async () => {
    let release = () => {}
    const locked = other.transaction(async (tx) => {
      await tx.update(other.table('t'), 1, { v: 'locked' })
      await new Promise<void>((resolve) => {
        release = resolve
      })
    })
    const waiting = t.update(1, { v: 'waited' })
    setTimeout(() => release(), 300)
    await Promise.all([locked, waiting])
    return t.get(1)?.v === 'waited' ? 1 : 0
  })
  for (let first = 100_000; first < 200_000; first += 10_000) {
    await t.insertMany(
      Array.from({ length: 10_000 }, (_, i) => ({ id: first + i, v: 'y'.repeat(100) })),
    )
  }
  await during('a checkpoint', async () => {
    await cluster.checkpoint()
    return 1
  })
  await session.transaction(async (tx) => {
    for (let id = 100_000; id < 150_000; id++) await tx.delete(t, id)
  })
  await during('a vacuum', async () => {
    const reports = await session.vacuum('t')
    return reports.reduce((sum, { tuplesRemoved }) => sum + tuplesRemoved, 0)
  })
  const { open } = cluster.constructor as typeof Cluster
  let recovered: Cluster | undefined
  await during('a recovery', async () => {
    recovered = await open(crashed)
    return 1
  })
  const there = await (recovered as unknown as Cluster).connect()
  const { count } = await there.table('t').aggregate({ count: true })
  await (recovered as unknown as Cluster).close()
  return { measured, recoveredRows: count as number }
}
