// How long does a durable commit of one row take: one after the other, and with 64 in flight?
//
// Predicted: alone as long as better-sqlite3, both wait for one sync; with 64 in flight ten times as many a second,
// since one sync serves all that wait.
import { type Account, account, accountRows, openPeers } from './accounts.ts'
import { type Contender, measure } from './measure.ts'

const peers = await openPeers({ filled: true })
const { table, sqlite, cluster } = peers
const commits = 1024
const inFlight = 64
let ours = accountRows
let theirs = accountRows

const single: Contender[] = [
  {
    name: 'pgdata',
    run: () => {
      for (let i = 0; i < commits; i++) {
        table.insertSync(account(++ours))
      }
      return commits
    },
  },
]
const sessions = await Promise.all(Array.from({ length: inFlight }, () => cluster.connect()))
const tables = sessions.map((each) => each.table<Account>('public.accounts'))
const many: Contender[] = [
  {
    name: 'pgdata',
    run: async () => {
      await Promise.all(
        tables.map(async (each) => {
          for (let i = 0; i < commits / inFlight; i++) await each.insert(account(++ours))
        }),
      )
      return commits
    },
  },
]
if (sqlite) {
  const insert = sqlite.prepare('insert into accounts values (?, ?, ?, ?, ?)')
  const run = () => {
    for (let i = 0; i < commits; i++) {
      const row = account(++theirs)
      insert.run(row.id, row.email, row.balance, row.created.getTime(), row.note)
    }
    return commits
  }
  single.push({ name: 'better-sqlite3', run })
  many.push({ name: 'better-sqlite3', run })
}
const common = { units: commits, unit: 'commit', expected: commits, wall: true, rounds: 3 }
await measure({ ...common, name: 'durable commit, one at a time' }, single)
await measure({ ...common, name: `durable commit, ${inFlight} in flight` }, many)
await peers.close()
