// Sorting with little memory: building indexes within maintenance_work_mem.
// Goal: an index that had to be sorted on disk is the same one, and sound for stock; the files are named, limited, counted and
// told as PostgreSQL does, and gone afterwards, whatever became of it. Method: the same table indexed with much and with little
// memory; the directory of temporary files looked at; stock on the same directory, with the same limits.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Cluster, type LogRecord, type Session } from '../../src-ts/index.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// So many that building takes more than one step, however quick the machine.
const rowCount = 60_000
const little = '64kB'

interface Item {
  id: number
  k: number | null
  name: string
}

// In no order of k or name; a tenth without k, names that only differ after their first eight bytes.
function itemOf(id: number): Item {
  const scattered = (id * 7919) % rowCount
  return { id, k: id % 10 === 0 ? null : scattered % 3000, name: `the item number ${scattered}` }
}

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let directory: string
let cluster: Cluster
let session: Session
const logged: LogRecord[] = []

function temporaryFiles(): string[] {
  try {
    return readdirSync(join(directory, 'base', 'pgsql_tmp'))
  } catch {
    return []
  }
}

/** Files and bytes since the last call. */
let counted = { files: 0, bytes: 0 }
function newFiles(): { files: number; bytes: number } {
  const row = cluster.databaseStatistics().find(({ datname }) => datname === 'postgres')
  const now = { files: row?.temp_files ?? 0, bytes: row?.temp_bytes ?? 0 }
  const since = { files: now.files - counted.files, bytes: now.bytes - counted.bytes }
  counted = now
  return since
}

beforeAll(async () => {
  directory = temporaryDirectory('temporary-files')
  cluster = await Cluster.open(directory, {
    create: true,
    settings: { autovacuum: false },
    onLog: (record) => logged.push(record),
  })
  session = await cluster.connect()
  await session.createTable('items', {
    columns: { id: 'int4 not null', k: 'int4', name: 'text' },
    primaryKey: ['id'],
  })
  await session
    .table<Item>('items')
    .insertMany(Array.from({ length: rowCount }, (_, id) => itemOf(id)))
})

afterAll(async () => {
  await cluster?.close()
})

/** Makes an index with so much memory, and drops it; what is told of its temporary files. */
async function build(
  memory: string,
  options: { columns: string[]; unique?: boolean },
  then?: () => void,
): Promise<{ files: number; bytes: number }> {
  newFiles()
  await session.set('maintenance_work_mem', memory)
  try {
    await session.createIndex('items', { name: 'built', ...options })
  } finally {
    await session.reset('maintenance_work_mem')
  }
  then?.()
  expect(temporaryFiles()).toEqual([])
  await session.dropIndex('built')
  return newFiles()
}

const byId = (a: Item, b: Item) => a.id - b.id
const rows = Array.from({ length: rowCount }, (_, id) => itemOf(id))

