// A process for autovacuum.test.ts: leaves a cluster open while autovacuum is at work, and has nothing else to do.
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from '../../src-ts/index.ts'

const cluster = await Cluster.open(process.argv[2] as string, {
  create: true,
  settings: {
    autovacuum_naptime: '1s',
    // So slow that it would take minutes.
    autovacuum_vacuum_cost_delay: 100,
    autovacuum_vacuum_cost_limit: 1,
  },
})
const session = await cluster.connect()
await session.createTable('t', { columns: { id: 'int8 primary key' } })
const table = session.table<{ id: number }>('t')
await table.insertMany(Array.from({ length: 20_000 }, (_, id) => ({ id })))
const isVacuuming = () => cluster.locks().some(({ mode }) => mode === 'ShareUpdateExclusiveLock')
for (let i = 0; i < 200 && !isVacuuming(); i++) await sleep(50)
if (!isVacuuming()) throw new Error('autovacuum did not begin')
