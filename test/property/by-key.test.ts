// Reading and updating rows by their keys, the short ways.
// Goal: a lookup that was prepared and an update of many rows are to everybody what lookups and updates one by one are.
// Method: random operations beside a model; redefinition, growth and waits around a prepared lookup; the directory is
// verified at the end.
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Member } from '../process/member.ts'
import { pgdata } from '../support/command-line.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const seed = Number(process.env.PGDATA_SEED ?? 18)

interface Row {
  region: string
  id: number
  n: number | null
  text: string | null
}

async function makeTable(session: Session) {
  await session.createTable('t', {
    columns: { region: 'text', id: 'int4', n: 'int4', text: 'text' },
    primaryKey: ['region', 'id'],
  })
  return session.table<Row>('t')
}

test('many updates are the sum of single ones', async () => {
  const random = new Random(seed)
  console.log(`many updates: PGDATA_SEED=${seed}`)
  const regions = ['', 'a', 'é', 'x'.repeat(600)]
  const directory = temporaryDirectory('by-key')
  {
    await using cluster = await Cluster.open(directory, { create: true })
    await using session = await cluster.connect()
    await using other = await cluster.connect()
    const table = await makeTable(session)
    const model = new Map<string, Row>()
    const rows: Row[] = []
    for (let id = 0; id < 700; id++) {
      const row = { region: random.pick(regions), id, n: id, text: `row ${id}` }
      rows.push(row)
      model.set(`${row.region} ${id}`, row)
    }
    await table.insertMany(rows)
    for (let round = 0; round < 20; round++) {
      const entries: [Record<string, unknown>, Partial<Row>][] = []
      const size = random.pick([0, 1, 3, 300, 1500])
      let found = 0
      for (let i = 0; i < size; i++) {
        // Some keys are nobody's, some come twice.
        const key = { region: random.pick(regions), id: random.int(0, 699) }
        const changes: Partial<Row> = {}
        if (random.chance(0.7)) changes.n = random.pick([null, 0, i, -i])
        if (random.chance(0.4))
          changes.text = random.pick([null, 'é', '', 't'.repeat(random.int(0, 2999))])
        entries.push([key, changes])
        const at = `${key.region} ${key.id}`
        const old = model.get(at)
        if (old === undefined) continue
        model.set(at, { ...old, ...changes })
        found++
      }
      const commits = random.chance(0.8)
      const before = new Map(model)
      const update = session.transaction(async (tx) => {
        expect(await tx.updateMany(table, entries)).toBe(found)
        if (!commits) throw new Error('taken back')
      })
      if (commits) await update
      else await expect(update).rejects.toThrow('taken back')
      if (!commits) {
        model.clear()
        await session.transaction((tx) => tx.updateMany(table, []))
        for (const row of table.scan()) model.set(`${row.region} ${row.id}`, row)
        expect(model.size).toBe(before.size)
      }
      const seen = other.table<Row>('t')
      for (let i = 0; i < 50; i++) {
        const key = { region: random.pick(regions), id: random.int(0, 699) }
        expect(seen.get(key)).toEqual(model.get(`${key.region} ${key.id}`))
      }
    }
    const all = [...table.scan()].toSorted((a, b) => a.id - b.id)
    expect(all).toEqual([...model.values()].toSorted((a, b) => a.id - b.id))

    // A Map, in a transaction of its own; progress is told.
    const told: number[] = []
    const whole = new Map(rows.map(({ region, id }) => [{ region, id }, { n: 7 }]))
    expect(await table.updateMany(whole, { onProgress: (done) => told.push(done) })).toBe(700)
    expect(told.at(-1)).toBe(700)
    expect((await table.aggregate({ sum: 'n' })).sum).toBe(4900)
  }
  expect((await pgdata(['verify', directory])).status).toBe(0)
})

