// VACUUM FULL, CLUSTER and REINDEX of system catalogs, against PostgreSQL.
// Goal: catalogs that were written anew, those of the relation map included, are sound for stock, which goes on with them;
// all sessions go on too; after a crash at any moment the catalogs are whole. Method: bloated catalogs rewritten by us; stock
// opens the directory, closed or crashed, checks and rewrites all again; each write and sync of the end fails in turn.
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { binding } from '../../src-ts/binding/addon.ts'
import type { FaultRule } from '../../src-ts/binding/native.ts'
import { Cluster, type Session } from '../../src-ts/index.ts'
import { pgdata } from '../support/command-line.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { memoryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const quiet = { autovacuum: false, checkpoint_timeout: '1h', max_wal_size: '10GB' }
const full = process.env.PGDATA_TEST_FULL === '1'
const columns = { id: 'int4 primary key', t: 'text' }

function copyOf(directory: string): string {
  const copy = temporaryDirectory('copy')
  cpSync(directory, copy, { recursive: true })
  rmSync(join(copy, 'postmaster.pid'), { force: true })
  return copy
}

// Tables that were made, changed and dropped, so that catalogs have dead rows.
async function bloat(session: Session): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await session.createTable(`public.t${i}`, { columns })
    await session.table(`public.t${i}`).insert({ id: i, t: 'x'.repeat(i) })
  }
  for (let i = 0; i < 30; i += 2) await session.dropTable(`public.t${i}`)
}

const odd = (count: number) => Array.from({ length: count / 2 }, (_, i) => `t${2 * i + 1}`).sort()

// Table names; each is read through all that the rewritten catalogs say of it.
function tablesOf(session: Session): string[] {
  const names = [...session.table<{ relname: string }>('pg_catalog.pg_class').scan()]
    .map(({ relname }) => relname)
    .filter((name) => /^t\d+$/.test(name))
    .sort()
  for (const name of names) {
    const id = Number(name.slice(1))
    expect(session.table(`public.${name}`).get(id)).toMatchObject({ id })
  }
  return names
}

interface CatalogFile {
  name: string
  isIndex: boolean
  file: number
}

async function catalogFiles(client: pg.Client): Promise<CatalogFile[]> {
  const { rows } = await client.query<CatalogFile>(
    `select relname as name, relkind = 'i' as "isIndex", pg_relation_filenode(oid)::int8::int as file
       from pg_class where oid < 12000 and relkind in ('r', 'i', 't') order by oid`,
  )
  return rows
}

async function expectSound(client: pg.Client): Promise<void> {
  expect(await amcheck(client)).toEqual([])
  expect(await checkVisibilityMaps(client)).toEqual([])
}

async function expectGoodForStock(
  directory: string,
  names: readonly string[],
): Promise<CatalogFile[]> {
  await using check = Oracle.adopt(directory)
  await check.start(quiet)
  let files: CatalogFile[] = []
  for (const database of ['postgres', 'template1']) {
    const client = await check.client(database)
    await expectSound(client)
    if (database === 'template1') continue
    files = await catalogFiles(client)
    const { rows } = await client.query<{ relname: string }>(
      'select relname from pg_class where relname ~ \'^t[0-9]+$\' order by relname collate "C"',
    )
    expect(rows.map(({ relname }) => relname)).toEqual(names)
    for (const name of names)
      expect((await client.query(`select id from ${name}`)).rows).toEqual([
        { id: Number(name.slice(1)) },
      ])
    await client.query('reindex system')
    await client.query('vacuum full')
    await client.query('create table by_stock (id int primary key, t text)')
    await client.query('drop table by_stock')
    await expectSound(client)
  }
  await check.stop()
  await using again = await Cluster.open(directory)
  await using reader = await again.connect()
  expect(tablesOf(reader)).toEqual(names)
  return files
}

