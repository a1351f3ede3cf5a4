// Goal: pg_commit_ts is PostgreSQL's. Method: transactions with and without savepoints, prepared and plain, on one
// engine; the other one must say of every id what the first said, after a clean end and after a crash; and both must
// forget all when track_commit_timestamp is turned off.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { copyOf } from '../support/crash-images.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { settings, type Told, told, write } from './commit-timestamps-writer.ts'

const stockSettings = { track_commit_timestamp: 'on', max_prepared_transactions: 10 }
// PostgreSQL's text of a timestamptz under UTC, which is what ours is compared by.
const stockQuery = `select xid::text::int as transaction, (pg_xact_commit_timestamp_origin(xid)).*
  from (select g::text::xid as xid from generate_series($1::int, $2::int) g) s`

async function stockTold(client: pg.Client, from: number, to: number): Promise<Told[]> {
  await client.query("set timezone to 'UTC'")
  const { rows } = await client.query<{
    transaction: number
    timestamp: string | null
    roident: number | null
  }>(
    `select transaction, timestamp::text, roident::int from (${stockQuery}) t order by transaction`,
    [from, to],
  )
  return rows.map(({ transaction, timestamp, roident }) => [transaction, timestamp, roident])
}

async function nextXid(client: pg.Client): Promise<number> {
  const { rows } = await client.query('select pg_snapshot_xmax(pg_current_snapshot())::text as x')
  return Number((rows[0] as { x: string }).x)
}

test('PostgreSQL reads what we wrote, after a clean end', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('ct')
  let from = 0
  let to = 0
  let ours: Told[] = []
  {
    await using cluster = await Cluster.open(directory, { create: true, settings })
    await using session = await cluster.connect()
    ;({ from, to } = await write(cluster, session, 900))
    ours = told(session, from, to)
    expect(session.lastCommitted()).toEqual(session.commitTimestamp(to))
    expect(() => session.commitTimestamp(0)).toThrow(
      expect.objectContaining({
        code: '22023',
        message: 'cannot retrieve commit timestamp for transaction 0',
      }),
    )
    expect(session.commitTimestamp(2)).toBeUndefined()
  }
  // 900 transactions fill more than a page of 819, and not all of the ids have committed.
  expect(ours.filter(([, timestamp]) => timestamp !== null).length).toBeGreaterThan(900)
  expect(ours.filter(([, timestamp]) => timestamp === null).length).toBeGreaterThan(5)
  await using oracle = Oracle.adopt(directory)
  await oracle.start(stockSettings)
  const client = await oracle.client()
  expect(await stockTold(client, from, to)).toEqual(ours)
})

test('PostgreSQL, and we, recover what we wrote before a crash', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('cx')
  await Cluster.init(directory)
  await using oracle = Oracle.adopt(directory)
  const writer = oracle.spawnScript(
    new URL('commit-timestamps-writer.ts', import.meta.url).pathname,
    directory,
  )
  const [output, [, signal]] = await Promise.all([
    text(writer.stdout as NodeJS.ReadableStream),
    once(writer, 'exit') as Promise<[number | null, string | null]>,
  ])
  oracle.takeBack()
  expect(signal).toBe('SIGKILL')
  const { from, to, ours } = JSON.parse(output) as { from: number; to: number; ours: Told[] }
  expect(ours.length).toBeGreaterThan(900)

  // A copy for stock, the directory itself for us.
  await using copied = Oracle.adopt(copyOf(directory))
  await copied.start(stockSettings)
  expect(await stockTold(await copied.client(), from, to)).toEqual(ours)

  await using cluster = await Cluster.open(directory, { settings })
  await using session = await cluster.connect()
  expect(told(session, from, to)).toEqual(ours)
})