test('the row that is refused is named, and nothing of the others stays', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('by-key'), { create: true })
  await using session = await cluster.connect()
  await session.createTable('t', {
    columns: { id: 'int8', v: 'text not null unique', n: 'int4' },
    primaryKey: ['id'],
  })
  const table = session.table<{ id: number; v: string | null; n: number }>('t')
  await table.insertMany([1, 2, 3].map((id) => ({ id, v: `v${id}`, n: id })))
  const entries: [number, { v: string | null }][] = [
    [1, { v: 'w1' }],
    [2, { v: 'v3' }],
    [3, { v: 'w3' }],
  ]
  await expect(table.updateMany(entries)).rejects.toMatchObject({
    code: '23505',
    constraint: 't_v_key',
    detail: 'Key (v)=(v3) already exists.',
  })
  entries[1] = [2, { v: null }]
  await expect(table.updateMany(entries)).rejects.toMatchObject({
    code: '23502',
    column: 'v',
    detail: 'Failing row contains (2, null, 2).',
  })
  expect([...table.scan({ columns: ['v'] })].map(({ v }) => v)).toEqual(['v1', 'v2', 'v3'])
  await expect(table.updateMany([[1, { absent: 1 } as object]])).rejects.toMatchObject({
    code: '42703',
  })
})

test('what waits for another transaction goes on with the rows that it was given', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('by-key'), { create: true })
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const table = await makeTable(session)
  const ids = Array.from({ length: 600 }, (_, id) => id)
  await table.insertMany(ids.map((id) => ({ region: 'a', id, n: 0, text: 'x' })))
  const theirs = other.table<Row>('t')
  let letGo = () => {}
  let holds = () => {}
  const release = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const held = new Promise<void>((resolve) => {
    holds = resolve
  })
  const holding = other.transaction(async (tx) => {
    await tx.update(theirs, ['a', 100], { n: 1000 })
    await tx.delete(theirs, ['a', 500])
    holds()
    await release
  })
  await held
  const updating = table.updateMany(ids.map((id) => [['a', id], { text: `text ${id}` }] as const))
  const waits = () => cluster.locks().some(({ granted }) => !granted)
  while (!waits()) await new Promise((resolve) => setTimeout(resolve, 5))
  // The buffers of the one that waits serve others meanwhile.
  await using third = await cluster.connect()
  await third.transaction(async (tx) => {
    await tx.updateMany(third.table<Row>('t'), [[['a', 599], { text: 'other', n: 5 }]])
    await tx.updateMany(third.table<Row>('t'), [[['a', 599], { text: 'last' }]])
  })
  letGo()
  await holding
  expect(await updating).toBe(599)
  expect(table.get(['a', 100])).toMatchObject({ n: 1000, text: 'text 100' })
  expect(table.get(['a', 599])).toMatchObject({ n: 5, text: 'text 599' })
  expect(table.get(['a', 500])).toBeUndefined()
})

