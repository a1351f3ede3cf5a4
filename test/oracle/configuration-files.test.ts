// Goal: a file means to us what it means to stock PostgreSQL, down to the line that an error is on; so does a value.
// Method: the same files are read by both: pg_file_settings and pg_settings are the judges; values are given to SET and
// ALTER SYSTEM, whose SQLSTATEs, messages and hints are compared.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { knownSettingLines } from '../../scripts/generate/known-settings.ts'
import { ClusterSettings, definitionFor } from '../../src-ts/config/cluster-settings.ts'
import { readConfiguration } from '../../src-ts/config/configuration-file.ts'
import { parseSetting, showSetting } from '../../src-ts/config/setting-value.ts'
import { PgError } from '../../src-ts/errors/pg-error.ts'
import { Oracle } from '../support/oracle.ts'

let oracle: Oracle
let client: pg.Client
let standardConf: string

beforeAll(async () => {
  oracle = await Oracle.initdb()
  standardConf = readFileSync(join(oracle.dir, 'postgresql.conf'), 'utf8')
  // Not of the files, as errors are told to the log with their SQLSTATE.
  await oracle.start({ log_line_prefix: '%e ' })
  client = await oracle.client('postgres')
})
afterAll(async () => {
  await client.end()
  await oracle.stop()
})

function write(name: string, text: string): void {
  writeFileSync(join(oracle.dir, name), text, { mode: 0o644 })
}

interface FileSetting {
  sourcefile: string | null
  sourceline: number
  name: string | null
  setting: string | null
  error: string | null
}

// The entries, as both have them.
async function compareEntries(): Promise<number> {
  const { rows } = await client.query<FileSetting>(
    `select sourcefile, sourceline, name, setting from pg_file_settings
     where name is not null and sourcefile is not null order by seqno`,
  )
  const { entries } = readConfiguration(oracle.dir)
  expect(
    entries.map(({ file, line, name, value }) => `${file}:${line} ${name} = ${value}`),
  ).toEqual(rows.map((row) => `${row.sourcefile}:${row.sourceline} ${row.name} = ${row.setting}`))
  return entries.length
}

// Lines of the server's log, when it has reloaded files with errors: 'SQLSTATE message'.
async function loggedErrors(): Promise<string[]> {
  const before = oracle.log().length
  await client.query('select pg_reload_conf()')
  for (;;) {
    const added = oracle.log().slice(before)
    if (added.includes('contains errors'))
      return added.split('\n').flatMap((line) => {
        const [, code, message] = /^(\w{5}) LOG: {2}(.*)$/.exec(line) ?? []
        return code === undefined || code === '00000' || code === 'F0000'
          ? []
          : [`${code} ${message}`]
      })
    await sleep(10)
  }
}

// The errors, as both have them.
async function compareErrors(): Promise<number> {
  const { errors } = readConfiguration(oracle.dir)
  const ours = errors.map(({ code, message }) => `${code} ${message}`)
  expect(ours).toEqual(await loggedErrors())
  return errors.length
}

