// A cluster that Cluster.init made, against one that PostgreSQL's initdb made.
// Goal: nobody can tell them apart: the same directories, the same catalog rows in all three databases, sound by
// PostgreSQL's own checks, and everything an administrator does to a new cluster works on it, also after a crash.
// Method: stock servers on both directories answer the same SQL; the answers are compared.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, type InitOptions } from '../../src-ts/index.ts'
import { amcheck, checkVisibilityMaps, Oracle } from '../support/oracle.ts'
import { temporaryDirectory, temporaryPath } from '../support/temporary-directory.ts'

const databases = ['postgres', 'template1', 'template0']

let ours: Oracle
let theirs: Oracle

async function initOurs(options: InitOptions = {}): Promise<Oracle> {
  const directory = temporaryDirectory('our')
  await Cluster.init(directory, options)
  return Oracle.adopt(directory, options.username)
}

beforeAll(async () => {
  ours = await initOurs()
  theirs = await Oracle.initdb()
})

afterAll(async () => {
  await ours[Symbol.asyncDispose]()
  await theirs[Symbol.asyncDispose]()
})

type CatalogRows = Record<string, string[]>

// Every row of every table of two schemas, sorted, by relation.
async function catalogRows(client: pg.Client): Promise<CatalogRows> {
  const { rows: relations } = await client.query<{ name: string; columns: string[] }>(
    `select format('%I.%I', n.nspname, c.relname) as name,
            array_agg(a.attname::text order by a.attnum) as columns
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid
      where n.nspname in ('pg_catalog', 'information_schema') and c.relkind = 'r'
        and a.attnum > 0 and not a.attisdropped
      group by 1 order by 1`,
  )
  const result: CatalogRows = {}
  for (const { name, columns } of relations) {
    const list = columns.map((column) => `"${column}"`)
    const { rows } = await client.query<{ row: string }>(
      `select row(${list.join(', ')})::text collate "C" as row from ${name} order by 1`,
    )
    result[name] = rows.map(({ row }) => row)
  }
  return result
}

// What our rows have too much or too little, by relation; nothing when they are the same.
function differences(
  got: CatalogRows,
  wanted: CatalogRows,
): Record<string, { missing: string[]; extra: string[] }> {
  const found: Record<string, { missing: string[]; extra: string[] }> = {}
  for (const name of new Set([...Object.keys(got), ...Object.keys(wanted)])) {
    const ourRows = got[name] ?? []
    const theirRows = wanted[name] ?? []
    if (ourRows.join('\n') === theirRows.join('\n')) continue
    const ourSet = new Set(ourRows)
    const theirSet = new Set(theirRows)
    found[name] = {
      missing: theirRows.filter((row) => !ourSet.has(row)),
      extra: ourRows.filter((row) => !theirSet.has(row)),
    }
  }
  return found
}

// template0 takes no connections until told so.
async function allowTemplate0(oracle: Oracle, allow: boolean): Promise<void> {
  const client = await oracle.client()
  await client.query(`alter database template0 allow_connections ${allow}`)
}

// Free space maps are made when they are first needed, state of a running server when it stops.
const optionalFiles = /_fsm$|^pg_logical\/replorigin_checkpoint$|^pg_stat\/pgstat.stat$/

function files(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => !optionalFiles.test(name)).sort()
}

test('both have the same directories and files, for their owner only', () => {
  const names = files(ours.dir)
  const wanted = files(theirs.dir)
  const isDirectory = (oracle: Oracle) => (name: string) =>
    statSync(join(oracle.dir, name)).isDirectory()
  expect(names.filter(isDirectory(ours))).toEqual(wanted.filter(isDirectory(theirs)))
  expect(names).toEqual(wanted)
  for (const name of names) {
    const { mode } = statSync(join(ours.dir, name))
    expect(`${name} ${(mode & 0o777).toString(8)}`).toBe(
      `${name} ${isDirectory(ours)(name) ? '700' : '600'}`,
    )
  }
  for (const name of [
    'PG_VERSION',
    'base/1/PG_VERSION',
    'base/4/PG_VERSION',
    'base/5/PG_VERSION',
  ]) {
    expect(readFileSync(join(ours.dir, name), 'utf8')).toBe('18\n')
  }
})

test('pg_control holds the same constants', async () => {
  const own = new Set([
    'system_identifier',
    'pg_control_last_modified',
    'mock_authentication_nonce',
  ])
  await ours.start({ autovacuum: false })
  await theirs.start({ autovacuum: false })
  const constants = async (oracle: Oracle) => {
    const client = await oracle.client()
    const { rows } = await client.query(
      `select to_jsonb(s) || to_jsonb(i) as control from pg_control_system() s, pg_control_init() i`,
    )
    return Object.entries(rows[0].control).filter(([name]) => !own.has(name))
  }
  expect(await constants(ours)).toEqual(await constants(theirs))
})