test.each(['fast', 'immediate'] as const)(
  'we read what PostgreSQL wrote; its stop: %s',
  { timeout: 60_000 },
  async (stop) => {
    await using oracle = await Oracle.initdb()
    await oracle.start(stockSettings)
    const client = await oracle.client()
    await client.query('create table t (id int)')
    const from = await nextXid(client)
    await client.query(`do $$ begin
      for i in 1..900 loop
        insert into t values (i);
        if i % 50 = 0 then
          begin insert into t values (i); exception when others then null; end;
          begin insert into t values (i); raise 'undo'; exception when others then null; end;
        end if;
        commit;
      end loop; end $$`)
    await client.query("begin; insert into t values (1); prepare transaction 'p'")
    await client.query("commit prepared 'p'")
    // With an origin, as a subscriber's transactions have.
    await client.query("select pg_replication_origin_create('far')")
    await client.query("select pg_replication_origin_session_setup('far')")
    await client.query('begin')
    await client.query("select pg_replication_origin_xact_setup('0/AABB', '2013-01-01 00:00:00.5')")
    await client.query('insert into t values (2)')
    await client.query('commit')
    const to = (await nextXid(client)) - 1
    const stock = await stockTold(client, from, to)
    expect(stock.filter(([, timestamp]) => timestamp === null).length).toBeGreaterThan(5)
    expect(stock.filter(([, , origin]) => origin === 1)).toHaveLength(1)
    await oracle.stop(stop)

    const cluster = await Cluster.open(oracle.dir, { settings })
    const session = await cluster.connect()
    expect(told(session, from, to)).toEqual(stock)
    const after = await write(cluster, session, 5)
    const ours = told(session, after.from, after.to)
    await cluster.close()

    // Back again, ours beside stock's.
    await oracle.start(stockSettings)
    const again = await oracle.client()
    expect(await stockTold(again, from, to)).toEqual(stock)
    expect(await stockTold(again, after.from, after.to)).toEqual(ours)
  },
)

function files(directory: string): string[] {
  return readdirSync(join(directory, 'pg_commit_ts'))
}

async function writeSome(session: Session, name: string): Promise<number> {
  await session.createTable(name, { columns: { id: 'int4' } })
  return await session.transaction((tx) => tx.transactionId())
}

test('turned off, all is forgotten; turned on, it begins anew', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('co')
  let cluster = await Cluster.open(directory, { create: true, settings })
  let session = await cluster.connect()
  const first = await writeSome(session, 'a')
  expect(session.commitTimestamp(first)).toBeDefined()
  expect(files(directory)).toEqual(['0000'])
  await cluster.close()

  cluster = await Cluster.open(directory)
  session = await cluster.connect()
  expect(files(directory)).toEqual([])
  const off = {
    code: '55000',
    message: 'could not get commit timestamp data',
    hint: 'Make sure the configuration parameter "track_commit_timestamp" is set.',
  }
  expect(() => session.commitTimestamp(first)).toThrow(expect.objectContaining(off))
  expect(() => session.lastCommitted()).toThrow(expect.objectContaining(off))
  const second = await writeSome(session, 'b')
  await cluster.close()

  cluster = await Cluster.open(directory, { settings })
  session = await cluster.connect()
  expect(session.lastCommitted()).toBeUndefined()
  expect(session.commitTimestamp(first)).toBeUndefined()
  expect(session.commitTimestamp(second)).toBeUndefined()
  const third = await writeSome(session, 'c')
  expect(third).toBe(second + 2)
  const seen = session.commitTimestamp(third)
  expect(Math.abs(Date.now() - (seen?.timestamp.getTime() ?? 0))).toBeLessThan(60_000)
  await cluster.close()

  await using oracle = Oracle.adopt(directory)
  await oracle.start(stockSettings)
  const client = await oracle.client()
  const stock = await stockTold(client, first, third)
  expect(stock.filter(([, timestamp]) => timestamp !== null).map(([xid]) => xid)).toEqual(
    [second + 1, third].sort((a, b) => a - b),
  )
  const { rows } = await client.query(
    'select oldest_commit_ts_xid::text as oldest from pg_control_checkpoint()',
  )
  expect(Number((rows[0] as { oldest: string }).oldest)).toBe(second + 1)
})
