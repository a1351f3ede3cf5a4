// Test of processes that are killed again and again, owners and others, while all of them write.
// Goal: nothing acknowledged is lost, nobody hangs, nothing is left behind. Method: three members write and acknowledge to the
// test, which has no part in the cluster; one of them is killed at a random moment and replaced. At the end the rows are
// compared with what was acknowledged, and shared memory, temporary files, `verify` and stock's amcheck are looked at.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? Date.now() % 1_000_000)
const kills = full ? 500 : 12
const membersAtATime = 3

// Shared memory segments that processes made, as the kernel lists them; where it does not, none. Not those of `earlier` ids:
// what others left behind may bear a process number that is used again.
function segmentsOf(
  pids: ReadonlySet<number> | undefined,
  earlier: ReadonlySet<string> = new Set(),
): string[] {
  let list = ''
  try {
    list = readFileSync('/proc/sysvipc/shm', 'utf8')
  } catch {
    return []
  }
  const [heading, ...lines] = list.trim().split('\n')
  const columns = (heading as string).trim().split(/\s+/)
  const of = (line: string, column: string) =>
    line.trim().split(/\s+/)[columns.indexOf(column)] as string
  return lines
    .filter((line) => pids === undefined || pids.has(Number(of(line, 'cpid'))))
    .map((line) => of(line, 'shmid'))
    .filter((id) => !earlier.has(id))
}

test('killed processes take nothing with them', { timeout: 120_000 + kills * 10_000 }, async () => {
  console.log(`kills: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  const directory = temporaryDirectory('kills')
  await Cluster.init(directory)
  {
    await using cluster = await Cluster.open(directory)
    await using session = await cluster.connect()
    await session.createTable('t', { columns: { id: 'int8', v: 'text' }, primaryKey: ['id'] })
  }
  const acknowledged = new Set<number>()
  const pids = new Set<number>()
  const earlierSegments = new Set(segmentsOf(undefined))
  let started = 0
  let slowestMs = 0

  const start = async (): Promise<Member> => {
    const member = await Member.start(directory, {
      shared_buffers: '8MB',
    })
    pids.add(member.pid)
    member.process.on('message', ({ row }: { row?: number }) => {
      if (row !== undefined) acknowledged.add(row)
    })
    await member.run(writer, started++ * 1_000_000)
    return member
  }

  const members = await Promise.all(Array.from({ length: membersAtATime }, start))
  let inside = 0
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.int(0, 300))
    const [victim] = members.splice(random.int(0, members.length - 1), 1) as [Member]
    await victim.kill()
    // The others answer, after a recovery if there must be one.
    const before = performance.now()
    const crashes = await Promise.all(members.map((member) => member.run(answer)))
    slowestMs = Math.max(slowestMs, performance.now() - before)
    if (crashes.some((crashed) => crashed)) inside++
    members.push(await start())
  }
  for (const member of members) {
    await member.run(({ kept }) => {
      kept.end = true
    })
  }
  for (const member of members) await member.run(async ({ kept }) => void (await kept.writer))
  await Promise.all(members.map((member) => member.close()))
  console.log(
    `kills: ${kills}, ${inside} of them inside the engine; ${acknowledged.size} rows acknowledged; ` +
      `slowest answer after a kill: ${slowestMs.toFixed(0)} ms`,
  )

  const cluster = await Cluster.open(directory)
  const session = await cluster.connect()
  const there = new Set([...session.table<{ id: number }>('t').scan()].map(({ id }) => id))
  expect([...acknowledged].filter((id) => !there.has(id))).toEqual([])
  expect(acknowledged.size).toBeGreaterThan(kills)
  expect(cluster.locks()).toEqual([])
  await cluster.close()
  expect(segmentsOf(pids, earlierSegments)).toEqual([])
  expect(readdirSync(directory).filter((name) => name.startsWith('postmaster'))).toEqual([])
  expect(readdirSync(join(directory, 'pg_wal')).filter((name) => /temp/.test(name))).toEqual([])
  const verified = await pgdata(['verify', directory])
  expect(verified.status).toBe(0)
  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  expect(await amcheck(await oracle.client())).toEqual([])
})

// The following are sent as text to members: they use only what they are given.

async function writer(
  { cluster, kept }: { cluster: Cluster; kept: Record<string, unknown> },
  first: number,
): Promise<void> {
  const lane = async (lane: number) => {
    let session = await cluster.connect()
    for (let id = first + lane; kept.end !== true; id += 4) {
      try {
        await session.table('t').insert({ id, v: 'x'.repeat(id % 500) })
        process.send?.({ row: id })
      } catch (error) {
        if ((error as { code?: string }).code !== '57P02') throw error
        kept.crashes = ((kept.crashes as number) ?? 0) + 1
        while (kept.end !== true) {
          try {
            session = await cluster.connect()
            break
          } catch (error) {
            if ((error as { code?: string }).code !== '57P02') throw error
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        }
      }
    }
    await session.close()
  }
  kept.writer = Promise.all([0, 1, 2, 3].map(lane))
}

// Writes a row as soon as that is possible; whether the cluster crashed since it was asked last.
async function answer({
  cluster,
  kept,
}: {
  cluster: Cluster
  kept: Record<string, unknown>
}): Promise<boolean> {
  for (;;) {
    try {
      const session = await cluster.connect()
      try {
        await session.table('t').insert({ id: -process.hrtime.bigint(), v: '' })
      } finally {
        await session.close()
      }
      const crashes = kept.crashes ?? 0
      const crashed = crashes !== (kept.answered ?? 0)
      kept.answered = crashes
      return crashed
    } catch (error) {
      if ((error as { code?: string }).code !== '57P02') throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
