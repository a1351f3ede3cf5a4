// Test of deaths at chosen places in the middle of something.
// Goal: whoever dies where, owner or not, the others go on within 5 seconds: what was acknowledged is there, what was not is
// there as a whole or not at all. Method: a member is told to stop at a place of the native code, and killed when it has come
// there; meanwhile the others have begun to write, and wait for what it holds. The test has no part in the cluster.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member, type MemberContext } from './member.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? Date.now() % 1_000_000)
const rounds = full ? 8 : 1
const answerMsMax = 5000
const rowsOfGroup = 3

interface Point {
  name: string
  /** What then has become of the transaction that the victim was in the middle of. */
  outcome: 'lost' | 'kept' | 'either' | 'none'
  does: 'write' | 'write and drop' | 'checkpoint'
  /** Nothing shared is in danger: the others go on as if nothing had been. */
  isOutside?: boolean
  ownerOnly?: boolean
}

const points: readonly Point[] = [
  { name: 'change begun', outcome: 'lost', does: 'write' },
  { name: 'change made', outcome: 'lost', does: 'write' },
  { name: 'change logged', outcome: 'lost', does: 'write' },
  { name: 'log reserved', outcome: 'lost', does: 'write' },
  { name: 'relation extended', outcome: 'lost', does: 'write' },
  { name: 'lock table locked', outcome: 'lost', does: 'write' },
  { name: 'commit logged', outcome: 'either', does: 'write' },
  { name: 'commit noted', outcome: 'either', does: 'write' },
  { name: 'commit flushed', outcome: 'kept', does: 'write and drop' },
  { name: 'commits flushed', outcome: 'kept', does: 'write', isOutside: true },
  { name: 'checkpoint written', outcome: 'none', does: 'checkpoint', ownerOnly: true },
]

const random = new Random(seed)
let directory: string
let reports: string
let members: Member[] = []
/** Groups of rows whose commit was told of, and the last one that each process began. */
const acknowledged = new Set<number>()
const begun = new Map<Member, number>()
let groups = 1
let deaths = 0
let slowestMs = 0

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

async function startMember(): Promise<Member> {
  const member = await Member.start(directory, { shared_buffers: '8MB', autovacuum: false })
  member.process.on('message', (message: { begun?: number; acknowledged?: number }) => {
    if (message.begun !== undefined) begun.set(member, message.begun)
    if (message.acknowledged !== undefined) acknowledged.add(message.acknowledged)
  })
  return member
}

beforeAll(async () => {
  console.log(`deaths inside: PGDATA_SEED=${seed}`)
  directory = temporaryDirectory('inside')
  reports = temporaryDirectory('stops')
  await Cluster.init(directory)
  {
    await using cluster = await Cluster.open(directory)
    await using session = await cluster.connect()
    await session.createTable('t', {
      columns: { id: 'int4', member: 'int4', v: 'text' },
      primaryKey: ['id'],
    })
    await session.createIndex('t', { columns: ['member'], name: 't_member' })
  }
  members = await Promise.all([startMember(), startMember(), startMember()])
})

afterAll(async () => {
  await Promise.all(members.map((member) => member.kill()))
})

async function stopped(report: string): Promise<void> {
  for (let i = 0; i < 3000 && !existsSync(report); i++) await sleep(5)
  expect(existsSync(report)).toBe(true)
}

/** The members, the victim taken out of them. */
async function takeVictim(isOwner: boolean): Promise<Member> {
  const [first] = members as [Member]
  for (;;) {
    const processes = await first.run(({ cluster }) => cluster.processes())
    const owner = processes.find((each) => each.isOwner)?.pid
    const victim = members.find(({ pid }) => (pid === owner) === isOwner)
    if (owner !== undefined && victim !== undefined) {
      members = members.filter((member) => member !== victim)
      return victim
    }
    await sleep(10)
  }
}

/** Numbers for the groups of one process. */
function takeGroups(): number {
  groups += 100_000
  return groups
}

