// Goal: what our commands leave in the catalogs and on disk is what stock PostgreSQL 18 leaves, and stock works on.
// Method: the same tables, indexes, databases and tablespaces are made by both in fresh clusters; the catalog rows are
// compared with their OIDs, since both begin at the same one. Then stock runs on our directory.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../../src-ts/cluster/cluster.ts'
import { PgError } from '../../src-ts/errors/pg-error.ts'
import type { Session } from '../../src-ts/session/session.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory, temporaryPath } from '../support/temporary-directory.ts'
import { createIndexSql, createTableSql, shapes } from './command-shapes.ts'

const firstOid = 16384
const filledRows = Array.from({ length: 5000 }, (_, i) => ({ a: i % 1000, b: `row ${i}` }))

let stock: Oracle
let stockClient: pg.Client
let ours: Oracle
let ourClient: pg.Client
let truncated: { before: string; afterCommit: number; afterCheckpoint: boolean }

// What both do, in the same order.
async function makeByStock(client: pg.Client): Promise<void> {
  await client.query(`create tablespace space location '${stock.directory()}'`)
  await client.query('create schema s1')
  for (const shape of shapes) {
    await client.query(createTableSql(shape))
    if (shape.table === 'filled') {
      await client.query(
        "insert into filled select i % 1000, 'row ' || i from generate_series(0, 4999) i",
      )
    }
    for (const index of shape.indexes ?? []) await client.query(createIndexSql(shape.table, index))
  }
  await client.query('create table dropped (id int4 primary key, t text unique)')
  await client.query('drop table dropped')
  await client.query('truncate accounts, s1.inside')
  await client.query('drop index accounts_code_idx1')
  await client.query('create schema s2')
  await client.query('create table s2.a (id int4 primary key)')
  await client.query('drop schema s2 cascade')
  await client.query('create database copy')
  await client.query('create database second template copy tablespace space')
  await client.query('create database gone')
  await client.query('drop database gone')
}

async function makeByUs(session: Session, cluster: Cluster): Promise<void> {
  await session.createTablespace('space', temporaryDirectory('space'))
  await session.createSchema('s1')
  for (const { table, options, indexes = [] } of shapes) {
    expect(await session.createTable(table, options)).toBe(true)
    if (table === 'filled') await session.table(table).insertMany(filledRows)
    for (const index of indexes) await session.createIndex(table, index)
  }
  await session.createTable('dropped', {
    columns: { id: 'int4', t: 'text' },
    primaryKey: ['id'],
    unique: [['t']],
  })
  await session.dropTable('dropped')
  await session.table('accounts').insert({ id: 1, email: 'a@b.c', code: 'x'.repeat(100_000) })
  const before = join(cluster.dataDirectory, await fileOf(session, 'accounts'))
  await session.truncate('accounts', 's1.inside')
  const afterCommit = existsSync(before) ? statSync(before).size : 0
  await cluster.checkpoint()
  truncated = { before, afterCommit, afterCheckpoint: existsSync(before) }
  await session.dropIndex('accounts_code_idx1')
  await session.createSchema('s2')
  await session.createTable('s2.a', { columns: { id: 'int4' }, primaryKey: ['id'] })
  await session.dropSchema('s2', { cascade: true })
  await session.createDatabase('copy')
  await session.createDatabase('second', { template: 'copy', tablespace: 'space' })
  await session.createDatabase('gone')
  await session.dropDatabase('gone')
}

async function fileOf(session: Session, table: string): Promise<string> {
  const [row] = [
    ...session
      .table<{ relname: string; relfilenode: number }>('pg_catalog.pg_class')
      .scan({ where: { relname: table } }),
  ]
  return `base/5/${row?.relfilenode}`
}

beforeAll(async () => {
  stock = await Oracle.initdb()
  await stock.start()
  stockClient = await stock.client()
  await makeByStock(stockClient)

  const directory = temporaryPath('ours')
  const cluster = await Cluster.open(directory, { create: true })
  try {
    await makeByUs(await cluster.connect(), cluster)
  } finally {
    await cluster.close()
  }
  ours = Oracle.adopt(directory)
  await ours.start()
  ourClient = await ours.client()
}, 120_000)

