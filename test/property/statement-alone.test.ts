// Statements that are transactions of their own.
// Goal: one that is done in a single call is the same to everybody as one that takes several: the same errors, order and
// visibility. Method: each way around the single call, in one session, between sessions and beside another process; the whole
// directory is verified at the end.
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Member } from '../process/member.ts'
import { pgdata } from '../support/command-line.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  v: string | null
}

async function makeTable(session: Session) {
  await session.createTable('t', {
    columns: { id: 'int8', v: 'text not null' },
    primaryKey: ['id'],
  })
  return session.table<Row>('t')
}

const ids = (session: Session) =>
  [...session.table<Row>('t').scan({ columns: ['id'] })].map(({ id }) => id)

test('are durable and seen by all, or leave nothing', async () => {
  const directory = temporaryDirectory('alone')
  {
    await using cluster = await Cluster.open(directory, { create: true })
    await using session = await cluster.connect()
    await using other = await cluster.connect()
    const table = await makeTable(session)
    const syncs = () => cluster.statistics().wal_syncs as number

    const before = syncs()
    table.insertSync({ id: 1, v: 'a' })
    expect(syncs()).toBeGreaterThan(before)
    expect(other.table('t').get(1)).toEqual({ id: 1, v: 'a' })

    // The errors are those of a transaction with one statement, and the session goes on.
    const taken = { id: 1, v: 'b' }
    const errorOf = (action: () => unknown) => {
      try {
        action()
      } catch (error) {
        const { code, message, detail, constraint } = error as Record<string, unknown>
        return { code, message, detail, constraint }
      }
      return undefined
    }
    const refused = errorOf(() => table.insertSync(taken))
    expect(refused).toMatchObject({ code: '23505', constraint: 't_pkey' })
    expect(refused).toEqual(errorOf(() => session.transactionSync((tx) => tx.insert(table, taken))))
    await expect(table.insert(taken)).rejects.toMatchObject(refused as object)
    const withNull = { id: 2, v: null }
    const isNull = errorOf(() => table.insertSync(withNull))
    expect(isNull).toMatchObject({ code: '23502' })
    expect(isNull).toEqual(
      errorOf(() => session.transactionSync((tx) => tx.insert(table, withNull))),
    )
    expect(cluster.locks()).toEqual([])
    expect(table.updateSync(1, { v: 'c' })).toBe(true)
    expect(table.updateSync(3, { v: 'c' })).toBe(false)
    expect(table.deleteSync(3)).toBe(false)
    table.insertSync({ id: 3, v: 'd' })
    expect(table.deleteSync(3)).toBe(true)
    expect([...other.table('t').scan()]).toEqual([{ id: 1, v: 'c' }])

    // A row that is being read through a scan is not disturbed, and the scan sees none of it.
    await table.insertMany(Array.from({ length: 500 }, (_, i) => ({ id: 100 + i, v: 'x' })))
    const scan = table.scan()
    scan.next()
    table.insertSync({ id: 1000, v: 'e' })
    await table.insert({ id: 1001, v: 'e' })
    expect([...scan]).toHaveLength(500)
    expect(ids(other)).toHaveLength(503)
  }
  expect((await pgdata(['verify', directory])).status).toBe(0)
})

test('take their turn beside transactions', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('alone'), { create: true })
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const table = await makeTable(session)
  const theirs = other.table<Row>('t')

  // Inside a transaction it is a savepoint of that one.
  session.transactionSync((tx) => {
    tx.insert(table, { id: 1, v: 'a' })
    table.insertSync({ id: 2, v: 'a' })
    expect(() => table.insertSync({ id: 2, v: 'b' })).toThrow(/duplicate key/)
    expect(ids(other)).toEqual([])
  })
  expect(ids(other)).toEqual([1, 2])

  // While a transaction of the session is open, a promise waits for its turn; what blocks is refused.
  const order: number[] = []
  let go = () => {}
  const until = new Promise<void>((resolve) => {
    go = resolve
  })
  const first = session.transaction(async (tx) => {
    await tx.insert(table, { id: 3, v: 'a' })
    await until
    order.push(3)
  })
  const second = table.insert({ id: 4, v: 'a' }).then(() => order.push(4))
  await new Promise((resolve) => setImmediate(resolve))
  expect(() => table.insertSync({ id: 5, v: 'a' })).toThrow(
    expect.objectContaining({ code: '25001' }),
  )

  // The key of another transaction that has not ended: a promise waits, what blocks is refused.
  expect(() => theirs.insertSync({ id: 3, v: 'b' })).toThrow(
    expect.objectContaining({ code: '55P03' }),
  )
  const refusedAtLast = expect(theirs.insert({ id: 3, v: 'b' })).rejects.toMatchObject({
    code: '23505',
    detail: 'Key (id)=(3) already exists.',
  })
  // Behind it, though nothing is in its own way.
  const behind = theirs.insert({ id: 6, v: 'b' }).then(() => order.push(6))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(order).toEqual([])
  go()
  await first
  await second
  await refusedAtLast
  await behind
  expect(order[0]).toBe(3)
  expect(order.toSorted()).toEqual([3, 4, 6])
  expect(ids(session).toSorted()).toEqual([1, 2, 3, 4, 6])

  // So with the lock of a table.
  await session.transaction(async (tx) => {
    await tx.lockTable(table, 'access exclusive')
    expect(() => theirs.insertSync({ id: 7, v: 'b' })).toThrow(
      expect.objectContaining({ code: '55P03' }),
    )
  })
  theirs.insertSync({ id: 7, v: 'b' })

  await other.close()
  expect(() => theirs.insertSync({ id: 8, v: 'b' })).toThrow()
  await expect(theirs.insert({ id: 8, v: 'b' })).rejects.toThrow()
  expect(ids(session)).toContain(7)
})

test('know what other processes have redefined', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('alone')
  {
    await using cluster = await Cluster.open(directory, { create: true })
    await using session = await cluster.connect()
    const table = await makeTable(session)
    table.insertSync({ id: 1, v: 'a' })
    const member = await Member.start(directory)
    table.insertSync({ id: 2, v: 'b' })
    await member.run(({ session }) => session.createIndex('t', { columns: ['v'], name: 't_v' }))
    table.insertSync({ id: 3, v: 'c' })
    await table.insert({ id: 4, v: 'd' })
    await member.run(({ session }) => session.truncate('t'))
    table.insertSync({ id: 5, v: 'e' })
    await table.insert({ id: 6, v: 'f' })
    expect([...table.range({ index: 't_v' })].map(({ id }) => id)).toEqual([5, 6])
    await member.close()
  }
  // Heap and indexes have the same rows.
  expect((await pgdata(['verify', directory])).status).toBe(0)
})
