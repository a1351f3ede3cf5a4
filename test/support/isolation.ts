// Isolation scenarios: the same steps of several sessions on pgdata and on stock PostgreSQL, outcome by outcome.
//
// See test/isolation/README.md. A step is done, fails, or waits; after each one it is also noted which of the waiting
// ones came to an end by it. The two logs must be equal, and so must the tables afterwards.
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import {
  type Assignments,
  Cluster,
  type Conditions,
  type LockLevel,
  type OnConflict,
  PgError,
  type Session,
  type Table,
  type Transaction,
  type TransactionOptions,
} from '../../src-ts/index.ts'
import { Oracle } from './oracle.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export type Row = { id: number; v: number | null; u: number | null }
type Changes = Partial<Row>
type Isolation = NonNullable<TransactionOptions['isolation']>
type RowLock = 'for update' | 'for no key update' | 'for share' | 'for key share'
type Wait = 'nowait' | 'skip locked'

export interface Step {
  session: number
  label: string
  sql: (table: string) => string[]
  ours: (actor: OurActor) => Promise<unknown>
}

export interface Scenario {
  name: string
  /** Default: ids 1 to 3 with v = 10 * id and u = 100 * id. */
  rows?: Row[]
  /** Per session number, in milliseconds; 10 s by default, so that only these find a deadlock. */
  deadlockTimeout?: Record<number, number>
  lockTimeout?: Record<number, number>
  /** Two sessions go on at once, so that what their pages keep of it is another thing each time, in stock too. */
  isRace?: boolean
  steps: Step[]
}

const setupRows: Row[] = [1, 2, 3].map((id) => ({ id, v: 10 * id, u: 100 * id }))
const columns = 'id, v, u'
const patientMs = 10_000

const literal = (value: number | null | undefined) => (value == null ? 'null' : `${value}`)
const assignments = (changes: Changes) =>
  Object.entries(changes)
    .map(([name, value]) => `${name} = ${literal(value)}`)
    .join(', ')
const condition = (where: Changes) =>
  Object.entries(where)
    .map(([name, value]) => (value === null ? `${name} is null` : `${name} = ${literal(value)}`))
    .join(' and ') || 'true'

