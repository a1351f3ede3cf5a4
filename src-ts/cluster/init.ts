// initCluster: our initdb: a data directory with its three databases, made by our own engine.
//
// The rows of the system catalogs come from the catalog bundle; the heap writes them, the B-tree builds their
// indexes, for template1; template0 and postgres are copies. Source for what is made: src/bin/initdb/initdb.c,
// PostgreSQL 18.
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { RelationAccess } from '../access/relation-access.ts'
import { binding } from '../binding/addon.ts'
import { findPackageRoot } from '../binding/load-addon.ts'
import type { NativeCluster, NativeSession, RelationDescriptor } from '../binding/native.ts'
import { type Bundle, type BundleRelation, readBundle } from '../catalog/bundle.ts'
import { finishedAtOnce } from '../command/build-index.ts'
import { resolveSettings } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import { encodeRelationMap } from '../relation/relation-map.ts'
import { codecFor } from '../types/index.ts'
import { configurationFiles } from './configuration-files.ts'

export interface InitOptions {
  /** Name of the superuser. Default: 'postgres'. */
  username?: string
  /** Default true. */
  dataChecksums?: boolean
  /** Bytes of a WAL segment file: a power of two from 1 MiB to 1 GiB. Default 16 MiB. */
  walSegmentSize?: number
  /** Bytes of a page: a power of two from 1 to 32 KiB. Stock PostgreSQL opens 8192 (the default) only. */
  blockSize?: number
  /** Default 'builtin'. */
  localeProvider?: 'builtin' | 'libc'
  /** Default 'C.UTF-8'. With provider libc only 'C' and 'POSIX' can be ordered by us. */
  locale?: string
  /** Default 'UTF8'. */
  encoding?: 'UTF8' | 'SQL_ASCII'
}

const template1 = { oid: 1, name: 'template1' }
const template0 = { oid: 4, name: 'template0' }
const postgres = { oid: 5, name: 'postgres' }
const bootstrapSuperuser = 10
const defaultTablespace = 1663

const directories = [
  'base',
  `base/${template1.oid}`,
  'global',
  'pg_commit_ts',
  'pg_dynshmem',
  'pg_logical',
  'pg_logical/mappings',
  'pg_logical/snapshots',
  'pg_multixact',
  'pg_multixact/members',
  'pg_multixact/offsets',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
  'pg_wal',
  'pg_wal/archive_status',
  'pg_wal/summaries',
  'pg_xact',
]

// pg_database.encoding. Source: src/include/mb/pg_wchar.h.
const encodings = { SQL_ASCII: 0, UTF8: 6 } as const
const builtinLocales = ['C', 'C.UTF-8', 'C.UTF8', 'PG_UNICODE_FAST']

type ResolvedOptions = Required<InitOptions>

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(value) && value > 0 && (value & (value - 1)) === 0
}

function resolveOptions(options: InitOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    username: options.username ?? 'postgres',
    dataChecksums: options.dataChecksums ?? true,
    walSegmentSize: options.walSegmentSize ?? 16 * 1024 * 1024,
    blockSize: options.blockSize ?? 8192,
    localeProvider: options.localeProvider ?? 'builtin',
    locale: options.locale ?? 'C.UTF-8',
    encoding: options.encoding ?? 'UTF8',
  }
  const { walSegmentSize, blockSize, username, localeProvider, locale, encoding } = resolved
  if (!isPowerOfTwo(walSegmentSize) || walSegmentSize < 1024 ** 2 || walSegmentSize > 1024 ** 3) {
    throw new PgError(
      '22023',
      `WAL segment size ${walSegmentSize} is not a power of two from 1 MB to 1 GB`,
    )
  }
  if (!isPowerOfTwo(blockSize) || blockSize < 1024 || blockSize > 32768) {
    throw new PgError('22023', `block size ${blockSize} is not a power of two from 1 kB to 32 kB`)
  }
  if (username === '' || Buffer.byteLength(username) > 63) {
    throw new PgError('42602', `superuser name "${username}" is not from 1 to 63 bytes long`)
  }
  if (username.startsWith('pg_')) {
    throw new PgError('42939', `superuser name "${username}" is disallowed`, {
      detail: 'Role names cannot begin with "pg_".',
    })
  }
  if (!(encoding in encodings)) {
    throw new PgError('0A000', `encoding "${encoding}" is not supported`, {
      hint: 'Use UTF8 or SQL_ASCII.',
    })
  }
  if (localeProvider === 'builtin' && !builtinLocales.includes(locale)) {
    throw new PgError('22023', `invalid locale name "${locale}" for builtin provider`, {
      hint: `Builtin locales are ${builtinLocales.join(', ')}.`,
    })
  }
  if (localeProvider === 'builtin' && locale !== 'C' && encoding !== 'UTF8') {
    throw new PgError('22023', `builtin locale "${locale}" requires encoding UTF8`)
  }
  if (localeProvider !== 'builtin' && localeProvider !== 'libc') {
    throw new PgError('0A000', `locale provider "${localeProvider}" is not supported`)
  }
  return resolved
}

