// The memory contexts of sessions, of this process and of another one.
// Goal: a scan's batch is in a context of its own while somebody may read it, and goes then; the tree is shown with its
// sizes; another process writes its own into the server log when it is asked. Method: scans that are left at various
// points; a child process that is asked.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Cluster, type LogRecord, type PgError, type Session } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

vi.setConfig({ testTimeout: 120_000 })

const collected = { logging_collector: true, log_destination: 'jsonlog' }

let directory: string
let cluster: Cluster
let session: Session
const heard: LogRecord[] = []
const notices: PgError[] = []

beforeEach(async () => {
  directory = temporaryDirectory('memory-contexts')
  heard.length = 0
  notices.length = 0
  cluster = await Cluster.open(directory, {
    create: true,
    settings: { autovacuum: false, ...collected },
    onLog: (record) => heard.push(record),
    onNotice: (notice) => notices.push(notice),
  })
  session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key', note: 'text' } })
  await session
    .table('t')
    .insertMany(Array.from({ length: 2500 }, (_, id) => ({ id, note: 'x'.repeat(id % 100) })))
})

afterEach(() => cluster.close())

const portals = (of: Session | Cluster = session) =>
  of.memoryContexts().filter(({ name }) => name === 'PortalContext')

test('a scan has a context until its last row was taken, or it is left', () => {
  const table = session.table<{ id: number; note: string }>('t')
  expect(portals()).toEqual([])
  const rows = table.scan()
  expect(rows.next().value?.id).toBe(0)
  const [portal] = portals()
  expect(portal).toMatchObject({ ident: 'public.t', type: 'AllocSet', level: 3 })
  expect(portal?.total_bytes).toBeGreaterThan(256 * 1024)
  expect(portal?.used_bytes).toBe((portal?.total_bytes ?? 0) - (portal?.free_bytes ?? 0))
  const others = [...table.range({ from: 2490, to: 2499 })]
  expect(others.map(({ note }) => note.length)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
  expect(portals().length).toBe(1)
  // The rest, in batches whose memory others used meanwhile.
  const rest = [...rows].sort((a, b) => a.id - b.id)
  expect(rest.map(({ id }) => id)).toEqual(Array.from({ length: 2499 }, (_, i) => i + 1))
  expect(rest.every(({ id, note }) => note === 'x'.repeat(id % 100))).toBe(true)
  expect(portals()).toEqual([])
  for (const { id } of table.scan()) if (id === 3) break
  expect(portals()).toEqual([])
  const left = table.scan()
  expect(left.next().value?.id).toBe(0)
  expect(portals().length).toBe(1)
  left.return?.()
  expect(left.next().done).toBe(true)
  expect(portals()).toEqual([])
})

test('a query has a context with what its operators hold, within work_mem', async () => {
  session.set('work_mem', '64kB')
  const states = () => session.memoryContexts().filter(({ name }) => name === 'ExecutorState')
  const asked = session.query<{ id: number; note: string }>({ from: 't', orderBy: ['note', 'id'] })
  const rows = asked[Symbol.asyncIterator]()
  expect(states()).toEqual([])
  const first = await rows.next()
  expect(first.value).toEqual({ id: 0, note: '' })
  const [portal] = portals()
  expect(portal).toMatchObject({ ident: 't', level: 3 })
  const [state] = states()
  expect(state).toMatchObject({ type: 'Bump', level: 4 })
  expect(state?.path.slice(0, -1)).toEqual(portal?.path)
  // What is sorted, and a few batches of 2048 rows beside it, with 100 bytes each at most.
  expect(state?.used_bytes).toBeGreaterThan(64 * 1024)
  expect(state?.used_bytes).toBeLessThan(64 * 1024 + 3 * 2048 * 128)
  // It is left.
  await rows.return()
  expect(portals()).toEqual([])
  // Its last row is taken; it fails; it is given up.
  expect((await asked.all()).length).toBe(2500)
  expect(portals()).toEqual([])
  const failing = session.query({ from: 't', where: { '>': [{ divide: [1, 'id'] }, 0] } })
  await expect(failing.all()).rejects.toMatchObject({ code: '22012' })
  expect(portals()).toEqual([])
  const giveUp = new AbortController()
  const given = session.query({ from: 't' }, { signal: giveUp.signal })[Symbol.asyncIterator]()
  await given.nextBatch()
  expect(portals().length).toBe(1)
  giveUp.abort()
  await expect(given.next()).rejects.toMatchObject({ code: '57014' })
  expect(portals()).toEqual([])
})

test('the last rows of a scan can be taken after its session has ended', async () => {
  const rows = session.table<{ id: number }>('t').range({ from: 10, to: 19 })
  expect(rows.next().value?.id).toBe(10)
  await session.close()
  expect(portals(cluster).map(({ ident }) => ident)).toEqual(['public.t'])
  expect(cluster.memoryContexts().map(({ name }) => name)).not.toContain('SessionContext')
  await using other = await cluster.connect()
  expect([...other.table('t').scan()].length).toBe(2500)
  expect([...rows].map(({ id }) => id)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19])
  expect(portals(cluster)).toEqual([])
})

