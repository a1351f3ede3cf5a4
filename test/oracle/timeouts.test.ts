// Time limits against PostgreSQL.
// Goal: statement_timeout, lock_timeout, idle_in_transaction_session_timeout and transaction_timeout end what they should
// with PostgreSQL's errors, and nothing else. Method: the same waits on stock and on pgdata, errors compared.
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { OpenTransaction } from '../isolation/open-transaction.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  value: number
}

let oracle: Oracle
let cluster: Cluster
let holder: Session
let stockHolder: pg.Client

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start()
  stockHolder = await oracle.client()
  await stockHolder.query('create table t (id int4 primary key, value int4)')
  await stockHolder.query('insert into t values (1, 0), (2, 0)')
  cluster = await Cluster.open(temporaryDirectory('timeouts'), {
    create: true,
    settings: { fsync: false },
  })
  holder = await cluster.connect()
  await holder.createTable('t', { columns: { id: 'int4 primary key', value: 'int4' } })
  await holder.transaction((tx) =>
    tx.insert(holder.table<Row>('t'), { id: 1, value: 0 }, { id: 2, value: 0 }),
  )
})

afterAll(async () => {
  await cluster.close()
  await oracle[Symbol.asyncDispose]()
})

type Refusal = { code: string; message: string }
const refusal = (promise: Promise<unknown>): Promise<Refusal | undefined> =>
  promise.then(
    () => undefined,
    ({ code, message }) => ({ code, message }),
  )

test('a statement that waits too long is cancelled, and its transaction fails', async () => {
  await stockHolder.query('begin; update t set value = 1 where id = 1')
  const held = new OpenTransaction(holder, {})
  await held.begun
  await held.tx.update(holder.table<Row>('t'), 1, { value: 1 })

  const client = await oracle.client()
  await client.query('set statement_timeout = 40; begin')
  const theirs = await refusal(client.query('update t set value = 2 where id = 1'))
  const theirsNext = await refusal(client.query('select 1'))
  await client.end()

  await using session = await cluster.connect({ statementTimeout: 40 })
  const open = new OpenTransaction(session, {})
  await open.begun
  const table = session.table<Row>('t')
  const ours = await refusal(open.tx.update(table, 1, { value: 2 }))
  const oursNext = await refusal((async () => open.tx.insert(table, { id: 3, value: 0 }))())
  await open.rollBack()
  expect(theirs).toEqual({
    code: '57014',
    message: 'canceling statement due to statement timeout',
  })
  expect(ours).toEqual(theirs)
  expect(oursNext).toEqual(theirsNext)
  expect(cluster.locks().filter(({ granted }) => !granted)).toEqual([])

  // The shorter of the two counts, and a limit of the transaction goes before that of the session.
  await client.end()
  for (const [lockTimeout, statementTimeout, message] of [
    [20, 500, 'canceling statement due to lock timeout'],
    [500, 20, 'canceling statement due to statement timeout'],
  ] as const) {
    const limited = session.transaction((tx) => tx.update(table, 1, { value: 2 }), {
      lockTimeout,
      statementTimeout,
    })
    expect(await refusal(limited)).toMatchObject({ message })
  }
  // A savepoint takes the failure.
  await session.transaction(async (tx) => {
    const inner = tx.savepoint((savepoint) => savepoint.update(table, 1, { value: 2 }))
    expect(await refusal(inner)).toEqual(theirs)
    await tx.update(table, 2, { value: 5 })
  })
  expect(table.get(2)).toEqual({ id: 2, value: 5 })
  await stockHolder.query('rollback')
  await held.rollBack()
})

test('each statement has its own time, and a quick one is left alone', async () => {
  await using session = await cluster.connect({ statementTimeout: 60 })
  const table = session.table<Row>('t')
  await session.transaction(async (tx) => {
    for (let i = 0; i < 5; i++) {
      await tx.update(table, 1, { value: i })
      await sleep(30)
    }
  })
  // One that waits, and gets it in time.
  const held = new OpenTransaction(holder, {})
  await held.begun
  await held.tx.update(holder.table<Row>('t'), 1, { value: 7 })
  const waiting = session.transaction((tx) => tx.update(table, 1, { value: 8 }))
  await sleep(20)
  await held.commit()
  await waiting
  await sleep(80)
  expect(await session.transaction((tx) => tx.update(table, 1, { value: 9 }))).toBe(true)
})

