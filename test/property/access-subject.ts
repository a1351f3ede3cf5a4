// Subject: a cluster beside its model; runs each operation on both and compares.
import { cpSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { binding } from '../../src-ts/binding/addon.ts'
import type { FaultRule, NativeDisk } from '../../src-ts/binding/native.ts'
import { Cluster, PgError, type Session, type Table, type Transaction } from '../../src-ts/index.ts'
import {
  compareKeys,
  Duplicate,
  type Filter,
  type IndexDefinition,
  Model,
  primaryKey,
  type Row,
  uniqueIndex,
} from './access-model.ts'
import type { Operation, Read, Step, Write } from './access-operations.ts'

const settings = {
  shared_buffers: '512kB',
  wal_buffers: '128kB',
  min_wal_size: '2MB',
  max_wal_size: '8MB',
  max_connections: 8,
  max_prepared_transactions: 2,
  fsync: false,
}

const rolledBack = new Error('rolled back on purpose')

const powerFailure: FaultRule = {
  fault: 'power_failure',
  kinds: ['write', 'sync', 'open', 'create', 'truncate', 'rename', 'remove_file', 'look_up'],
}

interface Snapshot {
  model: Model
  release: () => void
  done: Promise<void>
}

export class Subject {
  readonly #directory: string
  #cluster: Cluster | undefined
  #disk: NativeDisk
  #session: Session
  #other: Session
  #table: Table<Row>
  #model = new Model()
  #indexes = new Map([primaryKey, uniqueIndex].map((index) => [index.name, index]))
  #snapshot: Snapshot | undefined

  private constructor(directory: string, opened: Opened) {
    this.#directory = directory
    this.#cluster = opened.cluster
    this.#disk = opened.disk
    this.#session = opened.session
    this.#other = opened.other
    this.#table = opened.session.table<Row>('p')
  }

  /** On a copy of a new cluster. */
  static async open(prepared: string, directory: string): Promise<Subject> {
    cpSync(prepared, directory, { recursive: true })
    const opened = await openCluster(directory)
    await opened.session.createTable('p', {
      columns: {
        id: 'int4 primary key',
        a: 'int4',
        b: 'text',
        c: 'float8 not null',
        u: 'int4 unique',
        big: 'text',
      },
    })
    return new Subject(directory, opened)
  }

  async close(): Promise<void> {
    await this.#endSnapshot()
    this.#compareAll(this.#table, this.#model)
    const cluster = this.#cluster
    this.#cluster = undefined
    await cluster?.close()
  }

  /** Whatever state it is in. */
  async abandon(): Promise<void> {
    this.#snapshot?.release()
    const cluster = this.#cluster
    this.#cluster = undefined
    await cluster?.close().catch(() => undefined)
  }

  async run(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case 'checkpoint':
        return this.#cluster?.checkpoint()
      case 'snapshot':
        return this.#snapshot === undefined ? this.#beginSnapshot() : this.#endSnapshot()
      case 'reopen':
        await this.#endSnapshot()
        await this.#cluster?.close()
        return this.#open()
      case 'crash':
        await this.#endSnapshot()
        return this.#crash()
      case 'index':
        await this.#endSnapshot()
        return this.#toggleIndex(operation.index)
      case 'transaction':
        if (truncates(operation.steps)) await this.#endSnapshot()
        return this.#transaction(operation)
      case 'pair':
        return this.#pair(operation)
      case 'share':
        return this.#share(operation)
      case 'prepare':
        return this.#prepare(operation)
      case 'crashWithin':
        await this.#endSnapshot()
        return this.#crashWithin(operation.steps)
      case 'vacuum': {
        const { freeze, indexCleanup } = operation
        await this.#session.vacuum('p', { freeze, indexCleanup })
        return this.#compareAll(this.#table, this.#model)
      }
      case 'truncate':
        await this.#endSnapshot()
        return this.#transaction({ steps: [operation], commits: true, isolation: 'read committed' })
      case 'insert':
      case 'update':
      case 'delete':
      case 'deleteRun':
        return this.#transaction({ steps: [operation], commits: true, isolation: 'read committed' })
      default:
        return this.#read(this.#table, this.#model, operation)
    }
  }

  async #open(): Promise<void> {
    const { cluster, disk, session, other } = await openCluster(this.#directory)
    this.#cluster = cluster
    this.#disk = disk
    this.#session = session
    this.#other = other
    this.#table = session.table<Row>('p')
    this.#compareAll(this.#table, this.#model)
  }

  // The process is killed: what it wrote is there, the rest is not.
  async #crash(): Promise<void> {
    this.#disk.fail(powerFailure)
    await this.#cluster?.close().catch(() => undefined)
    await this.#open()
  }

  // The process is killed in the middle of a transaction, of which nothing is left.
  async #crashWithin(steps: readonly Step[]): Promise<void> {
    const died = new Error('the process died')
    const draft = this.#model.copy()
    const work = this.#session.transaction(async (tx) => {
      for (const step of steps) await this.#step(tx, draft, step)
      this.#disk.fail(powerFailure)
      throw died
    })
    await work.catch((error) => {
      if (error !== died && error !== rolledBack) throw error
    })
    await this.#crash()
  }

  async #prepare({
    steps,
    commits,
    meanwhile,
  }: Extract<Operation, { kind: 'prepare' }>): Promise<void> {
    const draft = this.#model.copy()
    try {
      await this.#session.prepareTransaction('p', async (tx) => {
        for (const step of steps) await this.#step(tx, draft, step)
      })
    } catch (error) {
      if (error !== rolledBack) throw error
      return
    }
    // It belongs to no session any more, and nobody sees it.
    this.#compareAll(this.#table, this.#model)
    if (meanwhile.startsWith('checkpoint')) await this.#cluster?.checkpoint()
    if (meanwhile === 'reopen') await this.run({ kind: 'reopen' })
    if (meanwhile.endsWith('crash')) await this.run({ kind: 'crash' })
    expectSame(
      this.#cluster?.preparedTransactions().map(({ gid }) => gid),
      ['p'],
      meanwhile,
    )
    await (commits ? this.#cluster?.commitPrepared('p') : this.#cluster?.rollbackPrepared('p'))
    if (commits) this.#model = draft
    this.#compareAll(this.#table, this.#model)
  }

  async #pair(pair: Extract<Operation, { kind: 'pair' }>): Promise<void> {
    await this.#endSnapshot()
    const [table, others] = [this.#table, this.#other.table<Row>('p')]
    const { isolation } = pair
    let committed = this.#model
    const withWrites = (model: Model, ...writes: Write[]) => {
      const draft = model.copy()
      for (const write of writes) writeModel(draft, write)
      return draft
    }
    let draft = committed.copy()
    const isDone = await this.#outcomeOf(
      this.#session.transaction(
        async (tx) => {
          this.#compareAll(table, draft)
          for (const write of pair.before) await this.#write(tx, draft, write)
          const theirs = committed.copy()
          const isSecondDone = await this.#outcomeOf(
            this.#other.transaction(
              async (second) => {
                for (const write of pair.second) await this.#write(second, theirs, write, others)
                this.#compareAll(others, theirs)
                this.#compareAll(table, draft)
                if (!pair.secondCommits) throw rolledBack
              },
              { isolation },
            ),
          )
          if (isSecondDone) {
            committed = theirs
            if (isolation === 'read committed') draft = withWrites(committed, ...pair.before)
          }
          this.#compareAll(table, draft)
          this.#compareAll(others, committed)
          for (const write of pair.after) await this.#write(tx, draft, write)
          if (!pair.commits) throw rolledBack
        },
        { isolation },
      ),
    )
    this.#model = isDone ? withWrites(committed, ...pair.before, ...pair.after) : committed
    this.#compareAll(others, this.#model)
    this.#compareAll(table, this.#model)
  }

  async #share(share: Extract<Operation, { kind: 'share' }>): Promise<void> {
    await this.#endSnapshot()
    const { ids, changes } = share
    const [table, others] = [this.#table, this.#other.table<Row>('p')]
    let committed = this.#model
    const changed = (model: Model) => {
      const draft = model.copy()
      for (const id of ids) draft.update(id, changes)
      return draft
    }
    const isDone = await this.#outcomeOf(
      this.#session.transaction(async (tx) => {
        for (const id of ids)
          expectSame(
            await tx.get(table, id, { lock: 'for key share' }),
            committed.rows.get(id),
            share,
          )
        const isSecondDone = await this.#outcomeOf(
          this.#other.transaction(async (second) => {
            for (const id of ids) {
              const row = await second.get(others, id, { lock: share.lock })
              expectSame(row?.id, committed.rows.get(id)?.id, share)
              expectSame(await second.update(others, id, changes), committed.rows.has(id), share)
            }
            this.#compareAll(others, changed(committed))
            this.#compareAll(table, committed)
            if (!share.secondCommits) throw rolledBack
          }),
        )
        if (isSecondDone) committed = changed(committed)
        this.#compareAll(table, committed)
        if (share.changesToo) {
          for (const id of ids) await tx.update(table, id, changes)
          this.#compareAll(table, changed(committed))
          this.#compareAll(others, committed)
        }
        if (!share.commits) throw rolledBack
      }),
    )
    this.#model = isDone && share.changesToo ? changed(committed) : committed
    this.#compareAll(others, this.#model)
  }

  // Whether it committed; false if it was rolled back on purpose.
  async #outcomeOf(work: Promise<void>): Promise<boolean> {
    try {
      await work
      return true
    } catch (error) {
      if (error !== rolledBack) throw error
      return false
    }
  }

  async #toggleIndex(index: IndexDefinition): Promise<void> {
    if (this.#indexes.has(index.name)) {
      await this.#session.dropIndex(index.name)
      this.#indexes.delete(index.name)
    } else {
      await this.#session.createIndex('p', { name: index.name, columns: index.columns })
      this.#indexes.set(index.name, index)
    }
  }

  async #transaction({
    steps,
    commits,
    isolation,
  }: Pick<Operation & { kind: 'transaction' }, 'steps' | 'commits' | 'isolation'>): Promise<void> {
    const draft = this.#model.copy()
    try {
      await this.#session.transaction(
        async (tx) => {
          for (const step of steps) await this.#step(tx, draft, step)
          if (!commits) throw rolledBack
        },
        { isolation },
      )
    } catch (error) {
      if (error !== rolledBack) throw error
      return
    }
    this.#model = draft
  }

  async #step(tx: Transaction, draft: Model, step: Step): Promise<void> {
    if (step.kind === 'truncate') {
      tx.truncate('p')
      draft.rows.clear()
      return
    }
    if (step.kind === 'savepoint') return this.#savepoint(tx, draft, step)
    if (step.kind === 'lock') {
      for (const id of step.ids) {
        const row = await tx.get(this.#table, id, { lock: step.lock })
        expectSame(row, draft.rows.get(id), step)
      }
      return
    }
    if (isWrite(step)) return this.#write(tx, draft, step)
    return this.#read(this.#table, draft, step)
  }

  // One that a refused write ends is rolled back, and the transaction goes on.
  async #savepoint(
    tx: Transaction,
    draft: Model,
    { steps, releases }: Extract<Step, { kind: 'savepoint' }>,
  ): Promise<void> {
    const before = draft.copy()
    try {
      await tx.savepoint(async (savepoint) => {
        for (const step of steps) await this.#step(savepoint, draft, step)
        if (!releases) throw rolledBack
      })
    } catch (error) {
      if (error !== rolledBack) throw error
      draft.rows = before.rows
      this.#compareAll(this.#table, draft)
    }
  }

  // What the model refuses, the table must refuse too; the transaction or savepoint is over then.
  async #write(
    tx: Transaction,
    draft: Model,
    write: Write,
    table: Table<Row> = this.#table,
  ): Promise<void> {
    let wanted: unknown
    let refused = false
    try {
      wanted = writeModel(draft, write)
    } catch (error) {
      if (!(error instanceof Duplicate)) throw error
      refused = true
    }
    try {
      expectSame(await this.#writeTable(tx, write, table), wanted, write)
    } catch (error) {
      if (refused && error instanceof PgError && error.code === '23505') throw rolledBack
      throw error
    }
    if (refused) throw new Error(`a duplicate key was not refused: ${JSON.stringify(write)}`)
  }

  async #writeTable(tx: Transaction, write: Write, table: Table<Row>): Promise<unknown> {
    switch (write.kind) {
      case 'insert':
        tx.insert(table, ...write.rows)
        return undefined
      case 'update':
        return tx.update(table, write.id, write.changes)
      case 'delete':
        return tx.delete(table, write.id)
      case 'deleteRun': {
        let deleted = 0
        for (let id = write.from; id < write.from + write.count; id++)
          if (await tx.delete(table, id)) deleted++
        return deleted
      }
    }
  }

  async #read(table: Table<Row>, model: Model, read: Read): Promise<void> {
    switch (read.kind) {
      case 'get': {
        const wanted = read.ids.map((id) => model.rows.get(id))
        expectSame(table.getMany(read.ids), wanted, read)
        expectSame(table.get(read.ids[0] as number), wanted[0], read)
        return
      }
      case 'scan':
        expectSameRows(
          [...table.scan({ where: whereOf(read.filters) })],
          model.scan(read.filters),
          read,
        )
        return
      case 'aggregate': {
        const where = whereOf(read.filters)
        const rows = model.scan(read.filters)
        const found = [
          await table.aggregate({ count: true, sum: 'a', min: 'c', max: 'c', where }),
          await table.aggregate({ sum: 'c', min: 'a', max: 'u', avg: 'a', where }),
        ]
        expectSame(normalized(found), normalized(aggregatesOf(rows)), read)
        return
      }
      case 'range': {
        const { index, bounds, filters, reverse, limit } = read
        if (!this.#indexes.has(index.name)) return
        const found = [
          ...table.range({
            index: index.name,
            ...bounds,
            reverse,
            where: whereOf(filters),
            ...(limit !== undefined && { limit }),
          }),
        ]
        expectRange(index, found, model.range(index, bounds, filters, reverse), limit, read)
        return
      }
    }
  }

  async #beginSnapshot(): Promise<void> {
    const model = this.#model.copy()
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    let begun: () => void = () => undefined
    const beginning = new Promise<void>((resolve) => {
      begun = resolve
    })
    const table = this.#other.table<Row>('p')
    const done = this.#other.transaction(
      async () => {
        this.#compareAll(table, model)
        begun()
        await released
        this.#compareAll(table, model)
      },
      { isolation: 'repeatable read', readOnly: true },
    )
    await Promise.race([beginning, done])
    this.#snapshot = { model, release, done }
  }

  async #endSnapshot(): Promise<void> {
    const snapshot = this.#snapshot
    this.#snapshot = undefined
    snapshot?.release()
    await snapshot?.done
  }

  #compareAll(table: Table<Row>, model: Model): void {
    expectSameRows([...table.scan()], [...model.rows.values()], 'a scan of all')
    for (const index of this.#indexes.values()) {
      const wanted = model.range(index, {}, [], false)
      expectRange(index, [...table.range({ index: index.name })], wanted, undefined, index.name)
    }
  }
}

