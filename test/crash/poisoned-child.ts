// The child of poisoned.test.ts: brings sessions into a situation, lets a fault of the disk or a broken invariant meet
// what they do next, and ends them in one of many ways. Each line it writes is a JSON document. A library must never
// end its host: whatever happens here, the last line is written and the exit status is 0.
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster, PgError, type Session, type Table } from '../../src-ts/index.ts'
import { type Case, endings, type situations } from './poisoned-cases.ts'
import { settings } from './workload.ts'

interface Row {
  id: number
  t: string
}

export interface Outcome extends Case {
  directory: string
  /** The error of what met the fault, of what came after it, and of closing. */
  code: string
  codeAfter: string
  codeOfClose: string
}

const [prepared, work, casesText] = process.argv.slice(2) as [string, string, string]
const cases = JSON.parse(casesText) as Case[]

function codeOf(error: unknown): string {
  return error instanceof PgError ? error.code : `${error instanceof Error ? error.stack : error}`
}

async function outcomeOf(what: () => unknown): Promise<string> {
  try {
    await what()
    return 'done'
  } catch (error) {
    return codeOf(error)
  }
}

interface Stage {
  cluster: Cluster
  session: Session
  other: Session
  table: Table<Row>
  others: Table<Row>
  break: () => void
}

const newRow = { id: 5000, t: 'new' }

// What each situation does with the fault set at its last write.
const acts: Record<(typeof situations)[number], (stage: Stage) => Promise<unknown>> = {
  commit: ({ session, table, break: breaks }) =>
    session.transaction(async (tx) => {
      tx.insert(table, newRow)
      breaks()
    }),
  'synchronous commit': async ({ session, table, break: breaks }) =>
    session.transactionSync((tx) => {
      tx.insert(table, newRow)
      breaks()
    }),
  'serializable commit': ({ session, table, break: breaks }) =>
    session.transaction(
      async (tx) => {
        for (const _ of table.scan()) break
        tx.insert(table, newRow)
        breaks()
      },
      { isolation: 'serializable' },
    ),
  'commit that drops a table': ({ session, break: breaks }) =>
    session.transaction((tx) => {
      tx.dropTable('dropped')
      breaks()
    }),
  'commit that creates a table': ({ session, break: breaks }) =>
    session.transaction((tx) => {
      tx.createTable('created', { columns: { id: 'int4 primary key' } })
      breaks()
    }),
  prepare: ({ session, table, break: breaks }) =>
    session.prepareTransaction('p', async (tx) => {
      tx.insert(table, newRow)
      breaks()
    }),
  'commit prepared': async ({ cluster, session, table, break: breaks }) => {
    await session.prepareTransaction('p', (tx) => void tx.insert(table, newRow))
    breaks()
    await cluster.commitPrepared('p')
  },
  'inside savepoints': ({ session, table, other, others, break: breaks }) =>
    session.transaction(async (tx) => {
      tx.insert(table, newRow)
      await tx.savepoint(async (savepoint) => {
        savepoint.insert(table, { id: 5001, t: 'inner' })
        await savepoint.savepoint(async (inner) => {
          inner.insert(table, { id: 5002, t: 'innermost' })
          breaks()
          await other.transaction(async (theirs) =>
            theirs.insert(others, { id: 5003, t: 'theirs' }),
          )
        })
      })
    }),
  'scans open, then savepoints': async ({ session, table, other, others, break: breaks }) => {
    // One outside any transaction is closed last of all.
    const outside = table.scan()[Symbol.iterator]()
    outside.next()
    try {
      await session.transaction(async (tx) => {
        tx.insert(table, newRow)
        const inside = table.scan()[Symbol.iterator]()
        inside.next()
        await tx.savepoint(async (savepoint) => {
          savepoint.insert(table, { id: 5001, t: 'inner' })
          breaks()
          await other.transaction(async (theirs) =>
            theirs.insert(others, { id: 5003, t: 'theirs' }),
          )
          inside.next()
        })
      })
    } finally {
      outside.return?.()
    }
  },
  'a lock is waited for': async ({ session, table, other, others, break: breaks, cluster }) => {
    let waiting: Promise<unknown> = Promise.resolve()
    try {
      await session.transaction(async (tx) => {
        await tx.update(table, 1, { t: 'mine' })
        waiting = other.transaction((theirs) => theirs.update(others, 1, { t: 'theirs' }))
        waiting.catch(() => undefined)
        await new Promise((resolve) => setTimeout(resolve, 20))
        breaks()
      })
    } finally {
      await outcomeOf(() => cluster.checkpoint())
      await Promise.race([waiting.catch(() => undefined), new Promise((r) => setTimeout(r, 300))])
    }
  },
  rollback: ({ session, table, break: breaks }) =>
    session.transaction(async (tx) => {
      tx.createTable('rolled_back', { columns: { id: 'int4 primary key' } })
      await tx.savepoint(async (savepoint) => void savepoint.insert(table, newRow))
      breaks()
      throw new PgError('P0001', 'rolled back')
    }),
  checkpoint: async ({ cluster, session, table, break: breaks }) => {
    await session.transaction((tx) => void tx.insert(table, newRow))
    breaks()
    await cluster.checkpoint()
  },
  vacuum: async ({ session, table, break: breaks }) => {
    await session.transaction((tx) => tx.delete(table, 2))
    breaks()
    await session.vacuum('t', { indexCleanup: 'on' })
  },
  write: ({ session, table, break: breaks }) =>
    session.transaction(async (tx) => {
      breaks()
      for (let id = 6000; id < 9000; id += 100)
        tx.insert(
          table,
          ...Array.from({ length: 100 }, (_, i) => ({ id: id + i, t: 'many '.repeat(60) })),
        )
    }),
}

