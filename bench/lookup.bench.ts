// How long does reading a row by its primary key take, alone and a hundred keys at a time?
//
// Predicted: a lookup in 1 us, less than better-sqlite3's 1.5 us, since one call brings the row packed; a hundred at
// a time in a third of that a row.
import { accountRows, openPeers } from './accounts.ts'
import { type Contender, measure } from './measure.ts'

const peers = await openPeers({ filled: true })
const { table, sqlite } = peers
const lookups = 100_000
// Every key once, in an order that jumps about.
const keys = Array.from({ length: lookups }, (_, i) => ((i * 7919) % accountRows) + 1)
const expected = keys.reduce((sum, key) => sum + (key % 1000) / 4, 0)

const one: Contender[] = [
  {
    name: 'pgdata',
    run: () => {
      let sum = 0
      for (const key of keys) sum += table.get(key)?.balance ?? 0
      return sum
    },
  },
]
const hundred: Contender[] = [
  {
    name: 'pgdata',
    run: () => {
      let sum = 0
      for (let i = 0; i < lookups; i += 100) {
        for (const row of table.getMany(keys.slice(i, i + 100))) sum += row?.balance ?? 0
      }
      return sum
    },
  },
]
if (sqlite) {
  const get = sqlite.prepare('select * from accounts where id = ?')
  const run = () => {
    let sum = 0
    for (const key of keys) sum += (get.get(key)?.balance as number) ?? 0
    return sum
  }
  one.push({ name: 'better-sqlite3', run })
  const marks = Array(100).fill('?').join()
  const getMany = sqlite.prepare(`select * from accounts where id in (${marks})`)
  hundred.push({
    name: 'better-sqlite3',
    run: () => {
      let sum = 0
      for (let i = 0; i < lookups; i += 100) {
        for (const row of getMany.all(...keys.slice(i, i + 100))) sum += row.balance as number
      }
      return sum
    },
  })
}
await measure({ name: 'lookup by primary key', units: lookups, unit: 'row', expected }, one)
await measure(
  { name: 'lookup of 100 keys at a time', units: lookups, unit: 'row', expected },
  hundred,
)
await peers.close()
