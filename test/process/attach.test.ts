// Tests of several processes on one directory.
// Goal: a second process joins the first; both see each other's rows, definitions and locks; the cluster goes on when the
// owner closes or is killed. Method: members are child processes that run what the test sends them.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

// Processes take a while to start on a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

let directory: string

beforeEach(async () => {
  directory = temporaryDirectory('attach')
  await Cluster.init(directory)
})

const lockFile = () => join(directory, 'postmaster.pid')

async function eventually(what: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error('it never came to be')
    await sleep(10)
  }
}

test('a second process sees and changes what the first does', async () => {
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4', v: 'text' }, primaryKey: ['id'] })
  const t = session.table<{ id: number; v: string }>('t')
  await t.insert({ id: 1, v: 'here' })
  await using other = await Member.start(directory)
  expect(cluster.processes()).toMatchObject([
    { pid: process.pid, isOwner: true },
    { pid: other.pid, isOwner: false },
  ])
  expect(await other.run(({ session }) => session.table('t').get(1))).toEqual({ id: 1, v: 'here' })
  await other.run(({ session }) => session.table('t').insert({ id: 2, v: 'there' }))
  expect(t.get(2)).toEqual({ id: 2, v: 'there' })
  expect([...t.scan()]).toHaveLength(2)
  await other.run(({ session }) => session.table('t').update(1, { v: 'changed' }))
  expect(t.get(1)?.v).toBe('changed')
  await other.run(({ cluster }) => cluster.checkpoint())
  await other.close()
  expect(cluster.processes()).toHaveLength(1)
  expect([...t.scan()]).toHaveLength(2)
})

test('definitions of one process are known to the other at its next statement', async () => {
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  await using other = await Member.start(directory)
  await session.createTable('t', { columns: { id: 'int4', v: 'text' }, primaryKey: ['id'] })
  await other.run(({ session }) => session.table('t').insert({ id: 1, v: 'x' }))
  const t = session.table<{ id: number; v: string }>('t')
  await session.createIndex('t', { columns: ['v'], name: 't_v', unique: true })
  await expect(
    other.run(({ session }) => session.table('t').insert({ id: 2, v: 'x' })),
  ).rejects.toMatchObject({ code: '23505' })
  await other.run(({ session }) => session.truncate('t'))
  expect([...t.scan()]).toEqual([])
  await t.insert({ id: 3, v: 'y' })
  expect(await other.run(({ session }) => [...session.table('t').scan()])).toEqual([
    { id: 3, v: 'y' },
  ])
  await other.run(({ session }) => session.dropTable('t'))
  expect(() => t.get(3)).toThrow(expect.objectContaining({ code: '42P01' }))
})

test('locks of one process are waited for by the other', async () => {
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4', n: 'int4' }, primaryKey: ['id'] })
  const t = session.table<{ id: number; n: number }>('t')
  await t.insert({ id: 1, n: 0 })
  await using other = await Member.start(directory)
  let updated: Promise<unknown> | undefined
  await session.transaction(async (tx) => {
    await tx.update(t, 1, { n: 1 })
    updated = other.run(async ({ session }) => {
      const t = session.table<{ id: number; n: number }>('t')
      await session.transaction(async (tx) => {
        const row = await tx.get(t, 1, { lock: 'for update' })
        await tx.update(t, 1, { n: (row?.n ?? 0) + 10 })
      })
    })
    await eventually(() => cluster.locks().some(({ granted }) => !granted))
  })
  await updated
  expect(t.get(1)?.n).toBe(11)
})

test('the cluster goes on when its owner closes, and when it is killed', async () => {
  const first = await Member.start(directory)
  await first.run(({ session }) =>
    session.createTable('t', { columns: { id: 'int4' }, primaryKey: ['id'] }),
  )
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  const t = session.table<{ id: number }>('t')
  await t.insert({ id: 1 })
  await first.close()
  await eventually(() => cluster.processes().some(({ isOwner }) => isOwner))
  expect(cluster.processes()).toMatchObject([{ pid: process.pid, isOwner: true }])
  await t.insert({ id: 2 })
  await cluster.checkpoint()
  const second = await Member.start(directory)
  expect(await second.run(({ session }) => [...session.table('t').scan()].length)).toBe(2)
  await second.killOutside(cluster)
  await eventually(() => cluster.processes().length === 1)
  await t.insert({ id: 3 })
  expect([...t.scan()]).toHaveLength(3)
})

test('a killed owner is followed by the other, and its transactions are rolled back', async () => {
  const owner = await Member.start(directory)
  await owner.run(async ({ session }) => {
    await session.createTable('t', { columns: { id: 'int4', n: 'int4' }, primaryKey: ['id'] })
    await session.table('t').insert({ id: 1, n: 0 })
  })
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  const t = session.table<{ id: number; n: number }>('t')
  // A transaction that has written, holds locks and has made a table, and never ends.
  await owner.run(async ({ session, kept }) => {
    const t = session.table('t')
    await new Promise<void>((done) => {
      kept['open'] = session.transaction(async (tx) => {
        await tx.update(t, 1, { n: 100 })
        tx.insert(t, { id: 2, n: 2 })
        await tx.createTable('lost', { columns: { id: 'int4' } })
        done()
        await new Promise(() => {})
      })
    })
  })
  const waiting = t.update(1, { n: 5 })
  await sleep(50)
  await owner.killOutside(cluster)
  await waiting
  expect([...t.scan()]).toEqual([{ id: 1, n: 5 }])
  expect(cluster.processes()).toMatchObject([{ pid: process.pid, isOwner: true }])
  expect(() => session.table('lost')).toThrow(expect.objectContaining({ code: '42P01' }))
  await cluster.checkpoint()
  await cluster.close()
  expect(existsSync(lockFile())).toBe(false)
})

test('two openings in one process share the cluster', async () => {
  await using first = await Cluster.open(directory)
  await using a = await first.connect()
  await using second = await Cluster.open(directory)
  await using b = await second.connect()
  await a.createTable('t', { columns: { id: 'int4' }, primaryKey: ['id'] })
  await b.table('t').insert({ id: 1 })
  expect(a.table('t').get(1)).toEqual({ id: 1 })
})

test('a worker thread is one more member', async () => {
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4' }, primaryKey: ['id'] })
  const source = fileURLToPath(new URL('../../src-ts/index.ts', import.meta.url))
  const worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads')
     require('tsx/cjs/api').require(workerData.source, workerData.source).Cluster
       .open(workerData.directory)
       .then(async (cluster) => {
         const session = await cluster.connect()
         await session.table('t').insert({ id: 1 })
         parentPort.postMessage(cluster.processes())
       })`,
    { eval: true, workerData: { directory, source } },
  )
  const [processes] = await once(worker, 'message')
  expect(processes).toMatchObject([
    { pid: process.pid, isOwner: true },
    { pid: process.pid, isOwner: false },
  ])
  expect(session.table('t').get(1)).toEqual({ id: 1 })
  // One that is ended with the cluster open leaves as one that closed it.
  await worker.terminate()
  await eventually(() => cluster.processes().length === 1)
  await session.table('t').insert({ id: 2 })
})

test('of those who close at once one is the last, and shuts the cluster down', async () => {
  for (let round = 0; round < 4; round++) {
    const members: Member[] = []
    for (let i = 0; i < 3; i++) members.push(await Member.start(directory))
    await Promise.all(members.map((member) => member.close()))
    expect(existsSync(lockFile())).toBe(false)
    const { stdout } = await pgdata(['control', directory])
    expect(String(stdout)).toMatch(/Database cluster state: +shut down/)
  }
})
