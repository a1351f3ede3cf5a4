// Goal: a directory that stock PostgreSQL left in a crash opens in pgdata, with the rows that stock's own recovery
// finds. Method: a stock server is killed in the middle of its work; one copy of what it leaves is recovered by
// stock, another by us and then started by stock, which compares rows and runs amcheck.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster, type RecoveryProgress } from '../../src-ts/index.ts'
import { contentsOf, copyOf, openedByStock, recoverByUs } from '../support/crash-images.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

async function crashImage(
  work: (oracle: Oracle) => Promise<void>,
  settings: Record<string, string | number | boolean> = {},
): Promise<string> {
  const oracle = await Oracle.initdb()
  await oracle.start({ max_prepared_transactions: 10, autovacuum: false, ...settings })
  await work(oracle)
  await oracle.kill9()
  return oracle.dir
}

test.each(['syncfs', 'fsync'] as const)(
  'recovers what has no pages of its own: outcomes, checkpoints, segment switches; %s first',
  async (method) => {
    const image = await crashImage(async (oracle) => {
      const client = await oracle.client()
      await client.query('checkpoint')
      await client.query('select pg_current_xact_id()')
      await client.query('select pg_switch_wal()')
      await client.query('select pg_current_xact_id()')
      await client.query("select pg_create_restore_point('here')")
    })
    const before = binding.readControlFile(image)
    expect(before.state).toBe('in production')
    const ours = copyOf(image)
    await recoverByUs(ours, { settings: { recovery_init_sync_method: method } })
    const after = binding.readControlFile(ours)
    expect(after.state).toBe('shut down')
    expect(Number(after.nextXid)).toBeGreaterThan(Number(before.nextXid))
    const { complaints, log } = await openedByStock(ours)
    expect(complaints).toEqual([])
    expect(log).not.toContain('not properly shut down')
  },
  60_000,
)

// Tables with indexes, changed in all ways, by transactions that commit, roll back, are prepared or never end.
async function mixedWork(oracle: Oracle): Promise<void> {
  const client = await oracle.client()
  await client.query(`
    create table t (id int primary key, v text, n int default 0);
    create index t_v on t (v);
    create table wide (id serial primary key, doc text);
    create table parent (id int primary key);
    create table child (id int primary key, p int references parent);
    create unlogged table u (id int primary key);
    create sequence s cache 5;
    insert into parent select generate_series(1, 50);
    insert into t select i, 'value ' || i % 97, i from generate_series(1, 3000) i;
  `)
  // These take checkpoints of their own, and so come before what is to be replayed.
  await client.query('create database d2 strategy = file_copy')
  await client.query('create database d3')
  await client.query('drop database d3')
  await client.query('checkpoint')
  await client.query(`
    insert into t select i, 'later ' || i % 31, i from generate_series(3001, 9000) i;
    update t set n = n + 1 where id % 3 = 0;
    update t set v = 'moved ' || id where id % 7 = 0;
    delete from t where id % 11 = 0;
    insert into wide (doc) select string_agg(md5(random()::text), '') from generate_series(1, 40) a, generate_series(1, 200) b group by b;
    insert into u select generate_series(1, 100);
    select nextval('s') from generate_series(1, 13);
  `)
  await client.query('vacuum t')
  await client.query(`
    begin;
    insert into t values (100001, 'outer');
    savepoint a; insert into t values (100002, 'kept'); release a;
    savepoint b; insert into t values (100003, 'rolled back'); delete from t where id < 20; rollback to b;
    savepoint c; update t set v = 'twice' where id < 40;
    savepoint d; update t set v = 'thrice' where id < 30; release d; release c;
    commit;
  `)
  await client.query("begin; insert into t values (100010, 'aborted'); delete from t; rollback")
  // Multixacts: two transactions hold the same keys.
  const other = await oracle.client()
  for (let id = 1; id <= 40; id++) {
    await client.query(`begin; insert into child values (${id}, ${(id % 50) + 1})`)
    await other.query(`begin; insert into child values (${id + 1000}, ${(id % 50) + 1})`)
    await client.query('commit')
    await other.query(id % 2 === 0 ? 'commit' : 'rollback')
  }
  await client.query(`
    create table gone (id int); insert into gone values (1); drop table gone;
    create table cut as select generate_series(1, 2000) as id; truncate cut; insert into cut values (7);
    create table shrinks as select i as id, repeat('x', 500) as pad from generate_series(1, 2000) i;
    delete from shrinks where id > 100;
    create table rewritten as select generate_series(1, 500) as id;
    alter table rewritten add column extra float8 default random();
    create index on rewritten (extra);
    cluster t using t_v;
    create materialized view m as select count(*) from t;
  `)
  await client.query('vacuum (truncate) shrinks')
  await client.query('create database d1')
  await client.query("begin; insert into t values (200001, 'prepared'); prepare transaction 'p1'")
  await client.query(
    "begin; insert into t values (200002, 'prepared, committed'); savepoint x; insert into t values (200003, 'sub'); prepare transaction 'p2'",
  )
  await client.query(
    "begin; insert into t values (200004, 'rolled back'); prepare transaction 'p3'",
  )
  await client.query("commit prepared 'p2'")
  await client.query("rollback prepared 'p3'")
  await other.query(
    "begin; insert into t values (300001, 'never ended'); create table never (id int)",
  )
  await client.query("insert into t values (400001, 'last')")
}