/** The steps of one session. */
export function session(number: number) {
  const step = (
    label: string,
    sql: (table: string) => string | string[],
    ours: Step['ours'],
  ): Step => ({
    session: number,
    label: `s${number} ${label}`,
    sql: (table) => [sql(table)].flat(),
    ours,
  })
  return {
    begin: (isolation: Isolation = 'read committed', options: { readOnly?: boolean } = {}) =>
      step(
        `begin ${isolation}`,
        () => `begin isolation level ${isolation}${options.readOnly ? ' read only' : ''}`,
        (actor) => actor.begin(isolation, options.readOnly ?? false),
      ),
    commit: () =>
      step(
        'commit',
        () => 'commit',
        (actor) => actor.commit(),
      ),
    rollback: () =>
      step(
        'rollback',
        () => 'rollback',
        (actor) => actor.rollback(),
      ),
    savepoint: () =>
      step(
        'savepoint',
        () => 'savepoint s',
        (actor) => actor.savepoint(),
      ),
    release: () =>
      step(
        'release',
        () => 'release s',
        (actor) => actor.endSavepoint(true),
      ),
    rollbackTo: () =>
      step(
        'rollback to',
        () => ['rollback to s', 'release s'],
        (actor) => actor.endSavepoint(false),
      ),
    get: (id: number) =>
      step(
        `get ${id}`,
        (table) => `select ${columns} from ${table} where id = ${id}`,
        async (actor) => {
          const row = actor.table.get(id)
          return row === undefined ? [] : [row]
        },
      ),
    select: (where: Changes = {}) =>
      step(
        `select ${condition(where)}`,
        (table) => `select ${columns} from ${table} where ${condition(where)}`,
        async (actor) => [...actor.table.scan({ where })],
      ),
    insert: (row: Row) =>
      step(
        `insert ${JSON.stringify(row)}`,
        (table) => `insert into ${table} values (${row.id}, ${literal(row.v)}, ${literal(row.u)})`,
        async (actor) => {
          if (actor.tx === undefined) await actor.table.insert(row)
          else await actor.tx.insert(actor.table, row)
          return 1
        },
      ),
    update: (id: number, changes: Changes) =>
      step(
        `update ${id} ${assignments(changes)}`,
        (table) => `update ${table} set ${assignments(changes)} where id = ${id}`,
        async (actor) =>
          Number(
            actor.tx === undefined
              ? await actor.table.update(id, changes)
              : await actor.tx.update(actor.table, id, changes),
          ),
      ),
    delete: (id: number) =>
      step(
        `delete ${id}`,
        (table) => `delete from ${table} where id = ${id}`,
        async (actor) =>
          Number(
            actor.tx === undefined
              ? await actor.table.delete(id)
              : await actor.tx.delete(actor.table, id),
          ),
      ),
    /** `sql`: the same, from SET on. */
    updateWhere: (set: Assignments<Row>, where: Conditions, sql: string) =>
      step(
        `update set ${sql}`,
        (table) => `update ${table} set ${sql}`,
        async (actor) => {
          const request = { set, where }
          return actor.tx === undefined
            ? actor.table.updateWhere(request)
            : actor.tx.updateWhere(actor.table, request)
        },
      ),
    /** `sql`: the same, from ON CONFLICT on. */
    upsert: (rows: Row[], onConflict: OnConflict<Row>, sql: string) =>
      step(
        `insert ${JSON.stringify(rows)} on conflict ${sql}`,
        (table) =>
          `insert into ${table} as t values ${rows
            .map((row) => `(${row.id}, ${literal(row.v)}, ${literal(row.u)})`)
            .join(', ')} on conflict ${sql}`,
        async (actor) =>
          actor.tx === undefined
            ? actor.table.insertMany(rows, { onConflict })
            : actor.tx.insertMany(actor.table, rows, { onConflict }),
      ),
    /** `sql`: the same condition. */
    deleteWhere: (where: Conditions, sql: string) =>
      step(
        `delete where ${sql}`,
        (table) => `delete from ${table} where ${sql}`,
        async (actor) =>
          actor.tx === undefined
            ? actor.table.deleteWhere({ where })
            : actor.tx.deleteWhere(actor.table, { where }),
      ),
    lock: (id: number, lock: RowLock, wait?: Wait) =>
      step(
        `lock ${id} ${lock}${wait ? ` ${wait}` : ''}`,
        (table) => `select ${columns} from ${table} where id = ${id} ${lock} ${wait ?? ''}`,
        async (actor) => {
          const row = await actor.open().get(actor.table, id, { lock, ...(wait && { wait }) })
          return row === undefined ? [] : [row]
        },
      ),
    lockWhere: (where: Changes, lock: RowLock, options: { wait?: Wait; limit?: number } = {}) =>
      step(
        `lock where ${condition(where)} ${lock} ${JSON.stringify(options)}`,
        (table) =>
          `select ${columns} from ${table} where ${condition(where)} ${
            options.limit === undefined ? '' : `limit ${options.limit}`
          } ${lock} ${options.wait ?? ''}`,
        (actor) => actor.open().scan(actor.table, { where, lock, ...options }),
      ),
    lockRange: (from: number, to: number, lock: RowLock, wait?: Wait) =>
      step(
        `lock ${from} to ${to} ${lock}${wait ? ` ${wait}` : ''}`,
        (table) =>
          `select ${columns} from ${table} where id between ${from} and ${to} order by id ${lock} ${wait ?? ''}`,
        (actor) => actor.open().range(actor.table, { from, to, lock, ...(wait && { wait }) }),
      ),
    lockTable: (level: LockLevel, wait?: 'nowait') =>
      step(
        `lock table ${level}${wait ? ` ${wait}` : ''}`,
        (table) => `lock table ${table} in ${level} mode ${wait ?? ''}`,
        async (actor) => {
          await actor.open().lockTable(actor.table, level, wait && { wait })
        },
      ),
    truncate: () =>
      step(
        'truncate',
        (table) => `truncate ${table}`,
        async (actor) => {
          if (actor.tx === undefined) await actor.session.truncate(actor.name)
          else await actor.tx.truncate(actor.name)
        },
      ),
    createIndex: (column: 'v' | 'u') =>
      step(
        `create index ${column}`,
        (table) => `create index on ${table} (${column})`,
        async (actor) => {
          const options = { columns: [{ column }] }
          if (actor.tx === undefined) await actor.session.createIndex(actor.name, options)
          else await actor.tx.createIndex(actor.name, options)
        },
      ),
    dropTable: () =>
      step(
        'drop table',
        (table) => `drop table ${table}`,
        async (actor) => {
          if (actor.tx === undefined) await actor.session.dropTable(actor.name)
          else await actor.tx.dropTable(actor.name)
        },
      ),
  }
}

