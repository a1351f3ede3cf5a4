// Archiving of the log.
// Goal: every segment reaches the archive, in order, once, and none is lost before it did; a base copy and the archive
// make the cluster anew. Method: small segments; commands that work, and that fail; stock PostgreSQL recovers with
// restore_command.
import { chmodSync, cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Cluster, type PgError } from '../../src-ts/index.ts'
import { archiveCommand } from '../../src-ts/process/archiver.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Row {
  id: number
  body: string
}

const small = { min_wal_size: '2MB', max_wal_size: '4MB' }
const create = { walSegmentSize: 1024 ** 2 }

async function until(condition: () => boolean, seconds = 20): Promise<void> {
  for (let i = 0; i < seconds * 20 && !condition(); i++) await sleep(50)
  expect(condition()).toBe(true)
}

async function fill(cluster: Cluster, from: number, rows: number): Promise<void> {
  await using session = await cluster.connect()
  const table = session.table<Row>('t')
  for (let id = from; id < from + rows; id += 500) {
    await table.insertMany(
      Array.from({ length: 500 }, (_, i) => ({ id: id + i, body: `${id}`.repeat(50) })),
    )
  }
}

const statuses = (directory: string) => readdirSync(join(directory, 'pg_wal', 'archive_status'))
const segments = (directory: string) =>
  readdirSync(directory).filter((name) => /^[0-9A-F]{24}$/.test(name))

describe('the archiver', () => {
  test('gives stock PostgreSQL all it needs to recover a base copy to the end', {
    timeout: 120_000,
  }, async () => {
    const directory = temporaryDirectory()
    const archive = temporaryDirectory('archive')
    const base = temporaryDirectory('base')
    chmodSync(archive, 0o755)
    const settings = {
      ...small,
      archive_mode: 'on',
      archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f && chmod 644 ${archive}/%f`,
    }
    const notices: PgError[] = []
    const options = { settings, onNotice: (notice: PgError) => notices.push(notice) }
    {
      await using cluster = await Cluster.open(directory, { create, ...options })
      await using session = await cluster.connect()
      await session.createTable('t', { columns: { id: 'int8 primary key', body: 'text' } })
    }
    cpSync(directory, base, { recursive: true })
    {
      await using cluster = await Cluster.open(directory, options)
      await fill(cluster, 0, 10_000)
      await cluster.checkpoint()
      await fill(cluster, 10_000, 10_000)
      await until(() => segments(archive).length > 5)
      // A file is there a moment before it is counted.
      await until(() => (cluster.clusterStatistics()?.archiver.archived_count ?? 0) > 5)
      const { archiver } = cluster.clusterStatistics() ?? {}
      expect(archiver?.archived_count).toBeGreaterThan(5)
      expect(archiver?.failed_count).toBe(0)
      expect(archiver?.last_archived_wal).toMatch(/^[0-9A-F]{24}$/)
      expect(archiver?.last_archived_time).toBeInstanceOf(Date)
    }
    expect(notices).toEqual([])
    expect(statuses(directory).filter((name) => name.endsWith('.ready'))).toEqual([])
    const archived = segments(archive).map((name) => Number.parseInt(name.slice(16), 16))
    const first = archived[0] as number
    expect(archived).toEqual(archived.map((_, i) => first + i))

    for (const name of segments(join(base, 'pg_wal'))) rmSync(join(base, 'pg_wal', name))
    writeFileSync(join(base, 'recovery.signal'), '')
    const oracle = Oracle.adopt(base)
    await oracle.start({
      restore_command: `cp ${archive}/%f %p`,
      recovery_target_timeline: 'latest',
    })
    const client = await oracle.client('postgres')
    for (let i = 0; i < 200; i++) {
      const { rows } = await client.query('select pg_is_in_recovery() as recovering')
      if (!rows[0].recovering) break
      await sleep(50)
    }
    const { rows } = await client.query('select count(*)::int, sum(id)::int from t')
    expect(rows[0]).toEqual({ count: 20_000, sum: (19_999 * 20_000) / 2 })
    await client.end()
    await oracle.stop()
  })

  test('keeps segments until a command that fails works again, and tells', {
    timeout: 60_000,
  }, async () => {
    const directory = temporaryDirectory()
    const archive = temporaryDirectory('archive')
    const flag = join(archive, 'works')
    const settings = {
      ...small,
      archive_mode: 'on',
      archive_command: `test -f ${flag} || { echo "no room" >&2; exit 7; }; cp %p ${archive}/%f`,
    }
    const notices: PgError[] = []
    const options = { settings, onNotice: (notice: PgError) => notices.push(notice) }
    {
      await using cluster = await Cluster.open(directory, { create, ...options })
      await using session = await cluster.connect()
      await session.createTable('t', { columns: { id: 'int8 primary key', body: 'text' } })
      const before = segments(join(directory, 'pg_wal'))[0]
      await fill(cluster, 0, 10_000)
      await cluster.checkpoint()
      await fill(cluster, 10_000, 5000)
      await cluster.checkpoint()
      expect(segments(join(directory, 'pg_wal'))[0]).toBe(before)
      await until(() => notices.length > 0)
      expect(notices[0]?.message).toBe('archive command failed with exit code 7')
      expect(notices[0]?.detail).toContain('no room')
      expect(cluster.clusterStatistics()?.archiver.failed_count).toBeGreaterThan(0)
    }
    expect(notices.some(({ message }) => message.includes('failed too many times'))).toBe(true)
    const waiting = statuses(directory).filter((name) => name.endsWith('.ready'))
    expect(waiting.length).toBeGreaterThan(3)
    expect(segments(archive)).toEqual([])
    writeFileSync(flag, '')
    {
      await using cluster = await Cluster.open(directory, options)
      expect(cluster.clusterStatistics()?.archiver.failed_count).toBeGreaterThan(0)
    }
    for (const name of waiting) expect(existsSync(join(archive, name.slice(0, -6)))).toBe(true)
    expect(statuses(directory).filter((name) => name.endsWith('.ready'))).toEqual([])
  })

  test('gets a segment after archive_timeout, but none of an idle cluster', {
    timeout: 60_000,
  }, async () => {
    const archive = temporaryDirectory('archive')
    await using cluster = await Cluster.open(temporaryDirectory(), {
      create,
      settings: { archive_mode: 'on', archive_command: `cp %p ${archive}/%f`, archive_timeout: 1 },
    })
    await using session = await cluster.connect()
    await session.createTable('t', { columns: { id: 'int8 primary key', body: 'text' } })
    await until(() => segments(archive).length > 0)
    await sleep(3500)
    const idle = segments(archive).length
    await sleep(2500)
    expect(segments(archive).length).toBe(idle)
    await session.transaction((tx) => tx.insert(session.table<Row>('t'), { id: 1, body: '' }))
    await until(() => segments(archive).length > idle)
  })

  test('is given its command with names filled in', () => {
    expect(archiveCommand('cp "%p" /a/%f # 100%%', '0A')).toBe('cp "pg_wal/0A" /a/0A # 100%')
  })
})
