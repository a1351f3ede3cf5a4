// Goal: directories of an older release are read as they are: the control file, the catalogs, and values that
// PostgreSQL 15 compressed with LZ4 (the oracle of release 18 is built without it).
// Method: Debian's PostgreSQL 15 makes a cluster; our command line must print what its own programs print.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const root = join(import.meta.dirname, '..', '..')
const programs = '/usr/lib/postgresql/15/bin'
const isInstalled = existsSync(join(programs, 'initdb'))
if (!isInstalled)
  console.log(`left out: directories of release 15 (no ${programs}; Debian package postgresql-15)`)

const port = 5499
const asOwner =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []

function run(program: string, ...args: string[]): string {
  const [command, ...rest] = [...asOwner, join(programs, program), ...args] as [string, ...string[]]
  // pg_ctl's server would keep an inherited pipe open.
  const stdio = program === 'pg_ctl' ? ('ignore' as const) : undefined
  return execFileSync(command, rest, { encoding: 'utf8', cwd: '/', ...(stdio && { stdio }) })
}

function pgdata(...args: string[]): string {
  const result = spawnSync(
    join(root, 'node_modules', '.bin', 'tsx'),
    ['src-ts/cli/main.ts', ...args],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  )
  expect(result.stderr.replace(/^npm warn.*\n/gm, '')).toBe('')
  expect(result.status).toBe(0)
  return result.stdout
}

describe.runIf(isInstalled)('a directory of release 15', () => {
  const place = temporaryDirectory('release15')
  const directory = join(place, 'data')
  const sql = (...commands: string[]) =>
    execFileSync(
      'psql',
      [
        '-h',
        place,
        '-p',
        `${port}`,
        '-U',
        'postgres',
        '-q',
        ...commands.flatMap((command) => ['-c', command]),
      ],
      { encoding: 'utf8', maxBuffer: 1 << 28 },
    )
  let expected = ''

  beforeAll(() => {
    if (asOwner.length > 0) execFileSync('chown', ['65534', place])
    run('initdb', '-D', directory, '-U', 'postgres', '--no-locale', '-E', 'UTF8')
    const options = `-k ${place} -p ${port} -c listen_addresses='' -c fsync=off`
    run('pg_ctl', '-D', directory, '-l', join(place, 'log'), '-o', options, '-w', 'start')
    sql(
      'create table t (id int primary key, a text compression lz4, b text compression pglz)',
      "insert into t select g, repeat(md5(g::text), g), repeat('é' || g, g * 3) from generate_series(1, 300) g",
      `insert into t select 1000 + g, (select string_agg(md5((g * i)::text), '') from generate_series(1, 800) i)
        || repeat('z', 9000), null from generate_series(1, 20) g`,
    )
    const lz4 = sql(
      "select 'lz4 values: ' || count(*) from t where pg_column_compression(a) = 'lz4'",
    )
    expect(lz4).toMatch(/lz4 values: 2\d\d/)
    expected = sql('copy t to stdout (format csv, header)')
    run('pg_ctl', '-D', directory, '-w', 'stop')
  }, 60_000)

  afterAll(() => {
    spawnSync([...asOwner, join(programs, 'pg_ctl')][0] as string, [
      ...[...asOwner, join(programs, 'pg_ctl')].slice(1),
      ...['-D', directory, '-m', 'immediate', 'stop'],
    ])
  })

  it('gives the bytes of COPY, LZ4 and pglz, inline and out of line', { timeout: 60_000 }, () => {
    expect(pgdata('dump', directory, 't', '--format', 'csv')).toBe(expected)
  })

  it('has its control file printed as pg_controldata prints it', { timeout: 60_000 }, () => {
    expect(pgdata('control', directory)).toBe(run('pg_controldata', directory))
  })
})
