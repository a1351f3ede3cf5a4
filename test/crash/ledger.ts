// Ledger: what a workload did and when, in records of the disk's journal, and what may therefore be there after a crash.
//
// A lane is a sequence of transactions, each asked for after the one before, on tables of its own. After a crash a lane
// must be in the state after some of its transactions: all that were acknowledged before the crash, and perhaps
// more, in order, of those whose commit had been asked for. A transaction that was prepared is there by its name from
// its PREPARE to its end; its changes are those of a commit, in the order of the ends.

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

/** A transaction that was prepared, or was to be. */
export interface Prepared {
  gid: string
  asked: number
  acknowledged: number
  changes: Change<string>[]
  /** COMMIT PREPARED, whose changes are one of the lane's commits, or ROLLBACK PREPARED. */
  end?: { asked: number; acknowledged: number; commit?: Commit }
}

export class Lane {
  /** In the order in which they were asked for. */
  readonly commits: Commit[] = []
  readonly prepared = new Map<string, Prepared>()
  readonly tables = new Set<string>()

  constructor(readonly name: string) {}

  ask(changes: Change<string>[], now: number): Commit {
    const commit = { asked: now, acknowledged: Number.POSITIVE_INFINITY, changes }
    this.commits.push(commit)
    for (const { table } of changes) this.tables.add(table)
    return commit
  }

  prepare(gid: string, changes: Change<string>[], now: number): Prepared {
    const prepared = { gid, asked: now, acknowledged: Number.POSITIVE_INFINITY, changes }
    this.prepared.set(gid, prepared)
    for (const { table } of changes) this.tables.add(table)
    return prepared
  }

  /** COMMIT PREPARED or ROLLBACK PREPARED. */
  askForEnd(gid: string, commits: boolean, now: number): void {
    const prepared = this.prepared.get(gid) as Prepared
    prepared.end = { asked: now, acknowledged: Number.POSITIVE_INFINITY }
    if (commits) prepared.end.commit = this.ask(prepared.changes, now)
  }

  acknowledgeEnd(gid: string, now: number): void {
    const { end } = this.prepared.get(gid) as Prepared
    if (end === undefined) throw new Error(`the end of ${gid} was not asked for`)
    end.acknowledged = now
    if (end.commit !== undefined) end.commit.acknowledged = now
  }

  /** It failed, and the transaction is still prepared. */
  takeBackEnd(gid: string): void {
    const prepared = this.prepared.get(gid) as Prepared
    if (prepared.end?.commit !== undefined) this.takeBack(prepared.end.commit)
    delete prepared.end
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
  #matchedPrepared: Prepared[] = []

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

  /** Of those that it found prepared. */
  get matchedPrepared(): readonly Prepared[] {
    return this.#matchedPrepared
  }

  /**
   * Says what is wrong with what was found after a crash when the journal had `step` records; nothing if it is right.
   * `isPrepared`: was a transaction of that name found prepared?
   */
  complaint(step: number, found: Found, isPrepared: (gid: string) => boolean): string | undefined {
    const { commits } = this.lane
    const last = commits.findLastIndex(({ acknowledged }) => acknowledged <= step)
    while (this.#acknowledged <= last)
      apply(this.#state, (commits[this.#acknowledged++] as Commit).changes)
    const state = copyOf(this.#state)
    const complaints: string[] = []
    for (let count = this.#acknowledged; ; count++) {
      const difference =
        this.#twoPhaseDifference(step, count, isPrepared) ?? this.difference(state, found)
      if (difference === undefined) {
        this.#matched = state
        this.#matchedPrepared = [...this.lane.prepared.values()].filter(({ gid }) =>
          isPrepared(gid),
        )
        return undefined
      }
      complaints.push(`not as after ${count} commits: ${difference}`)
      const next = commits[count]
      if (next === undefined || next.asked >= step) break
      apply(state, next.changes)
    }
    return `lane ${this.lane.name}, ${this.#acknowledged} commits acknowledged:\n${complaints.join('\n')}`
  }

  // With the first `count` commits done.
  #twoPhaseDifference(
    step: number,
    count: number,
    isPrepared: (gid: string) => boolean,
  ): string | undefined {
    for (const { gid, asked, acknowledged, end } of this.lane.prepared.values()) {
      const isThere = isPrepared(gid)
      const isEnded = end !== undefined && end.acknowledged <= step
      if (isThere && asked >= step) return `${gid} is prepared before it was asked to be`
      if (isThere && isEnded) return `${gid} is prepared although it was ended`
      const mayHaveEnded = end !== undefined && end.asked < step
      if (!isThere && acknowledged <= step && !mayHaveEnded) return `${gid} is not prepared`
      if (end?.commit === undefined || !mayHaveEnded) continue
      const isDone = this.lane.commits.indexOf(end.commit) < count
      if (isDone === isThere)
        return isDone
          ? `${gid} is prepared and committed`
          : `${gid} is neither prepared nor committed`
    }
    return undefined
  }

  /** What of the lane's tables is not as in `state`. */
  difference(state: State<string>, found: Found): string | undefined {
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
