// What random operations on the access layer once found broken, each in the smallest form.
// Goal: it stays mended. Method: named cases on one cluster, compared with what must be there.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { verifyComplaints } from '../crash/judges.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  a: number | null
}

const directory = memoryDirectory('cases')
let cluster: Cluster
let session: Session
let other: Session

beforeAll(async () => {
  await Cluster.init(directory)
  cluster = await Cluster.open(directory, { settings: { fsync: false } })
  session = await cluster.connect()
  other = await cluster.connect()
})

afterAll(async () => {
  await cluster.close()
  expect(await verifyComplaints(directory, ({ oid }) => oid >= 16384)).toEqual([])
})

test('an index is built over rows that one updated in place while others had them locked', async () => {
  await session.createTable('shared', { columns: { id: 'int4 primary key', a: 'int4' } })
  const table = session.table<Row>('shared')
  const theirs = other.table<Row>('shared')
  await table.insertMany(Array.from({ length: 50 }, (_, id) => ({ id, a: id })))
  await session.transaction(async (tx) => {
    for (let id = 0; id < 50; id += 2) await tx.get(table, id, { lock: 'for key share' })
    await other.transaction(async (second) => {
      for (let id = 0; id < 50; id += 2) await second.update(theirs, id, { a: -id })
    })
  })
  await session.createIndex('shared', { name: 'shared_a', columns: ['a'] })
  const wanted = Array.from({ length: 50 }, (_, id) => (id % 2 === 0 ? 0 - id : id))
  expect([...table.range({ index: 'shared_a' })].map(({ a }) => a)).toEqual(
    wanted.sort((one, two) => one - two),
  )
})
