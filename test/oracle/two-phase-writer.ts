// A process for two-phase.test.ts: prepares two transactions in the cluster whose directory is its argument, perhaps
// takes a checkpoint, and kills itself.
import { Cluster } from '../../src-ts/index.ts'

const [directory, since] = process.argv.slice(2) as [string, string]
const cluster = await Cluster.open(directory, { settings: { max_prepared_transactions: 10 } })
const session = await cluster.connect()
await session.createTable('t', { columns: { id: 'int4 primary key', value: 'text' } })
const table = session.table<{ id: number; value: string }>('t')
await table.insertMany([1, 2, 3].map((id) => ({ id, value: `first ${id}` })))
for (const [gid, from] of [
  ['kept', 100],
  ['undone', 200],
] as const) {
  await session.prepareTransaction(gid, async (tx) => {
    tx.insert(table, { id: from, value: gid })
    for (let i = 1; i <= 80; i++) {
      await tx
        .savepoint((savepoint) => {
          savepoint.insert(table, { id: from + i, value: gid })
          if (i % 4 === 0) throw new Error('undo')
        })
        .catch(() => undefined)
    }
    tx.createTable(`made_${gid}`, { columns: { id: 'int4 primary key' } })
    tx.insert(session.table(`made_${gid}`), { id: 1 })
  })
}
if (since === 'checkpoint') {
  await cluster.checkpoint()
  await session.createTable('later', { columns: { id: 'int4' } })
}
process.stdout.write('prepared', () => process.kill(process.pid, 'SIGKILL'))
await new Promise(() => setTimeout(() => undefined, 60_000))
