// Goal: who replays our log knows the settings it must know, as with PostgreSQL's. Method: clusters opened with other
// settings by either engine; pg_control, and the records of changes, must be what the other engine makes of them.
import type pg from 'pg'
import { expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster, PgError } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const names = [
  'MaxConnections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_xacts',
  'max_locks_per_xact',
  'wal_level',
  'wal_log_hints',
  'track_commit_timestamp',
] as const

function controlOf(directory: string): Record<string, unknown> {
  const control = binding.readControlFile(directory)
  return Object.fromEntries(names.map((name) => [name, control[name]]))
}

const standard = {
  MaxConnections: 100,
  max_worker_processes: 8,
  max_wal_senders: 10,
  max_prepared_xacts: 0,
  max_locks_per_xact: 64,
  wal_level: 'replica',
  wal_log_hints: false,
  track_commit_timestamp: false,
}
const others = {
  max_connections: 50,
  max_worker_processes: 3,
  max_wal_senders: 0,
  max_prepared_transactions: 7,
  max_locks_per_transaction: 99,
  wal_level: 'minimal',
  wal_log_hints: true,
  track_commit_timestamp: true,
} as const
const otherControl = {
  MaxConnections: 50,
  max_worker_processes: 3,
  max_wal_senders: 0,
  max_prepared_xacts: 7,
  max_locks_per_xact: 99,
  wal_level: 'minimal',
  wal_log_hints: true,
  track_commit_timestamp: true,
}

async function changesSince(client: pg.Client, lsn: string): Promise<string[]> {
  await client.query('create extension if not exists pg_walinspect')
  const { rows } = await client.query<{ description: string }>(
    `select description from pg_get_wal_records_info($1, pg_current_wal_lsn())
      where record_type = 'PARAMETER_CHANGE'`,
    [lsn],
  )
  return rows.map(({ description }) => description)
}

function checkpointOf(directory: string): string {
  const lsn = binding.readControlFile(directory)['checkPoint'] as bigint
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`
}

test('changed settings are logged once, and stock sees no other change', {
  timeout: 60_000,
}, async () => {
  const directory = temporaryDirectory('cs')
  await Cluster.init(directory)
  expect(controlOf(directory)).toEqual(standard)
  const begin = checkpointOf(directory)
  let cluster = await Cluster.open(directory, { settings: others })
  expect(controlOf(directory)).toEqual(otherControl)
  await cluster.close()
  cluster = await Cluster.open(directory, { settings: others })
  await cluster.close()
  expect(controlOf(directory)).toEqual(otherControl)

  await using oracle = Oracle.adopt(directory)
  await oracle.start(others)
  const client = await oracle.client()
  expect(await changesSince(client, begin)).toEqual([
    'max_connections=50 max_worker_processes=3 max_wal_senders=0 max_prepared_xacts=7 ' +
      'max_locks_per_xact=99 wal_level=minimal wal_log_hints=on track_commit_timestamp=on',
  ])
  await oracle.stop()
  expect(controlOf(directory)).toEqual(otherControl)
})

test.each(['fast', 'immediate'] as const)(
  'what stock changed is known here, and changed back; its stop: %s',
  { timeout: 60_000 },
  async (stop) => {
    await using oracle = await Oracle.initdb()
    await oracle.start(others)
    const client = await oracle.client()
    await client.query('create table t (id int primary key)')
    await client.query('insert into t select generate_series(1, 1000)')
    await oracle.stop(stop)
    expect(controlOf(oracle.dir)).toEqual(otherControl)
    {
      await using cluster = await Cluster.open(oracle.dir)
      expect(controlOf(oracle.dir)).toEqual(standard)
      await using session = await cluster.connect()
      expect([...session.table('t').scan()]).toHaveLength(1000)
    }
    const begin = checkpointOf(oracle.dir)
    await oracle.start({ max_connections: 100, max_locks_per_transaction: 64 })
    expect(await changesSince(await oracle.client(), begin)).toEqual([])
  },
)

test('a log for standbys needs more than the minimum', async () => {
  const opening = Cluster.open(temporaryDirectory('cm'), { settings: { wal_level: 'minimal' } })
  await expect(opening).rejects.toThrow(PgError)
  await expect(opening).rejects.toMatchObject({
    code: '22023',
    message:
      'WAL streaming ("max_wal_senders" > 0) requires "wal_level" to be "replica" or "logical"',
  })
})