describe('an index that is sorted on disk', () => {
  test('has every row, in order', async () => {
    const range = () => [...session.table<Item>('items').range({ index: 'built' })]
    const byK = (a: Item, b: Item) =>
      (a.k ?? Number.POSITIVE_INFINITY) - (b.k ?? Number.POSITIVE_INFINITY) || byId(a, b)
    for (const memory of ['64MB', little]) {
      const ofK = await build(memory, { columns: ['k', 'id'] }, () => {
        const got = range()
        expect(got).toEqual([...rows].sort((a, b) => (a.k === b.k ? byId(a, b) : byK(a, b))))
      })
      const ofName = await build(memory, { columns: ['name'], unique: true }, () =>
        expect(range().map(({ name }) => name)).toEqual(rows.map(({ name }) => name).sort()),
      )
      for (const { files, bytes } of [ofK, ofName]) {
        expect(files).toBe(memory === little ? 1 : 0)
        // 16 bytes and more of each tuple.
        expect(bytes > 16 * rowCount).toBe(memory === little)
      }
    }
  })

  test('finds that it cannot be unique, and says of which key', async () => {
    newFiles()
    await session.set('maintenance_work_mem', little)
    const error = {
      code: '23505',
      message: 'could not create unique index "built"',
      detail: expect.stringMatching(/^Key \(k\)=\(\d+\) is duplicated\.$/),
      constraint: 'built',
    }
    const options = { name: 'built', columns: ['k'], unique: true }
    await expect(session.createIndex('items', options)).rejects.toMatchObject(error)
    await session.reset('maintenance_work_mem')
    expect(temporaryFiles()).toEqual([])
    expect(newFiles().files).toBe(1)
  })

  test('can be canceled while it has files', async () => {
    await session.set('maintenance_work_mem', little)
    const controller = new AbortController()
    let hadFiles = false
    const reindexed = session.reindex({ table: 'items' }, { signal: controller.signal })
    const ended = reindexed.catch((error) => error)
    for (let turns = 0; !hadFiles && turns < 100_000; turns++) {
      hadFiles = temporaryFiles().length > 0
      await nextTurn()
    }
    controller.abort()
    expect(await ended).toMatchObject({ code: '57014' })
    expect(hadFiles).toBe(true)
    expect(temporaryFiles()).toEqual([])
    await session.reindex({ table: 'items' })
    await session.reset('maintenance_work_mem')
    expect(temporaryFiles()).toEqual([])
  })

  test('ends at temp_file_limit', async () => {
    await session.set('maintenance_work_mem', little)
    await session.set('temp_file_limit', '200kB')
    await expect(
      session.createIndex('items', { name: 'built', columns: ['name'] }),
    ).rejects.toMatchObject({
      code: '53400',
      message: 'temporary file size exceeds "temp_file_limit" (200kB)',
    })
    expect(temporaryFiles()).toEqual([])
    await session.resetAll()
  })
})

test('files are told to the server log from log_temp_files on', async () => {
  const told = () =>
    logged.flatMap(({ message }) => (message.startsWith('temporary file') ? [message] : []))
  await session.set('log_temp_files', 0)
  const first = await build(little, { columns: ['k'] })
  await session.set('log_temp_files', '1GB')
  await build(little, { columns: ['k'] })
  await session.set('log_temp_files', 0)
  const last = await build(little, { columns: ['k', 'id'] })
  await session.resetAll()
  const lineOf = ({ bytes }: { bytes: number }) =>
    expect.stringMatching(
      new RegExp(
        `^temporary file: path "base/pgsql_tmp/pgsql_tmp${process.pid}\\.\\d+", size ${bytes}$`,
      ),
    )
  await vi.waitFor(() => expect(told()).toEqual([lineOf(first), lineOf(last)]), 10_000)
})

test('stock finds the indexes sound, and has the same words', async () => {
  await session.set('maintenance_work_mem', little)
  await session.createIndex('items', { name: 'items_k', columns: ['k'] })
  await session.createIndex('items', { name: 'items_name', columns: ['name'], unique: true })
  await session.reindex({ table: 'items' })
  expect(newFiles().files).toBeGreaterThan(3)
  await cluster.close()
  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  const client = await oracle.client('postgres')
  expect(await amcheck(client)).toEqual([])
  const told: string[] = []
  client.on('notice', ({ message }) => told.push(message ?? ''))
  await client.query("set work_mem = '64kB'; set log_temp_files = 0; set client_min_messages = log")
  await client.query("select name from items order by name || '' offset 19999")
  expect(told).toEqual([
    expect.stringMatching(/^temporary file: path "base\/pgsql_tmp\/pgsql_tmp\d+\.\d+", size \d+$/),
  ])
  await client.query("set temp_file_limit = '200kB'")
  await expect(
    client.query("select name from items order by name || '' offset 19999"),
  ).rejects.toMatchObject({
    code: '53400',
    message: 'temporary file size exceeds "temp_file_limit" (200kB)',
  })
})
