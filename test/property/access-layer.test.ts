// The access layer against a model.
// Goal: whatever is written, read, defined, rolled back, reopened or crashed, every operation returns what the model
// says. Method: random operations on one table with several indexes, each compared at once; a failing list of
// operations is shrunk and printed. PGDATA_SEED=N runs one seed.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { verifyComplaints } from '../crash/judges.ts'
import { Random } from '../support/random.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { makeOperations, type Operation } from './access-operations.ts'
import { Subject } from './access-subject.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const count = Number(process.env.PGDATA_OPERATIONS ?? (full ? 10_000 : 1500))
const given = process.env.PGDATA_SEED
const seeds =
  given === undefined ? Array.from({ length: full ? 50 : 3 }, (_, i) => i + 1) : [Number(given)]
const shrinkMs = 60_000

let prepared: string | undefined

async function preparedCluster(): Promise<string> {
  if (prepared !== undefined) return prepared
  prepared = join(memoryDirectory('access'), 'prepared')
  await Cluster.init(prepared, { walSegmentSize: 1024 ** 2 })
  return prepared
}

// Runs the operations on a new cluster. What went wrong, and at which of them.
async function failureOf(
  operations: readonly Operation[],
): Promise<{ at: number; message: string } | undefined> {
  const directory = memoryDirectory('access')
  const subject = await Subject.open(await preparedCluster(), directory)
  try {
    for (const [at, operation] of operations.entries()) {
      try {
        await subject.run(operation)
      } catch (error) {
        return { at, message: error instanceof Error ? (error.stack ?? error.message) : `${error}` }
      }
    }
    await subject.close()
    const complaints = await verifyComplaints(directory, ({ oid }) => oid >= 16384)
    if (complaints.length === 0) return undefined
    return { at: operations.length - 1, message: complaints.slice(0, 5).join('\n') }
  } finally {
    await subject.abandon()
  }
}

// Leaves out ever smaller pieces of the list as long as it still fails.
async function shrunk(failing: readonly Operation[]): Promise<readonly Operation[]> {
  const end = Date.now() + shrinkMs
  let left = failing
  for (let piece = Math.ceil(left.length / 2); piece >= 1; piece = Math.floor(piece / 2)) {
    for (let start = 0; start < left.length && Date.now() < end; ) {
      const without = [...left.slice(0, start), ...left.slice(start + piece)]
      const failure = without.length === 0 ? undefined : await failureOf(without)
      if (failure === undefined) start += piece
      else left = without.slice(0, failure.at + 1)
    }
  }
  return left
}

for (const seed of seeds) {
  test(`${count} operations of seed ${seed}`, {
    timeout: 60_000 + count * 50 + shrinkMs,
  }, async () => {
    const operations = makeOperations(new Random(seed), count)
    const failure = await failureOf(operations)
    if (failure === undefined) return
    const smallest = await shrunk(operations.slice(0, failure.at + 1))
    const last = await failureOf(smallest)
    expect.fail(
      `PGDATA_SEED=${seed} PGDATA_OPERATIONS=${count} fails at operation ${failure.at}: ${failure.message}\n` +
        `shrunk to ${smallest.length} operations, the last of which:\n` +
        smallest
          .slice(-30)
          .map((operation) => JSON.stringify(operation).slice(0, 500))
          .join('\n') +
        (last === undefined ? '\nwhich do not fail every time' : `\nwith ${last.message}`),
    )
  })
}
