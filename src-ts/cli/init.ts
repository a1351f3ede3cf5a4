// pgdata init: makes a cluster.
import type { Command } from 'commander'
import { Option } from 'commander'
import { Cluster } from '../cluster/cluster.ts'
import type { InitOptions } from '../cluster/init.ts'
import { PgError } from '../errors/pg-error.ts'
import { write, writeJson } from './output.ts'

interface Options {
  username: string
  dataChecksums: boolean
  walSegsize: string
  blockSize: string
  localeProvider: 'builtin' | 'libc'
  locale?: string
  encoding: 'UTF8' | 'SQL_ASCII'
  json?: boolean
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new PgError('22023', `argument of ${option} must be a whole number: "${text}"`)
  }
  return Number(text)
}

export function addInit(program: Command): void {
  program
    .command('init <dir>')
    .description('make a cluster in a directory that does not exist or is empty')
    .option('-U, --username <name>', 'name of the superuser', 'postgres')
    .option('--no-data-checksums', 'write pages without checksums')
    .option('--wal-segsize <MB>', 'size of WAL segment files, in megabytes', '16')
    .option('--block-size <bytes>', 'page size; stock PostgreSQL opens 8192 only', '8192')
    .addOption(
      new Option('--locale-provider <provider>', 'where collations come from')
        .choices(['builtin', 'libc'])
        .default('builtin'),
    )
    .option('--locale <locale>', 'default collation (C.UTF-8, or C with provider libc)')
    .addOption(
      new Option('-E, --encoding <encoding>', 'encoding of the databases')
        .choices(['UTF8', 'SQL_ASCII'])
        .default('UTF8'),
    )
    .option('--json', 'print one JSON document')
    .action(async (directory: string, options: Options) => {
      const init: InitOptions = {
        username: options.username,
        dataChecksums: options.dataChecksums,
        walSegmentSize: wholeNumber('--wal-segsize', options.walSegsize) * 1024 ** 2,
        blockSize: wholeNumber('--block-size', options.blockSize),
        localeProvider: options.localeProvider,
        locale: options.locale ?? (options.localeProvider === 'libc' ? 'C' : 'C.UTF-8'),
        encoding: options.encoding,
      }
      await Cluster.init(directory, init)
      if (options.json) await writeJson({ directory, ...init })
      else await write(`made a cluster in ${directory}\n`)
    })
}
