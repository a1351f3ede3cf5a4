// The server log beside stock PostgreSQL's.
// Goal: what reads PostgreSQL's jsonlog reads ours: for the same kind of message the same keys of the same types, and the
// same words. Method: the same life of a cluster, with stock and here; lines are paired by their messages.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Cluster, type LogRecord } from '../../src-ts/index.ts'
import { Member } from '../process/member.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const settings = { logging_collector: 'on', log_destination: 'jsonlog' }

function records(directory: string): Record<string, unknown>[] {
  const logs = join(directory, 'log')
  return readdirSync(logs)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => readFileSync(join(logs, name), 'utf8').trimEnd().split('\n'))
    .map((line) => JSON.parse(line))
}

// Whatever is a number or a time is none of the kind's.
const kindOf = (record: Record<string, unknown>) =>
  `${record.backend_type}: ${(record.message as string)
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g, 'TIME')
    .replace(/[0-9A-F]+\/[0-9A-F]+/g, 'LSN')
    .replace(/\d+(\.\d+)?/g, 'N')}`

const shapeOf = (record: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, typeof value]))

test('the same messages with the same keys', { timeout: 120_000 }, async () => {
  const oracle = await Oracle.initdb()
  await oracle.start(settings)
  const client = await oracle.client('postgres')
  await client.query('create table t (id int)')
  await client.query('checkpoint')
  await client.query('create table u (id int)')
  await oracle.kill9()
  await oracle.start(settings)
  await oracle.stop()
  const stock = records(oracle.dir)

  const directory = temporaryDirectory()
  const ours = async (crashes: boolean) => {
    const cluster = await Cluster.open(directory, { create: true, settings })
    const session = await cluster.connect()
    await session.createTable(crashes ? 't' : 'u', { columns: { id: 'int4' } })
    await cluster.checkpoint()
    await cluster.close()
  }
  await ours(true)
  // What the log of a crash says: stock's directory, which a kill left behind.
  await oracle.start(settings)
  const again = await oracle.client('postgres')
  await again.query('create table v (id int)')
  await oracle.kill9()
  const heard: LogRecord[] = []
  const recovered = await Cluster.open(oracle.dir, {
    settings: { autovacuum: false },
    onLog: (record) => heard.push(record),
  })
  await recovered.close()
  const told = [...records(directory), ...(heard as unknown as Record<string, unknown>[])]

  const shapes = new Map(stock.map((record) => [kindOf(record), shapeOf(record)]))
  const known = told.filter((record) => shapes.has(kindOf(record)))
  for (const record of known) {
    expect(shapeOf(record)).toEqual(shapes.get(kindOf(record)))
    expect(Object.keys(record)).toEqual(
      Object.keys(stock.find((each) => kindOf(each) === kindOf(record)) ?? {}),
    )
  }
  const kinds = new Set(known.map(kindOf))
  for (const message of [
    'startup: database system was shut down at TIME',
    'startup: database system was interrupted; last known up at TIME',
    'startup: database system was not properly shut down; automatic recovery in progress',
    'startup: redo starts at LSN',
    'startup: redo done at LSN system usage: CPU: user: N s, system: N s, elapsed: N s',
    'postmaster: database system is ready to accept connections',
    'checkpointer: checkpoint starting: immediate force wait',
    'checkpointer: checkpoint starting: end-of-recovery immediate wait',
    'checkpointer: shutting down',
    'checkpointer: checkpoint starting: shutdown immediate',
    'postmaster: database system is shut down',
  ])
    expect(kinds).toContain(message)
  // One message of ours has no counterpart.
  expect(new Set(told.filter((each) => !kinds.has(kindOf(each))).map(kindOf)).size).toBe(1)
  // Timestamps can be told apart from each other, and are in UTC.
  for (const { timestamp, session_start } of told) {
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/)
    expect(session_start).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
  }
})

const ready = 'postmaster: database system is ready to accept connections'

/** What the log says from a death until the cluster is ready again. */
async function toldOfDeath(
  told: () => Record<string, unknown>[],
): Promise<Record<string, unknown>[]> {
  const isFirst = (record: Record<string, unknown>) => /\(PID \d+\)/.test(record.message as string)
  const sinceDeath = () => {
    const all = told()
    const first = all.findIndex(isFirst)
    return first < 0 ? [] : all.slice(first)
  }
  await vi.waitFor(() => expect(sinceDeath().map(kindOf)).toContain(ready), { timeout: 60_000 })
  const since = sinceDeath()
  return since.slice(0, since.map(kindOf).indexOf(ready) + 1)
}

test('a death in the middle of something is told as a crash of stock is', {
  timeout: 120_000,
}, async () => {
  const oracle = await Oracle.initdb()
  await oracle.start(settings)
  const client = await oracle.client('postgres')
  await client.query('create table t (id int)')
  const { rows } = await client.query('select pg_backend_pid() as pid')
  client.on('error', () => undefined)
  const running = client.query('update t set id = pg_sleep(100)::text::int4').catch(() => undefined)
  const other = await oracle.client('postgres')
  other.on('error', () => undefined)
  await other.query('insert into t values (1)')
  process.kill(rows[0].pid, 'SIGKILL')
  await running
  const stock = await toldOfDeath(() => records(oracle.dir))
  await oracle.stop()

  const directory = temporaryDirectory()
  const reports = temporaryDirectory()
  await using cluster = await Cluster.open(directory, {
    create: true,
    settings: { ...settings, autovacuum: 'off' },
  })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4' } })
  const member = await Member.start(directory)
  const report = join(reports, 'stopped')
  const stopping = member.run(({ session, stopAt }, file) => {
    stopAt('change made', 0, file)
    return session.table('t').insert({ id: 1 })
  }, report)
  stopping.catch(() => undefined)
  await vi.waitFor(() => expect(existsSync(report)).toBe(true), { timeout: 60_000 })
  await member.kill()
  const ours = await toldOfDeath(() => records(directory))

  // How it ended only its parent knows.
  expect(stock[0]?.message).toMatch(/ was terminated by signal 9: Killed$/)
  expect(ours[0]).toMatchObject({
    message: `server process (PID ${member.pid}) ended without closing`,
    detail: 'Failed process was running: INSERT',
  })
  expect(stock[0]?.detail).toMatch(/^Failed process was running: update/)
  // What is not of the moment, or of the times of its checkpoint.
  expect(ours.slice(1).map(kindOf)).toEqual(stock.slice(1).map(kindOf))
  expect(ours.slice(1).map(({ error_severity }) => error_severity)).toEqual(
    stock.slice(1).map(({ error_severity }) => error_severity),
  )
})

test('stock goes on where our log ended', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory()
  const cluster = await Cluster.open(directory, { create: true, settings })
  await cluster.close()
  const oracle = Oracle.adopt(directory)
  await oracle.start(settings)
  const client = await oracle.client('postgres')
  const { rows } = await client.query("select pg_current_logfile('jsonlog') as name")
  expect(rows[0].name).toMatch(/^log\/postgresql-.*\.json$/)
  await oracle.stop()
  expect(records(directory).at(-1)?.message).toBe('database system is shut down')
})
