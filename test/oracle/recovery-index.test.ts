// Goal: a crash of stock PostgreSQL with hash, GIN, GiST, SP-GiST and BRIN indexes is recovered by pgdata, page for
// page. Method: work that makes stock write every kind of record of theirs, under wal_consistency_checking, so that
// each record carries the pages as they are to become; the server is killed, we replay and compare them all; then
// stock opens what we closed: forced index scans answer as sequential scans do, and amcheck finds nothing.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WalLog } from '../../src-ts/inspect/wal-log.ts'
import { recoverByUs } from '../support/crash-images.ts'
import {
  indexQueries,
  indexWorkload,
  indexWorkloadSettings,
  runStatements,
} from '../support/index-workload.ts'
import { amcheck, Oracle } from '../support/oracle.ts'

const isFull = process.env.PGDATA_TEST_FULL === '1'
const managers = ['Hash', 'Gin', 'Gist', 'SPGist', 'BRIN']

const recordTypes = `
  Hash/INIT_META_PAGE Hash/INIT_BITMAP_PAGE Hash/INSERT Hash/ADD_OVFL_PAGE Hash/SPLIT_ALLOCATE_PAGE Hash/SPLIT_PAGE
  Hash/SPLIT_COMPLETE Hash/MOVE_PAGE_CONTENTS Hash/SQUEEZE_PAGE Hash/DELETE Hash/SPLIT_CLEANUP Hash/UPDATE_META_PAGE
  Hash/VACUUM_ONE_PAGE
  Gin/CREATE_PTREE Gin/INSERT Gin/SPLIT Gin/VACUUM_PAGE Gin/VACUUM_DATA_LEAF_PAGE Gin/DELETE_PAGE
  Gin/UPDATE_META_PAGE Gin/INSERT_LISTPAGE Gin/DELETE_LISTPAGE
  Gist/PAGE_UPDATE Gist/DELETE Gist/PAGE_REUSE Gist/PAGE_SPLIT Gist/PAGE_DELETE
  SPGist/ADD_LEAF SPGist/MOVE_LEAFS SPGist/ADD_NODE SPGist/SPLIT_TUPLE SPGist/PICKSPLIT SPGist/VACUUM_LEAF
  SPGist/VACUUM_ROOT SPGist/VACUUM_REDIRECT
  BRIN/CREATE_INDEX BRIN/INSERT BRIN/INSERT+INIT BRIN/UPDATE BRIN/UPDATE+INIT BRIN/SAMEPAGE_UPDATE
  BRIN/REVMAP_EXTEND BRIN/DESUMMARIZE
`
  .split(/\s+/)
  .filter((name) => name !== '')

let oracle: Oracle

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start({
    ...indexWorkloadSettings,
    // The heap's pages, which others test, are most of the log.
    wal_consistency_checking: isFull ? 'all' : managers.join(','),
    max_wal_size: '16GB',
    checkpoint_timeout: '1d',
  })
  const client = await oracle.client()
  await client.query('checkpoint')
  await runStatements(client, Object.values(indexWorkload).flat())
  // What must not come back: an open transaction's entries do, and are found dead.
  await client.query('begin')
  await client.query('insert into hash_t select i from generate_series(900000, 900100) i')
  await client.query("insert into spgist_text select 'aborted' || i from generate_series(1, 200) i")
  const other = await oracle.client()
  await other.query('insert into hash_t values (9)')
  await oracle.kill9()
}, 180_000)

afterAll(async () => {
  await oracle?.[Symbol.asyncDispose]()
})

test('replays every kind of index record, with every page equal', async () => {
  const log = WalLog.open(oracle.dir, { rmgrs: [12, 13, 14, 16, 17] })
  log.begin(log.oldest)
  const counts = new Map<string, { records: number; pages: number }>()
  while (log.state === 'more') {
    for (const record of log.read(false)) {
      const type = `${record.rmgr}/${record.type}`
      const count = counts.get(type) ?? { records: 0, pages: 0 }
      count.records++
      count.pages += record.blocks.filter(({ image }) => image !== undefined).length
      counts.set(type, count)
    }
  }
  console.table(Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))))
  expect(recordTypes.filter((type) => !counts.has(type))).toEqual([])
  // A page that differs from its image stops recovery with an error.
  await recoverByUs(oracle.dir)
}, 300_000)

test('stock finds the indexes sound, and their answers right', async () => {
  await oracle.start(indexWorkloadSettings)
  expect(oracle.log()).not.toContain('redo done at')
  const client = await oracle.client()
  for (const { index, query } of indexQueries) {
    await runStatements(client, ['set enable_indexscan = off', 'set enable_indexonlyscan = off'])
    await runStatements(client, ['set enable_bitmapscan = off', 'set enable_seqscan = on'])
    const sequential = (await client.query(query)).rows
    await runStatements(client, ['set enable_indexscan = on', 'set enable_indexonlyscan = on'])
    await runStatements(client, ['set enable_bitmapscan = on', 'set enable_seqscan = off'])
    const plan = (await client.query(`explain ${query}`)).rows
    expect(JSON.stringify(plan), query).toContain(index)
    expect((await client.query(query)).rows, query).toEqual(sequential)
  }
  expect(await amcheck(client)).toEqual([])
  await client.query('create extension if not exists amcheck')
  for (const index of ['gin_i', 'gin_tree_i', 'gin_list_i', 'gin_built_i']) {
    await client.query('select gin_index_check($1)', [index])
  }
  const { rows } = await client.query('select count(*)::int as n from hash_t where k = 9')
  expect(rows[0].n).toBeGreaterThan(0)
  // They go on living.
  await runStatements(client, [
    'insert into hash_t select i, null from generate_series(20000, 22000) i',
    'insert into gin_t select i, array[1, i] from generate_series(50000, 51000) i',
    'insert into gist_t select i, point(i % 100, i % 77) from generate_series(1, 2000) i',
    "insert into spgist_text select 'after' || i from generate_series(1, 2000) i",
    'insert into brin_t select i, null from generate_series(10000, 12000) i',
    'vacuum',
  ])
  await oracle.stop()
}, 180_000)
