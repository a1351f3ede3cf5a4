// accounts: the table of the benchmarks through Node, in a new cluster of ours and in a new SQLite file.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, type Session, type Table } from 'pgdata'

export interface Account {
  id: number
  email: string
  balance: number
  created: Date
  note: string | null
}

export const accountRows = 100_000

const firstDay = Date.UTC(2024, 0, 1)

/** Row `id`, the same for everybody: balances sum exactly, a fifth of the notes are null. */
export function account(id: number): Account {
  return {
    id,
    email: `user${id}@example.com`,
    balance: (id % 1000) / 4,
    created: new Date(firstDay + id * 60_000),
    note: id % 5 === 0 ? null : `note number ${id}`,
  }
}

export function accounts(count = accountRows): Account[] {
  return Array.from({ length: count }, (_, i) => account(i + 1))
}

/** What better-sqlite3 offers of itself, as far as the benchmarks use it. */
export interface Statement {
  run(...values: unknown[]): unknown
  get(...values: unknown[]): Record<string, unknown> | undefined
  all(...values: unknown[]): Record<string, unknown>[]
  iterate(...values: unknown[]): IterableIterator<Record<string, unknown>>
  pluck(): Statement
}

export interface Sqlite {
  exec(sql: string): void
  pragma(text: string): unknown
  prepare(sql: string): Statement
  transaction<A extends unknown[]>(body: (...values: A) => void): (...values: A) => void
  close(): void
}

export interface Peers {
  cluster: Cluster
  session: Session
  table: Table<Account>
  /** Undefined when bench/peers is not installed. */
  sqlite: Sqlite | undefined
  directory: string
  close(): Promise<void>
}

function openSqlite(path: string): Sqlite | undefined {
  const require = createRequire(new URL('./peers/package.json', import.meta.url))
  let Database: new (path: string) => Sqlite
  try {
    Database = require('better-sqlite3')
  } catch {
    console.log('better-sqlite3 is not installed (bench/README.md): no ratios')
    return undefined
  }
  const sqlite = new Database(path)
  sqlite.pragma('journal_mode = WAL')
  sqlite.pragma('synchronous = FULL')
  sqlite.pragma('cache_size = -131072')
  return sqlite
}

const sqliteColumns =
  'id integer primary key, email text not null, balance real not null, created integer not null, note text'

/** The table, as pgdata makes it. */
export const accountsTable = {
  columns: {
    id: 'int8 not null',
    email: 'text not null',
    balance: 'float8 not null',
    created: 'timestamptz not null',
    note: 'text',
  },
  primaryKey: ['id'],
}

export async function createTables({ session, sqlite }: Peers, name: string): Promise<void> {
  await session.createTable(`public.${name}`, accountsTable)
  sqlite?.exec(`create table ${name} (${sqliteColumns})`)
}

/** A row as SQLite's statement wants it: a date is milliseconds there. */
export function sqliteValues(row: Account): unknown[] {
  return [row.id, row.email, row.balance, row.created.getTime(), row.note]
}

export function insertIntoSqlite(sqlite: Sqlite, name: string, rows: readonly Account[]): void {
  const insert = sqlite.prepare(`insert into ${name} values (?, ?, ?, ?, ?)`)
  sqlite.transaction(() => {
    for (const row of rows)
      insert.run(row.id, row.email, row.balance, row.created.getTime(), row.note)
  })()
}

/** Both databases with an empty "accounts", or one of `accountRows` rows. */
export async function openPeers(options: { filled: boolean }): Promise<Peers> {
  const directory = mkdtempSync(join(tmpdir(), 'pgdata-bench-'))
  const cluster = await Cluster.open(join(directory, 'data'), {
    create: true,
    settings: { shared_buffers: '128MB' },
  })
  const session = await cluster.connect()
  const peers: Peers = {
    cluster,
    session,
    table: undefined as unknown as Table<Account>,
    sqlite: openSqlite(join(directory, 'peer.sqlite')),
    directory,
    async close() {
      await cluster.close()
      this.sqlite?.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
  await createTables(peers, 'accounts')
  peers.table = session.table<Account>('public.accounts')
  if (options.filled) {
    const rows = accounts()
    await peers.table.insertMany(rows)
    if (peers.sqlite) insertIntoSqlite(peers.sqlite, 'accounts', rows)
  }
  return peers
}
