// Ledger: what a workload did and when, in records of the disk's journal, and what may therefore be there after a crash.
//
// A lane is a sequence of transactions, each asked for after the one before, on tables of its own. After a crash a lane
// must be in the state after some of its transactions: all that were acknowledged before the crash, and perhaps
// more, in order, of those whose commit had been asked for.

export interface Row {
  id: number
  k: number | null
  t: string
  big: string | null
}

export type Change =
  | { table: string; kind: 'put'; row: Row }
  | { table: string; kind: 'delete'; id: number }
  | { table: string; kind: 'create' | 'truncate' | 'drop' }

export interface Commit {
  /** Records in the journal when the commit was asked for, and when it was acknowledged. */
  asked: number
  acknowledged: number
  changes: Change[]
}

/** Rows by table and id. */
export type State = Map<string, Map<number, Row>>

export function apply(state: State, changes: readonly Change[]): void {
  for (const change of changes) {
    switch (change.kind) {
      case 'create':
        state.set(change.table, new Map())
        break
      case 'truncate':
        state.get(change.table)?.clear()
        break
      case 'drop':
        state.delete(change.table)
        break
      case 'put':
        state.get(change.table)?.set(change.row.id, change.row)
        break
      case 'delete':
        state.get(change.table)?.delete(change.id)
        break
    }
  }
}

/** One line for each row, for comparing and for people. */
export function describe(rows: Iterable<Row>): string[] {
  return [...rows]
    .sort((a, b) => a.id - b.id)
    .map(({ id, k, t, big }) => `${id}|${k}|${t}|${big === null ? null : digest(big)}`)
}

function digest(text: string): string {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return `${text.length}:${hash}`
}

/** What of one table is there; undefined when it does not exist. */
export type Found = (table: string) => string[] | undefined

export class Lane {
  readonly commits: Commit[] = []
  readonly tables = new Set<string>()

  constructor(readonly name: string) {}

  add(commit: Commit): void {
    this.commits.push(commit)
    for (const { table } of commit.changes) this.tables.add(table)
  }
}

/** The states that a lane may be in, crash by crash, in the order of the journal. */
export class LaneJudge {
  readonly #state: State = new Map()
  #acknowledged = 0

  constructor(readonly lane: Lane) {}

  /** Says what is wrong with what was found after a crash when the journal had `step` records; nothing if it is right. */
  complaint(step: number, found: Found): string | undefined {
    const { commits } = this.lane
    while ((commits[this.#acknowledged]?.acknowledged ?? Number.POSITIVE_INFINITY) <= step) {
      apply(this.#state, (commits[this.#acknowledged++] as Commit).changes)
    }
    const state: State = new Map([...this.#state].map(([name, rows]) => [name, new Map(rows)]))
    const complaints: string[] = []
    for (let count = this.#acknowledged; ; count++) {
      const difference = this.#difference(state, found)
      if (difference === undefined) return undefined
      complaints.push(`not as after ${count} commits: ${difference}`)
      const next = commits[count]
      if (next === undefined || next.asked >= step) break
      apply(state, next.changes)
    }
    return `lane ${this.lane.name}, ${this.#acknowledged} commits acknowledged:\n${complaints.join('\n')}`
  }

  #difference(state: State, found: Found): string | undefined {
    for (const table of this.lane.tables) {
      const rows = state.get(table)
      const there = found(table)
      if ((rows === undefined) !== (there === undefined)) {
        return `table ${table} ${there === undefined ? 'is not there' : 'is there'}`
      }
      if (rows === undefined || there === undefined) continue
      const wanted = describe(rows.values())
      const missing = wanted.filter((row) => !there.includes(row))
      const extra = there.filter((row) => !wanted.includes(row))
      if (there.join('\n') === wanted.join('\n')) continue
      return (
        `table ${table} has ${there.length} rows, not ${wanted.length}; ` +
        `missing: ${sample(missing)}; not wanted: ${sample(extra)}`
      )
    }
    return undefined
  }
}

function sample(rows: string[]): string {
  const shown = rows.slice(0, 3).map((row) => (row.length > 100 ? `${row.slice(0, 100)}...` : row))
  return `${rows.length} rows [${shown.join(', ')}]`
}
