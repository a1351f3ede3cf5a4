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

/** Of tables whose rows are given as R: as they are, or as lines. */
export type Change<R> =
  | { table: string; kind: 'put'; id: number; row: R }
  | { table: string; kind: 'delete'; id: number }
  | { table: string; kind: 'create' | 'truncate' | 'drop' }

/** Rows by table and id. */
export type State<R> = Map<string, Map<number, R>>

export function apply<R>(state: State<R>, changes: readonly Change<R>[]): void {
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
        state.get(change.table)?.set(change.id, change.row)
        break
      case 'delete':
        state.get(change.table)?.delete(change.id)
        break
    }
  }
}

export function copyOf<R>(state: State<R>): State<R> {
  return new Map([...state].map(([name, rows]) => [name, new Map(rows)]))
}

/** A row as one line, for comparing and for people. */
export function lineOf({ id, k, t, big }: Row): string {
  return `${id}|${k}|${t}|${big === null ? null : digest(big)}`
}

export function inLines(change: Change<Row>): Change<string> {
  return change.kind === 'put' ? { ...change, row: lineOf(change.row) } : change
}

function digest(text: string): string {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return `${text.length}:${hash}`
}

/** The lines of a table that is there; undefined when it does not exist. */
export type Found = (table: string) => string[] | undefined

export interface Commit {
  /** Records in the journal when the commit was asked for, and when it was acknowledged. */
  asked: number
  acknowledged: number
  changes: Change<string>[]
}

export class Lane {
  /** In the order in which they were asked for. */
  readonly commits: Commit[] = []
  readonly tables = new Set<string>()

  constructor(readonly name: string) {}

  ask(changes: Change<string>[], now: number): Commit {
    const commit = { asked: now, acknowledged: Number.POSITIVE_INFINITY, changes }
    this.commits.push(commit)
    for (const { table } of changes) this.tables.add(table)
    return commit
  }

  /** It failed, and the transaction was rolled back. */
  takeBack(commit: Commit): void {
    this.commits.splice(this.commits.indexOf(commit), 1)
  }
}

/** The states that a lane may be in, crash by crash, in the order of the journal. */
export class LaneJudge {
  readonly #state: State<string>
  #acknowledged = 0
  #matched: State<string> | undefined

  /** `state`: before the first commit. */
  constructor(
    readonly lane: Lane,
    readonly start: State<string> = new Map(),
  ) {
    this.#state = copyOf(start)
  }

  /** What the last `complaint` that had none found. */
  get matched(): State<string> | undefined {
    return this.#matched
  }

  /** Says what is wrong with what was found after a crash when the journal had `step` records; nothing if it is right. */
  complaint(step: number, found: Found): string | undefined {
    const { commits } = this.lane
    while ((commits[this.#acknowledged]?.acknowledged ?? Number.POSITIVE_INFINITY) <= step) {
      apply(this.#state, (commits[this.#acknowledged++] as Commit).changes)
    }
    const state = copyOf(this.#state)
    const complaints: string[] = []
    for (let count = this.#acknowledged; ; count++) {
      const difference = this.#difference(state, found)
      if (difference === undefined) {
        this.#matched = state
        return undefined
      }
      complaints.push(`not as after ${count} commits: ${difference}`)
      const next = commits[count]
      if (next === undefined || next.asked >= step) break
      apply(state, next.changes)
    }
    return `lane ${this.lane.name}, ${this.#acknowledged} commits acknowledged:\n${complaints.join('\n')}`
  }

  #difference(state: State<string>, found: Found): string | undefined {
    for (const table of new Set([...state.keys(), ...this.lane.tables])) {
      const rows = state.get(table)
      const there = found(table)
      if ((rows === undefined) !== (there === undefined)) {
        return `table ${table} ${there === undefined ? 'is not there' : 'is there'}`
      }
      if (rows === undefined || there === undefined) continue
      const wanted = new Set(rows.values())
      const actual = new Set(there)
      const missing = [...wanted].filter((row) => !actual.has(row))
      const extra = there.filter((row) => !wanted.has(row))
      if (there.length === wanted.size && missing.length === 0 && extra.length === 0) continue
      return (
        `table ${table} has ${there.length} rows, not ${wanted.size}; ` +
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
