// Savepoints against a model.
// Goal: a savepoint is all or nothing inside its transaction, at any depth; an error in one leaves the transaction
// around it alive; DDL in one comes and goes with it; others see nothing before the end. Method: named cases, then
// random trees of savepoints beside a model that keeps a state per level.
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
let session: Session
let other: Session
let names = 0

beforeAll(async () => {
  console.log(`savepoints: PGDATA_SEED=${seed}`)
  const directory = temporaryDirectory('sp')
  await Cluster.init(directory)
  cluster = await Cluster.open(directory, { settings: { fsync: false } })
  session = await cluster.connect()
  other = await cluster.connect()
})

afterAll(() => cluster.close())

async function newTable(): Promise<Table<Row>> {
  const name = `t${++names}`
  await session.createTable(name, { columns: { id: 'int4 primary key', value: 'text not null' } })
  const table = session.table<Row>(name)
  await table.insertMany([1, 2, 3].map((id) => ({ id, value: `first ${id}` })))
  return table
}

const ids = (table: Table<Row>) => [...table.range()].map(({ id }) => id)

test('an error in a savepoint undoes it alone', async () => {
  const table = await newTable()
  const seen = await session.transaction(async (tx) => {
    tx.insert(table, { id: 4, value: 'before' })
    const failed = tx.savepoint(async (savepoint) => {
      savepoint.insert(table, { id: 5, value: 'undone' })
      await savepoint.update(table, 1, { value: 'undone' })
      await savepoint.delete(table, 2)
      expect(ids(table)).toEqual([1, 3, 4, 5])
      savepoint.insert(table, { id: 4, value: 'twice' })
    })
    await expect(failed).rejects.toMatchObject({ code: '23505' })
    expect(ids(table)).toEqual([1, 2, 3, 4])
    expect(table.get(1)?.value).toBe('first 1')
    return tx.savepoint(async (savepoint) => {
      savepoint.insert(table, { id: 5, value: 'kept' })
      await savepoint.update(table, 1, { value: 'kept' })
      return ids(table)
    })
  })
  expect(seen).toEqual([1, 2, 3, 4, 5])
  expect(table.get(1)?.value).toBe('kept')
})

test('a failed write inside makes the savepoint fail, whatever its body does', async () => {
  const table = await newTable()
  await session.transaction(async (tx) => {
    const work = tx.savepoint((savepoint) => {
      expect(() => savepoint.insert(table, { id: 1, value: 'twice' })).toThrow()
      expect(() => savepoint.insert(table, { id: 9, value: 'fine' })).toThrow(
        expect.objectContaining({ code: '25P02' }),
      )
    })
    await expect(work).rejects.toMatchObject({ code: '25P02' })
    tx.insert(table, { id: 4, value: 'goes on' })
  })
  expect(ids(table)).toEqual([1, 2, 3, 4])
})

test('what was released goes with the savepoint around it', async () => {
  const table = await newTable()
  await session.transaction(async (tx) => {
    await tx
      .savepoint(async (outer) => {
        await outer.savepoint((inner) => inner.insert(table, { id: 4, value: 'released' }))
        expect(ids(table)).toEqual([1, 2, 3, 4])
        throw new Error('undo')
      })
      .catch(() => undefined)
    expect(ids(table)).toEqual([1, 2, 3])
  })
  expect(ids(table)).toEqual([1, 2, 3])
})

test('savepoints of a synchronous transaction', async () => {
  const table = await newTable()
  session.transactionSync((tx) => {
    expect(() =>
      tx.savepointSync((savepoint) => {
        savepoint.insert(table, { id: 4, value: 'undone' })
        throw new Error('undo')
      }),
    ).toThrow('undo')
    tx.savepointSync((savepoint) => savepoint.insert(table, { id: 5, value: 'kept' }))
    expect(() => tx.savepointSync(async () => undefined)).toThrow(TypeError)
  })
  expect(ids(table)).toEqual([1, 2, 3, 5])
})

test('a transaction inside a transaction is a savepoint', async () => {
  const table = await newTable()
  await session.transaction(async (tx) => {
    tx.insert(table, { id: 4, value: 'outer' })
    const work = session.transaction((inner) => {
      inner.insert(table, { id: 5, value: 'inner' })
      throw new Error('undo')
    })
    await expect(work).rejects.toThrow('undo')
    await tx.transaction((inner) => inner.insert(table, { id: 6, value: 'inner' }))
    // Methods of their own transaction become savepoints, too.
    await table.insert({ id: 7, value: 'inner' })
    await expect(table.insert({ id: 7, value: 'twice' })).rejects.toMatchObject({ code: '23505' })
    session.transactionSync((inner) => inner.insert(table, { id: 8, value: 'inner' }))
    await expect(
      session.transaction(() => undefined, { isolation: 'serializable' }),
    ).rejects.toMatchObject({ code: '25001' })
    await expect(session.createDatabase('inside')).rejects.toMatchObject({ code: '25001' })
    expect(other.table<Row>(table.name).get(4)).toBeUndefined()
  })
  expect(ids(table)).toEqual([1, 2, 3, 4, 6, 7, 8])
})