class RolledBack extends Error {}

interface Level {
  tx: Transaction
  end: (how: 'commit' | 'rollback') => void
  done: Promise<void>
}

/** One session of ours, whose transactions begin and end step by step. */
export class OurActor {
  readonly session: Session
  readonly name: string
  readonly table: Table<Row>
  readonly #options: TransactionOptions
  readonly #levels: Level[] = []

  constructor(session: Session, name: string, options: TransactionOptions) {
    this.session = session
    this.name = name
    this.table = session.table<Row>(name)
    this.#options = options
  }

  get tx(): Transaction | undefined {
    return this.#levels.at(-1)?.tx
  }

  open(): Transaction {
    if (this.tx === undefined) throw new Error('no transaction is open')
    return this.tx
  }

  async begin(isolation: Isolation, readOnly: boolean): Promise<void> {
    await this.#enter((body) =>
      this.session.transaction(body, { ...this.#options, isolation, readOnly }),
    )
  }

  async savepoint(): Promise<void> {
    const outer = this.open()
    await this.#enter((body) => outer.savepoint(body))
  }

  async commit(): Promise<string | undefined> {
    const level = this.#levels.pop() as Level
    level.end('commit')
    try {
      await level.done
      return undefined
    } catch (error) {
      // A transaction in which something failed is rolled back, as stock's COMMIT does without an error.
      if (this.#hasFailed(error)) return 'rolled back'
      throw error
    }
  }

  async rollback(): Promise<void> {
    for (const level of this.#levels.splice(0).reverse()) await this.#rollBack(level)
  }

  async endSavepoint(released: boolean): Promise<void> {
    const level = this.#levels.pop() as Level
    if (!released) return this.#rollBack(level)
    level.end('commit')
    await level.done
  }

  // What steps of the transaction failed with.
  readonly #failures = new Set<unknown>()
  failed(error: unknown): void {
    this.#failures.add(error)
  }

  #hasFailed(error: unknown): boolean {
    const isRefusal = error instanceof PgError && error.code === '25P02'
    return this.#failures.has(error) || (this.#failures.size > 0 && isRefusal)
  }

  async #rollBack(level: Level): Promise<void> {
    level.end('rollback')
    await level.done.catch((error) => {
      if (!(error instanceof RolledBack)) throw error
    })
  }

  async #enter(run: (body: (tx: Transaction) => Promise<void>) => Promise<void>): Promise<void> {
    if (this.#levels.length === 0) this.#failures.clear()
    let end: Level['end'] = () => undefined
    const ended = new Promise<'commit' | 'rollback'>((resolve) => {
      end = resolve
    })
    let done: Promise<void> = Promise.resolve()
    const tx = await new Promise<Transaction>((resolve, reject) => {
      done = run(async (opened) => {
        resolve(opened)
        if ((await ended) === 'rollback') throw new RolledBack()
      })
      done.catch(reject)
    })
    this.#levels.push({ tx, end, done })
  }
}

// How a step of one engine runs, and whether it waits for a lock.
interface Engine {
  begin(step: Step): Promise<unknown>
  waits(session: number): Promise<boolean>
}

const quickMs = 5

interface Running {
  step: Step
  outcome: string | undefined
}

function describe(result: unknown): string {
  if (Array.isArray(result)) {
    return JSON.stringify([...(result as Row[])].sort((a, b) => a.id - b.id))
  }
  return result === undefined ? 'done' : String(result)
}

function describeError(error: unknown, tables: readonly string[]): string {
  if (!(error instanceof Error) || !('code' in error)) throw error
  let { message } = error
  for (const table of tables) message = message.replaceAll(table, 't')
  return `${error.code} ${message}`
}

// Runs the steps on one engine and tells what happened, in order.
async function runSteps(scenario: Scenario, engine: Engine, table: string): Promise<string[]> {
  const log: string[] = []
  const waiting: Running[] = []
  // A session whose timers are short ends its wait by itself.
  const isImpatient = (session: number) =>
    scenario.deadlockTimeout?.[session] !== undefined ||
    scenario.lockTimeout?.[session] !== undefined
  const settle = async (running: Running): Promise<boolean> => {
    let seen = 0
    const until = Date.now() + patientMs
    for (;;) {
      if (running.outcome !== undefined) return true
      // Seen waiting several times in a row, at some distance.
      seen = (await engine.waits(running.step.session)) ? seen + 1 : 0
      if (running.outcome !== undefined) return true
      if (seen >= (isImpatient(running.step.session) ? 40 : 10)) return false
      if (Date.now() > until) throw new Error(`${running.step.label} neither ends nor waits`)
      await sleep(quickMs)
    }
  }
  for (const step of scenario.steps) {
    if (waiting.some((running) => running.step.session === step.session)) {
      throw new Error(`${step.label}: the session still waits`)
    }
    const running: Running = { step, outcome: undefined }
    engine.begin(step).then(
      (result) => {
        running.outcome = describe(result)
      },
      (error) => {
        running.outcome = describeError(error, [table])
      },
    )
    const done = await settle(running)
    log.push(`${step.label}: ${done ? running.outcome : 'waits'}`)
    if (!done) waiting.push(running)
    // In the order of the sessions, since which of two is noticed first is chance.
    waiting.sort((a, b) => a.step.session - b.step.session)
    for (let again = true; again; ) {
      again = false
      for (const other of waiting.filter((candidate) => candidate !== running)) {
        if (!(await settle(other))) continue
        waiting.splice(waiting.indexOf(other), 1)
        log.push(`  ${other.step.label}: ${other.outcome}`)
        again = true
      }
    }
  }
  for (const { step } of waiting) throw new Error(`${step.label} waits at the end of the scenario`)
  return log
}

/** Both engines, and what each made of the scenarios so far. */
export class IsolationTester {
  readonly directory = temporaryDirectory('isolation')
  #cluster: Cluster | undefined
  #ours: Session | undefined
  #oracle: Oracle | undefined
  #stock: pg.Client | undefined
  // One for each session number, for all scenarios.
  readonly #clients = new Map<number, { client: pg.Client; pid: number }>()
  readonly #sessions = new Map<number, Session>()
  readonly #tables = new Map<string, Scenario>()

