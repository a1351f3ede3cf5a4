// Processes in containers that share a volume.
// Goal: a directory that is held in one container is refused in another one, where the holder's number means nothing, and is
// taken over once the holder is dead. Method: members in namespaces of their own, as containers give them; that needs the
// right to make such namespaces.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

const processNamespace = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
const container = [...processNamespace, '--ipc']
const tried = spawnSync(container[0] as string, [...container.slice(1), 'true'])
const reason = tried.error?.message ?? String(tried.stderr)
if (tried.status !== 0)
  console.log(`containers: left out, since no namespaces can be made: ${reason}`)

let directory: string
const lockFile = () => readFileSync(join(directory, 'postmaster.pid'), 'utf8')
const insert = (member: Member, id: number) =>
  member.run(({ session }, row) => session.table('t').insert({ id: row }), id)

beforeEach(async () => {
  directory = temporaryDirectory('containers')
  await using cluster = await Cluster.open(directory, { create: true })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int8 primary key' } })
})

test.skipIf(tried.status !== 0)(
  'one is kept out while another one holds the directory',
  {
    timeout: 120_000,
  },
  async () => {
    const outside = await Member.start(directory)
    await insert(outside, 1)
    const held = lockFile()
    await expect(Member.start(directory, {}, container)).rejects.toMatchObject({ code: 'F0001' })
    expect(lockFile()).toBe(held)
    await insert(outside, 2)

    // The holder is killed, and the container takes the directory over; its process is number 1 or so there.
    await outside.kill()
    const inside = await Member.start(directory, {}, container)
    await insert(inside, 3)
    expect(Number(lockFile().split('\n')[0])).toBeLessThan(100)
    const inContainer = lockFile()
    await expect(Cluster.open(directory)).rejects.toMatchObject({ code: 'F0001' })
    await expect(Member.start(directory, {}, container)).rejects.toMatchObject({ code: 'F0001' })
    expect(lockFile()).toBe(inContainer)
    await insert(inside, 4)
    await inside.kill()
    {
      await using cluster = await Cluster.open(directory)
      await using session = await cluster.connect()
      expect([...session.table<{ id: number }>('t').scan()].map(({ id }) => id)).toEqual([
        1, 2, 3, 4,
      ])
    }
    expect((await pgdata(['verify', directory])).status).toBe(0)
  },
)

test.skipIf(tried.status !== 0)(
  'memory is not shared where process numbers differ',
  {
    timeout: 120_000,
  },
  async () => {
    const outside = await Member.start(directory)
    await expect(Member.start(directory, {}, processNamespace)).rejects.toMatchObject({
      code: '55000',
      detail: expect.stringContaining('PID namespace'),
    })
    await insert(outside, 1)
    await outside.close()
  },
)
