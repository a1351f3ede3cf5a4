// Records as pg_walinspect shows them, and the line that pg_waldump would print of one.

export interface InspectedRecord {
  start_lsn: string
  end_lsn: string
  prev_lsn: string
  xid: string
  resource_manager: string
  record_type: string
  record_length: number
  main_data_length: number
  fpi_length: number
  description: string | null
  block_ref: string | null
}

// The server's time format, UTC, as pg_waldump's.
function withTimes(text: string): string {
  return text.replaceAll(
    /(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00/g,
    (_, time: string, fraction = '') => `${time}.${(fraction as string).padEnd(6, '0')} UTC`,
  )
}

function padded(lsn: string): string {
  const [high, low] = lsn.split('/') as [string, string]
  return `${high}/${low.padStart(8, '0')}`
}

export function expectedLine(row: InspectedRecord): string {
  const head =
    `rmgr: ${row.resource_manager.padEnd(11)} ` +
    `len (rec/tot): ${`${row.record_length - row.fpi_length}`.padStart(6)}/${`${row.record_length}`.padStart(6)}, ` +
    `tx: ${row.xid.padStart(10)}, lsn: ${padded(row.start_lsn)}, prev ${padded(row.prev_lsn)}, `
  const blocks = (row.block_ref ?? '').split(/ ?(?=blkref #)/).filter((text) => text !== '')
  return `${head}desc: ${row.record_type} ${withTimes(row.description ?? '')}\n${blocks.map((text) => `\t${text}\n`).join('')}`
}
