// pgdata wal: the records of the write-ahead log, as pg_waldump prints them.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { PgError } from '../errors/pg-error.ts'
import { formatLsn } from '../inspect/control-file.ts'
import {
  builtinResourceManagers,
  parseLsn,
  resourceManagerId,
  type WalFilter,
  type WalFork,
  WalLog,
  type WalRecord,
  walForks,
} from '../inspect/wal-log.ts'
import { WalStatistics } from '../inspect/wal-statistics.ts'
import { recordLine, recordObject, recordTypeText } from '../inspect/wal-text.ts'
import { write, writeJson } from './output.ts'

interface Options {
  start?: bigint
  end?: bigint
  limit?: number
  rmgr?: number[]
  xid?: number
  relation?: { spcOid: number; dbOid: number; relNumber: number }
  block?: number
  fork?: WalFork
  fullpage?: boolean
  bkpDetails?: boolean
  stats?: true | string
  timeline?: number
  follow?: boolean
  describe: boolean
  json?: boolean
}

const followPauseMs = 200

// An option's value that PgError refuses is refused by commander, which prints the option's name.
function refusing<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  }
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (!/^\d{1,10}$/.test(text) || value > 0xffffffff) {
    throw new InvalidArgumentError('Not a number from 0 to 4294967295.')
  }
  return value
}

function parseRelation(text: string): Options['relation'] {
  const parts = /^(\d{1,10})\/(\d{1,10})\/(\d{1,10})$/.exec(text)
  if (parts === null) {
    throw new InvalidArgumentError('Expected "tablespace OID/database OID/relation filenode".')
  }
  const [spcOid, dbOid, relNumber] = parts.slice(1).map(parseNumber) as [number, number, number]
  return { spcOid, dbOid, relNumber }
}

function refuseUndescribed(record: WalRecord, release: number): void {
  if (record.isDescribed) return
  const type = `${record.rmgr}/${recordTypeText(record)}`
  throw new PgError(
    '0A000',
    `cannot describe record ${type} of release ${release} at ${formatLsn(record.lsn)}`,
    {
      detail: 'Its layout differs from release 18.',
      hint: 'Use --no-describe to print records without their descriptions, or --stats.',
    },
  )
}

// Where records go: lines, JSON or statistics.
interface Sink {
  begin(lsn: bigint): void
  records(records: WalRecord[]): Promise<void>
  end(): Promise<void>
}

function sinkFor(options: Options, pageSize: number): Sink {
  if (options.stats !== undefined) {
    const statistics = new WalStatistics(options.stats === 'record')
    return {
      begin: (lsn) => statistics.begin(lsn),
      async records(records) {
        for (const record of records) statistics.add(record)
      },
      end: () => (options.json ? writeJson(statistics.object()) : write(statistics.text())),
    }
  }
  if (options.json) {
    let separator = '[\n'
    return {
      begin: () => undefined,
      async records(records) {
        if (records.length === 0) return
        const texts = records.map((record) => `  ${JSON.stringify(recordObject(record))}`)
        await write(separator + texts.join(',\n'))
        separator = ',\n'
      },
      end: () => write(separator === ',\n' ? '\n]\n' : '[]\n'),
    }
  }
  const detailed = options.bkpDetails ?? false
  return {
    begin: () => undefined,
    records: (records) =>
      write(records.map((record) => recordLine(record, detailed, pageSize)).join('')),
    end: async () => undefined,
  }
}

async function printWal(directory: string, options: Options): Promise<'done' | 'problems'> {
  const filter: WalFilter = {
    rmgrs: options.rmgr,
    xid: options.xid,
    relation: options.relation,
    block: options.block,
    fork: options.fork,
    fullPage: options.fullpage,
    end: options.end,
  }
  const log = WalLog.open(directory, filter, options.timeline)
  const from = options.start ?? log.oldest
  const first = log.begin(from)
  if (first === undefined) {
    throw new PgError('XX001', `could not find a valid record after ${formatLsn(from)}`, {
      detail: log.endReason,
    })
  }
  if (options.start !== undefined && first !== from) {
    const skipped = first - from
    console.error(
      `pgdata: first record is after ${formatLsn(from)}, at ${formatLsn(first)}, skipping over ${skipped} bytes`,
    )
  }
  const sink = sinkFor(options, log.pageSize)
  sink.begin(first)
  const describe = options.stats === undefined && options.describe
  let left = options.limit ?? Number.POSITIVE_INFINITY
  while (left > 0) {
    let records = log.read(describe)
    if (records.length > left) records = records.slice(0, left)
    left -= records.length
    const refused = records.findIndex((record) => !record.isDescribed)
    if (refused >= 0) {
      await sink.records(records.slice(0, refused))
      refuseUndescribed(records[refused] as WalRecord, log.release)
    }
    await sink.records(records)
    if (log.state === 'end of log' && options.follow) await sleep(followPauseMs)
    else if (log.state !== 'more') break
  }
  await sink.end()
  if (left === 0 || log.state !== 'end of log') return 'done'
  const missing = options.end ?? log.missingBefore()
  if (missing === undefined) return 'done'
  console.error(`pgdata: the log ends before ${formatLsn(missing)}\nDETAIL:  ${log.endReason}.`)
  return 'problems'
}

export function addWal(program: Command, report: (status: 'done' | 'problems') => void): void {
  program
    .command('wal <dir>')
    .description(
      'print records of the write-ahead log, as pg_waldump does; <dir> is a cluster or holds WAL segments',
    )
    .option('-s, --start <lsn>', 'first record at or after this position', refusing(parseLsn))
    .option('-e, --end <lsn>', 'stop at this position', refusing(parseLsn))
    .option('-n, --limit <count>', 'stop after so many records', parseNumber)
    .option('-t, --timeline <id>', "timeline (default: the control file's)", parseNumber)
    .option(
      '-r, --rmgr <name>',
      'records of this resource manager only; can be given more than once; "list" lists them',
      (text: string, before: number[] | undefined) => {
        const id = text === 'list' ? -1 : refusing(resourceManagerId)(text)
        return [...(before ?? []), id]
      },
    )
    .option('-x, --xid <xid>', 'records of this transaction only', parseNumber)
    .option('-R, --relation <t/d/r>', 'records that change this relation file only', parseRelation)
    .option('-B, --block <number>', 'with --relation, records that change this block', parseNumber)
    .addOption(
      new Option('-F, --fork <fork>', 'records that change this fork only').choices(walForks),
    )
    .option('-w, --fullpage', 'records with a full page image only')
    .option('-b, --bkp-details', 'more about page images')
    .addOption(
      new Option(
        '-z, --stats [by]',
        'statistics instead of records, by resource manager, or by "record" type',
      ).choices(['rmgr', 'record']),
    )
    .option('-f, --follow', 'at the end of the log, wait for more')
    .option('--no-describe', 'leave the descriptions out')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, options: Options) => {
      if (options.rmgr?.includes(-1)) {
        await write(`${builtinResourceManagers().join('\n')}\n`)
        return
      }
      if (options.block !== undefined && options.relation === undefined) {
        throw new PgError('22023', '--block also requires --relation')
      }
      report(await printWal(directory, options))
    })
}
