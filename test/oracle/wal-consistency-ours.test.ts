// Our log, with an image of every page that a record changes, replayed by stock PostgreSQL.
// Goal: stock's replay of our records gives the very pages that we wrote them from. Method: wal_consistency_checking
// makes stock compare each page after each record and stop at the first difference; a child process makes random
// changes and kills itself, stock recovers a copy of its directory, again and again on the same cluster.
import { spawn } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const isFull = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? (isFull ? Math.floor(Math.random() * 2 ** 31) : 18))
const rounds = isFull ? 12 : 2
const recordsPerRound = isFull ? 90_000 : 6000
const recordsWanted = isFull ? 1_000_000 : 10_000

interface Written {
  records: number
  tables: Record<string, { rows: number; digest: string }>
}

let directory: string
const covered = new Map<string, { records: number; images: number }>()

beforeAll(async () => {
  console.log(`wal-consistency-ours: PGDATA_SEED=${seed}`)
  directory = temporaryDirectory('wcours')
  await Cluster.init(directory)
})

afterAll(() => {
  console.table(Object.fromEntries([...covered].sort(([a], [b]) => (a < b ? -1 : 1))))
})

async function write(target: string, round: number): Promise<Written> {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'consistency-writer.ts')
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', script, target, String(seed + round), String(recordsPerRound)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (piece: string) => {
    output += piece
  })
  const signal = await new Promise((resolve) => child.on('close', (_, name) => resolve(name)))
  expect(signal).toBe('SIGKILL')
  return JSON.parse(output) as Written
}

// Adds what was replayed, by record type; returns the number of records that had images to compare.
async function countReplayed(client: pg.Client, log: string): Promise<number> {
  const start = /redo starts at ([0-9A-F/]+)/.exec(log)?.[1]
  const end = /redo done at ([0-9A-F/]+)/.exec(log)?.[1]
  await client.query('create extension pg_walinspect')
  const { rows } = await client.query<{ type: string; records: number; images: number }>(
    `select resource_manager || '/' || record_type as type, count(*)::int as records,
            count(*) filter (where fpi_length > 0)::int as images
       from pg_get_wal_records_info($1, $2) group by 1`,
    [start, end],
  )
  await client.query('drop extension pg_walinspect')
  let compared = 0
  for (const { type, records, images } of rows) {
    const sum = covered.get(type) ?? { records: 0, images: 0 }
    covered.set(type, { records: sum.records + records, images: sum.images + images })
    compared += images
  }
  return compared
}

test('stock replays our log without an inconsistent page', {
  timeout: isFull ? 3_600_000 : 120_000,
}, async () => {
  let compared = 0
  for (let round = 0; round < rounds; round++) {
    const written = await write(directory, round)
    const copy = temporaryDirectory('wccopy')
    cpSync(directory, copy, { recursive: true })
    rmSync(directory, { recursive: true })
    const oracle = Oracle.adopt(copy)
    await oracle.start(
      {
        wal_level: 'replica',
        max_prepared_transactions: 4,
        max_wal_size: '64GB',
        wal_keep_size: '64GB',
        shared_buffers: '256MB',
      },
      { timeoutMs: 1_200_000 },
    )
    expect(oracle.log()).toContain('redo done at')
    expect(oracle.log()).not.toContain('inconsistent page')
    const client = await oracle.client()
    for (const [name, { rows, digest }] of Object.entries(written.tables)) {
      const found = await client.query(
        `select count(*)::int as rows,
                md5(coalesce(string_agg(concat_ws('|', id, coalesce(k::text, ''), t, v) || E'\n', '' order by id), ''))
                  as digest
           from ${name}`,
      )
      expect(found.rows[0]).toEqual({ rows, digest })
    }
    compared += await countReplayed(client, oracle.log())
    expect(await amcheck(client)).toEqual([])
    expect(await checkVisibilityMaps(client)).toEqual([])
    await oracle.stop()
    directory = copy
  }
  console.log(`wal-consistency-ours: ${compared} records with images compared`)
  expect(compared).toBeGreaterThan(recordsWanted)
  expect(covered.get('Heap/HEAP_CONFIRM')?.images).toBeGreaterThan(0)
})