describe('files', () => {
  it("reads what initdb makes as stock does, with pg_settings' values", async () => {
    write('postgresql.conf', standardConf)
    expect(await compareEntries()).toBeGreaterThan(8)
    expect(readConfiguration(oracle.dir).errors).toEqual([])
    const settings = new ClusterSettings(oracle.dir)
    const { rows } = await client.query(
      `select name, setting, sourceline from pg_settings where source = 'configuration file'
       and name not in ('DateStyle', 'TimeZone', 'log_timezone')`,
    )
    const ours = new Map(settings.rows().map((row) => [row.name, row]))
    expect(rows.length).toBeGreaterThan(5)
    for (const { name, setting, sourceline } of rows)
      expect(ours.get(name)).toMatchObject({ setting, sourceline, source: 'configuration file' })
  })

  it('takes every way to write a line', async () => {
    const lines = [
      'work_mem = 8MB',
      'WORK_MEM 16MB # a comment',
      "  maintenance_work_mem='32MB'",
      '',
      '# only a comment',
      "search_path = '\"$user\", it''s, a\\'b, tab\\there, \\101\\x'",
      'log_min_messages\t=\tWARNING',
      'bgwriter_lru_multiplier = 2.5',
      'seq_page_cost = .5',
      'cpu_tuple_cost = 1.e-2',
      'wal_sync_method = fdatasync\r',
      'temp_buffers = 0x400',
      'vacuum_cost_delay = -0',
      'my.own = yes',
      "my.other = ''",
      'log_directory = pg_log/x-y.z:1',
      'timezone = Europe/Berlin',
      'shared_buffers = 1.5',
      "Grüße.welt = 'ä'",
      "include_if_exists 'missing.conf'",
    ]
    write('postgresql.conf', lines.join('\n'))
    // All but two that are empty or a comment, and the include.
    expect(await compareEntries()).toBe(lines.length - 3)
    expect(readConfiguration(oracle.dir).errors).toEqual([])
  })

  it('goes on after errors, and names file and line of each', async () => {
    const bad = [
      'work_mem',
      'work_mem =',
      '= 8MB',
      'work_mem = 8MB 9MB',
      "search_path = 'not ended",
      'work_mem = 8MB',
      'log_line_prefix = %m',
      '7up = 1',
      'a.b.c = 1',
      'geqo = a.b',
      'shared_buffers = 1.5GB',
      "include ''",
      "include 'missing.conf'",
      "include 'postgresql.conf'",
      "include_dir 'missing'",
      "include_dir ' '",
      'geqo',
    ]
    for (const end of ['', '\n', ' # comment']) {
      write('postgresql.conf', bad.join('\n') + end)
      expect(await compareErrors()).toBeGreaterThan(10)
    }
    const file = join(oracle.dir, 'postgresql.conf')
    const { errors } = readConfiguration(oracle.dir)
    expect(errors[0]).toMatchObject({
      code: '42601',
      message: `syntax error in file "${file}" line 1, near end of line`,
      file,
      line: 1,
    })
    expect(() => new ClusterSettings(oracle.dir)).toThrow(
      expect.objectContaining({
        code: '42601',
        detail: expect.stringContaining(`"${file}" line 1`),
      }),
    )
  })

  it('follows includes, in directories in the order of their names, down to ten levels', async () => {
    mkdirSync(join(oracle.dir, 'conf.d'), { recursive: true, mode: 0o755 })
    write('conf.d/b.conf', 'work_mem = 2MB\n')
    write('conf.d/a.conf', "work_mem = 1MB\ninclude '../nested0.conf'\n")
    write('conf.d/.hidden.conf', 'nonsense\n')
    write('conf.d/other.txt', 'nonsense\n')
    for (let depth = 0; depth < 12; depth++)
      write(
        `nested${depth}.conf`,
        `temp_buffers = ${depth + 100}\ninclude 'nested${depth + 1}.conf'`,
      )
    write('postgresql.conf', "include_dir = 'conf.d'\ngeqo = off\n")
    expect(await compareErrors()).toBe(1)
    expect(readConfiguration(oracle.dir).errors[0]?.code).toBe('54000')
    write('nested3.conf', 'temp_buffers = 200\n')
    expect(await compareEntries()).toBe(7)
    expect(readConfiguration(oracle.dir).errors).toEqual([])
    expect(new ClusterSettings(oracle.dir).get('work_mem')).toEqual({
      setting: '2048',
      source: 'configuration file',
      sourcefile: join(oracle.dir, 'conf.d/b.conf'),
      sourceline: 1,
    })
  })

  it('gives up after a hundred syntax errors', async () => {
    write('postgresql.conf', 'bad\n'.repeat(150))
    expect(await compareErrors()).toBe(101)
    const { errors } = readConfiguration(oracle.dir)
    expect(errors.at(-1)?.message).toBe(
      `too many syntax errors found, abandoning file "${join(oracle.dir, 'postgresql.conf')}"`,
    )
  })

  it('finds the same values bad, and the same names unknown', async () => {
    write(
      'postgresql.conf',
      ['work_mem = 1kB', 'geqo = maybe', 'block_size = 1', 'wal_level = nothing', 'a.b = 1'].join(
        '\n',
      ),
    )
    const bad = async () => {
      const { rows } = await client.query<FileSetting>(
        'select sourcefile, sourceline, name, error from pg_file_settings where error is not null and sourceline is not null',
      )
      return rows.map(({ sourceline }) => sourceline).sort()
    }
    const ours = () => new ClusterSettings(oracle.dir)
    expect(await bad()).toEqual([1, 2, 3, 4])
    const file = join(oracle.dir, 'postgresql.conf')
    expect(ours).toThrow(
      expect.objectContaining({
        code: '22023',
        message:
          '1 kB is outside the valid range for parameter "work_mem" (64 kB .. 2147483647 kB)',
        detail: expect.stringMatching(/line 1\..*line 2.*line 3.*line 4/),
      }),
    )
    write('postgresql.conf', 'work_mem = 1kB\n\nwork_memory = 4MB\n')
    expect(await bad()).toEqual([3])
    expect(ours).toThrow(
      expect.objectContaining({
        code: '42704',
        message: `unrecognized configuration parameter "work_memory" in file "${file}" line 3`,
      }),
    )
  })
})

