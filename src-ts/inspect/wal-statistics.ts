// WalStatistics: how many records of each kind there are, and how long, in pg_waldump's table.
//
// Source: XLogDumpDisplayStats in src/bin/pg_waldump/pg_waldump.c, PostgreSQL 18.
import { formatLsn } from './control-file.ts'
import { builtinResourceManagers, resourceManagerName, type WalRecord } from './wal-log.ts'
import { recordTypeText } from './wal-text.ts'

interface Count {
  name: string
  count: number
  recordBytes: number
  imageBytes: number
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}

export class WalStatistics {
  readonly #byRecord: boolean
  // By resource manager, or by it and the high half of xl_info.
  readonly #counts = new Map<number, Count>()
  #start: bigint | undefined
  #end: bigint | undefined

  constructor(byRecord: boolean) {
    this.#byRecord = byRecord
    if (byRecord) return
    builtinResourceManagers().forEach((name, id) => {
      this.#counts.set(id << 8, { name, count: 0, recordBytes: 0, imageBytes: 0 })
    })
  }

  /** Where reading began. */
  begin(lsn: bigint): void {
    this.#start = lsn
  }

  add(record: WalRecord): void {
    // The lowest bit of the transaction manager's part only says that the record has more in it.
    const info = record.rmgr === 'Transaction' ? record.info & 0x70 : record.info & 0xf0
    const key = (record.rmid << 8) | (this.#byRecord ? info : 0)
    let entry = this.#counts.get(key)
    if (entry === undefined) {
      const manager = resourceManagerName(record.rmid)
      const name = this.#byRecord ? `${manager}/${recordTypeText(record)}` : manager
      entry = { name, count: 0, recordBytes: 0, imageBytes: 0 }
      this.#counts.set(key, entry)
    }
    entry.count++
    entry.recordBytes += record.totalLength - record.fpiLength
    entry.imageBytes += record.fpiLength
    this.#end = record.endLsn
  }

  #rows(): Count[] {
    return [...this.#counts].sort(([a], [b]) => a - b).map(([, count]) => count)
  }

  #total(): Count {
    const total = { name: 'Total', count: 0, recordBytes: 0, imageBytes: 0 }
    for (const row of this.#counts.values()) {
      total.count += row.count
      total.recordBytes += row.recordBytes
      total.imageBytes += row.imageBytes
    }
    return total
  }

  /** The table, with the newline at its end; empty when there was no record. */
  text(): string {
    if (this.#start === undefined || this.#end === undefined) return ''
    const total = this.#total()
    const totalBytes = total.recordBytes + total.imageBytes
    const number = (value: number) => `${value}`.padStart(20)
    const share = (part: number, whole: number) =>
      `(${percent(part, whole).toFixed(2).padStart(6)})`
    const titles = (names: string[]) =>
      `${(names[0] as string).padEnd(27)} ${names
        .slice(1)
        .map((name, i) => name.padStart(i % 2 === 0 ? 20 : 8))
        .join(' ')}`
    const lines = [
      `WAL statistics between ${formatLsn(this.#start)} and ${formatLsn(this.#end)}:`,
      titles(['Type', 'N', '(%)', 'Record size', '(%)', 'FPI size', '(%)', 'Combined size', '(%)']),
      titles(['----', '-', '---', '-----------', '---', '--------', '---', '-------------', '---']),
    ]
    for (const { name, count, recordBytes, imageBytes } of this.#rows()) {
      const combined = recordBytes + imageBytes
      lines.push(
        `${name.padEnd(27)} ${number(count)} ${share(count, total.count)} ` +
          `${number(recordBytes)} ${share(recordBytes, total.recordBytes)} ` +
          `${number(imageBytes)} ${share(imageBytes, total.imageBytes)} ` +
          `${number(combined)} ${share(combined, totalBytes)}`,
      )
    }
    const rule = '--------'
    lines.push(titles(['', rule, '', rule, '', rule, '', rule]))
    const ofTotal = (part: number) => `[${percent(part, totalBytes).toFixed(2)}%]`.padEnd(9)
    lines.push(
      `${'Total'.padEnd(27)} ${number(total.count)} ${' '.repeat(9)}` +
        `${number(total.recordBytes)} ${ofTotal(total.recordBytes)}` +
        `${number(total.imageBytes)} ${ofTotal(total.imageBytes)}` +
        `${number(totalBytes)} ${'[100%]'}`,
    )
    return `${lines.join('\n')}\n`
  }

  /** The same for JSON, in the columns of pg_get_wal_stats. */
  object(): Record<string, unknown> {
    const total = this.#total()
    const totalBytes = total.recordBytes + total.imageBytes
    return {
      start_lsn: this.#start === undefined ? null : formatLsn(this.#start),
      end_lsn: this.#end === undefined ? null : formatLsn(this.#end),
      statistics: this.#rows().map(({ name, count, recordBytes, imageBytes }) => ({
        [this.#byRecord ? 'resource_manager/record_type' : 'resource_manager']: name,
        count,
        count_percentage: percent(count, total.count),
        record_size: recordBytes,
        record_size_percentage: percent(recordBytes, total.recordBytes),
        fpi_size: imageBytes,
        fpi_size_percentage: percent(imageBytes, total.imageBytes),
        combined_size: recordBytes + imageBytes,
        combined_size_percentage: percent(recordBytes + imageBytes, totalBytes),
      })),
    }
  }
}
