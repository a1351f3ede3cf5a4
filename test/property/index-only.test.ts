// Index-only scans while the table changes.
// Goal: a query that reads an index alone gives the rows of its snapshot, whatever is inserted, updated, deleted and vacuumed
// away while it runs, also rows that were dead before it began and whose entries it has met already. Method: a query is
// stopped after its first batch; others change the table and vacuum it, so that pages are visible to all again; the query
// goes on. A model knows which rows there were.
import { beforeEach, expect, test, vi } from 'vitest'
import { Cluster, type Session, type Table } from '../../src-ts/index.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

vi.setConfig({ testTimeout: 120_000 })

const rowCount = 6000
const seed = Number(process.env.PGDATA_SEED ?? 18)

interface Row {
  id: number
  k: number | null
  name: string
}

let directory: string

beforeEach(() => {
  directory = temporaryDirectory('index-only')
})

async function opened(): Promise<Cluster> {
  const settings = { fsync: false, autovacuum: false }
  return Cluster.open(directory, { create: true, settings })
}

async function filled(session: Session): Promise<Table<Row>> {
  await session.createTable('t', { columns: { id: 'int4 primary key', k: 'int4', name: 'text' } })
  await session.createIndex('t', { name: 't_k', columns: ['k', 'name'] })
  const t = session.table<Row>('t')
  await t.insertMany(
    Array.from({ length: rowCount }, (_, id) => ({
      id,
      k: id % 7 === 0 ? null : id % 100,
      name: `n${id}`,
    })),
  )
  await session.vacuum('t', { analyze: true })
  return t
}

const byIndex = { from: 't', columns: ['k', 'name'], where: { k: { '>=': 0 } } }

async function fetchesOf(session: Session): Promise<number> {
  const [{ Plan }] = await session.query(byIndex).explain({ analyze: true, format: 'json' })
  expect(Plan['Node Type']).toBe('Index Only Scan')
  return Plan['Heap Fetches'] as number
}

function choosing(session: Session): void {
  for (const name of ['enable_seqscan', 'enable_bitmapscan'] as const) session.set(name, false)
}

test('rows that were dead before the query began stay so', async () => {
  await using cluster = await opened()
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const t = await filled(session)
  choosing(session)
  expect(await fetchesOf(session)).toBe(0)
  await t.deleteWhere({ where: { id: { '>=': rowCount / 2 } } })
  const rows = session.query<Row>(byIndex)[Symbol.asyncIterator]()
  const seen: string[] = []
  const first = await rows.next()
  if (!first.done) seen.push(first.value.name)
  await other.vacuum('t')
  choosing(other)
  expect(await fetchesOf(other)).toBe(0)
  for (let next = await rows.next(); !next.done; next = await rows.next())
    seen.push(next.value.name)
  const wanted = Array.from({ length: rowCount / 2 }, (_, id) => id).filter((id) => id % 7 !== 0)
  expect(seen.sort()).toEqual(wanted.map((id) => `n${id}`).sort())
})

test('what changes while queries run is not theirs', async () => {
  console.log(`index-only: PGDATA_SEED=${seed}`)
  const random = new Random(seed)
  await using cluster = await opened()
  await using session = await cluster.connect()
  await using writer = await cluster.connect()
  await filled(session)
  choosing(session)
  const t = writer.table<Row>('t')
  const model = new Map<number, Row>()
  for (const row of t.scan()) model.set(row.id, row)
  let nextId = rowCount
  for (let round = 0; round < 12; round++) {
    const expected = [...model.values()]
      .filter(({ k }) => k !== null)
      .map(({ k, name }) => `${k} ${name}`)
      .sort()
    const rows = session.query<Row>(byIndex)[Symbol.asyncIterator]()
    const seen: string[] = []
    for (let turn = 0; ; turn++) {
      const next = await rows.next()
      if (next.done) break
      seen.push(`${next.value.k} ${next.value.name}`)
      if (turn % 1500 !== 100) continue
      const ids = Array.from({ length: 200 }, () => random.int(0, nextId))
      for (const id of new Set(ids)) {
        const row = model.get(id)
        if (row === undefined) continue
        if (random.chance(0.4)) {
          model.delete(id)
          await t.delete(id)
        } else {
          const changed = { ...row, k: random.chance(0.1) ? null : random.int(0, 99) }
          model.set(id, changed)
          await t.update(id, { k: changed.k })
        }
      }
      const inserted = Array.from({ length: 100 }, () => {
        const id = nextId++
        return { id, k: random.int(0, 99), name: `n${id}` }
      })
      await t.insertMany(inserted)
      for (const row of inserted) model.set(row.id, row)
      if (random.chance(0.7)) await writer.vacuum('t')
    }
    expect(seen.sort()).toEqual(expected)
  }
})

test('a serializable transaction notes what it reads by an index alone', async () => {
  await using cluster = await opened()
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  await filled(session)
  choosing(session)
  choosing(other)
  const sumAndInsert = async (one: Session, id: number) =>
    one.transaction(
      async (tx) => {
        const rows = await tx.query<Row>({ from: 't', columns: ['k'], where: { k: 5 } }).all()
        tx.insert(one.table<Row>('t'), { id, k: 5, name: `${rows.length}` })
        return rows.length
      },
      { isolation: 'serializable' },
    )
  const ends = await Promise.allSettled([
    sumAndInsert(session, 1_000_001),
    sumAndInsert(other, 1_000_002),
  ])
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})
