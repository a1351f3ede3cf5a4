// Goal: what was defined and committed before a crash is there after stock PostgreSQL's recovery, and nothing else.
// Method: a child process defines things after a checkpoint and kills itself; stock replays its log.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory, temporaryPath } from '../support/temporary-directory.ts'

test('stock recovers what commands logged', async () => {
  const directory = temporaryPath('crashed')
  const tablespace = temporaryDirectory('space')
  const child = join(import.meta.dirname, 'command-crash-child.ts')
  const { signal, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', child, directory, tablespace],
    { encoding: 'utf8' },
  )
  expect(signal, stderr).toBe('SIGKILL')

  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  expect(oracle.log()).toContain('redo done')
  const tables: Record<string, string[]> = {}
  for (const database of ['postgres', 'd1', 'd2']) {
    const client = await oracle.client(database)
    expect(await amcheck(client)).toEqual([])
    const { rows } = await client.query<{ name: string }>(
      "select oid::regclass::text as name from pg_class where oid >= 16384 and relkind = 'r' order by 1",
    )
    tables[database] = rows.map(({ name }) => name)
  }
  expect(tables).toEqual({ postgres: ['b', 's1.a'], d1: ['b', 's1.a'], d2: ['z'] })
  const client = await oracle.client()
  const counts = await client.query(
    `select (select count(*)::int4 from s1.a) as a, (select count(*)::int4 from b) as b,
            (select string_agg(datname, ' ' order by datname) from pg_database) as databases`,
  )
  expect(counts.rows).toEqual([{ a: 1000, b: 1, databases: 'd1 d2 postgres template0 template1' }])
  const { rows } = await client.query<{ file: string }>(
    'select pg_relation_filepath(oid) as file from pg_class where relfilenode >= 16384',
  )
  for (const { file } of rows) expect(existsSync(join(directory, file)), file).toBe(true)
}, 60_000)
