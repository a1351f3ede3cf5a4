// Advisory locks and notifications between processes.
// Goal: what one process locks, others wait for; what one notifies, others hear, also after the death of a listener.
// Method: a member process beside the test's own.
import { expect, test, vi } from 'vitest'
import { Cluster, type Notification } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

// Processes take a while to start on a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

test('processes hear each other, and wait for each other', async () => {
  const directory = temporaryDirectory('notify-members')
  await using cluster = await Cluster.open(directory, { create: true, settings: { fsync: false } })
  await using session = await cluster.connect()
  await using other = await Member.start(directory)

  // From here to there.
  await other.run(({ session, kept }) => {
    kept.stream = session.listen('a')
  })
  await session.notify('a', 'to the other')
  const heard = await other.run(async ({ kept }) => {
    const { value } = await (kept.stream as AsyncIterator<Notification>).next()
    return value
  })
  expect(heard).toEqual({
    channel: 'a',
    payload: 'to the other',
    pid: process.pid,
    session: session.id,
  })

  // From there to here; who waits already is woken.
  await using stream = session.listen('b')
  const next = stream.next()
  await other.run(({ session }) => session.notify('b', 'back'))
  expect(await next).toMatchObject({ value: { payload: 'back', pid: other.pid }, done: false })

  // A lock of there is waited for here.
  await other.run(({ session }) => session.advisoryLock(5))
  expect(await session.tryAdvisoryLock(5)).toBe(false)
  const waiting = session.advisoryLock(5)
  await other.run(({ session }) => session.advisoryUnlock(5))
  await waiting

  // The dead neither hold locks nor the queue up.
  await other.run(({ session }) => session.advisoryLock(6))
  const payload = 'p'.repeat(7000)
  for (let i = 0; i < 50; i++) await session.notify('a', payload)
  expect(cluster.notificationQueueUsage()).toBeGreaterThan(0.00003)
  await other.killOutside(cluster)
  await session.advisoryLock(6)
  await expect.poll(() => cluster.notificationQueueUsage(), { timeout: 5000 }).toBe(0)
})
