// track_counts, against PostgreSQL.
// Goal: without it the same things are not counted, and the same ones still are; there is no autovacuum. Method: the same
// operations with stock and here; counters beside each other.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster, type PgError } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const ofTable = ['n_tup_ins', 'n_tup_del', 'n_live_tup', 'n_dead_tup', 'seq_scan', 'vacuum_count']
const ofDatabase = ['tup_inserted', 'tup_returned', 'blks_hit', 'temp_files', 'deadlocks']

test('relations are not counted, transactions are', { timeout: 60_000 }, async () => {
  const oracle = await Oracle.initdb()
  await oracle.start({ track_counts: 'off', autovacuum: 'off' })
  const client = await oracle.client('postgres')
  await client.query('create table t (id int8)')
  await client.query('insert into t select generate_series(1, 100)')
  await client.query('delete from t where id <= 50')
  await client.query('vacuum t')
  await client.query('select pg_stat_force_next_flush()')
  const table = await client.query("select * from pg_stat_all_tables where relname = 't'")
  const database = await client.query("select * from pg_stat_database where datname = 'postgres'")
  const stock = {
    table: ofTable.map((name) => Number(table.rows[0][name])),
    database: ofDatabase.map((name) => Number(database.rows[0][name])),
    hasCommits: Number(database.rows[0].xact_commit) > 0,
  }

  const notices: PgError[] = []
  await using cluster = await Cluster.open(temporaryDirectory(), {
    create: true,
    settings: { track_counts: false, autovacuum_naptime: '1s' },
    onNotice: (notice) => notices.push(notice),
  })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int8 primary key' } })
  const t = session.table<{ id: number }>('t')
  await t.insertMany(Array.from({ length: 100 }, (_, id) => ({ id })))
  await session.transaction(async (tx) => {
    for (let id = 0; id < 50; id++) await tx.delete(t, id)
  })
  expect([...t.scan()]).toHaveLength(50)
  await session.vacuum('t')
  await sleep(2500)
  const counted = session.tableStatistics('t') as unknown as Record<string, number>
  const row = cluster.databaseStatistics().find(({ datname }) => datname === 'postgres')
  const numbers = row as unknown as Record<string, number>
  expect({
    table: ofTable.map((name) => counted[name]),
    database: ofDatabase.map((name) => numbers[name]),
    hasCommits: (numbers.xact_commit as number) > 0,
  }).toEqual(stock)
  expect(stock.table).toEqual(ofTable.map(() => 0))
  expect(counted.autovacuum_count).toBe(0)
  // Which is said once, with PostgreSQL's words.
  expect(notices).toMatchObject([
    {
      code: '01000',
      message: 'autovacuum not started because of misconfiguration',
      hint: 'Enable the "track_counts" option.',
    },
  ])
})
