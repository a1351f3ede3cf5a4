// Databases that are dropped and copied while others are about.
// Goal: autovacuum gives way, who is just leaving is waited for, who stays is in the way, and nobody connects to what is
// being copied or dropped; all the same whichever process they are in. Method: two processes on one directory.
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

vi.setConfig({ testTimeout: 120_000 })

let directory: string

beforeEach(async () => {
  directory = temporaryDirectory('databases')
  await Cluster.init(directory)
})

// So slow that a vacuum takes minutes.
const slowVacuum = {
  autovacuum_naptime: '1s',
  autovacuum_vacuum_cost_delay: 100,
  autovacuum_vacuum_cost_limit: 1,
}

async function makeDeadRows(session: Session): Promise<void> {
  await session.createTable('t', { columns: { id: 'int8 primary key', body: 'text' } })
  const table = session.table<{ id: number; body: string }>('t')
  await table.insertMany(Array.from({ length: 3000 }, (_, id) => ({ id, body: 'x'.repeat(200) })))
  await session.transaction(async (tx) => {
    for (let id = 0; id < 2500; id++) await tx.delete(table, id)
  })
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !condition(); i++) await sleep(50)
  expect(condition()).toBe(true)
}

const isVacuuming = (cluster: Cluster, oid: number) =>
  cluster
    .locks()
    .some(({ mode, database }) => mode === 'ShareUpdateExclusiveLock' && database === oid)

const oidOf = (cluster: Cluster, name: string) =>
  cluster.databaseStatistics().find(({ datname }) => datname === name)?.datid as number

for (const by of ['this process', 'another process']) {
  test(`an autovacuum of the owner's gives way to a drop by ${by}`, async () => {
    await using cluster = await Cluster.open(directory, { settings: slowVacuum })
    await using session = await cluster.connect()
    await session.createDatabase('d')
    await using inside = await cluster.connect({ database: 'd' })
    await makeDeadRows(inside)
    await inside.close()
    await until(() => isVacuuming(cluster, oidOf(cluster, 'd')))
    if (by === 'this process') {
      await session.dropDatabase('d')
    } else {
      await using member = await Member.start(directory, { autovacuum: false })
      await member.run(({ session }) => session.dropDatabase('d'))
    }
    expect(oidOf(cluster, 'd')).toBe(undefined)
    await expect(cluster.connect({ database: 'd' })).rejects.toMatchObject({ code: '3D000' })
  })
}

test('an autovacuum of a template gives way to its copying', async () => {
  await using cluster = await Cluster.open(directory, { settings: slowVacuum })
  await using session = await cluster.connect()
  await session.createDatabase('source')
  await using inside = await cluster.connect({ database: 'source' })
  await makeDeadRows(inside)
  await inside.close()
  await until(() => isVacuuming(cluster, oidOf(cluster, 'source')))
  await session.createDatabase('copy', { template: 'source' })
  await using copied = await cluster.connect({ database: 'copy' })
  expect([...copied.table('t').scan()]).toHaveLength(500)
})

test('a session of another process is in the way, and waited for', async () => {
  await using cluster = await Cluster.open(directory, { settings: { autovacuum: false } })
  await using session = await cluster.connect()
  await session.createDatabase('d')
  await using member = await Member.start(directory, { autovacuum: false })
  await member.run(async ({ cluster, kept }) => {
    kept['inside'] = await cluster.connect({ database: 'd' })
  })
  const ends = await Promise.allSettled([session.dropDatabase('d')])
  expect(ends).toMatchObject([
    {
      status: 'rejected',
      reason: {
        code: '55006',
        message: 'database "d" is being accessed by other users',
        detail: 'There is 1 other session using the database.',
      },
    },
  ])
  await expect(session.createDatabase('e', { template: 'd' })).rejects.toMatchObject({
    code: '55006',
    message: 'source database "d" is being accessed by other users',
  })
  const dropped = session.dropDatabase('d')
  await sleep(500)
  await member.run(({ kept }) => (kept['inside'] as Session).close())
  await dropped
})

test('nobody connects to a database that is being copied', async () => {
  await using cluster = await Cluster.open(directory, { settings: { autovacuum: false } })
  await using session = await cluster.connect()
  await session.createDatabase('source')
  await using member = await Member.start(directory, { autovacuum: false })
  // In the way of the copying, so that it takes a while.
  await member.run(async ({ cluster, kept }) => {
    kept['inside'] = await cluster.connect({ database: 'source' })
  })
  const created = session.createDatabase('copy', { template: 'source' })
  const isCopying = () =>
    cluster.locks().some(({ locktype, mode }) => locktype === 'object' && mode === 'ShareLock')
  await until(isCopying)
  const here = cluster.connect({ database: 'source' }).then(async (connected) => {
    await connected.close()
    return oidOf(cluster, 'copy')
  })
  const there = member.run(async ({ cluster, kept }) => {
    const connecting = cluster.connect({ database: 'source' })
    await (kept['inside'] as Session).close()
    await (await connecting).close()
  })
  // The copy was there before anybody could connect.
  expect(await here).toBeGreaterThan(0)
  await created
  await there
})

test('the second of two who drop a database finds none', async () => {
  await using cluster = await Cluster.open(directory, { settings: { autovacuum: false } })
  await using session = await cluster.connect()
  await session.createDatabase('d')
  await using member = await Member.start(directory, { autovacuum: false })
  const ends = await Promise.allSettled([
    session.dropDatabase('d'),
    member.run(({ session }) => session.dropDatabase('d')),
  ])
  expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
  for (const end of ends) if (end.status === 'rejected') expect(end.reason.code).toBe('3D000')
  expect(oidOf(cluster, 'd')).toBe(undefined)
})

test('as many connect as may', async () => {
  await using cluster = await Cluster.open(directory, {
    settings: { autovacuum: false, max_connections: 3 },
  })
  const sessions = await Promise.all([1, 2, 3].map(() => cluster.connect()))
  await expect(cluster.connect()).rejects.toMatchObject({ code: '53300' })
  await sessions[0]?.close()
  await (await cluster.connect()).close()
})
