// Goal: SERIALIZABLE fails where PostgreSQL's fails, with the same words, and nowhere else.
// Method: each scenario's steps in many orders, on pgdata and on stock PostgreSQL 18 with plans that read as pgdata does;
// what every step gives, how every transaction ends, and what the tables hold then must be the same. Then what only one
// side can show: waiting for a safe snapshot, and what is locked. PGDATA_SEED chooses the orders; with
// PGDATA_TEST_FULL=1 there are more of them.
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, PgError, type Session } from '../../src-ts/index.ts'
import { Random } from '../oracle/types-inputs.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { OpenTransaction } from './open-transaction.ts'
import {
  type Actor,
  type Participant,
  type Row,
  type Scenario,
  type ScenarioTable,
  scenarios,
} from './serializable-scenarios.ts'

const seed = Number(process.env.PGDATA_SEED ?? 1)
const ordersPerScenario = process.env.PGDATA_TEST_FULL === '1' ? 300 : 10
const sessionCount = Math.max(...scenarios.map(({ participants }) => participants.length))

/** How a step or a transaction went: its result, or its SQLSTATE and detail. */
type Outcome = string

interface Side {
  createTable(table: ScenarioTable): Promise<void>
  refill(tables: readonly ScenarioTable[]): Promise<void>
  contents(table: string): Promise<Row[]>
  begin(session: number, participant: Participant): Promise<Conversation>
}

// An open transaction.
interface Conversation {
  actor: Actor
  commit(): Promise<void>
  rollBack(): Promise<void>
}

class Ours implements Side {
  constructor(readonly sessions: readonly Session[]) {}

  async createTable({ name, columns, indexes }: ScenarioTable): Promise<void> {
    const [session] = this.sessions as [Session]
    await session.createTable(name, { columns })
    for (const [index, column] of Object.entries(indexes ?? {}))
      await session.createIndex(name, { name: index, columns: [column] })
  }

  async refill(tables: readonly ScenarioTable[]): Promise<void> {
    const [session] = this.sessions as [Session]
    await session.truncate(...tables.map(({ name }) => name))
    for (const { name, rows } of tables) await session.table<Row>(name).insertMany(rows)
  }

  async contents(table: string): Promise<Row[]> {
    return [...(this.sessions[0] as Session).table<Row>(table).range()]
  }

  async begin(number: number, { isolation, readOnly }: Participant): Promise<Conversation> {
    const session = this.sessions[number] as Session
    const open = new OpenTransaction(session, {
      isolation: isolation ?? 'serializable',
      readOnly: readOnly ?? false,
    })
    await open.begun
    const table = (name: string) => session.table<Row>(name)
    const actor: Actor = {
      get: async (name, key) => table(name).get(key),
      range: async (name, from, to, index) => [
        ...table(name).range({ from, to, ...(index !== undefined && { index }) }),
      ],
      scan: async (name, column, value) => [...table(name).scan({ where: { [column]: value } })],
      count: async (name) => Number((await table(name).aggregate({ count: true })).count),
      insert: async (name, ...rows) => open.tx.insert(table(name), ...rows),
      update: (name, key, changes) => open.tx.update(table(name), key, changes),
      delete: (name, key) => open.tx.delete(table(name), key),
    }
    return { actor, commit: () => open.commit(), rollBack: () => open.rollBack() }
  }
}

class Stock implements Side {
  constructor(readonly clients: readonly pg.Client[]) {}

  async createTable({ name, columns, indexes }: ScenarioTable): Promise<void> {
    const list = Object.entries(columns).map(([column, type]) => `${column} ${type}`)
    await this.#first.query(`create table ${name} (${list})`)
    for (const [index, column] of Object.entries(indexes ?? {}))
      await this.#first.query(`create index ${index} on ${name} (${column})`)
  }

