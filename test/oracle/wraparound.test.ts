// Goal: ids never run out unnoticed. Method: the counters of clusters are moved near the limits; then warnings and
// refusals must be PostgreSQL's, vacuum of all databases must rescue the cluster and truncate the logs of old
// transactions, and PostgreSQL must agree on every number, after a clean end and after a crash.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster, type PgError, type Session } from '../../src-ts/index.ts'
import { copyOf } from '../support/crash-images.ts'
import { multisPerFile, setNextIds, xidsPerFile } from '../support/next-ids.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const settings = { track_commit_timestamp: true }
const freezeAll = { freeze: true, vacuum_failsafe_age: 2 ** 31 - 1 }
// Every id is older than that many: 2^31 - 1 after the oldest, which is 3 or a little more, they would seem to lie ahead.
const nearStop = BigInt(Math.floor((2 ** 31 - 3_100_000) / xidsPerFile) * xidsPerFile)
const pastStop = BigInt(Math.ceil((2 ** 31 - 2_999_000) / xidsPerFile) * xidsPerFile)

interface Row {
  id: number
}

async function clusterWithTable(): Promise<string> {
  const directory = temporaryDirectory('wr')
  await using cluster = await Cluster.open(directory, { create: true, settings })
  await using session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int4 primary key' } })
  await session.table<Row>('t').insertMany([1, 2, 3].map((id) => ({ id })))
  return directory
}

function files(directory: string, area: string): string[] {
  return readdirSync(join(directory, area)).sort()
}

async function insert(session: Session, id: number): Promise<void> {
  await session.table<Row>('t').insert({ id })
}

interface Numbers {
  databases: { datname: string; xid: number; multi: number; age: number }[]
  oldestXid: number
  oldestMulti: number
}

// What PostgreSQL says of the oldest ids of each database, and of all.
async function numbers(oracle: Oracle): Promise<Numbers> {
  const client = await oracle.client()
  const { rows: databases } = await client.query<Numbers['databases'][number]>(
    `select datname, datfrozenxid::text::bigint::int4 as xid, datminmxid::text::bigint::int4 as multi,
            age(datfrozenxid) as age from pg_database order by datname`,
  )
  const { rows } = await client.query<{ xid: string; multi: string }>(
    'select oldest_xid::text as xid, oldest_multi_xid::text as multi from pg_control_checkpoint()',
  )
  await client.query('create extension if not exists amcheck')
  expect(await amcheck(client)).toEqual([])
  return { databases, oldestXid: Number(rows[0]?.xid), oldestMulti: Number(rows[0]?.multi) }
}

const oldTransactionsHint =
  'You might also need to commit or roll back old prepared transactions, or drop stale replication slots.'
const vacuumHint = `Execute a database-wide VACUUM in that database.\n${oldTransactionsHint}`
function warning(message: string, what: string) {
  return {
    code: '01000',
    message,
    hint: `To avoid ${what} assignment failures, execute a database-wide VACUUM in that database.\n${oldTransactionsHint}`,
  }
}

// The handler of warnings is called in a turn of its own.
async function told(
  notices: PgError[],
): Promise<{ code: string; message: string; hint: string | undefined }[]> {
  await new Promise((resolve) => setTimeout(resolve, 20))
  return notices.splice(0).map(({ code, message, hint }) => ({ code, message, hint }))
}

