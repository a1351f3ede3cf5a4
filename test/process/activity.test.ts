// What processes see of each other's sessions and workers.
// Goal: each process sees the sessions of all, what they wait for, and the workers of the owner; they vanish with their
// process, and the workers are the next owner's. Method: members are child processes that run what the test sends them.
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

// Processes take a while to start on a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

let directory: string

beforeEach(async () => {
  directory = temporaryDirectory('activity')
  await Cluster.init(directory)
})

async function eventually(what: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!what()) {
    if (performance.now() > deadline) throw new Error('it never came to be')
    await sleep(10)
  }
}

const workers = ['autovacuum launcher', 'background writer', 'checkpointer', 'walwriter']

test('a process sees the sessions of another, what they wait for, and their end', async () => {
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect({ applicationName: 'here' })
  await session.createTable('t', { columns: { id: 'int4', n: 'int4' }, primaryKey: ['id'] })
  const t = session.table<{ id: number; n: number }>('t')
  await t.insert({ id: 1, n: 0 })
  await using other = await Member.start(directory)
  const theirs = () => cluster.activity().filter(({ pid }) => pid === other.pid)
  expect(theirs()).toMatchObject([
    {
      backend_type: 'client backend',
      state: 'idle',
      datname: 'postgres',
      wait_event: 'ClientRead',
    },
  ])
  await session.transaction(async (tx) => {
    await tx.update(t, 1, { n: 1 })
    const waiting = other.run(({ session }) => session.table('t').update(1, { n: 2 }))
    await eventually(() => theirs().some(({ wait_event_type }) => wait_event_type === 'Lock'))
    expect(theirs()).toMatchObject([
      {
        state: 'active',
        wait_event: 'transactionid',
        query: 'UPDATE public.t',
        xact_start: expect.any(Date),
      },
    ])
    // They see us, too.
    const seen = await other.run(({ cluster }) =>
      cluster.activity().map(({ pid, application_name, state, backend_type, query }) => ({
        pid,
        application_name,
        state,
        backend_type,
        query,
      })),
    )
    expect(seen).toContainEqual({
      pid: process.pid,
      application_name: 'here',
      state: 'idle in transaction',
      backend_type: 'client backend',
      query: 'UPDATE public.t',
    })
    expect(
      seen
        .filter(({ backend_type }) => workers.includes(backend_type))
        .map(({ pid, backend_type }) => [backend_type, pid]),
    ).toEqual(workers.map((type) => [type, process.pid]))
    waiting.catch(() => undefined)
    await other.kill()
    await eventually(() => theirs().length === 0)
  })
  expect(cluster.activity().every(({ pid }) => pid === process.pid)).toBe(true)
})

test('the workers are those of the next owner when one is killed or closes', async () => {
  const owner = await Member.start(directory)
  await using cluster = await Cluster.open(directory)
  const workersOf = (pid: number) =>
    cluster
      .activity()
      .filter((row) => row.pid === pid && row.session === null)
      .map(({ backend_type }) => backend_type)
  expect(workersOf(owner.pid)).toEqual(workers)
  expect(workersOf(process.pid)).toEqual([])
  await owner.kill()
  await eventually(() => workersOf(process.pid).length === workers.length)
  expect(workersOf(owner.pid)).toEqual([])
  expect(cluster.activity().some(({ pid }) => pid === owner.pid)).toBe(false)
  // And when the owner closes.
  await using other = await Member.start(directory)
  await cluster.close()
  const seen = async () =>
    await other.run(({ cluster }) =>
      cluster
        .activity()
        .filter(({ session }) => session === null)
        .map(({ pid }) => pid),
    )
  const deadline = performance.now() + 20_000
  while ((await seen()).length < workers.length && performance.now() < deadline) await sleep(20)
  expect(await seen()).toEqual(workers.map(() => other.pid))
})
