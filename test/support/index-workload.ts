// Work on hash, GIN, GiST, SP-GiST and BRIN indexes that makes stock PostgreSQL write every kind of record of theirs
// that it can be made to write: builds, inserts with splits, deletions, vacuum, page deletions, pending lists.
import type pg from 'pg'

/** What the server must be started with. */
export const indexWorkloadSettings = {
  autovacuum: false,
  track_commit_timestamp: true,
  max_prepared_transactions: 5,
  timezone: 'UTC',
}

const hash = [
  'create table hash_t (k int, pad text)',
  'create index hash_i on hash_t using hash (k)',
  'insert into hash_t select i, null from generate_series(1, 3000) i',
  // One value: a long chain of overflow pages. With two in five gone they move together.
  'insert into hash_t select 7, null from generate_series(1, 2500)',
  'delete from hash_t where k = 7 and (ctid::text::point)[1]::int % 5 < 2',
  'vacuum hash_t',
  'delete from hash_t where k = 7 and ctid > (select min(ctid) from hash_t where k = 7)',
  'vacuum hash_t',
  'insert into hash_t select i, null from generate_series(3001, 7000) i',
  'delete from hash_t where k % 3 <> 0',
  'vacuum hash_t',
  // Entries that a scan finds dead, removed when their page is full.
  'create table hash_dead (k int)',
  'create index hash_dead_i on hash_dead using hash (k)',
  'insert into hash_dead select 1 from generate_series(1, 380)',
  'delete from hash_dead',
  'set enable_seqscan = off',
  'set enable_bitmapscan = off',
  'select count(*) from hash_dead where k = 1',
  'reset enable_bitmapscan',
  'reset enable_seqscan',
  'insert into hash_dead select 1 from generate_series(1, 100)',
  'create table hash_built (k text)',
  "insert into hash_built select 'row ' || i % 700 from generate_series(1, 2500) i",
  'create index hash_built_i on hash_built using hash (k)',
]

const gin = [
  'create table gin_t (id int, a int[])',
  'create index gin_i on gin_t using gin (a) with (fastupdate = off)',
  // One element in every row: a posting tree; many elements: splits of the entry tree.
  'insert into gin_t select i, array[1, i % 7 + 10, i + 1000] from generate_series(1, 3000) i',
  'delete from gin_t where id between 500 and 2500',
  'vacuum gin_t',
  'insert into gin_t select i, array[1, i % 7 + 10, i % 50 + 1000] from generate_series(1, 1500) i',
  'delete from gin_t where id % 3 = 0',
  'vacuum gin_t',
  // A posting tree of several leaf pages, of which those in the middle get empty.
  'create table gin_tree (id int, a int[])',
  'insert into gin_tree select i, array[1] from generate_series(1, 26000) i',
  'create index gin_tree_i on gin_tree using gin (a) with (fastupdate = off)',
  'insert into gin_tree select i, array[1, 2] from generate_series(26001, 26500) i',
  'delete from gin_tree where id between 2000 and 25000',
  'vacuum gin_tree',
  'create table gin_list (id int, t tsvector)',
  'create index gin_list_i on gin_list using gin (t) with (fastupdate = on, gin_pending_list_limit = 64)',
  "insert into gin_list select i, to_tsvector('simple', 'word' || i % 900 || ' and' || i || ' x') from generate_series(1, 1500) i",
  "select gin_clean_pending_list('gin_list_i')",
  "insert into gin_list select i, to_tsvector('simple', 'late' || i || ' x') from generate_series(1, 200) i",
  'delete from gin_list where id % 2 = 0',
  'vacuum gin_list',
  "insert into gin_list select i, to_tsvector('simple', 'stays' || i || ' x') from generate_series(1, 60) i",
  'create table gin_built (id int, a int[])',
  'insert into gin_built select i, array[i % 3, i % 500] from generate_series(1, 3000) i',
  'create index gin_built_i on gin_built using gin (a)',
]

