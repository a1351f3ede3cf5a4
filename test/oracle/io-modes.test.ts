// Goal: whatever way the files are written (through the OS cache or around it, by any sync method), the cluster is
// the same to stock PostgreSQL; and a table of more than 1 GiB has its segments.
// Method: the same rows through each mode with a pool so small that pages are evicted all the time; then the oracle
// counts and checks. The large table runs in the full suite only (PGDATA_TEST_FULL=1).
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Cluster, type SettingsInput } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

const modes: SettingsInput[] = [
  { io_mode: 'buffered', wal_sync_method: 'adaptive' },
  { io_mode: 'buffered', wal_sync_method: 'fdatasync' },
  { io_mode: 'buffered', wal_sync_method: 'open_datasync' },
  { io_mode: 'direct', wal_sync_method: 'fsync' },
  { io_mode: 'direct', wal_sync_method: 'open_datasync_direct' },
]
const rowCount = 20_000

function* rows(): Iterable<{ id: number; note: string }> {
  for (let id = 0; id < rowCount; id++) yield { id, note: 'x'.repeat(id % 300) }
}

describe('writing through and around the cache', () => {
  for (const mode of modes) {
    it(`${mode.io_mode}, ${mode.wal_sync_method}`, { timeout: 120_000 }, async () => {
      const directory = temporaryPath('io')
      const cluster = await Cluster.open(directory, {
        create: true,
        settings: { ...mode, shared_buffers: '2MB' },
      })
      const session = await cluster.connect()
      await session.createTable('t', {
        columns: { id: 'int8 not null', note: 'text' },
        primaryKey: ['id'],
      })
      const table = session.table<{ id: number; note: string }>('t')
      await table.insertMany(rows())
      for (let id = rowCount; id < rowCount + 20; id++) {
        session.transactionSync((tx) => tx.insert(table, { id, note: 'one by one' }))
      }
      expect(cluster.statistics().buffer_evictions).toBeGreaterThan(100)
      await cluster.close()

      await using oracle = Oracle.adopt(directory)
      await oracle.start()
      const client = await oracle.client()
      const answer = await client.query('select count(*)::int, sum(length(note))::int from t')
      expect(answer.rows).toEqual([{ count: rowCount + 20, sum: 2_980_000 + 200 }])
      expect(await amcheck(client)).toEqual([])
    })
  }
})

const inFullSuite = process.env.PGDATA_TEST_FULL === '1'
if (!inFullSuite) console.log('left out: a table of more than 1 GiB (set PGDATA_TEST_FULL=1)')

describe.runIf(inFullSuite)('a table of more than 1 GiB', () => {
  it('has a second segment file, which stock PostgreSQL reads', { timeout: 900_000 }, async () => {
    // Four rows fill a page, and 131,072 pages a segment.
    const count = 4 * 131_072 + 4000
    const directory = temporaryPath('large')
    const cluster = await Cluster.open(directory, {
      create: true,
      settings: { max_wal_size: '256MB' },
    })
    const session = await cluster.connect()
    await session.createTable('large', {
      columns: { id: 'int8 not null', filler: 'bytea' },
      primaryKey: ['id'],
    })
    const table = session.table<{ id: number; filler: Uint8Array }>('large')
    const filler = randomBytes(1900)
    await table.insertMany(
      (function* () {
        for (let id = 0; id < count; id++) yield { id, filler }
      })(),
    )
    await cluster.close()

    await using oracle = Oracle.adopt(directory)
    await oracle.start()
    const client = await oracle.client()
    const { rows: answer } = await client.query(
      "select count(*)::int, min(length(filler)), pg_relation_filepath('large') as path from large",
    )
    expect(answer[0]).toMatchObject({ count, min: 1900 })
    await oracle.stop()
    const path = join(directory, answer[0].path as string)
    expect(statSync(path).size).toBe(1024 ** 3)
    expect(statSync(`${path}.1`).size).toBeGreaterThan(0)
  })
})