/** Where the build put the bundle, and the package ships it. */
export function bundlePath(): string {
  return join(findPackageRoot(), 'prebuilds', 'catalog-18.bundle')
}

/** Makes a cluster in a directory that does not exist or is empty. A failure leaves the directory as it was. */
export async function initCluster(directory: string, options: InitOptions): Promise<void> {
  const resolved = resolveOptions(options)
  const bundle = await readBundle(bundlePath())
  const existed = existsSync(directory)
  if (existed && readdirSync(directory).length > 0) {
    throw new PgError('58P02', `directory "${directory}" exists but is not empty`)
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    chmodSync(directory, 0o700)
    await fill(directory, resolved, bundle)
  } catch (error) {
    for (const name of existsSync(directory) ? readdirSync(directory) : []) {
      rmSync(join(directory, name), { recursive: true, force: true })
    }
    if (!existed) rmSync(directory, { recursive: true, force: true })
    throw error
  }
}

function write(directory: string, name: string, contents: string | Buffer): void {
  writeFileSync(join(directory, name), contents, { mode: 0o600, flag: 'wx' })
}

async function fill(directory: string, options: ResolvedOptions, bundle: Bundle): Promise<void> {
  for (const name of directories) mkdirSync(join(directory, name), { mode: 0o700 })
  write(directory, `base/${template1.oid}/PG_VERSION`, `${bundle.major}\n`)
  for (const [name, contents] of Object.entries(configurationFiles(options)))
    write(directory, name, contents)
  write(directory, 'global/pg_filenode.map', encodeRelationMap(new Map(bundle.maps.global)))
  write(
    directory,
    `base/${template1.oid}/pg_filenode.map`,
    encodeRelationMap(new Map(bundle.maps.database)),
  )

  const settings = resolveSettings({ max_connections: 8 })
  const native = await binding.initCluster({
    dataDirectory: directory,
    readOnly: false,
    // Enough for all that init touches.
    sharedBuffers: Math.floor((32 * 1024 * 1024) / options.blockSize),
    walBuffers: Math.floor((4 * 1024 * 1024) / options.blockSize),
    ioMode: 'buffered',
    walSyncMethod: settings.wal_sync_method,
    // A directory whose init did not end is thrown away: all is synced once, at the end.
    fsync: false,
    recoverySyncsFileSystems: true,
    fullPageWrites: true,
    walConsistencyChecking: '',
    maxBackends: 8,
    maxPreparedTransactions: 0,
    walWriterDelay: 200,
    walWriterFlushAfter: settings.wal_writer_flush_after,
    trackCounts: false,
    trackIoTiming: false,
    trackWalIoTiming: false,
    maxLocksPerTransaction: settings.max_locks_per_transaction,
    minWalSize: settings.min_wal_size,
    maxWalSize: settings.max_wal_size,
    checkpointTimeout: settings.checkpoint_timeout,
    checkpointCompletionTarget: settings.checkpoint_completion_target,
    bgwriterDelay: settings.bgwriter_delay,
    bgwriterLruMaxpages: settings.bgwriter_lru_maxpages,
    bgwriterLruMultiplier: settings.bgwriter_lru_multiplier,
    archiving: false,
    archiveTimeout: 0,
    maxPredLocksPerTransaction: settings.max_pred_locks_per_transaction,
    maxPredLocksPerRelation: settings.max_pred_locks_per_relation,
    maxPredLocksPerPage: settings.max_pred_locks_per_page,
    walLevel: settings.wal_level,
    walLogHints: settings.wal_log_hints,
    trackCommitTimestamp: settings.track_commit_timestamp,
    maxWorkerProcesses: settings.max_worker_processes,
    maxWalSenders: settings.max_wal_senders,
    shared: false,
    logCheckpoints: false,
    logLockWaits: false,
    blockSize: options.blockSize,
    walSegmentSize: options.walSegmentSize,
    dataChecksums: options.dataChecksums,
    systemIdentifier: newSystemIdentifier(),
    nextXid: bundle.nextXid,
    nextOid: bundle.nextOid,
    oldestXidDatabase: template1.oid,
  })
  try {
    const session = native.session(template1.oid)
    session.begin('read committed', false, false)
    for (const relation of bundle.relations)
      writeRelation(native, session, relation, bundle, options)
    session.commit(true)
    session.begin('read committed', false, false)
    // Side by side, since most of it is waiting for files to be made. Both have ended before anything is given back.
    const copies = await Promise.allSettled(
      [template0, postgres].map(({ oid }) =>
        session.copyDatabase(template1.oid, defaultTablespace, oid, defaultTablespace),
      ),
    )
    for (const copy of copies) if (copy.status === 'rejected') throw copy.reason
    session.commit(true)
    session.close()
    // A new cluster has done nothing yet.
    native.resetStatistics()
    await native.close()
  } catch (error) {
    native.abandon()
    throw error
  }
  await binding.syncDirectoryTree(directory)
  // The file without which nobody takes the directory for a cluster comes last.
  write(directory, 'PG_VERSION', `${bundle.major}\n`)
  for (const path of [join(directory, 'PG_VERSION'), directory]) {
    const descriptor = openSync(path, 'r')
    fsyncSync(descriptor)
    closeSync(descriptor)
  }
}

