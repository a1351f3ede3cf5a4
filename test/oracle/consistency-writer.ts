// A process for wal-consistency-ours.test.ts: opens the cluster whose directory is its first argument with images of
// all changed pages in the log, makes random changes from a seed until it has logged so many records, prints what
// is committed, and kills itself.
import { createHash } from 'node:crypto'
import { Cluster, type Session, type Table, type Transaction } from '../../src-ts/index.ts'
import { Random } from './types-inputs.ts'

const [directory, seedText, recordsText] = process.argv.slice(2) as [string, string, string]
const random = new Random(Number(seedText))
const recordsWanted = Number(recordsText)

interface Row {
  id: number
  // Few values: leaves deduplicate, posting lists split.
  k: number | null
  // Long values: the index has several levels.
  t: string
  v: string
}

const names = ['one', 'two', 'three'] as const
type Model = Map<number, Row>

const cluster = await Cluster.open(directory, {
  settings: {
    wal_consistency_checking: 'all',
    shared_buffers: '16MB',
    // What happens in between would shorten what is replayed.
    max_wal_size: '64GB',
    checkpoint_timeout: 86_400,
    max_prepared_transactions: 4,
    fsync: false,
  },
})
const session = await cluster.connect()
// Shares row locks with the first one, so that there are multixacts.
const other = await cluster.connect()
const third = await cluster.connect()
const models = new Map<string, Model>()

async function prepare(name: string): Promise<void> {
  const made = await session.createTable(name, {
    columns: { id: 'int4 primary key', k: 'int4', t: 'text', v: 'text' },
    ifNotExists: true,
  })
  if (made) {
    await session.createIndex(name, { name: `${name}_k`, columns: ['k'] })
    await session.createIndex(name, { name: `${name}_t`, columns: ['t', 'id'] })
  }
  const rows = [...session.table<Row>(name).scan()]
  models.set(name, new Map(rows.map((row) => [row.id, row])))
}

function longText(): string {
  const length = random.pick([0, 5, 40, 40, 40, 300, 900])
  return random
    .int(0, 100_000)
    .toString(36)
    .padEnd(length, random.pick(['x', 'yz', 'same ']))
}

function value(): string {
  if (random.chance(0.98)) return 'v'.repeat(random.int(0, 120))
  // Out of line: compressed, or as it is.
  if (random.chance(0.5)) return 'compressible '.repeat(random.int(3000, 9000))
  let text = ''
  const length = random.int(2500, 20_000)
  while (text.length < length) text += random.int(0, 2 ** 31).toString(36)
  return text
}

function row(id: number): Row {
  return { id, k: random.chance(0.1) ? null : random.int(0, 12), t: longText(), v: value() }
}

function freeId(model: Model): number {
  for (;;) {
    const id = random.int(0, 50_000_000)
    if (!model.has(id)) return id
  }
}

function anyId(model: Model): number | undefined {
  if (model.size === 0) return undefined
  let left = random.int(0, Math.min(model.size - 1, 200))
  for (const id of model.keys()) if (left-- === 0) return id
  return undefined
}

const rolledBack = new Error('rolled back on purpose')

type Change = () => void