test('a lookup that was prepared follows what becomes of its table', async () => {
  const directory = temporaryDirectory('by-key')
  await using cluster = await Cluster.open(directory, { create: true })
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const table = await makeTable(session)
  const key = { region: 'a', id: 1 }
  const get = () => table.get(key)
  for (let i = 0; i < 3; i++) expect(get()).toBeUndefined()
  const row = { ...key, n: 1, text: 'x' }
  await table.insert(row)
  for (let i = 0; i < 3; i++) expect(get()).toEqual(row)

  // Rows and keys that are too long for what they had room in.
  const long = { region: 'y'.repeat(2000), id: 2, n: null, text: 'z'.repeat(300_000) }
  await table.insert(long)
  for (let i = 0; i < 3; i++) {
    expect(table.get([long.region, 2])).toEqual(long)
    expect(get()).toEqual(row)
    expect(table.get(['é'.repeat(1500), 2])).toBeUndefined()
  }
  expect(() => table.get(['a', 'one'])).toThrow(expect.objectContaining({ code: '22P02' }))
  expect(() => table.get('a')).toThrow(expect.objectContaining({ code: '22023' }))

  // In a transaction: what it wrote itself, and what others may see of it.
  await session.transaction(async (tx) => {
    expect(get()).toEqual(row)
    await tx.update(table, key, { n: 2 })
    for (let i = 0; i < 2; i++) expect(get()).toEqual({ ...row, n: 2 })
    expect(other.table('t').get(key)).toEqual(row)
    await tx.delete(table, key)
    expect(get()).toBeUndefined()
    await tx.insert(table, row)
  })
  // A snapshot is kept.
  await session.transaction(
    async () => {
      expect(get()).toEqual(row)
      await other.table('t').update(key, { n: 3 })
      for (let i = 0; i < 2; i++) expect(get()).toEqual(row)
    },
    { isolation: 'repeatable read' },
  )
  expect(get()).toEqual({ ...row, n: 3 })

  // While rows of another scan are still to be taken.
  for (const { id } of table.scan({ columns: ['id'] })) {
    expect(table.get(id === 1 ? key : [long.region, 2])?.id).toBe(id)
  }

  // Redefined: by this session, another one, and another process, which leaves before and after.
  await session.truncate('t')
  expect(get()).toBeUndefined()
  await table.insert(row)
  expect(get()).toEqual(row)
  await other.vacuum('t', { full: true })
  expect(get()).toEqual(row)
  {
    await using member = await Member.start(directory)
    for (let i = 0; i < 3; i++) expect(get()).toEqual(row)
    await member.run(async ({ session: theirs }) => {
      await theirs.table('t').update(['a', 1], { n: 9 })
    })
    expect(get()).toEqual({ ...row, n: 9 })
    await member.run(({ session: theirs }) => theirs.truncate('t'))
    for (let i = 0; i < 2; i++) expect(get()).toBeUndefined()
    await table.insert(row)
    await session.transaction(async (tx) => {
      await tx.insert(table, { ...row, id: 3 })
      expect(get()).toEqual(row)
    })
    await member.run(({ session: theirs }) => theirs.dropTable('t'))
    expect(get).toThrow(expect.objectContaining({ code: '42P01' }))
    expect(get).toThrow(expect.objectContaining({ code: '42P01' }))
  }
  await session.close()
  expect(get).toThrow(expect.objectContaining({ code: '08003' }))
})

test('lookups of some columns are parts of lookups of all', async () => {
  const random = new Random(seed)
  await using cluster = await Cluster.open(temporaryDirectory('by-key'), { create: true })
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const table = await makeTable(session)
  const names = ['region', 'id', 'n', 'text'] as const
  const rows = Array.from({ length: 400 }, (_, id) => {
    const text = random.pick([null, 'é', '', 't'.repeat(random.int(0, 30_000))])
    return { region: 'r', id, n: random.pick([null, id]), text }
  })
  const check = () => {
    for (let round = 0; round < 300; round++) {
      // More sets of columns than are kept prepared, in any order, some with a column twice.
      const columns = Array.from({ length: random.int(0, 4) }, () => random.pick(names))
      const id = random.int(-5, 405)
      const row = rows[id]
      const wanted = row && Object.fromEntries(columns.map((name) => [name, row[name]]))
      expect(table.get(['r', id], { columns })).toEqual(wanted)
      expect(table.get(['r', id])).toEqual(row)
      const ids = Array.from({ length: random.int(0, 40) }, () => random.int(-5, 405))
      const keys = ids.map((each) => ['r', each])
      expect(table.getMany(keys)).toEqual(ids.map((each) => rows[each]))
    }
  }
  await table.insertMany(rows)
  check()
  await other.truncate('t')
  expect(table.get(['r', 1], { columns: ['n'] })).toBeUndefined()
  await table.insertMany(rows)
  check()
  const unknown = ['more' as 'n']
  for (let round = 0; round < 2; round++)
    expect(() => table.get(['r', 1], { columns: unknown })).toThrow('column "more"')
})
