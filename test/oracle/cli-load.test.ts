// `pgdata load` and `pgdata control`: goal: what is loaded is what stock PostgreSQL reads; a wrong file loads nothing
// and says where it is wrong; the control file's lines carry the server's values. Method: our directory, loaded by
// the program, then dumped by it and read by the stock server.
import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { pgdata } from '../support/command-line.ts'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

describe('load', () => {
  const directory = temporaryPath('load')
  const csv =
    'id,flag,ratio,day,at,code,note\n' +
    '1,t,0.5,2024-02-29,2024-02-29 12:00:00+00,007,"a ""quoted"", note"\n' +
    '2,f,-1e-05,,1999-12-31 23:59:59.5+00,abc,""\n' +
    '9223372036854775807,,,,,,"two\nlines \\ ünï"\n'

  beforeAll(async () => {
    expect((await pgdata(['init', directory])).status).toBe(0)
  }, 60_000)

  it('infers columns, and dump gives the file back', async () => {
    const file = temporaryPath('in.csv')
    writeFileSync(`${file}.gz`, gzipSync(csv))
    const loaded = await pgdata([
      'load',
      directory,
      'inferred',
      `${file}.gz`,
      '--create',
      '--primary-key',
      'id',
    ])
    expect(loaded.stderr).toBe('')
    expect(loaded.status).toBe(0)
    const dumped = await pgdata(['dump', directory, 'inferred'])
    expect(dumped.stdout.toString()).toBe(csv)
  }, 60_000)

  it('loads JSON lines into declared columns', async () => {
    const lines =
      '{"a":1,"b":{"x":[1,2]},"c":["p","q"]}\n{"a":"9007199254740993","b":null,"c":null}\n'
    const loaded = await pgdata(
      [
        'load',
        directory,
        'json',
        '-',
        '--format',
        'jsonl',
        '--columns',
        'a int8, b jsonb, c text[]',
      ],
      lines,
    )
    expect(loaded.stderr).toBe('')
    const dumped = await pgdata(['dump', directory, 'json', '--format', 'copy'])
    expect(dumped.stdout.toString()).toBe('1\t{"x": [1, 2]}\t{p,q}\n9007199254740993\t\\N\t\\N\n')
  }, 60_000)

  it('infers columns of JSON lines', async () => {
    const lines =
      '{"a":1,"b":[1,{"x":"y"}],"c":1.5,"d":7,"e":"2024-01-02"}\n{"b":{"k":null},"c":2,"d":"x","e":null}\n'
    const loaded = await pgdata(['load', directory, 'mixed', '-', '-f', 'jsonl', '--create'], lines)
    expect(loaded.stderr).toBe('')
    const dumped = await pgdata(['dump', directory, 'mixed', '--format', 'copy'])
    expect(dumped.stdout.toString()).toBe(
      '1\t[1, {"x": "y"}]\t1.5\t7\t2024-01-02\n\\N\t{"k": null}\t2\tx\t\\N\n',
    )
  }, 60_000)

  it('loads nothing of a wrong file, and says where it is wrong', async () => {
    const good = Array.from({ length: 2500 }, (_, i) => `${i + 100},ok`).join('\n')
    const failures: [input: string, stderr: string][] = [
      [
        `id,note\n${good}\nabc,bad\n`,
        'pgdata: invalid input syntax for type bigint: "abc"\nCONTEXT:  COPY inferred, line 2502, column id: "abc"\n',
      ],
      [
        'id,note\n5,x\n6\n',
        'pgdata: missing data for column "note"\nCONTEXT:  COPY inferred, line 3\n',
      ],
      [
        'id,note\n5,x,y\n',
        'pgdata: extra data after last expected column\nCONTEXT:  COPY inferred, line 2\n',
      ],
    ]
    for (const [input, stderr] of failures) {
      const failed = await pgdata(['load', directory, 'inferred', '-'], input)
      expect(failed.stderr).toBe(stderr)
      expect(failed.status).toBe(2)
    }
    const duplicate = await pgdata(['load', directory, 'inferred', '-'], 'id\n50\n1\n')
    expect(duplicate.status).toBe(2)
    expect(duplicate.stderr).toContain('DETAIL:  Key (id)=(1) already exists.\n')
    const dumped = await pgdata(['dump', directory, 'inferred'])
    expect(dumped.stdout.toString()).toBe(csv)
    const notMade = await pgdata(['load', directory, 'n', '-', '--columns', 'a int4'], 'a\nx\n')
    expect(notMade.status).toBe(2)
    expect((await pgdata(['dump', directory, 'n'])).stderr).toBe(
      'pgdata: relation "n" does not exist\n',
    )
  }, 60_000)

  it('is read by the stock server, whose control file we print', async () => {
    const oracle = Oracle.adopt(directory)
    await oracle.start()
    try {
      const client = await oracle.client()
      expect(await amcheck(client)).toEqual([])
      const { rows } = await client.query('select * from inferred order by id desc limit 1')
      expect(rows[0]).toMatchObject({ id: '9223372036854775807', note: 'two\nlines \\ ünï' })
      await client.query('checkpoint')
      const checkpoint = await client.query<Record<string, unknown>>(
        `select checkpoint_lsn::text as lsn, redo_wal_file as file, next_xid as xid, system_identifier::text as id
           from pg_control_checkpoint(), pg_control_system()`,
      )
      const { stdout } = await pgdata(['control', directory])
      const text = stdout.toString()
      const values = checkpoint.rows[0] as Record<string, unknown>
      expect(text).toContain(`\nLatest checkpoint location:           ${values.lsn}\n`)
      expect(text).toContain(`\nLatest checkpoint's REDO WAL file:    ${values.file}\n`)
      expect(text).toContain(`\nLatest checkpoint's NextXID:          ${values.xid}\n`)
      expect(text).toContain(`\nDatabase system identifier:           ${values.id}\n`)
      expect(text).toContain('\nDatabase cluster state:               in production\n')
      expect(text).toContain('\nDefault char data signedness:         signed\n')
    } finally {
      await oracle[Symbol.asyncDispose]()
    }
  }, 60_000)
})
