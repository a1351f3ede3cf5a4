// What stock PostgreSQL is made to do before it is killed, so that its log holds every kind of record that heaps,
// B-trees, sequences and generic records know. Deterministic but for row addresses; `size` scales the row counts.
import type pg from 'pg'
import type { Oracle } from '../support/oracle.ts'

/** Settings under which the log has all of it. */
export const workloadSettings = {
  wal_level: 'logical',
  wal_consistency_checking: 'all',
  autovacuum: 'off',
  max_prepared_transactions: 5,
  checkpoint_timeout: '1d',
  max_wal_size: '64GB',
  wal_keep_size: '64GB',
  track_commit_timestamp: 'on',
} as const

type Step = (client: pg.Client, oracle: Oracle, size: number) => Promise<void>

async function each(client: pg.Client, ...statements: string[]): Promise<void> {
  for (const statement of statements) await client.query(statement)
}

// Inserts one by one and many at once, updates with and without room, deletions, rollbacks.
const rows: Step = async (client, _, size) => {
  await each(
    client,
    'create table t (id int primary key, k int, name text, filler text)',
    'create index t_k on t (k)',
    'create index t_name on t (name)',
    `insert into t select i, i % 20, md5(i::text), repeat('f', i % 100) from generate_series(1, ${2000 * size}) i`,
    'update t set filler = filler || md5(id::text) where id % 3 = 0',
    'update t set k = k + 1 where id % 7 = 0',
    'update t set name = md5(name) where id % 11 = 0',
    'delete from t where id % 5 = 0',
    `update t set filler = 'short' where id < 100`,
    'begin',
    `insert into t select -i, i, 'rolled back', null from generate_series(1, 300) i`,
    'update t set k = 0 where id between 100 and 300',
    'rollback',
    // Pages that are pruned when they are next read.
    'create table hot (id int primary key, n int) with (fillfactor = 50)',
    `insert into hot select i, 0 from generate_series(1, ${300 * size}) i`,
  )
  for (let i = 0; i < 10; i++) await client.query('update hot set n = n + 1')
  await each(
    client,
    'create table copied (id int, word text)',
    'insert into copied select i, null from generate_series(1, 3) i',
    'create table made as select * from t',
    'insert into made select * from t',
    'create unlogged table unlogged (id int primary key)',
    'insert into unlogged select generate_series(1, 1000)',
    'create temp table temporary (id int primary key)',
    'insert into temporary select generate_series(1, 1000)',
    'alter table made set unlogged',
    'alter table made set logged',
  )
}

// Speculative insertions: confirmed, and given up when the row is there already.
const speculation: Step = async (client) => {
  await each(
    client,
    'create table s (id int primary key, n int)',
    'insert into s select i, 0 from generate_series(1, 50) i on conflict (id) do nothing',
    'insert into s select i, 0 from generate_series(40, 90) i on conflict (id) do update set n = s.n + 1',
    'insert into s values (91, 0), (92, 0) on conflict do nothing',
    'create table part (id int, k int) partition by list (k)',
    'create table part_1 partition of part for values in (1)',
    'create table part_2 partition of part for values in (2)',
    'insert into part select i, 1 from generate_series(1, 200) i',
    'update part set k = 2 where id % 2 = 0',
  )
}

// Row locks of one and of several transactions, on rows and on rows updated since; subtransactions.
const locks: Step = async (client, oracle) => {
  await each(
    client,
    'create table l (id int primary key, n int)',
    'insert into l select i, 0 from generate_series(1, 400) i',
    'create table referring (id int primary key, l int references l)',
    'vacuum (freeze) l',
  )
  const other = await oracle.client()
  const third = await oracle.client()
  await each(client, 'begin', 'select * from l where id <= 50 for key share')
  await each(other, 'begin', 'select * from l where id <= 50 for key share')
  await each(third, 'begin', 'select * from l where id <= 40 for no key update')
  await each(third, 'update l set n = n + 1 where id <= 30')
  // These rows have newer versions, which are locked too.
  await each(other, 'savepoint a', 'select * from l where id <= 30 for key share', 'commit')
  await each(third, 'commit')
  await each(client, 'insert into referring select i, i from generate_series(1, 60) i', 'commit')
  await each(client, 'begin', 'select * from l where id between 100 and 120 for share')
  await each(other, 'begin', 'select * from l where id between 100 and 120 for share')
  await each(client, 'commit')
  await each(other, 'rollback')
  // Updated by one while others hold snapshots that see the old version, which they then lock.
  await each(
    other,
    'begin isolation level read committed',
    'update l set n = 5 where id between 200 and 220',
  )
  await each(client, 'begin', 'select * from l where id between 200 and 220 for key share')
  await each(other, 'commit')
  await each(client, 'commit')
  await client.query('begin')
  for (let i = 0; i < 80; i++) {
    await each(client, `savepoint s${i}`, `update l set n = n + ${i} where id = ${300 + (i % 20)}`)
    if (i % 3 === 0) await client.query(`rollback to savepoint s${i}`)
  }
  await client.query('commit')
  await each(
    client,
    'begin',
    'update l set n = 99 where id between 350 and 360',
    "prepare transaction 'one'",
    'begin',
    'delete from l where id between 370 and 375',
    "prepare transaction 'two'",
    "rollback prepared 'one'",
    "commit prepared 'two'",
  )
  await other.end()
  await third.end()
}