test('commands that work off the event loop are cancelled in between', async () => {
  await using session = await cluster.connect()
  await session.createTable('large', { columns: { id: 'int4 primary key', value: 'int4' } })
  const large = session.table<Row>('large')
  await large.insertMany(Array.from({ length: 150_000 }, (_, id) => ({ id, value: id % 1000 })))
  await using limited = await cluster.connect({ statementTimeout: 1 })
  const expected = { code: '57014', message: 'canceling statement due to statement timeout' }
  expect(await refusal(limited.reindex({ table: 'large' }))).toEqual(expected)
  expect(await refusal(limited.vacuum('large', { full: true }))).toEqual(expected)
  // Nothing is left of them.
  await session.createIndex('large', { columns: ['value'] })
  expect(large.get(149_999)).toEqual({ id: 149_999, value: 999 })
})

test('a session that is idle in a transaction is ended', async () => {
  const client = await oracle.client()
  const ended = new Promise<Refusal>((resolve) =>
    client.once('error', (error) => resolve(error as unknown as Refusal)),
  )
  await client.query('set idle_in_transaction_session_timeout = 40; begin')
  await client.query('update t set value = 3 where id = 1')
  const { code, message } = await ended

  const session = await cluster.connect({ idleInTransactionSessionTimeout: 40 })
  const table = session.table<Row>('t')
  const before = table.get(1)
  let late: Refusal | undefined
  let done: () => void = () => undefined
  const bodyEnded = new Promise<void>((resolve) => {
    done = resolve
  })
  const ours = session.transaction(async (tx) => {
    await tx.update(table, 1, { value: 3 })
    await sleep(150)
    late = await refusal((async () => tx.update(table, 1, { value: 4 }))())
    done()
  })
  expect(await refusal(ours)).toEqual({ code, message })
  expect(code).toBe('25P03')
  // Its locks are gone, and so is the session.
  await holder.transaction((tx) => tx.lockTable(holder.table('t'), 'access exclusive'))
  expect(holder.table<Row>('t').get(1)).toEqual(before)
  await bodyEnded
  expect(late).toEqual({ code, message })
  expect(await refusal((async () => session.transaction(() => 1))())).toMatchObject({
    code: '08003',
  })
  await session.close()
})

test('whoever works is not idle', async () => {
  await using session = await cluster.connect({ idleInTransactionSessionTimeout: 80 })
  const table = session.table<Row>('t')
  const held = new OpenTransaction(holder, {})
  await held.begun
  await held.tx.update(holder.table<Row>('t'), 2, { value: 1 })
  const working = session.transaction(async (tx) => {
    // Reads count, and a wait of any length is work.
    for (let i = 0; i < 4; i++) {
      await sleep(40)
      table.get(1)
    }
    await tx.update(table, 2, { value: 2 })
  })
  await sleep(350)
  await held.commit()
  await working
  expect(table.get(2)).toEqual({ id: 2, value: 2 })
  // Outside a transaction it may be idle.
  await sleep(120)
  expect(await session.transaction((tx) => tx.update(table, 2, { value: 3 }))).toBe(true)
})

test('a transaction that takes too long is ended, though it works', async () => {
  const client = await oracle.client()
  const ended = new Promise<Refusal>((resolve) =>
    client.once('error', (error) => resolve(error as unknown as Refusal)),
  )
  await client.query('set transaction_timeout = 60; begin')
  const { code, message } = await ended

  const session = await cluster.connect({ transactionTimeout: 60 })
  const table = session.table<Row>('t')
  let isOver = false
  const ours = session.transaction(async (tx) => {
    for (let i = 0; !isOver; i++) {
      await tx.update(table, 1, { value: i })
      await sleep(10)
    }
  })
  expect(await refusal(ours)).toEqual({ code, message })
  isOver = true
  expect(code).toBe('25P04')
  expect(() => session.table('t')).toThrow(expect.objectContaining({ code: '08003' }))
  await using next = await cluster.connect()
  expect(await next.transaction((tx) => tx.update(next.table<Row>('t'), 1, { value: 1 }))).toBe(
    true,
  )
})

test('the settings of the cluster are the defaults of its sessions', async () => {
  await using own = await Cluster.open(temporaryDirectory('timeouts-settings'), {
    create: true,
    settings: { fsync: false, statement_timeout: '30ms', transaction_timeout: '1s' },
  })
  await using one = await own.connect()
  await using two = await own.connect({ statementTimeout: 0, lockTimeout: 90 })
  await one.advisoryLock(1)
  expect(await refusal(two.advisoryLock(1))).toMatchObject({ code: '55P03' })
  await two.advisoryLock(2)
  expect(await refusal(one.advisoryLock(2))).toMatchObject({
    message: 'canceling statement due to statement timeout',
  })
  await expect(own.connect({ lockTimeout: -1 })).rejects.toThrow(RangeError)
})
