// pgdata wal: goal: every line is the line that PostgreSQL's own tools print. Method: work that makes stock write
// records of nearly every type; each record's line against the same line put together from pg_walinspect (of the
// oracle's release), then against pg_waldump where release 15 is installed (cli-release-15.test.ts).
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgdata } from '../support/command-line.ts'
import { indexWorkload, indexWorkloadSettings, runStatements } from '../support/index-workload.ts'
import { expectedLine, type InspectedRecord } from '../support/inspected-wal.ts'
import { Oracle } from '../support/oracle.ts'

let oracle: Oracle
let client: pg.Client
let start: string
let end: string
let zone: string | undefined

const settings = {
  ...indexWorkloadSettings,
  wal_level: 'logical',
  wal_compression: 'pglz',
  // Nothing of the log goes before it was compared.
  wal_keep_size: '4GB',
  max_wal_size: '4GB',
}

const general = [
  'create table heap_t (id int primary key, v int, t text) with (fillfactor = 60)',
  'insert into heap_t select i, i, repeat(md5(i::text), i % 20) from generate_series(1, 3000) i',
  'update heap_t set v = v + 1 where id % 3 = 0',
  'update heap_t set id = id + 100000 where id % 10 = 1',
  'delete from heap_t where id % 7 = 0',
  'vacuum heap_t',
  'vacuum (freeze) heap_t',
  'copy heap_t (id) from stdin',
  'insert into heap_t select i, 1, null from generate_series(200000, 203000) i on conflict do nothing',
  'create index heap_dup_i on heap_t (v)',
  'update heap_t set v = 5 where id > 200000',
  'update heap_t set v = 6 where id > 200000',
  'update heap_t set v = 7 where id > 200000',
  'delete from heap_t where id > 200500',
  'vacuum heap_t',
  'select txid_current()',
  'select txid_current()',
  'vacuum heap_t',
  'insert into heap_t select i, i, null from generate_series(300000, 301000) i',
  'create sequence seq_t',
  "select nextval('seq_t') from generate_series(1, 40)",
  'create table cascade_t (id int references heap_t)',
  'truncate heap_t restart identity cascade',
  'vacuum full pg_class',
  'vacuum full pg_database',
  'create database copied strategy file_copy',
  'create database logged strategy wal_log',
  'drop database copied',
  "select pg_create_restore_point('a point')",
  "select pg_logical_emit_message(true, 'prefix', 'message')",
  "select pg_logical_emit_message(false, 'prefix', '')",
  "select pg_replication_origin_create('origin')",
  "select pg_replication_origin_session_setup('origin')",
  'begin',
  "select pg_replication_origin_xact_setup('0/AAAA', '2024-05-06 07:08:09+00')",
  'insert into heap_t values (1, 1, null)',
  'commit',
  'select pg_replication_origin_session_reset()',
  "select pg_replication_origin_advance('origin', '0/BBBB')",
  "select pg_replication_origin_drop('origin')",
  'begin',
  'create table prepared_t (a int)',
  'drop sequence seq_t',
  'savepoint a',
  'insert into prepared_t values (1)',
  'release a',
  "prepare transaction 'gid one'",
  "commit prepared 'gid one'",
  'begin',
  'create table other_t (a int)',
  "prepare transaction 'gid two'",
  "rollback prepared 'gid two'",
  'begin',
  'create table aborted_t (a int)',
  'insert into aborted_t values (1)',
  'rollback',
  'begin',
  ...Array.from(
    { length: 70 },
    (_, i) => `savepoint s${i}; insert into heap_t values (${i + 400000}, 1, null)`,
  ),
  'rollback to s40',
  'commit',
  'begin',
  'lock table heap_t in access exclusive mode',
  'commit',
  'create unlogged table unlogged_t (a int primary key)',
  'create table dropped_t (a int primary key, t text)',
  'drop table dropped_t',
  'alter table heap_t set (fillfactor = 70)',
  'create extension if not exists bloom',
  'create table bloom_t (a int, b int)',
  'create index bloom_i on bloom_t using bloom (a, b)',
  'insert into bloom_t select i, i from generate_series(1, 300) i',
]