interface Opened {
  cluster: Cluster
  disk: NativeDisk
  session: Session
  other: Session
}

async function openCluster(directory: string): Promise<Opened> {
  const disk = new binding.Disk()
  const cluster = await Cluster.open(directory, { settings, disk })
  return { cluster, disk, session: await cluster.connect(), other: await cluster.connect() }
}

function truncates(steps: readonly Step[]): boolean {
  return steps.some(
    (step) => step.kind === 'truncate' || (step.kind === 'savepoint' && truncates(step.steps)),
  )
}

function isWrite(step: Step): step is Write {
  return ['insert', 'update', 'delete', 'deleteRun'].includes(step.kind)
}

function writeModel(model: Model, write: Write): unknown {
  switch (write.kind) {
    case 'insert':
      return model.insert(write.rows)
    case 'update':
      return model.update(write.id, write.changes)
    case 'delete':
      return model.delete(write.id)
    case 'deleteRun': {
      let deleted = 0
      for (let id = write.from; id < write.from + write.count; id++) if (model.delete(id)) deleted++
      return deleted
    }
  }
}

function whereOf(filters: readonly Filter[]): Record<string, unknown> {
  const where: Record<string, Record<string, unknown>> = {}
  for (const { column, operator, value } of filters) {
    where[column] ??= {}
    if (operator === 'is null') where[column].isNull = true
    else if (operator === 'is not null') where[column].isNull = false
    else where[column][operator] = value
  }
  return where
}

