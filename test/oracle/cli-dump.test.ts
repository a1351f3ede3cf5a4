// `pgdata dump`: goal: the bytes are those of stock COPY, for every supported type and every awkward value, in a
// directory that stock PostgreSQL made, while its server runs and after it stopped. Method: COPY each table to a
// file with the server, dump it with the program, compare.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgdata } from '../support/command-line.ts'
import { Oracle } from '../support/oracle.ts'

const setup = `
create type mood as enum ('sad', 'ok', 'very "happy"');
create domain positive as int4 check (value > 0);
create role "Some One";
create table everything (
  a int2, b int4, c int8, d float4, e float8, f numeric(12,3), g bool, h text, i varchar(10), j char(5),
  k bytea, l date, m time, n timetz, o timestamp, p timestamptz, q interval, r uuid, s json, t jsonb,
  u int4[], v text[], w name, x "char", y oid, z pg_lsn, aa regclass, ab regtype, ac regproc, ad regrole,
  ae regnamespace, af mood, ag positive, ah tid, ai xid, aj oidvector, ak int2vector, al aclitem, am xid8
);
insert into everything values
 (1, -2, 9223372036854775807, 1.5, 'NaN', 12345.678, true, E'tab\\there "quoted", comma', 'va', 'c',
  '\\x00ff', '2024-02-29', '12:34:56.789', '01:02:03+05:30', '1999-12-31 23:59:59.999999', 'infinity',
  '1 year 2 mons -3 days 04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', E'{"a":\\n 1}', '{"b": [1, 2.50, "x"]}',
  '{1,NULL,3}', '{"a,b",NULL,"q\\"q"}', 'some name', 'x', 4294967295, '16/B374D848', 'pg_class', 'int8', 'int4in',
  '"Some One"', 'pg_catalog', 'very "happy"', 7, '(3,4)', '99', '1 2 3', '4 5', 'postgres=arwd/postgres', '12345678901');
insert into everything (h) values (''), (E'\\\\.'), (E'line\\nfeed\\rreturn\\b\\f\\v\\\\ back'), ('käse 🧀 日本'), (E'\\\\N'), ('NULL'),
  (repeat('long value ', 100000)), (repeat('ü"', 300000));
insert into everything (d, e) values ('Infinity', '-Infinity'), (1e-10, 1e300), (0.1, -0.0);
insert into everything (aa, ab, ac) values ('everything', 'mood', 'pg_catalog.max(int4)'::regprocedure::oid::regproc), (0, 0, 0), (99999, 'text[]', null),
  (null, 'char(3)', null), (null, 'bit(3)[]', null), (null, '"char"', null), (null, 'timetz(2)', null);
create table one (v text);
insert into one values (E'\\\\.'), (''), (null), ('x');
create table empty (a int, b text);
create table "Quoted Name" ("a ""b""" int, "select" text);
insert into "Quoted Name" values (1, 'one');
create schema s; create table s.in_schema (i int primary key, big text);
insert into s.in_schema select i, repeat(md5(i::text), i % 200) from generate_series(1, 5000) i;
update s.in_schema set big = 'changed' where i % 10 = 0; delete from s.in_schema where i % 7 = 0;
create table changed (a int, b int, c text); insert into changed values (1, 2, 'three');
alter table changed drop column b; alter table changed add column d int default 42;
alter table changed add column e text default 'added later'; insert into changed values (5, 'six', 7, null);
create table made (a int, double int generated always as (a * 2) stored, late int generated always as (a * 3));
insert into made values (1), (2);
create materialized view seen as select 1 as x;
create schema "Odd Schema"; create domain "Odd Schema"."Odd Type" as int4;
create function s.only_there(int, text) returns int language sql as 'select 1';
create function "Odd Schema".abs(int4, "Odd Schema"."Odd Type"[]) returns int language sql as 'select 1';
create function public.abs(int4) returns int language sql as 'select 1';
create function public.lower(text, int4) returns int language sql as 'select 1';
create operator "Odd Schema".+ (leftarg = int4, rightarg = int4, function = int4pl);
create operator public.### (leftarg = int4, rightarg = int4, function = int4pl);
create operator public.!!! (rightarg = int4, function = int4abs);
create operator s.#!# (rightarg = int4, function = int4abs);
create table callables (a regproc, b regprocedure, c regoper, d regoperator);
insert into callables select oid, oid, 0, 99999999 from pg_proc;
insert into callables select 0, 99999999, oid, oid from pg_operator;
insert into everything (ab) values ('"Odd Schema"."Odd Type"[]'), ('mood[]'), ('pg_catalog.pg_class[]');
create table compressed (v text compression pglz); alter table compressed alter v set storage main;
insert into compressed values (repeat('pglz ', 5000));
`
const tables = [
  'everything',
  'one',
  'empty',
  '"Quoted Name"',
  's.in_schema',
  'changed',
  'made',
  'callables',
  'compressed',
  'pg_catalog.pg_class',
  'pg_catalog.pg_attribute',
  'pg_catalog.pg_type',
  'pg_catalog.pg_proc',
  'pg_catalog.pg_database',
  'pg_catalog.pg_authid',
  'pg_catalog.pg_aggregate',
  'pg_catalog.pg_operator',
  'pg_catalog.pg_rewrite',
  'pg_catalog.pg_statistic',
  'pg_catalog.pg_index',
  'information_schema.sql_features',
]