  async open(): Promise<void> {
    await Cluster.init(this.directory)
    this.#cluster = await this.#openCluster()
    this.#ours = await this.#cluster.connect()
    this.#oracle = await Oracle.initdb()
    await this.#oracle.start({ fsync: 'off', autovacuum: 'off', max_connections: 20 })
    this.#stock = await this.#oracle.client('postgres')
  }

  #openCluster(): Promise<Cluster> {
    return Cluster.open(this.directory, { settings: { fsync: false, deadlock_timeout: patientMs } })
  }

  async close(): Promise<void> {
    await this.#cluster?.close()
    await this.#oracle?.stop()
  }

  /** Runs a scenario on both engines and returns the two logs, each with the rows that are left. */
  async run(scenario: Scenario): Promise<{ ours: string[]; stock: string[] }> {
    const table = `iso${this.#tables.size + 1}`
    this.#tables.set(table, scenario)
    return {
      ours: await this.runOurs(scenario, table),
      stock: await this.runStock(scenario, table),
    }
  }

  async runOurs(scenario: Scenario, table: string): Promise<string[]> {
    const cluster = this.#cluster as Cluster
    const setup = this.#ours as Session
    await setup.createTable(table, {
      columns: { id: 'int4 primary key', v: 'int4', u: 'int4 unique' },
    })
    const rows = setup.table<Row>(table)
    await rows.insertMany(scenario.rows ?? setupRows)
    const actors = new Map<number, OurActor>()
    for (const number of sessionsOf(scenario)) {
      const options: TransactionOptions = {
        lockTimeout: scenario.lockTimeout?.[number] ?? 0,
        deadlockTimeout: scenario.deadlockTimeout?.[number] ?? patientMs,
      }
      const session = this.#sessions.get(number) ?? (await cluster.connect())
      this.#sessions.set(number, session)
      actors.set(number, new OurActor(session, table, options))
    }
    const log = await runSteps(
      scenario,
      {
        begin: async (step) => {
          const actor = actors.get(step.session) as OurActor
          try {
            return await step.ours(actor)
          } catch (error) {
            actor.failed(error)
            throw error
          }
        },
        waits: async (number) => {
          const { id } = (actors.get(number) as OurActor).session
          return cluster.locks().some((lock) => lock.session === id && !lock.granted)
        },
      },
      table,
    )
    const left = isDropped(scenario) ? [] : [...rows.scan()]
    return [...log, `left: ${describe(left)}`]
  }

