// Goal: temporary tables are their session's alone, and what a crash leaves of them harms nobody. Method: PostgreSQL is
// killed with one; pgdata works on the image and leaves it alone; PostgreSQL goes on with the directory and drops it.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, Oracle } from '../support/oracle.ts'

const refused = expect.objectContaining({
  code: '0A000',
  message: 'cannot access temporary tables of other sessions',
})

test('one that a crash of PostgreSQL left is refused', { timeout: 120_000 }, async () => {
  await using oracle = await Oracle.initdb()
  await oracle.start({ autovacuum: 'off' })
  const client = await oracle.client()
  await client.query('create temp table t (id int primary key, v text)')
  await client.query("insert into t select i, repeat('x', 100) from generate_series(1, 20000) i")
  await client.query('create index t_v on t (v)')
  await client.query('create table kept (id int primary key)')
  const { rows } = await client.query<{ schema: string; path: string }>(
    "select relnamespace::regnamespace::text as schema, pg_relation_filepath(oid) as path from pg_class where oid = 't'::regclass",
  )
  const { schema, path } = rows[0] as { schema: string; path: string }
  await oracle.kill9()
  rmSync(join(oracle.dir, 'postmaster.pid'), { force: true })
  expect(path).toMatch(/^base\/5\/t\d+_\d+$/)
  {
    await using cluster = await Cluster.open(oracle.dir)
    await using session = await cluster.connect()
    expect(() => session.table(`${schema}.t`)).toThrow(refused)
    await expect(session.dropTable(`${schema}.t`)).rejects.toThrow(refused)
    await expect(session.dropIndex(`${schema}.t_v`)).rejects.toThrow(refused)
    await expect(session.dropSchema(schema, { cascade: true })).rejects.toThrow(refused)
    await expect(session.truncate(`${schema}.t`)).rejects.toThrow(refused)
    await expect(session.createIndex(`${schema}.t`, { columns: ['v'] })).rejects.toThrow(refused)
    await expect(session.reindex({ table: `${schema}.t` })).rejects.toThrow(refused)
    await expect(session.vacuum(`${schema}.t`)).rejects.toThrow(refused)
    await session.vacuum()
    await session.analyze()
    await session.reindex({ schema: 'public' })
    await session.table('kept').insert({ id: 1 })
  }
  const found = await pgdata(['verify', oracle.dir])
  expect(found.stdout.toString() + found.stderr).not.toContain(schema)
  expect(found.status).toBe(0)
  await oracle.start({ autovacuum: 'off' })
  const after = await oracle.client()
  expect((await after.query('select id from kept')).rows).toEqual([{ id: 1 }])
  expect(await amcheck(after)).toEqual([])
  // As autovacuum does.
  await after.query(`drop table ${schema}.t`)
  expect(readdirSync(join(oracle.dir, 'base/5')).filter((name) => name.startsWith('t'))).toEqual([])
})
