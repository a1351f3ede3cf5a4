// Two-phase commit against PostgreSQL.
// Goal: a prepared transaction outlives its session, its process and the engine: stock shows in pg_prepared_xacts what we
// prepared and ends it, after a clean end and after a crash, and we do so with stock's. Method: rows, subtransactions and
// new tables in prepared transactions handed over in both directions; amcheck looks at what is left.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  value: string
}

const settings = { max_prepared_transactions: 10, fsync: false, lock_timeout: 300 }
const undo = new Error('undo')

async function prepareSome(session: Session): Promise<void> {
  const table = session.table<Row>('t')
  for (const gid of ['kept', 'undone']) {
    const from = gid === 'kept' ? 100 : 200
    await session.prepareTransaction(gid, async (tx) => {
      tx.insert(table, { id: from, value: gid })
      await tx.update(table, from === 100 ? 1 : 2, { value: gid })
      // More subtransactions than are listed.
      for (let i = 1; i <= 80; i++) {
        await tx
          .savepoint((savepoint) => {
            savepoint.insert(table, { id: from + i, value: gid })
            if (i % 4 === 0) throw undo
          })
          .catch((error) => expect(error).toBe(undo))
      }
      tx.createTable(`made_${gid}`, { columns: { id: 'int4 primary key' } })
      tx.insert(session.table(`made_${gid}`), { id: 1 })
    })
  }
}

const wantedIds = [1, 2, 3, ...Array.from({ length: 81 }, (_, i) => 100 + i)].filter(
  (id) => id < 101 || id % 4 !== 0,
)

test('a prepared transaction waits for its end, and holds its locks', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('pp'), { create: true, settings })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key', value: 'text' } })
  const table = session.table<Row>('t')
  await table.insertMany([1, 2, 3].map((id) => ({ id, value: `first ${id}` })))
  await prepareSome(session)
  expect(cluster.preparedTransactions()).toMatchObject([
    { gid: 'kept', owner: 'postgres', database: 'postgres' },
    { gid: 'undone', owner: 'postgres', database: 'postgres' },
  ])
  expect([...table.range()].map(({ id }) => id)).toEqual([1, 2, 3])
  expect(() => session.table('made_kept')).toThrow(expect.objectContaining({ code: '42P01' }))
  await expect(session.dropTable('t')).rejects.toMatchObject({ code: '55P03' })
  await expect(session.prepareTransaction('kept', () => undefined)).rejects.toMatchObject({
    code: '42710',
  })
  await expect(
    session.transaction(() => session.prepareTransaction('inside', () => undefined)),
  ).rejects.toMatchObject({ code: '25001' })
  await expect(
    session.prepareTransaction('thrown', () => {
      throw undo
    }),
  ).rejects.toBe(undo)
  await expect(cluster.commitPrepared('thrown')).rejects.toMatchObject({ code: '42704' })

  await cluster.commitPrepared('kept')
  await cluster.rollbackPrepared('undone')
  expect(cluster.preparedTransactions()).toEqual([])
  expect([...table.range()].map(({ id }) => id)).toEqual(wantedIds)
  expect(table.get(1)?.value).toBe('kept')
  expect(table.get(2)?.value).toBe('first 2')
  expect([...session.table('made_kept').scan()]).toEqual([{ id: 1 }])
  expect(() => session.table('made_undone')).toThrow(expect.objectContaining({ code: '42P01' }))
  await session.dropTable('t')
})

test('without the setting they are refused', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('pd'), { create: true })
  await using session = await cluster.connect()
  await expect(session.prepareTransaction('one', () => undefined)).rejects.toMatchObject({
    code: '55000',
    message: 'prepared transactions are disabled',
    hint: 'Set "max_prepared_transactions" to a nonzero value.',
  })
  await session.createTable('t', { columns: { id: 'int4' } })
})

// Ends both in stock, looks, and gives the directory back.
async function endByStock(oracle: Oracle): Promise<void> {
  await oracle.start({ max_prepared_transactions: 10 })
  const client = await oracle.client()
  const { rows } = await client.query(
    'select gid, owner, database from pg_prepared_xacts order by gid',
  )
  expect(rows).toEqual([
    { gid: 'kept', owner: 'postgres', database: 'postgres' },
    { gid: 'undone', owner: 'postgres', database: 'postgres' },
  ])
  const { rows: before } = await client.query('select id from t order by id')
  expect(before.map(({ id }) => id)).toEqual([1, 2, 3])
  const { rows: locks } = await client.query(
    `select distinct l.mode from pg_locks l join pg_class c on c.oid = l.relation
      where c.relname = 't' and l.pid is null`,
  )
  expect(locks).toContainEqual({ mode: 'RowExclusiveLock' })
  await client.query("commit prepared 'kept'")
  await client.query("rollback prepared 'undone'")
  const { rows: after } = await client.query('select id from t order by id')
  expect(after.map(({ id }) => id)).toEqual(wantedIds)
  expect((await client.query('select * from made_kept')).rows).toEqual([{ id: 1 }])
  await expect(client.query('select * from made_undone')).rejects.toMatchObject({ code: '42P01' })
  expect(await amcheck(client)).toEqual([])
}