// Two sessions on the same rows: multixacts, locks along an update chain, speculative insertion.
async function concurrentWork(): Promise<void> {
  const one = await oracle.client()
  const two = await oracle.client()
  await one.query('insert into heap_t select i, 1, null from generate_series(500000, 500020) i')
  await one.query('begin')
  await two.query('begin')
  await one.query('select * from heap_t where id = 500001 for key share')
  await two.query('select * from heap_t where id = 500001 for share')
  await one.query('select * from heap_t where id = 500002 for share')
  await two.query('select * from heap_t where id = 500002 for key share')
  await two.query('update heap_t set v = 2 where id = 500003')
  await one.query('select * from heap_t where id = 500003 for key share')
  await two.query('commit')
  await one.query('commit')
  // A lock on a row whose newer version is not seen follows the chain.
  await one.query('begin isolation level repeatable read')
  await one.query('select 1')
  await one.query('begin').catch(() => undefined)
  await two.query('update heap_t set v = 3 where id = 500004')
  await one.query('rollback')
  await one.end()
  await two.end()
}

async function inspected(): Promise<InspectedRecord[]> {
  const { rows } = await client.query<InspectedRecord>(
    'select * from pg_get_wal_records_info($1::pg_lsn, $2::pg_lsn)',
    [start, end],
  )
  return rows
}

// What stock can be made to write here; a type that is missing means that the workload, or its reading, broke.
const required = `
  XLOG/CHECKPOINT_ONLINE XLOG/CHECKPOINT_REDO XLOG/CHECKPOINT_SHUTDOWN XLOG/NEXTOID XLOG/SWITCH XLOG/BACKUP_END
  XLOG/PARAMETER_CHANGE XLOG/RESTORE_POINT XLOG/FPW_CHANGE XLOG/FPI XLOG/FPI_FOR_HINT
  Transaction/COMMIT Transaction/ABORT Transaction/PREPARE Transaction/COMMIT_PREPARED Transaction/ABORT_PREPARED
  Transaction/ASSIGNMENT Transaction/INVALIDATION
  Storage/CREATE Storage/TRUNCATE Database/CREATE_FILE_COPY Database/CREATE_WAL_LOG Database/DROP
  Tablespace/CREATE Tablespace/DROP MultiXact/CREATE_ID MultiXact/ZERO_MEM_PAGE RelMap/UPDATE Standby/LOCK Standby/RUNNING_XACTS
  Standby/INVALIDATIONS Heap/INSERT Heap/INSERT+INIT Heap/DELETE Heap/UPDATE Heap/UPDATE+INIT Heap/HOT_UPDATE
  Heap/TRUNCATE Heap/HEAP_CONFIRM Heap/LOCK Heap/INPLACE
  Heap2/PRUNE_ON_ACCESS Heap2/PRUNE_VACUUM_SCAN Heap2/PRUNE_VACUUM_CLEANUP Heap2/VISIBLE Heap2/MULTI_INSERT
  Heap2/MULTI_INSERT+INIT Heap2/NEW_CID Heap2/LOCK_UPDATED
  Btree/INSERT_LEAF Btree/INSERT_UPPER Btree/INSERT_POST Btree/SPLIT_L Btree/SPLIT_R Btree/DEDUP Btree/DELETE
  Btree/VACUUM Btree/NEWROOT Btree/MARK_PAGE_HALFDEAD Btree/UNLINK_PAGE Btree/REUSE_PAGE
  Hash/INIT_META_PAGE Hash/INIT_BITMAP_PAGE Hash/INSERT Hash/ADD_OVFL_PAGE Hash/SPLIT_ALLOCATE_PAGE Hash/SPLIT_PAGE
  Hash/SPLIT_COMPLETE Hash/SQUEEZE_PAGE Hash/DELETE Hash/SPLIT_CLEANUP Hash/UPDATE_META_PAGE Hash/VACUUM_ONE_PAGE
  Hash/MOVE_PAGE_CONTENTS
  Gin/CREATE_PTREE Gin/INSERT Gin/SPLIT Gin/VACUUM_PAGE Gin/VACUUM_DATA_LEAF_PAGE Gin/DELETE_PAGE
  Gin/UPDATE_META_PAGE Gin/INSERT_LISTPAGE Gin/DELETE_LISTPAGE
  Gist/PAGE_UPDATE Gist/PAGE_SPLIT Gist/PAGE_DELETE Gist/PAGE_REUSE Gist/DELETE
  SPGist/ADD_LEAF SPGist/MOVE_LEAFS SPGist/ADD_NODE SPGist/SPLIT_TUPLE SPGist/PICKSPLIT SPGist/VACUUM_LEAF
  SPGist/VACUUM_ROOT SPGist/VACUUM_REDIRECT
  BRIN/CREATE_INDEX BRIN/INSERT BRIN/INSERT+INIT BRIN/UPDATE BRIN/SAMEPAGE_UPDATE BRIN/REVMAP_EXTEND BRIN/DESUMMARIZE
  Sequence/LOG CommitTs/ZEROPAGE ReplicationOrigin/SET ReplicationOrigin/DROP Generic/Generic LogicalMessage/MESSAGE
`
  .split(/\s+/)
  .filter((name) => name !== '')

