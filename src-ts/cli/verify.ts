// pgdata verify: checks every file of every database and names each bad block.
import type { Command } from 'commander'
import { LockFile } from '../cluster/lock-file.ts'
import { PgError } from '../errors/pg-error.ts'
import { OfflineCluster, relationPath } from '../inspect/offline-cluster.ts'
import type { ClassRow, OfflineDatabase } from '../inspect/offline-database.ts'
import { relationBytes } from '../inspect/relation-files.ts'
import {
  corruptionCodes,
  kindsWithFiles,
  type Problem,
  RelationVerifier,
} from '../inspect/verify-relation.ts'
import { write, writeJson } from './output.ts'
import { progressBar } from './progress.ts'

interface Options {
  database?: string
  relation?: string
  json?: boolean
}

function describe(problem: Problem): string {
  const { database, relation, file, block, offset, attribute, message } = problem
  const where = [
    ...(block === null ? [] : [`block ${block}`]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
    ...(attribute === undefined ? [] : [`attribute ${attribute}`]),
  ]
  const place = where.length === 0 ? '' : `, ${where.join(', ')}`
  return `${database}: ${relation} ("${file}")${place}: ${message}`
}

// A database whose catalogs cannot be read: nothing else of it can be found.
function catalogProblem(database: string, { message }: PgError): Problem {
  return { database, relation: 'pg_catalog', file: 'catalogs', block: null, message }
}

// What a session kept in its memory is in no file that could be checked.
function chosenRelations(database: OfflineDatabase, name: string | undefined): ClassRow[] {
  if (name !== undefined) return [database.find(name)]
  return [...database.classes().values()].filter(
    ({ relkind, relpersistence }) => kindsWithFiles.includes(relkind) && relpersistence !== 't',
  )
}

export function addVerify(program: Command, report: (status: 'done' | 'problems') => void): void {
  program
    .command('verify <dir>')
    .description('check checksums, pages, heaps and B-trees; exit status 1 when something is wrong')
    .option('-d, --database <name>', 'this database only')
    .option('-r, --relation <name>', 'this relation only, with its B-trees')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, options: Options) => {
      LockFile.refuseHeld(directory)
      const cluster = await OfflineCluster.open(directory)
      try {
        const { state } = cluster.control
        if (!state.startsWith('shut down')) {
          throw new PgError('55000', 'database system was not shut down cleanly', {
            detail: `Its state is "${state}"; pages may be torn until recovery mends them.`,
          })
        }
        const chosen = options.database ?? (options.relation === undefined ? undefined : 'postgres')
        const names =
          chosen === undefined ? cluster.databases().map((row) => row.datname) : [chosen]
        const problems: Problem[] = []
        const work = names.flatMap((name) => {
          try {
            const database = cluster.database(name)
            return [{ database, rows: chosenRelations(database, options.relation) }]
          } catch (error) {
            if (!(error instanceof PgError) || !corruptionCodes.includes(error.code)) throw error
            problems.push(catalogProblem(name, error))
            return []
          }
        })
        const bytes = work
          .flatMap(({ database, rows }) =>
            rows.map((row) => relationPath(cluster.control, database.locator(row))),
          )
          .reduce((sum, path) => sum + relationBytes(cluster.dataDirectory, path), 0)
        const bar = progressBar('blocks', Math.floor(bytes / cluster.control.blcksz), true)
        let blocks = 0
        let relations = 0
        // Shared catalogs are seen from every database.
        const sharedDone = new Set<number>()
        try {
          for (const { database, rows } of work) {
            const verifier = new RelationVerifier(database, (count) => {
              blocks += count
              bar.add(count)
            })
            for (const row of rows) {
              if (row.relisshared && sharedDone.has(row.oid)) continue
              if (row.relisshared) sharedDone.add(row.oid)
              verifier.verify(row)
              relations++
            }
            problems.push(...verifier.problems)
          }
        } finally {
          bar.stop()
        }
        if (options.json) await writeJson({ relations, blocks, problems })
        else {
          for (const problem of problems) await write(`${describe(problem)}\n`)
          await write(`${blocks} blocks of ${relations} relations, ${problems.length} problems\n`)
        }
        report(problems.length === 0 ? 'done' : 'problems')
      } finally {
        await cluster.close()
      }
    })
}
