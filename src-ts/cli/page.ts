// pgdata page: one page of a relation, decoded.
import type { Command } from 'commander'
import { Option } from 'commander'
import { PgError } from '../errors/pg-error.ts'
import { OfflineCluster, relationPath } from '../inspect/offline-cluster.ts'
import type { ClassRow, OfflineDatabase } from '../inspect/offline-database.ts'
import {
  type DecodedPage,
  decodePage,
  type PageColumn,
  type PageKind,
} from '../inspect/page-decoder.ts'
import { type Fork, forkBytes, forkSuffixes, readBlock } from '../inspect/relation-files.ts'
import { write, writeJson } from './output.ts'

interface Options {
  fork: Fork
  database: string
  json?: boolean
}

const btreeAccessMethod = 403

function kindOf(row: ClassRow, fork: Fork): PageKind {
  if (fork === 'fsm' || fork === 'vm') return fork
  if (row.relkind === 'i') return row.relam === btreeAccessMethod ? 'btree' : 'other'
  return 'heap'
}

function columnsOf(database: OfflineDatabase, row: ClassRow): PageColumn[] {
  return database.attributeRows(row.oid).map((attribute) => ({
    name: attribute.attname,
    length: attribute.attlen,
    align: attribute.attalign as PageColumn['align'],
    dropped: attribute.attisdropped,
    codec: attribute.attisdropped
      ? undefined
      : database.typeCodec(attribute.atttypid, attribute.atttypmod),
  }))
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.join(' ') || '-'
  if (value !== null && typeof value === 'object') {
    return Object.entries(value)
      .map(([name, item]) => `${name}=${item === null ? 'NULL' : JSON.stringify(item)}`)
      .join(' ')
  }
  return `${value}`
}

function describe(page: DecodedPage, file: string): string {
  const lines = [`block ${page.block} of "${file}": ${page.kind} page`]
  const section = (title: string, fields: Record<string, unknown>) => {
    lines.push('', title)
    for (const [name, value] of Object.entries(fields)) {
      lines.push(`  ${name.padEnd(20)}${shown(value)}`)
    }
  }
  section('header', page.header)
  if (page.special !== undefined) section('special space', page.special)
  for (const { offset, lp_off, lp_flags, lp_len, ...fields } of page.items) {
    section(`item ${offset}: ${lp_flags}, offset ${lp_off}, length ${lp_len}`, fields)
  }
  if (page.entries !== undefined) {
    lines.push('', 'entries')
    for (const { slot, value } of page.entries)
      lines.push(`  ${`${slot}`.padEnd(12)}${shown(value)}`)
  }
  return lines.join('\n')
}

export function addPage(program: Command): void {
  program
    .command('page <dir> <relation> <block>')
    .description('decode one page: header, line pointers, tuples, special space')
    .addOption(
      new Option('--fork <fork>', 'which file of the relation')
        .choices(Object.keys(forkSuffixes))
        .default('main'),
    )
    .option('-d, --database <name>', 'database', 'postgres')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, name: string, blockText: string, options: Options) => {
      if (!/^\d{1,10}$/.test(blockText)) {
        throw new PgError('22023', `invalid block number: "${blockText}"`)
      }
      const block = Number(blockText)
      const cluster = await OfflineCluster.open(directory)
      try {
        const database = cluster.database(options.database)
        const row = database.find(name)
        const path = relationPath(cluster.control, database.locator(row))
        const { blcksz, relseg_size } = cluster.control
        const { fork } = options
        const page = readBlock(cluster.dataDirectory, path, fork, block, blcksz, relseg_size)
        const file = path + forkSuffixes[fork]
        if (page === undefined) {
          const bytes = forkBytes(cluster.dataDirectory, path, fork) ?? 0
          throw new PgError(
            '22023',
            `block ${block} is out of range for relation "${row.relname}"`,
            {
              detail: `"${file}" has ${Math.floor(bytes / blcksz)} blocks.`,
            },
          )
        }
        const kind = kindOf(row, fork)
        const columns = kind === 'heap' ? columnsOf(database, row) : []
        const decoded = decodePage(page, block, kind, columns)
        if (options.json) await writeJson({ file, ...decoded })
        else await write(`${describe(decoded, file)}\n`)
      } finally {
        await cluster.close()
      }
    })
}
