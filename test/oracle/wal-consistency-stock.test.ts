// Stock PostgreSQL's log, with an image of every page that a record changes, replayed by us.
// Goal: our replay gives the very pages that stock wrote its records from, for every kind of record of heaps,
// B-trees, sequences and generic records. Method: stock does a workload that logs all of them under
// wal_consistency_checking and is killed; we recover one copy, comparing every page after every record; stock
// recovers another; rows are the same, and amcheck finds nothing.
import { beforeAll, expect, test } from 'vitest'
import { Cluster, type ComparedPages } from '../../src-ts/index.ts'
import { copyOf, openedByStock } from '../support/crash-images.ts'
import { Oracle } from '../support/oracle.ts'
import { recordTypes, steps, withoutPages, workloadSettings } from './stock-workload.ts'

const isFull = process.env.PGDATA_TEST_FULL === '1'
const size = isFull ? 3 : 0.5

// Operations by the bits of xl_info, of the resource managers that are looked at here.
const operations: Record<string, string[]> = {
  Heap: [
    'INSERT',
    'DELETE',
    'UPDATE',
    'TRUNCATE',
    'HOT_UPDATE',
    'HEAP_CONFIRM',
    'LOCK',
    'INPLACE',
    'INSERT+INIT',
    '',
    'UPDATE+INIT',
  ],
  Heap2: [
    'REWRITE',
    'PRUNE_ON_ACCESS',
    'PRUNE_VACUUM_SCAN',
    'PRUNE_VACUUM_CLEANUP',
    'VISIBLE',
    'MULTI_INSERT',
    'LOCK_UPDATED',
    'NEW_CID',
    '',
    '',
    '',
    '',
    '',
    'MULTI_INSERT+INIT',
  ],
  Btree: [
    'INSERT_LEAF',
    'INSERT_UPPER',
    'INSERT_META',
    'SPLIT_L',
    'SPLIT_R',
    'INSERT_POST',
    'DEDUP',
    'DELETE',
    'UNLINK_PAGE',
    'UNLINK_PAGE_META',
    'NEWROOT',
    'MARK_PAGE_HALFDEAD',
    'VACUUM',
    'REUSE_PAGE',
    'META_CLEANUP',
  ],
  Sequence: ['LOG'],
  Generic: ['Generic'],
}

function nameOf({ resourceManager, operation }: ComparedPages): string {
  return `${resourceManager}/${operations[resourceManager]?.[operation >> 4] ?? operation}`
}

let image: string
// The copy that we recover.
let directory: string
let logged: Map<string, number>

beforeAll(async () => {
  const oracle = await Oracle.initdb()
  await oracle.start(workloadSettings)
  const client = await oracle.client()
  await client.query('create extension pg_walinspect')
  await client.query('create extension amcheck')
  await client.query('checkpoint')
  const start = await client.query('select pg_current_wal_insert_lsn() as lsn')
  for (const step of Object.values(steps)) await step(client, oracle, size)
  const { rows } = await client.query<{ type: string; records: number }>(
    `select resource_manager || '/' || record_type as type, count(*)::int as records
       from pg_get_wal_records_info($1, pg_current_wal_flush_lsn()) group by 1`,
    [start.rows[0].lsn],
  )
  logged = new Map(rows.map(({ type, records }) => [type, records]))
  await oracle.kill9()
  image = oracle.dir
}, 600_000)

test('the workload logs every kind of record', () => {
  expect(recordTypes.filter((type) => !logged.has(type))).toEqual([])
})

test('every page is what it was when its record was made', {
  timeout: 600_000,
}, async () => {
  directory = copyOf(image)
  const cluster = await Cluster.open(directory, {
    settings: { shared_buffers: '64MB', fsync: false },
  })
  const compared = cluster.comparedPages()
  await cluster.close()
  const pages = new Map(compared.map((kind) => [nameOf(kind), kind.pages]))
  console.table(
    Object.fromEntries(
      [...logged]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([type, records]) => [type, { records, pages: pages.get(type) ?? 0 }]),
    ),
  )
  const wanted = recordTypes.filter((type) => !withoutPages.includes(type))
  expect(wanted.filter((type) => !((pages.get(type) ?? 0) > 0))).toEqual([])
  const total = compared.reduce((sum, kind) => sum + kind.pages, 0)
  console.log(`wal-consistency-stock: ${total} pages compared`)
  expect(total).toBeGreaterThan(isFull ? 300_000 : 30_000)
})

test('the rows are those of stock’s own recovery', { timeout: 600_000 }, async () => {
  const settings = { ...workloadSettings, wal_consistency_checking: '' }
  const [ours, theirs] = [
    await openedByStock(directory, ['postgres', 'other'], settings),
    await openedByStock(copyOf(image), ['postgres', 'other'], settings),
  ]
  expect(ours.complaints).toEqual([])
  expect(Object.keys(ours.contents.postgres ?? {}).length).toBeGreaterThan(25)
  expect(ours.contents).toEqual(theirs.contents)
})