describe('dump of a directory that stock PostgreSQL made', () => {
  let oracle: Oracle
  const expected = new Map<string, { csv: Buffer; copy: Buffer }>()
  let toastTable = ''

  beforeAll(async () => {
    oracle = await Oracle.initdb()
    await oracle.start()
    const client = await oracle.client()
    await client.query("set timezone = 'UTC'")
    await client.query(setup)
    await client.query('begin; create table rolled_back (a int); rollback')
    await client.query('analyze')
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class where oid = (select reltoastrelid from pg_class where relname = 'everything')`,
    )
    toastTable = `pg_toast.${rows[0]?.name}`
    const place = oracle.directory('out')
    for (const [i, table] of tables.entries()) {
      const csv = join(place, `${i}.csv`)
      const copy = join(place, `${i}.copy`)
      await client.query(`copy ${table} to '${csv}' (format csv, header)`)
      await client.query(`copy ${table} to '${copy}'`)
      expected.set(table, { csv: readFileSync(csv), copy: readFileSync(copy) })
    }
    await client.query('checkpoint')
  }, 120_000)
  afterAll(() => oracle[Symbol.asyncDispose]())

  async function compare(chosen: string[]): Promise<void> {
    const different: string[] = []
    for (const table of chosen) {
      for (const format of ['csv', 'copy'] as const) {
        const { status, stdout, stderr } = await pgdata([
          'dump',
          oracle.dir,
          table,
          '--format',
          format,
        ])
        if (status !== 0) different.push(`${table} ${format}: ${stderr}`)
        else if (!stdout.equals(expected.get(table)?.[format] as Buffer)) {
          const ours = stdout.toString().split('\n')
          const theirs = expected.get(table)?.[format].toString().split('\n') ?? []
          const line = theirs.findIndex((text, i) => text !== ours[i])
          different.push(
            `${table} ${format} line ${line + 1}: ${ours[line]?.slice(0, 300)} <> ${theirs[line]?.slice(0, 300)}`,
          )
        }
      }
    }
    expect(different).toEqual([])
  }

  it('has the bytes of COPY while the server runs', () => compare(tables), 240_000)

  it('reads a TOAST table, a column list, and JSON lines', async () => {
    const toast = await pgdata(['dump', oracle.dir, toastTable, '--columns', 'chunk_id,chunk_seq'])
    expect(toast.status).toBe(0)
    expect(toast.stdout.toString()).toMatch(/^chunk_id,chunk_seq\n\d+,0\n/)
    const lines = await pgdata(['dump', oracle.dir, 'changed', '--format', 'jsonl'])
    expect(lines.stdout.toString()).toBe(
      '{"a":1,"c":"three","d":42,"e":"added later"}\n{"a":5,"c":"six","d":7,"e":null}\n',
    )
    const everything = await pgdata(['dump', oracle.dir, 'everything', '--json'])
    const parsed = everything.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(parsed[0]).toMatchObject({
      a: 1,
      g: true,
      e: 'NaN',
      t: { b: [1, 2.5, 'x'] },
      s: { a: 1 },
    })
  }, 60_000)

  it('says what cannot be dumped, with exit status 2', async () => {
    const missing = await pgdata(['dump', oracle.dir, 'nothing'])
    expect(missing.status).toBe(2)
    expect(missing.stderr).toBe('pgdata: relation "nothing" does not exist\n')
    const rolledBack = await pgdata(['dump', oracle.dir, 'rolled_back'])
    expect(rolledBack.status).toBe(2)
    const column = await pgdata(['dump', oracle.dir, 'one', '--columns', 'w'])
    expect(column.stderr).toBe('pgdata: column "w" of relation "one" does not exist\n')
    const database = await pgdata(['dump', oracle.dir, 'one', '--database', 'nowhere'])
    expect(database.stderr).toBe('pgdata: database "nowhere" does not exist\n')
    const directory = await pgdata(['dump', '/nonexistent', 'one'])
    expect(directory.status).toBe(2)
    expect(directory.stderr).toContain('is not a database cluster directory')
    const usage = await pgdata(['dump'])
    expect(usage.status).toBe(2)
  }, 60_000)

  it('has the bytes of COPY after the server stopped', async () => {
    await oracle.stop()
    await compare(tables.slice(0, 9))
  }, 240_000)
})
