// Tests of processes that are killed while several have the cluster open.
// Goal: one that dies between two calls takes only its own transaction with it; one that dies inside ends all sessions with
// 57P02, and connecting again works at once. Method: a member is killed while it writes without pause, so that it is nearly
// always inside; what it had acknowledged is kept outside.
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster, type PgError } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

// Processes take a while to start on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 })

let directory: string

beforeEach(async () => {
  directory = temporaryDirectory('death')
  await Cluster.init(directory)
})

const columns = { id: 'int4', n: 'int4' }

// Writes rows from `first` on until the process dies; the test hears of each that is committed.
async function writeForEver(member: Member, first: number, acknowledged: Set<number>) {
  member.process.on('message', (message: { acknowledged?: number }) => {
    if (message.acknowledged !== undefined) acknowledged.add(message.acknowledged)
  })
  await member.run(({ session, kept }, id: number) => {
    const t = session.table('t')
    kept['writer'] = (async () => {
      for (; ; id++) {
        await t.insert({ id, n: id })
        process.send?.({ acknowledged: id })
      }
    })()
  }, first)
}

// What is in the table, read and written with a new session as soon as that is possible. A death that was not noticed yet may
// still end a session that was just begun.
async function idsAfterDeath(cluster: Cluster, marker: number): Promise<Set<number>> {
  const deadline = performance.now() + 60_000
  for (;;) {
    try {
      await using session = await cluster.connect()
      const t = session.table<{ id: number }>('t')
      if (t.get(marker) === undefined) await t.insert({ id: marker })
      return new Set([...t.scan()].map(({ id }) => id))
    } catch (error) {
      if ((error as PgError).code !== '57P02' || performance.now() > deadline) throw error
      await sleep(5)
    }
  }
}

// The test's own process is what is left.
async function survive(open: Cluster, firstVictim: Member): Promise<void> {
  const acknowledged = new Set<number>()
  let slowestMs = 0
  for (let round = 0; round < 5; round++) {
    const victim = round === 0 ? firstVictim : await Member.start(directory)
    await writeForEver(victim, round * 1_000_000, acknowledged)
    await sleep(200)
    await victim.kill()
    const killed = performance.now()
    const there = await idsAfterDeath(open, -round - 1)
    slowestMs = Math.max(slowestMs, performance.now() - killed)
    expect([...acknowledged].filter((id) => !there.has(id))).toEqual([])
  }
  console.log(`slowest answer after a death: ${slowestMs.toFixed(0)} ms`)
  expect(acknowledged.size).toBeGreaterThan(10)
}

async function createTable(cluster: Cluster): Promise<void> {
  await using session = await cluster.connect()
  await session.createTable('t', { columns, primaryKey: ['id'] })
}

test('a process that dies while it writes', async () => {
  await using cluster = await Cluster.open(directory)
  await createTable(cluster)
  await survive(cluster, await Member.start(directory))
})

test('an owner that dies while it writes', async () => {
  const owner = await Member.start(directory)
  await using cluster = await Cluster.open(directory)
  await createTable(cluster)
  await survive(cluster, owner)
})