async function play(one: Case, number: number): Promise<Outcome> {
  const directory = join(work, `run${number}`)
  cpSync(prepared, directory, { recursive: true })
  const disk = new binding.Disk()
  const cluster = await Cluster.open(directory, {
    settings: { ...settings, max_prepared_transactions: 2 },
    disk,
  })
  const session = await cluster.connect()
  const other = await cluster.connect()
  const stage: Stage = {
    cluster,
    session,
    other,
    table: session.table<Row>('t'),
    others: other.table<Row>('t'),
    break: () =>
      disk.fail({
        fault: one.fault,
        kinds: ['open', 'create', 'read', 'write', 'sync', 'allocate', 'truncate'],
        ...(one.path !== undefined && { path: one.path }),
        skip: one.skip,
        times: Number.POSITIVE_INFINITY,
      }),
  }
  const code = await outcomeOf(() => acts[one.situation](stage))
  const codeAfter = await outcomeOf(() =>
    session.transaction((tx) => void tx.insert(stage.table, { id: 7000, t: 'after' })),
  )
  let codeOfClose = 'left open'
  switch (one.ending) {
    case 'sessions, then the cluster':
      await session.close()
      await other.close()
      disk.clearFaults()
      codeOfClose = await outcomeOf(() => cluster.close())
      break
    case 'the cluster':
      disk.clearFaults()
      codeOfClose = await outcomeOf(() => cluster.close())
      break
    case 'the faulty cluster':
      codeOfClose = await outcomeOf(() => cluster.close())
      break
    case 'garbage':
    case 'exit':
      break
  }
  return { ...one, directory, code, codeAfter, codeOfClose }
}

for (const [number, one] of cases.entries()) {
  process.stdout.write(`${JSON.stringify({ playing: one })}\n`)
  const outcome = await play(one, number)
  process.stdout.write(`${JSON.stringify({ outcome })}\n`)
  // One that was left open is still used.
  if (outcome.codeOfClose !== 'left open' && number + 1 < cases.length)
    rmSync(outcome.directory, { recursive: true })
  if (one.ending === endings.garbage) {
    for (let n = 0; n < 3; n++) {
      gc?.()
      await new Promise(setImmediate)
    }
  }
}
process.stdout.write(`${JSON.stringify({ end: true })}\n`)
