// The seeded workload of the crash tests: several lanes of transactions side by side, with savepoints, row locks that two
// sessions share, two-phase commits and vacuums; checkpoints between them.
import type {
  Cluster,
  Session,
  Table,
  Transaction,
  TransactionOptions,
} from '../../src-ts/index.ts'
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
  max_prepared_transactions: 8,
}
export const initOptions = { walSegmentSize: 1024 ** 2 }

/** What a workload is about to do to a lane, before it does it, or has done: for a ledger that is kept elsewhere. */
export type Event =
  | { kind: 'commit'; changes: Change<string>[] }
  | { kind: 'committed' }
  | { kind: 'prepare'; gid: string; changes: Change<string>[] }
  | { kind: 'prepared'; gid: string }
  | { kind: 'end'; gid: string; commits: boolean }
  | { kind: 'ended'; gid: string }

export interface WorkloadOptions {
  seed: number
  lanes: number
  /** Of each lane. */
  transactions: number
  /** The moment, in records of the journal. */
  now?: () => number
  /** What the lanes' tables hold already. */
  start?: readonly State<Row>[]
  /** Told of all that the ledger is told. */
  onEvent?: (lane: string, event: Event) => void
  /** Told of each step, for looking into failures. */
  onStep?: (what: string) => void
  /** Asked about each failure of a transaction or checkpoint: it is thrown, the workload goes on, or it ends here. */
  onFailure?: (error: unknown) => 'throw' | 'go on' | 'end'
}

const rowsMax = 900
const preparedMax = 2
const connectsMax = 4

