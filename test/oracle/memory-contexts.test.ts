// Memory contexts beside stock PostgreSQL's.
// Goal: what reads pg_backend_memory_contexts and what pg_log_backend_memory_contexts writes reads ours. Method: the columns
// of the view with their types, the numbering of its rows, and the lines of the log, with stock and here.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster, type MemoryContextInfo } from '../../src-ts/index.ts'
import { memoryContextLines } from '../../src-ts/memory/context-rows.ts'
import { topMemoryContext } from '../../src-ts/memory/top-memory.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// Numbers of rows: 1, 2, …; each path ends in its row's and leads through rows before it.
function expectNumbered(rows: readonly Pick<MemoryContextInfo, 'path' | 'level'>[]): void {
  rows.forEach(({ path, level }, i) => {
    expect(path.at(-1)).toBe(i + 1)
    expect(level).toBe(path.length)
    if (level > 1) expect(rows[(path.at(-2) as number) - 1]?.path).toEqual(path.slice(0, -1))
  })
}

// A line without its numbers and names.
const kindOf = (line: string) => line.replace(/; [^:]+: (?=\d)/, '; NAME: ').replace(/\d+/g, 'N')

test('the same columns, numbers and lines', { timeout: 120_000 }, async () => {
  await using oracle = await Oracle.initdb()
  await oracle.start({ logging_collector: 'on', log_filename: 'server.log' })
  const client = await oracle.client('postgres')
  const { rows: stock, fields } = await client.query<MemoryContextInfo>(
    `select name, ident, type, level, path, total_bytes::float8, total_nblocks::float8, free_bytes::float8,
       free_chunks::float8, used_bytes::float8 from pg_backend_memory_contexts`,
  )
  const all = await client.query('select * from pg_backend_memory_contexts limit 0')
  expect(fields.map(({ name }) => name)).toEqual(all.fields.map(({ name }) => name))
  await client.query('select pg_log_backend_memory_contexts(pg_backend_pid())')
  const log = () => readFileSync(join(oracle.dir, 'log', 'server.log'), 'utf8')
  for (let i = 0; i < 600 && !log().includes('Grand total'); i++) await sleep(50)
  const stockLines = log()
    .split('\n')
    .map((line) => / LOG: {2}((?:level: |Grand total).*)/.exec(line)?.[1])
    .filter((line) => line !== undefined)
  await client.end()

  await using cluster = await Cluster.open(temporaryDirectory('memory-contexts'), {
    create: true,
    settings: { fsync: false },
  })
  await using _session = await cluster.connect()
  const ours = cluster.memoryContexts()
  const typesOf = (row: object) => Object.entries(row).map(([key, value]) => [key, typeof value])
  expect(typesOf(ours[0] as object)).toEqual(typesOf(stock[0] as object))
  expectNumbered(stock)
  expectNumbered(ours)
  for (const { total_bytes, free_bytes, used_bytes } of [...stock, ...ours])
    expect(used_bytes).toBe(total_bytes - free_bytes)
  for (const name of ['TopMemoryContext', 'CacheMemoryContext', 'TopPortalContext']) {
    expect(stock.find((row) => row.name === name)?.type).toBe('AllocSet')
    expect(ours.find((row) => row.name === name)?.type).toBe('AllocSet')
  }
  const kinds = new Set(stockLines.map(kindOf))
  const ourLines = memoryContextLines(topMemoryContext)
  expect(kinds.has('Grand total: N bytes in N blocks; N free (N chunks); N used')).toBe(true)
  for (const line of ourLines.filter((one) => !one.includes('SessionContext')))
    expect(kinds).toContain(kindOf(line))
  expect(ourLines[0]).toMatch(/^level: 1; TopMemoryContext: /)
  expect(stockLines[0]).toMatch(/^level: 1; TopMemoryContext: /)
})