// Changes rows in a transaction or savepoint; what it did is added to `changes`, for when it commits.
async function changeRows(
  tx: Transaction,
  table: Table<Row>,
  model: Model,
  touched: Set<number>,
  changes: Change[],
  depth: number,
): Promise<void> {
  for (let steps = random.int(1, depth === 0 ? 60 : 10); steps > 0; steps--) {
    if (depth < 4 && random.chance(0.04)) {
      const inner: Change[] = []
      try {
        await tx.savepoint(async (savepoint) => {
          await changeRows(savepoint, table, model, touched, inner, depth + 1)
          if (random.chance(0.3)) throw rolledBack
        })
        changes.push(...inner)
      } catch (error) {
        if (error !== rolledBack) throw error
      }
      continue
    }
    const kind = random.next()
    const id = kind < 0.45 ? freeId(model) : anyId(model)
    if (id === undefined || touched.has(id)) continue
    touched.add(id)
    if (kind < 0.45) {
      const fresh = row(id)
      tx.insert(table, fresh)
      changes.push(() => model.set(id, fresh))
      continue
    }
    const old = model.get(id) as Row
    if (kind < 0.6) {
      if (!(await tx.delete(table, id))) throw new Error(`no row ${id} to delete`)
      changes.push(() => model.delete(id))
      continue
    }
    // The first needs no new index entries: a heap-only update where there is room.
    let update: Partial<Row> = { v: value() }
    if (kind > 0.85) update = { k: random.int(0, 12) }
    if (kind > 0.95) update = row(id)
    if (!(await tx.update(table, id, update))) throw new Error(`no row ${id} to update`)
    // Moved to the end, so that the same rows are not changed for ever.
    changes.push(() => {
      model.delete(id)
      model.set(id, { ...old, ...update, id })
    })
  }
}

// One transaction of many changes to one table; what it did is in the model only when it committed.
async function change(table: Table<Row>, model: Model): Promise<void> {
  const changes: Change[] = []
  try {
    await session.transaction(async (tx) => {
      await changeRows(tx, table, model, new Set(), changes, 0)
      if (random.chance(0.1)) throw rolledBack
    })
    for (const apply of changes) apply()
  } catch (error) {
    if (error !== rolledBack) throw error
  }
}

async function insertMany(table: Table<Row>, model: Model): Promise<void> {
  const rows = new Map<number, Row>()
  const ascending = random.chance(0.5) ? freeId(model) : undefined
  for (let i = random.int(1, Math.min(1500, recordsWanted / 40)); i > 0; i--) {
    const id = ascending === undefined ? freeId(model) : ascending + i
    if (!model.has(id)) rows.set(id, row(id))
  }
  await table.insertMany(rows.values())
  for (const [id, one] of rows) model.set(id, one)
}

async function changeSchema(): Promise<void> {
  const name = `passing_${random.int(0, 1e9)}`
  await session.createTable(name, { columns: { id: 'int8 primary key', word: 'text' } })
  const table = session.table<{ id: number; word: string }>(name)
  const count = random.int(0, Math.min(3000, recordsWanted / 20))
  await table.insertMany(
    Array.from({ length: count }, (_, id) => ({ id, word: `word ${random.int(0, 40)}` })),
  )
  await session.createIndex(name, { name: `${name}_word`, columns: ['word'], include: ['id'] })
  if (random.chance(0.3)) await session.truncate(name)
  await session.dropTable(name)
}

// Two transactions lock the same rows, and one of them changes some that the other holds; then one is prepared.
async function share(name: string, model: Model): Promise<void> {
  const ids = new Set<number>()
  for (let i = 0; i < 20; i++) ids.add(anyId(model) ?? -1)
  ids.delete(-1)
  const table = session.table<Row>(name)
  const updated = new Map<number, Row>()
  await session.transaction(async (tx) => {
    for (const id of ids) await tx.get(table, id, { lock: 'for key share' })
    await other.transaction(async (theirs) => {
      const same = other.table<Row>(name)
      for (const id of ids) {
        await theirs.get(same, id, { lock: random.pick(['for key share', 'for share'] as const) })
        if (!random.chance(0.3)) continue
        const change = { v: value() }
        await theirs.update(same, id, change)
        updated.set(id, { ...(model.get(id) as Row), ...change })
      }
    })
  })
  for (const [id, one] of updated) model.set(id, one)
}

async function twoPhase(name: string, model: Model): Promise<void> {
  const table = session.table<Row>(name)
  const fresh = Array.from({ length: 5 }, () => row(freeId(model)))
  const commits = random.chance(0.5)
  await session.prepareTransaction('one', async (tx) => {
    await tx.insert(table, ...fresh)
  })
  if (commits) {
    await cluster.commitPrepared('one')
    for (const one of fresh) model.set(one.id, one)
  } else {
    await cluster.rollbackPrepared('one')
  }
}

