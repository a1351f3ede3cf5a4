// workload: what is measured of each database, and how its answers are checked.
import { type Account, account, accounts, balanceOf, type Distribution, keys } from './accounts.ts'
import type { Database, Transfer } from './peer.ts'

export interface Context {
  db: Database
  rows: number
  /** Of this database, from 0: what it writes is different each time. */
  sequence: number
  warmUpMs: number
  measureMs: number
}

export interface Workload {
  name: string
  title: string
  unit: string
  better: 'more' | 'less'
  /** Classes of durability are told apart. */
  writes: boolean
  needs: keyof Database
  /** Also measured with other numbers of rows, up to this one. */
  rowsMax?: number
  /** Also measured with a cache of a tenth of the data, in a process that is limited in memory. */
  isLimitedToo?: boolean
  run(context: Context): Promise<number>
}

function check(what: string, answer: number, expected: number): void {
  if (answer !== expected) throw new Error(`${what}: answered ${answer}, not ${expected}`)
}

/** Repeats `body` for a while and then for the time that counts; answers with units per second. */
async function perSecond(
  { warmUpMs, measureMs }: Context,
  units: number,
  body: (turn: number) => unknown,
): Promise<number> {
  let turn = 0
  const during = async (ms: number) => {
    const first = turn
    const start = performance.now()
    let elapsed = 0
    while (elapsed < ms) {
      const answer = body(turn++)
      if (answer instanceof Promise) await answer
      elapsed = performance.now() - start
    }
    return ((turn - first) * units * 1000) / elapsed
  }
  await during(warmUpMs)
  globalThis.gc?.()
  return during(measureMs)
}

/** Milliseconds of one run, after one that warms up. */
async function milliseconds(body: () => unknown, warmUps = 1): Promise<number> {
  for (let i = 0; i < warmUps; i++) await body()
  globalThis.gc?.()
  const start = performance.now()
  await body()
  return performance.now() - start
}

// Fewer rows than any of the databases has in a page.
const keysApart = 30
const readAllMaxMs = 5000

/** Reads every page once, so that a workload does not measure how they come into the cache; slow databases get through some. */
async function readAll({ db, rows }: Context): Promise<void> {
  const start = performance.now()
  for (let key = 1; key <= rows && performance.now() - start < readAllMaxMs; ) {
    const some: number[] = []
    for (; some.length < 200 && key <= rows; key += keysApart) some.push(key)
    await db.lookups(some)
  }
}

interface Batch {
  keys: number[]
  expected: number
}

function batches(all: readonly number[], size: number): Batch[] {
  const made: Batch[] = []
  for (let i = 0; i + size <= all.length; i += size) {
    const some = all.slice(i, i + size)
    made.push({ keys: some, expected: some.reduce((sum, key) => sum + balanceOf(key), 0) })
  }
  return made
}

const keysDrawn = 1_000_000

/** Distinct keys in random order. */
export function drawnKeys(rows: number, sequence: number): number[] {
  return [...new Set(keys(200_000, rows, sequence + 1))]
}

export function lookups(distribution: Distribution) {
  return async (context: Context) => {
    const drawn = batches(keys(keysDrawn, context.rows, context.sequence + 1, distribution), 200)
    await readAll(context)
    return perSecond(context, 200, (turn) => {
      const batch = drawn[turn % drawn.length] as Batch
      return checked('balances', context.db.lookups(batch.keys), batch.expected)
    })
  }
}

/** Checks an answer that may be there at once. */
function checked(what: string, answer: number | Promise<number>, expected: number): unknown {
  if (answer instanceof Promise) return answer.then((value) => check(what, value, expected))
  return check(what, answer, expected)
}

/** Commits new rows batch by batch, then looks all of them up. */
async function commits(
  context: Context,
  size: number,
  commit: (rows: Account[]) => unknown,
): Promise<number> {
  const first = 100_000_000 + context.sequence * 4_000_000
  let made = 0
  const rate = await perSecond(context, size, () => {
    const rows = accounts(first + made, size)
    made += size
    return commit(rows)
  })
  const ids = Array.from({ length: made }, (_, i) => first + i)
  const expected = ids.reduce((sum, id) => sum + balanceOf(id), 0)
  check('balances of what was committed', await context.db.lookups(ids), expected)
  return rate
}

