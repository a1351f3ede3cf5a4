// classic-level: LevelDB, a log-structured merge tree of JSON values.

import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { Account } from './accounts.ts'
import type { Database, OpenOptions, Peer } from './peer.ts'
import { installedVersion } from './tools.ts'

/** JSON has no type for an instant: milliseconds. */
type Value = Omit<Account, 'id' | 'created'> & { created: number }

const stored = ({ email, balance, created, note }: Account): Value => ({
  email,
  balance,
  created: created.getTime(),
  note,
})

// Keys are ordered as text.
const keyOf = (id: number) => String(id).padStart(10, '0')

const batchRows = 10_000

async function open(directory: string, options: OpenOptions): Promise<Database> {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, 'level')
  const db = new ClassicLevel<string, Value>(path, {
    valueEncoding: 'json',
    cacheSize: options.cacheBytes,
    ...(options.neverCheckpoint && { writeBufferSize: 256 * 2 ** 20 }),
  })
  await db.open()
  const sync = { sync: options.durability === 'power failure' }
  const put = (row: Account) => db.put(keyOf(row.id), stored(row), sync)
  const putAll = async (rows: readonly Account[]) => {
    for (const row of rows) await put(row)
  }
  const each = async (use: (entry: [string, Value]) => void) => {
    const iterator = db.iterator({ highWaterMarkBytes: 1 << 20 })
    for (;;) {
      const entries = await iterator.nextv(1000)
      if (entries.length === 0) break
      for (const entry of entries) use(entry)
    }
    await iterator.close()
  }
  return {
    create() {},
    async load(rows) {
      for (let i = 0; i < rows.length; i += batchRows) {
        const some = rows.slice(i, i + batchRows)
        // What is synced last syncs the log before it.
        await db.batch(
          some.map((row) => ({ type: 'put', key: keyOf(row.id), value: stored(row) })),
          { sync: sync.sync && i + batchRows >= rows.length },
        )
      }
    },
    async lookups(keys) {
      let sum = 0
      for (const key of keys) sum += (await db.get(keyOf(key)))?.balance ?? Number.NaN
      return sum
    },
    async lookupsMany(keys, size) {
      let sum = 0
      for (let i = 0; i < keys.length; i += size) {
        for (const row of await db.getMany(keys.slice(i, i + size).map(keyOf)))
          sum += row?.balance ?? Number.NaN
      }
      return sum
    },
    async ranges(starts, size) {
      let sum = 0
      for (const start of starts) {
        const bounds = { gte: keyOf(start), lt: keyOf(start + size) }
        for (const [key, value] of await db.iterator(bounds).all()) {
          if (value.note.length > 0) sum += Number(key)
        }
      }
      return sum
    },
    async stream() {
      let sum = 0
      await each(([, value]) => {
        sum += value.balance
      })
      return sum
    },
    async keep() {
      const rows: (Value & { id: number })[] = []
      await each(([key, value]) => rows.push({ id: Number(key), ...value }))
      return rows.reduce((sum, row) => sum + row.balance, 0)
    },
    commits: putAll,
    commitsAwaited: putAll,
    async commitsInFlight(rows, inFlight) {
      for (let i = 0; i < rows.length; i += inFlight)
        await Promise.all(rows.slice(i, i + inFlight).map(put))
    },
    async commitsCollected(rows, together) {
      for (let i = 0; i < rows.length; i += together) {
        const some = rows.slice(i, i + together)
        await db.batch(
          some.map((row) => ({ type: 'put', key: keyOf(row.id), value: stored(row) })),
          sync,
        )
      }
    },
    async updates(keys, balance, together) {
      for (let i = 0; i < keys.length; i += together) {
        const some = keys.slice(i, i + together).map(keyOf)
        const rows = await db.getMany(some)
        await db.batch(
          some.map((key, at) => ({
            type: 'put',
            key,
            value: { ...(rows[at] as Value), balance },
          })),
          sync,
        )
      }
    },
    logBytes: () =>
      readdirSync(path)
        .filter((name) => name.endsWith('.log'))
        .reduce((sum, name) => sum + statSync(join(path, name)).size, 0),
    close: () => db.close(),
  }
}

export const peer: Peer = {
  name: 'classic-level',
  version: () => installedVersion('classic-level'),
  durability: {
    'power failure': 'sync: true: the log is synced at each write',
    'process crash': 'sync: false (its default): the log is written, and not synced',
  },
  cannot: {
    count: 'has no count but reading all',
    sum: 'has no sums',
    updatesBySet: 'has no statements',
    transfers: 'a batch is atomic, but what was read for it may have changed',
    'two processes': 'one process at a time',
    vacuum: 'has none',
    checkpoint: 'has none',
    direct: 'has no direct I/O',
  },
  open,
}
