// Records of a file to load: CSV with a header, or JSON lines; "-" is standard input, ".gz" is unpacked.
import { createReadStream, openSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { createGunzip } from 'node:zlib'
import { CsvError, parse } from 'csv-parse'
import { PgError } from '../errors/pg-error.ts'

export type LoadFormat = 'csv' | 'jsonl'

export interface LoadRecord {
  /** The line on which the record ends, from 1. */
  line: number
  row: Record<string, unknown>
}

/** An error with the place in the input, as COPY FROM tells it. */
export class LoadError extends PgError {
  readonly context: string

  constructor(error: PgError, context: string) {
    const { code, message, detail, hint, schema, table, column, constraint, dataType } = error
    super(code, message, {
      detail,
      hint,
      schema,
      table,
      column,
      constraint,
      dataType,
      cause: error,
    })
    this.context = context
  }
}

export function formatOf(file: string): LoadFormat {
  return /\.(jsonl|ndjson|json)(\.gz)?$/.test(file) ? 'jsonl' : 'csv'
}

/** The bytes of a file. Throws 58P01 when it cannot be opened. */
export function openInput(file: string): Readable {
  if (file === '-') return process.stdin
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'No such file or directory' : message
    throw new PgError('58P01', `could not open file "${file}" for reading: ${reason}`)
  }
  const stream = createReadStream(file, { fd: descriptor })
  if (!file.endsWith('.gz')) return stream
  const unpacked = createGunzip()
  stream.on('error', (error) => unpacked.destroy(error))
  return stream.pipe(unpacked)
}

/** `table` is for messages. Throws 22P04 for what is not in the format. */
export function records(
  input: Readable,
  format: LoadFormat,
  table: string,
): AsyncGenerator<LoadRecord> {
  return format === 'csv' ? csvRecords(input, table) : jsonRecords(input, table)
}

function badFormat(message: string, table: string, line: number): LoadError {
  return new LoadError(new PgError('22P04', message), `COPY ${table}, line ${line}`)
}

interface ParsedCsv {
  record: (string | null)[]
  info: { lines: number }
}

async function* csvRecords(input: Readable, table: string): AsyncGenerator<LoadRecord> {
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    // An empty field is NULL, a quoted one the empty string.
    cast: (value, { quoting }) => (value === '' && !quoting ? null : value),
  })
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  let header: string[] | undefined
  try {
    for await (const { record, info } of parser as AsyncIterable<ParsedCsv>) {
      if (header === undefined) {
        header = record.map((name) => name ?? '')
        continue
      }
      if (record.length < header.length) {
        throw badFormat(`missing data for column "${header[record.length]}"`, table, info.lines)
      }
      if (record.length > header.length) {
        throw badFormat('extra data after last expected column', table, info.lines)
      }
      const row: Record<string, unknown> = {}
      for (let i = 0; i < header.length; i++) row[header[i] as string] = record[i]
      yield { line: info.lines, row }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const message =
      error.code === 'CSV_QUOTE_NOT_CLOSED' ? 'unterminated CSV quoted field' : error.message
    throw badFormat(message, table, Number(error.lines))
  }
}

async function* lines(input: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const piece of input) {
    const parts = (rest + decoder.write(piece as Buffer)).split('\n')
    rest = parts.pop() as string
    yield* parts
  }
  rest += decoder.end()
  if (rest !== '') yield rest
}

async function* jsonRecords(input: Readable, table: string): AsyncGenerator<LoadRecord> {
  let line = 0
  for await (const text of lines(input)) {
    line++
    if (text.trim() === '') continue
    let row: unknown
    try {
      row = JSON.parse(text)
    } catch (error) {
      throw badFormat(`invalid JSON: ${(error as Error).message}`, table, line)
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw badFormat('a line is not a JSON object', table, line)
    }
    for (const [name, value] of Object.entries(row)) {
      if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
        const message = `number of column "${name}" has more digits than JSON numbers keep`
        const hint = 'Write it as a string.'
        throw new LoadError(
          new PgError('22003', message, { hint, column: name }),
          `COPY ${table}, line ${line}`,
        )
      }
    }
    yield { line, row: row as Record<string, unknown> }
  }
}
