// The server log.
// Goal: what happens to a cluster is told once, in whole lines, wherever it was asked for; nothing is written unasked; a
// log that cannot be written does no harm. Method: clusters whose log is read back; processes that write side by side.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster, type LogRecord, type PgError } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

vi.setConfig({ testTimeout: 120_000 })

let directory: string

beforeEach(async () => {
  directory = temporaryDirectory('log')
  await Cluster.init(directory)
})

const collected = { logging_collector: true, log_destination: 'jsonlog,stderr', autovacuum: false }

function logFiles(extension: string): string[] {
  return readdirSync(join(directory, 'log'))
    .filter((name) => name.endsWith(extension))
    .sort()
}

/** Every line of the JSON files, parsed. */
function records(): LogRecord[] {
  return logFiles('.json').flatMap((name) =>
    readFileSync(join(directory, 'log', name), 'utf8')
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogRecord),
  )
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600 && !(await condition()); i++) await sleep(50)
  expect(await condition()).toBe(true)
}

const lsn = '[0-9A-F]+/[0-9A-F]+'

test('a start, a checkpoint and a shutdown are told', async () => {
  const heard: LogRecord[] = []
  const cluster = await Cluster.open(directory, {
    settings: collected,
    onLog: (record) => heard.push(record),
  })
  await cluster.checkpoint()
  await cluster.close()
  const told = records()
  expect(told).toEqual(heard)
  expect(told.map(({ backend_type, message }) => [backend_type, message])).toEqual([
    ['postmaster', expect.stringMatching(/^starting pgdata/)],
    ['startup', expect.stringMatching(/^database system was shut down at \d{4}-.* UTC$/)],
    ['postmaster', 'database system is ready to accept connections'],
    ['checkpointer', 'checkpoint starting: immediate force wait'],
    ['checkpointer', expect.stringMatching(/^checkpoint complete: wrote \d+ buffers/)],
    ['checkpointer', 'shutting down'],
    ['checkpointer', 'checkpoint starting: shutdown immediate'],
    [
      'checkpointer',
      expect.stringMatching(
        new RegExp(
          '^checkpoint complete: wrote \\d+ buffers \\(\\d+\\.\\d%\\), wrote \\d+ SLRU buffers; ' +
            '\\d+ WAL file\\(s\\) added, \\d+ removed, \\d+ recycled; write=\\d+\\.\\d{3} s, ' +
            'sync=\\d+\\.\\d{3} s, total=\\d+\\.\\d{3} s; sync files=\\d+, longest=\\d+\\.\\d{3} s, ' +
            `average=\\d+\\.\\d{3} s; distance=\\d+ kB, estimate=\\d+ kB; lsn=${lsn}, redo lsn=${lsn}$`,
        ),
      ),
    ],
    ['postmaster', 'database system is shut down'],
  ])
  expect(told.map(({ line_num }) => line_num)).toEqual(told.map((_, i) => i + 1))
  expect(new Set(told.map(({ session_id }) => session_id)).size).toBe(1)
  const [text] = logFiles('.log') as [string]
  const lines = readFileSync(join(directory, 'log', text), 'utf8')
    .trimEnd()
    .split('\n')
  expect(lines).toEqual(
    told.map(({ timestamp, pid, message }) => `${timestamp} [${pid}] LOG:  ${message}`),
  )
  expect(text).toMatch(/^postgresql-\d{4}-\d\d-\d\d_\d{6}\.log$/)
  expect(readFileSync(join(directory, 'current_logfiles'), 'utf8')).toBe(
    `stderr log/${text}\njsonlog log/${text.replace('.log', '.json')}\n`,
  )
  expect(statSync(join(directory, 'log', text)).mode & 0o777).toBe(0o600)
  expect(statSync(join(directory, 'log')).mode & 0o777).toBe(0o700)
})

test('nothing is written unless it was asked for', async () => {
  writeFileSync(join(directory, 'current_logfiles'), 'stderr log/gone.log\n')
  const heard: LogRecord[] = []
  const cluster = await Cluster.open(directory, {
    settings: { log_min_messages: 'panic', log_checkpoints: false },
    onLog: (record) => heard.push(record),
  })
  await cluster.close()
  expect(heard).toEqual([])
  expect(existsSync(join(directory, 'log'))).toBe(false)
  // As a server does that starts without a collector.
  expect(existsSync(join(directory, 'current_logfiles'))).toBe(false)
})