describe('catalogs written anew', { timeout: 300_000 }, () => {
  const commands: Record<
    string,
    { run: (session: Session) => Promise<unknown>; isNew: (file: CatalogFile) => boolean }
  > = {
    'VACUUM FULL of the database': {
      run: (session) => session.vacuum({ full: true }),
      isNew: () => true,
    },
    'REINDEX SYSTEM': {
      run: (session) => session.reindex({ system: true }),
      isNew: ({ isIndex }) => isIndex,
    },
    'CLUSTER of pg_class, pg_attribute, pg_index and pg_depend': {
      run: async (session) => {
        await session.cluster('pg_catalog.pg_class', 'pg_class_oid_index')
        await session.cluster('pg_catalog.pg_attribute', 'pg_attribute_relid_attnam_index')
        await session.cluster('pg_catalog.pg_index', 'pg_index_indrelid_index')
        await session.cluster('pg_catalog.pg_depend', 'pg_depend_reference_index')
      },
      isNew: ({ name }) =>
        /^pg_(class|attribute|index|depend)(_.*_index)?$|^pg_toast_2610/.test(name),
    },
  }
  for (const [name, { run, isNew }] of Object.entries(commands)) {
    test(`${name} is sound, closed and crashed`, async () => {
      const dir = temporaryDirectory('catalogs')
      const cluster = await Cluster.open(dir, { create: true })
      const session = await cluster.connect()
      const other = await cluster.connect({ database: 'template1' })
      await bloat(session)
      await cluster.checkpoint()
      const before = await (async () => {
        await using check = Oracle.adopt(copyOf(dir))
        await check.start(quiet)
        const files = await catalogFiles(await check.client())
        await check.stop()
        return files
      })()
      await run(session)
      // Every session goes on with the new files.
      await session.createTable('public.t31', { columns })
      await session.table('public.t31').insert({ id: 31, t: 'new' })
      expect(tablesOf(session)).toEqual([...odd(30), 't31'].sort())
      await using third = await cluster.connect()
      await third.dropTable('public.t1')
      await other.createTable('public.elsewhere', { columns })
      await other.dropTable('public.elsewhere')
      await session.vacuum()
      const names = [...odd(30), 't31'].filter((table) => table !== 't1').sort()
      const crashed = copyOf(dir)
      await third.close()
      await other.close()
      await session.createDatabase('d')
      await session.close()
      await cluster.close()
      {
        // Recovered by us first.
        await using reopened = await Cluster.open(copyOf(crashed))
        await using reader = await reopened.connect()
        expect(tablesOf(reader)).toEqual(names)
        await reader.reindex({ system: true })
        expect(tablesOf(reader)).toEqual(names)
      }
      for (const directory of [dir, crashed]) {
        const files = await expectGoodForStock(directory, names)
        const changed = files.filter(({ file }, i) => file !== before[i]?.file)
        expect(changed.map(({ name }) => name)).toEqual(files.filter(isNew).map(({ name }) => name))
      }
    })
  }

  test('one catalog, index or schema at a time', async () => {
    const dir = temporaryDirectory('catalogs')
    {
      await using cluster = await Cluster.open(dir, { create: true })
      await using session = await cluster.connect()
      await bloat(session)
      const [report] = await session.vacuum('pg_catalog.pg_attribute', { full: true })
      expect(report?.remainingPages).toBeLessThan(report?.pages as number)
      await session.vacuum('pg_catalog.pg_database', { full: true })
      expect(await session.reindex({ index: 'pg_catalog.pg_class_oid_index' })).toEqual([
        'pg_class_oid_index',
      ])
      expect(await session.reindex({ table: 'pg_catalog.pg_proc' })).toEqual([
        'pg_toast_1255_index',
        'pg_proc_proname_args_nsp_index',
        'pg_proc_oid_index',
      ])
      const all = await session.reindex({ system: true })
      expect(await session.reindex({ schema: 'pg_catalog' })).toEqual(all)
      expect(all.slice(0, 3).sort()).toEqual([
        'pg_class_oid_index',
        'pg_class_relname_nsp_index',
        'pg_class_tblspc_relfilenode_index',
      ])
      const own = await session.reindex({ database: true })
      expect(own.filter((name) => /^t\d+_pkey$/.test(name)).sort()).toEqual(
        odd(30)
          .map((name) => `${name}_pkey`)
          .sort(),
      )
      expect(own.filter((name) => all.includes(name))).toEqual([])
      expect(tablesOf(session)).toEqual(odd(30))
    }
    const printed = await pgdata(['reindex', dir, '--system'])
    expect({ stderr: printed.stderr, status: printed.status }).toEqual({ stderr: '', status: 0 })
    expect(printed.stdout.toString().split('\n')).toContain('pg_authid_oid_index')
    await expectGoodForStock(dir, odd(30))
  })

  test('waits for whoever defines something, who waits for it', async () => {
    await using cluster = await Cluster.open(temporaryDirectory('catalogs'), { create: true })
    await using session = await cluster.connect()
    await using other = await cluster.connect()
    await bloat(session)
    const done: string[] = []
    let rewriting: Promise<unknown> | undefined
    await other.transaction(async (tx) => {
      await tx.createTable('public.t100', { columns })
      rewriting = session
        .vacuum('pg_catalog.pg_class', { full: true })
        .then(() => done.push('full'))
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(done).toEqual([])
      await tx.insert(other.table('public.t100'), { id: 100 })
    })
    await using third = await cluster.connect()
    const defining = third.createTable('public.t101', { columns }).then(() => done.push('table'))
    await Promise.all([rewriting, defining])
    expect(done).toHaveLength(2)
    await third.table('public.t101').insert({ id: 101 })
    expect(tablesOf(session)).toEqual([...odd(30), 't100', 't101'].sort())
    // All at once.
    const parallel = [
      session.reindex({ system: true }),
      other.vacuum({ full: true }),
      (async () => {
        for (let i = 200; i < 230; i++) {
          await third.createTable(`public.t${i}`, { columns })
          await third.table(`public.t${i}`).insert({ id: i })
        }
      })(),
    ]
    await Promise.all(parallel)
    expect(tablesOf(other)).toHaveLength(15 + 2 + 30)
  })

  test('refuses what cannot be rolled back or prepared, and what stock refuses', async () => {
    await using cluster = await Cluster.open(temporaryDirectory('catalogs'), {
      create: true,
      settings: { max_prepared_transactions: 2 },
    })
    await using session = await cluster.connect()
    await bloat(session)
    await expect(
      session.transaction(() => session.reindex({ table: 'pg_catalog.pg_class' })),
    ).rejects.toMatchObject({
      code: '25001',
      message: 'cannot change relation mapping within subtransaction',
    })
    await expect(
      session.cluster('pg_catalog.pg_database', 'pg_database_oid_index'),
    ).rejects.toMatchObject({ code: '0A000', message: 'cannot cluster a shared catalog' })
    await expect(
      session.transaction(() => session.reindex({ system: true })),
    ).rejects.toMatchObject({ code: '25001' })
    // One of which pg_class knows the file is part of its transaction.
    await expect(
      session.transaction(async () => {
        await session.reindex({ table: 'pg_catalog.pg_index' })
        await session.createTable('public.gone', { columns })
        throw new Error('on purpose')
      }),
    ).rejects.toThrow('on purpose')
    await session.prepareTransaction('p', () => session.reindex({ table: 'pg_catalog.pg_depend' }))
    await cluster.commitPrepared('p')
    expect(tablesOf(session)).toEqual(odd(30))
    await session.createTable('public.t33', { columns })
  })

  test('is whole after a crash at each write of the end', async () => {
    const prepared = memoryDirectory('catalogs')
    {
      await using cluster = await Cluster.open(prepared, { create: true })
      await using session = await cluster.connect()
      await bloat(session)
    }
    const rules: FaultRule[] = []
    for (const kind of ['create', 'write', 'sync', 'rename'] as const)
      rules.push({ fault: 'io_error', kinds: [kind], path: 'pg_filenode.map' })
    for (let skip = 0; skip < (full ? 12 : 4); skip++)
      rules.push({ fault: 'io_error', kinds: ['write', 'sync'], path: '/pg_wal/', skip })
    // Of a catalog that is not in the map, such as pg_index, it is the new files that can fail.
    for (let skip = 0; skip < (full ? 3 : 0); skip++)
      rules.push({ fault: 'io_error', kinds: ['write'], path: '/base/', skip })
    const targets = ['pg_catalog.pg_class', 'pg_catalog.pg_database', 'pg_catalog.pg_index']
    for (const target of targets.slice(0, full ? targets.length : 1)) {
      const outcomes = { failed: 0, done: 0 }
      for (const [i, rule] of rules.entries()) {
        const directory = memoryDirectory('run')
        cpSync(prepared, directory, { recursive: true })
        const disk = new binding.Disk()
        const cluster = await Cluster.open(directory, { disk })
        const session = await cluster.connect()
        tablesOf(session)
        disk.fail(rule)
        const isDone = await session.vacuum(target, { full: true }).then(
          () => true,
          () => false,
        )
        outcomes[isDone ? 'done' : 'failed']++
        await cluster.close().catch(() => undefined)
        if (i % 5 === 3) {
          await expectGoodForStock(directory, odd(30))
          continue
        }
        await using reopened = await Cluster.open(directory)
        await using reader = await reopened.connect()
        expect(tablesOf(reader)).toEqual(odd(30))
        await reader.createTable('public.t99', { columns })
        await reader.vacuum(target, { full: true })
      }
      expect(outcomes.failed).toBeGreaterThan(4)
    }
  })
})