async function dieAt({ name, outcome, does, isOutside = false }: Point, isOwner: boolean) {
  const victim = await takeVictim(isOwner)
  const report = join(reports, `${++deaths}`)
  const skipped = does === 'checkpoint' ? 0 : random.int(0, 20)
  await victim.run(arm, { point: name, skipped, report })
  // Whether it ever answers depends on which thread it is that stops.
  const ended =
    does === 'checkpoint'
      ? victim.run(checkpoint)
      : victim.run(writer, { first: takeGroups(), drops: does === 'write and drop' })
  ended.catch(() => undefined)
  await stopped(report)

  const count = isOutside ? 20 : undefined
  const writing = members.map((member) => member.run(writer, { first: takeGroups(), count }))
  // So that they have come to what the victim holds.
  await sleep(random.int(0, 50))
  await victim.kill()
  const killed = performance.now()
  const codes = await Promise.all(writing)
  const known = [...acknowledged]
  const found = await Promise.all(members.map((member) => member.run(reconnect, takeGroups())))
  const answerMs = performance.now() - killed
  slowestMs = Math.max(slowestMs, answerMs)
  members.push(await startMember())

  expect(codes).toEqual(codes.map(() => (isOutside ? undefined : '57P02')))
  expect(answerMs).toBeLessThan(answerMsMax)
  const last = begun.get(victim) as number
  for (const ids of found) {
    const counts = new Map<number, number>()
    for (const id of ids) {
      const group = Math.floor(id / rowsOfGroup)
      counts.set(group, (counts.get(group) ?? 0) + 1)
    }
    expect([...counts].filter(([, count]) => count !== rowsOfGroup)).toEqual([])
    if (outcome === 'kept') expect(counts.has(last)).toBe(true)
    if (outcome === 'lost') expect(counts.has(last)).toBe(false)
  }
  if (outcome !== 'none') expect(acknowledged.has(last)).toBe(false)
  const seen = new Set((found.at(-1) as number[]).map((id) => Math.floor(id / rowsOfGroup)))
  expect(known.filter((group) => !seen.has(group))).toEqual([])
}

for (const point of points) {
  for (const isOwner of point.ownerOnly ? [true] : [true, false]) {
    test(`${isOwner ? 'the owner' : 'another process'} dies at: ${point.name}`, {
      timeout: 60_000 * rounds,
    }, async () => {
      for (let round = 0; round < rounds; round++) {
        await dieAt(point, isOwner)
      }
    })
  }
}

test('what is left is sound', { timeout: 120_000 }, async () => {
  console.log(
    `deaths inside: ${deaths}; ${acknowledged.size} groups acknowledged; slowest answer after one: ` +
      `${slowestMs.toFixed(0)} ms`,
  )
  expect(acknowledged.size).toBeGreaterThan(deaths)
  for (const member of members)
    expect(await member.run(({ cluster }) => cluster.locks().length)).toBe(0)
  await Promise.all(members.map((member) => member.close()))
  expect(existsSync(join(directory, 'postmaster.pid'))).toBe(false)
  expect(await pgdata(['verify', directory])).toMatchObject({ status: 0 })
  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  const client = await oracle.client()
  expect(await amcheck(client)).toEqual([])
  const { rows } = await client.query(
    `select id / ${rowsOfGroup} as g from t group by 1 having count(*) <> ${rowsOfGroup}`,
  )
  expect(rows).toEqual([])
})

// The following are sent as text to members: they use only what they are given.

function arm(
  { stopAt }: MemberContext,
  { point, skipped, report }: { point: string; skipped: number; report: string },
): void {
  stopAt(point, skipped, report)
}

function checkpoint({ cluster }: MemberContext): Promise<void> {
  return cluster.checkpoint()
}

// Writes groups of three rows, so many or until that fails; resolves with the code of the error.
async function writer(
  { session }: MemberContext,
  {
    first,
    count = 100_000,
    drops = false,
  }: { first: number; count?: number | undefined; drops?: boolean },
): Promise<string | undefined> {
  for (let group = first; group < first + count; group++) {
    process.send?.({ begun: group })
    try {
      const t = session.table('t')
      await session.transaction(async (tx) => {
        await tx.advisoryLock([1, group])
        for (let row = 0; row < 3; row++) {
          await tx.insert(t, { id: group * 3 + row, member: group % 7, v: 'x'.repeat(1500) })
        }
        if (drops) {
          await tx.createTable(`made_${group}`, { columns: { id: 'int4' } })
          await tx.dropTable(`made_${group}`)
        }
      })
    } catch (error) {
      return (error as { code?: string }).code
    }
    process.send?.({ acknowledged: group })
  }
  return undefined
}

// Takes a new session as soon as there is one, and writes a group with it; resolves with all ids that are there.
async function reconnect(context: MemberContext, group: number): Promise<number[]> {
  for (;;) {
    try {
      context.session = await context.cluster.connect()
      const t = context.session.table<{ id: number; member: number; v: string }>('t')
      await context.session.transaction(async (tx) => {
        for (let row = 0; row < 3; row++) {
          await tx.insert(t, { id: group * 3 + row, member: group % 7, v: '' })
        }
      })
      process.send?.({ acknowledged: group })
      return [...t.scan()].map(({ id }) => id)
    } catch (error) {
      if ((error as { code?: string }).code !== '57P02') throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
