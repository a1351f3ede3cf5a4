// Goal: a process that is killed at any moment loses nothing that it was told is committed. Method: a child under load
// is killed again and again, also while it recovers; the ledger of its commits is kept on this side of a pipe, and
// the next child says what it found.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { temporaryPath } from '../support/temporary-directory.ts'
import { judge, judgeByStock, verifyComplaints } from './judges.ts'
import type { Report } from './kill-child.ts'
import { type Commit, Lane, LaneJudge, type Prepared } from './ledger.ts'
import { type Event, initOptions, settings } from './workload.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const kills = full ? 200 : 8
const stockEvery = full ? 20 : 4
const seed = Number(process.env.PGDATA_SEED ?? 18)
const laneNames = ['l0', 'l1', 'l2']

/** The commits of one child, and what its lanes' tables held before it. */
class Round {
  readonly lanes = new Map<string, Lane>(laneNames.map((name) => [name, new Lane(name)]))
  readonly judges: LaneJudge[]
  readonly #waiting = new Map<string, Commit[]>(laneNames.map((name) => [name, []]))
  commits = 0
  ends = 0

  constructor(before: Round | undefined) {
    this.judges = laneNames.map((name, i) => {
      const lane = this.lanes.get(name) as Lane
      // What was prepared before still is.
      for (const { gid, changes } of before?.judges[i]?.matchedPrepared ?? []) {
        lane.prepared.set(gid, { gid, changes, asked: 0, acknowledged: 0 })
        for (const { table } of changes) lane.tables.add(table)
      }
      return new LaneJudge(lane, before?.judges[i]?.matched ?? new Map())
    })
  }

  hear(event: { lane: string } & Event): void {
    const lane = this.lanes.get(event.lane) as Lane
    switch (event.kind) {
      case 'commit':
        this.#waiting.get(event.lane)?.push(lane.ask(event.changes, 0))
        return
      case 'committed': {
        const commit = this.#waiting.get(event.lane)?.shift()
        if (commit === undefined) throw new Error('acknowledged without having been asked for')
        commit.acknowledged = 0
        this.commits++
        return
      }
      case 'prepare':
        lane.prepare(event.gid, event.changes, 0)
        return
      case 'prepared':
        ;(lane.prepared.get(event.gid) as Prepared).acknowledged = 0
        return
      case 'end':
        lane.askForEnd(event.gid, event.commits, 0)
        return
      case 'ended':
        lane.acknowledgeEnd(event.gid, 0)
        this.ends++
    }
  }

  // All tables that may be there.
  tables(): Record<string, string[]> {
    return Object.fromEntries(
      laneNames.map((name, i) => {
        const state = (this.judges[i] as LaneJudge).start
        return [name, [...new Set([...state.keys(), ...(this.lanes.get(name) as Lane).tables])]]
      }),
    )
  }
}

test(`${kills} kills lose nothing`, { timeout: 60_000 + kills * 15_000 }, async () => {
  console.log(`kill loop: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  const directory = temporaryPath('killed')
  await Cluster.init(directory, initOptions)
  let last: Round | undefined
  let commits = 0
  let ends = 0
  for (let n = 1; n <= kills; n++) {
    const round = await runChild(directory, n, random, last)
    commits += round.commits
    ends += round.ends
    last = round
    if (n % stockEvery === 0) {
      // Of a copy: what stock finds prepared, it rolls back.
      const copy = temporaryPath('judged')
      cpSync(directory, copy, { recursive: true })
      const complaints = await judgeByStock(Oracle.adopt(copy), round.judges, 1)
      rmSync(copy, { recursive: true })
      expect(complaints, `stock after kill ${n}`).toEqual([])
    }
  }
  expect(commits).toBeGreaterThan(kills)
  await (await Cluster.open(directory, { settings })).close()
  expect(await verifyComplaints(directory)).toEqual([])
  console.log(
    `kill loop: ${kills} kills, ${commits} commits and ${ends} ends of prepared transactions acknowledged, none lost`,
  )
})

// Starts a child, checks what it found against the commits of the one before, kills it.
async function runChild(
  directory: string,
  number: number,
  random: Random,
  before: Round | undefined,
): Promise<Round> {
  const names = before?.tables() ?? Object.fromEntries(laneNames.map((name) => [name, []]))
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      join(import.meta.dirname, 'kill-child.ts'),
      directory,
      `${seed * 1000 + number}`,
      JSON.stringify(names),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const errors: Buffer[] = []
  child.stderr.on('data', (piece: Buffer) => errors.push(piece))
  // Sometimes so soon that it is still recovering.
  const isEarly = number > 2 && random.chance(0.2)
  // How far it comes is counted in what it says, not in time: machines differ.
  let linesBefore = isEarly ? 0 : random.int(0, 60)
  const delay = random.int(0, 40)
  let round: Round | undefined
  let killed = false
  const kill = async () => {
    if (killed) return
    await sleep(delay)
    killed = true
    child.kill('SIGKILL')
  }
  for await (const text of createInterface({ input: child.stdout })) {
    const line = parse(text)
    if (line === undefined) continue
    if ('opening' in line) {
      if (isEarly) void kill()
    } else if ('found' in line) {
      const complaints = judge(
        before?.judges ?? [],
        1,
        (table) => line.found[table.split('_')[0] as string]?.[table],
        new Set(line.prepared),
      )
      expect(complaints, `after kill ${number - 1}`).toEqual([])
      round = new Round(before)
      if (linesBefore === 0) void kill()
    } else {
      round?.hear(line)
      if (--linesBefore === 0) void kill()
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  if (!killed) throw new Error(`the child ended by itself: ${Buffer.concat(errors)}`)
  // Killed before it had recovered: what was there before is still to be found.
  return round ?? before ?? new Round(undefined)
}

// The last line may be a half.
function parse(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report
  } catch {
    return undefined
  }
}
