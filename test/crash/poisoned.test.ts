// Goal: a cluster that was poisoned, at whatever moment and by whatever, ends like any other: sessions and cluster
// close, garbage is collected, the process exits with its own status. Method: a child plays situations of sessions
// whose next operation on a file fails, or in which an invariant fails as it does when there is a bug in the engine;
// each is ended in several ways. Afterwards the directory is recovered.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { verifyComplaints } from './judges.ts'
import { type Case, endings, situations } from './poisoned-cases.ts'
import type { Outcome } from './poisoned-child.ts'
import { initOptions, settings } from './workload.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
let prepared: string

beforeAll(async () => {
  prepared = join(memoryDirectory('poisoned'), 'prepared')
  await Cluster.init(prepared, initOptions)
  await using cluster = await Cluster.open(prepared, { settings })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key', t: 'text not null' } })
  await session.createTable('dropped', { columns: { id: 'int4 primary key' } })
  await session
    .table('t')
    .insertMany(
      Array.from({ length: 4999 }, (_, id) => ({ id, t: `row ${id} ${'long '.repeat(40)}` })),
    )
})

const faults: Pick<Case, 'fault' | 'path'>[] = [
  { fault: 'io_error', path: '/pg_wal/' },
  { fault: 'power_failure' },
  { fault: 'broken_invariant', path: '/pg_wal/' },
  { fault: 'broken_invariant' },
]

// Every situation with every fault; in the short run each with one of the endings.
function casesOf(fault: Pick<Case, 'fault' | 'path'>, number: number): Case[] {
  const ways = Object.values(endings)
  const skips = full ? [0, 1, 2, 3] : [number % 2]
  return situations.flatMap((situation, n) =>
    (full ? ways : [ways[(n + number) % ways.length] as Case['ending']]).flatMap((ending) =>
      skips.map((skip) => ({ situation, ...fault, skip, ending })),
    ),
  )
}

async function played(cases: readonly Case[]): Promise<Outcome[]> {
  const work = memoryDirectory('poisoned')
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--import',
      'tsx',
      join(import.meta.dirname, 'poisoned-child.ts'),
      prepared,
      work,
      JSON.stringify(cases),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const errors: Buffer[] = []
  child.stderr.on('data', (piece: Buffer) => errors.push(piece))
  const ended = once(child, 'exit')
  // One that hangs is told apart from one that works.
  let last = 'nothing'
  let isHanging = false
  const stop = () => {
    isHanging = true
    child.kill('SIGKILL')
  }
  let watch = setTimeout(stop, 60_000)
  const outcomes: Outcome[] = []
  let isWhole = false
  for await (const text of createInterface({ input: child.stdout })) {
    clearTimeout(watch)
    watch = setTimeout(stop, 60_000)
    last = text
    const line = JSON.parse(text) as { outcome?: Outcome; end?: true }
    if (line.outcome !== undefined) outcomes.push(line.outcome)
    if (line.end) isWhole = true
  }
  const [status, signal] = await ended
  clearTimeout(watch)
  const said = Buffer.concat(errors).toString()
  expect({ status, signal, isHanging, isWhole }, `after ${last}\n${said}`).toEqual({
    status: 0,
    signal: null,
    isHanging: false,
    isWhole: true,
  })
  return outcomes
}

for (const [number, fault] of faults.entries()) {
  test(`${fault.fault}${fault.path === undefined ? '' : ' of the log'} ends no process`, {
    timeout: 120_000 + (full ? 1_200_000 : 0),
  }, async () => {
    const outcomes = await played(casesOf(fault, number))
    expect(outcomes.length).toBeGreaterThanOrEqual(situations.length)
    for (const outcome of outcomes) {
      // Never an error of JavaScript's own.
      for (const code of [outcome.code, outcome.codeAfter, outcome.codeOfClose])
        expect(code, JSON.stringify(outcome)).toMatch(/^([0-9A-Z]{5}|done|left open)$/)
    }
    // Most of them do poison, if not in the statement that was aimed at, then in the next.
    const poisoned = outcomes.filter(({ codeAfter }) => ['57P02', '58030'].includes(codeAfter))
    expect(poisoned.length, JSON.stringify(outcomes, null, 1)).toBeGreaterThan(outcomes.length / 3)
    const directory = outcomes.at(-1)?.directory as string
    await using cluster = await Cluster.open(directory, {
      settings: { ...settings, max_prepared_transactions: 2 },
    })
    for (const { gid } of cluster.preparedTransactions()) await cluster.rollbackPrepared(gid)
    await cluster.close()
    expect(await verifyComplaints(directory)).toEqual([])
  })
}
