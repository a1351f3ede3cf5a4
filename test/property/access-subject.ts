// Subject: a cluster beside its model; runs each operation on both and compares.
import { cpSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { binding } from '../../src-ts/binding/addon.ts'
import type { NativeDisk } from '../../src-ts/binding/native.ts'
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
  fsync: false,
}

const rolledBack = new Error('rolled back on purpose')

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
        if (operation.steps.some(({ kind }) => kind === 'truncate')) await this.#endSnapshot()
        return this.#transaction(operation)
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
    this.#disk.fail({
      fault: 'power_failure',
      kinds: ['write', 'sync', 'open', 'create', 'truncate', 'rename', 'remove_file', 'look_up'],
    })
    await this.#cluster?.close().catch(() => undefined)
    await this.#open()
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
    if (isWrite(step)) return this.#write(tx, draft, step)
    return this.#read(this.#table, draft, step)
  }

  // What the model refuses, the table must refuse too; the transaction is over then.
  async #write(tx: Transaction, draft: Model, write: Write): Promise<void> {
    let wanted: unknown
    let refused = false
    try {
      wanted = writeModel(draft, write)
    } catch (error) {
      if (!(error instanceof Duplicate)) throw error
      refused = true
    }
    try {
      expectSame(await this.#writeTable(tx, write), wanted, write)
    } catch (error) {
      if (refused && error instanceof PgError && error.code === '23505') throw rolledBack
      throw error
    }
    if (refused) throw new Error(`a duplicate key was not refused: ${JSON.stringify(write)}`)
  }

  async #writeTable(tx: Transaction, write: Write): Promise<unknown> {
    switch (write.kind) {
      case 'insert':
        tx.insert(this.#table, ...write.rows)
        return undefined
      case 'update':
        return tx.update(this.#table, write.id, write.changes)
      case 'delete':
        return tx.delete(this.#table, write.id)
      case 'deleteRun': {
        let deleted = 0
        for (let id = write.from; id < write.from + write.count; id++)
          if (await tx.delete(this.#table, id)) deleted++
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
