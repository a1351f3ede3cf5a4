// Goal: what a promoted standby leaves opens here, goes on and crashes on its timeline; and how far replication origins
// are survives our recovery. Method: stock is made a standby and promoted; origins are moved on in all ways; either
// engine recovers what is left, and stock says what it finds.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster } from '../../src-ts/index.ts'
import { copyOf } from '../support/crash-images.ts'
import { amcheck, Oracle } from '../support/oracle.ts'

interface Row {
  id: number
}

async function ids(oracle: Oracle): Promise<number[]> {
  const client = await oracle.client()
  const { rows } = await client.query<Row>('select id from t order by id')
  expect(await amcheck(client)).toEqual([])
  return rows.map(({ id }) => id)
}

test.each(['fast', 'immediate'] as const)(
  'a promoted standby; its stop: %s',
  { timeout: 90_000 },
  async (stop) => {
    await using oracle = await Oracle.initdb()
    await oracle.start({ autovacuum: 'off' })
    let client = await oracle.client()
    await client.query('create table t (id int primary key)')
    await client.query('insert into t select generate_series(1, 100)')
    await oracle.stop('immediate')
    writeFileSync(join(oracle.dir, 'standby.signal'), '', { mode: 0o644 })
    await oracle.start({ autovacuum: 'off' })
    client = await oracle.client()
    expect((await client.query('select pg_promote() as done')).rows).toEqual([{ done: true }])
    await client.query('insert into t select generate_series(101, 200)')
    await oracle.stop(stop)
    expect(existsSync(join(oracle.dir, 'pg_wal/00000002.history'))).toBe(true)

    const cluster = await Cluster.open(oracle.dir)
    const session = await cluster.connect()
    const table = session.table<Row>('t')
    expect([...table.range()]).toHaveLength(200)
    await cluster.checkpoint()
    await table.insertMany([...Array(100).keys()].map((i) => ({ id: 201 + i })))
    const crashed = copyOf(oracle.dir)
    rmSync(join(crashed, 'postmaster.pid'))
    const crashedTwice = copyOf(crashed)
    await cluster.close()
    const wanted = [...Array(300).keys()].map((i) => i + 1)
    for (const image of [oracle.dir, crashedTwice]) {
      await using recovered = await Cluster.open(image)
      await using again = await recovered.connect()
      expect([...again.table<Row>('t').range()].map(({ id }) => id)).toEqual(wanted)
    }
    expect(binding.readControlFile(oracle.dir).ThisTimeLineID).toBe(2)
    expect(binding.readControlFile(crashedTwice).ThisTimeLineID).toBe(2)
    for (const image of [oracle.dir, crashedTwice, crashed]) {
      await using stock = Oracle.adopt(image)
      await stock.start({ autovacuum: 'off' })
      expect(await ids(stock)).toEqual(wanted)
      await stock.stop()
      expect(binding.readControlFile(image).ThisTimeLineID).toBe(2)
    }
  },
)

const progress = 'select external_id, remote_lsn::text from pg_replication_origin_status order by 1'

test('how far replication origins are', { timeout: 90_000 }, async () => {
  await using oracle = await Oracle.initdb()
  await oracle.start({ autovacuum: 'off' })
  const client = await oracle.client()
  await client.query('create table t (id int primary key)')
  for (const name of ['kept', 'moved', 'early', 'dropped'])
    await client.query(`select pg_replication_origin_create('${name}')`)
  // Known from the checkpoint's file, from commits, from a record of its own, and no more.
  await client.query("select pg_replication_origin_advance('early', '0/AAAA')")
  await client.query("select pg_replication_origin_advance('dropped', '0/BBBB')")
  await client.query('checkpoint')
  await client.query("select pg_replication_origin_session_setup('kept')")
  for (const i of [1, 2, 3]) {
    await client.query('begin')
    await client.query(`select pg_replication_origin_xact_setup('0/${i}000', now())`)
    await client.query(`insert into t values (${i})`)
    await client.query('commit')
  }
  await client.query('select pg_replication_origin_session_reset()')
  await client.query("select pg_replication_origin_advance('moved', '1/CCCC')")
  await client.query("select pg_replication_origin_drop('dropped')")
  const before = (await client.query(progress)).rows
  expect(before).toEqual([
    { external_id: 'early', remote_lsn: '0/AAAA' },
    { external_id: 'kept', remote_lsn: '0/3000' },
    { external_id: 'moved', remote_lsn: '1/CCCC' },
  ])
  await oracle.stop('immediate')

  const theirs = copyOf(oracle.dir)
  {
    await using cluster = await Cluster.open(oracle.dir)
    await using session = await cluster.connect()
    expect([...session.table<Row>('t').scan()]).toHaveLength(3)
  }
  for (const image of [oracle.dir, theirs]) {
    await using stock = Oracle.adopt(image)
    await stock.start({ autovacuum: 'off' })
    expect((await (await stock.client()).query(progress)).rows).toEqual(before)
  }
})
