// Goal: a reload that one process asks for is heard by all that have the directory open, and counts in their sessions.
// Method: a member, another process, shows its settings after each reload here, and the other way round.
import { appendFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

// Processes take a while to start on a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

async function eventually(what: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await what())) await sleep(10)
}

test('a reload reaches the sessions of all processes, in both directions', async () => {
  const directory = temporaryDirectory('reload')
  await Cluster.init(directory)
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  await using other = await Member.start(directory)
  const there = () => other.run(({ session }) => session.show('lock_timeout'))
  expect(await there()).toBe('0')
  cluster.alterSystem('lock_timeout', '20ms')
  expect(cluster.reload()).toEqual([])
  expect(session.show('lock_timeout')).toBe('20ms')
  await eventually(async () => (await there()) === '20ms')
  await session.advisoryLock(1)
  await expect(other.run(({ session }) => session.advisoryLock(1))).rejects.toMatchObject({
    code: '55P03',
  })
  // What was set there stays.
  await other.run(({ session }) => session.set('lock_timeout', '30ms'))
  await other.run(({ cluster }) => {
    cluster.alterSystem('lock_timeout', '40ms')
    cluster.alterSystem('work_mem', '40MB')
    cluster.reload()
  })
  await eventually(() => session.show('lock_timeout') === '40ms')
  expect(session.show('work_mem')).toBe('40MB')
  expect(await there()).toBe('30ms')
})

test('a file that is gone at a reload is an error, and the old values stay', async () => {
  const directory = temporaryDirectory('reload')
  await Cluster.init(directory)
  const conf = join(directory, 'postgresql.conf')
  appendFileSync(conf, 'work_mem = 5MB\n')
  await using cluster = await Cluster.open(directory, { onNotice: () => undefined })
  await using session = await cluster.connect()
  renameSync(conf, `${conf}.away`)
  expect(cluster.reload()).toMatchObject([
    {
      code: '58P01',
      message: `could not open configuration file "${conf}": No such file or directory`,
    },
  ])
  expect(session.show('work_mem')).toBe('5MB')
  renameSync(`${conf}.away`, conf)
  expect(cluster.reload()).toEqual([])
})