// B-trees: splits on the left and the right and in the middle, on several levels; posting lists made and split.
const trees: Step = async (client, _, size) => {
  await each(
    client,
    'create table b (id int, wide text, few int)',
    'create index b_id on b (id)',
    'create index b_wide on b (wide)',
    'create index b_few on b (few)',
    'create index b_desc on b (id desc, few)',
    // Ascending, descending, in no order; wide keys make for many levels.
    `insert into b select i, repeat(md5(i::text), 30), i % 5 from generate_series(1, ${500 * size}) i`,
    `insert into b select -i, repeat(md5((-i)::text), 30), i % 5 from generate_series(1, ${500 * size}) i`,
    `insert into b select (i * 7919) % 100003, repeat(md5((i * 7919)::text), 30), i % 3
       from generate_series(1, ${3000 * size}) i`,
    'create unique index b_unique on b (id, few, wide)',
    'create table built as select i as id, md5(i::text) as word from generate_series(1, 5000) i',
    'create index built_word on built (word)',
    'alter table built add primary key (id)',
    'reindex table built',
    'reindex index concurrently b_few',
  )
}

// Versions of the same rows again and again: bottom-up deletion, killed items, deletion before a split.
const deadEntries: Step = async (client, _, size) => {
  await each(
    client,
    'create table v (id int primary key, a int, b text)',
    'create index v_a on v (a)',
    'create index v_b on v (b)',
    `insert into v select i, i, 'b' from generate_series(1, ${400 * size}) i`,
  )
  for (let i = 0; i < 30; i++) await client.query('update v set a = a + 1')
  await each(client, 'delete from v where id % 2 = 0', 'set enable_seqscan = off')
  for (let i = 0; i < 5; i++) {
    await each(
      client,
      'select count(*) from v where a > 0',
      `insert into v select i + ${100_000 * (i + 1)}, i, 'b' from generate_series(1, ${200 * size}) i`,
      'delete from v where id >= 100000',
      'select count(*) from v where a > 0',
    )
  }
  await client.query('reset enable_seqscan')
}

// Vacuum in all its forms; pages of trees deleted, on several levels, and used again.
const vacuum: Step = async (client, _, size) => {
  await each(
    client,
    'vacuum t',
    'vacuum (freeze) hot',
    'vacuum (index_cleanup off) v',
    'vacuum (analyze) v',
    `create table d (id int, wide text)`,
    'create index d_id on d (id)',
    'create index d_wide on d (wide)',
    `insert into d select i, lpad(i::text, 12, '0') || repeat('w', 800) from generate_series(1, ${2500 * size}) i`,
    // Whole ranges go, so that leaves get empty and then their parents.
    `delete from d where id between 10 and ${1800 * size}`,
    'vacuum (index_cleanup on) d',
    'select txid_current()',
    'vacuum (index_cleanup on) d',
    `insert into d select i, lpad(i::text, 12, '0') || repeat('w', 800) from generate_series(10, ${900 * size}) i`,
    'delete from d where id > 5',
    'vacuum (index_cleanup on) d',
    'select txid_current()',
    'vacuum (index_cleanup on) d',
    // One page is left on every level below the root: searches then begin at the leaf, until it is split.
    'create table u (wide text)',
    'create index u_wide on u (wide)',
    "insert into u select lpad(i::text, 12, '0') || repeat('w', 800) from generate_series(1, 1000) i",
    'delete from u where left(wide, 12)::int < 1000',
    'vacuum (index_cleanup on) u',
    "insert into u select lpad(i::text, 12, '0') || repeat('w', 800) from generate_series(1001, 1300) i",
    // Posting lists that lose some of their entries.
    'create table p (id int, few int)',
    'create index p_few on p (few)',
    `insert into p select i, i % 4 from generate_series(1, ${4000 * size}) i`,
    'delete from p where id % 3 = 0',
    'vacuum (index_cleanup on) p',
    `delete from p where id > ${100 * size}`,
    'vacuum (truncate on) p',
    'vacuum (freeze) l',
    'vacuum (freeze)',
  )
}

const toast: Step = async (client, _, size) => {
  await each(
    client,
    'create table x (id int primary key, big text)',
    `insert into x select i, repeat('compressible ', 3000) from generate_series(1, ${20 * size}) i`,
    `insert into x select i + 10000, (select string_agg(md5((i * j)::text), '') from generate_series(1, 300) j)
       from generate_series(1, ${50 * size}) i`,
    `update x set big = big || 'more' where id % 3 = 0`,
    'delete from x where id % 4 = 0',
    'vacuum x',
    'alter table x alter big set storage external',
    `update x set big = repeat('e', 5000) where id < 10`,
  )
}