test('the outer object is refused while a savepoint is open, and any after its end', async () => {
  const table = await newTable()
  let kept: Transaction | undefined
  await session.transaction(async (tx) => {
    await tx.savepoint((savepoint) => {
      kept = savepoint
      expect(() => tx.insert(table, { id: 4, value: 'outer' })).toThrow(
        expect.objectContaining({ code: '25001' }),
      )
    })
    expect(() => kept?.insert(table, { id: 4, value: 'late' })).toThrow(
      expect.objectContaining({ code: '25P01' }),
    )
    tx.insert(table, { id: 4, value: 'outer' })
  })
  expect(ids(table)).toEqual([1, 2, 3, 4])
})

test('savepoints asked for at once run one after the other, and the commit waits for them', async () => {
  const table = await newTable()
  await session.transaction((tx) => {
    for (let id = 10; id < 20; id++) {
      void tx
        .savepoint(async (savepoint) => {
          savepoint.insert(table, { id, value: 'in turn' })
          await new Promise((resolve) => setTimeout(resolve, 1))
          if (id % 2 === 0) throw new Error('undo')
        })
        .catch(() => undefined)
    }
  })
  expect(ids(table)).toEqual([1, 2, 3, 11, 13, 15, 17, 19])
})

test('an aborted signal rolls the savepoint back, and the transaction goes on', async () => {
  const table = await newTable()
  await session.transaction(async (tx) => {
    const stop = new AbortController()
    const work = tx.savepoint(
      async (savepoint) => {
        savepoint.insert(table, { id: 4, value: 'unfinished' })
        setTimeout(() => stop.abort(), 5)
        await new Promise(() => undefined)
      },
      { signal: stop.signal },
    )
    await expect(work).rejects.toMatchObject({ code: '57014' })
    tx.insert(table, { id: 5, value: 'finished' })
  })
  expect(ids(table)).toEqual([1, 2, 3, 5])
})

test('when the transaction ends, so do the savepoints in it', async () => {
  const table = await newTable()
  const stop = new AbortController()
  let late: Promise<void> | undefined
  const work = session.transaction(
    async (tx) => {
      await tx.savepoint(async (savepoint) => {
        savepoint.insert(table, { id: 4, value: 'undone' })
        late = (async () => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          savepoint.insert(table, { id: 5, value: 'late' })
        })()
        late.catch(() => undefined)
        setTimeout(() => stop.abort(), 5)
        await new Promise(() => undefined)
      })
    },
    { signal: stop.signal },
  )
  await expect(work).rejects.toMatchObject({ code: '57014' })
  await session.transaction(async (tx) => {
    await expect(late).rejects.toMatchObject({ code: '25P01' })
    tx.insert(table, { id: 6, value: 'next' })
  })
  expect(ids(table)).toEqual([1, 2, 3, 6])
})

test('a read-only savepoint', async () => {
  const table = await newTable()
  await session.transaction(async (tx) => {
    const work = tx.savepoint((savepoint) => savepoint.insert(table, { id: 4, value: 'no' }), {
      readOnly: true,
    })
    await expect(work).rejects.toMatchObject({ code: '25006' })
    tx.insert(table, { id: 4, value: 'yes' })
  })
  expect(table.get(4)?.value).toBe('yes')
})

