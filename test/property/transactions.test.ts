// Transactions against a model.
// Goal: what a transaction sees and leaves is what its isolation level promises, whatever else goes on, and a
// finished transaction is refused. Method: named cases, then random transactions of two sessions beside a model
// that keeps every committed state.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type Session, type Table, type Transaction } from '../../src-ts/index.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  value: string
}

const seed = Number(process.env.PGDATA_SEED ?? 18)

let cluster: Cluster
let one: Session
let two: Session
let names = 0

beforeAll(async () => {
  console.log(`transactions: PGDATA_SEED=${seed}`)
  const directory = temporaryDirectory('tx')
  await Cluster.init(directory)
  cluster = await Cluster.open(directory, { settings: { fsync: false } })
  one = await cluster.connect()
  two = await cluster.connect()
})

afterAll(() => cluster.close())

// A new table with rows 1 to 5, as both sessions see it.
async function newTable(): Promise<[Table<Row>, Table<Row>]> {
  const name = `t${++names}`
  await one.createTable(name, { columns: { id: 'int4 primary key', value: 'text not null' } })
  const tables = [one.table<Row>(name), two.table<Row>(name)] as [Table<Row>, Table<Row>]
  await tables[0].insertMany([1, 2, 3, 4, 5].map((id) => ({ id, value: `first ${id}` })))
  return tables
}

function contents(table: Table<Row>): Record<number, string> {
  return Object.fromEntries([...table.scan()].map(({ id, value }) => [id, value]))
}

test('what the body throws rolls everything back and comes out', async () => {
  const [table] = await newTable()
  const before = contents(table)
  const thrown = new Error('mine')
  const work = one.transaction(async (tx) => {
    tx.insert(table, { id: 6, value: 'new' })
    await tx.update(table, 1, { value: 'changed' })
    await tx.delete(table, 2)
    expect(contents(table)).toEqual({
      1: 'changed',
      3: 'first 3',
      4: 'first 4',
      5: 'first 5',
      6: 'new',
    })
    throw thrown
  })
  await expect(work).rejects.toBe(thrown)
  expect(contents(table)).toEqual(before)
  expect([...table.range()].length).toBe(5)
})

test('after a failed write nothing but rolling back is possible', async () => {
  const [table] = await newTable()
  const work = one.transaction((tx) => {
    tx.insert(table, { id: 7, value: 'goes with it' })
    expect(() => tx.insert(table, { id: 1, value: 'twice' })).toThrow(
      expect.objectContaining({ code: '23505' }),
    )
    expect(() => tx.insert(table, { id: 8, value: 'fine' })).toThrow(
      expect.objectContaining({ code: '25P02' }),
    )
  })
  await expect(work).rejects.toMatchObject({ code: '25P02' })
  expect(table.get(7)).toBeUndefined()
})

test('a transaction that has ended is refused', async () => {
  const [table] = await newTable()
  let kept: Transaction | undefined
  await one.transaction((tx) => {
    kept = tx
  })
  expect(() => kept?.insert(table, { id: 9, value: 'late' })).toThrow(
    expect.objectContaining({ code: '25P01' }),
  )
  await expect(kept?.update(table, 1, { value: 'late' })).rejects.toMatchObject({ code: '25P01' })
  expect(contents(table)[1]).toBe('first 1')
})

test('a read-only transaction reads and does not write', async () => {
  const [table] = await newTable()
  const work = one.transaction(
    (tx) => {
      expect(table.get(1)).toEqual({ id: 1, value: 'first 1' })
      tx.insert(table, { id: 6, value: 'no' })
    },
    { readOnly: true },
  )
  await expect(work).rejects.toMatchObject({ code: '25006' })
  expect(table.get(6)).toBeUndefined()
})

test('an aborted signal rolls back', async () => {
  const [table] = await newTable()
  const stop = new AbortController()
  const work = one.transaction(
    async (tx) => {
      tx.insert(table, { id: 6, value: 'unfinished' })
      setTimeout(() => stop.abort(), 5)
      await new Promise(() => undefined)
    },
    { signal: stop.signal },
  )
  await expect(work).rejects.toMatchObject({ code: '57014' })
  expect(table.get(6)).toBeUndefined()
  await expect(one.transaction(() => 1, { signal: stop.signal })).rejects.toMatchObject({
    code: '57014',
  })
  // The session goes on.
  await table.insert({ id: 6, value: 'finished' })
  expect(table.get(6)?.value).toBe('finished')
})