test('xids: a warning, a refusal, a rescue by vacuum', { timeout: 120_000 }, async () => {
  const directory = await clusterWithTable()
  const oldest = binding.readControlFile(directory).oldestXid as number
  setNextIds(directory, { nextXid: nearStop })
  const notices: PgError[] = []
  const onNotice = (notice: PgError) => notices.push(notice)
  let cluster = await Cluster.open(directory, { settings, onNotice })
  let session = await cluster.connect()
  await insert(session, 4)
  const few = `database "template1" must be vacuumed within ${oldest + 0x7fffffff - Number(nearStop)} transactions`
  expect(await told(notices)).toEqual([warning(few, 'XID'), warning(few, 'transaction ID')])
  await cluster.close()

  setNextIds(directory, { nextXid: pastStop })
  cluster = await Cluster.open(directory, { settings, onNotice })
  session = await cluster.connect()
  const refusal = {
    code: '54000',
    message:
      'database is not accepting commands that assign new transaction IDs to avoid wraparound data loss in database "template1"',
    hint: vacuumHint,
  }
  await expect(insert(session, 5)).rejects.toMatchObject(refusal)
  expect([...session.table<Row>('t').scan()].map(({ id }) => id)).toEqual([1, 2, 3, 4])
  // One database is not enough, since another one is as old.
  await session.vacuum(freezeAll)
  await expect(insert(session, 5)).rejects.toMatchObject({
    ...refusal,
    message: expect.any(String),
  })
  expect(files(directory, 'pg_xact')).toContain('0000')
  expect(files(directory, 'pg_commit_ts')).toContain('0000')
  notices.length = 0

  const reports = await cluster.vacuum(freezeAll)
  expect([...reports.keys()].sort()).toEqual(['postgres', 'template0', 'template1'])
  // Until the last one is done.
  for (const { code, message } of await told(notices))
    expect([code, message]).toEqual([
      '01000',
      expect.stringMatching(/^database "template[01]" must be vacuumed within \d+ transactions$/),
    ])
  await insert(session, 5)
  expect(await told(notices)).toEqual([])
  await cluster.checkpoint()
  expect(files(directory, 'pg_xact')).toHaveLength(1)
  expect(files(directory, 'pg_commit_ts')).toHaveLength(1)
  // What the disk holds now is what a crash would leave.
  const crashed = copyOf(directory)
  rmSync(join(crashed, 'postmaster.pid'))
  const crashedTwice = copyOf(crashed)
  await cluster.close()

  for (const image of [directory, crashed]) {
    await using oracle = Oracle.adopt(image)
    await oracle.start({ track_commit_timestamp: 'on', autovacuum: 'off' })
    const { databases, oldestXid } = await numbers(oracle)
    for (const { xid, age } of databases) {
      expect(xid).toBeGreaterThanOrEqual(Number(pastStop) | 0)
      expect(age).toBeLessThan(1000)
    }
    expect(oldestXid | 0).toBe(Math.min(...databases.map(({ xid }) => xid)))
    expect(oldestXid).toBe(binding.readControlFile(image).oldestXid)
    const client = await oracle.client()
    const { rows } = await client.query('select id from t order by id')
    expect(rows.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5])
    await client.query('insert into t values (6)')
  }
  {
    await using recovered = await Cluster.open(crashedTwice, { settings })
    await using again = await recovered.connect()
    expect([...again.table<Row>('t').scan()].map(({ id }) => id)).toEqual([1, 2, 3, 4, 5])
    await insert(again, 6)
  }
})

// Two sessions that lock a row together make a multixact.
async function shareRow(cluster: Cluster, id: number): Promise<void> {
  await using first = await cluster.connect()
  await using second = await cluster.connect()
  await first.transaction(async (tx) => {
    await tx.get(first.table<Row>('t'), id, { lock: 'for share' })
    await second.transaction(async (other) => {
      await other.get(second.table<Row>('t'), id, { lock: 'for share' })
    })
  })
}

