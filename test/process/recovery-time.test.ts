// Test of how long those who are left wait after a death in the middle of something.
// Goal: with much to replay, they are told at once, recover, and go on; nothing acknowledged is lost. The time is printed.
// Method: two members; one fills the log, is stopped at a place of the native code, and killed. 100 MB of log in the full suite.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member, type MemberContext } from './member.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const logBytes = full ? 100e6 : 10e6

test('those who are left recover and go on', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('recovery-time')
  await Cluster.init(directory)
  const settings = { autovacuum: false, checkpoint_timeout: 3600, max_wal_size: '4GB' }
  const victim = await Member.start(directory, settings)
  await victim.run(async ({ session }) => {
    await session.createTable('t', { columns: { id: 'int8', v: 'text' }, primaryKey: ['id'] })
  })
  const left = await Member.start(directory, settings)
  const rows = await victim.run(fill, logBytes)
  const report = join(temporaryDirectory('recovery-time-stop'), 'stopped')
  const writing = victim.run(({ session, stopAt }: MemberContext, file: string) => {
    stopAt('change made', 0, file)
    return session.table('t').insert({ id: -1, v: '' })
  }, report)
  writing.catch(() => undefined)
  await vi.waitFor(() => expect(existsSync(report)).toBe(true), { timeout: 60_000 })
  await victim.kill()
  const start = performance.now()
  const told = await left.run(waitForCrash)
  const toldMs = performance.now() - start
  await left.run(reconnect)
  const ms = performance.now() - start
  console.log(
    `recovery of ${(logBytes / 1e6).toFixed(0)} MB of log after a death inside: ` +
      `told after ${toldMs.toFixed(0)} ms, a new session answered after ${ms.toFixed(0)} ms`,
  )
  expect(told).toBe('57P02')
  const found = await left.run(({ session }) => [...session.table('t').scan()].length)
  expect(found).toBe(rows)
  await left.close()
})

// The following are sent as text to members: they use only what they are given.

async function fill({ cluster, session }: MemberContext, wanted: number): Promise<number> {
  const written = () => cluster.statistics().wal_bytes as number
  const before = written()
  const t = session.table('t')
  let rows = 0
  while (written() - before < wanted) {
    const first = rows
    await t.insertMany(
      Array.from({ length: 5000 }, (_, i) => ({ id: first + i, v: 'x'.repeat(100) })),
    )
    rows += 5000
  }
  return rows
}

async function waitForCrash({ session }: MemberContext): Promise<string | undefined> {
  for (;;) {
    try {
      session.table('t').get(0)
    } catch (error) {
      return (error as { code?: string }).code
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function reconnect(context: MemberContext): Promise<void> {
  for (;;) {
    try {
      context.session = await context.cluster.connect()
      if (context.session.table('t').get(0) === undefined) throw new Error('the row is lost')
      return
    } catch (error) {
      if ((error as { code?: string }).code !== '57P02') throw error
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}
