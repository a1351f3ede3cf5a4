// Goal: settings in files, by alterSystem and at reloads do to a cluster what they do to stock PostgreSQL; what is bad names
// file and line, and the old value stays.
// Method: clusters are opened on directories with files of each kind, and stock reads what we wrote.
import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster, type LogRecord, type PgError } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

let directory: string
let conf: string
let original: string

beforeAll(async () => {
  directory = temporaryDirectory()
  await Cluster.init(directory)
  conf = join(directory, 'postgresql.conf')
  original = readFileSync(conf, 'utf8')
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const settingOf = (cluster: Cluster, name: string) =>
  cluster.settings().find((row) => row.name === name)

describe('opening', () => {
  it('takes options before postgresql.auto.conf, that before postgresql.conf, that before defaults', async () => {
    writeFileSync(
      conf,
      `${original}work_mem = 5MB\ntemp_buffers = 5MB\nseq_page_cost = 2\nmy.own = 'x'\n`,
    )
    appendFileSync(
      join(directory, 'postgresql.auto.conf'),
      "work_mem = '6MB'\ntemp_buffers = '6MB'\n",
    )
    await using cluster = await Cluster.open(directory, { settings: { temp_buffers: '7MB' } })
    const lines = original.split('\n').length
    expect(settingOf(cluster, 'work_mem')).toMatchObject({
      setting: '6144',
      unit: 'kB',
      source: 'configuration file',
      sourcefile: join(directory, 'postgresql.auto.conf'),
      sourceline: 3,
      boot_val: '4096',
      reset_val: '6144',
      pending_restart: false,
    })
    expect(settingOf(cluster, 'temp_buffers')).toMatchObject({
      setting: '896',
      source: 'command line',
    })
    expect(settingOf(cluster, 'seq_page_cost')).toMatchObject({
      setting: '2',
      sourceline: lines + 2,
    })
    expect(settingOf(cluster, 'my.own')).toMatchObject({ setting: 'x', sourcefile: conf })
    expect(settingOf(cluster, 'hash_mem_multiplier')).toMatchObject({
      setting: '2',
      source: 'default',
    })
    cluster.alterSystemResetAll()
  })

  it('refuses files with errors, with SQLSTATE, file and line, and opens when they are mended', async () => {
    const bad = [
      ['work_mem = 1kB', '22023'],
      ['work_memory = 8MB', '42704'],
      ['work_mem 8MB 9MB', '42601'],
      ['shared_buffers = lots', '22023'],
      ['block_size = 8192', '55P02'],
      ["include 'absent.conf'", '58P01'],
    ] as const
    for (const [line, code] of bad) {
      writeFileSync(conf, `${original}${line}\n`)
      await expect(Cluster.open(directory)).rejects.toMatchObject({
        code,
        detail: expect.stringContaining(`"${conf}" line ${original.split('\n').length}`),
      })
    }
    writeFileSync(conf, original)
    await (await Cluster.open(directory)).close()
  })

  it('gives shared_buffers and wal_buffers of the file to the engine', async () => {
    writeFileSync(conf, `${original}shared_buffers = 1MB\nwal_buffers = 128kB\n`)
    await using cluster = await Cluster.open(directory)
    expect(settingOf(cluster, 'shared_buffers')).toMatchObject({ setting: '128', unit: '8kB' })
    await using session = await cluster.connect()
    await session.createTable('t', { columns: { a: 'int4', b: 'text' } })
    const t = session.table('t')
    const writes = cluster.statistics().wal_writes as number
    await session.transaction((tx) => {
      for (let a = 0; a < 2000; a++) tx.insert(t, { a, b: 'x'.repeat(1000) })
    })
    // 2 MB of log go through 128 kB.
    expect((cluster.statistics().wal_writes as number) - writes).toBeGreaterThan(15)
    const before = cluster.statistics()
    let rows = 0
    for (const _ of t.scan()) rows++
    expect(rows).toBe(2000)
    // 2 MB of rows do not fit: they are read again.
    expect(cluster.statistics().buffer_reads as number).toBeGreaterThan(
      (before.buffer_reads as number) + 50,
    )
    await session.dropTable('t')
    writeFileSync(conf, original)
  })
})

describe('alterSystem and reload', () => {
  it('writes what stock reads, and reads what stock writes', async () => {
    const value = "it's a \\ back 'slash"
    {
      await using cluster = await Cluster.open(directory)
      cluster.alterSystem('work_mem', '9MB')
      cluster.alterSystem('WORK_MEM', '10MB')
      cluster.alterSystem('geqo', false)
      cluster.alterSystem('my.text', value)
      cluster.alterSystem('temp_buffers', 100)
      cluster.alterSystem('temp_buffers', undefined)
      expect(settingOf(cluster, 'work_mem')?.setting).toBe('4096')
      expect(cluster.reload()).toEqual([])
      expect(settingOf(cluster, 'work_mem')?.setting).toBe('10240')
      expect(settingOf(cluster, 'my.text')?.setting).toBe(value)
    }
    const oracle = Oracle.adopt(directory)
    await oracle.start()
    const client = await oracle.client('postgres')
    const { rows } = await client.query(
      `select current_setting('work_mem') w, current_setting('geqo') g, current_setting('my.text') t`,
    )
    expect(rows).toEqual([{ w: '10MB', g: 'off', t: value }])
    const ours = readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8')
    await client.query("alter system set work_mem = '10MB'")
    // Stock writes a changed setting last, as we do.
    const sorted = (text: string) => text.split('\n').sort()
    expect(sorted(readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8'))).toEqual(
      sorted(ours),
    )
    await client.query('alter system reset all')
    await client.query("alter system set work_mem = '11MB'")
    await client.end()
    await oracle.stop()
    await using cluster = await Cluster.open(directory)
    expect(settingOf(cluster, 'work_mem')?.setting).toBe('11264')
    cluster.alterSystemResetAll()
    expect(statSync(join(directory, 'postgresql.auto.conf')).mode & 0o777).toBe(0o600)
  })

  it('refuses what stock refuses, and writes nothing then', async () => {
    await using cluster = await Cluster.open(directory)
    const text = () => readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8')
    const before = text()
    const cases: [string, string, string][] = [
      ['work_mem', '1kB', '22023'],
      ['work_memory', '1MB', '42704'],
      ['block_size', '8192', '55P02'],
      ['data_directory', '/tmp', '55P02'],
      ['a.b-c', 'x', '42602'],
      ['search_path', 'a\nb', '22023'],
      ['geqo', 'perhaps', '22023'],
    ]
    const oracle = await Oracle.initdb()
    await oracle.start()
    const client = await oracle.client('postgres')
    for (const [name, value, code] of cases) {
      expect(() => cluster.alterSystem(name, value)).toThrow(expect.objectContaining({ code }))
      const quoted = name
        .split('.')
        .map((part) => `"${part}"`)
        .join('.')
      await expect(client.query(`alter system set ${quoted} = '${value}'`)).rejects.toMatchObject({
        code,
      })
    }
    await client.end()
    await oracle.stop()
    expect(text()).toBe(before)
  })

  it('refuses what stock would not start with, and writes what it takes for an extension', async () => {
    const own = temporaryDirectory()
    await using cluster = await Cluster.open(own, { create: true })
    const text = () => readFileSync(join(own, 'postgresql.auto.conf'), 'utf8')
    const before = text()
    for (const [name, value] of [
      ['io_mode', 'direct'],
      ['wal_sync_method', 'adaptive'],
      ['wal_sync_method', 'open_datasync_direct'],
      ['shared_memory_type', 'private'],
    ] as const)
      expect(() => cluster.alterSystem(name, value)).toThrow(
        expect.objectContaining({ code: '0A000', message: expect.stringContaining(name) }),
      )
    expect(text()).toBe(before)
    cluster.alterSystem('wal_sync_method', 'fdatasync')
    cluster.alterSystem('pgdata.relation_cache_size', 100)
    expect(text()).toContain("pgdata.relation_cache_size = '100'")
    await cluster.close()
    await using stock = Oracle.adopt(own)
    await stock.start()
    const client = await stock.client()
    const { rows } = await client.query('show pgdata.relation_cache_size')
    expect(rows).toEqual([{ 'pgdata.relation_cache_size': '100' }])
    await client.end()
    await stock.stop()
  })

  it('leaves the files alone when open for reading only', async () => {
    writeFileSync(conf, `${original}work_mem = 5MB\nshared_buffers = lots\n`)
    const before = readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8')
    await using cluster = await Cluster.open(directory, {
      readOnly: true,
      settings: { temp_buffers: '2MB' },
    })
    expect(settingOf(cluster, 'work_mem')).toMatchObject({ setting: '4096', source: 'default' })
    expect(settingOf(cluster, 'temp_buffers')?.setting).toBe('256')
    expect(() => cluster.alterSystem('work_mem', '6MB')).toThrow(
      expect.objectContaining({ code: '25006' }),
    )
    expect(cluster.reload()).toEqual([])
    expect(settingOf(cluster, 'work_mem')?.setting).toBe('4096')
    expect(readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8')).toBe(before)
    writeFileSync(conf, original)
  })

  it('keeps old values where new ones are bad, or can only count after a restart', async () => {
    const notices: PgError[] = []
    const log: LogRecord[] = []
    writeFileSync(conf, `${original}work_mem = 5MB\ngeqo = off\n`)
    await using cluster = await Cluster.open(directory, {
      onNotice: (notice) => notices.push(notice),
      onLog: (record) => log.push(record),
    })
    writeFileSync(
      conf,
      `${original}work_mem = 5kB\ngeqo = on\nmax_locks_per_transaction = 99\nfsync = off\n`,
    )
    const line = original.split('\n').length
    const errors = cluster.reload()
    expect(errors.map(({ code, message }) => ({ code, message }))).toEqual([
      {
        code: '22023',
        message:
          '5 kB is outside the valid range for parameter "work_mem" (64 kB .. 2147483647 kB)',
      },
      ...['fsync', 'max_locks_per_transaction'].map((name) => ({
        code: '55P02',
        message: `parameter "${name}" cannot be changed without restarting the server`,
      })),
    ])
    expect(errors[0]?.detail).toContain(`"${conf}" line ${line}`)
    expect(errors[2]?.detail).toContain(`"${conf}" line ${line + 2}`)
    expect(notices).toEqual(errors)
    expect(settingOf(cluster, 'work_mem')?.setting).toBe('5120')
    expect(settingOf(cluster, 'geqo')?.setting).toBe('on')
    expect(settingOf(cluster, 'max_locks_per_transaction')).toMatchObject({
      setting: '64',
      pending_restart: true,
    })
    expect(log.map(({ message }) => message)).toContain('parameter "geqo" changed to "on"')
    // An error of syntax, or an unknown name, keeps everything as it was.
    writeFileSync(conf, `${original}geqo = off\nwork_mem = = 8MB\n`)
    expect(cluster.reload()).toMatchObject([{ code: '42601' }])
    expect(settingOf(cluster, 'geqo')?.setting).toBe('on')
    writeFileSync(conf, `${original}geqo = off\nwork_memory = 8MB\n`)
    expect(cluster.reload()).toMatchObject([{ code: '42704' }])
    expect(settingOf(cluster, 'geqo')?.setting).toBe('on')
    writeFileSync(conf, original)
    expect(cluster.reload()).toEqual([])
    expect(settingOf(cluster, 'work_mem')).toMatchObject({ setting: '4096', source: 'default' })
    expect(settingOf(cluster, 'max_locks_per_transaction')?.pending_restart).toBe(false)
  })

  it('makes new settings count: log_min_messages, lock_timeout of new sessions', async () => {
    const log: LogRecord[] = []
    await using cluster = await Cluster.open(directory, {
      onLog: (record) => log.push(record),
      onNotice: () => undefined,
    })
    cluster.alterSystem('log_min_messages', 'panic')
    cluster.alterSystem('lock_timeout', '20ms')
    cluster.reload()
    log.length = 0
    cluster.alterSystem('fsync', false)
    expect(cluster.reload()).toHaveLength(1)
    expect(log).toEqual([])
    await using holder = await cluster.connect()
    await using waiter = await cluster.connect()
    await holder.advisoryLock(1)
    await expect(waiter.advisoryLock(1)).rejects.toMatchObject({ code: '55P03' })
    cluster.alterSystemResetAll()
    cluster.reload()
  })

  it('reloads at SIGHUP when it was asked to, and tells others that have the directory open', async () => {
    await using cluster = await Cluster.open(directory, { reloadOnSighup: true })
    await using other = await Cluster.open(directory)
    const until = async (one: Cluster, name: string, setting: string) => {
      while (settingOf(one, name)?.setting !== setting) await sleep(5)
    }
    cluster.alterSystem('work_mem', '12MB')
    expect(settingOf(other, 'work_mem')?.setting).toBe('4096')
    process.kill(process.pid, 'SIGHUP')
    await until(cluster, 'work_mem', '12288')
    await until(other, 'work_mem', '12288')
    other.alterSystemResetAll()
    other.reload()
    await until(cluster, 'work_mem', '4096')
  })
})
