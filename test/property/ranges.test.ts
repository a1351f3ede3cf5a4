// Ranges that are read again and again.
// Goal: a range gives the rows that its bounds, direction and limit say, in order, whether it is read for the first time or
// through what was prepared, in one batch or several, alone or beside others that are under way. Method: random ranges of
// random tables against a sorted list; then each way to come between.
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { Member } from '../process/member.ts'
import { Random } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  a: number
  b: string
  note: string | null
}

const seed = Number(process.env.PGDATA_SEED ?? 20261127)
const settings = { autovacuum: false, fsync: false }

async function fill(session: Session, rows: readonly Row[]) {
  await session.createTable('t', {
    columns: { a: 'int4', b: 'text', note: 'text' },
    primaryKey: ['a', 'b'],
  })
  await session.createIndex('t', { name: 'by_note', columns: ['note', 'a'] })
  const table = session.table<Row>('t')
  await table.insertMany(rows)
  return table
}

const byKey = (x: Row, y: Row) => x.a - y.a || (x.b < y.b ? -1 : x.b > y.b ? 1 : 0)

test(`are what a sorted list says (PGDATA_SEED=${seed})`, async () => {
  const random = new Random(seed)
  const whole = (below: number) => random.int(0, below - 1)
  await using cluster = await Cluster.open(temporaryDirectory('ranges'), { create: true, settings })
  await using session = await cluster.connect()
  const rows: Row[] = []
  for (let a = 0; a < 900; a++) {
    for (let i = whole(3); i >= 0; i--) {
      const b = `${'é'.repeat(whole(2))}${i}`
      const note = whole(4) === 0 ? null : 'n'.repeat(whole(30) === 0 ? 3000 : whole(80))
      rows.push({ a, b, note })
    }
  }
  const table = await fill(session, rows)
  rows.sort(byKey)
  for (let round = 0; round < 1500; round++) {
    // Versions that nobody sees any more lie between.
    if (round % 50 === 0) {
      const row = rows[whole(rows.length)] as Row
      row.note = `changed ${round}`
      await table.update([row.a, row.b], { note: row.note })
    }
    const low = whole(920) - 10
    const high = low + whole(whole(3) === 0 ? 900 : 40) - 3
    const from = whole(4) === 0 ? 'none' : whole(2) === 0 ? 'after' : 'from'
    const to = whole(4) === 0 ? 'none' : whole(2) === 0 ? 'before' : 'to'
    const limit = whole(2) === 0 ? undefined : whole(5) === 0 ? whole(2000) : whole(60)
    const reverse = whole(2) === 0
    const columns = whole(3) === 0 ? (['note', 'a'] as const) : undefined
    const found = table.range({
      ...(from !== 'none' && { [from]: low }),
      ...(to !== 'none' && { [to]: high }),
      ...(limit !== undefined && { limit }),
      ...(columns && { columns }),
      ...(whole(2) === 0 && { where: {} }),
      reverse,
    })
    const wanted = rows.filter(
      ({ a }) =>
        (from === 'none' || (from === 'from' ? a >= low : a > low)) &&
        (to === 'none' || (to === 'to' ? a <= high : a < high)),
    )
    if (reverse) wanted.reverse()
    const some = wanted.slice(0, limit)
    expect([...found]).toEqual(columns ? some.map(({ note, a }) => ({ note, a })) : some)
  }
  // Through another index, and with two columns given.
  for (let round = 0; round < 100; round++) {
    const length = whole(80)
    const note = 'n'.repeat(length)
    const found = [...table.range({ index: 'by_note', from: note, to: note })]
    expect(found.map(({ a }) => a)).toEqual(
      rows.flatMap((row) => (row.note === note ? [row.a] : [])),
    )
    const row = rows[whole(rows.length)] as Row
    expect([...table.range({ from: [row.a, row.b], to: { a: row.a, b: row.b } })]).toEqual([row])
  }
  expect([...table.range({ limit: 0 })]).toEqual([])
  for (let round = 0; round < 3; round++) {
    const both = () => table.range({ from: 1, after: 1 })
    expect(both).toThrow('give either "from" or "after"')
    expect(() => table.range({ from: [1, 'a', 'b'] })).toThrow('has 2 key columns')
    expect(() => table.range({ from: 'x' })).toThrow('invalid input syntax for type integer: "x"')
    expect(() => table.range({ index: 'other' })).toThrow('does not exist')
  }
})

