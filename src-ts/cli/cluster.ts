// pgdata cluster: writes a table anew in the order of an index.
import type { Command } from 'commander'
import { Cluster } from '../cluster/cluster.ts'
import { write, writeJson } from './output.ts'
import { formatReports } from './vacuum.ts'

interface Options {
  database: string
  json?: boolean
}

export function addCluster(program: Command): void {
  program
    .command('cluster <dir> <table> [index]')
    .description('write a table anew in the order of an index, by default the one of the last time')
    .option('-d, --database <name>', 'the database', 'postgres')
    .option('--json', 'print one JSON document')
    .action(
      async (directory: string, table: string, index: string | undefined, options: Options) => {
        await using cluster = await Cluster.open(directory)
        await using session = await cluster.connect({ database: options.database })
        const report = await session.cluster(table, index)
        if (options.json) await writeJson(report)
        else await write(`${formatReports([report])}\n`)
      },
    )
}