const gist = [
  'create table gist_t (id int, p point)',
  'create index gist_i on gist_t using gist (p)',
  'insert into gist_t select i, point(i * 7919 % 1000, i * 104729 % 1000) from generate_series(1, 3000) i',
  "delete from gist_t where p <@ box '(0,0),(1000,800)'",
  'vacuum gist_t',
  // Pages that were deleted are used again once nobody can be on the way to them.
  'select txid_current()',
  'select txid_current()',
  'vacuum gist_t',
  'insert into gist_t select i, point(i * 7919 % 1000, i * 104729 % 1000) from generate_series(10000, 13000) i',
  'create table gist_dead (b box)',
  'create index gist_dead_i on gist_dead using gist (b)',
  'insert into gist_dead select box(point(1, 1), point(2, 2)) from generate_series(1, 400)',
  'delete from gist_dead',
  'select txid_current()',
  'set enable_seqscan = off',
  'set enable_bitmapscan = off',
  "select count(*), max(b::text) from gist_dead where b && box '(0,0),(9,9)'",
  "select count(*), max(b::text) from gist_dead where b && box '(0,0),(9,9)'",
  'reset enable_bitmapscan',
  'reset enable_seqscan',
  'insert into gist_dead select box(point(1, 1), point(2, 2)) from generate_series(1, 300)',
  'create table gist_built (r int4range)',
  'insert into gist_built select int4range(i * 31 % 3000, i * 31 % 3000 + i % 50 + 1) from generate_series(1, 2500) i',
  'create index gist_built_i on gist_built using gist (r)',
]

const spgist = [
  'create table spgist_t (id int, p point)',
  'create index spgist_i on spgist_t using spgist (p)',
  'insert into spgist_t select i, point(i * 7919 % 1000, i * 104729 % 1000) from generate_series(1, 4000) i',
  'insert into spgist_t select i, null from generate_series(1, 500) i',
  'delete from spgist_t where id % 4 <> 0',
  'vacuum spgist_t',
  'select txid_current()',
  'vacuum spgist_t',
  'insert into spgist_t select i, point(i * 31 % 1000, i * 17 % 1000) from generate_series(1, 2000) i',
  'create table spgist_text (t text)',
  'create index spgist_text_i on spgist_text using spgist (t)',
  "insert into spgist_text select 'common/prefix/' || md5(i::text) from generate_series(1, 2500) i",
  // Prefixes that must be split, and new first letters below inner tuples.
  "insert into spgist_text select 'common/pre' || chr(65 + i % 26) || i from generate_series(1, 400) i",
  "insert into spgist_text select 'com' || chr(97 + i % 26) || i from generate_series(1, 400) i",
  "insert into spgist_text select chr(200 + i % 300) || repeat('wide', 20) || i from generate_series(1, 900) i",
  "insert into spgist_text select 'same' from generate_series(1, 600)",
  "delete from spgist_text where t like '%a%'",
  'vacuum spgist_text',
  "insert into spgist_text select 'common/prefix/' || md5((i * 3)::text) from generate_series(1, 800) i",
  'select txid_current()',
  'vacuum spgist_text',
  // Few enough rows to fit on the root.
  'create table spgist_small (p point)',
  'create index spgist_small_i on spgist_small using spgist (p)',
  'insert into spgist_small select point(i, i) from generate_series(1, 40) i',
  'delete from spgist_small where p[0] < 20',
  'vacuum spgist_small',
  'create table spgist_built (t text)',
  "insert into spgist_built select 'k' || i * 37 % 4000 from generate_series(1, 3000) i",
  'create index spgist_built_i on spgist_built using spgist (t)',
]