test('go on side by side, are left, and outlive what is beside them', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('ranges'), { create: true, settings })
  await using session = await cluster.connect()
  const rows = Array.from({ length: 3000 }, (_, a) => ({ a, b: 'b', note: `note ${a}` }))
  const table = await fill(session, rows)
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i)
  for (let round = 0; round < 3; round++) {
    // Seven at once, of one batch and of many, taken in turn.
    const each = [10, 100, 255, 256, 257, 1000, 2999]
    const under = each.map((to) => ({ to, rows: table.range({ from: 5, to }), seen: [] as Row[] }))
    for (let taken = true; taken; ) {
      taken = false
      for (const { rows: left, seen } of under) {
        const { done, value } = left.next()
        if (done === true) continue
        seen.push(value)
        taken = true
      }
    }
    for (const { to, seen } of under) {
      expect(seen).toEqual(numbers(5, to).map((a) => rows[a]))
    }
    for (const { a } of table.range({ from: 7 })) if (a === 400) break
    const left = table.range({ from: 7 })
    expect(left.next().value?.a).toBe(7)
    left.return?.()
    expect(left.next().done).toBe(true)
    expect(cluster.locks()).toEqual([])
  }
  // Rows see what was there when the range began.
  const begun = table.range({ from: 2700 })
  const first = begun.next().value
  await table.delete([2710, 'b'])
  await table.update([2990, 'b'], { note: 'other' })
  expect([first, ...begun]).toEqual(rows.slice(2700))
  expect([...table.range({ from: 2709, limit: 2 })].map(({ a }) => a)).toEqual([2709, 2711])
  expect([...table.range({ from: 2990, to: 2990 })][0]?.note).toBe('other')
})

test('see their own transaction, and end with it', async () => {
  await using cluster = await Cluster.open(temporaryDirectory('ranges'), { create: true, settings })
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const table = await fill(session, [])
  const theirs = other.table<Row>('t')
  const keys = (of: Iterable<Row>) => [...of].map(({ a }) => a)
  for (let round = 0; round < 4; round++) {
    expect(keys(table.range())).toEqual([])
    await session
      .transaction(async (tx) => {
        for (let a = 0; a < 600; a++) tx.insert(table, { a, b: '', note: null })
        expect(keys(table.range({ from: 3, to: 5 }))).toEqual([3, 4, 5])
        expect(keys(table.range()).length).toBe(600)
        expect(keys(theirs.range())).toEqual([])
        const open = table.range()
        expect(open.next().value?.a).toBe(0)
        throw Object.assign(new Error('enough'), { open })
      })
      .catch((error) => {
        expect(error.message).toBe('enough')
        expect(() => [...error.open]).toThrow('the transaction of the scan has ended')
      })
  }
  const failed = session.transaction(async (tx) => {
    await tx.insert(table, { a: 1, b: '', note: null })
    await expect(async () => tx.insert(table, { a: 1, b: '', note: null })).rejects.toThrow(
      'duplicate',
    )
    expect(() => keys(table.range())).toThrow('current transaction is aborted')
  })
  await expect(failed).rejects.toMatchObject({ code: '25P02' })
})

test('notice what is defined anew, here and by others', async () => {
  const directory = temporaryDirectory('ranges')
  await using cluster = await Cluster.open(directory, { create: true, settings })
  await using session = await cluster.connect()
  await using other = await cluster.connect()
  const table = await fill(session, [{ a: 1, b: 'x', note: 'n'.repeat(9) }])
  const all = () => [...table.range({ from: 0, to: 9 })]
  const byNote = () => [...table.range({ index: 'by_note', from: 'n', to: 'z' })]
  expect(all()).toEqual(all())
  expect(byNote()).toEqual(byNote())
  // A row that is longer than the buffer of a range, again and again.
  await table.insert({ a: 2, b: 'long', note: 'é'.repeat(100_000) })
  for (let round = 0; round < 3; round++) {
    expect([...table.range({ from: 2, to: 2 })][0]?.note?.length).toBe(100_000)
    expect(all().map(({ note }) => note?.length)).toEqual([9, 100_000])
  }
  await other.dropIndex('by_note')
  expect(byNote).toThrow('index "by_note" of relation "t" does not exist')
  expect(all().length).toBe(2)
  // Who has locked the table for itself keeps ranges away.
  await other.transaction(async (tx) => {
    await tx.lockTable(other.table('t'), 'access exclusive')
    expect(all).toThrow('could not obtain lock on relation')
  })
  expect(all()).toEqual(all())
  await other.truncate('t')
  expect(all()).toEqual([])
  await table.insertMany(Array.from({ length: 600 }, (_, a) => ({ a, b: 'y', note: 'o' })))
  await using member = await Member.start(directory)
  expect(all()).toEqual(all())
  expect([...table.range()].length).toBe(600)
  await member.run(({ session: theirs }) =>
    theirs.createIndex('t', { name: 'by_note', columns: ['note', 'a'] }),
  )
  expect(byNote().map(({ a }) => a)).toEqual(Array.from({ length: 600 }, (_, a) => a))
  expect(byNote()).toEqual(byNote())
  // While a range is under way nobody takes its rows away.
  expect([...table.range()].length).toBe(600)
  const begun = table.range()
  expect(begun.next().value?.a).toBe(0)
  expect(cluster.locks()).toMatchObject([{ locktype: 'relation', mode: 'AccessShareLock' }])
  expect([...begun].length).toBe(599)
  expect(cluster.locks()).toEqual([])
  await member.run(({ session: theirs }) => theirs.truncate('t'))
  expect(all()).toEqual([])
  expect(byNote()).toEqual([])
})