describe('values', () => {
  it('knows all settings of the server, as the generated table has them', async () => {
    const text = readFileSync(
      join(import.meta.dirname, '../../src-ts/config/known-settings.generated.ts'),
      'utf8',
    )
    // A minor release has another version and may be built with other libraries.
    const stable = (lines: string[]) => lines.filter((line) => !/'(server_version|ssl_)/.test(line))
    expect(stable(text.split('\n').filter((line) => line.startsWith("  ['")))).toEqual(
      stable(await knownSettingLines()),
    )
  })

  const cases: Record<string, string[]> = {
    work_mem: [
      ...['64', '64kB', '1MB', '1.5MB', '1GB', '2TB', '3TB', '65536B', '63.5', '63.4', '1e3'],
      ...[
        '0x100',
        '0100',
        ' 64 kB ',
        '64KB',
        '64 mb',
        '',
        'abc',
        '-1',
        '1 2',
        '99999999999',
        '64k',
      ],
      ...['30.1GB', '0.1MB', '100000000000GB', '1s', '+64', '64.5', '65.5'],
    ],
    lock_timeout: [
      ...['0', '1', '1s', '1min', '2h', '24d', '25d', '1500us', '500us', '499us', '1.5s', '1ms'],
      ...['-1', '1 week', '90s', '120s'],
    ],
    vacuum_cost_delay: ['0', '2.5', '2500us', '100', '101', '1s', '0.001', 'x', '1e1', '10kB'],
    seq_page_cost: ['1', '0.5', '1e10', '1e-5', '123456789', '-1', 'nan', '4kB', '1e400'],
    geqo: ['on', 'ON', 'of', 'o', 't', 'tr', 'y', 'n', 'f', '1', '0', '2', '', 'truely'],
    synchronous_commit: ['on', 'OFF', 'local', 'true', '0', 'yes', 'remote', 'remote_apply', ''],
    client_min_messages: ['debug', 'DEBUG1', 'fatal', 'notice', 'x'],
    bytea_output: ['hex', 'escape', 'on'],
    temp_buffers: [
      '100',
      '1MB',
      '799kB',
      '795kB',
      '804kB',
      '1073741823',
      '1073741824',
      '8TB',
      '9TB',
    ],
    logical_decoding_work_mem: ['64', '63', '1GB'],
    temp_file_limit: ['-1', '1GB', '-2', '1kB'],
    hash_mem_multiplier: ['1', '0.9', '1000', '1001', '2.5'],
    maintenance_work_mem: ['64', '63', '1GB', '2TB'],
  }
  for (const [name, values] of Object.entries(cases)) {
    it(`takes and refuses the values of ${name} that stock does, and shows them alike`, async () => {
      const definition = definitionFor(name)
      await client.query('reset all')
      for (const value of values) {
        const stock = await client
          .query(
            'select set_config($1, $2, false), (select setting from pg_settings where name = $1)',
            [name, value],
          )
          .then(async () => {
            const { rows } = await client.query('select setting from pg_settings where name = $1', [
              name,
            ])
            const shown = await client.query(`show ${name}`)
            return { setting: rows[0].setting, shown: shown.rows[0][name] }
          })
          .catch(({ code, message, hint }) => ({ code, message, hint }))
        let ours: object
        try {
          const setting = parseSetting(definition, value)
          const row = new ClusterSettings('/nowhere', { [name]: value }, false)
            .rows()
            .find((each) => each.name === name)
          ours = { setting: row?.setting, shown: showSetting(definition, setting) }
        } catch (error) {
          if (!(error instanceof PgError)) throw error
          const { code, message, hint } = error
          ours = { code, message, hint }
        }
        expect({ value, ...ours }).toEqual({ value, ...stock })
      }
    })
  }

  it('has the defaults, ranges and contexts of pg_settings for the memory settings', async () => {
    const names = [
      ...[
        'shared_buffers',
        'wal_buffers',
        'work_mem',
        'hash_mem_multiplier',
        'maintenance_work_mem',
      ],
      ...['autovacuum_work_mem', 'temp_buffers', 'temp_file_limit', 'logical_decoding_work_mem'],
    ]
    const { rows } = await client.query(
      `select name, unit, context, vartype, min_val, max_val, enumvals, boot_val from pg_settings
       where name = any($1) order by name`,
      [names],
    )
    const ours = new ClusterSettings('/nowhere', {}, false).rows()
    expect(rows).toHaveLength(names.length)
    for (const row of rows) expect(ours.find(({ name }) => name === row.name)).toMatchObject(row)
  })
})
