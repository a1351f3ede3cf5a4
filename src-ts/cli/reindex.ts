// pgdata reindex: builds indexes anew.
import { type Command, InvalidArgumentError } from 'commander'
import { Cluster } from '../cluster/cluster.ts'
import type { ReindexTarget } from '../command/reindex.ts'
import { write, writeJson } from './output.ts'

interface Options {
  database: string
  index?: string
  table?: string
  schema?: string
  all?: boolean
  system?: boolean
  json?: boolean
}

export function addReindex(program: Command): void {
  program
    .command('reindex <dir>')
    .description('build an index anew, or all indexes of a table, a schema or a database')
    .option('-d, --database <name>', 'the database', 'postgres')
    .option('--index <name>', 'one index')
    .option('--table <name>', 'all indexes of a table')
    .option('--schema <name>', 'all indexes of the tables of a schema')
    .option('--all', 'all indexes of the database, but for those of system catalogs')
    .option('--system', 'all indexes of system catalogs')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, options: Options) => {
      const target = targetOf(options)
      await using cluster = await Cluster.open(directory)
      await using session = await cluster.connect({ database: options.database })
      const names = await session.reindex(target)
      if (options.json) await writeJson(names)
      else await write(names.map((name) => `${name}\n`).join(''))
    })
}

function targetOf({ index, table, schema, all, system }: Options): ReindexTarget {
  const targets: ReindexTarget[] = []
  if (index !== undefined) targets.push({ index })
  if (table !== undefined) targets.push({ table })
  if (schema !== undefined) targets.push({ schema })
  if (all) targets.push({ database: true })
  if (system) targets.push({ system: true })
  const [target] = targets
  if (target === undefined || targets.length > 1)
    throw new InvalidArgumentError('give one of --index, --table, --schema, --all and --system')
  return target
}
