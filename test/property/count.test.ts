// count(*), from pages, remembered counts and index entries.
// Goal: it is the number of rows that a scan finds, whatever was deleted, rolled back, vacuumed or is in progress.
// Method: random writes and vacuums of a table with unique entries and of one with posting lists, counted by a session
// in between, by the writer, and by a transaction with an old snapshot.
import { expect, test } from 'vitest'
import { Cluster, type Session, type Table } from '../../src-ts/index.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  kind: number
  note: string
}

const seed = Number(process.env.PGDATA_SEED ?? 18)

async function expectCount(table: Table<Row>): Promise<number> {
  const rows = [...table.scan()].length
  expect((await table.aggregate({ count: true })).count).toBe(rows)
  return rows
}

async function step(random: Random, writer: Session, table: Table<Row>): Promise<void> {
  if (random.chance(0.3)) return void (await writer.vacuum(table.name, { truncate: false }))
  await writer
    .transaction(async (tx) => {
      const first = random.int(0, 3000)
      for (let id = first; id < first + random.int(1, 60); id++) {
        if (random.chance(0.5)) await tx.delete(table, id)
        else await tx.update(table, id, { kind: random.int(0, 5), note: 'x'.repeat(id % 50) })
      }
      if (random.chance(0.5)) {
        const id = 10_000 + random.int(0, 1_000_000)
        for (let i = random.int(1, 300); i > 0; i--) {
          tx.insert(table, { id: id + 1_000_000 * i, kind: 7, note: 'new' })
        }
      }
      await expectCount(table)
      if (random.chance(0.3)) throw new Error('rolled back on purpose')
    })
    .catch((error) => {
      if (!/on purpose/.test(error.message)) throw error
    })
}

test('a count is the number of rows that a scan finds', { timeout: 150_000 }, async () => {
  console.log(`count: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  await using cluster = await Cluster.open(temporaryDirectory('count'), {
    create: true,
    settings: { fsync: false },
  })
  await using writer = await cluster.connect()
  await using reader = await cluster.connect()
  await using old = await cluster.connect()
  for (const smallest of ['id', 'kind']) {
    await writer.createTable(smallest, {
      columns: { id: 'int4 primary key', kind: 'int4', note: 'text' },
    })
    // Its duplicates make it smaller than the primary key's.
    if (smallest === 'kind') await writer.createIndex(smallest, { columns: ['kind'] })
    const table = writer.table<Row>(smallest)
    await table.insertMany(
      Array.from({ length: 3000 }, (_, id) => ({ id, kind: id % 5, note: 'x'.repeat(id % 90) })),
    )
    for (let round = 0; round < 5; round++) {
      await old.transaction(
        async () => {
          const before = await expectCount(old.table<Row>(smallest))
          for (let i = 0; i < 6; i++) {
            await step(random, writer, table)
            await expectCount(reader.table<Row>(smallest))
            expect((await old.table(smallest).aggregate({ count: true })).count).toBe(before)
          }
        },
        { isolation: 'repeatable read' },
      )
    }
  }
})

test('a vacuumed table is counted by its index', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('count'), { create: true })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int8 primary key', note: 'text' } })
  const table = session.table<{ id: number; note: string }>('t')
  await table.insertMany(Array.from({ length: 20_000 }, (_, id) => ({ id, note: 'x'.repeat(100) })))
  const pagesRead = async () => {
    const before = cluster.statistics().buffer_hits as number
    expect((await table.aggregate({ count: true })).count).toBe(20_000)
    return (cluster.statistics().buffer_hits as number) - before
  }
  const pages = await pagesRead()
  await session.vacuum('t')
  expect(await pagesRead()).toBeLessThan(pages / 3)
})