const sequences: Step = async (client) => {
  await each(
    client,
    'create sequence q increment 7 cache 3',
    "select nextval('q') from generate_series(1, 200)",
    "select setval('q', 100000)",
    "select nextval('q')",
    'create table serials (id serial primary key, other int generated always as identity)',
    'insert into serials select from generate_series(1, 100)',
    'alter sequence q restart with 5 increment by 2',
    'create unlogged sequence uq',
    "select nextval('uq')",
    'alter sequence q set unlogged',
    'alter sequence q set logged',
    'truncate serials restart identity',
  )
}

const schema: Step = async (client) => {
  await each(
    client,
    'create table gone as select generate_series(1, 1000) i',
    'drop table gone',
    'begin',
    'create table never as select generate_series(1, 1000) i',
    'create index on never (i)',
    'rollback',
    'create table emptied as select generate_series(1, 1000) i',
    'create index emptied_i on emptied (i)',
    'truncate emptied',
    'insert into emptied select generate_series(1, 10)',
    'begin',
    'truncate emptied',
    'rollback',
    'vacuum full t',
    'cluster hot using hot_pkey',
    'vacuum full pg_class',
    'reindex table pg_class',
    'alter table s add column more text default $$x$$',
    'alter table s alter column n type bigint',
    `create table moved (id int primary key)`,
    'insert into moved select generate_series(1, 500)',
    'alter table moved add unique (id)',
    'create materialized view m as select id, k from t where id < 500',
    'refresh materialized view m',
    // Its other strategy, and dropping one, make checkpoints, which would shorten what is replayed.
    'create database other strategy wal_log',
    'comment on table t is $$commented$$',
  )
}

// Records of an extension, logged as differences of pages.
const generic: Step = async (client, _, size) => {
  await each(
    client,
    'create extension bloom',
    'create table g (a int, b int)',
    'create index g_bloom on g using bloom (a, b)',
    `insert into g select i, i % 100 from generate_series(1, ${2000 * size}) i`,
    'delete from g where a % 3 = 0',
    'vacuum g',
    `insert into g select i, i from generate_series(1, ${300 * size}) i`,
  )
}

// A rewritten catalog while a slot decodes: its rows' new addresses are logged.
const decoding: Step = async (client) => {
  await each(
    client,
    "select pg_create_logical_replication_slot('decoder', 'test_decoding')",
    'create table seen (id int primary key)',
    'insert into seen values (1)',
    'begin',
    'alter table seen add column more int',
    'insert into seen values (2, 2)',
    'commit',
    'vacuum full pg_class',
    "select pg_logical_emit_message(true, 'test', 'in a transaction')",
    "select pg_logical_emit_message(false, 'test', 'by itself')",
    "select pg_replication_origin_create('origin')",
    'truncate seen',
  )
}

/** In the order in which they are done; each has its own tables. */
export const steps: Record<string, Step> = {
  rows,
  speculation,
  locks,
  trees,
  deadEntries,
  toast,
  sequences,
  vacuum,
  generic,
  decoding,
  schema,
}

/** The record types that the log must hold afterwards, as pg_walinspect names them. */
export const recordTypes = [
  'Heap/INSERT',
  'Heap/INSERT+INIT',
  'Heap/DELETE',
  'Heap/UPDATE',
  'Heap/UPDATE+INIT',
  'Heap/HOT_UPDATE',
  'Heap/HEAP_CONFIRM',
  'Heap/LOCK',
  'Heap/INPLACE',
  'Heap/TRUNCATE',
  'Heap2/PRUNE_ON_ACCESS',
  'Heap2/PRUNE_VACUUM_SCAN',
  'Heap2/PRUNE_VACUUM_CLEANUP',
  'Heap2/VISIBLE',
  'Heap2/MULTI_INSERT',
  'Heap2/MULTI_INSERT+INIT',
  'Heap2/LOCK_UPDATED',
  'Heap2/NEW_CID',
  'Heap2/REWRITE',
  'Btree/INSERT_LEAF',
  'Btree/INSERT_UPPER',
  'Btree/INSERT_META',
  'Btree/INSERT_POST',
  'Btree/SPLIT_L',
  'Btree/SPLIT_R',
  'Btree/DEDUP',
  'Btree/DELETE',
  'Btree/VACUUM',
  'Btree/MARK_PAGE_HALFDEAD',
  'Btree/UNLINK_PAGE',
  'Btree/UNLINK_PAGE_META',
  'Btree/NEWROOT',
  'Btree/REUSE_PAGE',
  'Btree/META_CLEANUP',
  'Sequence/LOG',
  'Generic/Generic',
]

/** Of those, the ones that change no page: nothing is compared. */
export const withoutPages = ['Heap/TRUNCATE', 'Heap2/NEW_CID', 'Heap2/REWRITE', 'Btree/REUSE_PAGE']
