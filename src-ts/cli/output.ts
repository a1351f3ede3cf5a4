// Standard output, with backpressure: long outputs wait for their reader.
import { once } from 'node:events'

/** Writes text; resolves when more may be written. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** One JSON document and a newline; a bigint becomes a string. */
export async function writeJson(value: unknown): Promise<void> {
  const text = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}` : item), 2)
  await write(`${text}\n`)
}

/** Rows under a header, in columns as wide as their widest cell. */
export function formatTable(header: string[], rows: string[][]): string {
  const widths = header.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => (row[i] as string).length)),
  )
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd()
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  )
}