function aggregatesOf(rows: readonly Row[]): Record<string, unknown>[] {
  const values = (column: 'a' | 'c' | 'u') =>
    rows.map((row) => row[column]).filter((value) => value !== null)
  const sum = (numbers: number[]) =>
    numbers.length === 0 ? null : numbers.reduce((total, value) => total + value, 0)
  const least = (numbers: number[]) => (numbers.length === 0 ? null : Math.min(...numbers))
  const greatest = (numbers: number[]) => (numbers.length === 0 ? null : Math.max(...numbers))
  const a = values('a')
  const mean = a.length === 0 ? null : (sum(a) as number) / a.length
  return [
    { count: rows.length, sum: sum(a), min: least(values('c')), max: greatest(values('c')) },
    { sum: sum(values('c')), min: least(a), max: greatest(values('u')), avg: mean },
  ]
}

// An exact sum may be a bigint; means may differ in their last digits, and -0 is 0.
function normalized(results: readonly object[]): unknown[] {
  return results.map((result) =>
    Object.entries(result)
      .map(([name, value]) => [
        name,
        value === null || value === undefined ? null : Number(Number(value).toPrecision(12)) + 0,
      ])
      .sort(([one], [two]) => (String(one) < String(two) ? -1 : 1)),
  )
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 400 ? `${text.slice(0, 400)}...` : text
}