test('a recovery is told', async () => {
  const member = await Member.start(directory, { autovacuum: false })
  await member.run(async ({ session }) => {
    await session.createTable('t', { columns: { id: 'int4' } })
  })
  await member.kill()
  const heard: string[] = []
  const cluster = await Cluster.open(directory, { onLog: ({ message }) => heard.push(message) })
  await cluster.close()
  expect(heard.slice(1, 8)).toEqual([
    expect.stringMatching(/^database system was interrupted; last known up at /),
    'database system was not properly shut down; automatic recovery in progress',
    expect.stringMatching(new RegExp(`^redo starts at ${lsn}$`)),
    expect.stringMatching(
      new RegExp(`^invalid record length at ${lsn}: expected at least 24, got 0$`),
    ),
    expect.stringMatching(
      new RegExp(`^redo done at ${lsn} system usage: CPU: user: \\d+\\.\\d\\d s, system: `),
    ),
    'checkpoint starting: end-of-recovery immediate wait',
    expect.stringMatching(/^checkpoint complete: /),
  ])
})

test('processes share one log; a death, lock waits and deadlocks are told', async () => {
  const settings = { ...collected, log_lock_waits: true, deadlock_timeout: 100 }
  const cluster = await Cluster.open(directory, { settings })
  const session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key', n: 'int4' } })
  const table = session.table('t')
  await table.insert({ id: 1, n: 0 })
  await table.insert({ id: 2, n: 0 })
  const member = await Member.start(directory, settings)
  const other = member.run(async ({ session }) => {
    const t = session.table('t')
    return session.transaction(async (tx) => {
      await tx.update(t, 1, { n: 1 })
      await new Promise((resolve) => setTimeout(resolve, 1000))
      await tx.update(t, 2, { n: 1 })
    })
  })
  await sleep(300)
  const own = session.transaction(async (tx) => {
    await tx.update(table, 2, { n: 2 })
    await tx.update(table, 1, { n: 2 })
  })
  const ends = await Promise.allSettled([own, other])
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  const told = (pattern: RegExp) => records().filter(({ message }) => pattern.test(message))
  await until(() => told(/^deadlock detected$/).length > 0)
  await until(() => told(/^process \d+ acquired ShareLock on transaction \d+ after/).length > 0)
  const [waits] = told(/^process \d+ still waiting for ShareLock on transaction \d+ after 1\d\d\./)
  expect(waits?.detail).toMatch(/^Process holding the lock: \d+\. Wait queue: \d+\.$/)
  expect(told(/^process \d+ detected deadlock while waiting for ShareLock/)).toHaveLength(1)
  const [deadlock] = told(/^deadlock detected$/)
  expect(deadlock).toMatchObject({
    error_severity: 'ERROR',
    state_code: '40P01',
    backend_type: 'client backend',
    detail: expect.stringMatching(/^Process \d+ waits for ShareLock on transaction/),
  })
  expect(new Set(records().map(({ pid }) => pid))).toEqual(new Set([process.pid, member.pid]))
  await member.kill()
  await until(() => told(/ended without closing$/).length > 0)
  expect(told(/ended without closing$/)).toMatchObject([
    {
      message: `server process (PID ${member.pid}) ended without closing`,
      detail: 'Sessions of it that were rolled back: 1.',
      backend_type: 'postmaster',
    },
  ])
  await cluster.close()
  expect(logFiles('.json')).toHaveLength(1)
})

test('the log goes on when the cluster passes to another process', async () => {
  const ready = 'database system is ready to accept connections'
  const member = await Member.start(directory, collected)
  const cluster = await Cluster.open(directory, { settings: collected })
  // The log is written without anybody waiting for it: a process killed at once takes with it what it had to tell.
  await until(
    () => existsSync(join(directory, 'log')) && records().some(({ message }) => message === ready),
  )
  await member.kill()
  await until(() => cluster.processes().length === 1)
  await cluster.checkpoint()
  await cluster.close()
  const messages = records().map(
    ({ pid, message }) => `${pid === member.pid ? 'member' : 'own'} ${message}`,
  )
  expect(messages).toContain(`member ${ready}`)
  expect(messages).toContain('own the cluster has passed to this process')
  expect(messages.at(-1)).toBe('own database system is shut down')
  expect(logFiles('.json')).toHaveLength(1)
})

