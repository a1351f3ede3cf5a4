// How long does a row of a full scan take, as an object that is used and dropped, and as one that is kept?
//
// Predicted: 150 ns a row streamed, a fifth of better-sqlite3, which makes each object through its C++ interface.
import { accountRows, openPeers } from './accounts.ts'
import { type Contender, measure } from './measure.ts'

const peers = await openPeers({ filled: true })
const { table, sqlite } = peers
let expected = 0
for (let id = 1; id <= accountRows; id++) expected += (id % 1000) / 4

const streamed: Contender[] = [
  {
    name: 'pgdata',
    run: () => {
      let sum = 0
      for (const row of table.scan()) sum += row.balance
      return sum
    },
  },
]
const kept: Contender[] = [
  {
    name: 'pgdata',
    run: () => {
      const rows = [...table.scan()]
      return rows.reduce((sum, row) => sum + row.balance, 0)
    },
  },
]
if (sqlite) {
  const all = sqlite.prepare('select * from accounts')
  streamed.push({
    name: 'better-sqlite3',
    run: () => {
      let sum = 0
      for (const row of all.iterate()) sum += row.balance as number
      return sum
    },
  })
  kept.push({
    name: 'better-sqlite3',
    run: () => all.all().reduce((sum, row) => sum + (row.balance as number), 0),
  })
}
await measure(
  { name: 'full scan, rows streamed', units: accountRows, unit: 'row', expected },
  streamed,
)
await measure({ name: 'full scan, rows kept', units: accountRows, unit: 'row', expected }, kept)
await peers.close()