  async refill(tables: readonly ScenarioTable[]): Promise<void> {
    await this.#first.query(`truncate ${tables.map(({ name }) => name)}`)
    for (const { name, rows } of tables)
      if (rows.length > 0) await insertRows(this.#first, name, rows)
  }

  async contents(table: string): Promise<Row[]> {
    return (await this.#first.query(`select * from ${table} order by id`)).rows
  }

  async begin(number: number, { isolation, readOnly }: Participant): Promise<Conversation> {
    const client = this.clients[number] as pg.Client
    const level = isolation ?? 'serializable'
    await client.query(`begin isolation level ${level}${readOnly ? ' read only' : ''}`)
    const byIndex = async (query: string) => {
      await client.query('set local enable_seqscan = off; set local enable_indexscan = on')
      return client.query(query)
    }
    const byScan = async (query: string) => {
      await client.query('set local enable_seqscan = on; set local enable_indexscan = off')
      return client.query(query)
    }
    const literal = (value: unknown) => (value === null ? 'null' : String(value))
    const actor: Actor = {
      get: async (name, key) => (await byIndex(`select * from ${name} where id = ${key}`)).rows[0],
      range: async (name, from, to, index) => {
        const column = index === undefined ? 'id' : 'v'
        const where = `${column} between ${from} and ${to}`
        return (await byIndex(`select * from ${name} where ${where} order by ${column}`)).rows
      },
      scan: async (name, column, value) =>
        (await byScan(`select * from ${name} where ${column} = ${value}`)).rows,
      count: async (name) => Number((await byScan(`select count(*) from ${name}`)).rows[0].count),
      insert: async (name, ...rows) => {
        await insertRows(client, name, rows)
      },
      update: async (name, key, changes) => {
        const sets = Object.entries(changes).map(
          ([column, value]) => `${column} = ${literal(value)}`,
        )
        return (await byIndex(`update ${name} set ${sets} where id = ${key}`)).rowCount === 1
      },
      delete: async (name, key) =>
        (await byIndex(`delete from ${name} where id = ${key}`)).rowCount === 1,
    }
    return {
      actor,
      commit: async () => {
        await client.query('commit')
      },
      rollBack: async () => {
        await client.query('rollback')
      },
    }
  }

  get #first(): pg.Client {
    return this.clients[0] as pg.Client
  }
}

async function insertRows(client: pg.Client, name: string, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] as Row)
  const values = rows.map((row) => `(${columns.map((column) => row[column] ?? 'null')})`)
  await client.query(`insert into ${name} (${columns}) values ${values}`)
}

// The orders of all participants' steps and ends, as lists of participants: a number that comes again takes the next
// step. All of them when they are few, else a choice.
function ordersOf({ participants }: Scenario, random: Random): number[][] {
  const counts = participants.map(({ steps }) => steps.length + 1)
  const all: number[][] = []
  const extend = (order: number[], left: number[]): void => {
    if (all.length > 5000) return
    if (left.every((count) => count === 0)) {
      all.push(order)
      return
    }
    left.forEach((count, i) => {
      if (count > 0) extend([...order, i], left.with(i, count - 1))
    })
  }
  extend([], counts)
  if (all.length <= ordersPerScenario) return all
  if (all.length <= 5000) return shuffled(all, random).slice(0, ordersPerScenario * 3)
  const deck = counts.flatMap((count, i) => Array<number>(count).fill(i))
  return Array.from({ length: ordersPerScenario * 3 }, () => shuffled(deck, random))
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.int(0, i)
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}

// Would a step of this order have to wait for a transaction that has written the same row and not ended?
function waits({ participants, writes }: Scenario, order: readonly number[]): boolean {
  if (writes === undefined) return false
  const done = participants.map(() => 0)
  const holders = new Map<string, number>()
  for (const participant of order) {
    const step = done[participant] as number
    done[participant] = step + 1
    if (step === participants[participant]?.steps.length) {
      for (const [row, holder] of holders) if (holder === participant) holders.delete(row)
      continue
    }
    const row = writes[`${participant}.${step}`]
    if (row === undefined) continue
    const holder = holders.get(row)
    if (holder !== undefined && holder !== participant) return true
    holders.set(row, participant)
  }
  return false
}

function describeError(error: unknown): Outcome {
  if (!(error instanceof PgError) && !(error instanceof Error && 'code' in error)) throw error
  const { code, message, detail, hint } = error as PgError
  // Transaction ids differ, and only these messages are long-lived promises.
  const reason = code === '40001' ? ` ${message} ${detail ?? ''} ${hint ?? ''}` : ''
  return `${code}${reason.replace(/\d+(?=[.,])/g, 'N')}`
}

