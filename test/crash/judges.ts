// Judges: what recovers an image, what is found in it then, and what is wrong with it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Cluster, PgError, type Session, type Table } from '../../src-ts/index.ts'
import { OfflineCluster } from '../../src-ts/inspect/offline-cluster.ts'
import { kindsWithFiles, RelationVerifier } from '../../src-ts/inspect/verify-relation.ts'
import { amcheck, type Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import {
  apply,
  copyOf,
  type Found,
  type LaneJudge,
  lineOf,
  type Row,
  type State,
} from './ledger.ts'
import { settings } from './workload.ts'

/** What stock needs to recover an image. */
export const stockSettings = {
  shared_buffers: '4MB',
  max_wal_size: '32MB',
  min_wal_size: '2MB',
  max_prepared_transactions: settings.max_prepared_transactions,
}

/** Has stock PostgreSQL recover the image; its amcheck must have no complaints, and each table's file must be there. */
export async function judgeByStock(
  oracle: Oracle,
  judges: readonly LaneJudge[],
  step: number,
): Promise<string[]> {
  await oracle.start(stockSettings)
  try {
    const client = await oracle.client()
    const { rows: prepared } = await client.query<{ gid: string }>(
      'select gid from pg_prepared_xacts',
    )
    const gids = new Set(prepared.map(({ gid }) => gid))
    const found = new Map<string, string[]>()
    const { rows: tables } = await client.query<{ name: string }>(
      "select relname as name from pg_class where relkind = 'r' and oid >= 16384",
    )
    for (const { name } of tables) {
      const { rows } = await client.query<Row>(`select id, k, t, big from ${name} order by id`)
      found.set(name, rows.map(lineOf))
    }
    const complaints = judge(judges, step, (name) => found.get(name), gids)
    // Their locks would keep amcheck waiting.
    for (const gid of gids) await client.query(`rollback prepared '${gid}'`)
    complaints.push(...(await amcheck(client)))
    const { rows: files } = await client.query<{ name: string; file: string }>(
      'select relname as name, pg_relation_filepath(oid) as file from pg_class where relfilenode >= 16384',
    )
    for (const { name, file } of files)
      if (!existsSync(join(oracle.dir, file))) complaints.push(`${name} has no file ${file}`)
    return complaints
  } finally {
    await oracle.stop('immediate')
  }
}

/**
 * Recovers the image with our own engine, compares scans and ranges with the ledger, ends prepared transactions, writes
 * and closes; then `verify` must have nothing to say. All of the database's relations are verified only if asked: the
 * catalogs are most of the work.
 */
export async function judgeByUs(
  directory: string,
  judges: readonly LaneJudge[],
  step: number,
  verified: 'everything' | 'tables' = 'everything',
): Promise<string[]> {
  const complaints: string[] = []
  {
    await using cluster = await Cluster.open(directory, { settings })
    await using session = await cluster.connect()
    const look = () => {
      const found = new Map<string, string[]>()
      for (const name of judges.flatMap((one) => [...one.lane.tables, ...one.start.keys()])) {
        const table = found.has(name) ? undefined : openTable(session, name)
        if (table === undefined) continue
        const lines = [...table.scan()].map(lineOf)
        const ranged = [...table.range()].map(lineOf)
        if (lines.toSorted().join() !== ranged.toSorted().join()) {
          complaints.push(
            `${name}: a scan finds ${lines.length} rows, its primary key ${ranged.length}`,
          )
        }
        found.set(name, lines)
      }
      return found
    }
    let found = look()
    const gids = new Set(cluster.preparedTransactions().map(({ gid }) => gid))
    complaints.push(...judge(judges, step, (name) => found.get(name), gids))
    if (gids.size > 0 && complaints.length === 0) {
      const states = await endPrepared(cluster, judges, step)
      found = look()
      for (const [n, state] of states.entries()) {
        const difference = judges[n]?.difference(state, (name) => found.get(name))
        if (difference === undefined) continue
        complaints.push(`lane ${n}, after its prepared transactions ended: ${difference}`)
      }
    }
    // What was recovered can be written to.
    for (const name of found.keys()) {
      const table = session.table<Row>(name)
      await table.insert({ id: -1, k: -1, t: 'after recovery', big: null })
      if (!(await table.update(-1, { k: -2 })) || table.get(-1)?.k !== -2) {
        complaints.push(`${name}: a row that was just written is not there`)
      }
    }
  }
  const isWanted = ({ oid }: { oid: number }) => verified === 'everything' || oid >= 16384
  return [...complaints, ...(await verifyComplaints(directory, isWanted))]
}

// Commits some of the prepared transactions that the judges matched, rolls some back and leaves the others; what the
// lanes must look like then.
async function endPrepared(
  cluster: Cluster,
  judges: readonly LaneJudge[],
  step: number,
): Promise<State<string>[]> {
  const random = new Random(step)
  const states = judges.map(({ matched }) => copyOf(matched as State<string>))
  for (const [n, { matchedPrepared }] of judges.entries()) {
    for (const { gid, changes } of matchedPrepared) {
      const end = random.pick(['commit', 'commit', 'roll back', 'leave'])
      if (end === 'leave') continue
      await (end === 'commit' ? cluster.commitPrepared(gid) : cluster.rollbackPrepared(gid))
      if (end === 'commit') apply(states[n] as State<string>, changes)
    }
  }
  return states
}

function openTable(session: Session, name: string): Table<Row> | undefined {
  try {
    return session.table<Row>(name)
  } catch (error) {
    if (error instanceof PgError && error.code === '42P01') return undefined
    throw error
  }
}

/** `gids`: of the transactions that were found prepared. */
export function judge(
  judges: readonly LaneJudge[],
  step: number,
  found: Found,
  gids: ReadonlySet<string>,
): string[] {
  const complaints = judges.flatMap(
    (one) => one.complaint(step, found, (gid) => gids.has(gid)) ?? [],
  )
  const known = new Set(judges.flatMap(({ lane }) => [...lane.prepared.keys()]))
  for (const gid of gids) if (!known.has(gid)) complaints.push(`nobody prepared ${gid}`)
  return complaints
}

/** What `pgdata verify` says of the database postgres, which must have been shut down; only of some relations if asked. */
export async function verifyComplaints(
  directory: string,
  isWanted: (relation: { oid: number; relname: string }) => boolean = () => true,
): Promise<string[]> {
  const cluster = await OfflineCluster.open(directory)
  try {
    if (!cluster.control.state.startsWith('shut down')) return [`state: ${cluster.control.state}`]
    const database = cluster.database('postgres')
    const verifier = new RelationVerifier(database, () => undefined)
    for (const row of database.classes().values())
      if (kindsWithFiles.includes(row.relkind) && isWanted(row)) verifier.verify(row)
    return verifier.problems.map(
      ({ relation, file, block, offset, message }) =>
        `${relation} (${file}) block ${block} offset ${offset}: ${message}`,
    )
  } finally {
    await cluster.close()
  }
}
