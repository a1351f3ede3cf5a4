// pgdata load: rows of a CSV or JSON lines file into a table, in one transaction.
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { Cluster } from '../cluster/cluster.ts'
import { PgError } from '../errors/pg-error.ts'
import type { Session } from '../session/session.ts'
import type { Transaction } from '../session/transaction.ts'
import { ColumnInference, parseColumnList } from './infer-columns.ts'
import {
  formatOf,
  LoadError,
  type LoadFormat,
  type LoadRecord,
  openInput,
  records,
} from './load-source.ts'
import { write, writeJson } from './output.ts'
import { progressBar } from './progress.ts'

interface Options {
  format?: LoadFormat
  create?: boolean
  columns?: string
  primaryKey?: string
  database: string
  json?: boolean
}

interface TableToMake {
  columns: { name: string; type: string }[]
  primaryKey?: string[]
}

const batchRows = 1000
const shownValueMax = 100

async function inferColumns(file: string, format: LoadFormat, table: string) {
  const inference = new ColumnInference(format === 'csv')
  for await (const { row } of records(openInput(file), format, table)) inference.see(row)
  const columns = inference.columns()
  if (columns.length === 0) {
    throw new PgError('42601', `"${file}" has no row to infer columns from`, {
      hint: 'Give them with --columns.',
    })
  }
  return columns
}

// Values for columns that were found to be text although not all of them are strings.
function textOfValues({ line, row }: LoadRecord, textColumns: ReadonlySet<string>): LoadRecord {
  for (const name of textColumns) {
    const value = row[name]
    if (value === undefined || value === null || typeof value === 'string') continue
    row[name] = JSON.stringify(value)
  }
  return { line, row }
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'null input'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `"${text.length > shownValueMax ? `${text.slice(0, shownValueMax)}...` : text}"`
}

function place(error: PgError, table: string, { line, row }: LoadRecord): LoadError {
  const column = error.column
  const where = column === undefined ? '' : `, column ${column}: ${describeValue(row[column])}`
  return new LoadError(error, `COPY ${table}, line ${line}${where}`)
}

class Loader {
  readonly #session: Session
  readonly #table: string
  readonly #make: TableToMake | undefined

  constructor(session: Session, table: string, make: TableToMake | undefined) {
    this.#session = session
    this.#table = table
    this.#make = make
  }

  /** All records or none. An error says on which line. */
  async load(source: AsyncIterable<LoadRecord>, onRows: (rows: number) => void): Promise<number> {
    let failed: { batch: LoadRecord[]; error: PgError } | undefined
    const insert = (tx: Transaction, batch: LoadRecord[]) => {
      try {
        this.#insert(tx, batch)
      } catch (error) {
        if (error instanceof PgError) failed = { batch, error }
        throw error
      }
    }
    try {
      return await this.#session.transaction(async (tx) => {
        this.#prepare(tx)
        let rows = 0
        let batch: LoadRecord[] = []
        for await (const record of source) {
          batch.push(record)
          if (batch.length < batchRows) continue
          insert(tx, batch)
          rows += batch.length
          onRows(batch.length)
          batch = []
        }
        insert(tx, batch)
        return rows + batch.length
      })
    } catch (error) {
      if (failed === undefined) throw error
      throw (await this.#locate(failed.batch)) ?? failed.error
    }
  }

  #prepare(tx: Transaction): void {
    if (this.#make !== undefined) tx.createTable(this.#table, this.#make)
  }

  #insert(tx: Transaction, batch: LoadRecord[]): void {
    const table = this.#session.table(this.#table)
    tx.insert(table, ...batch.map(({ row }) => row))
  }

  // Which record of a batch cannot be inserted: one at a time, in a transaction that never commits.
  async #locate(batch: LoadRecord[]): Promise<LoadError | undefined> {
    let found: LoadError | undefined
    const rollBack = new Error('the transaction only looks for the record')
    await this.#session
      .transaction((tx) => {
        this.#prepare(tx)
        for (const record of batch) {
          try {
            this.#insert(tx, [record])
          } catch (error) {
            if (error instanceof PgError) found = place(error, this.#table, record)
            break
          }
        }
        throw rollBack
      })
      .catch((error: unknown) => {
        if (error !== rollBack && found === undefined) throw error
      })
    return found
  }
}

// A file that can be read twice: standard input goes through a temporary one.
async function withReadableFile<T>(file: string, body: (file: string) => Promise<T>): Promise<T> {
  if (file !== '-') return body(file)
  const directory = mkdtempSync(join(tmpdir(), 'pgdata-load-'))
  try {
    const copy = join(directory, 'input')
    await pipeline(process.stdin, createWriteStream(copy, { mode: 0o600 }))
    return await body(copy)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function load(directory: string, table: string, file: string, options: Options) {
  const format = options.format ?? formatOf(file)
  const primaryKey = options.primaryKey?.split(',').map((name) => name.trim())
  const isNew = options.create === true || options.columns !== undefined
  if (primaryKey !== undefined && !isNew) {
    throw new PgError('22023', '--primary-key needs --create or --columns')
  }
  const run = async (input: string): Promise<number> => {
    let make: TableToMake | undefined
    if (isNew) {
      const columns =
        options.columns === undefined
          ? await inferColumns(input, format, table)
          : parseColumnList(options.columns)
      make = { columns, ...(primaryKey && { primaryKey }) }
    }
    const source = openInput(input)
    const cluster = await Cluster.open(directory, {
      // A CSV field is a document's text; a JSON line's value is the document.
      json: format === 'csv' ? 'text' : 'value',
    })
    try {
      const session = await cluster.connect({ database: options.database })
      const bar = progressBar('rows', 0, true)
      const rows = records(source, format, table)
      try {
        const loader = new Loader(session, table, make)
        return await loader.load(withText(rows, make?.columns ?? []), (n) => bar.add(n))
      } finally {
        bar.stop()
        await session.close()
      }
    } finally {
      source.destroy()
      await cluster.close()
    }
  }
  const needsTwoPasses = isNew && options.columns === undefined
  const rows = needsTwoPasses ? await withReadableFile(file, run) : await run(file)
  if (options.json) await writeJson({ table, rows })
  else await write(`loaded ${rows} rows into ${table}\n`)
}

async function* withText(
  rows: AsyncIterable<LoadRecord>,
  columns: TableToMake['columns'],
): AsyncGenerator<LoadRecord> {
  const isText = ({ type }: { type: string }) =>
    /^(text|varchar|character varying)\b(?!.*\[)/i.test(type)
  const names = new Set(columns.filter(isText).map(({ name }) => name))
  for await (const record of rows) yield textOfValues(record, names)
}

export function addLoad(program: Command): void {
  program
    .command('load <dir> <table> <file>')
    .description('load a CSV file with a header, or JSON lines, in one transaction')
    .addOption(
      new Option(
        '-f, --format <format>',
        'format of the file; default by its name, else csv',
      ).choices(['csv', 'jsonl']),
    )
    .option('--create', 'make the table, with columns inferred from the data')
    .option('--columns <list>', 'make the table with these: "a int8 not null, b text"')
    .option('--primary-key <names>', 'key columns of the table to make, separated by commas')
    .option('-d, --database <name>', 'database', 'postgres')
    .option('--json', 'print one JSON document')
    .action(load)
}
