// Advisory locks against PostgreSQL.
// Goal: they are taken, counted, shown, waited for and given back as pg_advisory_* do it. Method: the same steps on stock
// and on pgdata; after each, what pg_locks shows of them is compared.
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type AdvisoryKey, Cluster, type PgError, type Session } from '../../src-ts/index.ts'
import { OpenTransaction } from '../isolation/open-transaction.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

let oracle: Oracle
let client: pg.Client
let cluster: Cluster
const notices: PgError[] = []

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start({ max_prepared_transactions: 5 })
  client = await oracle.client()
  cluster = await Cluster.open(temporaryDirectory('advisory'), {
    create: true,
    settings: { fsync: false, max_prepared_transactions: 5 },
    onNotice: (notice) => notices.push(notice),
  })
})

afterAll(async () => {
  await cluster.close()
  await oracle[Symbol.asyncDispose]()
})

afterEach(async () => {
  await client.query('rollback; select pg_advisory_unlock_all()')
})

type Shown = [classid: number, objid: number, objsubid: number, mode: string, granted: boolean]
const ordered = (rows: Shown[]) => rows.map((row) => row.join(' ')).sort()

async function stockShows(): Promise<string[]> {
  const { rows } = await client.query({
    text: `select classid::int8::text, objid::int8::text, objsubid::int4::text, mode, granted
      from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`,
    rowMode: 'array',
  })
  return ordered(rows as Shown[])
}

function weShow(): string[] {
  return ordered(
    cluster
      .locks()
      .filter(({ locktype }) => locktype === 'advisory')
      .map(
        ({ classid, objid, objsubid, mode, granted }) =>
          [classid, objid, objsubid, mode, granted] as Shown,
      ),
  )
}

async function expectSameLocks(count: number): Promise<void> {
  const shown = weShow()
  expect(shown).toEqual(await stockShows())
  expect(shown).toHaveLength(count)
}

// The key as arguments in SQL.
const inSql = (key: AdvisoryKey) => (typeof key === 'object' ? key.join(', ') : `'${key}'::int8`)

test('keys of both kinds are shown as pg_locks shows them', async () => {
  await using session = await cluster.connect()
  const keys: AdvisoryKey[] = [
    1,
    -1,
    2 ** 40 + 5,
    -(2n ** 63n),
    2n ** 63n - 1n,
    [0, 1],
    [-1, -2],
    [2 ** 31 - 1, -(2 ** 31)],
  ]
  for (const [i, key] of keys.entries()) {
    const shared = i % 2 === 1
    await session.advisoryLock(key, { shared })
    await client.query(`select pg_advisory_lock${shared ? '_shared' : ''}(${inSql(key)})`)
    await expectSameLocks(i + 1)
  }
  // Each as often as it was taken.
  await session.advisoryLock(1)
  await client.query('select pg_advisory_lock(1)')
  await expectSameLocks(keys.length)
  for (const expected of [true, true, false]) {
    const { rows } = await client.query('select pg_advisory_unlock(1) as released')
    expect(rows).toEqual([{ released: expected }])
    expect(await session.advisoryUnlock(1)).toBe(expected)
  }
  await expectSameLocks(keys.length - 1)
  await session.advisoryUnlockAll()
  await client.query('select pg_advisory_unlock_all()')
  await expectSameLocks(0)
})

test('unlocking what is not held warns as PostgreSQL does', async () => {
  await using session = await cluster.connect()
  const warnings: unknown[] = []
  const listen = (warning: unknown) => warnings.push(warning)
  client.on('notice', listen)
  notices.length = 0
  for (const shared of [false, true]) {
    await client.query(`select pg_advisory_unlock${shared ? '_shared' : ''}(77, 78)`)
    expect(await session.advisoryUnlock([77, 78], { shared })).toBe(false)
  }
  client.off('notice', listen)
  expect(notices.map(({ code, message }) => ({ code, message }))).toEqual(
    (warnings as PgError[]).map(({ code, message }) => ({ code, message })),
  )
  expect(notices).toHaveLength(2)
})

