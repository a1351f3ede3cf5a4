// A process for wal.test.ts: opens the cluster whose directory is its argument, writes, prints what was
// committed and done as JSON, and kills itself with a transaction open and nothing flushed but the log.
import { Cluster } from '../../src-ts/index.ts'

const directory = process.argv[2] as string
const cluster = await Cluster.open(directory, { settings: { shared_buffers: '8MB' } })
const session = await cluster.connect()

interface Row {
  id: number
  k: number | null
  t: string
  v: string
}

await session.createTable('crashed', {
  columns: { id: 'int8 primary key', k: 'int4', t: 'text', v: 'text' },
})
await session.createIndex('crashed', { name: 'crashed_k', columns: ['k'] })
await session.createIndex('crashed', {
  name: 'crashed_t',
  columns: [{ column: 't', desc: true }, 'id'],
})
await session.createTable('filled', { columns: { id: 'int4', word: 'text' } })
await session.createTable('emptied', { columns: { id: 'int4 primary key' } })
await session.createTable('dropped', { columns: { id: 'int4 primary key' } })

const table = session.table<Row>('crashed')
const filled = session.table<{ id: number; word: string }>('filled')
const emptied = session.table<{ id: number }>('emptied')
const expected = new Map<number, Row>()
// What was done to the table, committed or not.
const done = { inserted: 0, updated: 0, deleted: 0 }

// In an order that splits pages everywhere, with few distinct values for k, so that pages deduplicate.
function row(i: number): Row {
  const id = (i * 7919) % 100_003
  const t = `text ${(i * 104_729) % 1009} ${'x'.repeat(i % 60)}`
  let v = `value ${i}`
  if (i % 500 === 7) v = 'compressible '.repeat(2000 + i)
  // Digits of a product sequence that pglz finds nothing in.
  if (i % 500 === 11)
    v = Array.from({ length: 1200 }, (_, n) =>
      ((i * 48_271 * (n + 1) ** 3) % 2_147_483_647).toString(36),
    ).join('')
  return { id, k: i % 13 === 0 ? null : i % 17, t, v }
}

async function insertRows(from: number, to: number): Promise<void> {
  const rows = Array.from({ length: to - from }, (_, n) => row(from + n))
  done.inserted += await table.insertMany(rows)
  for (const one of rows) expected.set(one.id, one)
}

await insertRows(0, 4000)
await emptied.insertMany(Array.from({ length: 500 }, (_, id) => ({ id })))
// What comes after this has full-page images of the pages it meets first.
await cluster.checkpoint()

await insertRows(4000, 8000)
for (let i = 8000; i < 8200; i++) {
  const one = row(i)
  await table.insert(one)
  done.inserted += 1
  expected.set(one.id, one)
}
const ids = [...expected.keys()]
await session.transaction(async (tx) => {
  for (let n = 0; n < ids.length; n += 10) {
    const id = ids[n] as number
    // Every other change touches no indexed column: a heap-only update where there is room.
    const changes = n % 20 === 0 ? { v: `updated ${n}` } : { k: n % 5, t: `moved ${n}` }
    if (!(await tx.update(table, id, changes))) throw new Error(`row ${id} was not there to update`)
    done.updated += 1
    expected.set(id, { ...(expected.get(id) as Row), ...changes })
  }
  for (let n = 5; n < ids.length; n += 25) {
    const id = ids[n] as number
    if (!(await tx.delete(table, id))) throw new Error(`row ${id} was not there to delete`)
    done.deleted += 1
    expected.delete(id)
  }
})
await session
  .transaction(async (tx) => {
    tx.insert(
      table,
      ...Array.from({ length: 1000 }, (_, n) => ({ id: 200_000 + n, k: 1, t: 'aborted', v: 'a' })),
    )
    await tx.delete(table, ids[1] as number)
    done.inserted += 1000
    done.deleted += 1
    throw new Error('rolled back on purpose')
  })
  .catch((error: Error) => {
    if (error.message !== 'rolled back on purpose') throw error
  })
await filled.insertMany(Array.from({ length: 3000 }, (_, id) => ({ id, word: `word ${id % 100}` })))
await session.createIndex('filled', { name: 'filled_word', columns: ['word'], include: ['id'] })
await session.truncate('emptied')
await emptied.insert({ id: 1 })
await session.dropTable('dropped')
await session.createDatabase('copied')

// Its rows reach the log with the next commit of somebody else, its commit never does.
const other = await cluster.connect()
await session.transaction(async (tx) => {
  tx.insert(
    table,
    ...Array.from({ length: 1500 }, (_, n) => ({ id: 300_000 + n, k: 2, t: 'unfinished', v: 'u' })),
  )
  await tx.delete(table, ids[2] as number)
  await tx.update(table, ids[3] as number, { v: 'unfinished' })
  await other.table('filled').insert({ id: 3000, word: 'the last' })
  done.inserted += 1500
  done.updated += 1
  done.deleted += 1
  const rows = [...expected.values()].sort((a, b) => a.id - b.id)
  process.stdout.write(JSON.stringify({ rows, done }), () => process.kill(process.pid, 'SIGKILL'))
  await new Promise(() => setTimeout(() => undefined, 60_000))
})
