// How long does a row take that is only counted or summed?
//
// Predicted: 10 ns counted, 15 ns summed, less than better-sqlite3's 15 and 40: no row crosses the boundary. Once
// counted, or all visible after a vacuum: 0.5 ns, a look at each page.
import { accountRows, openPeers } from './accounts.ts'
import { type Contender, measure } from './measure.ts'

const peers = await openPeers({ filled: true })
const { session, table, sqlite } = peers
let total = 0
for (let id = 1; id <= accountRows; id++) total += (id % 1000) / 4

// Counted a hundred times a run: once is over too quickly for the clock.
const counts = 100
const count: Contender[] = [
  {
    name: 'pgdata',
    run: async () => {
      let last: number | undefined
      for (let i = 0; i < counts; i++) last = (await table.aggregate({ count: true })).count
      return last
    },
  },
]
const sum: Contender[] = [
  { name: 'pgdata', run: async () => (await table.aggregate({ sum: 'balance' })).sum },
]
const some: Contender[] = [
  {
    name: 'pgdata',
    run: async () =>
      (await table.aggregate({ count: true, where: { balance: { '>=': 125 } } })).count,
  },
]
if (sqlite) {
  const counted = sqlite.prepare('select count(*) from accounts').pluck()
  const summed = sqlite.prepare('select sum(balance) from accounts').pluck()
  const filtered = sqlite.prepare('select count(*) from accounts where balance >= 125').pluck()
  count.push({
    name: 'better-sqlite3',
    run: () => {
      let last: unknown
      for (let i = 0; i < counts; i++) last = counted.get()
      return last
    },
  })
  sum.push({ name: 'better-sqlite3', run: () => summed.get() })
  some.push({ name: 'better-sqlite3', run: () => filtered.get() })
}
const units = accountRows
await measure({ name: 'count(*)', units: units * counts, unit: 'row', expected: units }, count)
await measure({ name: 'sum(balance)', units, unit: 'row', expected: total }, sum)
await measure(
  { name: 'count(*) where balance >= 125', units, unit: 'row', expected: units / 2 },
  some,
)
await session.vacuum('public.accounts')
await measure(
  { name: 'count(*) of a vacuumed table', units: units * counts, unit: 'row', expected: units },
  count,
)
await peers.close()
