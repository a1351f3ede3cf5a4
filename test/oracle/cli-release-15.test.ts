// The reading commands on a directory of release 15: goal: the same bytes as its own programs print. Method: Debian's
// PostgreSQL 15, where it is installed; its COPY and pg_controldata against ours, running and stopped.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WalLog, type WalRecord } from '../../src-ts/inspect/wal-log.ts'
import { recordLine } from '../../src-ts/inspect/wal-text.ts'
import { pgdata } from '../support/command-line.ts'
import { indexWorkload } from '../support/index-workload.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const programs = '/usr/lib/postgresql/15/bin'
const unprivileged = 65534
const runsAsRoot = process.getuid?.() === 0
const tables = [
  't',
  'lz',
  'pg_class',
  'pg_attribute',
  'pg_type',
  'pg_proc',
  'pg_database',
  'pg_statistic',
]

function run(program: string, ...args: string[]): Buffer {
  const user = runsAsRoot ? { uid: unprivileged, gid: unprivileged } : {}
  const env = { LC_ALL: 'C', PATH: process.env.PATH }
  const result = spawnSync(join(programs, program), args, {
    ...user,
    cwd: '/',
    env,
    maxBuffer: 1 << 28,
  })
  if (result.status !== 0) throw new Error(`${program}: ${result.stdout}${result.stderr}`)
  return result.stdout
}

const isInstalled = existsSync(join(programs, 'postgres'))
if (!isInstalled)
  console.log(`left out: release 15 (no ${programs}; Debian's package postgresql-15)`)

describe.runIf(isInstalled)('release 15', () => {
  const directory = temporaryDirectory('pg15-')
  const sockets = temporaryDirectory('k15-')
  const copies = new Map<string, Buffer>()
  const sql = (text: string) => run('psql', '-h', sockets, '-U', 'postgres', '-qAtXc', text)
  const start = () => {
    const options = `-k ${sockets} -c listen_addresses='' -c timezone=UTC -c fsync=off -c dynamic_shared_memory_type=mmap`
    run('pg_ctl', '-D', directory, '-w', '-l', join(sockets, 'log'), '-o', options, 'start')
  }

  beforeAll(() => {
    if (runsAsRoot) {
      spawnSync('chown', [`${unprivileged}:${unprivileged}`, directory, sockets])
    }
    run(
      'initdb',
      '-D',
      directory,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '-kN',
    )
    start()
    sql(`create table t (a int primary key, b text, n numeric, at timestamptz default '2024-01-01 00:00+00');
         insert into t select i, nullif(repeat(md5(i::text), i % 300), ''), i / 3.0 from generate_series(1, 2000) i;
         alter table t add c text default 'added'; grant select on t to public; delete from t where a % 9 = 0`)
    // LZ4, inline and out of line: the oracle of release 18 is built without it.
    sql(`create table lz (id int, a text compression lz4, b text compression pglz);
         insert into lz select i, repeat(md5(i::text), i), repeat('é' || i, i * 3) from generate_series(1, 300) i;
         insert into lz select 1000 + i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 800) j)
           || repeat('z', 9000), null from generate_series(1, 20) i`)
    const compressed = sql("select count(*) > 200 from lz where pg_column_compression(a) = 'lz4'")
    expect(compressed.toString().trim()).toBe('t')
    sql('analyze')
    for (const table of tables) copies.set(table, sql(`copy ${table} to stdout`))
    sql('checkpoint')
  }, 120_000)
  afterAll(() => {
    if (existsSync(join(directory, 'postmaster.pid')))
      run('pg_ctl', '-D', directory, '-m', 'immediate', 'stop')
  })

  it('dumps what COPY prints, and prints what pg_controldata prints', async () => {
    for (const table of tables) {
      const { stdout, stderr } = await pgdata(['dump', directory, table, '--format', 'copy'])
      expect(stderr).toBe('')
      expect(stdout.equals(copies.get(table) as Buffer), table).toBe(true)
    }
    const running = await pgdata(['control', directory])
    expect(running.stdout.toString()).toBe(run('pg_controldata', directory).toString())
  }, 120_000)

  it('prints the log as pg_waldump does, and refuses what it cannot describe', async () => {
    const statements = Object.values(indexWorkload).flat()
    sql(statements.filter((text) => !text.includes('vacuum')).join(';\n'))
    sql('checkpoint')
    const log = WalLog.open(directory)
    const first = log.begin(log.oldest) as bigint
    const records: WalRecord[] = []
    while (log.state === 'more') records.push(...log.read(true))
    const lsn = (at: bigint) => `${(at >> 32n).toString(16)}/${(at & 0xffffffffn).toString(16)}`
    const end = records.at(-1)?.endLsn as bigint
    const walDirectory = join(directory, 'pg_wal')
    const stock = run('pg_waldump', '-p', walDirectory, '-s', lsn(first), '-e', lsn(end))
    const lines = stock.toString().split('\n').slice(0, -1)
    expect(lines.length).toBe(records.length)
    const different = new Map<string, { ours: string; stock: string | undefined }>()
    let described = 0
    records.forEach((record, i) => {
      const ours = recordLine(record, false, 8192).trimEnd()
      if (record.isDescribed) described++
      // What is not described ends in the block references all the same.
      const [head, tail = ''] = ours.split(/(?=, blkref #0)/)
      const line = lines[i] as string
      const equal = record.isDescribed
        ? line.trimEnd() === ours
        : line.startsWith((head as string).trimEnd()) && line.endsWith(tail)
      const type = `${record.rmgr}/${record.type}`
      if (!equal && !different.has(type)) different.set(type, { ours, stock: line })
    })
    expect(Object.fromEntries(different)).toEqual({})
    expect(described).toBeGreaterThan(20_000)
    const refused = await pgdata(['wal', directory])
    expect(refused.status).toBe(2)
    expect(refused.stderr).toMatch(/cannot describe record \w+\/\w+ of release 15 at .*\nDETAIL/)
    const counted = await pgdata(['wal', directory, '--stats'])
    expect(counted.stdout.toString()).toContain('WAL statistics between')
    expect(counted.status).toBe(0)
  }, 120_000)

  it('verifies the stopped directory', async () => {
    run('pg_ctl', '-D', directory, '-m', 'fast', '-w', 'stop')
    const { stdout, stderr } = await pgdata(['verify', directory])
    expect(`${stdout}${stderr}`).toMatch(/^\d+ blocks of \d+ relations, 0 problems\n$/)
    const stopped = await pgdata(['control', directory])
    expect(stopped.stdout.toString()).toBe(run('pg_controldata', directory).toString())
  }, 60_000)
})
