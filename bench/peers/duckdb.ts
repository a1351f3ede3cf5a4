// DuckDB through @duckdb/node-api: columns, for analysis.

import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  type DuckDBConnection,
  DuckDBDataChunkWriter,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  JSToDuckDBValueConverter,
} from '@duckdb/node-api'
import type { Account } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import { installedVersion, inTurns } from './tools.ts'

type Row = Omit<Account, 'id'> & { id: bigint }

const insertText = 'insert into accounts values ($1, $2, $3, make_timestamptz($4), $5)'

/** A connection with the statements that it has prepared. */
class Connection {
  readonly #prepared = new Map<string, DuckDBPreparedStatement>()
  readonly raw: DuckDBConnection

  constructor(raw: DuckDBConnection) {
    this.raw = raw
  }

  async rows<T>(text: string, ...values: (bigint | number | string)[]): Promise<T[]> {
    let statement = this.#prepared.get(text)
    if (statement === undefined) {
      statement = await this.raw.prepare(text)
      this.#prepared.set(text, statement)
    }
    values.forEach((value, i) => {
      if (typeof value === 'bigint') statement.bindBigInt(i + 1, value)
      else if (typeof value === 'number') statement.bindDouble(i + 1, value)
      else statement.bindVarchar(i + 1, value)
    })
    return (await statement.runAndReadAll()).getRowObjectsJS() as T[]
  }

  async insert({ id, email, balance, created, note }: Account): Promise<void> {
    const microseconds = BigInt(created.getTime()) * 1000n
    await this.rows(insertText, BigInt(id), email, balance, microseconds, note)
  }

  async inTransaction(body: () => Promise<void>): Promise<void> {
    await this.rows('begin')
    try {
      await body()
      await this.rows('commit')
    } catch (error) {
      await this.rows('rollback').catch(() => undefined)
      throw error
    }
  }
}

async function open(directory: string, options: OpenOptions): Promise<Database> {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, 'accounts.duckdb')
  const instance = await DuckDBInstance.create(path, {
    ...(options.memoryBytes !== undefined && {
      memory_limit: `${Math.round(options.memoryBytes / 2 ** 20)}MiB`,
    }),
    ...(options.neverCheckpoint && { checkpoint_threshold: '16GiB' }),
  })
  const connections: Connection[] = []
  const connectionsFor = async (count: number) => {
    while (connections.length < count) connections.push(new Connection(await instance.connect()))
    return connections.slice(0, count)
  }
  const db = (await connectionsFor(1))[0] as Connection
  const insertAll = async (rows: readonly Account[]) => {
    for (const row of rows) await db.insert(row)
  }
  return {
    async create() {
      await db.rows(
        `create table accounts (id bigint primary key, email varchar not null, balance double not null,
           created timestamptz not null, note varchar)`,
      )
      await db.rows('create table history (teller bigint not null, amount double not null)')
    },
    async load(rows) {
      await db.inTransaction(async () => {
        const appender = await db.raw.createAppender('accounts')
        const writer = DuckDBDataChunkWriter.forAppender(appender, {
          converter: JSToDuckDBValueConverter,
        })
        for (const { id, email, balance, created, note } of rows)
          writer.appendRow([id, email, balance, created, note])
        writer.flush()
        appender.closeSync()
      })
    },
    async lookups(keys) {
      let sum = 0
      for (const key of keys) {
        const [row] = await db.rows<Row>('select * from accounts where id = $1', BigInt(key))
        sum += row?.balance ?? Number.NaN
      }
      return sum
    },
    async lookupsMany(keys, size) {
      const marks = Array.from({ length: size }, (_, i) => `$${i + 1}`).join()
      const text = `select * from accounts where id in (${marks})`
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        // A key that was drawn twice comes once.
        const balances = new Map<number, number>()
        const batch = keys.slice(i, i + size)
        for (const row of await db.rows<Row>(text, ...batch.map(BigInt)))
          balances.set(Number(row.id), row.balance)
        for (const key of batch) sum += balances.get(key) ?? Number.NaN
      }
      return sum
    },
    async ranges(starts, size) {
      const text = 'select * from accounts where id between $1 and $2 order by id'
      let sum = 0
      for (const start of starts) {
        const rows = await db.rows<Row>(text, BigInt(start), BigInt(start + size - 1))
        for (const row of rows) sum += Number(row.id)
      }
      return sum
    },
    async stream() {
      let sum = 0
      const result = await db.raw.stream('select * from accounts')
      for await (const rows of result.yieldRowObjectJs()) {
        for (const row of rows) sum += row.balance as number
      }
      return sum
    },
    async keep() {
      const reader = await db.raw.runAndReadAll('select * from accounts')
      const rows = reader.getRowObjectsJS() as unknown as Row[]
      return rows.reduce((sum, row) => sum + row.balance, 0)
    },
    async count() {
      const [row] = await db.rows<{ n: bigint }>('select count(*) as n from accounts')
      return Number(row?.n)
    },
    async sum() {
      const text = 'select count(*) as n, sum(balance) as s from accounts'
      return (await db.rows<{ s: number }>(text))[0]?.s ?? Number.NaN
    },
    commits: insertAll,
    commitsAwaited: insertAll,
    async commitsInFlight(rows, inFlight) {
      await inTurns(rows, await connectionsFor(inFlight), (row, each) => each.insert(row))
    },
    async commitsCollected(rows, together) {
      for (let i = 0; i < rows.length; i += together)
        await db.inTransaction(() => insertAll(rows.slice(i, i + together)))
    },
    async updates(keys, balance, together) {
      const text = 'update accounts set balance = $1 where id = $2'
      for (let i = 0; i < keys.length; i += together) {
        await db.inTransaction(async () => {
          for (const key of keys.slice(i, i + together)) await db.rows(text, balance, BigInt(key))
        })
      }
    },
    async updatesBySet(keys, balance, together) {
      for (let i = 0; i < keys.length; i += together) {
        const ids = keys.slice(i, i + together).join()
        await db.raw.run(`update accounts set balance = ${balance} where id in (${ids})`)
      }
    },
    async transfers(transfers, inFlight) {
      const update = 'update accounts set balance = balance + $1 where id = $2'
      await inTurns(transfers, await connectionsFor(inFlight), async (one, each) => {
        for (;;) {
          try {
            return await each.inTransaction(async () => {
              await each.rows(update, -one.amount, BigInt(one.from))
              await each.rows(update, one.amount, BigInt(one.to))
              await each.rows('insert into history values ($1, $2)', BigInt(one.from), one.amount)
            })
          } catch (error) {
            // Of two that change a row at once, one has to begin again.
            if (!/onflict/.test((error as Error).message)) throw error
          }
        }
      })
    },
    logBytes: () => statSync(`${path}.wal`, { throwIfNoEntry: false })?.size ?? 0,
    async checkpoint() {
      await db.rows('checkpoint')
    },
    close() {
      for (const { raw } of connections) raw.closeSync()
      instance.closeSync()
    },
  }
}

export const peer: Peer = {
  name: 'duckdb',
  version: () => installedVersion('@duckdb/node-api'),
  durability: { 'power failure': 'its default: the log is synced at commit' },
  cannot: {
    'two processes': 'one process at a time, or all read only',
    vacuum: 'has none of this kind',
    direct: 'cannot be chosen',
  },
  open,
}