// Time of day, process and chance, so that no two clusters are taken for one.
function newSystemIdentifier(): bigint {
  const seconds = BigInt(Math.floor(Date.now() / 1000))
  return (seconds << 32n) | BigInt(crypto.getRandomValues(new Uint32Array(1))[0] as number)
}

function writeRelation(
  native: NativeCluster,
  session: NativeSession,
  source: BundleRelation,
  bundle: Bundle,
  options: ResolvedOptions,
): void {
  const descriptor = source.descriptor
  const { persistence } = descriptor
  session.createStorage(descriptor.locator, persistence)
  for (const { locator } of descriptor.indexes) session.createStorage(locator, persistence)
  if (descriptor.toast !== undefined) {
    session.createStorage(descriptor.toast.locator, persistence)
    session.createStorage(descriptor.toast.indexLocator, persistence)
  }
  const relation = native.relation(descriptor)
  if (descriptor.toast !== undefined) session.buildToastIndex(relation)
  // Rows first, indexes after: sorted builds.
  const bare = native.relation({ ...descriptor, indexes: [] })
  for (const batch of source.batches) {
    const attributes = descriptor.attributes.map((_, i) => i + 1)
    const layout = bare.layout(attributes, batch.rows, false)
    const offsets = [...layout.nulls, ...layout.values, layout.heap]
    if (offsets.join() !== batch.offsets.join()) {
      throw new PgError('XX000', 'the catalog bundle was made by another build of pgdata')
    }
    const bytes = new Uint8Array(bundle.data.subarray(batch.start, batch.end))
    session.insert(bare, layout.id, bytes, true, 'refuse')
  }
  if (source.rows !== undefined) {
    const columns = descriptor.attributes.map((attribute, i) => ({
      name: attribute.name,
      attribute: i + 1,
      codec: codecFor(attribute.typeOid),
    }))
    const access = new RelationAccess(native, { ...descriptor, indexes: [] }, columns)
    access.insert(session, rowsOfInit(descriptor, source.rows, options), true)
  }
  for (let index = 0; index < descriptor.indexes.length; index++)
    finishedAtOnce(session.rebuildIndex(relation, index))
}

// The rows that depend on the options.
function rowsOfInit(
  descriptor: RelationDescriptor,
  rows: Record<string, unknown>[],
  options: ResolvedOptions,
): Record<string, unknown>[] {
  switch (descriptor.name) {
    case 'pg_authid':
      return rows.map((row) =>
        row.oid === bootstrapSuperuser ? { ...row, rolname: options.username } : row,
      )
    case 'pg_database':
      return rows.map((row) => ({
        ...row,
        ...localeColumns(options),
        // Nothing is ever ordered in template0, and a copy of it gets the version of its own time.
        ...(row.oid === template0.oid && { datcollversion: null }),
      }))
    default:
      throw new PgError('XX000', `the catalog bundle has rows for "${descriptor.name}"`)
  }
}

function localeColumns(options: ResolvedOptions): Record<string, unknown> {
  const isBuiltin = options.localeProvider === 'builtin'
  return {
    encoding: encodings[options.encoding],
    datlocprovider: isBuiltin ? 'b' : 'c',
    datcollate: options.locale,
    datctype: options.locale,
    datlocale: isBuiltin ? options.locale : null,
    // The builtin provider's version of its locales; libc's C has none.
    datcollversion: isBuiltin ? '1' : null,
  }
}
