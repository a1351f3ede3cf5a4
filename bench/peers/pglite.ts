// PGlite: PostgreSQL compiled to WebAssembly, on Node's file system.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import type { Account } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import { copyText, insertSql, insertValues, tableSql, transferSql } from './postgres-sql.ts'
import { installedVersion } from './tools.ts'

async function open(directory: string, _options: OpenOptions): Promise<Database> {
  mkdirSync(directory, { recursive: true })
  const db = await PGlite.create({ dataDir: join(directory, 'pglite'), relaxedDurability: false })
  const insertAll = async (rows: readonly Account[]) => {
    for (const row of rows) await db.query(insertSql, insertValues(row))
  }
  const one = async (text: string) =>
    Number((await db.query<{ value: number }>(text)).rows[0]?.value)
  return {
    async create() {
      await db.exec(tableSql)
    },
    async load(rows) {
      const blob = new Blob([copyText(rows)])
      await db.query("copy accounts from '/dev/blob'", [], { blob })
    },
    async lookups(keys) {
      let sum = 0
      for (const key of keys) {
        const { rows } = await db.query<Account>('select * from accounts where id = $1', [key])
        sum += rows[0]?.balance ?? Number.NaN
      }
      return sum
    },
    async lookupsMany(keys, size) {
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        const { rows } = await db.query<Account>(
          'select a.* from unnest($1::int8[]) as k join accounts a on a.id = k',
          [keys.slice(i, i + size)],
        )
        for (const row of rows) sum += row.balance
      }
      return sum
    },
    async ranges(starts, size) {
      let sum = 0
      for (const start of starts) {
        const { rows } = await db.query<Account>(
          'select * from accounts where id between $1 and $2 order by id',
          [start, start + size - 1],
        )
        for (const row of rows) sum += row.id
      }
      return sum
    },
    async stream() {
      let sum = 0
      await db.transaction(async (tx) => {
        await tx.query('declare all_rows cursor for select * from accounts')
        for (;;) {
          const { rows } = await tx.query<Account>('fetch 10000 from all_rows')
          if (rows.length === 0) break
          for (const row of rows) sum += row.balance
        }
      })
      return sum
    },
    async keep() {
      const { rows } = await db.query<Account>('select * from accounts')
      return rows.reduce((sum, row) => sum + row.balance, 0)
    },
    count: () => one('select count(*) as value from accounts'),
    async sum() {
      const text = 'select count(*) as n, sum(balance) as value from accounts'
      return one(text)
    },
    commits: insertAll,
    async commitsInFlight(rows) {
      await Promise.all(rows.map((row) => db.query(insertSql, insertValues(row))))
    },
    async commitsCollected(rows, together) {
      for (let i = 0; i < rows.length; i += together) {
        await db.transaction(async (tx) => {
          for (const row of rows.slice(i, i + together))
            await tx.query(insertSql, insertValues(row))
        })
      }
    },
    async updates(keys, balance, together) {
      for (let i = 0; i < keys.length; i += together) {
        await db.transaction(async (tx) => {
          for (const key of keys.slice(i, i + together))
            await tx.query('update accounts set balance = $1 where id = $2', [balance, key])
        })
      }
    },
    async updatesBySet(keys, balance, together) {
      for (let i = 0; i < keys.length; i += together) {
        const ids = keys.slice(i, i + together)
        await db.query('update accounts set balance = $1 where id = any($2::int8[])', [
          balance,
          ids,
        ])
      }
    },
    async transfers(transfers) {
      for (const { from, to, amount } of transfers) await db.query(transferSql, [from, to, amount])
    },
    async checkpoint() {
      await db.exec('checkpoint')
    },
    async vacuum() {
      await db.exec('vacuum accounts')
    },
    close: () => db.close(),
  }
}

export const peer: Peer = {
  name: 'pglite',
  version: () => installedVersion('@electric-sql/pglite'),
  durability: {
    'process crash':
      "relaxedDurability: false, Node's file system: the log is written at commit, and not synced",
  },
  cannot: {
    commitsAwaited: 'every call is awaited',
    'two processes': 'one process at a time',
    direct: 'cannot be chosen',
  },
  open,
}
