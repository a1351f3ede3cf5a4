// Tests of the lock file.
// Goal: no two engines write one directory, whichever of them came first, and a dead one's lock file is in
// nobody's way. Method: stock PostgreSQL and pgdata, here and in other processes, meet on one directory.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

let oracle: Oracle
let lockFile: string

beforeAll(async () => {
  const directory = temporaryDirectory('lock')
  await Cluster.init(directory)
  oracle = Oracle.adopt(directory)
  lockFile = join(oracle.dir, 'postmaster.pid')
})

afterAll(async () => {
  await oracle[Symbol.asyncDispose]()
})

// Another process that has the cluster open.
async function holder(): Promise<{ child: ChildProcess; pid: number }> {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'lock-holder.ts')
  const child = oracle.spawnScript(script, oracle.dir)
  const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, 'data')) as [Buffer]
  return { child, pid: Number(line.toString()) }
}

async function openAndClose(): Promise<void> {
  const cluster = await Cluster.open(oracle.dir)
  await cluster.close()
  expect(existsSync(lockFile)).toBe(false)
}

function refusal(pid: number, name: RegExp) {
  return {
    code: 'F0001',
    message: 'lock file "postmaster.pid" already exists',
    detail: expect.stringMatching(new RegExp(`^Process ${pid} \\(${name.source}\\) is using`)),
  }
}

test('a directory that a live postgres holds is refused, and the server goes on', async () => {
  await oracle.start()
  const contents = readFileSync(lockFile, 'utf8')
  await expect(Cluster.open(oracle.dir)).rejects.toMatchObject(refusal(oracle.pid, /postgres/))
  expect(readFileSync(lockFile, 'utf8')).toBe(contents)
  const client = await oracle.client()
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await oracle.stop()
  await openAndClose()
})

test('a directory that a process holds for itself alone is refused', async () => {
  const settings = { shared_memory_type: 'private' } as const
  await using cluster = await Cluster.open(oracle.dir, { settings })
  await expect(Cluster.open(oracle.dir)).rejects.toMatchObject(refusal(process.pid, /.*/))
  await (await cluster.connect()).close()
})

test('a directory that another process holds is refused by postgres', async () => {
  const { child, pid } = await holder()
  await expect(oracle.start()).rejects.toThrow('lock file "postmaster.pid" already exists')
  expect(oracle.log()).toContain(`Is another postmaster (PID ${pid}) running in data directory`)
  oracle.giveAway()
  child.stdin?.end()
  expect((await once(child, 'exit'))[0]).toBe(0)
  oracle.takeBack()
  await openAndClose()
})

test('postgres is kept out by one that is attached when the owner was killed', async () => {
  const owner = await holder()
  const other = await holder()
  // Before it can write its own name into the file.
  other.child.kill('SIGSTOP')
  owner.child.kill('SIGKILL')
  await once(owner.child, 'exit')
  oracle.takeBack()
  expect(readFileSync(lockFile, 'utf8').split('\n')[0]).toBe(`${owner.pid}`)
  await expect(oracle.start()).rejects.toThrow('pre-existing shared memory block')
  oracle.giveAway()
  other.child.kill('SIGCONT')
  other.child.stdin?.end()
  expect((await once(other.child, 'exit'))[0]).toBe(0)
  oracle.takeBack()
  await oracle.start()
  await oracle.stop()
})

test('reading offline needs no lock', async () => {
  await oracle.start()
  const cluster = await Cluster.open(oracle.dir, { readOnly: true })
  const session = await cluster.connect()
  expect(session.table('pg_catalog.pg_namespace').scan().next().done).toBe(false)
  await cluster.close()
  expect(existsSync(lockFile)).toBe(true)
  await oracle.stop()
})

test('the lock file of a killed process is taken over', async () => {
  const { child } = await holder()
  child.kill('SIGKILL')
  await once(child, 'exit')
  oracle.takeBack()
  expect(existsSync(lockFile)).toBe(true)
  // Opening it recovers it.
  await openAndClose()
  expect(existsSync(lockFile)).toBe(false)
  await oracle.start()
  await oracle.stop()
  await openAndClose()
})

test('the lock file of a killed server is taken over', async () => {
  await oracle.start()
  await oracle.kill9()
  expect(existsSync(lockFile)).toBe(true)
  await openAndClose()
  await oracle.start()
  await oracle.stop()
  await openAndClose()
})

test.runIf(process.platform === 'linux')(
  'a process id that was used again does not hold the lock',
  async () => {
    // Of a process that lives, with a start time that is not its own.
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    writeFileSync(lockFile, `${process.ppid}\n${oracle.dir}\n1\n0\n\n\n\nready   \n${bootId}\n1\n`)
    await openAndClose()
    // Of a machine that has booted since.
    writeFileSync(
      lockFile,
      `${process.ppid}\n${oracle.dir}\n1\n0\n\n\n\nready   \nnot-this-boot\n1\n`,
    )
    await openAndClose()
  },
)

test('a lock file that says nothing is left alone', async () => {
  writeFileSync(lockFile, 'nonsense\n')
  await expect(Cluster.open(oracle.dir)).rejects.toMatchObject({ code: 'F0001' })
  expect(readFileSync(lockFile, 'utf8')).toBe('nonsense\n')
  writeFileSync(lockFile, '')
  await expect(Cluster.open(oracle.dir)).rejects.toMatchObject({ code: 'F0001' })
})
