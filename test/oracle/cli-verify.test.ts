// `pgdata verify`: goal: sound directories are clean, and each kind of damage is named with its block. Method:
// directories made by stock PostgreSQL and by us; bytes changed in copies of their files, with and without a
// checksum made to match.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { pgdata } from '../support/command-line.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

const blockSize = 8192
const checksumAt = 8

describe('verify of a directory that stock PostgreSQL made', () => {
  let oracle: Oracle
  let heapFile = ''
  let indexFile = ''

  beforeAll(async () => {
    oracle = await Oracle.initdb()
    await oracle.start()
    const client = await oracle.client()
    await client.query(`
      create table t (id serial primary key, name text, big text);
      create index t_name on t (name, id desc);
      insert into t (name, big) select md5(i::text), repeat(md5(i::text), i % 300) from generate_series(1, 3000) i;
      alter table t alter big set storage external;
      insert into t (name, big) select 'long', repeat('long', 3000) from generate_series(1, 50);
      update t set big = 'hot' where id % 9 = 0;
      update t set name = 'moved' where id % 11 = 0;
      delete from t where id % 13 = 0;
    `)
    await client.query('create unlogged table u (a int primary key); insert into u values (1)')
    await client.query('create index t_hash on t using hash (name)')
    await client.query('create index t_part on t (id) where id > 10')
    await client.query('vacuum t')
    await client.query('update t set big = $$again$$ where id % 17 = 0')
    const { rows } = await client.query<{ heap: string; index: string }>(
      `select pg_relation_filepath('t') as heap, pg_relation_filepath('t_pkey') as index`,
    )
    heapFile = rows[0]?.heap ?? ''
    indexFile = rows[0]?.index ?? ''
    const running = await pgdata(['verify', oracle.dir])
    expect(running.status).toBe(2)
    expect(running.stderr).toContain('lock file "postmaster.pid" already exists')
    await oracle.stop()
  }, 120_000)
  afterAll(() => oracle[Symbol.asyncDispose]())

  // Runs verify on the directory while one page of a file is changed.
  async function withDamage(
    file: string,
    block: number,
    damage: (page: Buffer) => void,
    fixChecksum: boolean,
  ) {
    const path = join(oracle.dir, file)
    const original = readFileSync(path)
    const changed = Buffer.from(original)
    const page = changed.subarray(block * blockSize, (block + 1) * blockSize)
    damage(page)
    if (fixChecksum) page.writeUInt16LE(binding.pageChecksum(page, block), checksumAt)
    writeFileSync(path, changed)
    try {
      const { status, stdout } = await pgdata(['verify', oracle.dir, '--relation', 't', '--json'])
      const report = JSON.parse(stdout.toString()) as {
        problems: { file: string; block: number | null; offset?: number; message: string }[]
      }
      return { status, problems: report.problems }
    } finally {
      writeFileSync(path, original)
    }
  }

  it('finds nothing', async () => {
    const { status, stdout, stderr } = await pgdata(['verify', oracle.dir])
    expect(`${stdout}${stderr}`).toMatch(/^\d+ blocks of \d+ relations, 0 problems\n$/)
    expect(status).toBe(0)
  }, 60_000)

  it('names a page with a wrong checksum', async () => {
    const { status, problems } = await withDamage(
      heapFile,
      3,
      (page) => page.writeUInt8(page[5000]! ^ 1, 5000),
      false,
    )
    expect(status).toBe(1)
    expect(problems).toMatchObject([{ file: heapFile, block: 3 }])
    expect(problems[0]?.message).toMatch(
      /^page verification failed, calculated checksum \d+ but expected \d+$/,
    )
  }, 60_000)

  it('names a damaged line pointer and the index entries that lost their row', async () => {
    const pointer = await withDamage(
      heapFile,
      2,
      (page) => page.writeUInt32LE(0x7fff | (1 << 15), 24),
      true,
    )
    expect(pointer.status).toBe(1)
    expect(pointer.problems[0]).toMatchObject({ file: heapFile, block: 2, offset: 1 })
    // Line pointer 1 of block 2 becomes unused: its index entry points to nothing.
    const unused = await withDamage(heapFile, 2, (page) => page.writeUInt32LE(0, 24), true)
    expect(unused.status).toBe(1)
    expect(unused.problems.map(({ message }) => message)).toContain(
      'index entry points to heap line pointer (2,1), which does not exist',
    )
  }, 60_000)

  it('names a B-tree page out of order, and a row without its entry', async () => {
    // The first two items of a leaf page change places.
    const swapped = await withDamage(
      indexFile,
      1,
      (page) => {
        const second = page.readUInt32LE(28)
        page.writeUInt32LE(page.readUInt32LE(32), 28)
        page.writeUInt32LE(second, 32)
      },
      true,
    )
    expect(swapped.status).toBe(1)
    expect(swapped.problems[0]).toMatchObject({ file: indexFile, block: 1 })
    // The last line pointer of a leaf is cut off.
    const cut = await withDamage(
      indexFile,
      1,
      (page) => page.writeUInt16LE(page.readUInt16LE(12) - 4, 12),
      true,
    )
    expect(cut.status).toBe(1)
    expect(cut.problems[0]?.message).toMatch(/has no entry in the index$/)
  }, 60_000)
})

describe('verify of our own directory', () => {
  it('finds nothing after init and load', async () => {
    const directory = temporaryPath('own')
    expect((await pgdata(['init', directory])).status).toBe(0)
    const lines = Array.from(
      { length: 5000 },
      (_, i) => `${i},name ${i % 100},${'x'.repeat(i % 500)}`,
    )
    const csv = `id,name,filler\n${lines.join('\n')}\n`
    const loaded = await pgdata(
      ['load', directory, 't', '-', '--create', '--primary-key', 'id'],
      csv,
    )
    expect(loaded.stdout.toString()).toBe('loaded 5000 rows into t\n')
    const { status, stdout } = await pgdata(['verify', directory])
    expect(stdout.toString()).toMatch(/ 0 problems\n$/)
    expect(status).toBe(0)
  }, 60_000)
})