test('PostgreSQL ends what we prepared, after a clean end', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('pc')
  const cluster = await Cluster.open(directory, { create: true, settings })
  const session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key', value: 'text' } })
  await session.table<Row>('t').insertMany([1, 2, 3].map((id) => ({ id, value: `first ${id}` })))
  await prepareSome(session)
  await cluster.close()

  // Opened again, they are still there, and so are their locks.
  const again = await Cluster.open(directory, { settings })
  const reopened = await again.connect()
  expect(again.preparedTransactions().map(({ gid }) => gid)).toEqual(['kept', 'undone'])
  await expect(reopened.dropTable('t')).rejects.toMatchObject({ code: '55P03' })
  await again.close()
  await expect(Cluster.open(directory, { settings: { fsync: false } })).rejects.toMatchObject({
    code: '53200',
    hint: 'Increase "max_prepared_transactions" (currently 0).',
  })

  await using oracle = Oracle.adopt(directory)
  await endByStock(oracle)
})

test.each(['none', 'checkpoint'])(
  'PostgreSQL recovers and ends what we prepared before a crash; since then: %s',
  { timeout: 120_000 },
  async (since) => {
    const directory = temporaryDirectory('px')
    await Cluster.init(directory)
    await using oracle = Oracle.adopt(directory)
    const writer = oracle.spawnScript(
      new URL('two-phase-writer.ts', import.meta.url).pathname,
      directory,
      since,
    )
    const [output, [, signal]] = await Promise.all([
      text(writer.stdout as NodeJS.ReadableStream),
      once(writer, 'exit') as Promise<[number | null, string | null]>,
    ])
    expect(output).toBe('prepared')
    expect(signal).toBe('SIGKILL')
    oracle.takeBack()
    await endByStock(oracle)
  },
)

// Ends both in ours, and looks.
async function endByOurs(directory: string): Promise<void> {
  await using cluster = await Cluster.open(directory, { settings })
  await using session = await cluster.connect()
  const table = session.table<Row>('t')
  expect(cluster.preparedTransactions()).toMatchObject([
    { gid: 'kept', owner: 'postgres', database: 'postgres' },
    { gid: 'undone', owner: 'postgres', database: 'postgres' },
  ])
  expect([...table.range()].map(({ id }) => id)).toEqual([1, 2, 3])
  await expect(session.dropTable('t')).rejects.toMatchObject({ code: '55P03' })
  await cluster.commitPrepared('kept')
  await cluster.rollbackPrepared('undone')
  expect([...table.range()].map(({ id }) => id)).toEqual(wantedIds)
  expect([...session.table('made_kept').scan()]).toEqual([{ id: 1 }])
  expect(() => session.table('made_undone')).toThrow(expect.objectContaining({ code: '42P01' }))
  await table.insert({ id: 1000, value: 'after' })
}

test('we recover and end what we prepared before a crash', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('pr')
  await Cluster.init(directory)
  await using oracle = Oracle.adopt(directory)
  const writer = oracle.spawnScript(
    new URL('two-phase-writer.ts', import.meta.url).pathname,
    directory,
    'none',
  )
  await Promise.all([text(writer.stdout as NodeJS.ReadableStream), once(writer, 'exit')])
  oracle.takeBack()
  await endByOurs(directory)
  await oracle.start()
  const client = await oracle.client()
  expect((await client.query('select count(*)::int as n from t')).rows).toEqual([
    { n: wantedIds.length + 1 },
  ])
  expect(await amcheck(client)).toEqual([])
})

test.each(['fast', 'immediate'] as const)(
  'we end what PostgreSQL prepared; its stop: %s',
  { timeout: 120_000 },
  async (stop) => {
    await using oracle = await Oracle.initdb()
    await oracle.start({ max_prepared_transactions: 10 })
    const client = await oracle.client()
    await client.query('create table t (id int primary key, value text)')
    await client.query("insert into t select i, 'first' from generate_series(1, 3) i")
    for (const [gid, from] of [
      ['kept', 100],
      ['undone', 200],
    ] as const) {
      await client.query('begin')
      await client.query(`insert into t values (${from}, '${gid}')`)
      for (let i = 1; i <= 80; i++) {
        await client.query('savepoint s')
        await client.query(`insert into t values (${from + i}, '${gid}')`)
        await client.query(i % 4 === 0 ? 'rollback to s' : 'release s')
      }
      await client.query(`create table made_${gid} as select 1 as id`)
      await client.query(`prepare transaction '${gid}'`)
    }
    await oracle.stop(stop)

    await endByOurs(oracle.dir)
    await oracle.start()
    const after = await oracle.client()
    const { rows } = await after.query('select id from t order by id')
    expect(rows.map(({ id }) => id)).toEqual([...wantedIds, 1000])
    expect((await after.query('select * from pg_prepared_xacts')).rows).toEqual([])
    expect(await amcheck(after)).toEqual([])
  },
)