beforeAll(async () => {
  zone = process.env.TZ
  process.env.TZ = 'UTC'
  oracle = await Oracle.initdb()
  await oracle.start({ ...settings, wal_level: 'replica' })
  client = await oracle.client()
  start = (await client.query('select pg_current_wal_lsn() as lsn')).rows[0].lsn
  await oracle.stop()
  await oracle.start(settings)
  client = await oracle.client()
  await client.query('create extension pg_walinspect')
  await client.query('checkpoint')
  await runStatements(
    client,
    general.filter((statement) => !statement.startsWith('copy ')),
  )
  await concurrentWork()
  const tablespace = oracle.directory()
  await runStatements(client, [
    `create tablespace ts location '${tablespace}'`,
    'create table in_ts (a int) tablespace ts',
    'insert into in_ts values (1)',
    'drop table in_ts',
    'checkpoint',
    'drop tablespace ts',
    ...Object.values(indexWorkload).flat(),
    "select pg_backup_start('b', true)",
    'select pg_backup_stop(false)',
    'alter system set full_page_writes = off',
    'select pg_reload_conf()',
    'select pg_sleep(0.3)',
    'alter system reset full_page_writes',
    'select pg_reload_conf()',
    'select pg_sleep(0.3)',
    'checkpoint',
    'select count(*) from heap_t',
    'select count(*) from hash_t',
    'insert into heap_t select i, 1, null from generate_series(600000, 600010) i',
    'select pg_switch_wal()',
    'insert into heap_t values (700000, 1, null)',
  ])
  end = (await client.query('select pg_current_wal_insert_lsn() as lsn')).rows[0].lsn
}, 180_000)

afterAll(async () => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
  await oracle?.[Symbol.asyncDispose]()
})

