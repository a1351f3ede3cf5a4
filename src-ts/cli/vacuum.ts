// pgdata vacuum: removes dead rows of one table or of a whole database.
import { type Command, Option } from 'commander'
import { Cluster } from '../cluster/cluster.ts'
import type { VacuumOptions, VacuumReport } from '../command/vacuum.ts'
import { formatTable, write, writeJson } from './output.ts'
import { progressBar } from './progress.ts'

interface Options {
  database: string
  freeze?: boolean
  full?: boolean
  analyze?: boolean
  truncate: boolean
  indexCleanup: 'auto' | 'on' | 'off'
  disablePageSkipping?: boolean
  skipLocked?: boolean
  json?: boolean
}

export function addVacuum(program: Command): void {
  program
    .command('vacuum <dir> [table]')
    .description('remove dead rows of a table, or of all tables of a database')
    .option('-d, --database <name>', 'the database', 'postgres')
    .option('--freeze', 'freeze all rows that every transaction sees')
    .option('--full', 'write tables anew, and their indexes')
    .option('--analyze', 'find out for the planner what is in the tables')
    .addOption(
      new Option('--index-cleanup <when>', 'remove dead rows from indexes')
        .choices(['auto', 'on', 'off'])
        .default('auto'),
    )
    .option('--disable-page-skipping', 'look at every page')
    .option('--skip-locked', 'leave tables out that are locked')
    .option('--no-truncate', 'leave empty pages at the end of tables')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, table: string | undefined, options: Options) => {
      await using cluster = await Cluster.open(directory)
      await using session = await cluster.connect({ database: options.database })
      const bar = progressBar('blocks', 0, true)
      const vacuum: VacuumOptions = {
        freeze: options.freeze ?? false,
        full: options.full ?? false,
        analyze: options.analyze ?? false,
        indexCleanup: options.indexCleanup,
        disablePageSkipping: options.disablePageSkipping ?? false,
        skipLocked: options.skipLocked ?? false,
        truncate: options.truncate,
        onProgress: blocksOf((blocks) => bar.add(blocks)),
      }
      let reports: VacuumReport[]
      try {
        reports = await (table === undefined
          ? session.vacuum(vacuum)
          : session.vacuum(table, vacuum))
      } finally {
        bar.stop()
      }
      if (options.json) await writeJson(reports)
      else await write(`${formatReports(reports)}\n`)
    })
}

// Each report tells the blocks scanned of one relation so far; a bar wants those since the last one.
function blocksOf(add: (blocks: number) => void): NonNullable<VacuumOptions['onProgress']> {
  let relation = ''
  let scanned = 0
  return (progress) => {
    if (progress.relation !== relation) scanned = 0
    relation = progress.relation
    add(progress.heap_blks_scanned - scanned)
    scanned = progress.heap_blks_scanned
  }
}

/** A table of what was done. */
export function formatReports(reports: readonly VacuumReport[]): string {
  return formatTable(
    ['relation', 'pages', 'scanned', 'cut off', 'removed', 'frozen', 'kept dead', 'live'],
    reports.map((report) => [
      report.relation,
      `${report.pages}`,
      `${report.scannedPages}`,
      `${report.pages - report.remainingPages}`,
      `${report.tuplesRemoved}`,
      `${report.tuplesFrozen}`,
      `${report.tuplesNotYetRemovable}`,
      `${Math.max(0, report.liveTuples)}`,
    ]),
  )
}