// What stock and we make of the same image.
async function expectSameRecovery(
  image: string,
  databases: readonly string[] = ['postgres'],
): Promise<string> {
  const theirs = await openedByStock(copyOf(image), databases)
  const ours = copyOf(image)
  let records = 0
  await recoverByUs(ours, {
    onProgress: (progress) => {
      records = progress.records
    },
  })
  expect(records).toBeGreaterThan(10_000)
  expect(binding.readControlFile(ours).state).toBe('shut down')
  const opened = await openedByStock(ours, databases)
  expect(opened.complaints).toEqual([])
  expect(opened.contents).toEqual(theirs.contents)
  return ours
}

test('recovers heaps, B-trees, DDL, subtransactions, multixacts and prepared transactions', async () => {
  const image = await crashImage(mixedWork)
  await expectSameRecovery(image, ['postgres', 'd1', 'd2'])
}, 120_000)

test('a recovery that is given up, or crashes, is done by the next open', async () => {
  const image = await crashImage(async (oracle) => {
    const client = await oracle.client()
    await client.query('create table t (id int primary key, pad text)')
    await client.query('checkpoint')
    await client.query("insert into t select i, repeat('x', 200) from generate_series(1, 60000) i")
  })
  const theirs = await openedByStock(copyOf(image))
  const ours = copyOf(image)
  const steps: RecoveryProgress[] = []
  const abort = new AbortController()
  await expect(
    Cluster.open(ours, {
      signal: abort.signal,
      onProgress: (progress) => {
        steps.push(progress)
        abort.abort()
      },
    }),
  ).rejects.toMatchObject({ code: '57014' })
  expect(steps.length).toBeGreaterThan(0)
  expect(binding.readControlFile(ours).state).toBe('in crash recovery')
  // A process that is killed while it recovers, at several moments.
  for (const records of [1, 60_000]) {
    const { signal } = spawnSync(
      process.execPath,
      ['--import', 'tsx', join(import.meta.dirname, 'recovery-child.ts'), ours, String(records)],
      { encoding: 'utf8' },
    )
    expect(signal).toBe('SIGKILL')
    // Replaying, or at the checkpoint that ends it, for which stock, too, goes by way of a shutdown's states.
    expect(['in crash recovery', 'shutting down', 'shut down', 'in production']).toContain(
      binding.readControlFile(ours).state,
    )
  }
  let last: RecoveryProgress | undefined
  await recoverByUs(ours, {
    onProgress: (progress) => {
      last = progress
    },
  })
  expect(last?.replayedBytes).toBe(last?.totalBytes)
  expect(last?.records).toBeGreaterThan(120_000)
  const opened = await openedByStock(ours)
  expect(opened.complaints).toEqual([])
  expect(opened.contents).toEqual(theirs.contents)
}, 120_000)

