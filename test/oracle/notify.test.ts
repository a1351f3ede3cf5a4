// LISTEN and NOTIFY against PostgreSQL.
// Goal: listeners hear what committed transactions notify, when and as often as PostgreSQL's listeners do, with its limits.
// Method: the same transactions on stock and on pgdata; what is heard is compared.
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  Cluster,
  type Notification,
  type NotificationStream,
  type Session,
  type Transaction,
} from '../../src-ts/index.ts'
import { OpenTransaction } from '../isolation/open-transaction.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

let oracle: Oracle
let client: pg.Client
let hearer: pg.Client
let cluster: Cluster
let session: Session
const stockHeard: string[] = []

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start({ max_prepared_transactions: 2 })
  client = await oracle.client()
  hearer = await oracle.client()
  hearer.on('notification', ({ channel, payload }) => stockHeard.push(`${channel}:${payload}`))
  await hearer.query('listen a; listen b')
  cluster = await Cluster.open(temporaryDirectory('notify'), {
    create: true,
    settings: { fsync: false, max_prepared_transactions: 2 },
  })
  session = await cluster.connect()
})

afterAll(async () => {
  await cluster.close()
  await oracle[Symbol.asyncDispose]()
})

// What is heard until the mark comes.
async function hear(stream: NotificationStream, mark: string): Promise<string[]> {
  const heard: string[] = []
  for (;;) {
    const { value } = (await stream.next()) as IteratorResult<Notification, undefined>
    if (value === undefined || value.payload === mark) return heard
    heard.push(`${value.channel}:${value.payload}`)
  }
}

const undo = new Error('undo')
const undone = (error: unknown) => expect(error).toBe(undo)

// One transaction in both languages.
const transactions: [name: string, sql: string, body: (tx: Transaction) => Promise<void>][] = [
  [
    'order and duplicates',
    "notify a, '1'; notify a, '2'; notify a, '1'; notify a; notify a, ''; notify a, '3'",
    async (tx) => {
      for (const payload of ['1', '2', '1', '', '', '3']) await tx.notify('a', payload)
    },
  ],
  [
    'a savepoint that is rolled back',
    "notify a, '1'; savepoint s; notify a, '2'; rollback to s; notify a, '3'",
    async (tx) => {
      await tx.notify('a', '1')
      await tx
        .savepoint(async (inner) => {
          await inner.notify('a', '2')
          throw undo
        })
        .catch(undone)
      await tx.notify('a', '3')
    },
  ],
  [
    'duplicates over savepoints',
    `notify a, '1'; savepoint s; notify a, '2'; notify a, '1'; savepoint t; notify a, '3'; notify a, '2';
     release t; notify a, '4'; notify a, '3'; release s; notify a, '1'; notify a, '5'`,
    async (tx) => {
      await tx.notify('a', '1')
      await tx.savepoint(async (s) => {
        await s.notify('a', '2')
        await s.notify('a', '1')
        await s.savepoint(async (t) => {
          await t.notify('a', '3')
          await t.notify('a', '2')
        })
        await s.notify('a', '4')
        await s.notify('a', '3')
      })
      await tx.notify('a', '1')
      await tx.notify('a', '5')
    },
  ],
  [
    'the longest',
    `select pg_notify('a', repeat('p', 7999))`,
    async (tx) => tx.notify('a', 'p'.repeat(7999)),
  ],
]

test.each(transactions)('a transaction: %s', async (_, sql, body) => {
  await using stream = session.listen('a')
  stockHeard.length = 0
  await client.query(`begin; ${sql}; commit; notify a, 'end'`)
  await expect.poll(() => stockHeard.at(-1)).toBe('a:end')
  await using sender = await cluster.connect()
  await sender.transaction(body)
  await sender.notify('a', 'end')
  const heard = await hear(stream, 'end')
  expect(heard).toEqual(stockHeard.slice(0, -1))
  expect(heard.length).toBeGreaterThan(0)
})

test('what is rolled back, or fails, is not heard', async () => {
  await using stream = session.listen('a')
  await using sender = await cluster.connect()
  await sender
    .transaction(async (tx) => {
      await tx.notify('a', 'never')
      throw undo
    })
    .catch(undone)
  const open = new OpenTransaction(sender, {})
  await open.begun
  await open.tx.notify('a', 'at commit')
  const first = stream.next()
  expect(await Promise.race([first, sleep(30).then(() => 'nothing')])).toBe('nothing')
  await open.commit()
  expect(await first).toMatchObject({
    value: { channel: 'a', payload: 'at commit', pid: process.pid, session: sender.id },
  })
  expect(sender.id).not.toBe(session.id)
  // A synchronous one, and one's own.
  session.transactionSync((tx) => tx.notify('a', 'own'))
  expect(await stream.next()).toMatchObject({ value: { payload: 'own', session: session.id } })
})

