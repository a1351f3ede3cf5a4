// pg_control as `pgdata control` shows it, and as the other readers use it.
//
// The lines are pg_controldata's of the directory's own release. Source: src/bin/pg_controldata/pg_controldata.c,
// PostgreSQL 13 to 18.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { binding } from '../binding/addon.ts'
import { PgError } from '../errors/pg-error.ts'

export interface ControlFile {
  major: number
  system_identifier: bigint
  pg_control_version: number
  catalog_version_no: number
  state: string
  time: number
  checkPoint: bigint
  redo: bigint
  ThisTimeLineID: number
  PrevTimeLineID: number
  fullPageWrites: boolean
  nextXid: bigint
  nextOid: number
  nextMulti: number
  nextMultiOffset: number
  oldestXid: number
  oldestXidDB: number
  oldestMulti: number
  oldestMultiDB: number
  oldestActiveXid: number
  oldestCommitTsXid: number
  newestCommitTsXid: number
  checkPointTime: number
  unloggedLSN: bigint
  minRecoveryPoint: bigint
  minRecoveryPointTLI: number
  backupStartPoint: bigint
  backupEndPoint: bigint
  backupEndRequired: boolean
  wal_level: string
  wal_log_hints: boolean
  MaxConnections: number
  max_worker_processes: number
  max_wal_senders: number
  max_prepared_xacts: number
  max_locks_per_xact: number
  track_commit_timestamp: boolean
  maxAlign: number
  blcksz: number
  relseg_size: number
  xlog_blcksz: number
  xlog_seg_size: number
  nameDataLen: number
  indexMaxKeys: number
  toast_max_chunk_size: number
  loblksize: number
  float8ByVal: boolean
  data_checksum_version: number
  default_char_signedness: boolean
  mock_authentication_nonce: string
}

export function isClusterDirectory(path: string): boolean {
  return existsSync(join(path, 'PG_VERSION'))
}

/** Throws 58P01 when the directory is no cluster, XX001 when the file is damaged, 0A000 for another release. */
export function readControlFile(dataDirectory: string): ControlFile {
  if (!isClusterDirectory(dataDirectory)) {
    throw new PgError('58P01', `"${dataDirectory}" is not a database cluster directory`)
  }
  return binding.readControlFile(dataDirectory) as unknown as ControlFile
}

export function formatLsn(lsn: bigint): string {
  const half = (value: bigint) => value.toString(16).toUpperCase()
  return `${half(lsn >> 32n)}/${half(lsn & 0xffffffffn)}`
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

// strftime's %c in the locale C: "Sat Nov 21 02:57:29 2026", local time.
function formatTime(seconds: number): string {
  const time = new Date(seconds * 1000)
  const two = (value: number) => `${value}`.padStart(2, '0')
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
  const day = `${time.getDate()}`.padStart(2)
  return `${weekdays[time.getDay()]} ${months[time.getMonth()]} ${day} ${clock} ${time.getFullYear()}`
}

function walFileName(control: ControlFile): string {
  const segment = control.redo / BigInt(control.xlog_seg_size)
  const perId = 0x100000000n / BigInt(control.xlog_seg_size)
  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, '0')
  return hex(BigInt(control.ThisTimeLineID)) + hex(segment / perId) + hex(segment % perId)
}

// Labels are padded to this column.
const valueColumn = 38

/** What pg_controldata prints, without the last newline. */
export function formatControlFile(control: ControlFile): string {
  const onOff = (value: boolean) => (value ? 'on' : 'off')
  const lines: [label: string, value: string | number | bigint][] = [
    ['pg_control version number', control.pg_control_version],
    ['Catalog version number', control.catalog_version_no],
    ['Database system identifier', control.system_identifier],
    ['Database cluster state', control.state],
    ['pg_control last modified', formatTime(control.time)],
    ['Latest checkpoint location', formatLsn(control.checkPoint)],
    ["Latest checkpoint's REDO location", formatLsn(control.redo)],
    ["Latest checkpoint's REDO WAL file", walFileName(control)],
    ["Latest checkpoint's TimeLineID", control.ThisTimeLineID],
    ["Latest checkpoint's PrevTimeLineID", control.PrevTimeLineID],
    ["Latest checkpoint's full_page_writes", onOff(control.fullPageWrites)],
    ["Latest checkpoint's NextXID", `${control.nextXid >> 32n}:${control.nextXid & 0xffffffffn}`],
    ["Latest checkpoint's NextOID", control.nextOid],
    ["Latest checkpoint's NextMultiXactId", control.nextMulti],
    ["Latest checkpoint's NextMultiOffset", control.nextMultiOffset],
    ["Latest checkpoint's oldestXID", control.oldestXid],
    ["Latest checkpoint's oldestXID's DB", control.oldestXidDB],
    ["Latest checkpoint's oldestActiveXID", control.oldestActiveXid],
    ["Latest checkpoint's oldestMultiXid", control.oldestMulti],
    ["Latest checkpoint's oldestMulti's DB", control.oldestMultiDB],
    ["Latest checkpoint's oldestCommitTsXid", control.oldestCommitTsXid],
    ["Latest checkpoint's newestCommitTsXid", control.newestCommitTsXid],
    ['Time of latest checkpoint', formatTime(control.checkPointTime)],
    ['Fake LSN counter for unlogged rels', formatLsn(control.unloggedLSN)],
    ['Minimum recovery ending location', formatLsn(control.minRecoveryPoint)],
    ["Min recovery ending loc's timeline", control.minRecoveryPointTLI],
    ['Backup start location', formatLsn(control.backupStartPoint)],
    ['Backup end location', formatLsn(control.backupEndPoint)],
    ['End-of-backup record required', control.backupEndRequired ? 'yes' : 'no'],
    ['wal_level setting', control.wal_level],
    ['wal_log_hints setting', onOff(control.wal_log_hints)],
    ['max_connections setting', control.MaxConnections],
    ['max_worker_processes setting', control.max_worker_processes],
    ['max_wal_senders setting', control.max_wal_senders],
    ['max_prepared_xacts setting', control.max_prepared_xacts],
    ['max_locks_per_xact setting', control.max_locks_per_xact],
    ['track_commit_timestamp setting', onOff(control.track_commit_timestamp)],
    ['Maximum data alignment', control.maxAlign],
    ['Database block size', control.blcksz],
    ['Blocks per segment of large relation', control.relseg_size],
    ['WAL block size', control.xlog_blcksz],
    ['Bytes per WAL segment', control.xlog_seg_size],
    ['Maximum length of identifiers', control.nameDataLen],
    ['Maximum columns in an index', control.indexMaxKeys],
    ['Maximum size of a TOAST chunk', control.toast_max_chunk_size],
    ['Size of a large-object chunk', control.loblksize],
    ['Date/time type storage', '64-bit integers'],
    ['Float8 argument passing', control.float8ByVal ? 'by value' : 'by reference'],
    ['Data page checksum version', control.data_checksum_version],
  ]
  if (control.major >= 18) {
    const signedness = control.default_char_signedness ? 'signed' : 'unsigned'
    lines.push(['Default char data signedness', signedness])
  }
  lines.push(['Mock authentication nonce', control.mock_authentication_nonce])
  return lines.map(([label, value]) => `${`${label}:`.padEnd(valueColumn)}${value}`).join('\n')
}