test('opens a base backup with its log, and links its tablespaces', async () => {
  const oracle = await Oracle.initdb()
  await oracle.start({ autovacuum: false })
  const client = await oracle.client()
  const space = oracle.directory('space')
  await client.query(`create tablespace ts location '${space}'`)
  await client.query('create table t (id int primary key, v text)')
  await client.query('create table in_space (id int primary key) tablespace ts')
  await client.query("insert into t select i, 'before' from generate_series(1, 2000) i")
  await client.query('insert into in_space select generate_series(1, 500)')
  // What pg_basebackup does, by hand: the files change while they are copied.
  await client.query("select pg_backup_start('test', true)")
  await client.query("update t set v = 'during' where id % 2 = 0")
  const backup = copyOf(oracle.dir, 'backup')
  rmSync(join(backup, 'postmaster.pid'))
  await client.query("insert into t select i, 'during' from generate_series(2001, 4000) i")
  await client.query('insert into in_space select generate_series(501, 700)')
  const spaceCopy = temporaryPath('space-copy')
  cpSync(space, spaceCopy, { recursive: true })
  const unfinishedLog = copyOf(join(oracle.dir, 'pg_wal'), 'log')
  const { rows } = await client.query<{ labelfile: string; spcmapfile: string }>(
    'select labelfile, spcmapfile from pg_backup_stop(false)',
  )
  const { labelfile, spcmapfile } = rows[0] as { labelfile: string; spcmapfile: string }
  const contents = { postgres: await contentsOf(client) }
  rmSync(join(backup, 'pg_wal'), { recursive: true })
  cpSync(join(oracle.dir, 'pg_wal'), join(backup, 'pg_wal'), { recursive: true })
  await oracle.stop()
  writeFileSync(join(backup, 'backup_label'), labelfile)
  writeFileSync(join(backup, 'tablespace_map'), spcmapfile.replace(space, spaceCopy))

  const incomplete = copyOf(backup)
  rmSync(join(incomplete, 'pg_wal'), { recursive: true })
  cpSync(unfinishedLog, join(incomplete, 'pg_wal'), { recursive: true })

  // Without the end of the log of the time it was taken in, it is no use.
  await expect(Cluster.open(incomplete)).rejects.toMatchObject({
    code: '55000',
    message: 'WAL ends before end of online backup',
  })

  await recoverByUs(backup)
  expect(existsSync(join(backup, 'backup_label'))).toBe(false)
  expect(readFileSync(join(backup, 'backup_label.old'), 'utf8')).toBe(labelfile)
  expect(existsSync(join(backup, 'tablespace_map.old'))).toBe(true)
  expect(
    readdirSync(join(backup, 'pg_tblspc')).map((name) =>
      readlinkSync(join(backup, 'pg_tblspc', name)),
    ),
  ).toEqual([spaceCopy])
  const opened = await openedByStock(backup)
  expect(opened.complaints).toEqual([])
  expect(opened.contents).toEqual(contents)
}, 120_000)

test('refuses a standby and a directory that waits for its archive', async () => {
  const image = await crashImage(async () => undefined)
  for (const name of ['standby.signal', 'recovery.signal']) {
    writeFileSync(join(image, name), '')
    await expect(Cluster.open(image)).rejects.toMatchObject({
      code: '55000',
      detail: `It has a file "${name}".`,
    })
    rmSync(join(image, name))
  }
  await recoverByUs(image)
}, 60_000)
