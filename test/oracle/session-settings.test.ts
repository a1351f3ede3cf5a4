// Goal: what a session sets, resets and shows is what stock PostgreSQL's SET, SET LOCAL, RESET and SHOW do, also across
// savepoints and rollbacks, and with the settings of databases and roles; what a setting means counts at once.
// Method: the same steps on both engines, whose values and errors are compared.
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster, PgError, type Session, type Transaction } from '../../src-ts/index.ts'
import { Oracle } from '../support/oracle.ts'

let oracle: Oracle
let client: pg.Client
let copy: string
let cluster: Cluster

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start()
  client = await oracle.client('postgres')
  await client.query("alter database postgres set work_mem = '1MB'")
  await client.query("alter database postgres set temp_buffers = '1MB'")
  await client.query("alter database postgres set my.database = 'd'")
  await client.query("alter role postgres set work_mem = '2MB'")
  await client.query("alter role postgres set maintenance_work_mem = '2MB'")
  await client.query("alter role postgres in database postgres set maintenance_work_mem = '3MB'")
  await client.query("alter role all set logical_decoding_work_mem = '4MB'")
  await client.query("alter role all set temp_buffers = '4MB'")
  await client.query("alter database template1 set work_mem = '9MB'")
  await client.end()
  await oracle.stop()
  copy = oracle.dir
})
afterAll(async () => {
  await oracle.stop()
})

const names = [
  ...['work_mem', 'temp_buffers', 'maintenance_work_mem', 'logical_decoding_work_mem'],
  ...['my.database', 'hash_mem_multiplier'],
]

type Step = [sql: string, ours: (session: Session) => void]
const steps: (Step | 'begin' | 'savepoint' | 'release' | 'rollback to' | 'commit' | 'rollback')[] =
  [
    ["set work_mem = '7MB'", (s) => s.set('work_mem', '7MB')],
    'begin',
    ["set work_mem = '8MB'", (s) => s.set('WORK_MEM', '8MB')],
    ["set local temp_buffers = '5MB'", (s) => s.set('temp_buffers', '5MB', { local: true })],
    'savepoint',
    ["set work_mem = '9MB'", (s) => s.set('work_mem', '9MB')],
    ["set local work_mem = '10MB'", (s) => s.set('work_mem', '10MB', { local: true })],
    'savepoint',
    ['reset work_mem', (s) => s.reset('work_mem')],
    ['set hash_mem_multiplier = 3.5', (s) => s.set('hash_mem_multiplier', 3.5)],
    ["set local my.database = 'x'", (s) => s.set('my.database', 'x', { local: true })],
    'rollback to',
    'release',
    [
      'set local hash_mem_multiplier to default',
      (s) => s.set('hash_mem_multiplier', undefined, { local: true }),
    ],
    'commit',
    'begin',
    ["set maintenance_work_mem = '11MB'", (s) => s.set('maintenance_work_mem', '11MB')],
    'savepoint',
    [
      "set local maintenance_work_mem = '12MB'",
      (s) => s.set('maintenance_work_mem', '12MB', { local: true }),
    ],
    'release',
    'commit',
    'begin',
    ["set temp_buffers = '6MB'", (s) => s.set('temp_buffers', '6MB')],
    ["set my.database = 'y'", (s) => s.set('my.database', 'y')],
    'savepoint',
    ['reset all', (s) => s.resetAll()],
    'rollback to',
    'rollback',
    ['reset all', (s) => s.resetAll()],
  ]

// The values that both show after each step.
async function runOnStock(): Promise<string[][]> {
  const shown: string[][] = []
  const client = await oracle.client('postgres')
  const show = async () => {
    const values: string[] = []
    for (const name of names) values.push((await client.query(`show ${name}`)).rows[0][name])
    shown.push(values)
  }
  let depth = 0
  await show()
  for (const step of steps) {
    if (step === 'savepoint') await client.query(`savepoint s${++depth}`)
    else if (step === 'release') await client.query(`release s${depth--}`)
    else if (step === 'rollback to') {
      await client.query(`rollback to s${depth}`)
      await client.query(`release s${depth--}`)
    } else await client.query(typeof step === 'string' ? step : step[0])
    await show()
  }
  await client.end()
  return shown
}

const undone = new Error('rolled back')

async function runOnOurs(session: Session): Promise<string[][]> {
  const shown: string[][] = []
  const show = () => shown.push(names.map((name) => session.show(name)))
  let at = 0
  // Runs until the level ends; is it to be kept?
  const level = async (tx: Transaction): Promise<void> => {
    show()
    for (;;) {
      const step = steps[at++]
      if (step === undefined || step === 'begin') throw new Error('a transaction was not ended')
      if (step === 'commit' || step === 'release') return
      if (step === 'rollback' || step === 'rollback to') throw undone
      if (step === 'savepoint') await ended(tx.savepoint(level))
      else step[1](session)
      show()
    }
  }
  const ended = (work: Promise<void>) =>
    work.catch((error) => {
      if (error !== undone) throw error
    })
  show()
  while (at < steps.length) {
    const step = steps[at++] as Step | 'begin'
    if (step === 'begin') await ended(session.transaction(level))
    else step[1](session)
    show()
  }
  return shown
}

