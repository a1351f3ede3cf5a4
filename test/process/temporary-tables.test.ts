// Temporary tables and deaths.
// Goal: what a killed process had in temporary tables is gone from the disk at once and from the catalogs with the next
// autovacuum, which leaves those of the living alone. Method: a member has one, is left alone for a while, and is killed.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Cluster, type LogRecord } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Member } from './member.ts'

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 4000 && !holds(); i++) await sleep(5)
  expect(holds()).toBe(true)
}

test('a killed process leaves none', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory('temporary-tables')
  const records: LogRecord[] = []
  await using cluster = await Cluster.open(directory, {
    create: true,
    settings: { autovacuum_naptime: '1s' },
    onLog: (record) => records.push(record),
  })
  await using session = await cluster.connect()
  const files = () => readdirSync(join(directory, 'base/5')).filter((name) => name.startsWith('t'))
  const inCatalogs = () => [
    ...session
      .table<{ relname: string; relpersistence: string }>('pg_catalog.pg_class')
      .scan({ where: { relpersistence: 't' } }),
  ]
  const member = await Member.start(directory)
  const schema = await member.run(async ({ session: theirs }) => {
    await theirs.createTable('t', {
      columns: { id: 'int4 primary key', v: 'text' },
      temporary: true,
    })
    const rows = Array.from({ length: 1000 }, (_, id) => ({ id, v: 'x'.repeat(3000) }))
    await theirs.table('t').insertMany(rows)
    return `pg_temp_${theirs.id - 1}`
  }, 0)
  await session.createTable('mine', { columns: { id: 'int4' }, temporary: true })
  expect(files().length).toBeGreaterThan(0)
  // Autovacuum comes by.
  await session.createTable('grown', { columns: { id: 'int4' } })
  await session.table('grown').insertMany(Array.from({ length: 1500 }, (_, id) => ({ id })))
  await until(() => session.tableStatistics('grown').autovacuum_count > 0)
  expect(
    await member.run(async ({ session: theirs }) => [...theirs.table('t').scan()].length, 0),
  ).toBe(1000)
  await member.kill()
  await until(() => files().length === 1)
  await until(() => inCatalogs().length === 1)
  expect(inCatalogs()).toMatchObject([{ relname: 'mine' }])
  const dropping = `autovacuum: dropping orphan temp table "postgres.${schema}.t"`
  await until(() => records.some(({ message }) => message === dropping))
  await session.table('mine').insert({ id: 1 })
})
