// The seeded workload of the crash tests: several lanes of transactions side by side, checkpoints between them.
import type { Cluster, Session, Table, Transaction } from '../../src-ts/index.ts'
import { Random } from '../support/random.ts'
import {
  apply,
  type Change,
  type Commit,
  copyOf,
  inLines,
  Lane,
  type Row,
  type State,
} from './ledger.ts'

/** Small, so that images are small and everything happens often. */
export const settings = {
  shared_buffers: '1MB',
  wal_buffers: '256kB',
  min_wal_size: '2MB',
  max_wal_size: '8MB',
  max_connections: 10,
}
export const initOptions = { walSegmentSize: 1024 ** 2 }

export interface WorkloadOptions {
  seed: number
  lanes: number
  /** Of each lane. */
  transactions: number
  /** The moment, in records of the journal. */
  now?: () => number
  /** What the lanes' tables hold already. */
  start?: readonly State<Row>[]
  /** Told of each commit that is asked for, before it is, and of each that was acknowledged. */
  onCommit?: (lane: string, changes: Change<string>[] | 'acknowledged') => void
  /** Told of each step, for looking into failures. */
  onStep?: (what: string) => void
  /** Asked about each failure of a transaction or checkpoint: it is thrown, the workload goes on, or it ends here. */
  onFailure?: (error: unknown) => 'throw' | 'go on' | 'end'
}

const rowsMax = 900

/** Runs the workload; resolves with what was done when all of it is durable. */
export async function runWorkload(cluster: Cluster, options: WorkloadOptions): Promise<Lane[]> {
  const { seed, lanes, transactions } = options
  const runs = await Promise.all(
    Array.from({ length: lanes }, async (_, number) => {
      const session = await cluster.connect()
      return new LaneRun(session, number, new Random(seed * 1000 + number), options)
    }),
  )
  const random = new Random(seed)
  let left = runs.length
  const checkpoints = async () => {
    while (left > 0) {
      for (let turns = random.int(5, 60); turns > 0 && left > 0; turns--)
        await new Promise(setImmediate)
      options.onStep?.('checkpoint')
      try {
        await cluster.checkpoint()
      } catch (error) {
        if (afterFailure(options, error) === 'end') return
      }
    }
  }
  const laneOf = async (run: LaneRun) => {
    try {
      for (let n = 0; n < transactions && !run.ended; n++) await run.step()
      await run.drain()
    } finally {
      left--
    }
  }
  await Promise.all([...runs.map(laneOf), checkpoints()])
  const closing = runs.map((run) => run.session.close())
  await (options.onFailure === undefined ? Promise.all(closing) : Promise.allSettled(closing))
  return runs.map((run) => run.lane)
}

const rolledBack = new Error('rolled back on purpose')

function afterFailure(options: WorkloadOptions, error: unknown): 'go on' | 'end' {
  const next = options.onFailure?.(error) ?? 'throw'
  if (next === 'throw') throw error
  return next
}

class LaneRun {
  readonly lane: Lane
  /** As after the last commit that was asked for. */
  #state: State<Row>
  #tables: number
  #nextId: number
  readonly #inFlight = new Set<Promise<unknown>>()
  /** A failure after which nothing more can be done. */
  ended = false