describe('pgdata wal', () => {
  it('prints the lines of pg_walinspect, on a running server, for every record type', async () => {
    const rows = await inspected()
    const { status, stdout, stderr } = await pgdata([
      'wal',
      oracle.dir,
      '--start',
      start,
      '--end',
      end,
      '--bkp-details',
    ])
    expect(stderr.replace(/^pgdata: first record is after.*\n/, '')).toBe('')
    const lines = stdout.toString().split(/^(?=rmgr: )/m)
    const types = new Map<string, number>()
    // One of each type.
    const different = new Map<string, { ours: string | undefined; stock: string }>()
    rows.forEach((row, i) => {
      const type = `${row.resource_manager}/${row.record_type}`
      types.set(type, (types.get(type) ?? 0) + 1)
      const stock = expectedLine(row)
      if (lines[i] !== stock && !different.has(type)) different.set(type, { ours: lines[i], stock })
    })
    expect(Object.fromEntries(different)).toEqual({})
    expect(lines.length).toBe(rows.length)
    expect(status).toBe(0)
    console.log(`compared ${rows.length} records of ${types.size} types`)
    expect(required.filter((name) => !types.has(name))).toEqual([])
  }, 120_000)

  it('counts as pg_get_wal_stats does', async () => {
    for (const byRecord of [false, true]) {
      const { rows } = await client.query(
        'select * from pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, $3) where count > 0',
        [start, end, byRecord],
      )
      const by = byRecord ? ['--stats', 'record'] : ['--stats']
      const range = ['--start', start, '--end', end]
      const { stdout } = await pgdata(['wal', oracle.dir, ...by, ...range, '--json'])
      const { statistics } = JSON.parse(stdout.toString()) as {
        statistics: Record<string, string | number>[]
      }
      const shape = (row: Record<string, string | number>) =>
        [
          row['resource_manager/record_type'] ?? row.resource_manager,
          ...['count', 'record_size', 'fpi_size', 'combined_size'].map((c) => Number(row[c])),
        ].join(' ')
      const ours = statistics.filter(({ count }) => Number(count) > 0).map(shape)
      expect(ours.sort()).toEqual(rows.map(shape).sort())
      const table = await pgdata(['wal', oracle.dir, ...by, ...range])
      expect(table.stdout.toString()).toMatch(
        /^WAL statistics between [\s\S]*\nTotal .*\[100%\]\n$/,
      )
    }
  }, 120_000)

  it('filters by what records change, with the blocks of pg_get_wal_block_info', async () => {
    const { rows: files } = await client.query(
      `select 1663 as spc, oid as db, pg_relation_filenode('hash_t') as rel from pg_database where datname = 'postgres'`,
    )
    const { spc, db, rel } = files[0] as { spc: number; db: number; rel: number }
    const { rows } = await client.query(
      `select start_lsn, block_id, relblocknumber, block_data_length, block_fpi_length, block_fpi_info
         from pg_get_wal_block_info($1::pg_lsn, $2::pg_lsn)
        where relfilenode = $3 and relblocknumber = 2 and relforknumber = 0 order by start_lsn, block_id`,
      [start, end, rel],
    )
    expect(rows.length).toBeGreaterThan(50)
    const relation = ['--relation', `${spc}/${db}/${rel}`, '--block', '2', '--fork', 'main']
    const range = ['--start', start, '--end', end]
    const { stdout } = await pgdata(['wal', oracle.dir, ...relation, ...range, '--json'])
    const records = JSON.parse(stdout.toString()) as {
      start_lsn: string
      blocks: Record<string, number | string | string[]>[]
    }[]
    const ours = records.flatMap(({ start_lsn, blocks }) =>
      blocks
        .filter(
          (block) =>
            block.relfilenode === rel && block.relblocknumber === 2 && block.relfork === 'main',
        )
        .map((block) => ({
          start_lsn,
          block_id: block.block_id,
          relblocknumber: 2,
          block_data_length: block.block_data_length,
          block_fpi_length: block.block_fpi_length,
          block_fpi_info:
            (block.block_fpi_info as string[]).length === 0 ? null : block.block_fpi_info,
        })),
    )
    const stock = rows.map((row) => ({ ...row, relblocknumber: Number(row.relblocknumber) }))
    expect(ours).toEqual(stock)
  }, 120_000)

  it('limits, chooses and tells how reading ended', async () => {
    const limited = await pgdata([
      'wal',
      oracle.dir,
      '-s',
      start,
      '-r',
      'heap',
      '-r',
      'Btree',
      '-n',
      '7',
    ])
    const lines = limited.stdout.toString().trimEnd().split('\n')
    expect(lines.length).toBe(7)
    expect(lines.every((line) => /^rmgr: (Heap|Btree) /.test(line))).toBe(true)
    const xid = /tx: +(\d+)/.exec(lines[0] as string)?.[1] as string
    const own = await pgdata(['wal', oracle.dir, '-s', start, '-e', end, '-x', xid, '--fullpage'])
    expect(own.stdout.toString()).toMatch(/FPW/)
    const ownLines = own.stdout.toString().trimEnd().split('\n')
    expect(ownLines.filter((line) => !line.includes(` ${xid}, lsn`))).toEqual([])
    const beyond = await pgdata(['wal', oracle.dir, '-s', end, '-e', 'F/0', '--stats'])
    expect(beyond.status).toBe(1)
    expect(beyond.stderr).toMatch(/^pgdata: the log ends before F\/0\nDETAIL: {2}\S/m)
    const nowhere = await pgdata(['wal', '/nonexistent'])
    expect(nowhere.status).toBe(2)
    expect(nowhere.stderr).toContain('could not open directory "/nonexistent"')
    const wrong = await pgdata(['wal', oracle.dir, '--rmgr', 'Heap3'])
    expect(wrong.status).toBe(2)
    expect(wrong.stderr).toContain('resource manager "Heap3" does not exist')
  }, 120_000)

  it('reads a directory of segments alone, and follows a log that grows', async () => {
    const archive = await pgdata(['wal', `${oracle.dir}/pg_wal`, '-s', start, '-e', end, '--stats'])
    expect(archive.stderr.replace(/^pgdata: first record is after.*\n/, '')).toBe('')
    expect(archive.status).toBe(0)
    const here = (await client.query('select pg_current_wal_insert_lsn() as lsn')).rows[0].lsn
    const following = pgdata([
      'wal',
      oracle.dir,
      '-s',
      here,
      '-r',
      'LogicalMessage',
      '-n',
      '3',
      '--follow',
    ])
    for (let i = 0; i < 3; i++) {
      await client.query("select pg_logical_emit_message(false, 'follow', $1::text, true)", [
        `${i}`,
      ])
    }
    const { stdout, status } = await following
    expect(status).toBe(0)
    expect(stdout.toString().match(/prefix "follow"; payload \(1 bytes\)/g)).toHaveLength(3)
  }, 120_000)
})
