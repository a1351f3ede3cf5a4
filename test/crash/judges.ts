// Judges: what recovers an image, what is found in it then, and what is wrong with it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { amcheck, type Oracle } from '../support/oracle.ts'
import { describe, type Found, type LaneJudge, type Row } from './ledger.ts'

/** Has stock PostgreSQL recover the image; its amcheck must have no complaints, and each table's file must be there. */
export async function judgeByStock(
  oracle: Oracle,
  judges: readonly LaneJudge[],
  step: number,
): Promise<string[]> {
  await oracle.start({ shared_buffers: '4MB', max_wal_size: '32MB', min_wal_size: '2MB' })
  try {
    const client = await oracle.client()
    const complaints = await amcheck(client)
    const { rows: files } = await client.query<{ name: string; file: string }>(
      'select relname as name, pg_relation_filepath(oid) as file from pg_class where relfilenode >= 16384',
    )
    for (const { name, file } of files)
      if (!existsSync(join(oracle.dir, file))) complaints.push(`${name} has no file ${file}`)
    const found = new Map<string, string[]>()
    const { rows: tables } = await client.query<{ name: string }>(
      "select relname as name from pg_class where relkind = 'r' and oid >= 16384",
    )
    for (const { name } of tables) {
      const { rows } = await client.query<Row>(`select id, k, t, big from ${name} order by id`)
      found.set(name, describe(rows))
    }
    return [...complaints, ...judge(judges, step, (name) => found.get(name))]
  } finally {
    await oracle.stop('immediate')
  }
}

export function judge(judges: readonly LaneJudge[], step: number, found: Found): string[] {
  return judges.flatMap((one) => one.complaint(step, found) ?? [])
}
