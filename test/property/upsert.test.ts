// Property: of many who insert the same keys at once, each counts once.
// Goal: INSERT … ON CONFLICT DO UPDATE never fails with 23505 where the key is the one meant, loses no update and makes no
// row twice; what speculative insertions that were taken back leave behind is no damage. Method: sessions of two processes
// add to counters under few keys, with long values and a second unique index among the columns, deleting some in between;
// the sums are compared; then `verify`, and stock PostgreSQL with amcheck, after a vacuum and before.
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { Member } from '../process/member.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const runMs = full ? 60_000 : 5_000
const sessions = 4

interface Work {
  runMs: number
  sessions: number
  number: number
}

interface Outcome {
  added: number
  deleted: number
  ignored: number
  problems: string[]
}

// Runs in another process, too: it may use nothing but what it is given.
async function adder(
  { cluster }: { cluster: Cluster },
  { runMs, sessions, number }: Work,
): Promise<Outcome> {
  const outcome: Outcome = { added: 0, deleted: 0, ignored: 0, problems: [] }
  const keys = 8
  const one = async (actor: number) => {
    const session = await cluster.connect()
    const table = session.table<{ id: number; n: number; other: number | null; note: string }>('t')
    const end = performance.now() + runMs
    for (let i = actor; performance.now() < end; i++) {
      const rows = [0, 1].map((k) => ({
        id: (i + k * 3) % keys,
        n: 1,
        other: null,
        // Long enough to be stored out of line.
        note: i % 5 === 0 ? String(i).repeat(4000) : '',
      }))
      try {
        if (i % 7 === 0) {
          const gone = await table.deleteWhere<{ n: number }>({
            where: { id: i % keys },
            returning: ['n'],
          })
          for (const { n } of gone) outcome.deleted += n
        } else if (i % 11 === 0) {
          const row = rows[0] as (typeof rows)[0]
          const inserted = await table.insert(row, { onConflict: 'do nothing' })
          if (inserted) outcome.added++
          else outcome.ignored++
        } else {
          // In the order of the keys, so that two never wait for each other.
          rows.sort((a, b) => a.id - b.id)
          const count = await table.insertMany(rows, {
            onConflict: {
              columns: ['id'],
              update: { n: { add: ['n', { excluded: 'n' }] }, note: { excluded: 'note' } },
            },
          })
          outcome.added += count
        }
      } catch (error) {
        outcome.problems.push(String(error))
        break
      }
    }
    await session.close()
  }
  await Promise.all(Array.from({ length: sessions }, (_, i) => one(number * 100 + i)))
  return outcome
}

test('counters of many sessions and two processes sum up', {
  timeout: runMs + 120_000,
}, async () => {
  const directory = temporaryDirectory('upsert')
  await Cluster.init(directory)
  const outcomes: Outcome[] = []
  let sum = 0
  {
    await using cluster = await Cluster.open(directory, { settings: { fsync: false } })
    await using session = await cluster.connect()
    await session.createTable('t', {
      columns: { id: 'int4 not null', n: 'int4', other: 'int4 unique', note: 'text' },
      primaryKey: ['id'],
    })
    await using member = await Member.start(directory)
    const work = { runMs, sessions }
    outcomes.push(
      ...(await Promise.all([
        member.run(adder, { ...work, number: 1 }) as Promise<Outcome>,
        adder({ cluster }, { ...work, number: 2 }),
      ])),
    )
    for (const { id, n } of session.table<{ id: number; n: number }>('t').scan()) {
      expect(id).toBeLessThan(8)
      sum += n
    }
  }
  const total = (of: (outcome: Outcome) => number) =>
    outcomes.reduce((all, outcome) => all + of(outcome), 0)
  console.log(
    `upsert: ${total(({ added }) => added)} added, ${total(({ deleted }) => deleted)} deleted, ` +
      `${total(({ ignored }) => ignored)} ignored`,
  )
  expect(outcomes.flatMap(({ problems }) => problems)).toEqual([])
  expect(sum).toBe(total(({ added, deleted }) => added - deleted))
  expect(total(({ added }) => added)).toBeGreaterThan(100)
  const verified = await pgdata(['verify', directory])
  expect(`${verified.stdout}${verified.stderr}`).not.toMatch(/block \d+/)
  expect(verified).toMatchObject({ status: 0, stderr: '' })
  const stock = Oracle.adopt(directory)
  await stock.start({ fsync: 'off', autovacuum: 'off' })
  const client = await stock.client('postgres')
  expect(await amcheck(client)).toEqual([])
  await client.query('vacuum (freeze) t')
  expect(await amcheck(client)).toEqual([])
  const { rows } = await client.query('select sum(n)::int as sum from t')
  expect(rows[0].sum ?? 0).toBe(sum)
  await client.end()
  await stock.stop()
})
