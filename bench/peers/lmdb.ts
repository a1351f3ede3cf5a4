// lmdb: a memory-mapped B-tree of msgpack values, in the form that reads fastest (shared structures).

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import type { Account } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import { installedVersion } from './tools.ts'

/** An instant as milliseconds, which msgpack reads faster than a Date. */
type Value = Omit<Account, 'id' | 'created'> & { created: number }

// Where the names of the values' properties are kept: beyond all ids.
const structuresKey = 0xffffffff

const stored = ({ email, balance, created, note }: Account): Value => ({
  email,
  balance,
  created: created.getTime(),
  note,
})

function open(directory: string, options: OpenOptions): Database {
  mkdirSync(directory, { recursive: true })
  const root = openLmdb({
    path: join(directory, 'accounts.lmdb'),
    // Else a commit is told before it is synced.
    overlappingSync: false,
    noSync: options.durability !== 'power failure',
  })
  const db = root.openDB<Value, number>('accounts', {
    keyEncoding: 'uint32',
    sharedStructuresKey: structuresKey as never,
  })
  const history = root.openDB<unknown, number>('history', { keyEncoding: 'uint32' })
  const all = { start: 0, end: structuresKey }
  let entries = 0
  const put = (row: Account): Promise<boolean> => db.put(row.id, stored(row))
  return {
    shared: directory,
    create() {},
    load(rows) {
      root.transactionSync(() => {
        for (const row of rows) db.put(row.id, stored(row))
      })
    },
    lookups(keys) {
      let sum = 0
      for (const key of keys) sum += db.get(key)?.balance ?? Number.NaN
      return sum
    },
    lookupsMany(keys, size) {
      // Calling get for each is faster than getMany, which is for data that is not in memory.
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        const rows = keys.slice(i, i + size).map((key) => db.get(key))
        for (const row of rows) sum += row?.balance ?? Number.NaN
      }
      return sum
    },
    ranges(starts, size) {
      let sum = 0
      for (const start of starts) {
        for (const { key, value } of db.getRange({ start, end: start + size })) {
          if (value.note.length > 0) sum += key
        }
      }
      return sum
    },
    stream() {
      let sum = 0
      for (const { value } of db.getRange(all)) sum += value.balance
      return sum
    },
    keep() {
      const rows: (Value & { id: number })[] = []
      for (const { key, value } of db.getRange(all)) rows.push({ id: key, ...value })
      return rows.reduce((sum, row) => sum + row.balance, 0)
    },
    // One entry holds the structures.
    count: () => (db.getStats() as { entryCount: number }).entryCount - 1,
    sum() {
      let sum = 0
      for (const { value } of db.getRange(all)) sum += value.balance
      return sum
    },
    commits(rows) {
      for (const row of rows) db.putSync(row.id, stored(row))
    },
    async commitsAwaited(rows) {
      for (const row of rows) await put(row)
    },
    async commitsInFlight(rows, inFlight) {
      for (let i = 0; i < rows.length; i += inFlight)
        await Promise.all(rows.slice(i, i + inFlight).map(put))
    },
    commitsCollected(rows, together) {
      for (let i = 0; i < rows.length; i += together)
        root.transactionSync(() => {
          for (const row of rows.slice(i, i + together)) db.put(row.id, stored(row))
        })
    },
    async updates(keys, balance, together) {
      for (let i = 0; i < keys.length; i += together) {
        root.transactionSync(() => {
          for (const key of keys.slice(i, i + together))
            db.put(key, { ...(db.get(key) as Value), balance })
        })
      }
    },
    async transfers(transfers, inFlight) {
      const transfer = (one: (typeof transfers)[number]) =>
        root.transaction(() => {
          const from = db.get(one.from) as Value
          db.put(one.from, { ...from, balance: from.balance - one.amount })
          const to = db.get(one.to) as Value
          db.put(one.to, { ...to, balance: to.balance + one.amount })
          history.put((process.pid % 1000) * 4_000_000 + entries++, {
            teller: one.from,
            amount: one.amount,
          })
        })
      for (let i = 0; i < transfers.length; i += inFlight)
        await Promise.all(transfers.slice(i, i + inFlight).map(transfer))
    },
    async loadBeside(rows) {
      await root.transaction(() => {
        for (const row of rows) db.put(row.id, stored(row))
      })
    },
    async close() {
      await root.close()
    },
  }
}

export const peer: Peer = {
  name: 'lmdb',
  version: () => installedVersion('lmdb'),
  durability: {
    'power failure':
      'overlappingSync: false (not its default): the file is synced before a commit is told',
    'process crash': 'noSync: true: the file is written, and never synced',
  },
  cannot: {
    updatesBySet: 'has no statements',
    logBytes: 'has no log: a crash leaves nothing to be read',
    vacuum: 'has none',
    direct: 'maps the file',
  },
  open,
}