async function updates(
  context: Context,
  update: (drawn: number[], balance: number) => unknown,
): Promise<number> {
  const together = Math.min(1000, context.rows / 10)
  // Distinct keys, so that a set-based statement and one by row change as many.
  const drawn = drawnKeys(context.rows, context.sequence)
  const turns = Math.floor(drawn.length / together)
  const balance = context.sequence + 0.25
  let made = 0
  const rate = await perSecond(context, together, (turn) => {
    made = Math.max(made, Math.min(turn + 1, turns))
    const at = (turn % turns) * together
    return update(drawn.slice(at, at + together), balance)
  })
  const changed = drawn.slice(0, made * together)
  check('balances of what was updated', await context.db.lookups(changed), changed.length * balance)
  return rate
}

export function transfersOf(context: Context, count: number, turn: number): Transfer[] {
  const drawn = keys(2 * count, context.rows, context.sequence * 100_003 + turn)
  const made: Transfer[] = []
  for (let i = 0; i < count; i++) {
    const from = drawn[2 * i] as number
    const to = drawn[2 * i + 1] as number
    made.push({ from, to: to === from ? (from % context.rows) + 1 : to, amount: 1 + (i % 7) / 4 })
  }
  return made
}

async function total(db: Database): Promise<number> {
  const answer = await (db.sum ?? db.stream)?.()
  if (answer === undefined) throw new Error('cannot add up its balances')
  return answer
}

function expectedSum(rows: number): number {
  let sum = 0
  for (let id = 1; id <= rows; id++) sum += balanceOf(id)
  return sum
}

const rangeSize = 100