afterAll(async () => {
  await stock?.[Symbol.asyncDispose]()
  await ours?.[Symbol.asyncDispose]()
})

async function compare(query: string): Promise<number> {
  const [expected, actual] = await Promise.all([stockClient.query(query), ourClient.query(query)])
  expect(actual.rows).toEqual(expected.rows)
  return expected.rows.length
}

// relfrozenxid is a transaction's id, and so another in each; its being there is compared. Rows that come in bulk extend a
// table by many pages.
test('pg_class', async () => {
  const rows = await compare(
    `select (to_jsonb(c) - 'relfrozenxid' - case when relname = 'filled' then 'relpages' else '' end) || jsonb_build_object('frozen', relfrozenxid <> 0) as row
       from pg_class c where oid >= ${firstOid} order by oid`,
  )
  expect(rows).toBeGreaterThan(80)
})

test.each([
  [
    'pg_attribute',
    `select to_jsonb(a) as row from pg_attribute a where attrelid >= ${firstOid} order by attrelid, attnum`,
  ],
  ['pg_type', `select to_jsonb(t) as row from pg_type t where oid >= ${firstOid} order by oid`],
  [
    'pg_constraint',
    `select to_jsonb(c) as row from pg_constraint c where oid >= ${firstOid} order by oid`,
  ],
  [
    'pg_index',
    `select to_jsonb(i) as row from pg_index i where indexrelid >= ${firstOid} order by indexrelid`,
  ],
  [
    'pg_depend',
    `select d.* from pg_depend d where objid >= ${firstOid} or refobjid >= ${firstOid} order by 1, 2, 3, 4, 5, 6`,
  ],
  ['pg_shdepend', 'select * from pg_shdepend order by 1, 2, 3, 4, 5, 6'],
  ['pg_namespace', 'select oid, * from pg_namespace order by oid'],
  [
    'pg_tablespace',
    'select oid, spcname, spcowner, spcacl, spcoptions from pg_tablespace order by oid',
  ],
  ['pg_database', `select (to_jsonb(d) - 'datfrozenxid') as row from pg_database d order by oid`],
])('%s', async (_, query) => {
  expect(await compare(query)).toBeGreaterThanOrEqual(0)
})

test('sizes of what was filled', async () => {
  const { rows } = await ourClient.query(
    `select relpages = pg_relation_size(oid) / 8192 as is_size, reltuples
       from pg_class where relname in ('filled', 'filled_a_idx')`,
  )
  expect(rows).toEqual([
    { is_size: true, reltuples: filledRows.length },
    { is_size: true, reltuples: filledRows.length },
  ])
})