test('definitions in a savepoint come and go with it', async () => {
  await session.transaction(async (tx) => {
    await tx
      .savepoint((savepoint) => {
        savepoint.createTable('undone', { columns: { id: 'int4 primary key', value: 'text' } })
        savepoint.insert(session.table<Row>('undone'), { id: 1, value: 'gone' })
        throw new Error('undo')
      })
      .catch(() => undefined)
    expect(() => session.table('undone')).toThrow(expect.objectContaining({ code: '42P01' }))
    tx.createTable('kept', { columns: { id: 'int4 primary key', value: 'text' } })
    const kept = session.table<Row>('kept')
    tx.insert(kept, { id: 1, value: 'one' }, { id: 2, value: 'two' })
    for (const [what, change] of [
      ['truncate', (savepoint: Transaction) => savepoint.truncate('kept')],
      ['drop', (savepoint: Transaction) => savepoint.dropTable('kept')],
      [
        'index',
        (savepoint: Transaction) =>
          savepoint.createIndex('kept', { name: 'i', columns: ['value'] }),
      ],
    ] as const) {
      await tx
        .savepoint((savepoint) => {
          change(savepoint)
          if (what === 'truncate') expect(ids(kept)).toEqual([])
          if (what === 'drop') expect(() => kept.get(1)).toThrow()
          throw new Error('undo')
        })
        .catch((error: Error) => expect(error.message).toBe('undo'))
      expect(ids(kept)).toEqual([1, 2])
      expect(() => [...kept.range({ index: 'i' })]).toThrow(
        expect.objectContaining({ code: '42704' }),
      )
      tx.insert(kept, { id: 10 + ids(kept).length, value: what })
      await tx.delete(kept, 12)
    }
    // The names are free again.
    await tx.savepoint((savepoint) => savepoint.createTable('undone', { columns: { a: 'text' } }))
    await tx.savepoint((savepoint) =>
      savepoint.createIndex('kept', { name: 'i', columns: ['value'] }),
    )
  })
  const kept = session.table<Row>('kept')
  expect([...kept.range({ index: 'i' })].map(({ id }) => id)).toEqual([1, 2])
  expect(session.table('undone').columns).toEqual(['a'])
  expect([...session.table('undone').scan()]).toEqual([])
})

test('a scan ends with the savepoint it began in, if that is rolled back', async () => {
  const table = await newTable()
  await session.transaction(async (tx) => {
    const outside = table.scan()
    expect(outside.next().value.id).toBe(1)
    let undone: IterableIterator<Row> | undefined
    let released: IterableIterator<Row> | undefined
    await tx
      .savepoint((savepoint) => {
        savepoint.insert(table, { id: 4, value: 'undone' })
        undone = table.scan()
        throw new Error('undo')
      })
      .catch(() => undefined)
    expect(() => undone?.next()).toThrow()
    await tx.savepoint((savepoint) => {
      savepoint.insert(table, { id: 5, value: 'kept' })
      released = table.scan()
    })
    expect([...(released as IterableIterator<Row>)].map(({ id }) => id)).toEqual([1, 2, 3, 5])
    expect([...outside].map(({ id }) => id)).toEqual([2, 3])
  })
})

test('random trees of savepoints leave what the model says', { timeout: 120_000 }, async () => {
  const random = new Random(seed)
  const table = await newTable()
  const others = other.table<Row>(table.name)
  const undo = new Error('undo')
  let committed = new Map([...table.scan()].map(({ id, value }) => [id, value]))
  const sorted = (model: Map<number, string>) =>
    [...model].sort(([a], [b]) => a - b).map(([id, value]) => ({ id, value }))

  // Returns what the model holds after the steps.
  async function steps(tx: Transaction, before: Map<number, string>, depth: number) {
    let model = new Map(before)
    for (let step = random.int(1, 6); step > 0; step--) {
      const id = random.int(1, 40)
      const value = `${'v'.repeat(random.pick([1, 20, 2500]))}`
      if (depth < 5 && random.chance(0.35)) {
        const keep = random.chance(0.6)
        let inside = model
        const work = tx.savepoint(async (savepoint) => {
          inside = await steps(savepoint, model, depth + 1)
          if (!keep) throw undo
        })
        if (keep) {
          await work
          model = inside
        } else {
          await expect(work).rejects.toBe(undo)
        }
      } else if (!model.has(id)) {
        tx.insert(table, { id, value })
        model.set(id, value)
      } else if (random.chance(0.6)) {
        expect(await tx.update(table, id, { value })).toBe(true)
        model.set(id, value)
      } else {
        expect(await tx.delete(table, id)).toBe(true)
        model.delete(id)
      }
      if (random.chance(0.1)) expect([...table.range()]).toEqual(sorted(model))
    }
    if (depth === 0) expect([...table.range()]).toEqual(sorted(model))
    return model
  }

  for (let round = 0; round < 30; round++) {
    const keep = random.chance(0.7)
    let model = committed
    const work = session.transaction(async (tx) => {
      model = await steps(tx, committed, 0)
      expect([...others.range()]).toEqual(sorted(committed))
      if (!keep) throw undo
    })
    if (keep) {
      await work
      committed = model
    } else {
      await expect(work).rejects.toBe(undo)
    }
    expect([...others.range()]).toEqual(sorted(committed))
    expect([...table.scan()].sort((a, b) => a.id - b.id)).toEqual(sorted(committed))
  }
})