// What differs between a table as it was filled and as it is, in the order of keys.
function changesSince(before: readonly Row[], now: readonly Row[]): string {
  const old = new Map(before.map((row) => [row.id, row]))
  const kept = new Set(now.map(({ id }) => id))
  const differing = now.filter(
    ({ id, v }) => !old.has(id as number) || old.get(id as number)?.v !== v,
  )
  const gone = before.filter(({ id }) => !kept.has(id as number)).map(({ id }) => id)
  return JSON.stringify({ rows: now.length, differing, gone })
}

// The outcome of each step of an order, then what the tables hold.
async function play(side: Side, scenario: Scenario, order: readonly number[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const conversations: (Conversation | 'failed' | undefined)[] = []
  const done = scenario.participants.map(() => 0)
  for (const number of order) {
    const participant = scenario.participants[number] as Participant
    const step = done[number] as number
    done[number] = step + 1
    const open = conversations[number] ?? (await side.begin(number, participant))
    conversations[number] = open
    if (open === 'failed') continue
    const what = `${number}.${step}`
    try {
      const action = participant.steps[step]
      if (action !== undefined) {
        const result = await action(open.actor)
        outcomes.push(`${what}: ${JSON.stringify(result) ?? 'done'}`)
      } else if (participant.rollsBack) {
        await open.rollBack()
        outcomes.push(`${what}: rolled back`)
      } else {
        await open.commit()
        outcomes.push(`${what}: committed`)
      }
    } catch (error) {
      outcomes.push(`${what}: ${describeError(error)}`)
      conversations[number] = 'failed'
      // A commit that failed has rolled back already.
      await open.rollBack().catch(() => undefined)
    }
  }
  for (const { name, rows } of scenario.tables)
    outcomes.push(`${name}: ${changesSince(rows, await side.contents(name))}`)
  return outcomes
}

let oracle: Oracle
let cluster: Cluster
let ours: Ours
let stock: Stock

beforeAll(async () => {
  console.log(`serializable: PGDATA_SEED=${seed}`)
  const directory = temporaryDirectory('ssi')
  await Cluster.init(directory)
  cluster = await Cluster.open(directory, { settings: { fsync: false } })
  const sessions: Session[] = []
  for (let i = 0; i < sessionCount; i++) sessions.push(await cluster.connect())
  ours = new Ours(sessions)
  oracle = await Oracle.initdb()
  await oracle.start({
    autovacuum: false,
    enable_bitmapscan: false,
    enable_indexonlyscan: false,
    jit: false,
    max_parallel_workers_per_gather: 0,
  })
  const clients: pg.Client[] = []
  for (let i = 0; i < sessionCount; i++) clients.push(await oracle.client())
  stock = new Stock(clients)
})

afterAll(async () => {
  await cluster.close()
  await oracle[Symbol.asyncDispose]()
})

let tablesMade = 0

// The scenario with tables of its own.
function withOwnTables(scenario: Scenario): Scenario {
  const suffix = `_${++tablesMade}`
  const renamed = (actor: Actor): Actor => ({
    get: (table, key) => actor.get(table + suffix, key),
    range: (table, from, to, index) =>
      actor.range(table + suffix, from, to, index && index + suffix),
    scan: (table, column, value) => actor.scan(table + suffix, column, value),
    count: (table) => actor.count(table + suffix),
    insert: (table, ...rows) => actor.insert(table + suffix, ...rows),
    update: (table, key, changes) => actor.update(table + suffix, key, changes),
    delete: (table, key) => actor.delete(table + suffix, key),
  })
  return {
    ...scenario,
    tables: scenario.tables.map((table) => ({
      ...table,
      name: table.name + suffix,
      indexes: Object.fromEntries(
        Object.entries(table.indexes ?? {}).map(([name, column]) => [name + suffix, column]),
      ),
    })),
    participants: scenario.participants.map((participant) => ({
      ...participant,
      steps: participant.steps.map((step) => (actor: Actor) => step(renamed(actor))),
    })),
  }
}

describe('in every order, both come to the same end', () => {
  let failures = 0

  test.each(scenarios)('$name', async (scenario) => {
    const mine = withOwnTables(scenario)
    for (const table of mine.tables) {
      await ours.createTable(table)
      await stock.createTable(table)
    }
    const orders = ordersOf(mine, new Random(seed))
      .filter((order) => !waits(mine, order))
      .slice(0, ordersPerScenario)
    expect(orders.length).toBeGreaterThan(0)
    for (const order of orders) {
      await ours.refill(mine.tables)
      await stock.refill(mine.tables)
      const expected = await play(stock, mine, order)
      const actual = await play(ours, mine, order)
      expect(actual, `order ${order.join(' ')}`).toEqual(expected)
      failures += expected.filter((outcome) => outcome.includes('read/write dependencies')).length
    }
  })

  test('in many of them somebody had to go', () => {
    expect(failures).toBeGreaterThan(scenarios.length)
  })
})

describe('deferrable transactions', () => {
  const makeAccounts = async (): Promise<string> => {
    const name = `accounts_${++tablesMade}`
    await ours.createTable({
      name,
      columns: { id: 'int4 primary key', v: 'int4' },
      rows: [],
    })
    await (ours.sessions[0] as Session).table<Row>(name).insertMany([
      { id: 1, v: 0 },
      { id: 2, v: 0 },
    ])
    return name
  }
  const values = (session: Session, name: string) =>
    [...session.table<Row>(name).range()].map(({ v }) => v)
  const deferred = { isolation: 'serializable', readOnly: true, deferrable: true } as const

  test('begin at once when nobody writes', async () => {
    const name = await makeAccounts()
    const [session] = ours.sessions as [Session]
    expect(await session.transaction(() => values(session, name), deferred)).toEqual([0, 0])
    expect(session.transactionSync(() => values(session, name), deferred)).toEqual([0, 0])
  })

  test('wait for those that run, and for a snapshot that makes nobody fail', async () => {
    const name = await makeAccounts()
    const [one, two, three] = ours.sessions as [Session, Session, Session]
    const withdrawal = new OpenTransaction(one, { isolation: 'serializable' })
    await withdrawal.begun
    values(one, name)
    const deposit = new OpenTransaction(two, { isolation: 'serializable' })
    await deposit.begun
    await deposit.tx.update(two.table<Row>(name), 2, { v: 20 })
    await deposit.commit()
    // Its first snapshot sees the deposit and not the withdrawal, which did not see the deposit.
    const report = three.transaction(() => values(three, name), deferred)
    let isDone = false
    report.finally(() => {
      isDone = true
    })
    await sleep(50)
    expect(isDone).toBe(false)
    expect(() => two.transactionSync(() => undefined, deferred)).toThrow(
      expect.objectContaining({ code: '55P03' }),
    )
    await withdrawal.tx.update(one.table<Row>(name), 1, { v: -11 })
    await withdrawal.commit()
    expect(await report).toEqual([-11, 20])
  })

  test('can be canceled while they wait', async () => {
    const [one, two] = ours.sessions as [Session, Session]
    const writer = new OpenTransaction(one, { isolation: 'serializable' })
    await writer.begun
    one.table<Row>(await makeAccountsIn(two)).get(1)
    const controller = new AbortController()
    const waiting = two.transaction(() => undefined, { ...deferred, signal: controller.signal })
    await sleep(10)
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: '57014' })
    await writer.commit()
  })

  const makeAccountsIn = async (session: Session): Promise<string> => {
    const name = `accounts_${++tablesMade}`
    await session.createTable(name, { columns: { id: 'int4 primary key', v: 'int4' } })
    return name
  }
})

test('an error that the body catches does not let its transaction commit', async () => {
  const scenario = withOwnTables(scenarios[0] as Scenario)
  const [table] = scenario.tables as [ScenarioTable]
  await ours.createTable(table)
  await ours.refill(scenario.tables)
  const [one, two] = ours.sessions as [Session, Session]
  const first = new OpenTransaction(one, { isolation: 'serializable' })
  const second = new OpenTransaction(two, { isolation: 'serializable' })
  await first.begun
  await second.begun
  one.table<Row>(table.name).get(1)
  two.table<Row>(table.name).get(2)
  await first.tx.update(one.table<Row>(table.name), 2, { v: 0 })
  await second.tx.update(two.table<Row>(table.name), 1, { v: 0 })
  await first.commit()
  // The second one is a pivot now, and learns of it when it reads.
  expect(() => two.table<Row>(table.name).get(2)).toThrow(
    expect.objectContaining({ code: '40001' }),
  )
  await expect(second.commit()).rejects.toMatchObject({ code: '40001' })
})