test('repeatable read keeps its snapshot, read committed takes a new one', async () => {
  const [mine, others] = await newTable()
  const before = contents(mine)
  await one.transaction(
    async () => {
      expect(contents(mine)).toEqual(before)
      await others.insert({ id: 6, value: 'theirs' })
      await others.update(1, { value: 'theirs' })
      await others.delete(2)
      expect(contents(mine)).toEqual(before)
      expect(mine.get(2)?.value).toBe('first 2')
      expect(mine.get(6)).toBeUndefined()
      expect([...mine.range()].length).toBe(5)
      expect(await mine.aggregate({ count: true })).toEqual({ count: 5 })
    },
    { isolation: 'repeatable read' },
  )
  await one.transaction(async () => {
    expect(mine.get(6)?.value).toBe('theirs')
    await others.insert({ id: 7, value: 'more' })
    expect(mine.get(7)?.value).toBe('more')
  })
})

test('nobody sees what is not committed, and a changed row is not lost', async () => {
  const [mine, others] = await newTable()
  await one.transaction(async (tx) => {
    await tx.update(mine, 3, { value: 'mine' })
    tx.insert(mine, { id: 6, value: 'mine' })
    expect(others.get(3)?.value).toBe('first 3')
    expect(others.get(6)).toBeUndefined()
    // They would wait for this transaction.
    const timeout = { lockTimeout: 20 }
    const refused = { code: '55P03', message: 'canceling statement due to lock timeout' }
    await expect(others.update(3, { value: 'theirs' }, timeout)).rejects.toMatchObject(refused)
    await expect(others.insert({ id: 6, value: 'theirs' }, timeout)).rejects.toMatchObject(refused)
    expect(() => two.transactionSync((sync) => sync.insert(others, { id: 6, value: '' }))).toThrow(
      expect.objectContaining({ code: '55P03', hint: expect.stringContaining('asynchronous') }),
    )
  })
  expect(contents(others)).toMatchObject({ 3: 'mine', 6: 'mine' })
  const late = one.transaction(
    async (tx) => {
      expect(mine.get(4)?.value).toBe('first 4')
      await others.update(4, { value: 'theirs' })
      await tx.update(mine, 4, { value: 'mine' })
    },
    { isolation: 'repeatable read' },
  )
  await expect(late).rejects.toMatchObject({ code: '40001' })
  expect(mine.get(4)?.value).toBe('theirs')
})

test('random transactions leave and see what the model says', { timeout: 60_000 }, async () => {
  const random = new Random(seed)
  const [mine, others] = await newTable()
  let committed = new Map([1, 2, 3, 4, 5].map((id) => [id, `first ${id}`]))
  const expectSees = (table: Table<Row>, model: Map<number, string>) => {
    const wanted = [...model].sort(([a], [b]) => a - b).map(([id, value]) => ({ id, value }))
    expect([...table.range()]).toEqual(wanted)
    expect([...table.scan()].sort((a, b) => a.id - b.id)).toEqual(wanted)
  }
  for (let round = 0; round < 150; round++) {
    const isRepeatable = random.chance(0.5)
    const isRolledBack = random.chance(0.3)
    const model = new Map(committed)
    let outside = new Map(committed)
    const rollBack = new Error('roll back')
    const work = one.transaction(
      async (tx) => {
        expectSees(mine, model)
        for (let step = random.int(0, 12); step > 0; step--) {
          const id = random.int(1, 40)
          const value = `${round} ${'v'.repeat(random.pick([1, 20, 3000]))}`
          if (!model.has(id)) {
            tx.insert(mine, { id, value })
            model.set(id, value)
          } else if (random.chance(0.6)) {
            expect(await tx.update(mine, id, { value })).toBe(true)
            model.set(id, value)
          } else {
            expect(await tx.delete(mine, id)).toBe(true)
            model.delete(id)
          }
          if (random.chance(0.3)) {
            // Keys of its own, so that nothing waits.
            const otherId = 1000 + random.int(1, 20)
            if (outside.has(otherId)) {
              await others.delete(otherId)
              outside.delete(otherId)
              if (!isRepeatable) model.delete(otherId)
            } else {
              await others.insert({ id: otherId, value })
              outside.set(otherId, value)
              if (!isRepeatable) model.set(otherId, value)
            }
          }
          if (random.chance(0.3)) expectSees(others, outside)
        }
        expectSees(mine, model)
        if (isRolledBack) throw rollBack
      },
      { isolation: isRepeatable ? 'repeatable read' : 'read committed' },
    )
    if (isRolledBack) {
      await expect(work).rejects.toBe(rollBack)
      committed = outside
    } else {
      await work
      // What the other session did to its keys, and what this one did to its own.
      committed = new Map([
        ...[...model].filter(([id]) => id < 1000),
        ...[...outside].filter(([id]) => id >= 1000),
      ])
    }
    outside = committed
    expectSees(mine, committed)
    expectSees(others, committed)
  }
})