test('those of a transaction end with it, those of the session do not', async () => {
  await using session = await cluster.connect()
  await client.query('begin')
  const open = new OpenTransaction(session, {})
  await open.begun
  await client.query('select pg_advisory_xact_lock(10), pg_advisory_lock(11), pg_advisory_lock(12)')
  await open.tx.advisoryLock(10)
  expect(await open.tx.tryAdvisoryLock(10, { shared: true })).toBe(true)
  await client.query('select pg_try_advisory_xact_lock_shared(10)')
  const outside = session.advisoryLock(11)
  expect(weShow()).toHaveLength(2)
  // A savepoint gives back what was taken in it.
  await client.query('savepoint s')
  await client.query('select pg_advisory_xact_lock(13)')
  await client.query('rollback to s')
  await open.tx
    .savepoint(async (inner) => {
      await inner.advisoryLock(13)
      throw new Error('undo')
    })
    .catch(() => undefined)
  // The transaction's own cannot be unlocked.
  expect((await client.query('select pg_advisory_unlock(10) as r')).rows).toEqual([{ r: false }])
  await client.query('rollback')
  await open.rollBack()
  await outside
  await session.advisoryLock(12)
  await expectSameLocks(2)
  expect(await session.advisoryUnlock(10)).toBe(false)
  await client.query('select pg_advisory_unlock_all()')
  await session.advisoryUnlockAll()
  await expectSameLocks(0)
})

