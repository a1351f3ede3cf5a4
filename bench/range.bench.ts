// How long does a range of 100 rows through the primary key take?
//
// Predicted: 15 us, less than half of better-sqlite3: the rows come in one batch.
import { accountRows, openPeers } from './accounts.ts'
import { type Contender, measure } from './measure.ts'

const peers = await openPeers({ filled: true })
const { table, sqlite } = peers
const ranges = 2000
const starts = Array.from({ length: ranges }, (_, i) => ((i * 7919) % (accountRows - 100)) + 1)
let expected = 0
for (const start of starts) for (let id = start; id < start + 100; id++) expected += id

const contenders: Contender[] = [
  {
    name: 'pgdata',
    run: () => {
      let sum = 0
      for (const start of starts) {
        for (const row of table.range({ from: start, to: start + 99 })) sum += row.id
      }
      return sum
    },
  },
]
if (sqlite) {
  const range = sqlite.prepare('select * from accounts where id between ? and ? order by id')
  contenders.push({
    name: 'better-sqlite3',
    run: () => {
      let sum = 0
      for (const start of starts) {
        for (const row of range.all(start, start + 99)) sum += row.id as number
      }
      return sum
    },
  })
}
await measure({ name: 'range of 100 rows', units: ranges, unit: 'range', expected }, contenders)
await peers.close()
