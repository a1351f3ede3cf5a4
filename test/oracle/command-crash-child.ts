// Run by command-crash.test.ts in a process of its own: makes objects of all kinds in a new cluster, then dies at once with a
// transaction open. Arguments: the cluster's directory, an empty directory for a tablespace.
import { Cluster } from '../../src-ts/cluster/cluster.ts'

const [directory, tablespace] = process.argv.slice(2) as [string, string]
const rows = Array.from({ length: 1000 }, (_, i) => ({ id: i, t: 'x'.repeat(i * 10) }))

async function run(): Promise<void> {
  const cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await cluster.checkpoint()
  const columns = { id: 'int8 primary key', t: 'text' }
  await session.createTablespace('space', tablespace)
  await session.createSchema('s1')
  await session.createTable('s1.a', { columns, tablespace: 'space' })
  await session.table('s1.a').insertMany(rows)
  await session.createIndex('s1.a', { columns: [{ column: 'id', desc: true }] })
  await session.createTable('b', { columns })
  await session.table('b').insertMany(rows)
  await session.truncate('b')
  await session.table('b').insert({ id: 1, t: 'y' })
  await session.createTable('c', { columns })
  await session.dropTable('c')
  await session.createDatabase('d1', { template: 'postgres' })
  await session.createDatabase('d2', { tablespace: 'space' })
  await session.createDatabase('d3')
  await session.dropDatabase('d3')
  const inside = await cluster.connect({ database: 'd2' })
  await inside.createTable('z', { columns })
  await inside.table('z').insertMany(rows)
  await session.transaction((tx) => {
    tx.createTable('lost', { columns })
    process.kill(process.pid, 'SIGKILL')
  })
}

void run()
