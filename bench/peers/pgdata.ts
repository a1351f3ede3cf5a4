// pgdata itself, from dist/ as its users load it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster as ClusterType, Session, Table } from '../../dist/index.js'
import type { Account } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import { inTurns, root } from './tools.ts'

interface Entry {
  id: number
  teller: number
  amount: number
}

const { Cluster } = (await import(join(root, 'dist/index.js'))) as { Cluster: typeof ClusterType }

async function open(directory: string, options: OpenOptions): Promise<Database> {
  const cluster = await Cluster.open(join(directory, 'data'), {
    create: true,
    settings: {
      shared_buffers: `${Math.round(options.cacheBytes / 1024)}kB`,
      synchronous_commit: options.durability === 'power failure' ? 'on' : 'off',
      max_connections: 200,
      max_wal_size: '4GB',
      autovacuum: false,
      ...(options.neverCheckpoint && { checkpoint_timeout: 3600 }),
      ...(options.io && { io_mode: options.io }),
    },
  })
  const session = await cluster.connect()
  let known: Table<Account> | undefined
  const table = () => {
    known ??= session.table<Account>('public.accounts')
    return known
  }
  const sessions: Session[] = []
  const sessionsFor = async (count: number) => {
    while (sessions.length < count) sessions.push(await cluster.connect())
    return sessions.slice(0, count)
  }
  let entries = Date.now()
  return {
    shared: directory,
    async create() {
      await session.createTable('public.accounts', {
        columns: {
          id: 'int8',
          email: 'text not null',
          balance: 'float8 not null',
          created: 'timestamptz not null',
          note: 'text',
        },
        primaryKey: ['id'],
      })
      await session.createTable('public.history', {
        columns: { id: 'int8 not null', teller: 'int8 not null', amount: 'float8 not null' },
      })
    },
    async load(rows) {
      await table().insertMany(rows)
    },
    lookups(keys) {
      const accounts = table()
      let sum = 0
      for (const key of keys) sum += accounts.get(key)?.balance ?? Number.NaN
      return sum
    },
    lookupsMany(keys, size) {
      const accounts = table()
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        for (const row of accounts.getMany(keys.slice(i, i + size)))
          sum += row?.balance ?? Number.NaN
      }
      return sum
    },
    ranges(starts, size) {
      const accounts = table()
      let sum = 0
      for (const start of starts) {
        for (const row of accounts.range({ from: start, to: start + size - 1 })) sum += row.id
      }
      return sum
    },
    stream() {
      let sum = 0
      for (const row of table().scan()) sum += row.balance
      return sum
    },
    keep() {
      return [...table().scan()].reduce((sum, row) => sum + row.balance, 0)
    },
    async count() {
      return (await table().aggregate({ count: true })).count as number
    },
    async sum() {
      return (await table().aggregate({ count: true, sum: 'balance' })).sum as number
    },
    commits(rows) {
      const accounts = table()
      for (const row of rows) accounts.insertSync(row)
    },
    async commitsAwaited(rows) {
      const accounts = table()
      for (const row of rows) await accounts.insert(row)
    },
    async commitsInFlight(rows, inFlight) {
      const tables = (await sessionsFor(inFlight)).map((each) =>
        each.table<Account>('public.accounts'),
      )
      await inTurns(rows, tables, (row, accounts) => accounts.insert(row))
    },
    async updates(keys, balance, together) {
      const accounts = table()
      for (let i = 0; i < keys.length; i += together) {
        const entries = keys.slice(i, i + together).map((key) => [key, { balance }] as const)
        await session.transaction((tx) => tx.updateMany(accounts, entries))
      }
    },
    async transfers(transfers, inFlight) {
      const lanes = (await sessionsFor(inFlight)).map((each) => ({
        each,
        accounts: each.table<Account>('public.accounts'),
        history: each.table<Entry>('public.history'),
      }))
      await inTurns(transfers, lanes, ({ from, to, amount }, { each, accounts, history }) =>
        each.transaction(async (tx) => {
          // Both rows are locked in the order of their ids, so that no two transfers wait for each other.
          const read = async (id: number) => {
            const row = await tx.get(accounts, id, { lock: 'for no key update' })
            return row?.balance ?? Number.NaN
          }
          const first = await read(Math.min(from, to))
          const second = await read(Math.max(from, to))
          const [paying, receiving] = from < to ? [first, second] : [second, first]
          await tx.update(accounts, from, { balance: paying - amount })
          await tx.update(accounts, to, { balance: receiving + amount })
          await tx.insert(history, { id: entries++, teller: from, amount })
        }),
      )
    },
    logBytes: () => cluster.statistics().wal_bytes as number,
    checkpoint: () => cluster.checkpoint(),
    async vacuum() {
      await (await sessionsFor(1))[0]?.vacuum('public.accounts')
    },
    async loadBeside(rows) {
      await (await sessionsFor(1))[0]?.table<Account>('public.accounts').insertMany(rows)
    },
    close: () => cluster.close(),
  }
}

export const peer: Peer = {
  name: 'pgdata',
  version: () =>
    (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
  durability: {
    'power failure':
      'fsync, full_page_writes and checksums on, synchronous_commit = on: the log is synced at commit',
    'process crash':
      'synchronous_commit = off: the log is written and synced within wal_writer_delay; the latest commits may be lost, nothing is torn',
  },
  open,
}
