// The child of the kill loop: opens the cluster, says what it found, works until it is killed. Each line it writes is
// a JSON document; standard output is a pipe, which takes a line before the call returns.
import { PgError, type Session } from '../../src-ts/index.ts'
import { lineOf, type Row, type State } from './ledger.ts'
import { openRecovered } from './recovery.ts'
import { runWorkload, settings } from './workload.ts'

export type Report =
  | { opening: true }
  | { stock: true }
  | { found: Record<string, Record<string, string[]>> }
  | { lane: string; changes: unknown[] }
  | { lane: string; acknowledged: true }

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

// A server that recovers keeps no process alive.
setInterval(() => undefined, 1000)
report({ opening: true })
const cluster = await openRecovered(directory, { settings }, () => report({ stock: true }))
const session = await cluster.connect()
const lanes = JSON.parse(names) as Record<string, string[]>
const start = Object.values(lanes).map((tables) => stateOf(session, tables))
const found = Object.keys(lanes).map((lane, i) => [
  lane,
  Object.fromEntries(
    [...(start[i] as State<Row>)].map(([name, rows]) => [name, [...rows.values()].map(lineOf)]),
  ),
])
report({ found: Object.fromEntries(found) })
await session.close()
await runWorkload(cluster, {
  seed: Number(seed),
  lanes: Object.keys(lanes).length,
  transactions: Number.POSITIVE_INFINITY,
  start,
  onCommit: (lane, changes) =>
    report(changes === 'acknowledged' ? { lane, acknowledged: true } : { lane, changes }),
})
