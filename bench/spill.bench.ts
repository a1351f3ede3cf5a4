// How much longer do a sort and a hash join take that need ten times work_mem?
//
// Predicted: up to twice as long as in memory. A row that is written to a file and read again is copied twice more, by the
// system as well, and runs are merged; the comparisons stay the same. Stock writes and reads the same bytes. The event loop
// has its turn every few milliseconds, also while 256 MB are sorted.
//
// All have the same rows. Ours are sorted and joined within 256 MB, then within a tenth of what that took; stock within the
// same settings, without parallel workers; DuckDB, where bench/peers is installed, with one thread, without a limit and
// within four times the smaller amount, of which it wants some for itself. In turn; the median of three rounds, wall time.
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Cluster, type Query } from 'pgdata'
import { Oracle } from '../test/support/oracle.ts'
import { temporaryDirectory } from '../test/support/temporary-directory.ts'

const rows = 500_000
const rounds = 3
const large = 256 * 1024
const textOf = (id: number) => createHash('md5').update(String(id)).digest('hex')

const sorted: Query = { from: 'a', columns: ['id'], orderBy: ['t'] }
const joined: Query = {
  from: 'a',
  join: [{ table: 'b', on: { 'b.id': 'a.id' } }],
  aggregates: { n: { count: '*' }, most: { max: 'b.t' } },
}
// The answer is the last row's first value, in all of them.
const inSql = {
  sort: 'select last(id) from (select id from a order by t) s',
  join: 'select count(*), max(b.t) from a join b on b.id = a.id',
}

interface Engine {
  name: string
  run: (what: 'sort' | 'join', isSmall: boolean) => Promise<unknown>
}

const directory = temporaryDirectory('spill')
const oracle = await Oracle.initdb()
const cluster = await Cluster.open(directory, { create: true, settings: { fsync: false } })
const session = await cluster.connect()
await oracle.start({ autovacuum: 'off', fsync: 'off', shared_buffers: '256MB' })
const client = await oracle.client()
for (const table of ['a', 'b']) {
  await session.createTable(table, { columns: { id: 'int4 not null', t: 'text not null' } })
  await session
    .table(table)
    .insertMany(Array.from({ length: rows }, (_, id) => ({ id, t: textOf(id) })))
  await session.vacuum(table)
  await client.query(`create table ${table} (id int4 not null, t text not null)`)
  await client.query(
    `insert into ${table} select i, md5(i::text) from generate_series(0, ${rows - 1}) i`,
  )
  await client.query(`vacuum analyze ${table}`)
}
await client.query('set max_parallel_workers_per_gather = 0')
await client.query('set enable_mergejoin = off')
await client.query('set hash_mem_multiplier = 1')
session.set('hash_mem_multiplier', 1)

// What each takes when it has all the memory it wants, in kilobytes.
async function needed(query: Query): Promise<number> {
  session.set('work_mem', `${large}kB`)
  const text = await session.query(query).explain({ analyze: true })
  const used = [...text.matchAll(/(?:Memory Usage|Memory): (\d+)kB/g)].map(([, kB]) => Number(kB))
  if (/Disk/.test(text)) throw new Error(`it does not fit into ${large} kB:\n${text}`)
  return Math.max(...used)
}
const small = {
  sort: Math.floor((await needed(sorted)) / 10),
  join: Math.floor((await needed(joined)) / 10),
}
console.log(`work_mem: ${large} kB; a tenth: ${small.sort} kB to sort, ${small.join} kB to join`)

const delay = monitorEventLoopDelay({ resolution: 1 })
const engines: Engine[] = [
  {
    name: 'pgdata',
    async run(what, isSmall) {
      session.set('work_mem', `${isSmall ? small[what] : large}kB`)
      const cursor = session
        .query<Record<string, unknown>>(what === 'sort' ? sorted : joined)
        [Symbol.asyncIterator]()
      let last: Record<string, unknown> = {}
      for (let batch = await cursor.nextBatch(); batch.length > 0; batch = await cursor.nextBatch())
        last = batch.at(-1) as Record<string, unknown>
      return Object.values(last)[0]
    },
  },
  {
    name: 'stock',
    async run(what, isSmall) {
      await client.query(`set work_mem = '${isSmall ? small[what] : large}kB'`)
      const text = what === 'sort' ? inSql.sort.replace('last(id)', 'max(id)') : inSql.join
      // The order of the inner query is not asked for by max: OFFSET keeps it.
      const { rows: answers } = await client.query(text.replace('by t)', 'by t offset 0)'))
      return what === 'sort' ? undefined : Number(answers[0].count)
    },
  },
]

