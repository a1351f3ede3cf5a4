// pgdata list: databases, and the relations of one or all of them, with sizes and files.
import type { Command } from 'commander'
import { OfflineCluster, relationPath } from '../inspect/offline-cluster.ts'
import type { OfflineDatabase } from '../inspect/offline-database.ts'
import { relationBytes } from '../inspect/relation-files.ts'
import { formatTable, write, writeJson } from './output.ts'

interface Options {
  database?: string
  system?: boolean
  json?: boolean
}

interface ListedRelation {
  schema: string
  name: string
  kind: string
  /** pg_class.reltuples; null before the first VACUUM or ANALYZE. */
  rows: number | null
  bytes: number
  file: string | null
}

// pg_class.relkind.
const kinds: Record<string, string> = {
  r: 'table',
  i: 'index',
  S: 'sequence',
  t: 'TOAST table',
  v: 'view',
  m: 'materialized view',
  c: 'composite type',
  f: 'foreign table',
  p: 'partitioned table',
  I: 'partitioned index',
}
const kindsWithFiles = 'riStm'
const systemSchemas = ['pg_catalog', 'information_schema', 'pg_toast']

function listRelations(database: OfflineDatabase, system: boolean): ListedRelation[] {
  const { cluster } = database
  const listed: ListedRelation[] = []
  for (const row of database.classes().values()) {
    const schema = database.namespaces().get(row.relnamespace) ?? `${row.relnamespace}`
    if (!system && systemSchemas.includes(schema)) continue
    const hasFile = kindsWithFiles.includes(row.relkind) && row.relpersistence !== 't'
    const file = hasFile ? relationPath(cluster.control, database.locator(row)) : null
    listed.push({
      schema,
      name: row.relname,
      kind: kinds[row.relkind] ?? row.relkind,
      rows: row.reltuples < 0 ? null : row.reltuples,
      bytes: file === null ? 0 : relationBytes(cluster.dataDirectory, file),
      file,
    })
  }
  const key = ({ schema, name }: ListedRelation) => `${schema}\0${name}`
  return listed.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

export function addList(program: Command): void {
  program
    .command('list <dir>')
    .description('list databases and their relations, with sizes and files')
    .option('-d, --database <name>', 'this database only')
    .option('-S, --system', 'catalogs, information_schema and TOAST tables too')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, options: Options) => {
      const cluster = await OfflineCluster.open(directory)
      try {
        const names =
          options.database === undefined
            ? cluster.databases().map(({ datname }) => datname)
            : [options.database]
        const databases = names.map((name) => {
          const database = cluster.database(name)
          const relations = listRelations(database, options.system ?? false)
          return { name, oid: database.row.oid, directory: database.directory, relations }
        })
        if (options.json) await writeJson({ databases })
        else {
          for (const { name, oid, directory: place, relations } of databases) {
            await write(`database ${name} (oid ${oid}, ${place}): ${relations.length} relations\n`)
            if (relations.length === 0) continue
            const rows = relations.map((relation) => [
              relation.schema,
              relation.name,
              relation.kind,
              relation.rows === null ? '-' : `${relation.rows}`,
              `${relation.bytes}`,
              relation.file ?? '-',
            ])
            const header = ['schema', 'name', 'kind', 'rows', 'bytes', 'file']
            await write(`${formatTable(header, rows)}\n\n`)
          }
        }
      } finally {
        await cluster.close()
      }
    })
}
