// Deaths with temporary files.
// Goal: what a killed process had on disk for a sort or a query is gone: removed by who cleans up after it, by who opens the cluster again
// because of it, or by who opens the directory next. Method: a member builds an index, or runs a query, with little memory; it
// is killed when a run is written, inside the engine, or between two steps, outside.
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member, type MemberContext } from './member.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

// So many that building takes more than one step, however quick the machine.
const rowCount = 60_000
let directory: string
let members: Member[] = []

function temporaryFiles(): string[] {
  const path = join(directory, 'base', 'pgsql_tmp')
  return existsSync(path) ? readdirSync(path) : []
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 6000 && !(await holds()); i++) await sleep(5)
  expect(await holds()).toBe(true)
}

beforeEach(async () => {
  directory = temporaryDirectory('temporary-files')
  await using cluster = await Cluster.open(directory, { create: true })
  await using session = await cluster.connect()
  await session.createTable('items', {
    columns: { id: 'int4 not null', k: 'int4' },
    primaryKey: ['id'],
  })
  await session
    .table<{ id: number; k: number }>('items')
    .insertMany(Array.from({ length: rowCount }, (_, id) => ({ id, k: (id * 7919) % rowCount })))
})

afterEach(async () => {
  await Promise.all(members.map((member) => member.kill()))
  members = []
})

async function startMember(): Promise<Member> {
  const member = await Member.start(directory, { shared_buffers: '4MB', autovacuum: false })
  members.push(member)
  return member
}

async function stopInside({ session, stopAt }: MemberContext, report: string): Promise<void> {
  session.set('maintenance_work_mem', '64kB')
  stopAt('sort run written', 1, report)
  await session.createIndex('items', { name: 'items_k', columns: ['k'] })
}

// Its event loop stops between two steps, once there is a file.
async function stopBetween(
  { session }: MemberContext,
  { path, report }: { path: string; report: string },
): Promise<void> {
  const { existsSync, readdirSync, writeFileSync } = process.getBuiltinModule('node:fs')
  session.set('maintenance_work_mem', '64kB')
  const done = session.reindex({ table: 'items' })
  while (!existsSync(path) || readdirSync(path).length === 0)
    await new Promise((resolve) => setImmediate(resolve))
  writeFileSync(report, '')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  await done
}

// Its event loop stops after the first row of a join, most of which is still on disk.
async function stopInQuery({ session }: MemberContext, report: string): Promise<void> {
  session.set('work_mem', '64kB')
  const join = [{ table: 'items', as: 'other', on: { 'items.k': 'other.k' } }]
  const columns = ['items.id', { as: 'other', column: 'other.id' }]
  await session.query({ from: 'items', join, columns })[Symbol.asyncIterator]().next()
  process.getBuiltinModule('node:fs').writeFileSync(report, '')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

async function count({ session }: MemberContext): Promise<number> {
  const table = session.table<{ id: number; k: number }>('items')
  return [...table.scan()].length
}

async function reindex({ cluster }: MemberContext): Promise<number> {
  const session = await cluster.connect()
  session.set('maintenance_work_mem', '64kB')
  await session.reindex({ table: 'items' })
  const { length } = [...session.table('items').range()]
  await session.close()
  return length
}

/** Has the member stop, with a file on disk, and kills it. */
async function killWithFile(victim: Member, inside: boolean): Promise<void> {
  const report = join(temporaryDirectory('stops'), 'report')
  const path = join(directory, 'base', 'pgsql_tmp')
  const ended = inside ? victim.run(stopInside, report) : victim.run(stopBetween, { path, report })
  ended.catch(() => undefined)
  await until(() => existsSync(report))
  expect(temporaryFiles()).toEqual([expect.stringMatching(`^pgsql_tmp${victim.pid}\\.\\d+$`)])
  await victim.kill()
}

for (const which of ['the owner', 'another process']) {
  test(`killed between two steps, ${which}`, async () => {
    const owner = await startMember()
    const other = await startMember()
    const [victim, survivor] = which === 'the owner' ? [owner, other] : [other, owner]
    // A file of somebody who lives is not touched.
    const kept = `pgsql_tmp${survivor.pid}.999999`
    await killWithFile(victim, false)
    writeFileSync(join(directory, 'base', 'pgsql_tmp', kept), 'of a process that lives')
    await until(() => temporaryFiles().length === 1)
    expect(temporaryFiles()).toEqual([kept])
    expect(await survivor.run(count)).toBe(rowCount)
    expect(await survivor.run(reindex)).toBe(rowCount)
    expect(temporaryFiles()).toEqual([kept])
  })
}

test('killed while it writes, in the middle of the engine', async () => {
  await startMember()
  const victim = await startMember()
  const [survivor] = members as [Member]
  await killWithFile(victim, true)
  // The survivors open the cluster again.
  await until(() => temporaryFiles().length === 0)
  expect(await survivor.run(reindex)).toBe(rowCount)
  expect(temporaryFiles()).toEqual([])
})

test('killed when nobody else is there', async () => {
  const victim = await startMember()
  await killWithFile(victim, true)
  expect(temporaryFiles()).toHaveLength(1)
  await using cluster = await Cluster.open(directory)
  expect(temporaryFiles()).toEqual([])
  await using session = await cluster.connect()
  await session.createIndex('items', { name: 'items_k', columns: ['k'] })
  expect([...session.table('items').range({ index: 'items_k' })]).toHaveLength(rowCount)
})

test('killed in the middle of a query', async () => {
  const survivor = await startMember()
  const victim = await startMember()
  const report = join(temporaryDirectory('stops'), 'report')
  victim.run(stopInQuery, report).catch(() => undefined)
  await until(() => existsSync(report))
  expect(temporaryFiles().length).toBeGreaterThan(1)
  await victim.kill()
  await until(() => temporaryFiles().length === 0)
  expect(await survivor.run(count)).toBe(rowCount)
})