// Inserts rows, some of which are there, or updates those.
async function upsert(table: Table<Row>, model: Model): Promise<void> {
  const rows = new Map<number, Row>()
  for (let i = random.int(1, 30); i > 0; i--) {
    const id = random.chance(0.5) ? freeId(model) : (anyId(model) ?? freeId(model))
    rows.set(id, row(id))
  }
  await table.insertMany(rows.values(), {
    onConflict: { columns: ['id'], update: { v: { excluded: 'v' }, k: { excluded: 'k' } } },
  })
  for (const [id, one] of rows) {
    const old = model.get(id)
    model.delete(id)
    model.set(id, old === undefined ? one : { ...old, v: one.v, k: one.k })
  }
}

// A row is in the heap, and its first index entry waits for another transaction, when its second key is taken: the
// insertion is taken back, and the row updated that has the key.
async function takeBack(): Promise<void> {
  const name = `taken_${random.int(0, 1e9)}`
  await session.createTable(name, {
    columns: { id: 'int4 primary key', u: 'int4 unique', v: 'text' },
  })
  let inserted: Promise<boolean> | undefined
  const [own, others] = [session.table(name), other.table(name)]
  await other
    .transaction(async (theirs) => {
      theirs.insert(others, { id: 1, u: 1, v: '' })
      inserted = own.insert(
        { id: 1, u: 2, v: value() },
        { onConflict: { columns: ['u'], update: { v: { excluded: 'v' } } } },
      )
      while (!cluster.locks().some((lock) => lock.session === session.id && !lock.granted))
        await new Promise((resolve) => setImmediate(resolve))
      await third.table(name).insert({ id: 2, u: 2, v: '' })
      throw rolledBack
    })
    .catch((error) => {
      if (error !== rolledBack) throw error
    })
  await inserted
  if ([...own.scan()].length !== 1) throw new Error('the insertion was not taken back')
  await session.dropTable(name)
}

async function keepUp(current: Session, name: string): Promise<void> {
  const kind = random.next()
  if (kind < 0.7) await current.vacuum(name, { freeze: random.chance(0.2), indexCleanup: 'on' })
  else if (kind < 0.8) await current.vacuum(name, { full: true })
  else if (kind < 0.9) await current.cluster(name, `${name}_k`)
  else await current.reindex({ table: name })
}

async function step(current: Session): Promise<void> {
  const name = random.pick(names)
  const table = current.table<Row>(name)
  const model = models.get(name) as Model
  const kind = random.next()
  if (kind < 0.88) await change(table, model)
  else if (kind < 0.9) await share(name, model)
  else if (kind < 0.91) await twoPhase(name, model)
  else if (kind < 0.925) await keepUp(current, name)
  else if (kind < 0.94) await upsert(table, model)
  else if (kind < 0.945) await takeBack()
  else if (kind < 0.98) await insertMany(table, model)
  else if (kind < 0.998 || model.size < 20_000) await changeSchema()
  else {
    await current.truncate(name)
    model.clear()
  }
}

for (const name of names) await prepare(name)
await cluster.checkpoint()
const before = cluster.statistics().wal_records as number
const logged = () => (cluster.statistics().wal_records as number) - before
await takeBack()
while (logged() < recordsWanted) await step(session)

function digest(model: Model): string {
  const hash = createHash('md5')
  for (const { id, k, t, v } of [...model.values()].sort((a, b) => a.id - b.id))
    hash.update(`${id}|${k ?? ''}|${t}|${v}\n`)
  return hash.digest('hex')
}
const tables = Object.fromEntries(
  [...models].map(([name, model]) => [name, { rows: model.size, digest: digest(model) }]),
)
process.stdout.write(JSON.stringify({ records: logged(), tables }), () =>
  process.kill(process.pid, 'SIGKILL'),
)
await new Promise(() => setTimeout(() => undefined, 60_000))
