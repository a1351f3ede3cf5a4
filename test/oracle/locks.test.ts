// cluster.locks() against pg_locks.
// Goal: it has the columns of pg_locks, and tells the same of sessions of which one waits for the other. Method: the same
// situation on stock and on pgdata; of indexes, which only stock locks, nothing is compared.
import { expect, test } from 'vitest'
import { Cluster, type LockInfo } from '../../src-ts/index.ts'
import { OpenTransaction } from '../isolation/open-transaction.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// What does not depend on numbers; `who` is the first session or the second.
const describe = (row: LockInfo, who: number, isTable: boolean) =>
  [
    who,
    row.locktype,
    row.mode,
    row.granted ? 'granted' : 'waiting',
    row.fastpath ? 'fast path' : 'table',
    row.waitstart === null ? '' : 'since then',
    row.virtualxid === null ? '' : row.virtualxid === row.virtualtransaction ? 'own' : 'other',
    isTable ? 'of the table' : '',
  ].join(' ')

test('a row that one session has updated and another waits for', { timeout: 60_000 }, async () => {
  await using oracle = await Oracle.initdb()
  await oracle.start()
  const watcher = await oracle.client()
  const first = await oracle.client()
  const second = await oracle.client()
  await first.query('create table t (id int primary key, n int); insert into t values (1, 1)')
  const pidOf = async (client: typeof first) =>
    (await client.query('select pg_backend_pid() as pid')).rows[0].pid
  const pids = [await pidOf(first), await pidOf(second)]
  await first.query('begin; update t set n = 2')
  const waiting = second.query('update t set n = 3')
  const stockLocks = async () =>
    (
      await watcher.query(
        `select l.*, l.relation = 't'::regclass as is_table from pg_locks l
         left join pg_class c on c.oid = l.relation
         where pid = any($1) and coalesce(c.relkind, 'r') <> 'i'`,
        [pids],
      )
    ).rows
  let rows = await stockLocks()
  for (let i = 0; i < 500 && rows.every(({ granted, waitstart }) => granted || !waitstart); i++) {
    await watcher.query('select pg_sleep(0.02)')
    rows = await stockLocks()
  }
  const { fields } = await watcher.query('select * from pg_locks limit 0')
  await first.query('commit')
  await waiting

  await using cluster = await Cluster.open(temporaryDirectory('locks'), { create: true })
  await using a = await cluster.connect()
  await using b = await cluster.connect()
  await a.createTable('t', { columns: { id: 'int4 primary key', n: 'int4' } })
  await a.table('t').insert({ id: 1, n: 1 })
  expect(cluster.locks()).toEqual([])
  const open = new OpenTransaction(a, {})
  await open.begun
  await open.tx.update(a.table('t'), 1, { n: 2 })
  const oursWaiting = b.table('t').update(1, { n: 3 })
  await new Promise(setImmediate)
  const ours = cluster.locks()
  await open.commit()
  await oursWaiting

  const columns = Object.keys(ours[0] as LockInfo).filter((name) => name !== 'session')
  expect(columns).toEqual(fields.map(({ name }) => name))
  expect(
    ours.map((row) => describe(row, row.session === a.id ? 1 : 2, row.relation !== null)).sort(),
  ).toEqual(
    rows.map((row) => describe(row, pids.indexOf(row.pid) + 1, row.is_table ?? false)).sort(),
  )
  for (const row of ours) {
    expect(row.pid).toBe(process.pid)
    expect(row.virtualtransaction).toMatch(new RegExp(`^${row.session}/[1-9][0-9]*$`))
  }
  expect(cluster.locks()).toEqual([])
})

test('a prepared transaction, and a savepoint', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('locks'), {
    create: true,
    settings: { max_prepared_transactions: 2 },
  })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key' } })
  const table = session.table<{ id: number }>('t')
  await session.transaction(async (tx) => {
    tx.insert(table, { id: 1 })
    await tx.savepoint(async (inner) => {
      inner.insert(table, { id: 2 })
      const ids = cluster.locks().filter(({ locktype }) => locktype === 'transactionid')
      // Of the transaction and of the subtransaction.
      expect(ids).toHaveLength(2)
      expect(new Set(ids.map(({ virtualtransaction }) => virtualtransaction)).size).toBe(1)
    })
  })
  expect(cluster.locks()).toEqual([])
  await session.prepareTransaction('p', (tx) => {
    tx.insert(table, { id: 3 })
  })
  const [prepared] = cluster.preparedTransactions()
  const locks = cluster.locks()
  expect(locks.map(({ locktype }) => locktype).sort()).toEqual(['relation', 'transactionid'])
  for (const lock of locks) {
    expect(lock).toMatchObject({ pid: null, session: null, granted: true })
    expect(lock.virtualtransaction).toBe(`-1/${prepared?.transaction}`)
  }
  await cluster.rollbackPrepared('p')
  expect(cluster.locks()).toEqual([])
})