  async runStock(scenario: Scenario, table: string): Promise<string[]> {
    const stock = this.#stock as pg.Client
    await stock.query(`create table ${table} (id int primary key, v int, u int unique)`)
    for (const { id, v, u } of scenario.rows ?? setupRows)
      await stock.query(`insert into ${table} values ($1, $2, $3)`, [id, v, u])
    for (const number of sessionsOf(scenario)) {
      const { client } = await this.#clientOf(number)
      await client.query(
        `set deadlock_timeout = ${scenario.deadlockTimeout?.[number] ?? patientMs};
         set lock_timeout = ${scenario.lockTimeout?.[number] ?? 0}`,
      )
    }
    const log = await runSteps(
      scenario,
      {
        begin: async (step) => {
          const { client } = await this.#clientOf(step.session)
          let result: pg.QueryResult | undefined
          for (const sql of step.sql(table)) result = await client.query(sql)
          return stockResult(result as pg.QueryResult, step)
        },
        waits: async (number) => {
          const { pid } = await this.#clientOf(number)
          const { rows } = await stock.query(
            'select cardinality(pg_blocking_pids($1)) > 0 as blocked',
            [pid],
          )
          return rows[0].blocked
        },
      },
      table,
    )
    const left = isDropped(scenario) ? [] : (await stock.query(`select * from ${table}`)).rows
    return [...log, `left: ${describe(left)}`]
  }

  async #clientOf(number: number): Promise<{ client: pg.Client; pid: number }> {
    let known = this.#clients.get(number)
    if (known === undefined) {
      const client = await (this.#oracle as Oracle).client('postgres')
      const { rows } = await client.query('select pg_backend_pid() as pid')
      known = { client, pid: rows[0].pid }
      this.#clients.set(number, known)
    }
    return known
  }

  /**
   * Closes ours and starts stock PostgreSQL on its directory: what stock says about our pages, beside its own. Rows by
   * row of each scenario's table, with what is in xmax; then whether amcheck complains.
   */
  async comparePages(): Promise<{ name: string; ours: unknown; stock: unknown }[]> {
    await this.#cluster?.close()
    this.#cluster = undefined
    const adopted = Oracle.adopt(this.directory)
    await adopted.start({ fsync: 'off', autovacuum: 'off' })
    const compared: { name: string; ours: unknown; stock: unknown }[] = []
    try {
      const client = await adopted.client('postgres')
      for (const side of [client, this.#stock as pg.Client])
        await side.query(
          'create extension if not exists pageinspect; create extension if not exists amcheck',
        )
      for (const [table, scenario] of this.#tables) {
        if (isDropped(scenario)) continue
        const { rows } = await client.query(`select * from verify_heapam('${table}')`)
        compared.push({ name: `${scenario.name}: verify_heapam`, ours: rows, stock: [] })
        if (scenario.isRace) continue
        const [ours, stock] = [
          await tuplesOf(client, table),
          await tuplesOf(this.#stock as pg.Client, table),
        ]
        compared.push({ name: scenario.name, ours, stock })
      }
    } finally {
      await adopted.stop()
    }
    return compared
  }
}

function sessionsOf(scenario: Scenario): number[] {
  return [...new Set(scenario.steps.map((step) => step.session))].sort()
}

function isDropped(scenario: Scenario): boolean {
  return scenario.steps.some((step) => step.label.includes('drop table'))
}

function stockResult(result: pg.QueryResult, step: Step): unknown {
  switch (result.command) {
    case 'SELECT':
      return result.rows
    case 'INSERT':
    case 'UPDATE':
    case 'DELETE':
      return result.rowCount
    case 'ROLLBACK':
      return step.label.endsWith('commit') ? 'rolled back' : undefined
    default:
      return undefined
  }
}

// Line pointers and tuple headers of a table, but for ids of transactions and for hints of how they ended; of a
// multixact its members' kinds.
async function tuplesOf(client: pg.Client, table: string): Promise<unknown[]> {
  const blocks = await client.query(
    `select pg_relation_size('${table}') / current_setting('block_size')::int as n`,
  )
  const tuples: unknown[] = []
  for (let block = 0; block < Number(blocks.rows[0].n); block++) {
    const { rows } = await client.query(
      `select lp, lp_flags, t_ctid::text, t_infomask & ~(x'0f00'::int) as infomask, t_infomask2,
         case when t_infomask & x'1000'::int <> 0 and t_infomask & x'0800'::int = 0
           then (select string_agg(mode, ',' order by mode) from pg_get_multixact_members(t_xmax)) end as members
       from heap_page_items(get_raw_page('${table}', ${block})) order by lp`,
    )
    tuples.push(...rows)
  }
  return tuples
}
