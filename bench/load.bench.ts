// How long does a row take to load in bulk, with its primary key, durable at the end?
//
// Predicted: half of better-sqlite3's time. One call over the boundary carries a thousand rows; SQLite binds and
// steps row by row, but writes one B-tree where we write a heap and an index.
import {
  type Account,
  accountRows,
  accounts,
  createTables,
  insertIntoSqlite,
  openPeers,
} from './accounts.ts'
import { type Contender, measure } from './measure.ts'

const peers = await openPeers({ filled: false })
const rows = accounts()
let made = 0
const next = async () => {
  const name = `load${made++}`
  await createTables(peers, name)
  return name
}

const rounds = 4
const ours: string[] = []
const theirs: string[] = []
for (let i = 0; i < rounds; i++) {
  ours.push(await next())
  theirs.push(await next())
}
const contenders: Contender[] = [
  {
    name: 'pgdata',
    run: () => peers.session.table<Account>(`public.${ours.pop()}`).insertMany(rows),
  },
]
const { sqlite } = peers
if (sqlite) {
  contenders.push({
    name: 'better-sqlite3',
    run: () => {
      insertIntoSqlite(sqlite, theirs.pop() as string, rows)
      return rows.length
    },
  })
}
await measure(
  { name: 'bulk load', units: accountRows, unit: 'row', expected: accountRows, rounds, wall: true },
  contenders,
)
await peers.close()
