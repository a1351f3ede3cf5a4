// Tests of the oracle itself.
// Goal: what the other tests rely on holds: servers start, stop and die as asked, directories come back, and
// amcheck finds a corruption that we made. Method: drive real servers on clusters that PostgreSQL made.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { allGone, isAlive } from '../support/processes.ts'

let oracle: Oracle

beforeAll(async () => {
  oracle = await Oracle.initdb()
})

afterAll(async () => {
  await oracle[Symbol.asyncDispose]()
  expect(existsSync(oracle.dir)).toBe(false)
})

test('a cluster of the oracle is PostgreSQL 18 and sound', async () => {
  await oracle.start({ work_mem: '8MB' })
  expect(statSync(oracle.dir).mode & 0o777).toBe(0o700)
  const client = await oracle.client('template1')
  const { rows } = await client.query("select current_setting('work_mem') as work_mem, version()")
  expect(rows[0].work_mem).toBe('8MB')
  expect(rows[0].version).toMatch(/^PostgreSQL 18\./)
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
  const extensions = await client.query("select from pg_extension where extname <> 'plpgsql'")
  expect(extensions.rowCount).toBe(0)
  await oracle.stop()
  expect(statSync(oracle.dir).uid).toBe(process.getuid?.())
  expect(existsSync(join(oracle.dir, 'postmaster.pid'))).toBe(false)
})

test('a killed server leaves a crash image that the next start recovers', async () => {
  await oracle.start()
  const client = await oracle.client()
  await client.query('create table survives (a int primary key)')
  await client.query('insert into survives select generate_series(1, 1000)')
  const { pid } = oracle
  await oracle.kill9()
  expect(isAlive(pid)).toBe(false)
  expect(existsSync(join(oracle.dir, 'postmaster.pid'))).toBe(true)
  await expect(client.query('select 1')).rejects.toThrow()

  await oracle.start()
  expect(oracle.log()).toContain('database system was not properly shut down')
  const again = await oracle.client()
  expect((await again.query('select count(*)::int as n from survives')).rows).toEqual([{ n: 1000 }])
  await oracle.stop('immediate')
})

test('amcheck names the damaged heap block and index', async () => {
  await oracle.start()
  const client = await oracle.client()
  await client.query('create table damaged (a int primary key, b text)')
  await client.query("insert into damaged select n, 'row ' || n from generate_series(1, 2000) n")
  const { rows } = await client.query(
    "select pg_relation_filepath('damaged') as heap, pg_relation_filepath('damaged_pkey') as index",
  )
  await oracle.stop()
  // t_infomask2 of a tuple says more columns than the relation has; the checksum would hide that from amcheck.
  const heap = join(oracle.dir, rows[0].heap)
  const page = readFileSync(heap).subarray(0, 8192)
  const firstTuple = page.readUInt32LE(24) & 0x7fff
  overwrite(heap, firstTuple + 18, Buffer.from([0x63, 0]))
  overwrite(join(oracle.dir, rows[0].index), 8192 + 4000, Buffer.alloc(16, 0xff))
  await oracle.start({ ignore_checksum_failure: true })
  const complaints = await amcheck(await oracle.client())
  expect(complaints).toContainEqual(
    expect.stringMatching(
      /^heap public.damaged: block 0 offset 1 attribute .*: number of attributes/,
    ),
  )
  expect(complaints).toContainEqual(expect.stringMatching(/^index public.damaged_pkey: /))
  await oracle.stop('immediate')
})

test('a server that cannot start says why', async () => {
  await expect(oracle.start({ shared_buffers: 'nonsense' })).rejects.toThrow(/shared_buffers/)
  expect(oracle.isRunning).toBe(false)
})

test('a server and its directory go when the test process is killed', async () => {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'orphan.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { pid, dir } = JSON.parse(line.toString()) as { pid: number; dir: string }
  expect(isAlive(pid)).toBe(true)
  child.kill('SIGKILL')
  await allGone([pid], 10_000)
  await expect.poll(() => existsSync(dir), { timeout: 10_000 }).toBe(false)
})

function overwrite(file: string, position: number, bytes: Buffer): void {
  const fd = openSync(file, 'r+')
  writeSync(fd, bytes, 0, bytes.length, position)
  closeSync(fd)
}