/** Runs the workload; resolves with what was done when all of it is durable. */
export async function runWorkload(cluster: Cluster, options: WorkloadOptions): Promise<Lane[]> {
  const { seed, lanes, transactions } = options
  const runs = await Promise.all(
    Array.from({ length: lanes }, async (_, number) => {
      const session = await connected(cluster, options)
      const other = await connected(cluster, options)
      const random = new Random(seed * 1000 + number)
      return new LaneRun(cluster, session, other, number, random, options)
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
  const closing = runs.flatMap((run) => [run.session?.close(), run.other?.close()])
  await (options.onFailure === undefined ? Promise.all(closing) : Promise.allSettled(closing))
  return runs.map((run) => run.lane)
}

async function connected(cluster: Cluster, options: WorkloadOptions): Promise<Session | undefined> {
  for (let n = 0; n < connectsMax; n++) {
    try {
      return await cluster.connect()
    } catch (error) {
      if (afterFailure(options, error) === 'end') return undefined
    }
  }
  return undefined
}

const rolledBack = new Error('rolled back on purpose')

function afterFailure(options: WorkloadOptions, error: unknown): 'go on' | 'end' {
  const next = options.onFailure?.(error) ?? 'throw'
  if (next === 'throw') throw error
  return next
}

/** Makes a draft of what a transaction does, from what is there when it is called. */
type Begin = () => Draft

class LaneRun {
  readonly lane: Lane
  /** As after the last commit that was asked for. */
  #state: State<Row>
  #tables: number
  #nextId: number
  #gids = 0
  /** Transactions that wait for their ends, and rows of the lane's two-phase table that they have changed. */
  readonly #prepared = new Map<string, { changes: Change<Row>[]; ids: readonly number[] }>()
  readonly #twoPhase: string
  readonly #inFlight = new Set<Promise<unknown>>()
  /** A failure after which nothing more can be done. */
  ended = false

  constructor(
    readonly cluster: Cluster,
    readonly session: Session | undefined,
    readonly other: Session | undefined,
    number: number,
    readonly random: Random,
    readonly options: WorkloadOptions,
  ) {
    this.lane = new Lane(`l${number}`)
    this.ended = session === undefined || other === undefined
    this.#twoPhase = `${this.lane.name}_prepared`
    this.#state = copyOf(options.start?.[number] ?? new Map())
    const tables = this.#names(this.#state).map((name) => Number(name.split('_')[1]))
    this.#tables = Math.max(0, ...tables.map((table) => table + 1))
    const ids = [...this.#state.values()].flatMap((rows) => [...rows.keys()])
    this.#nextId = Math.max(0, ...ids) + 1
  }

  /** One transaction, vacuum or end of a prepared one. Now and then the next begins before it is durable. */
  async step(): Promise<void> {
    const { random } = this
    const chance = random.next()
    if (chance < 0.06) return this.#alone(() => this.#vacuum())
    if (chance < 0.14) return this.#alone(() => this.#share())
    if (chance < 0.26) {
      const isNew =
        this.#prepared.size === 0 || (this.#prepared.size < preparedMax && random.chance(0.5))
      return this.#alone(() => (isNew ? this.#prepare() : this.#endPrepared()))
    }
    const work = this.#transaction()
    const settled = work.finally(() => this.#inFlight.delete(settled))
    this.#inFlight.add(settled)
    // Where transactions may fail, the next one must know what became of the one before.
    const goesOn = random.chance(0.3) && this.options.onFailure === undefined
    if (!goesOn || this.#inFlight.size > 3) await this.drain()
  }

  async drain(): Promise<void> {
    await Promise.all(this.#inFlight)
  }

  async #alone(work: () => Promise<void>): Promise<void> {
    await this.drain()
    await work()
  }

  #tell(event: Event): void {
    this.options.onEvent?.(this.lane.name, event)
  }

  #now(): number {
    return this.options.now?.() ?? 0
  }

  // Tables that anything may happen to.
  #names(state: State<Row>): string[] {
    return [...state.keys()].filter((name) => name !== this.#twoPhase)
  }

  // One transaction: what `body` drafts is asked for when it returns, unless it is to be rolled back.
  async #commit(
    session: Session,
    options: { fails: boolean } & TransactionOptions,
    body: (tx: Transaction, begin: Begin) => Promise<void>,
  ): Promise<void> {
    let commit: Commit | undefined
    let before = this.#state
    const work = session.transaction(async (tx) => {
      let draft: Draft | undefined
      // What it works on is what it finds when its turn has come.
      const begin = () => {
        draft ??= new Draft(this.#state)
        return draft
      }
      await body(tx, begin)
      if (options.fails) throw rolledBack
      if (draft === undefined) return
      // The commit is asked for as soon as this returns, and the next transaction sees its rows.
      const changes = draft.changes.map(inLines)
      this.#tell({ kind: 'commit', changes })
      commit = this.lane.ask(changes, this.#now())
      before = this.#state
      this.#state = draft.state
    }, options)
    try {
      await work
    } catch (error) {
      if (error === rolledBack) return
      if (this.#ends(error)) return
      if (commit === undefined) return
      this.lane.takeBack(commit)
      this.#state = before
      return
    }
    if (commit === undefined) return
    this.#tell({ kind: 'committed' })
    commit.acknowledged = this.#now()
  }

  // Whether a commit that was asked for is there is for recovery to say.
  #ends(error: unknown): boolean {
    if (afterFailure(this.options, error) === 'end') this.ended = true
    return this.ended
  }

  #transaction(): Promise<void> {
    const { random } = this
    const isolation = random.pick([
      'read committed',
      'read committed',
      'repeatable read',
      'serializable',
    ] as const)
    const fails = random.chance(0.12)
    return this.#commit(this.session as Session, { fails, isolation }, async (tx, begin) => {
      const draft = begin()
      const actions = random.chance(0.6) ? 1 : random.int(2, 5)
      await this.#actions(tx, draft, actions, 0)
    })
  }

  async #actions(tx: Transaction, draft: Draft, actions: number, depth: number): Promise<void> {
    const { random } = this
    for (let n = 0; n < actions; n++) {
      if (depth < 3 && random.chance(0.2)) await this.#savepoint(tx, draft, depth)
      else await this.#action(tx, draft)
      // Others have their turn between the writes of a transaction.
      if (random.chance(0.5)) await new Promise(setImmediate)
    }
  }

  async #savepoint(tx: Transaction, draft: Draft, depth: number): Promise<void> {
    const { random } = this
    const inner = new Draft(draft.state)
    const tell = (what: string) => this.options.onStep?.(`${this.lane.name} ${what}`)
    tell('savepoint')
    try {
      await tx.savepoint(async (savepoint) => {
        await this.#actions(savepoint, inner, random.int(0, 3), depth + 1)
        if (random.chance(0.4)) throw rolledBack
      })
    } catch (error) {
      if (error !== rolledBack) throw error
      return tell('savepoint rolled back')
    }
    draft.note(...inner.changes)
    tell('savepoint released')
  }

  async #vacuum(): Promise<void> {
    const { random } = this
    const names = [...this.#state.keys()]
    if (names.length === 0) return
    const name = random.pick(names)
    this.options.onStep?.(`${this.lane.name} vacuum ${name}`)
    try {
      await this.session?.vacuum(name, {
        freeze: random.chance(0.3),
        indexCleanup: random.pick(['on', 'auto'] as const),
      })
    } catch (error) {
      this.#ends(error)
    }
  }

  // Two sessions lock the same rows, so that there are multixacts, and both may change some of them.
  async #share(): Promise<void> {
    const { random } = this
    const name = this.#anyTable()
    if (name === undefined) return
    const ids = this.#some(this.#state.get(name) as Map<number, Row>, random.int(1, 8))
    this.options.onStep?.(`${this.lane.name} share ${name}`)
    const [session, other] = [this.session as Session, this.other as Session]
    await this.#commit(session, { fails: random.chance(0.3) }, async (tx, begin) => {
      const table = session.table<Row>(name)
      for (const id of ids) await tx.get(table, id, { lock: 'for key share' })
      await this.#commit(other, { fails: random.chance(0.3) }, async (theirs, beginTheirs) => {
        const same = other.table<Row>(name)
        const draft = beginTheirs()
        for (const id of ids) {
          const lock = random.pick(['for key share', 'for share', 'for no key update'] as const)
          await theirs.get(same, id, { lock })
          // Compatible with the key share lock of the first one.
          if (random.chance(0.4)) await draft.update(theirs, same, name, id, { k: this.#key() })
        }
      })
      if (this.ended) throw rolledBack
      const draft = begin()
      for (const id of ids)
        if (random.chance(0.3)) await draft.update(tx, table, name, id, this.#changes('updateKey'))
    })
  }

  async #prepare(): Promise<void> {
    const { random } = this
    const session = this.session as Session
    if (!this.#state.has(this.#twoPhase)) {
      await this.#commit(session, { fails: false }, async (tx, begin) =>
        this.#create(tx, begin(), this.#twoPhase),
      )
      return
    }
    const gid = `${this.lane.name} ${this.options.seed} ${this.#gids++}`
    const draft = new Draft(this.#state)
    const taken = new Set([...this.#prepared.values()].flatMap(({ ids }) => ids))
    const ids = this.#some(draft.rows(this.#twoPhase), random.int(1, 6)).filter(
      (id) => !taken.has(id),
    )
    this.options.onStep?.(`${this.lane.name} prepare ${gid}`)
    const table = session.table<Row>(this.#twoPhase)
    const lines = () => draft.changes.map(inLines)
    let asked = false
    try {
      await session.prepareTransaction(gid, async (tx) => {
        draft.insert(
          tx,
          table,
          this.#twoPhase,
          Array.from({ length: random.int(1, 30) }, () => this.#row()),
        )
        for (const id of ids) {
          if (random.chance(0.3)) await draft.delete(tx, table, this.#twoPhase, id)
          else await draft.update(tx, table, this.#twoPhase, id, this.#changes('updateKey'))
        }
        if (random.chance(0.3)) await this.#savepointOfPrepared(tx, draft)
        if (random.chance(0.2)) this.#create(tx, draft)
        if (random.chance(0.1)) throw rolledBack
        this.#tell({ kind: 'prepare', gid, changes: lines() })
        this.lane.prepare(gid, lines(), this.#now())
        asked = true
      })
    } catch (error) {
      if (error === rolledBack) return
      if (!this.#ends(error) && asked) this.lane.prepared.delete(gid)
      return
    }
    this.#tell({ kind: 'prepared', gid })
    const prepared = this.lane.prepared.get(gid)
    if (prepared !== undefined) prepared.acknowledged = this.#now()
    this.#prepared.set(gid, { changes: draft.changes, ids })
  }

  async #savepointOfPrepared(tx: Transaction, draft: Draft): Promise<void> {
    const inner = new Draft(draft.state)
    const table = (this.session as Session).table<Row>(this.#twoPhase)
    try {
      await tx.savepoint(async (savepoint) => {
        inner.insert(savepoint, table, this.#twoPhase, [this.#row(), this.#row()])
        if (this.random.chance(0.4)) throw rolledBack
      })
      draft.note(...inner.changes)
    } catch (error) {
      if (error !== rolledBack) throw error
    }
  }

  async #endPrepared(): Promise<void> {
    const { random, cluster } = this
    const gid = random.pick([...this.#prepared.keys()])
    const commits = random.chance(0.6)
    this.options.onStep?.(`${this.lane.name} ${commits ? 'commit' : 'rollback'} prepared ${gid}`)
    this.#tell({ kind: 'end', gid, commits })
    this.lane.askForEnd(gid, commits, this.#now())
    try {
      await (commits ? cluster.commitPrepared(gid) : cluster.rollbackPrepared(gid))
    } catch (error) {
      if (!this.#ends(error)) this.lane.takeBackEnd(gid)
      return
    }
    this.#tell({ kind: 'ended', gid })
    this.lane.acknowledgeEnd(gid, this.#now())
    if (commits) {
      this.#state = copyOf(this.#state)
      apply(this.#state, this.#prepared.get(gid)?.changes ?? [])
    }
    this.#prepared.delete(gid)
  }

  #anyTable(): string | undefined {
    const names = this.#names(this.#state).filter((name) => this.#state.get(name)?.size !== 0)
    return names.length === 0 ? undefined : this.random.pick(names)
  }

  async #action(tx: Transaction, draft: Draft): Promise<void> {
    const { random } = this
    const names = this.#names(draft.state)
    if (names.length === 0) return this.#create(tx, draft)
    const name = random.pick(names)
    const rows = draft.rows(name)
    const table = (this.session as Session).table<Row>(name)
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
      case 'lockFew': {
        const modes = ['for update', 'for no key update', 'for share', 'for key share'] as const
        for (const id of this.#some(rows, random.int(1, 10))) {
          await tx.get(table, id, { lock: random.pick(modes) })
          if (random.chance(0.3))
            await draft.update(tx, table, name, id, this.#changes('updateHot'))
        }
        return
      }
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
      'lockFew',
      'deleteFew',
      'deleteMany',
    ])
  }

  #create(
    tx: Transaction,
    draft: Draft,
    name: string = `${this.lane.name}_${this.#tables++}`,
  ): void {
    tx.createTable(name, {
      columns: { id: 'int4 primary key', k: 'int4', t: 'text not null', big: 'text' },
    })
    tx.createIndex(name, { name: `${name}_t`, columns: ['t'] })
    draft.note({ table: name, kind: 'create' })
    draft.insert(
      tx,
      (this.session as Session).table<Row>(name),
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