export const workloads: Workload[] = [
  {
    name: 'lookup',
    isLimitedToo: true,
    title: 'lookup by key, uniformly random',
    unit: 'rows/s',
    better: 'more',
    writes: false,
    needs: 'lookups',
    rowsMax: 10_000_000,
    run: lookups('uniform'),
  },
  {
    name: 'lookup-zipfian',
    title: 'lookup by key, Zipfian',
    unit: 'rows/s',
    better: 'more',
    writes: false,
    needs: 'lookups',
    run: lookups('zipfian'),
  },
  {
    name: 'get-many',
    title: 'lookup of 100 random keys at a time',
    unit: 'rows/s',
    better: 'more',
    writes: false,
    needs: 'lookupsMany',
    rowsMax: 10_000_000,
    run: async (context) => {
      const drawn = batches(keys(keysDrawn, context.rows, context.sequence + 1), 1000)
      await readAll(context)
      return perSecond(context, 1000, (turn) => {
        const batch = drawn[turn % drawn.length] as Batch
        return checked(
          'balances',
          (context.db.lookupsMany as NonNullable<Database['lookupsMany']>)(batch.keys, 100),
          batch.expected,
        )
      })
    },
  },
  {
    name: 'range',
    title: 'range of 100 rows by key',
    unit: 'ranges/s',
    better: 'more',
    writes: false,
    needs: 'ranges',
    rowsMax: 10_000_000,
    run: async (context) => {
      await readAll(context)
      const size = 20
      const last = context.rows - rangeSize
      const starts = keys(20_000, last, context.sequence + 1)
      return perSecond(context, size, (turn) => {
        const at = (turn * size) % starts.length
        const some = starts.slice(at, at + size)
        const expected = some.reduce(
          (sum, start) => sum + start * rangeSize + (rangeSize * (rangeSize - 1)) / 2,
          0,
        )
        const ranges = context.db.ranges as NonNullable<Database['ranges']>
        return checked('ids', ranges(some, rangeSize), expected)
      })
    },
  },
  ...(['stream', 'keep'] as const).map(
    (method): Workload => ({
      name: `scan-${method}`,
      isLimitedToo: method === 'stream',
      title: method === 'stream' ? 'full scan, rows streamed' : 'full scan, all rows kept',
      unit: 'rows/s',
      better: 'more',
      writes: false,
      needs: method,
      rowsMax: 1_000_000,
      async run({ db, rows }) {
        const expected = expectedSum(rows)
        const scan = db[method] as NonNullable<Database['stream']>
        const ms = await milliseconds(async () => check('balances', await scan(), expected))
        return (rows * 1000) / ms
      },
    }),
  ),
  ...(['count', 'sum'] as const).map(
    (method): Workload => ({
      name: method,
      title: method === 'count' ? 'count(*)' : 'count(*) and sum(balance)',
      unit: 'ms',
      better: 'less',
      writes: false,
      needs: method,
      rowsMax: 10_000_000,
      run: ({ db, rows }) => {
        const expected = method === 'count' ? rows : expectedSum(rows)
        const ask = db[method] as NonNullable<Database['sum']>
        return milliseconds(async () => check(method, await ask(), expected), 2)
      },
    }),
  ),
  {
    name: 'commit',
    title: 'commits of one row, one after the other',
    unit: 'commits/s',
    better: 'more',
    writes: true,
    needs: 'commits',
    run: (context) =>
      commits(context, 16, (rows) =>
        (context.db.commits as NonNullable<Database['commits']>)(rows),
      ),
  },
  {
    name: 'commit-awaited',
    title: 'the same, each awaited',
    unit: 'commits/s',
    better: 'more',
    writes: true,
    needs: 'commitsAwaited',
    run: (context) => commits(context, 16, (rows) => context.db.commitsAwaited?.(rows)),
  },
  {
    name: 'commit-64',
    title: 'commits of one row, 64 in flight',
    unit: 'commits/s',
    better: 'more',
    writes: true,
    needs: 'commitsInFlight',
    rowsMax: 10_000_000,
    run: (context) => commits(context, 1024, (rows) => context.db.commitsInFlight?.(rows, 64)),
  },
  {
    name: 'commit-collected',
    title: 'one row each for 64 requests, put into one transaction by the application',
    unit: 'rows/s',
    better: 'more',
    writes: true,
    needs: 'commitsCollected',
    run: (context) => commits(context, 1024, (rows) => context.db.commitsCollected?.(rows, 64)),
  },
  {
    name: 'update',
    isLimitedToo: true,
    title: 'update by random key, row by row, 1,000 per transaction',
    unit: 'rows/s',
    better: 'more',
    writes: true,
    needs: 'updates',
    rowsMax: 10_000_000,
    run: (context) =>
      updates(context, (drawn, balance) => context.db.updates?.(drawn, balance, drawn.length)),
  },
  {
    name: 'update-set',
    title: 'update by random key, 1,000 in one statement',
    unit: 'rows/s',
    better: 'more',
    writes: true,
    needs: 'updatesBySet',
    run: (context) =>
      updates(context, (drawn, balance) => context.db.updatesBySet?.(drawn, balance, drawn.length)),
  },
  {
    name: 'transfer',
    title: 'transfers between two accounts, 16 in flight',
    unit: 'transfers/s',
    better: 'more',
    writes: true,
    needs: 'transfers',
    async run(context) {
      const before = await total(context.db)
      const rate = await perSecond(context, 64, (turn) =>
        context.db.transfers?.(transfersOf(context, 64, turn), 16),
      )
      check('sum after transfers', await total(context.db), before)
      return rate
    },
  },
]

/** The rows of a load, made before the clock runs: `rowsMax` of them at a time. */
export async function load(db: Database, rows: number, rowsMax = 1_000_000): Promise<number> {
  await db.create()
  let ms = 0
  for (let first = 1; first <= rows; first += rowsMax) {
    const some = accounts(first, Math.min(rowsMax, rows - first + 1))
    globalThis.gc?.()
    const start = performance.now()
    await db.load(some)
    ms += performance.now() - start
  }
  check('sum of what was loaded', await total(db), expectedSum(rows))
  check('last row', await db.lookups([rows]), account(rows).balance)
  return (rows * 1000) / ms
}