test('the tree is shown from the top, level by level', async () => {
  await using other = await cluster.connect({ database: 'template1' })
  const rows = cluster.memoryContexts()
  expect(rows[0]).toMatchObject({ name: 'TopMemoryContext', ident: null, level: 1, path: [1] })
  const sessions = rows.filter(({ name }) => name === 'SessionContext')
  expect(sessions.map(({ ident }) => ident).sort()).toEqual(
    [`${session.id} postgres`, `${other.id} template1`].sort(),
  )
  const names = new Map(rows.map(({ path, name }) => [path.at(-1), name]))
  expect([...names.keys()]).toEqual(rows.map((_, i) => i + 1))
  for (const { path, level, name, total_bytes, total_nblocks } of rows) {
    expect(path.length).toBe(level)
    expect(path[0]).toBe(1)
    expect(total_bytes).toBeGreaterThanOrEqual(1024 * total_nblocks)
    if (name === 'TopPortalContext') expect(names.get(path.at(-2))).toBe('SessionContext')
  }
  expect(other.memoryContexts().map(({ name, level }) => [name, level])).toEqual([
    ['SessionContext', 1],
    ['TopPortalContext', 2],
  ])
})

/** What a process has written into the files of the server log. */
function logged(pid: number): string[] {
  const logs = join(directory, 'log')
  return readdirSync(logs)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readFileSync(join(logs, name), 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as LogRecord)
    .filter((record) => record.pid === pid)
    .map(({ message }) => message)
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1200 && !condition(); i++) await sleep(50)
  expect(condition()).toBe(true)
}

test('a process that is asked writes its contexts into the server log', async () => {
  expect(cluster.logMemoryContexts(process.pid)).toBe(true)
  const told = () => heard.map(({ message }) => message)
  await until(() => told().some((message) => message.startsWith('Grand total: ')))
  expect(told()).toContain(`logging memory contexts of PID ${process.pid}`)
  await using other = await Member.start(directory, collected)
  heard.length = 0
  expect(cluster.logMemoryContexts(other.pid)).toBe(true)
  const lines = () => logged(other.pid)
  await until(() => lines().some((line) => line.startsWith('Grand total: ')))
  expect(lines()).toContain(`logging memory contexts of PID ${other.pid}`)
  const sizes = '\\d+ total in \\d+ blocks; \\d+ free \\(\\d+ chunks\\); \\d+ used'
  expect(lines()).toContainEqual(expect.stringMatching(`^level: 1; TopMemoryContext: ${sizes}$`))
  expect(lines()).toContainEqual(
    expect.stringMatching(`^level: 2; SessionContext: ${sizes}: \\d+ postgres$`),
  )
  // Nobody else did.
  expect(told().filter((message) => message.startsWith('level:'))).toEqual([])
})

test('a process that is none is not asked', () => {
  expect(cluster.logMemoryContexts(0)).toBe(false)
  expect(cluster.logMemoryContexts(2 ** 30)).toBe(false)
  expect(notices.map(({ code, message }) => [code, message])).toEqual([
    ['01000', 'PID 0 is not a PostgreSQL server process'],
    ['01000', `PID ${2 ** 30} is not a PostgreSQL server process`],
  ])
})
