// A process for savepoints.test.ts: opens the cluster whose directory is its argument, writes with savepoints, prints
// the rows that must be there, and kills itself with a transaction open.
import { Cluster, type Table, type Transaction } from '../../src-ts/index.ts'

interface Row {
  id: number
  value: string
}

const directory = process.argv[2] as string
const cluster = await Cluster.open(directory)
const session = await cluster.connect()
const other = await cluster.connect()
await session.createTable('kept', { columns: { id: 'int4 primary key', value: 'text' } })
const table = session.table<Row>('kept')
const expected = new Map<number, string>()

// `count` savepoints in one transaction, each with a row; every third is rolled back, some hold another inside.
async function writeWithSavepoints(from: number, count: number): Promise<void> {
  await session.transaction((tx) => writeSavepoints(tx, table, from, count))
}

async function writeSavepoints(
  tx: Transaction,
  into: Table<Row>,
  from: number,
  count: number,
): Promise<void> {
  for (let i = from; i < from + count; i++) {
    await tx
      .savepoint(async (savepoint) => {
        savepoint.insert(into, { id: i, value: `row ${i}` })
        await savepoint.savepoint((inner) =>
          inner.insert(into, { id: 100_000 + i, value: `inner ${i}` }),
        )
        if (i % 3 === 0) throw new Error('undo')
      })
      .catch((error: Error) => {
        if (error.message !== 'undo') throw error
      })
    if (i % 3 === 0) continue
    expected.set(i, `row ${i}`)
    expected.set(100_000 + i, `inner ${i}`)
  }
}

await writeWithSavepoints(0, 20)
await cluster.checkpoint()
await writeWithSavepoints(1000, 100)
await writeWithSavepoints(2000, 1200)
// Rows updated and deleted in savepoints, kept and not.
await session.transaction(async (tx) => {
  for (const [n, id] of [1, 2, 4, 5, 7, 8].entries()) {
    await tx
      .savepoint(async (savepoint) => {
        await savepoint.update(table, id, { value: `changed ${id}` })
        await savepoint.delete(table, 100_000 + id)
        if (n % 2 === 0) throw new Error('undo')
      })
      .catch(() => undefined)
    if (n % 2 === 0) continue
    expected.set(id, `changed ${id}`)
    expected.delete(100_000 + id)
  }
})
// Tables of savepoints.
await session.transaction(async (tx) => {
  await tx
    .savepoint((savepoint) => {
      savepoint.createTable('undone', { columns: { id: 'int4 primary key' } })
      throw new Error('undo')
    })
    .catch(() => undefined)
  await tx.savepoint((savepoint) => {
    savepoint.createTable('made', { columns: { id: 'int4 primary key' } })
  })
})

// Unfinished, with more savepoints than are listed, some of them released and some rolled back.
await session.transaction(async (tx) => {
  const before = new Map(expected)
  await writeSavepoints(tx, table, 5000, 150)
  expected.clear()
  for (const [id, value] of before) expected.set(id, value)
  if (process.argv[3] === 'checkpoint') await cluster.checkpoint()
  // Its rows reach the log with the commit of somebody else.
  await other.table('made').insert({ id: 1 })
  const rows = [...expected].sort(([a], [b]) => a - b).map(([id, value]) => ({ id, value }))
  process.stdout.write(JSON.stringify(rows), () => process.kill(process.pid, 'SIGKILL'))
  await new Promise(() => setTimeout(() => undefined, 60_000))
})
