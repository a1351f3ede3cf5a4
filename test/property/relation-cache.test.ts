// The cache of relations within its limit.
// Goal: with more tables than it remembers, every table still reads and writes as it should, also while rows of it are being
// read and after it was changed; what is remembered is not read again. Method: reads of pg_attribute are counted.
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const tables = 40
const names = Array.from({ length: tables }, (_, i) => `t${i}`)

async function makeTables(session: Session): Promise<void> {
  for (const [i, name] of names.entries()) {
    await session.createTable(name, { columns: { id: 'int4 primary key', [`c${i}`]: 'text' } })
    await session.table(name).insertMany([
      { id: 1, [`c${i}`]: `one of ${i}` },
      { id: 2, [`c${i}`]: `two of ${i}` },
    ])
  }
}

// How often an index of pg_attribute was searched while `action` ran.
function readsOfAttributes(session: Session, action: () => void): number {
  const searched = () => session.tableStatistics('pg_catalog.pg_attribute').idx_scan as number
  // Opens what counting needs.
  searched()
  const before = searched()
  action()
  return searched() - before
}

const readAll = (session: Session) => {
  for (const [i, name] of names.entries())
    expect(session.table(name).get(2)).toEqual({ id: 2, [`c${i}`]: `two of ${i}` })
}

test('what it remembers is not read again', async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { fsync: false, autovacuum: false },
  })
  await using session = await cluster.connect()
  await makeTables(session)
  readAll(session)
  expect(readsOfAttributes(session, () => readAll(session))).toBe(0)
})

test('what it forgot is read again', async () => {
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { fsync: false, autovacuum: false, 'pgdata.relation_cache_size': 16 },
  })
  expect(
    cluster.settings().find(({ name }) => name === 'pgdata.relation_cache_size'),
  ).toMatchObject({
    setting: '16',
    context: 'postmaster',
  })
  await using session = await cluster.connect()
  await makeTables(session)
  readAll(session)
  expect(readsOfAttributes(session, () => readAll(session))).toBeGreaterThanOrEqual(tables)
  // The last ones are remembered.
  const last = () => session.table(names.at(-1) as string).get(1)
  last()
  expect(readsOfAttributes(session, last)).toBe(0)

  // Rows of a table that is forgotten meanwhile, and a table that is changed before and after.
  const rows = session.table('t0').scan()
  expect(rows.next().value).toMatchObject({ id: 1 })
  readAll(session)
  expect([...rows]).toEqual([{ id: 2, c0: 'two of 0' }])
  const t1 = session.table('t1')
  await session.transaction(async (tx) => {
    tx.insert(t1, { id: 3, c1: 'three of 1' })
    readAll(session)
    await tx.update(t1, 3, { c1: 'changed' })
  })
  await session.createIndex('t1', { columns: ['c1'], name: 't1_c1' })
  readAll(session)
  const found = t1.range({ index: 't1_c1', from: 'changed', to: 'changed' })
  expect([...found]).toEqual([{ id: 3, c1: 'changed' }])
})

test('refuses a size that is too small', async () => {
  const opened = Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { 'pgdata.relation_cache_size': 1 },
  })
  await expect(opened).rejects.toMatchObject({ code: '22023' })
})