test('both have the same relations and catalog rows in all databases', async () => {
  await allowTemplate0(ours, true)
  await allowTemplate0(theirs, true)
  for (const database of databases) {
    const clients = [await ours.client(database), await theirs.client(database)] as const
    const [got, wanted] = (await Promise.all(clients.map(catalogRows))) as [
      CatalogRows,
      CatalogRows,
    ]
    await Promise.all(clients.map((client) => client.end()))
    expect(Object.keys(got).length).toBe(68)
    if (database === 'template0') {
      // initdb vacuums pg_database once more after it has copied template0: counts of pages and transactions.
      const recounted = /^\((1262,pg_database|4177,pg_toast_1262),/
      for (const rows of [got, wanted]) {
        const classes = rows['pg_catalog.pg_class'] as string[]
        rows['pg_catalog.pg_class'] = classes.filter((row) => !recounted.test(row))
      }
    }
    expect({ [database]: differences(got, wanted) }).toEqual({ [database]: {} })
  }
})

test('amcheck and the visibility maps are clean in all databases', async () => {
  for (const database of databases) {
    const client = await ours.client(database)
    expect(await amcheck(client)).toEqual([])
    expect(await checkVisibilityMaps(client)).toEqual([])
    await client.end()
  }
  await allowTemplate0(ours, false)
})

// psql 15 asks for a column that 18 has renamed in some commands; then it says so for both.
test('the describe commands of psql say the same of both', async () => {
  const commands = [
    ...[
      'l+',
      'du+',
      'db+',
      'dn+',
      'dx+',
      'dL+',
      'd',
      'ddp',
      'dconfig',
      'des',
      'det',
      'dew',
      'drds',
      'dp',
    ],
    ...[
      'dt+ *.*',
      'di+ *.*',
      'dv+ *.*',
      'd+ pg_class',
      'd pg_toast.*',
      'df *',
      'dT+ *',
      'do *',
      'dC *',
    ],
    ...[
      'da *',
      'dA+ *',
      'dAc *',
      'dAf *',
      'dO *',
      'dc *',
      'dF+ *',
      'dFp+ *',
      'dFt *',
      'dRp+',
      'dRs+',
      'dy',
    ],
    ...['sf now', 'dd *', 'lo_list', 'dX'],
  ]
  const script = commands.map((command) => `\\echo -- ${command}\n\\${command}`).join('\n')
  const psql = ({ socketDir }: Oracle) =>
    spawnSync('psql', ['-XA', '-h', socketDir, '-U', 'postgres', '-d', 'postgres', '-f', '-'], {
      input: script,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
  const [got, wanted] = [psql(ours), psql(theirs)]
  expect(got.status).toBe(0)
  // Sizes in bytes: initdb leaves dead rows and indexes that grew row by row, we do not. Paths are in settings.
  const sections = (text: string) =>
    text
      .replaceAll(/\/tmp\/[^|\n]*/g, 'path')
      .replaceAll(/\b\d+ (bytes|kB|MB)\b/g, 'size')
      .split(/^-- /m)
  expect(sections(got.stdout)).toEqual(sections(wanted.stdout))
  expect(got.stderr).toBe(wanted.stderr)
  expect(got.stdout.length).toBeGreaterThan(300_000)
  await theirs.stop()
})

test('an administrator can do everything to it', async () => {
  const client = await ours.client()
  await client.query('create extension amcheck')
  await client.query('create extension pageinspect')
  await client.query('create database copied_files strategy file_copy template template1')
  await client.query('create database copied_pages strategy wal_log template template0')
  await client.query('create role somebody login')
  await client.query(
    'create table made (id int primary key generated always as identity, word text)',
  )
  await client.query("insert into made (word) select 'word ' || n from generate_series(1, 1000) n")
  await client.query('create view seen as select word from made where id < 10')
  await client.query('analyze')
  const { rows } = await client.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class
      where relkind = 'r' and relnamespace = 'pg_catalog'::regnamespace order by oid`,
  )
  expect(rows.length).toBe(64)
  for (const { name } of rows) await client.query(`vacuum full ${name}`)
  await client.query('vacuum freeze')
  await client.query('reindex system postgres')
  expect((await client.query('select count(*)::int as n from seen')).rows).toEqual([{ n: 9 }])
  for (const database of ['postgres', 'copied_files', 'copied_pages']) {
    const one = await ours.client(database)
    expect(await amcheck(one)).toEqual([])
    expect(await checkVisibilityMaps(one)).toEqual([])
  }
})

test('after a crash right after writing, stock recovers', async () => {
  const client = await ours.client()
  await client.query('checkpoint')
  await client.query("insert into made (word) select 'more ' || n from generate_series(1, 1000) n")
  await client.query('create table last_made as select * from made')
  await ours.kill9()
  await ours.start()
  expect(ours.log()).toContain('redo done at')
  const again = await ours.client()
  const { rows } = await again.query(
    'select (select count(*)::int from made) as made, (select count(*)::int from last_made) as last',
  )
  expect(rows).toEqual([{ made: 2000, last: 2000 }])
  expect(await amcheck(again)).toEqual([])
  await ours.stop()
})

test('we open what all that made of it', async () => {
  await using cluster = await Cluster.open(ours.dir)
  await using session = await cluster.connect()
  expect(session.table('made').get(7)).toEqual({ id: 7, word: 'word 7' })
  expect(
    [...session.table('pg_catalog.pg_database').scan()].map(({ datname }) => datname).sort(),
  ).toEqual(['copied_files', 'copied_pages', 'postgres', 'template0', 'template1'])
})

test('options of init are those of initdb', { timeout: 120_000 }, async () => {
  const options: { ours: InitOptions; theirs: string[] }[] = [
    {
      ours: { username: 'owner', walSegmentSize: 1024 * 1024, dataChecksums: false },
      theirs: ['--username=owner', '--wal-segsize=1', '--no-data-checksums'],
    },
    {
      ours: { localeProvider: 'libc', locale: 'C', encoding: 'SQL_ASCII' },
      theirs: ['--locale-provider=libc', '--locale=C', '--encoding=SQL_ASCII'],
    },
    { ours: { locale: 'C' }, theirs: ['--locale=C', '--builtin-locale=C'] },
  ]
  for (const { ours: given, theirs: args } of options) {
    await using got = await initOurs(given)
    await using wanted = await Oracle.initdb({ args, user: given.username ?? 'postgres' })
    await got.start({ autovacuum: false })
    await wanted.start({ autovacuum: false })
    const [gotClient, wantedClient] = [await got.client(), await wanted.client()]
    const found = differences(await catalogRows(gotClient), await catalogRows(wantedClient))
    // What initdb's ANALYZE counted: the superuser's name, the locale. It only guides the planner.
    delete found['pg_catalog.pg_statistic']
    // A note in the information schema: initdb looks up a collation of the database's name, we have its default.
    if (given.locale === 'C') delete found['information_schema.sql_implementation_info']
    expect(found).toEqual({})
    const settings = 'select name, setting from pg_settings where name = any($1) order by name'
    const names = [
      ['data_checksums', 'wal_segment_size', 'server_encoding', 'block_size', 'lc_collate'],
    ]
    expect((await gotClient.query(settings, names)).rows).toEqual(
      (await wantedClient.query(settings, names)).rows,
    )
    await gotClient.query('create table one (id int primary key)')
    await gotClient.query('insert into one values (1)')
    await got.kill9()
    await got.start()
    expect(await amcheck(await got.client())).toEqual([])
    await got.stop()
    await using cluster = await Cluster.open(got.dir)
    await using session = await cluster.connect()
    expect(session.table('one').get(1)).toEqual({ id: 1 })
  }
})

test('blocks of 16 kB are ours alone', async () => {
  const oracle = await initOurs({ blockSize: 16384 })
  {
    await using cluster = await Cluster.open(oracle.dir)
    await using session = await cluster.connect()
    expect([...session.table('pg_catalog.pg_class').scan()].length).toBeGreaterThan(400)
  }
  await expect(oracle.start()).rejects.toThrow('database files are incompatible with server')
  await oracle[Symbol.asyncDispose]()
})

test('what init is refused leaves the directory as it was', async () => {
  const full = temporaryDirectory('full')
  writeFileSync(join(full, 'mine'), 'kept')
  await expect(Cluster.init(full)).rejects.toMatchObject({ code: '58P02' })
  expect(readdirSync(full)).toEqual(['mine'])
  const path = temporaryPath('none')
  const refused: [InitOptions, string][] = [
    [{ blockSize: 3000 }, '22023'],
    [{ walSegmentSize: 3 * 1024 * 1024 }, '22023'],
    [{ username: 'pg_mine' }, '42939'],
    [{ username: '' }, '42602'],
    [{ locale: 'de_DE' }, '22023'],
    [{ encoding: 'SQL_ASCII' }, '22023'],
    [{ encoding: 'LATIN1' as 'UTF8' }, '0A000'],
  ]
  for (const [options, code] of refused) {
    await expect(Cluster.init(path, options)).rejects.toMatchObject({ code })
    await expect(Cluster.open(path)).rejects.toMatchObject({ code: '58P01' })
  }
})
