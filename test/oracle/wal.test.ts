// Tests of our write-ahead log with stock PostgreSQL as its reader.
// Goal: after a crash of ours stock recovers exactly what was committed, from log records of every kind that we
// write; pg_walinspect reads the log end to end. Method: a child process writes and kills itself, its pages
// unwritten; stock replays the log over what is on disk.
import { spawn } from 'node:child_process'
import { cpSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster } from '../../src-ts/index.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

let oracle: Oracle
let firstRecord: string
let committed: Record<string, unknown>[]
let done: { inserted: number; updated: number; deleted: number }

function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()
}

async function crash(directory: string): Promise<string> {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'crash-writer.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (piece: string) => {
    output += piece
  })
  const signal = await new Promise((resolve) => child.on('close', (_, name) => resolve(name)))
  expect(signal).toBe('SIGKILL')
  return output
}

beforeAll(async () => {
  const directory = temporaryDirectory('wal')
  await Cluster.init(directory)
  firstRecord = lsnText(BigInt(binding.readControlFile(directory).checkPoint as bigint))
  ;({ rows: committed, done } = JSON.parse(await crash(directory)))
  oracle = Oracle.adopt(directory)
})

afterAll(async () => {
  await oracle?.[Symbol.asyncDispose]()
})

test('we recover what was committed and nothing else', async () => {
  const copy = join(temporaryDirectory('wal-copy'), 'data')
  cpSync(oracle.dir, copy, { recursive: true, verbatimSymlinks: true })
  const cluster = await Cluster.open(copy)
  const session = await cluster.connect()
  const rows = session.table('public.crashed').scan({ columns: ['id', 'k', 't', 'v'] })
  const byId = [...rows].sort((a, b) => (a.id as number) - (b.id as number))
  expect(byId).toEqual(committed)
  await cluster.close()
})

test('stock recovers what was committed and nothing else', async () => {
  await oracle.start({ wal_level: 'replica' })
  expect(oracle.log()).toContain('redo done at')
  const client = await oracle.client()
  const { rows } = await client.query('select id::int as id, k, t, v from crashed order by id')
  expect(rows.length).toBe(committed.length)
  expect(rows).toEqual(committed)
  const filled = await client.query(
    `select count(*)::int, count(distinct word)::int as words, max(word) filter (where id = 3000) as last from filled`,
  )
  expect(filled.rows).toEqual([{ count: 3001, words: 101, last: 'the last' }])
  expect((await client.query('select id from emptied')).rows).toEqual([{ id: 1 }])
  expect((await client.query("select to_regclass('dropped') as gone")).rows).toEqual([
    { gone: null },
  ])
  for (const index of ['crashed_pkey', 'crashed_k', 'crashed_t', 'filled_word']) {
    expect(
      (await client.query('select to_regclass($1) is not null as there', [index])).rows,
    ).toEqual([{ there: true }])
  }
})

test('the recovered databases are sound', async () => {
  for (const database of ['postgres', 'copied', 'template1']) {
    const client = await oracle.client(database)
    expect(await amcheck(client)).toEqual([])
    expect(await checkVisibilityMaps(client)).toEqual([])
  }
})

test('pg_walinspect reads the log end to end, and counts what was done', async () => {
  const client = await oracle.client()
  await client.query('create extension pg_walinspect')
  const { rows: types } = await client.query<{ type: string }>(
    `select distinct resource_manager || '/' || record_type as type
       from pg_get_wal_records_info($1, pg_current_wal_flush_lsn())`,
    [firstRecord],
  )
  // The kinds that the replay above has been through.
  expect(types.map(({ type }) => type)).toEqual(
    expect.arrayContaining([
      ...['DEDUP', 'INSERT_LEAF', 'INSERT_POST', 'INSERT_UPPER', 'NEWROOT'].map(
        (t) => `Btree/${t}`,
      ),
      ...['SPLIT_L', 'SPLIT_R'].map((type) => `Btree/${type}`),
      ...['DELETE', 'HOT_UPDATE', 'INSERT', 'INSERT+INIT', 'UPDATE'].map((type) => `Heap/${type}`),
      ...['MULTI_INSERT', 'MULTI_INSERT+INIT', 'PRUNE_ON_ACCESS'].map((type) => `Heap2/${type}`),
      ...['CHECKPOINT_ONLINE', 'CHECKPOINT_SHUTDOWN', 'FPI', 'FPI_FOR_HINT'].map(
        (t) => `XLOG/${t}`,
      ),
      ...['Transaction/ABORT', 'Transaction/COMMIT', 'Storage/CREATE', 'Standby/RUNNING_XACTS'],
    ]),
  )
  const { rows: counts } = await client.query(
    `select sum(case when record_type like 'INSERT%' then 1
                     when record_type like 'MULTI_INSERT%' then substring(description from 'ntuples: (\\d+)')::int
                     end)::int as inserted,
            count(*) filter (where record_type in ('UPDATE', 'UPDATE+INIT', 'HOT_UPDATE'))::int as updated,
            count(*) filter (where record_type = 'DELETE')::int as deleted
       from (select distinct start_lsn, record_type, description
               from pg_get_wal_block_info($1, pg_current_wal_flush_lsn())
              where relfilenode = pg_relation_filenode('crashed') and relforknumber = 0
                and resource_manager in ('Heap', 'Heap2')) as records`,
    [firstRecord],
  )
  expect(counts).toEqual([done])
})

test('stock goes on with the recovered cluster, and so do we', async () => {
  const client = await oracle.client()
  await client.query("update crashed set t = t || '!' where id % 3 = 0")
  await client.query('delete from crashed where id % 7 = 0')
  await client.query('vacuum (freeze) crashed')
  expect(await amcheck(client)).toEqual([])
  const { rows } = await client.query('select id::int as id, k, t, v from crashed order by id')
  await oracle.stop()
  await using cluster = await Cluster.open(oracle.dir)
  const session = await cluster.connect()
  const table = session.table('crashed')
  expect([...table.range()]).toEqual(rows)
  expect([...table.scan()].length).toBe(rows.length)
})

test('the log runs over many small segments, and without checksums', {
  timeout: 60_000,
}, async () => {
  const directory = temporaryDirectory('wal')
  await Cluster.init(directory, { walSegmentSize: 1024 * 1024, dataChecksums: false })
  const { rows: wanted } = JSON.parse(await crash(directory))
  await using small = Oracle.adopt(directory)
  await small.start()
  const client = await small.client()
  const { rows } = await client.query('select id::int as id, k, t, v from crashed order by id')
  expect(rows).toEqual(wanted)
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
})