test('two processes that write at once tear no line, also while files are rotated', async () => {
  const settings = JSON.stringify({ ...collected, log_rotation_size: 256 })
  const script = fileURLToPath(new URL('log-writer.ts', import.meta.url))
  const count = 800
  const writers = ['owner', 'follower'].map((role) =>
    spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), script, directory, settings, `${count}`, role],
      { stdio: 'inherit' },
    ),
  )
  const ends = await Promise.all(writers.map((writer) => once(writer, 'exit')))
  expect(ends).toEqual([
    [0, null],
    [0, null],
  ])
  for (const role of ['owner', 'follower']) {
    const own = records().filter(({ message }) => message.endsWith(`of ${role}`))
    const numbers = own.map(({ message }) => Number(/\d+/.exec(message)?.[0]))
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
  }
  expect(logFiles('.json').length).toBeGreaterThan(1)
  const text = logFiles('.log')
    .map((name) => readFileSync(join(directory, 'log', name), 'utf8'))
    .join('')
  const line =
    /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\] (LOG|DETAIL): {2}(message \d+|x*)|\tof (owner|follower))$/
  const lines = text.trimEnd().split('\n')
  expect(lines.filter((each) => !line.test(each))).toEqual([])
  expect(lines).toHaveLength(2 * 3 * count)
})

test('files are rotated by age, and truncated if that was asked for', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 4, 1, 10, 59, 58) })
  try {
    mkdirSync(join(directory, 'log'))
    writeFileSync(join(directory, 'log', 'h11.json'), '{"message":"of yesterday"}\n')
    const cluster = await Cluster.open(directory, {
      settings: {
        ...collected,
        log_destination: 'jsonlog',
        log_filename: 'h%H.log',
        log_rotation_age: '1h',
        log_truncate_on_rotation: true,
      },
    })
    const names = () => readFileSync(join(directory, 'current_logfiles'), 'utf8')
    await until(() => existsSync(join(directory, 'current_logfiles')))
    expect(names()).toBe('jsonlog log/h10.json\n')
    await until(() => records().some(({ message }) => message.includes('is ready')))
    vi.setSystemTime(Date.UTC(2026, 4, 1, 11, 0, 1))
    await until(() => names() === 'jsonlog log/h11.json\n')
    await cluster.checkpoint()
    await cluster.close()
  } finally {
    vi.useRealTimers()
  }
  const eleven = readFileSync(join(directory, 'log', 'h11.json'), 'utf8')
    .trimEnd()
    .split('\n')
  expect(eleven.map((line) => JSON.parse(line).message)).toEqual([
    'checkpoint starting: immediate force wait',
    expect.stringMatching(/^checkpoint complete/),
    'shutting down',
    'checkpoint starting: shutdown immediate',
    expect.stringMatching(/^checkpoint complete/),
    'database system is shut down',
  ])
})

test('a log that cannot be written does no harm', async () => {
  writeFileSync(join(directory, 'log'), 'a file where the directory should be')
  const notices: PgError[] = []
  const cluster = await Cluster.open(directory, {
    settings: collected,
    onNotice: (notice) => notices.push(notice),
  })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4' } })
  await session.table('t').insert({ id: 1 })
  await cluster.checkpoint()
  await cluster.close()
  expect(notices).toMatchObject([
    { code: '58030', message: expect.stringMatching(/^could not write to log file: /) },
  ])
})

test('settings that make no sense are refused', async () => {
  await expect(
    Cluster.open(directory, { settings: { log_destination: 'csvlog' } }),
  ).rejects.toMatchObject({ code: '22023' })
  await expect(
    Cluster.open(directory, { settings: { log_min_messages: 'loud' } }),
  ).rejects.toMatchObject({ code: '22023' })
})

test('a process that exits has its last words written', async () => {
  const code = `
    const { Cluster } = await import(${JSON.stringify(fileURLToPath(new URL('../../src-ts/index.ts', import.meta.url)))})
    const cluster = await Cluster.open(${JSON.stringify(directory)}, { settings: ${JSON.stringify(collected)} })
    await new Promise((resolve) => setTimeout(resolve, 200))
    process.exit(0)`
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', code],
    { stdio: 'inherit' },
  )
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(records().at(-1)?.message).toBe('database system is shut down')
})