describe('set, reset and show', () => {
  it('go through transactions and savepoints as in stock, over those of database and role', async () => {
    cluster = await Cluster.open(copy)
    const session = await cluster.connect()
    const ours = await runOnOurs(session)
    expect(ours[0]).toEqual(['2MB', '1MB', '3MB', '4MB', 'd', '2'])
    const rows = new Map(session.settings().map((row) => [row.name, row]))
    expect(rows.get('work_mem')).toMatchObject({
      setting: '2048',
      reset_val: '2048',
      source: 'user',
    })
    expect(rows.get('temp_buffers')?.source).toBe('database')
    expect(rows.get('maintenance_work_mem')?.source).toBe('database user')
    expect(rows.get('logical_decoding_work_mem')?.source).toBe('global')
    expect(rows.get('my.database')).toMatchObject({ setting: 'd', source: 'database' })
    const client = await cluster.connect({ settings: { work_mem: '20MB' } })
    expect(client.show('work_mem')).toBe('20MB')
    client.set('work_mem', '21MB')
    expect(client.settings().find(({ name }) => name === 'work_mem')).toMatchObject({
      setting: '21504',
      reset_val: '20480',
      source: 'session',
    })
    client.reset('work_mem')
    expect(client.show('work_mem')).toBe('20MB')
    const other = await cluster.connect({ database: 'template1' })
    expect(other.show('temp_buffers')).toBe('4MB')
    await cluster.close()
    await oracle.start()
    expect(ours).toEqual(await runOnStock())
    await oracle.stop()
  })

  it('refuse what stock refuses, with its SQLSTATE, message and hint; the old value stays', async () => {
    const cases: [string, string][] = [
      ['work_mem', '1kB'],
      ['work_mem', 'much'],
      ['synchronous_commit', 'maybe'],
      ['geqo', '2'],
      ['work_memory', '1MB'],
      ['a.b-c', '1'],
      ['shared_buffers', '1MB'],
      ['checkpoint_warning', '1'],
      ['block_size', '1'],
      ['log_connections', 'on'],
      ['ignore_system_indexes', 'on'],
      ['statement_timeout', '-1'],
    ]
    await oracle.start()
    const stock = await oracle.client('postgres')
    const expected: unknown[] = []
    for (const [name, value] of cases) {
      const result = await stock
        .query('select set_config($1, $2, false)', [name, value])
        .then(() => undefined)
        .catch(({ code, message, hint }) => ({ code, message, hint }))
      expected.push({ name, ...result })
    }
    await stock.end()
    await oracle.stop()
    await using cluster = await Cluster.open(copy)
    await using session = await cluster.connect()
    const ours = cases.map(([name, value]) => {
      try {
        session.set(name, value)
        return { name }
      } catch (error) {
        if (!(error instanceof PgError)) throw error
        const { code, message, hint } = error
        return { name, code, message, hint }
      }
    })
    expect(ours).toEqual(expected)
    expect(session.show('work_mem')).toBe('2MB')
    expect(() => session.show('work_memory')).toThrow(expect.objectContaining({ code: '42704' }))
    await expect(cluster.connect({ settings: { work_mem: '1kB' } })).rejects.toMatchObject({
      code: '22023',
    })
    // An error in a transaction fails it, as any other one.
    await expect(session.transaction(() => session.set('work_mem', '1kB'))).rejects.toMatchObject({
      code: '22023',
    })
  })

  it('count at once: time limits, isolation and access mode of transactions, synchronous_commit', async () => {
    await using cluster = await Cluster.open(copy, {
      settings: { wal_writer_delay: 10_000, autovacuum: false },
    })
    await using session = await cluster.connect()
    await using other = await cluster.connect()
    await session.createTable('counted', { columns: { a: 'int4' } })
    const table = session.table('counted')
    await other.advisoryLock(7)
    session.set('lock_timeout', '15ms')
    await expect(session.advisoryLock(7)).rejects.toMatchObject({ code: '55P03' })
    session.reset('lock_timeout')
    await expect(
      session.transaction(async (tx) => {
        session.set('lock_timeout', 15, { local: true })
        await tx.advisoryLock(7)
      }),
    ).rejects.toMatchObject({ code: '55P03' })
    expect(session.show('lock_timeout')).toBe('0')
    session.set('statement_timeout', 15)
    await expect(session.advisoryLock(7)).rejects.toMatchObject({ code: '57014' })
    session.set('statement_timeout', undefined)
    session.set('default_transaction_read_only', true)
    await expect(session.transaction((tx) => tx.insert(table, { a: 1 }))).rejects.toMatchObject({
      code: '25006',
    })
    session.reset('default_transaction_read_only')
    session.set('default_transaction_isolation', 'repeatable read')
    await session.transaction(async () => {
      const before = [...table.scan()].length
      await other.transaction((tx) => tx.insert(other.table('counted'), { a: 2 }))
      expect([...table.scan()]).toHaveLength(before)
    })
    session.resetAll()
    const syncsOf = async (body: () => Promise<void>) => {
      const before = cluster.statistics().wal_syncs as number
      await body()
      return (cluster.statistics().wal_syncs as number) - before
    }
    await cluster.checkpoint()
    const commits = async () => {
      for (let a = 0; a < 20; a++)
        await session.transaction((tx) => {
          session.set('synchronous_commit', 'off', { local: true })
          tx.insert(table, { a })
        })
    }
    expect(await syncsOf(commits)).toBeLessThan(20)
    expect(
      await syncsOf(async () => {
        for (let a = 0; a < 20; a++) await session.transaction((tx) => tx.insert(table, { a }))
      }),
    ).toBeGreaterThanOrEqual(20)
  })

  it('stores settings of databases and roles that stock reads, and refuses what stock refuses', async () => {
    await using cluster = await Cluster.open(copy)
    await using session = await cluster.connect()
    await session.alterSettings({ database: 'template1' }, { work_mem: undefined, GEQO: false })
    await session.alterSettings({ role: 'postgres' }, { work_mem: '3MB', 'my.own': "a='b'" })
    await session.alterSettings({}, { logical_decoding_work_mem: '5MB' })
    await session.alterSettings(
      { role: 'postgres', database: 'postgres' },
      { maintenance_work_mem: undefined },
    )
    await session
      .transaction(async () => {
        await session.alterSettings({ role: 'postgres' }, { work_mem: '99MB' })
        throw undone
      })
      .catch((error) => expect(error).toBe(undone))
    const failures: [Record<string, string>, string, string, string][] = [
      [{ database: 'absent' }, 'work_mem', '1MB', '3D000'],
      [{ role: 'absent' }, 'work_mem', '1MB', '42704'],
      [{ role: 'postgres' }, 'work_mem', '1kB', '22023'],
      [{ role: 'postgres' }, 'work_memory', '1MB', '42704'],
      [{ role: 'postgres' }, 'shared_buffers', '1MB', '55P02'],
      [{ role: 'postgres' }, 'checkpoint_warning', '1', '55P02'],
    ]
    for (const [owner, name, value, code] of failures)
      await expect(session.alterSettings(owner, { [name]: value })).rejects.toMatchObject({ code })
    await using later = await cluster.connect()
    const shown = ['work_mem', 'maintenance_work_mem', 'my.own', 'logical_decoding_work_mem']
    const ours = shown.map((name) => later.show(name))
    expect(ours).toEqual(['3MB', '2MB', "a='b'", '5MB'])
    await cluster.close()
    await oracle.start()
    const stock = await oracle.client('postgres')
    const { rows } = await stock.query(
      `select coalesce(datname, '-') || ' ' || coalesce(rolname, '-') owner, setconfig
       from pg_db_role_setting left join pg_database d on d.oid = setdatabase
       left join pg_authid a on a.oid = setrole order by 1`,
    )
    expect(rows).toEqual([
      { owner: '- -', setconfig: ['logical_decoding_work_mem=5MB', 'temp_buffers=4MB'] },
      {
        owner: '- postgres',
        setconfig: ['work_mem=3MB', 'maintenance_work_mem=2MB', "my.own=a='b'"],
      },
      {
        owner: 'postgres -',
        setconfig: ['work_mem=1MB', 'temp_buffers=1MB', 'my.database=d'],
      },
      { owner: 'template1 -', setconfig: ['geqo=false'] },
    ])
    const values: string[] = []
    for (const name of shown) values.push((await stock.query(`show ${name}`)).rows[0][name])
    expect(values).toEqual(ours)
    for (const [{ database, role }, name, value, code] of failures) {
      const target = database === undefined ? `role ${role}` : `database ${database}`
      await expect(stock.query(`alter ${target} set ${name} = '${value}'`)).rejects.toMatchObject({
        code,
      })
    }
    await stock.query('reindex table pg_db_role_setting')
    await stock.end()
    await oracle.stop()
  })

  it('warns of a local setting outside a transaction, which has no effect', async () => {
    const notices: PgError[] = []
    await using cluster = await Cluster.open(copy, { onNotice: (notice) => notices.push(notice) })
    await using session = await cluster.connect()
    session.set('work_mem', '30MB', { local: true })
    expect(notices).toMatchObject([
      { code: '25P01', message: 'SET LOCAL can only be used in transaction blocks' },
    ])
    expect(session.show('work_mem')).toBe('3MB')
  })
})
