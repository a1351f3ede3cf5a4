// The server log beside stock PostgreSQL's.
// Goal: what reads PostgreSQL's jsonlog reads ours: for the same kind of message the same keys of the same types, and the
// same words. Method: the same life of a cluster, with stock and here; lines are paired by their messages.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster, type LogRecord } from '../../src-ts/index.ts'
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
