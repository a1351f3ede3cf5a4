// Savepoints against PostgreSQL.
// Goal: a directory with subtransactions of ours, hundreds in one transaction, committed and rolled back, means the
// same to PostgreSQL, after a clean end and after a crash. Method: a process writes with savepoints and kills itself
// with a transaction open; PostgreSQL recovers, shows the rows, and its amcheck finds nothing; and a clean one.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { Cluster, type Transaction } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  value: string
}

test.each(['none', 'checkpoint'])(
  'PostgreSQL recovers a crash with savepoints, in flight: %s',
  { timeout: 120_000 },
  async (during) => {
    const directory = temporaryDirectory('spc')
    await Cluster.init(directory)
    await using oracle = Oracle.adopt(directory)
    const writer = oracle.spawnScript(
      new URL('savepoint-writer.ts', import.meta.url).pathname,
      directory,
      during,
    )
    const [output, [, signal]] = await Promise.all([
      text(writer.stdout as NodeJS.ReadableStream),
      once(writer, 'exit') as Promise<[number | null, string | null]>,
    ])
    expect(signal).toBe('SIGKILL')
    oracle.takeBack()
    const wanted = JSON.parse(output) as Row[]
    expect(wanted.length).toBeGreaterThan(1500)
    await oracle.start()
    const client = await oracle.client()
    const { rows } = await client.query('select id, value from kept order by id')
    expect(rows).toEqual(wanted)
    const { rows: made } = await client.query('select * from made')
    expect(made).toEqual([{ id: 1 }])
    await expect(client.query('select * from undone')).rejects.toMatchObject({ code: '42P01' })
    expect(await amcheck(client)).toEqual([])
    // It goes on from there.
    await client.query("insert into kept select i, 'theirs' from generate_series(5000, 5300) i")
    await oracle.stop()

    await using cluster = await Cluster.open(directory)
    await using session = await cluster.connect()
    expect(session.table<Row>('kept').get(5150)?.value).toBe('theirs')
    expect((await session.table('kept').aggregate({ count: true })).count).toBe(wanted.length + 301)
  },
)

test('PostgreSQL reads what a clean end left of savepoints', { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory('spd')
  const cluster = await Cluster.open(directory, { create: true, settings: { fsync: false } })
  const session = await cluster.connect()
  await session.createTable('deep', { columns: { id: 'int4 primary key', value: 'text' } })
  const table = session.table<Row>('deep')
  // One inside the other, the innermost rolled back.
  async function nest(tx: Transaction, depth: number): Promise<void> {
    tx.insert(table, { id: depth, value: `depth ${depth}` })
    if (depth === 200) throw new Error('deep enough')
    await tx.savepoint((savepoint) => nest(savepoint, depth + 1)).catch(() => undefined)
  }
  await session.transaction((tx) => nest(tx, 1))
  await cluster.close()

  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  const client = await oracle.client()
  const { rows } = await client.query('select count(*)::int as n, max(id) as top from deep')
  expect(rows).toEqual([{ n: 199, top: 199 }])
  const { rows: xids } = await client.query('select count(distinct xmin::text)::int as n from deep')
  expect(xids).toEqual([{ n: 199 }])
  expect(await amcheck(client)).toEqual([])
})
