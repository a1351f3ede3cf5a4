// Processes that are killed while their queries have temporary files.
// Goal: what a query has spilled is gone soon after its process was killed, between two calls and inside one, and when the last
// process was killed, with the next opening. Method: a member runs a query that spills; it is killed when its files are there.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

vi.setConfig({ testTimeout: 180_000 })

const rowCount = 60_000
let directory: string

function filesOf(pid: number): string[] {
  const names = readdirSync(join(directory, 'base', 'pgsql_tmp'))
  return names.filter((name) => name.startsWith(`pgsql_tmp${pid}.`))
}

beforeEach(async () => {
  directory = temporaryDirectory('spilled')
  await Cluster.init(directory)
  await using cluster = await Cluster.open(directory, { settings: { fsync: false } })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4', name: 'text' } })
  const rows = Array.from({ length: rowCount }, (_, id) => ({
    id,
    name: `name ${(id * 7919) % rowCount}`,
  }))
  await session.table('t').insertMany(rows)
})

// A query whose first row was read, so that all is sorted, in files.
async function pausedInside(member: Member): Promise<void> {
  await member.run(async ({ session, kept }) => {
    session.set('work_mem', '64kB')
    const rows = session.query({ from: 't', orderBy: ['name'] })[Symbol.asyncIterator]()
    await rows.next()
    kept['rows'] = rows
  })
}

// One query after the other, each in files, so that it is nearly always inside a call.
async function goOnForEver(member: Member): Promise<void> {
  await member.run(({ session, kept }) => {
    session.set('work_mem', '64kB')
    kept['queries'] = (async () => {
      for (;;) await session.query({ from: 't', orderBy: ['name'] }).all()
    })()
  })
}

for (const [where, spill] of [
  ['between two calls', pausedInside],
  ['inside a call', goOnForEver],
] as const) {
  test(`killed ${where}`, async () => {
    await using cluster = await Cluster.open(directory, { settings: { fsync: false } })
    const member = await Member.start(directory)
    await spill(member)
    const { pid } = member
    await vi.waitFor(() => expect(filesOf(pid)).not.toEqual([]), { timeout: 30_000, interval: 5 })
    await member.kill()
    await vi.waitFor(() => expect(filesOf(pid)).toEqual([]), { timeout: 30_000, interval: 20 })
    // The cluster goes on, after having been opened anew where that was needed.
    await vi.waitFor(
      async () => {
        await using session = await cluster.connect()
        expect(await session.table('t').aggregate({ count: true })).toEqual({ count: rowCount })
      },
      { timeout: 30_000, interval: 20 },
    )
  })
}

test('the last process was killed', async () => {
  const member = await Member.start(directory)
  await pausedInside(member)
  const { pid } = member
  expect(filesOf(pid)).not.toEqual([])
  await member.kill()
  await sleep(50)
  expect(filesOf(pid)).not.toEqual([])
  await using _cluster = await Cluster.open(directory)
  expect(filesOf(pid)).toEqual([])
})
