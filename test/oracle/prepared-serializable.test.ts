// Goal: a serializable transaction that is prepared still counts for the others, here and after a restart, on either
// engine. Method: write skew between a prepared transaction and another one, on ours, and from one engine to the other.
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { OpenTransaction } from '../isolation/open-transaction.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  value: number
}
const settings = { max_prepared_transactions: 5 }
const serializable = { isolation: 'serializable' } as const
const conflict = {
  code: '40001',
  message: 'could not serialize access due to read/write dependencies among transactions',
}

async function makeTable(session: Session): Promise<void> {
  await session.createTable('t', { columns: { id: 'int4 primary key', value: 'int4' } })
  await session.table<Row>('t').insertMany([
    { id: 1, value: 0 },
    { id: 2, value: 0 },
  ])
}

// Reads all and changes one: two of these that do not see each other are a write skew.
function prepare(session: Session, gid: string, id: number): Promise<void> {
  const table = session.table<Row>('t')
  return session.prepareTransaction(
    gid,
    async (tx) => {
      expect([...table.scan()]).toHaveLength(2)
      await tx.update(table, id, { value: 1 })
    },
    serializable,
  )
}

// A transaction of `second` that has read what transaction "p", prepared by `first`, changes.
async function openBesidePrepared(first: Session, second: Session): Promise<OpenTransaction> {
  await makeTable(first)
  const other = new OpenTransaction(second, serializable)
  await other.begun
  expect([...second.table<Row>('t').scan()]).toHaveLength(2)
  await prepare(first, 'p', 1)
  return other
}

test('others give way to one that is prepared', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('ps')
  await using cluster = await Cluster.open(directory, { create: true, settings })
  await using first = await cluster.connect()
  await using second = await cluster.connect()
  const other = await openBesidePrepared(first, second)
  // The prepared one has read what this one is about to change, and the other way round.
  await expect(other.tx.update(second.table<Row>('t'), 2, { value: 1 })).rejects.toMatchObject(
    conflict,
  )
  await other.rollBack()
  await cluster.commitPrepared('p')
  await second.transaction((tx) => tx.update(second.table<Row>('t'), 2, { value: 2 }), serializable)
  expect([...first.table<Row>('t').range()]).toEqual([
    { id: 1, value: 1 },
    { id: 2, value: 2 },
  ])
})

test('an error in a savepoint that is rolled back is forgotten', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('pv')
  await using cluster = await Cluster.open(directory, { create: true, settings })
  await using first = await cluster.connect()
  await using second = await cluster.connect()
  const other = await openBesidePrepared(first, second)
  await expect(
    other.tx.savepoint((savepoint) => savepoint.update(second.table<Row>('t'), 2, { value: 1 })),
  ).rejects.toMatchObject(conflict)
  // What it read comes before what the prepared one wrote; it wrote nothing itself.
  await other.commit()
  await cluster.rollbackPrepared('p')
})

// After a restart: what is read and written beside a prepared transaction conflicts with it both ways.
async function expectConflict(cluster: Cluster, gid: string): Promise<void> {
  await using session = await cluster.connect()
  const table = session.table<Row>('t')
  const attempt = session.transaction(async (tx) => {
    expect([...table.scan()]).toHaveLength(2)
    await tx.update(table, 2, { value: 1 })
  }, serializable)
  await expect(attempt).rejects.toMatchObject(conflict)
  await cluster.commitPrepared(gid)
  await session.transaction(async (tx) => {
    expect([...table.scan()]).toHaveLength(2)
    await tx.update(table, 2, { value: 1 })
  }, serializable)
  expect([...table.range()].map(({ value }) => value)).toEqual([1, 1])
}

test('a restart remembers what it has read', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('pr')
  let cluster = await Cluster.open(directory, { create: true, settings })
  const session = await cluster.connect()
  await makeTable(session)
  await prepare(session, 'p', 1)
  await cluster.close()
  cluster = await Cluster.open(directory, { settings })
  await expectConflict(cluster, 'p')
  await cluster.close()
})

test('stock goes on with ours', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('po')
  const cluster = await Cluster.open(directory, { create: true, settings })
  const session = await cluster.connect()
  await makeTable(session)
  await prepare(session, 'p', 1)
  await cluster.close()
  await using oracle = Oracle.adopt(directory)
  await oracle.start({ max_prepared_transactions: 5 })
  const client = await oracle.client()
  const { rows } = await client.query(
    "select page, tuple from pg_locks where mode = 'SIReadLock' and relation = 't'::regclass",
  )
  expect(rows).toEqual([{ page: null, tuple: null }])
  await client.query('begin isolation level serializable')
  // With whom the prepared one had conflicts is not known any more.
  await expect(client.query('select * from t')).rejects.toMatchObject(conflict)
  await client.query('rollback')
  await client.query("commit prepared 'p'")
  await client.query('begin isolation level serializable')
  expect((await client.query('select value from t order by id')).rows).toEqual([
    { value: 1 },
    { value: 0 },
  ])
  await client.query('update t set value = 1 where id = 2')
  await client.query('commit')
})

test.each(['fast', 'immediate'] as const)(
  'we go on with what stock prepared; its stop: %s',
  { timeout: 60_000 },
  async (stop) => {
    await using oracle = await Oracle.initdb()
    await oracle.start({ max_prepared_transactions: 5 })
    const client = await oracle.client()
    await client.query('create table t (id int primary key, value int)')
    await client.query('insert into t values (1, 0), (2, 0)')
    await client.query('begin isolation level serializable')
    await client.query('select * from t')
    await client.query('update t set value = 1 where id = 1')
    await client.query("prepare transaction 'p'")
    await oracle.stop(stop)
    await using cluster = await Cluster.open(oracle.dir, { settings })
    await expectConflict(cluster, 'p')
  },
)
