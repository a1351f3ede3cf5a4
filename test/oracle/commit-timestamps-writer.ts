// What commit-timestamps.test.ts writes through pgdata, and a process that does it and kills itself.
import { fileURLToPath } from 'node:url'
import { Cluster, PgTimestamp, type Session } from '../../src-ts/index.ts'

export const settings = { track_commit_timestamp: true, max_prepared_transactions: 10 }

/** Transaction, PostgreSQL's text of its time in UTC, origin. */
export type Told = [number, string | null, number | null]

function textOf(timestamp: Date): string {
  return timestamp instanceof PgTimestamp
    ? timestamp.toPostgres()
    : timestamp
        .toISOString()
        .replace('T', ' ')
        .replace(/\.?0*Z$/, '+00')
}

/** What pgdata says of the transactions from one to another. */
export function told(session: Session, from: number, to: number): Told[] {
  return [...Array(to - from + 1).keys()].map((i) => {
    const found = session.commitTimestamp(from + i)
    return [
      from + i,
      found === undefined ? null : textOf(found.timestamp),
      found === undefined ? null : found.origin,
    ]
  })
}

/** Transactions of all kinds; resolves with the first id and the last. */
export async function write(
  cluster: Cluster,
  session: Session,
  count: number,
): Promise<{ from: number; to: number }> {
  await session.createTable(`t${count}`, { columns: { id: 'int4' } })
  const table = session.table<{ id: number }>(`t${count}`)
  const from = await session.transaction((tx) => tx.transactionId())
  for (let i = 0; i < count; i++) {
    await session.transaction(
      async (tx) => {
        tx.insert(table, { id: i })
        if (i % 50 !== 0) return
        await tx.savepoint((savepoint) => savepoint.insert(table, { id: i }))
        await tx
          .savepoint((savepoint) => {
            savepoint.insert(table, { id: i })
            throw new Error('undo')
          })
          .catch(() => undefined)
      },
      { synchronousCommit: 'off' },
    )
  }
  for (const gid of ['kept', 'undone']) {
    await session.prepareTransaction(gid, async (tx) => {
      tx.insert(table, { id: -1 })
      await tx.savepoint((savepoint) => savepoint.insert(table, { id: -1 }))
    })
  }
  await cluster.rollbackPrepared('undone')
  await cluster.commitPrepared('kept')
  const to = await session.transaction((tx) => tx.transactionId())
  return { from, to }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const cluster = await Cluster.open(process.argv[2] as string, { settings })
  const session = await cluster.connect()
  // Some before a checkpoint, whose pages replay does not meet.
  const { from } = await write(cluster, session, 400)
  await cluster.checkpoint()
  const { to } = await write(cluster, session, 700)
  const output = JSON.stringify({ from, to, ours: told(session, from, to) })
  process.stdout.write(output, () => process.kill(process.pid, 'SIGKILL'))
  await new Promise(() => setTimeout(() => undefined, 60_000))
}