test('files of databases and tablespaces', async () => {
  const { rows } = await ourClient.query(
    "select oid from pg_database where datname in ('copy', 'second') order by oid",
  )
  const [copy, second] = rows.map(({ oid }) => `${oid}`)
  const { rows: spaces } = await ourClient.query(
    "select oid from pg_tablespace where spcname = 'space'",
  )
  const space = `pg_tblspc/${spaces[0].oid}`
  // Statistics and caches that a server makes are none of ours.
  const files = (oracle: Oracle, directory: string) =>
    readdirSync(join(oracle.dir, directory))
      .filter((name) => !/^(pg_internal\.init|.*_(fsm|vm)|pgsql_tmp)$/.test(name))
      .sort()
  for (const oracle of [stock, ours]) {
    expect(readlinkSync(join(oracle.dir, space))).toMatch(/^\//)
    expect(readdirSync(join(oracle.dir, space))).toEqual(['PG_18_202506291'])
    expect(readdirSync(join(oracle.dir, space, 'PG_18_202506291')).sort()).toEqual([second, '5'])
  }
  for (const directory of [
    `base/${copy}`,
    `${space}/PG_18_202506291/${second}`,
    `${space}/PG_18_202506291/5`,
  ]) {
    expect(files(ours, directory)).toEqual(files(stock, directory))
  }
  expect(readdirSync(join(ours.dir, 'base')).sort()).toEqual(
    readdirSync(join(stock.dir, 'base')).sort(),
  )
})

test('a truncated table’s old file is empty after the commit and gone after a checkpoint', () => {
  expect(truncated.before).toMatch(/base\/5\/\d+$/)
  expect(truncated.afterCommit).toBe(0)
  expect(truncated.afterCheckpoint).toBe(false)
})

test('no relation lacks its file and no file its relation', async () => {
  const { rows } = await ourClient.query<{ file: string }>(
    `select pg_relation_filepath(oid) as file from pg_class where relfilenode >= ${firstOid}`,
  )
  for (const { file } of rows) expect(existsSync(join(ours.dir, file)), file).toBe(true)
  const known = new Set(rows.map(({ file }) => file))
  const strays = readdirSync(join(ours.dir, 'base/5'))
    .filter((name) => /^\d+$/.test(name) && Number(name) >= firstOid)
    .filter((name) => !known.has(`base/5/${name}`))
  expect(strays).toEqual([])
})

test('psql describes our tables as it describes stock’s', () => {
  const describe = (oracle: Oracle, table: string) => {
    const { stdout, stderr, status } = spawnSync(
      'psql',
      [
        '-X',
        '-h',
        oracle.socketDir,
        '-p',
        `${oracle.port}`,
        '-U',
        oracle.user,
        '-d',
        'postgres',
        '-c',
        `\\d+ ${table}`,
      ],
      { encoding: 'utf8' },
    )
    expect(stderr).toBe('')
    expect(status).toBe(0)
    return stdout
  }
  for (const { table } of shapes) expect(describe(ours, table)).toBe(describe(stock, table))
})

test('amcheck finds nothing, in any database of ours', async () => {
  for (const database of ['postgres', 'copy', 'second', 'template1']) {
    expect(await amcheck(await ours.client(database))).toEqual([])
  }
})

test('stock writes, alters, and drops what we made', async () => {
  await ourClient.query(
    "insert into accounts values (1, 'a', 1.5, '{x}', now(), 'c'), (2, 'b', 2.5, null, null, repeat('y', 100000))",
  )
  await expect(ourClient.query("insert into accounts values (1, 'z')")).rejects.toThrow(
    'accounts_pkey',
  )
  await ourClient.query('alter table accounts add column extra int4 default 7, drop column tags')
  await ourClient.query('alter table filled alter column b type varchar(30)')
  await ourClient.query('vacuum full filled')
  await ourClient.query('reindex database postgres')
  await ourClient.query('drop table all_types, not_null_order, "Mixed Case"')
  await ourClient.query('drop schema s1 cascade')
  await ourClient.query('vacuum')
  expect((await ourClient.query('select count(*)::int4 as n from filled')).rows).toEqual([
    { n: 5000 },
  ])
  expect(await amcheck(ourClient)).toEqual([])
})

test('our errors are PostgreSQL’s', async () => {
  const cluster = await Cluster.open(temporaryPath('errors'), { create: true })
  try {
    const session = await cluster.connect()
    const sql = await stock.client('copy')
    await session.createTable('t', {
      columns: { id: 'int4', a: 'text', b: 'text' },
      primaryKey: ['id'],
    })
    await sql.query('create table t (id int4 primary key, a text, b text)')
    await session.table('t').insertMany([
      { id: 1, a: 'x' },
      { id: 2, a: 'x' },
    ])
    await sql.query("insert into t values (1, 'x'), (2, 'x')")
    await session.createSchema('full')
    await session.createTable('full.t', { columns: { a: 'int4' } })
    await sql.query('create schema "full" create table t (a int4)')
    const column = (type: string) => () => session.createTable('z', { columns: { a: type } })
    const cases: [() => Promise<unknown>, string][] = [
      [() => session.createTable('t', { columns: {} }), 'create table t ()'],
      [() => session.createTable('nowhere.t', { columns: {} }), 'create table nowhere.t ()'],
      [() => session.createTable('pg_catalog.t', { columns: {} }), 'create table pg_catalog.t ()'],
      [() => session.createTable('z', { columns: { ctid: 'int4' } }), 'create table z (ctid int4)'],
      [
        () =>
          session.createTable('z', {
            columns: [
              { name: 'a', type: 'int4' },
              { name: 'a', type: 'int4' },
            ],
          }),
        'create table z (a int4, a int4)',
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4' }, primaryKey: ['b'] }),
        'create table z (a int4, primary key (b))',
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4' }, primaryKey: ['a', 'a'] }),
        'create table z (a int4, primary key (a, a))',
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4' }, unique: [['a', 'a']] }),
        'create table z (a int4, unique (a, a))',
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4 primary key' }, primaryKey: ['a'] }),
        'create table z (a int4 primary key, primary key (a))',
      ],
      [
        () =>
          session.createTable('z', {
            columns: Object.fromEntries(Array.from({ length: 1601 }, (_, i) => [`c${i}`, 'int4'])),
          }),
        `create table z (${Array.from({ length: 1601 }, (_, i) => `c${i} int4`)})`,
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4' }, fillfactor: 5 }),
        'create table z (a int4) with (fillfactor = 5)',
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4' }, tablespace: 'nope' }),
        'create table z (a int4) tablespace nope',
      ],
      [
        () => session.createTable('z', { columns: { a: 'int4' }, tablespace: 'pg_global' }),
        'create table z (a int4) tablespace pg_global',
      ],
      [column('nope'), 'create table z (a nope)'],
      [column('varchar(0)'), 'create table z (a varchar(0))'],
      [column('int4 collate "C"'), 'create table z (a int4 collate "C")'],
      [column('json primary key'), 'create table z (a json primary key)'],
      [column('int4 null not null'), 'create table z (a int4 null not null)'],
      [column('cstring'), 'create table z (a cstring)'],
      [() => session.createIndex('nope', { columns: ['a'] }), 'create index on nope (a)'],
      [() => session.createIndex('t', { columns: ['nope'] }), 'create index on t (nope)'],
      [() => session.createIndex('t', { columns: ['ctid'] }), 'create index on t (ctid)'],
      [
        () => session.createIndex('t', { columns: ['a'], name: 't_pkey' }),
        'create index t_pkey on t (a)',
      ],
      [
        () => session.createIndex('t', { columns: [{ column: 'id', opclass: 'text_ops' }] }),
        'create index on t (id text_ops)',
      ],
      [
        () => session.createIndex('t', { columns: [{ column: 'id', opclass: 'nope' }] }),
        'create index on t (id nope)',
      ],
      [
        () => session.createIndex('t', { columns: Array(33).fill('a') }),
        `create index on t (${Array(33).fill('a')})`,
      ],
      [
        () =>
          session.createIndex('t', { columns: ['a', 'b'], unique: true, nullsNotDistinct: true }),
        'create unique index on t (a, b) nulls not distinct',
      ],
      [
        () => session.createIndex('pg_catalog.pg_class', { columns: ['relname'] }),
        'create index on pg_class (relname)',
      ],
      [() => session.dropTable('nope'), 'drop table nope'],
      [() => session.dropTable('t_pkey'), 'drop table t_pkey'],
      [() => session.dropTable('pg_catalog.pg_class'), 'drop table pg_class'],
      [() => session.dropIndex('nope'), 'drop index nope'],
      [() => session.dropIndex('t'), 'drop index t'],
      [() => session.dropIndex('t_pkey'), 'drop index t_pkey'],
      [() => session.truncate('nope'), 'truncate nope'],
      [() => session.truncate('t_pkey'), 'truncate t_pkey'],
      [() => session.truncate('pg_catalog.pg_class'), 'truncate pg_class'],
      [() => session.createSchema('full'), 'create schema "full"'],
      [() => session.createSchema('pg_x'), 'create schema pg_x'],
      [() => session.dropSchema('nope'), 'drop schema nope'],
      [() => session.dropSchema('full'), 'drop schema "full"'],
      [() => session.dropSchema('pg_catalog'), 'drop schema pg_catalog'],
      [() => session.createDatabase('postgres'), 'create database postgres'],
      [() => session.createDatabase('z', { template: 'nope' }), 'create database z template nope'],
      [() => session.createDatabase('z', { owner: 'nope' }), 'create database z owner nope'],
      [
        () => session.createDatabase('z', { tablespace: 'nope' }),
        'create database z tablespace nope',
      ],
      [
        () => session.createDatabase('z', { tablespace: 'pg_global' }),
        'create database z tablespace pg_global',
      ],
      [() => session.dropDatabase('nope'), 'drop database nope'],
      [() => session.dropDatabase('template1'), 'drop database template1'],
      [() => session.createTablespace('pg_z', '/tmp'), "create tablespace pg_z location '/tmp'"],
      [() => session.createTablespace('z', 'relative'), "create tablespace z location 'relative'"],
      [
        () => session.createTablespace('z', '/nonexistent'),
        "create tablespace z location '/nonexistent'",
      ],
      [() => session.createTablespace('z', "/t'mp"), "create tablespace z location '/t''mp'"],
      [() => session.dropTablespace('nope'), 'drop tablespace nope'],
      [() => session.dropTablespace('pg_default'), 'drop tablespace pg_default'],
      [() => session.table('t').insert({ id: 1 }), 'insert into t values (1)'],
      [() => session.table('t').update(2, { id: 1 }), 'update t set id = 1 where id = 2'],
    ]
    for (const [call, query] of cases) {
      const expected = await sql.query(query).then(
        () => 'no error',
        ({ code, message, detail, hint }: pg.DatabaseError) => ({ code, message, detail, hint }),
      )
      const actual = await call().then(
        () => 'no error',
        (error: PgError) => {
          if (!(error instanceof PgError)) throw error
          const { code, message, detail, hint } = error
          return { code, message, detail, hint }
        },
      )
      expect.soft(actual, query.slice(0, 100)).toEqual(expected)
    }
  } finally {
    await cluster.close()
  }
})

test('what a transaction defines is its own until it commits, and goes when it does not', async () => {
  const directory = temporaryPath('rollback')
  const cluster = await Cluster.open(directory, { create: true })
  try {
    const session = await cluster.connect()
    const other = await cluster.connect()
    await session.createTable('kept', { columns: { id: 'int4', t: 'text' }, primaryKey: ['id'] })
    const kept = session.table('kept')
    await kept.insertMany([
      { id: 1, t: 'x' },
      { id: 2, t: 'x' },
    ])
    const filesBefore = readdirSync(join(directory, 'base/5')).sort()
    const rolledBack = session.transaction(async (tx) => {
      tx.createTable('made', { columns: { id: 'int4' }, primaryKey: ['id'] })
      const made = session.table('made')
      tx.insert(made, { id: 1 })
      expect([...made.scan()]).toEqual([{ id: 1 }])
      expect(() => other.table('made')).toThrow(expect.objectContaining({ code: '42P01' }))
      tx.createIndex('kept', { columns: ['t'] })
      tx.truncate('kept')
      tx.insert(kept, { id: 3, t: 'y' })
      expect([...kept.scan()]).toEqual([{ id: 3, t: 'y' }])
      // A scan would have to wait, as would a write; a single read takes no lock and sees what was there.
      expect(() => other.table('kept').scan()).toThrow(expect.objectContaining({ code: '55P03' }))
      expect(other.table('kept').get(2)).toEqual({ id: 2, t: 'x' })
      await expect(
        other.table('kept').insert({ id: 9 }, { lockTimeout: 20 }),
      ).rejects.toMatchObject({ code: '55P03' })
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    expect([...kept.scan()]).toHaveLength(2)
    expect(() => session.table('made')).toThrow(expect.objectContaining({ code: '42P01' }))
    await cluster.checkpoint()
    expect(readdirSync(join(directory, 'base/5')).sort()).toEqual(filesBefore)

    await expect(
      session.createIndex('kept', { columns: ['t'], unique: true }),
    ).rejects.toMatchObject({
      code: '23505',
      message: 'could not create unique index "kept_t_idx"',
      detail: 'Key (t)=(x) is duplicated.',
    })
    let truncated: Promise<void> | undefined
    await other.transaction(async (tx) => {
      tx.insert(other.table('kept'), { id: 10 })
      await session.createTable('meanwhile', { columns: { id: 'int4' }, primaryKey: ['id'] })
      truncated = session.truncate('kept')
      tx.insert(other.table('meanwhile'), { id: 1 })
      await new Promise(setImmediate)
      expect(cluster.locks().filter(({ granted }) => !granted)).toMatchObject([
        { locktype: 'relation', mode: 'AccessExclusiveLock', session: session.id },
      ])
    })
    await truncated
    expect([...kept.scan()]).toEqual([])
    await expect(session.dropDatabase('postgres')).rejects.toMatchObject({ code: '55006' })
    await expect(other.createDatabase('z', { template: 'postgres' })).rejects.toMatchObject({
      code: '55006',
    })
    await session.createTable('made', { columns: { id: 'int4' }, ifNotExists: true })
    expect(await session.createTable('made', { columns: {}, ifNotExists: true })).toBe(false)
    await session.dropTable('made')
    await session.dropTable('made', { ifExists: true })
    const made = cluster.connect({ database: 'none' })
    await expect(made).rejects.toMatchObject({ code: '3D000' })
  } finally {
    await cluster.close()
  }
  const oracle = Oracle.adopt(directory)
  await oracle.start()
  expect(await amcheck(await oracle.client())).toEqual([])
  await oracle[Symbol.asyncDispose]()
})

test('we define, truncate and drop what stock made, and leave what we do not know', async () => {
  const oracle = await Oracle.initdb()
  await oracle.start()
  let client = await oracle.client()
  await client.query(`
    create table parent (id int4 primary key, t text);
    create table child (id serial primary key, parent_id int4 references parent, t varchar(9) default 'd', check (id > 0));
    create view looks as select t from parent;
    create table viewed (id int4 primary key, t text);
    create index on viewed (lower(t));
    insert into parent select i, repeat('x', i) from generate_series(1, 3000) i;
    update parent set t = 'updated' where id % 3 = 0;
    delete from parent where id % 5 = 0;
    create table free (id serial primary key, t text not null, check (id > 0));
    comment on table free is 'goes';
    insert into free (t) select i::text from generate_series(1, 100) i;
    analyze free;
    create unlogged table volatile (id int4 primary key);
  `)
  await client.query('create role somebody')
  await client.query('create database theirs owner somebody')
  await client.query("alter database theirs set work_mem = '8MB'")
  await client.query("comment on database theirs is 'goes too'")
  await oracle.stop()

  const cluster = await Cluster.open(oracle.dir)
  try {
    const session = await cluster.connect()
    const refused = (code: string) => expect.objectContaining({ code })
    await expect(session.dropTable('parent')).rejects.toEqual(refused('2BP01'))
    await expect(session.dropTable('parent', { cascade: true })).rejects.toEqual(refused('0A000'))
    await expect(session.dropTable('child')).rejects.toEqual(refused('0A000'))
    await expect(session.truncate('parent')).rejects.toEqual(refused('0A000'))
    await expect(session.truncate('viewed')).rejects.toEqual(refused('0A000'))
    await session.truncate('volatile')
    await session.createIndex('parent', { columns: ['t', { column: 'id', desc: true }] })
    await session.dropTable('free')
    await session.dropDatabase('theirs')
    await session.createDatabase('mine', { template: 'postgres', owner: 'somebody' })
    const inside = await cluster.connect({ database: 'mine' })
    await inside.createTable('made', { columns: { id: 'int4 primary key', t: 'text' } })
    await inside.table('made').insert({ id: 1, t: 'x'.repeat(50_000) })
    await inside.dropTable('viewed', { cascade: true })
    expect(await inside.table('parent').aggregate({ count: true })).toEqual({ count: 2400 })
  } finally {
    await cluster.close()
  }
  await oracle.start()
  for (const database of ['postgres', 'mine']) {
    client = await oracle.client(database)
    expect(await amcheck(client)).toEqual([])
    const left = `select (select count(*) from pg_class where relname like '%free%')
      + (select count(*) from pg_constraint where conname like '%free%')
      + (select count(*) from pg_description where description like 'goes%')
      + (select count(*) from pg_shdescription where description like 'goes%')
      + (select count(*) from pg_db_role_setting) as left`
    const { rows } = await client.query(left)
    expect(rows).toEqual([{ left: '0' }])
  }
  expect((await client.query('select id, length(t) as n from made')).rows).toEqual([
    { id: 1, n: 50_000 },
  ])
  await client.query('drop table parent cascade')
  await oracle[Symbol.asyncDispose]()
})