// What DuckDB offers of itself, as far as it is used.
interface Duckdb {
  connect(): Promise<{
    run(sql: string): Promise<unknown>
    runAndReadAll(sql: string): Promise<{ getRowsJS(): unknown[][] }>
  }>
}

async function addDuckdb(): Promise<void> {
  const require = createRequire(new URL('./peers/package.json', import.meta.url))
  let api: { DuckDBInstance: { create(path: string, options: object): Promise<Duckdb> } }
  try {
    api = require('@duckdb/node-api')
  } catch {
    console.log('DuckDB is not installed (bench/README.md)')
    return
  }
  const instance = await api.DuckDBInstance.create(`${directory}.duckdb`, { threads: '1' })
  const duckdb = await instance.connect()
  for (const table of ['a', 'b'])
    await duckdb.run(
      `create table ${table} as select i::int4 as id, md5(i::varchar) as t from range(${rows}) r(i)`,
    )
  engines.push({
    name: 'DuckDB',
    async run(what, isSmall) {
      await duckdb.run(
        isSmall ? `set memory_limit = '${4 * small[what]}KiB'` : "set memory_limit = '4GiB'",
      )
      const answer = (await duckdb.runAndReadAll(inSql[what])).getRowsJS()
      return Number(answer[0]?.[0])
    },
  })
}
await addDuckdb()

let lastSorted = 0
for (let id = 1, most = textOf(0); id < rows; id++) {
  const text = textOf(id)
  if (text > most) {
    most = text
    lastSorted = id
  }
}
const median = (times: number[]) =>
  times.sort((x, y) => x - y)[Math.floor(times.length / 2)] as number
for (const what of ['sort', 'join'] as const) {
  const expected = what === 'sort' ? lastSorted : rows
  const times = new Map<string, number[]>()
  const blocked: number[] = []
  for (let round = 0; round < rounds; round++)
    for (const { name, run } of engines)
      for (const isSmall of [false, true]) {
        const key = `${name}${isSmall ? ' small' : ''}`
        if (name === 'pgdata') delay.enable()
        const begun = performance.now()
        let answer: unknown
        try {
          answer = await run(what, isSmall)
        } catch (error) {
          console.log(`${key}: ${what} failed: ${error instanceof Error ? error.message : error}`)
          continue
        }
        const taken = performance.now() - begun
        if (name === 'pgdata') {
          delay.disable()
          blocked.push(delay.max / 1e6)
          delay.reset()
        }
        if (answer !== undefined && answer !== expected)
          throw new Error(`${key}: ${what} answered ${answer}, not ${expected}`)
        times.set(key, [...(times.get(key) ?? []), taken])
      }
  const ours = median(times.get('pgdata') as number[])
  const parts = engines.flatMap(({ name }) => {
    const [fits, spills] = [times.get(name), times.get(`${name} small`)]
    if (fits === undefined) return []
    const inMemory = `${name} in memory ${median(fits).toFixed(0)} ms (${(median(fits) / ours).toFixed(2)} of our time)`
    if (spills === undefined) return [`${inMemory}, within a tenth of it not at all`]
    return `${inMemory}, within a tenth of it ${(median(spills) / median(fits)).toFixed(2)} of that`
  })
  console.log(`${what} of ${rows} rows: ${parts.join(' | ')}`)
  console.log(`  longest delay of the event loop: ${Math.max(...blocked).toFixed(1)} ms`)
}
await client.end()
await oracle.stop()
await cluster.close()
rmSync(directory, { recursive: true, force: true })