test('limits and their errors are those of PostgreSQL', async () => {
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      ({ code, message }) => ({ code, message }),
    )
  for (const [channel, payload] of [
    ['', 'x'],
    ['c'.repeat(64), 'x'],
    ['a', 'p'.repeat(8000)],
    ['ü'.repeat(32), ''],
  ] as const) {
    const theirs = await refusal(client.query('select pg_notify($1, $2)', [channel, payload]))
    expect(theirs).toBeDefined()
    expect(await refusal(session.notify(channel, payload))).toEqual(theirs)
  }
  await session.notify('c'.repeat(63), '')
  expect(() => session.listen('')).toThrow(expect.objectContaining({ code: '22023' }))
  await expect(session.notify('a', 'x\0y')).rejects.toMatchObject({ code: '22021' })

  await client.query("begin; notify a, 'x'")
  const theirs = await refusal(client.query("prepare transaction 'p'"))
  await client.query('rollback')
  expect(theirs).toMatchObject({ code: '0A000' })
  expect(await refusal(session.prepareTransaction('p', (tx) => tx.notify('a', 'x')))).toEqual(
    theirs,
  )
})

test('databases do not hear each other', async () => {
  await session.createDatabase('other')
  await using elsewhere = await cluster.connect({ database: 'other' })
  await using here = session.listen('a')
  await using there = elsewhere.listen('a')
  await elsewhere.notify('a', 'there')
  await session.notify('a', 'here')
  await session.notify('a', 'end')
  await elsewhere.notify('a', 'end')
  expect(await hear(here, 'end')).toEqual(['a:here'])
  expect(await hear(there, 'end')).toEqual(['a:there'])
})

test('a stream ends with its session, its signal, or when it is left', async () => {
  const own = await cluster.connect()
  const heard: string[] = []
  const loop = (async () => {
    for await (const { payload } of own.listen('a')) heard.push(payload)
  })()
  await session.notify('a', '1')
  await expect.poll(() => heard).toEqual(['1'])
  await own.close()
  await loop

  const controller = new AbortController()
  const stream = session.listen('a', { signal: controller.signal })
  const waiting = stream.next()
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: '57014' })
  await expect(stream.next()).rejects.toMatchObject({ code: '57014' })

  const left = session.listen('a')
  await session.notify('a', '2')
  for await (const { payload } of left) {
    expect(payload).toBe('2')
    break
  }
  expect(await left.next()).toEqual({ value: undefined, done: true })
  await expect(async () => own.listen('a')).rejects.toMatchObject({ code: '08003' })
})

test('a slow listener misses nothing, and the queue empties', async () => {
  await using slow = session.listen('many')
  await using sender = await cluster.connect()
  const payload = (i: number) => `${i}`.padEnd(3000, '.')
  for (let i = 0; i < 400; i++) await sender.notify('many', payload(i))
  expect(cluster.notificationQueueUsage()).toBeGreaterThan(0.0001)
  for (let i = 0; i < 400; i++) {
    const { value } = (await slow.next()) as IteratorResult<Notification, undefined>
    expect(value?.payload).toBe(payload(i))
  }
  expect(cluster.notificationQueueUsage()).toBeLessThan(0.00001)
})

test('all listeners hear the same order, and see what was committed', async () => {
  await session.createTable('events', { columns: { id: 'int4 primary key' } })
  const streams = [session.listen('events'), session.listen('events'), session.listen('events')]
  const senders = await Promise.all(Array.from({ length: 4 }, () => cluster.connect()))
  const events = session.table<{ id: number }>('events')
  const reading = streams.map(async (stream) => {
    const order: number[] = []
    for await (const { payload } of stream) {
      const id = Number(payload)
      expect(events.get(id)).toEqual({ id })
      order.push(id)
      if (order.length === 200) break
    }
    return order
  })
  await Promise.all(
    senders.map(async (sender, which) => {
      const table = sender.table<{ id: number }>('events')
      for (let i = 0; i < 50; i++) {
        const id = which * 1000 + i
        await sender.transaction(async (tx) => {
          tx.insert(table, { id })
          await tx.notify('events', `${id}`)
        })
      }
    }),
  )
  const orders = await Promise.all(reading)
  expect(orders[1]).toEqual(orders[0])
  expect(orders[2]).toEqual(orders[0])
  expect(new Set(orders[0]).size).toBe(200)
  for (const sender of senders) await sender.close()
})

test('an open stream does not hold up the end of the cluster', async () => {
  const own = await Cluster.open(temporaryDirectory('notify-end'), {
    create: true,
    settings: { fsync: false },
  })
  const stream = (await own.connect()).listen('a')
  const waiting = stream.next()
  await own.close()
  expect(await waiting).toEqual({ value: undefined, done: true })
})
