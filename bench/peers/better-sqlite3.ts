// better-sqlite3: SQLite in the process, synchronous.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Account } from './accounts.ts'
import type { Database as Opened, OpenOptions, Peer } from './peer.ts'
import { installedVersion } from './tools.ts'

/** SQLite has no type for an instant: milliseconds. */
type Row = Omit<Account, 'created'> & { created: number }

function open(directory: string, options: OpenOptions): Opened {
  const path = join(directory, 'accounts.sqlite')
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${options.durability === 'power failure' ? 'FULL' : 'NORMAL'}`)
  db.pragma(`cache_size = -${Math.round(options.cacheBytes / 1024)}`)
  db.pragma('busy_timeout = 10000')
  if (options.neverCheckpoint) db.pragma('wal_autocheckpoint = 0')
  const prepared = new Map<string, Database.Statement>()
  const sql = (text: string) => {
    const known = prepared.get(text)
    if (known !== undefined) return known
    const statement = db.prepare(text)
    prepared.set(text, statement)
    return statement
  }
  const insert = (row: Account) =>
    sql('insert into accounts values (?, ?, ?, ?, ?)').run(
      row.id,
      row.email,
      row.balance,
      row.created.getTime(),
      row.note,
    )
  const insertAll = (rows: readonly Account[]) => {
    for (const row of rows) insert(row)
  }
  const lookups = (keys: readonly number[]) => {
    const get = sql('select * from accounts where id = ?')
    let sum = 0
    for (const key of keys) sum += (get.get(key) as Row | undefined)?.balance ?? Number.NaN
    return sum
  }
  return {
    shared: directory,
    create() {
      db.exec(
        `create table accounts (id integer primary key, email text not null, balance real not null,
           created integer not null, note text);
         create table history (id integer primary key, teller integer not null, amount real not null)`,
      )
    },
    load(rows) {
      db.transaction(insertAll)(rows)
    },
    lookups,
    lookupsMany(keys, size) {
      const get = sql(`select * from accounts where id in (${Array(size).fill('?').join()})`)
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        // A key that was drawn twice comes once.
        const balances = new Map<number, number>()
        const batch = keys.slice(i, i + size)
        for (const row of get.all(...batch) as Row[]) balances.set(row.id, row.balance)
        for (const key of batch) sum += balances.get(key) ?? Number.NaN
      }
      return sum
    },
    ranges(starts, size) {
      const range = sql('select * from accounts where id between ? and ? order by id')
      let sum = 0
      for (const start of starts) {
        for (const row of range.all(start, start + size - 1) as Row[]) sum += row.id
      }
      return sum
    },
    stream() {
      let sum = 0
      for (const row of sql('select * from accounts').iterate()) sum += (row as Row).balance
      return sum
    },
    keep() {
      return (sql('select * from accounts').all() as Row[]).reduce(
        (sum, row) => sum + row.balance,
        0,
      )
    },
    count: () => (sql('select count(*) as n from accounts').get() as { n: number }).n,
    sum: () =>
      (sql('select count(*) as n, sum(balance) as s from accounts').get() as { s: number }).s,
    commits: insertAll,
    async commitsInFlight(rows) {
      // There is one connection, and nothing is ever in flight.
      insertAll(rows)
    },
    commitsCollected(rows, together) {
      const transaction = db.transaction(insertAll)
      for (let i = 0; i < rows.length; i += together) transaction(rows.slice(i, i + together))
    },
    updates(keys, balance, together) {
      const update = sql('update accounts set balance = ? where id = ?')
      const transaction = db.transaction((batch: readonly number[]) => {
        for (const key of batch) update.run(balance, key)
      })
      for (let i = 0; i < keys.length; i += together) transaction(keys.slice(i, i + together))
    },
    async transfers(transfers) {
      const read = sql('select balance from accounts where id = ?')
      const update = sql('update accounts set balance = ? where id = ?')
      const note = sql('insert into history (teller, amount) values (?, ?)')
      const balance = (id: number) => (read.get(id) as Row).balance
      const transfer = db.transaction((from: number, to: number, amount: number) => {
        update.run(balance(from) - amount, from)
        update.run(balance(to) + amount, to)
        note.run(from, amount)
      })
      for (const { from, to, amount } of transfers) transfer.immediate(from, to, amount)
    },
    async loadBeside(rows) {
      db.transaction(insertAll)(rows)
    },
    logBytes: () => statSync(`${path}-wal`).size,
    async checkpoint() {
      db.pragma('wal_checkpoint(TRUNCATE)')
    },
    close() {
      db.close()
    },
  }
}

export const peer: Peer = {
  name: 'better-sqlite3',
  version: () => {
    const db = new Database(':memory:')
    const { v } = db.prepare('select sqlite_version() as v').get() as { v: string }
    db.close()
    return `${installedVersion('better-sqlite3')} (SQLite ${v})`
  },
  durability: {
    'power failure': 'journal_mode = WAL, synchronous = FULL: the WAL is synced at each commit',
    'process crash':
      'journal_mode = WAL, synchronous = NORMAL (its default): the WAL is synced at checkpoints only',
  },
  cannot: {
    commitsAwaited: 'has no asynchronous form',
    updatesBySet: 'row by row is its way',
    direct: 'has no direct I/O',
  },
  open,
}