test('multixacts: a warning, a refusal, a rescue by vacuum', { timeout: 120_000 }, async () => {
  const directory = await clusterWithTable()
  {
    await using cluster = await Cluster.open(directory, { settings })
    await shareRow(cluster, 1)
  }
  const nearStopMulti = Math.floor((2 ** 31 - 3_050_000) / multisPerFile) * multisPerFile
  const pastStopMulti = Math.ceil((2 ** 31 - 2_999_000) / multisPerFile) * multisPerFile
  setNextIds(directory, { nextMulti: nearStopMulti })
  const notices: PgError[] = []
  const onNotice = (notice: PgError) => notices.push(notice)
  let cluster = await Cluster.open(directory, { settings, onNotice })
  const few = (next: number) =>
    `database "template1" must be vacuumed before ${1 + 0x7fffffff - next} more MultiXactIds are used`
  await shareRow(cluster, 2)
  expect(await told(notices)).toEqual([
    warning(few(nearStopMulti), 'MultiXactId'),
    warning(few(nearStopMulti), 'MultiXactId'),
  ])
  await cluster.close()

  setNextIds(directory, { nextMulti: pastStopMulti })
  cluster = await Cluster.open(directory, { settings, onNotice })
  await expect(shareRow(cluster, 3)).rejects.toMatchObject({
    code: '54000',
    message:
      'database is not accepting commands that assign new MultiXactIds to avoid wraparound data loss in database "template1"',
    hint: vacuumHint,
  })
  expect(files(directory, 'pg_multixact/offsets')).toContain('0000')
  await cluster.vacuum(freezeAll)
  expect(files(directory, 'pg_multixact/offsets')).not.toContain('0000')
  notices.length = 0
  await shareRow(cluster, 3)
  expect(await told(notices)).toEqual([])
  const crashed = copyOf(directory)
  rmSync(join(crashed, 'postmaster.pid'))
  const crashedTwice = copyOf(crashed)
  await cluster.close()

  for (const image of [directory, crashed]) {
    await using oracle = Oracle.adopt(image)
    await oracle.start({ autovacuum: 'off' })
    const { databases, oldestMulti } = await numbers(oracle)
    expect(Math.min(...databases.map(({ multi }) => multi))).toBe(oldestMulti)
    expect(oldestMulti).toBe(pastStopMulti)
    const client = await oracle.client()
    const { rows } = await client.query('select id from t order by id for update')
    expect(rows.map(({ id }) => id)).toEqual([1, 2, 3])
  }
  await using recovered = await Cluster.open(crashedTwice, { settings })
  await shareRow(recovered, 1)
  expect(binding.readControlFile(crashedTwice).oldestMulti).toBe(pastStopMulti)
})

test('PostgreSQL replays our truncations, and we its', { timeout: 120_000 }, async () => {
  await using oracle = await Oracle.initdb()
  setNextIds(oracle.dir, { nextXid: 4n * BigInt(xidsPerFile) })
  await oracle.start({ track_commit_timestamp: 'on', autovacuum: 'off' })
  const client = await oracle.client()
  await client.query('create table t (id int primary key)')
  await client.query('alter database template0 allow_connections true')
  await client.query('checkpoint')
  for (const database of ['postgres', 'template1', 'template0']) {
    const each = await oracle.client(database)
    await each.query('vacuum freeze')
    await each.end()
  }
  await client.query('insert into t values (1)')
  await oracle.stop('immediate')
  {
    await using cluster = await Cluster.open(oracle.dir, { settings })
    await using session = await cluster.connect()
    expect(files(oracle.dir, 'pg_xact')).toEqual(['0004'])
    expect([...session.table<Row>('t').scan()]).toEqual([{ id: 1 }])
  }
  await oracle.start({ track_commit_timestamp: 'on' })
  // As after its own recovery, pg_control learns of it with the next vacuum.
  for (const { xid } of (await numbers(oracle)).databases)
    expect(xid).toBeGreaterThan(4 * xidsPerFile)
})

test('a read-only transaction keeps nothing between its statements', {
  timeout: 60_000,
}, async () => {
  const directory = await clusterWithTable()
  await using cluster = await Cluster.open(directory, { settings })
  await using reader = await cluster.connect()
  await using writer = await cluster.connect()
  // More than one batch of a scan.
  await writer.table<Row>('t').insertMany([...Array(50_000).keys()].map((i) => ({ id: 10 + i })))
  const table = reader.table<Row>('t')
  const removed = async (id: number) => {
    await writer.transaction(async (tx) => tx.delete(writer.table<Row>('t'), id))
    const [report] = await writer.vacuum('t')
    return [report?.tuplesRemoved, report?.tuplesNotYetRemovable]
  }
  await reader.transaction(
    async () => {
      expect(table.get(1)).toEqual({ id: 1 })
      expect(await removed(1)).toEqual([1, 0])
      const scan = table.scan()[Symbol.iterator]()
      expect(scan.next().value).toEqual({ id: 2 })
      expect(await removed(2)).toEqual([0, 1])
      scan.return?.()
      expect((await removed(3))[1]).toBe(0)
      expect([...table.scan()]).toHaveLength(50_000)
    },
    { readOnly: true },
  )
})
