// The child of the kill loop: opens the cluster, says what it found, ends what was prepared, works until it is killed.
// Each line it writes is a JSON document; standard output is a pipe, which takes a line before the call returns.
import { Cluster, PgError, type Session } from '../../src-ts/index.ts'
import { lineOf, type Row, type State } from './ledger.ts'
import { type Event, runWorkload, settings } from './workload.ts'

export type Report =
  | { opening: true }
  | { found: Record<string, Record<string, string[]>>; prepared: string[] }
  | ({ lane: string } & Event)

const [directory, seed, names] = process.argv.slice(2) as [string, string, string]

function report(line: Report): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

// The tables of a lane that are there.
function stateOf(session: Session, tables: readonly string[]): State<Row> {
  const state: State<Row> = new Map()
  for (const name of tables) {
    try {
      const rows = [...session.table<Row>(name).scan()]
      state.set(name, new Map(rows.map((row) => [row.id, row])))
    } catch (error) {
      if (!(error instanceof PgError) || error.code !== '42P01') throw error
    }
  }
  return state
}

report({ opening: true })
const cluster = await Cluster.open(directory, { settings })
const session = await cluster.connect()
const lanes = JSON.parse(names) as Record<string, string[]>
const found = Object.entries(lanes).map(([lane, tables]) => [
  lane,
  Object.fromEntries(
    [...stateOf(session, tables)].map(([name, rows]) => [name, [...rows.values()].map(lineOf)]),
  ),
])
const prepared = cluster.preparedTransactions().map(({ gid }) => gid)
report({ found: Object.fromEntries(found), prepared })
for (const [n, gid] of prepared.entries()) {
  const lane = gid.split(' ')[0] as string
  const commits = (Number(seed) + n) % 3 !== 0
  report({ lane, kind: 'end', gid, commits })
  await (commits ? cluster.commitPrepared(gid) : cluster.rollbackPrepared(gid))
  report({ lane, kind: 'ended', gid })
}
const start = Object.values(lanes).map((tables) => stateOf(session, tables))
await session.close()
await runWorkload(cluster, {
  seed: Number(seed),
  lanes: Object.keys(lanes).length,
  transactions: Number.POSITIVE_INFINITY,
  start,
  onEvent: (lane, event) => report({ lane, ...event }),
})
