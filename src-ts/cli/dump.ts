// pgdata dump: the rows of a table, in the bytes of COPY TO or as JSON lines.
import type { Command } from 'commander'
import { Option } from 'commander'
import { PgError } from '../errors/pg-error.ts'
import { OfflineCluster } from '../inspect/offline-cluster.ts'
import {
  columnsToPrint,
  csvHeader,
  type TextFormat,
  textFormats,
  textRows,
} from '../inspect/text-rows.ts'
import { write } from './output.ts'
import { progressBar } from './progress.ts'

interface Options {
  format: TextFormat
  columns?: string
  database: string
  json?: boolean
}

// pg_class.relkind of relations without rows of their own.
const rowless: Record<string, string> = {
  v: 'view',
  p: 'partitioned table',
  f: 'foreign table',
  i: 'index',
  I: 'partitioned index',
  c: 'composite type',
}

export function addDump(program: Command): void {
  program
    .command('dump <dir> <table>')
    .description('write the rows of a table to standard output')
    .addOption(
      new Option('-f, --format <format>', 'csv and copy are byte for byte what COPY TO writes')
        .choices(textFormats)
        .default('csv'),
    )
    .option('--columns <names>', 'columns to write, separated by commas')
    .option('-d, --database <name>', 'database', 'postgres')
    .option('--json', 'the same as --format jsonl')
    .action(async (directory: string, table: string, options: Options) => {
      const format = options.json ? 'jsonl' : options.format
      const cluster = await OfflineCluster.open(directory)
      try {
        const database = cluster.database(options.database)
        const row = database.find(table)
        const kind = rowless[row.relkind]
        if (kind !== undefined) {
          throw new PgError('42809', `cannot dump ${kind} "${row.relname}"`, {
            ...(row.relkind === 'p' && { hint: 'Dump its partitions.' }),
          })
        }
        const relation = database.open(row)
        const names = options.columns?.split(',').map((name) => name.trim())
        const columns = columnsToPrint(row.relname, relation.columns, names)
        const bar = progressBar('rows', Math.max(row.reltuples, 0))
        try {
          if (format === 'csv') await write(csvHeader(columns.map(({ name }) => name)))
          for (const { text, rows } of textRows(
            database.session,
            relation.access,
            columns,
            format,
          )) {
            await write(text)
            bar.add(rows)
          }
        } finally {
          bar.stop()
        }
      } finally {
        await cluster.close()
      }
    })
}
