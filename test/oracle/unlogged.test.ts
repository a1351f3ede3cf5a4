// Goal: unlogged tables are PostgreSQL's. Method: either engine makes and fills them; after a clean end the other one has
// all rows, after a crash none, and both go on with them; nothing about their rows is in the log.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { copyOf } from '../support/crash-images.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  text: string
}
const rows = [...Array(500).keys()].map((id) => ({ id, text: `row ${id}` }))
// Out of line, in the TOAST table.
const long = { id: 1000, text: [...Array(4000).keys()].map((i) => `word ${i * 7919}`).join(' ') }

async function fill(session: Session): Promise<void> {
  await session.createTable('u', {
    columns: { id: 'int4', text: 'text' },
    primaryKey: ['id'],
    unlogged: true,
  })
  await session.createIndex('u', { columns: [{ column: 'id', desc: true }] })
  await session.createTable('logged', { columns: { id: 'int4 primary key' } })
  const table = session.table<Row>('u')
  await table.insertMany(rows)
  await table.insert(long)
  await table.delete(7)
  await session.table('logged').insert({ id: 1 })
}

function crashImage(directory: string): string {
  const copy = copyOf(directory)
  rmSync(join(copy, 'postmaster.pid'), { force: true })
  return copy
}

const wanted = rows.filter(({ id }) => id !== 7).map(({ id }) => id)

async function expectOnStock(directory: string, ids: number[]): Promise<void> {
  await using oracle = Oracle.adopt(directory)
  await oracle.start({ autovacuum: 'off' })
  const client = await oracle.client()
  const { rows } = await client.query('select id from u order by id')
  expect(rows.map(({ id }) => id)).toEqual(ids)
  expect(
    (await client.query("select relpersistence as p from pg_class where oid = 'u'::regclass")).rows,
  ).toEqual([{ p: 'u' }])
  expect((await client.query('select id from logged')).rows).toEqual([{ id: 1 }])
  expect(await amcheck(client)).toEqual([])
  await client.query("insert into u values (5000, 'later')")
  expect((await client.query('select text from u where id = 5000')).rows).toEqual([
    { text: 'later' },
  ])
}

async function expectOnOurs(directory: string, ids: number[]): Promise<void> {
  await using cluster = await Cluster.open(directory)
  await using session = await cluster.connect()
  const table = session.table<Row>('u')
  expect([...table.scan()].map(({ id }) => id).sort((a, b) => a - b)).toEqual(ids)
  expect([...table.range()].map(({ id }) => id)).toEqual(ids)
  await table.insert({ ...long, id: 5000 })
  expect(table.get(5000)).toEqual({ ...long, id: 5000 })
  await session.vacuum('u')
}

test('ours: kept by a clean end, empty after a crash, on both', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('un')
  const cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  const { wal_bytes: before = 0 } = cluster.statistics()
  await fill(session)
  const { wal_bytes: after = 0 } = cluster.statistics()
  // The rows alone have 60 kB.
  expect(after - before).toBeLessThan(300_000)
  const early = crashImage(directory)
  await cluster.checkpoint()
  // Hints are set, and dirty pages with them are written, after the checkpoint.
  expect([...session.table<Row>('u').scan()]).toHaveLength(500)
  await session.vacuum('u')
  await session.table<Row>('u').insert({ id: 6000, text: 'after the checkpoint' })
  await session.table('logged').insert({ id: 2 })
  await session.table('logged').delete(2)
  await cluster.checkpoint()
  const late = crashImage(directory)
  await session.table<Row>('u').delete(6000)
  await cluster.close()

  await expectOnStock(copyOf(directory), [...wanted, 1000])
  await expectOnOurs(directory, [...wanted, 1000])
  await expectOnStock(crashImage(early), [])
  await expectOnOurs(early, [])
  await expectOnStock(crashImage(late), [])
  await expectOnOurs(late, [])
})

test('emptied, rolled back, dropped: no file stays', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('uf')
  await using cluster = await Cluster.open(directory, { create: true })
  await using session = await cluster.connect()
  await fill(session)
  await session.truncate('u')
  expect([...session.table<Row>('u').scan()]).toEqual([])
  await session.table<Row>('u').insertMany(rows)
  await expect(
    session.transaction((tx) => {
      tx.truncate('u')
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  expect([...session.table<Row>('u').scan()]).toHaveLength(500)
  const image = crashImage(directory)
  await expectOnOurs(image, [])
  await session.dropTable('u')
  await cluster.checkpoint()
  expect(() => session.table('u')).toThrow(expect.objectContaining({ code: '42P01' }))
  expect(initForks(directory)).toEqual([])
})

function initForks(directory: string): string[] {
  const base = join(directory, 'base')
  return readdirSync(base).flatMap((database) =>
    readdirSync(join(base, database)).filter((name) => name.endsWith('_init')),
  )
}

test.each(['fast', 'immediate'] as const)("stock's: %s stop", { timeout: 60_000 }, async (stop) => {
  await using oracle = await Oracle.initdb()
  await oracle.start({ autovacuum: 'off' })
  const client = await oracle.client()
  await client.query('create unlogged table u (id int primary key, text text)')
  await client.query('create index on u (id desc)')
  await client.query('create table logged (id int primary key)')
  await client.query(
    "insert into u select i, 'row ' || i from generate_series(0, 499) i where i <> 7",
  )
  await client.query('insert into logged values (1)')
  await oracle.stop(stop)
  const ids = stop === 'fast' ? wanted : []
  await expectOnOurs(oracle.dir, ids)
  {
    await using cluster = await Cluster.open(oracle.dir)
    await using session = await cluster.connect()
    await session.table<Row>('u').delete(5000)
  }
  expect(existsSync(join(oracle.dir, 'postmaster.pid'))).toBe(false)
  await expectOnStock(oracle.dir, ids)
})