  constructor(
    readonly session: Session,
    number: number,
    readonly random: Random,
    readonly options: WorkloadOptions,
  ) {
    this.lane = new Lane(`l${number}`)
    this.#state = copyOf(options.start?.[number] ?? new Map())
    const tables = [...this.#state.keys()].map((name) => Number(name.split('_')[1]))
    this.#tables = Math.max(0, ...tables.map((table) => table + 1))
    const ids = [...this.#state.values()].flatMap((rows) => [...rows.keys()])
    this.#nextId = Math.max(0, ...ids) + 1
  }

  /** One transaction. Now and then the next begins before it is durable. */
  async step(): Promise<void> {
    const work = this.#transaction()
    const settled = work.finally(() => this.#inFlight.delete(settled))
    this.#inFlight.add(settled)
    // Where transactions may fail, the next one must know what became of the one before.
    const goesOn = this.random.chance(0.3) && this.options.onFailure === undefined
    if (!goesOn || this.#inFlight.size > 3) await this.drain()
  }

  async drain(): Promise<void> {
    await Promise.all(this.#inFlight)
  }

  async #transaction(): Promise<void> {
    const { random, options } = this
    const fails = random.chance(0.12)
    const now = () => options.now?.() ?? 0
    let commit: Commit | undefined
    const before = this.#state
    const work = this.session.transaction(async (tx) => {
      // What it works on is what it finds when its turn has come.
      const draft = new Draft(this.#state)
      const actions = random.chance(0.6) ? 1 : random.int(2, 5)
      for (let n = 0; n < actions; n++) {
        await this.#action(tx, draft)
        // Others have their turn between the writes of a transaction.
        if (random.chance(0.5)) await new Promise(setImmediate)
      }
      if (fails) throw rolledBack
      // The commit is asked for as soon as this returns, and the next transaction sees its rows.
      const changes = draft.changes.map(inLines)
      options.onCommit?.(this.lane.name, changes)
      commit = this.lane.ask(changes, now())
      this.#state = draft.state
    })
    try {
      await work
    } catch (error) {
      if (error === rolledBack) return
      if (afterFailure(options, error) === 'end') {
        // Whether a commit that was asked for is there is for recovery to say.
        this.ended = true
        return
      }
      if (commit !== undefined) this.lane.takeBack(commit)
      this.#state = before
      return
    }
    options.onCommit?.(this.lane.name, 'acknowledged')
    if (commit !== undefined) commit.acknowledged = now()
  }

  async #action(tx: Transaction, draft: Draft): Promise<void> {
    const { random } = this
    const names = [...draft.state.keys()]
    if (names.length === 0) return this.#create(tx, draft)
    const name = random.pick(names)
    const rows = draft.rows(name)
    const table = this.session.table<Row>(name)
    const what = rows.size > rowsMax ? random.pick(['deleteMany', 'truncate']) : this.#choose()
    this.options.onStep?.(`${this.lane.name} ${what} ${name}`)
    switch (what) {
      case 'insertOne':
        return draft.insert(tx, table, name, [this.#row()])
      case 'insertMany':
        return draft.insert(
          tx,
          table,
          name,
          Array.from({ length: random.int(20, 150) }, () => this.#row()),
        )
      case 'updateHot':
      case 'updateKey':
      case 'updateBig':
        for (const id of this.#some(rows, random.int(1, 12))) {
          await draft.update(tx, table, name, id, this.#changes(what))
        }
        return
      case 'deleteFew':
        for (const id of this.#some(rows, random.int(1, 10)))
          await draft.delete(tx, table, name, id)
        return
      case 'deleteMany': {
        // A run of ids, so that pages of the primary key's index become empty.
        const ids = [...rows.keys()].sort((a, b) => a - b)
        const first = random.int(0, Math.max(ids.length - 1, 0))
        for (const id of ids.slice(first, first + random.int(50, 400)))
          await draft.delete(tx, table, name, id)
        return
      }
      case 'create':
        return names.length < 4 ? this.#create(tx, draft) : undefined
      case 'truncate':
        tx.truncate(name)
        return draft.note({ table: name, kind: 'truncate' })
      case 'drop':
        if (names.length < 2) return
        tx.dropTable(name)
        return draft.note({ table: name, kind: 'drop' })
      case 'index': {
        const index = `${name}_extra`
        tx.dropIndex(index, { ifExists: true })
        if (random.chance(0.7)) tx.createIndex(name, { name: index, columns: ['t', 'k'] })
        return
      }
    }
  }

  #choose(): string {
    const { random } = this
    if (random.chance(0.06)) return random.pick(['create', 'truncate', 'drop', 'index'])
    return random.pick([
      'insertOne',
      'insertOne',
      'insertMany',
      'insertMany',
      'updateHot',
      'updateHot',
      'updateKey',
      'updateBig',
      'deleteFew',
      'deleteMany',
    ])
  }

  #create(tx: Transaction, draft: Draft): void {
    const name = `${this.lane.name}_${this.#tables++}`
    tx.createTable(name, {
      columns: { id: 'int4 primary key', k: 'int4', t: 'text not null', big: 'text' },
    })
    tx.createIndex(name, { name: `${name}_t`, columns: ['t'] })
    draft.note({ table: name, kind: 'create' })
    draft.insert(
      tx,
      this.session.table<Row>(name),
      name,
      Array.from({ length: this.random.int(0, 60) }, () => this.#row()),
    )
  }

  #row(): Row {
    const { random } = this
    return {
      id: this.#nextId++,
      k: this.#key(),
      t: this.#text(),
      big: random.chance(0.1) ? this.#bigText() : null,
    }
  }

  #changes(what: 'updateHot' | 'updateKey' | 'updateBig'): Partial<Row> {
    if (what === 'updateHot') return { k: this.#key() }
    if (what === 'updateBig') return { big: this.random.chance(0.8) ? this.#bigText() : null }
    return { t: this.#text(), k: this.#key() }
  }

  #key(): number | null {
    return this.random.chance(0.1) ? null : this.random.int(0, 1000)
  }

  // Long enough that few fit on a page of the index.
  #text(): string {
    return `${this.random.int(0, 999_999)} ${'x'.repeat(this.random.int(20, 250))}`
  }

  // Some compress to fit in the row, some do not.
  #bigText(): string {
    const { random } = this
    if (random.chance(0.4)) return `${random.int(0, 9)}`.repeat(random.int(2000, 30_000))
    return Array.from({ length: random.int(300, 1500) }, () =>
      random.int(0, 2 ** 31).toString(36),
    ).join('')
  }

  #some(rows: ReadonlyMap<number, Row>, count: number): number[] {
    const ids = [...rows.keys()]
    if (ids.length === 0) return []
    return [...new Set(Array.from({ length: count }, () => this.random.pick(ids)))]
  }
}

/** What one transaction does, and the state it leads to. */
class Draft {
  readonly state: State<Row>
  readonly changes: Change<Row>[] = []

  constructor(state: State<Row>) {
    this.state = copyOf(state)
  }

  rows(name: string): Map<number, Row> {
    return this.state.get(name) as Map<number, Row>
  }

  note(...changes: Change<Row>[]): void {
    apply(this.state, changes)
    this.changes.push(...changes)
  }

  insert(tx: Transaction, table: Table<Row>, name: string, rows: Row[]): void {
    if (rows.length === 0) return
    tx.insert(table, ...rows)
    this.note(...rows.map((row) => ({ table: name, kind: 'put', id: row.id, row }) as const))
  }

  async update(
    tx: Transaction,
    table: Table<Row>,
    name: string,
    id: number,
    changes: Partial<Row>,
  ): Promise<void> {
    if (!(await tx.update(table, id, changes))) throw new Error(`row ${id} of ${name} is not there`)
    const row = { ...(this.rows(name).get(id) as Row), ...changes }
    this.note({ table: name, kind: 'put', id, row })
  }

  async delete(tx: Transaction, table: Table<Row>, name: string, id: number): Promise<void> {
    if (!(await tx.delete(table, id))) throw new Error(`row ${id} of ${name} is not there`)
    this.note({ table: name, kind: 'delete', id })
  }
}
