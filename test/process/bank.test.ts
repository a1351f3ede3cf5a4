// Test of many processes and sessions at work on one directory.
// Goal: transfers between accounts, updates of the same hot rows, definitions, vacuums and checkpoints of four processes with
// four sessions each keep what must hold: the sum of the accounts, as every snapshot sees it; each acknowledged update of
// a hot row. Method: members run until a time is up; then the sums are compared, `verify` and stock's amcheck look at the rest.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const runMs = full ? 120_000 : 15_000
const processes = 4
const sessions = 4
const accounts = 200
const hotRows = 3
const openingBalance = 1000

interface Outcome {
  transfers: number
  updates: number[]
  definitions: number
  conflicts: number
  problems: string[]
}

test('four processes with four sessions each lose nothing', {
  timeout: runMs + 180_000,
}, async () => {
  const directory = temporaryDirectory('bank')
  await Cluster.init(directory)
  const cluster = await Cluster.open(directory)
  const session = await cluster.connect()
  await session.createTable('accounts', {
    columns: { id: 'int4', balance: 'int4', note: 'text' },
    primaryKey: ['id'],
  })
  await session.createTable('hot', { columns: { id: 'int4', n: 'int8' }, primaryKey: ['id'] })
  await session
    .table('accounts')
    .insertMany(
      Array.from({ length: accounts }, (_, id) => ({ id, balance: openingBalance, note: '' })),
    )
  await session.table('hot').insertMany(Array.from({ length: hotRows }, (_, id) => ({ id, n: 0 })))

  const members = await Promise.all(
    Array.from({ length: processes - 1 }, () => Member.start(directory)),
  )
  const work = { runMs, sessions, accounts, hotRows, sum: accounts * openingBalance }
  const running = members.map((member, number) => member.run(teller, { ...work, number }))
  const here = teller({ cluster, session, kept: {} }, { ...work, number: processes - 1 })
  const upkeep = (async () => {
    const end = performance.now() + runMs
    await using own = await cluster.connect()
    while (performance.now() < end) {
      await own.vacuum('accounts')
      await own.vacuum('hot')
      await cluster.checkpoint()
      await sleep(50)
    }
  })()
  const outcomes: Outcome[] = await Promise.all([...running, here])
  await upkeep

  const total = (of: (outcome: Outcome) => number) =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0)
  console.log(
    `bank: ${total(({ transfers }) => transfers)} transfers, ` +
      `${total(({ updates }) => updates.reduce((a, b) => a + b, 0))} updates of hot rows, ` +
      `${total(({ definitions }) => definitions)} definitions, ` +
      `${total(({ conflicts }) => conflicts)} conflicts`,
  )
  expect(outcomes.flatMap(({ problems }) => problems)).toEqual([])
  for (const { transfers, definitions } of outcomes) {
    expect(transfers).toBeGreaterThan(0)
    expect(definitions).toBeGreaterThan(0)
  }
  const { sum } = await session.table<{ balance: number }>('accounts').aggregate({ sum: 'balance' })
  expect(sum).toBe(work.sum)
  for (let id = 0; id < hotRows; id++) {
    const acknowledged = total(({ updates }) => updates[id] as number)
    expect(session.table<{ n: number }>('hot').get(id)?.n).toBe(acknowledged)
  }
  await Promise.all(members.map((member) => member.close()))
  await cluster.close()
  const verified = await pgdata(['verify', directory])
  expect(`${verified.stdout}${verified.stderr}`).not.toMatch(/block \d+/)
  expect(verified).toMatchObject({ status: 0, stderr: '' })
  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  expect(await amcheck(await oracle.client())).toEqual([])
})

// What one process does. Sent as text: it uses only what it is given.
async function teller(
  { cluster }: { cluster: Cluster; session: unknown; kept: unknown },
  work: {
    runMs: number
    sessions: number
    accounts: number
    hotRows: number
    sum: number
    number: number
  },
): Promise<Outcome> {
  const outcome: Outcome = {
    transfers: 0,
    updates: Array.from({ length: work.hotRows }, () => 0),
    definitions: 0,
    conflicts: 0,
    problems: [],
  }
  const end = performance.now() + work.runMs
  const below = (n: number) => Math.floor(Math.random() * n)
  // What others may make of a transaction; it is tried again.
  const isConflict = (error: unknown) =>
    ['40001', '40P01', '55P03'].includes((error as { code: string }).code)

  const one = async (lane: number) => {
    const session = await cluster.connect()
    const accounts = session.table<{ id: number; balance: number; note: string }>('accounts')
    const hot = session.table<{ id: number; n: number }>('hot')
    while (performance.now() < end) {
      try {
        const serializable = lane === 1
        await session.transaction(
          async (tx) => {
            const from = below(work.accounts)
            const to = (from + 1 + below(work.accounts - 1)) % work.accounts
            const amount = below(50)
            for (const [id, change] of [
              [from, -amount],
              [to, amount],
            ] as const) {
              const row = await tx.get(accounts, id, { lock: 'for update' })
              if (row === undefined) throw new Error(`account ${id} is gone`)
              await tx.update(accounts, id, {
                balance: row.balance + change,
                note: 'x'.repeat(below(200)),
              })
            }
          },
          { isolation: serializable ? 'serializable' : 'read committed' },
        )
        outcome.transfers++
        const id = below(work.hotRows)
        await session.transaction(async (tx) => {
          const row = await tx.get(hot, id, { lock: 'for no key update' })
          await tx.update(hot, id, { n: (row?.n ?? 0) + 1 })
        })
        outcome.updates[id] = (outcome.updates[id] ?? 0) + 1
        const seen = await session.transaction(
          () => accounts.aggregate({ sum: 'balance', count: true }),
          { isolation: 'repeatable read', readOnly: true },
        )
        if (seen.sum !== work.sum || seen.count !== work.accounts)
          outcome.problems.push(`a snapshot saw ${seen.count} accounts with ${seen.sum}`)
        if (lane !== 0) continue
        const name = `own_${work.number}_${outcome.definitions % 3}`
        await session.createTable(name, {
          columns: { id: 'int4', v: 'text' },
          primaryKey: ['id'],
        })
        const own = session.table<{ id: number; v: string }>(name)
        await own.insertMany(Array.from({ length: 20 }, (_, id) => ({ id, v: `${id}` })))
        await session.createIndex(name, { columns: ['v'] })
        const rows = [...own.range({ from: 3, to: 9 })]
        if (rows.length !== 7) outcome.problems.push(`${name} has ${rows.length} rows of 7`)
        await session.truncate(name)
        if ([...own.scan()].length !== 0) outcome.problems.push(`${name} is not empty`)
        await session.dropTable(name)
        outcome.definitions++
      } catch (error) {
        if (isConflict(error)) outcome.conflicts++
        else outcome.problems.push(`${(error as Error).stack}`)
        if (outcome.problems.length > 5) break
      }
    }
    await session.close()
  }
  await Promise.all(Array.from({ length: work.sessions }, (_, lane) => one(lane)))
  return outcome
}