test('a session lock that was taken in a transaction outlives its rollback', async () => {
  await using session = await cluster.connect()
  await expect(
    session.transaction(async () => {
      await session.advisoryLock(20)
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  await client.query('begin; select pg_advisory_lock(20); rollback')
  await expectSameLocks(1)
  await client.query('select pg_advisory_unlock(20)')
  expect(await session.advisoryUnlock(20)).toBe(true)
  await expectSameLocks(0)
})

test('waiters are shown, woken in order, and give up', async () => {
  await using one = await cluster.connect()
  await using two = await cluster.connect()
  await using three = await cluster.connect()
  const others = [await oracle.client(), await oracle.client()] as const
  await one.advisoryLock(30)
  await client.query('select pg_advisory_lock(30)')
  expect(await two.tryAdvisoryLock(30)).toBe(false)
  const order: string[] = []
  const second = two.advisoryLock(30).then(() => order.push('second'))
  const third = three.advisoryLock(30, { shared: true }).then(() => order.push('third'))
  const stockSecond = others[0].query('select pg_advisory_lock(30)')
  await expect.poll(stockShows).toHaveLength(2)
  const stockThird = others[1].query('select pg_advisory_lock_shared(30)')
  await expect.poll(stockShows).toHaveLength(3)
  await expectSameLocks(3)
  await one.advisoryUnlock(30)
  await second
  expect(order).toEqual(['second'])
  await client.query('select pg_advisory_unlock(30)')
  await stockSecond
  await expectSameLocks(2)
  await two.close()
  await third
  await others[0].end()
  await stockThird
  await expectSameLocks(1)
  await others[1].end()
  await three.advisoryUnlockAll()

  // A time that is up, and a signal.
  await one.advisoryLock(31)
  await expect(three.advisoryLock(31, { lockTimeout: 20 })).rejects.toMatchObject({
    code: '55P03',
    message: 'canceling statement due to lock timeout',
  })
  const controller = new AbortController()
  const given = three.advisoryLock(31, { signal: controller.signal })
  setTimeout(() => controller.abort(), 20)
  await expect(given).rejects.toMatchObject({ code: '57014' })
  expect(weShow()).toHaveLength(1)
  await one.advisoryUnlock(31)
  expect(await three.tryAdvisoryLock(31)).toBe(true)
})

test('a synchronous transaction does not wait', async () => {
  await using one = await cluster.connect()
  await using two = await cluster.connect()
  await one.advisoryLock(40)
  expect(two.transactionSync((tx) => tx.tryAdvisoryLock(40))).toBe(false)
  expect(() => two.transactionSync((tx) => tx.advisoryLock(40))).toThrow(
    expect.objectContaining({ code: '55P03' }),
  )
  two.transactionSync((tx) => {
    tx.advisoryLock(41)
    expect(weShow()).toHaveLength(2)
  })
  expect(weShow()).toHaveLength(1)
})

test('a deadlock over an advisory key and a table is found', async () => {
  await using one: Session = await cluster.connect()
  await using two: Session = await cluster.connect()
  await one.createTable('deadly', { columns: { id: 'int4 primary key' } })
  await one.advisoryLock(50)
  const table = two.table('deadly')
  const open = new OpenTransaction(two, { deadlockTimeout: 20 })
  await open.begun
  await open.tx.lockTable(table)
  const first = one.transaction(async (tx) => {
    await tx.lockTable(one.table('deadly'))
  })
  const second = (async () => open.tx.advisoryLock(50))()
  await expect(second).rejects.toMatchObject({
    code: '40P01',
    detail: expect.stringMatching(
      /waits for ExclusiveLock on advisory lock \[\d+,0,50,1\][\s\S]*waits for AccessExclusiveLock on relation/,
    ),
  })
  await first
  await open.rollBack().catch(() => undefined)
})

test('a prepared transaction keeps its own, not those of the session', async () => {
  const session = await cluster.connect()
  const other = await oracle.client()
  await session.advisoryLock(60)
  await other.query('select pg_advisory_lock(60)')
  await session.prepareTransaction('keeps', async (tx) => {
    await tx.advisoryLock(61)
    tx.transactionId()
  })
  await other.query(
    "begin; select pg_advisory_xact_lock(61), txid_current(); prepare transaction 'keeps'",
  )
  await expectSameLocks(2)
  await session.close()
  await other.end()
  await expect.poll(stockShows).toHaveLength(1)
  await expectSameLocks(1)
  await cluster.commitPrepared('keeps')
  await client.query("commit prepared 'keeps'")
  await expectSameLocks(0)

  await using both = await cluster.connect()
  await both.advisoryLock(62)
  const ours = await both
    .prepareTransaction('both', (tx) => tx.advisoryLock(62))
    .catch(({ code, message }) => ({ code, message }))
  await client.query('select pg_advisory_lock(62)')
  const theirs = client.query("begin; select pg_advisory_xact_lock(62); prepare transaction 'both'")
  const refusal = await theirs.then(
    () => undefined,
    ({ code, message }) => ({ code, message }),
  )
  expect(refusal).toMatchObject({ code: '0A000' })
  expect(ours).toEqual(refusal)
})

test('advisory locks of prepared transactions outlive the engine', async () => {
  const directory = temporaryDirectory('advisory-prepared')
  const settings = { fsync: false, max_prepared_transactions: 2 }
  const before = await Cluster.open(directory, { create: true, settings })
  const session = await before.connect()
  await session.prepareTransaction('kept', (tx) => tx.advisoryLock([7, 8]))
  await before.close()

  const server = Oracle.adopt(directory)
  await server.start({ max_prepared_transactions: 2 })
  const stock = await server.client()
  const { rows } = await stock.query(
    "select classid::int4, objid::int4, objsubid, mode from pg_locks where locktype = 'advisory'",
  )
  expect(rows).toEqual([{ classid: 7, objid: 8, objsubid: 2, mode: 'ExclusiveLock' }])
  await server.stop()

  await using after = await Cluster.open(directory, { settings })
  await using again = await after.connect()
  expect(await again.tryAdvisoryLock([7, 8])).toBe(false)
  await after.rollbackPrepared('kept')
  expect(await again.tryAdvisoryLock([7, 8])).toBe(true)
})

test('keys that are none are refused', async () => {
  await using session = await cluster.connect()
  await expect(session.advisoryLock(2n ** 63n)).rejects.toMatchObject({ code: '22003' })
  await expect(session.advisoryLock([2 ** 31, 0])).rejects.toMatchObject({ code: '22003' })
  await expect(session.advisoryLock(1.5)).rejects.toThrow(TypeError)
})