const brin = [
  'create table brin_t (id int, t text) with (fillfactor = 20)',
  'create index brin_i on brin_t using brin (id, t) with (pages_per_range = 1, autosummarize = off)',
  "insert into brin_t select i, 'a' from generate_series(1, 3000) i",
  "select brin_summarize_new_values('brin_i')",
  "insert into brin_t select -i, repeat('b', 40) from generate_series(1, 60) i",
  'vacuum brin_t',
  // Longer values: summaries grow in place, then move to another page.
  'update brin_t set t = repeat(chr(97 + id % 26), 30 + id % 90) where id % 5 = 0',
  'update brin_t set t = repeat(chr(97 + id % 26), 200 + id % 900) where id % 50 = 0',
  "update brin_t set t = md5(id::text) || md5(id::text || 'b') where id % 20 = 0",
  "update brin_t set t = md5(id::text) || repeat(md5(id::text || 'b'), 4) where id % 20 = 1",
  "update brin_t set t = 'zz' || repeat(md5(id::text), 7) where id % 20 = 2",
  "select brin_desummarize_range('brin_i', 3)",
  "select brin_desummarize_range('brin_i', 5)",
  "select brin_summarize_range('brin_i', 3)",
  "insert into brin_t select i, repeat('z', 300) from generate_series(5000, 6000) i",
  "select brin_summarize_new_values('brin_i')",
  'create table brin_built (d date) with (fillfactor = 10)',
  "insert into brin_built select '2024-01-01'::date + i % 1000 from generate_series(1, 4000) i",
  'create index brin_built_i on brin_built using brin (d) with (pages_per_range = 2)',
  'create index brin_multi_i on brin_built using brin (d date_minmax_multi_ops) with (pages_per_range = 4)',
  'vacuum brin_built',
]

export const indexWorkload = { hash, gin, gist, spgist, brin }

export interface IndexQuery {
  index: string
  query: string
}

/** Queries that each index answers, for comparison with sequential scans. */
export const indexQueries: IndexQuery[] = [
  { index: 'hash_i', query: 'select count(*), sum(k) from hash_t where k = 9' },
  { index: 'hash_i', query: 'select count(*), sum(k) from hash_t where k = 7' },
  { index: 'hash_i', query: 'select count(*), sum(k) from hash_t where k = 6345' },
  { index: 'hash_dead_i', query: 'select count(*) from hash_dead where k = 1' },
  { index: 'hash_built_i', query: "select count(*) from hash_built where k = 'row 17'" },
  { index: 'gin_i', query: 'select count(*), sum(id) from gin_t where a @> array[1]' },
  { index: 'gin_i', query: 'select count(*), sum(id) from gin_t where a && array[12, 1010]' },
  { index: 'gin_tree_i', query: 'select count(*), sum(id) from gin_tree where a @> array[1]' },
  { index: 'gin_list_i', query: "select count(*), sum(id) from gin_list where t @@ 'x'" },
  {
    index: 'gin_list_i',
    query: "select count(*), sum(id) from gin_list where t @@ 'word5 | stays7'",
  },
  { index: 'gin_built_i', query: 'select count(*), sum(id) from gin_built where a @> array[2]' },
  {
    index: 'gist_i',
    query: "select count(*), sum(id) from gist_t where p <@ box '(100,100),(700,400)'",
  },
  { index: 'gist_dead_i', query: "select count(*) from gist_dead where b && box '(0,0),(9,9)'" },
  {
    index: 'gist_built_i',
    query: 'select count(*) from gist_built where r && int4range(100, 300)',
  },
  {
    index: 'spgist_i',
    query: "select count(*), sum(id) from spgist_t where p <@ box '(100,100),(700,400)'",
  },
  { index: 'spgist_i', query: 'select count(*), sum(id) from spgist_t where p is null' },
  {
    index: 'spgist_text_i',
    query: "select count(*), max(t) from spgist_text where t ^@ 'common/pre'",
  },
  { index: 'spgist_text_i', query: "select count(*) from spgist_text where t = 'same'" },
  {
    index: 'spgist_small_i',
    query: "select count(*) from spgist_small where p <@ box '(0,0),(30,30)'",
  },
  { index: 'spgist_built_i', query: "select count(*), max(t) from spgist_built where t ^@ 'k3'" },
  { index: 'brin_i', query: 'select count(*), sum(id) from brin_t where id between 40 and 250' },
  { index: 'brin_i', query: "select count(*), sum(id) from brin_t where t >= 'z'" },
  { index: 'brin_built_i', query: "select count(*) from brin_built where d = '2024-03-01'" },
]

/** Runs the statements in turn. */
export async function runStatements(client: pg.Client, statements: string[]): Promise<void> {
  for (const statement of statements) {
    try {
      await client.query(statement)
    } catch (error) {
      throw new Error(`${statement}: ${(error as Error).message}`, { cause: error })
    }
  }
}