function expectSame(found: unknown, wanted: unknown, what: unknown): void {
  if (isDeepStrictEqual(found, wanted)) return
  throw new Error(`${brief(what)}\nfound  ${brief(found)}\nwanted ${brief(wanted)}`)
}

const byId = (one: Row, two: Row) => one.id - two.id

function expectSameRows(found: Row[], wanted: Row[], what: unknown): void {
  const sorted = [...found].sort(byId)
  const model = [...wanted].sort(byId)
  if (isDeepStrictEqual(sorted, model)) return
  const text = (rows: Row[]) => new Set(rows.map((row) => JSON.stringify(row)))
  const missing = [...text(model)].filter((row) => !text(sorted).has(row))
  const extra = [...text(sorted)].filter((row) => !text(model).has(row))
  throw new Error(
    `${brief(what)}\nfound ${found.length} rows, not ${wanted.length}; missing ${brief(missing)}, not wanted ${brief(extra)}`,
  )
}

// Rows with equal keys may come in any order.
function expectRange(
  index: IndexDefinition,
  found: Row[],
  wanted: Row[],
  limit: number | undefined,
  what: unknown,
): void {
  const count = Math.min(wanted.length, limit ?? wanted.length)
  if (found.length !== count) expectSameRows(found, wanted.slice(0, count), what)
  for (const [i, row] of found.entries()) {
    if (compareKeys(index, row, wanted[i] as Row) !== 0) {
      throw new Error(`${brief(what)}\nrow ${i} is ${brief(row)}, not ${brief(wanted[i])}`)
    }
  }
  // The rows whose key is the last one's may be others than the model's.
  const last = found.at(-1)
  const surely = (row: Row) => last === undefined || compareKeys(index, row, last) !== 0
  expectSameRows(found.filter(surely), wanted.slice(0, count).filter(surely), what)
  const possible = new Map(wanted.map((row) => [row.id, row]))
  for (const row of found) expectSame(row, possible.get(row.id), what)
}
