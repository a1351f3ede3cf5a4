// Crash images of stock PostgreSQL, and what becomes of them: recovered by pgdata, then looked at by PostgreSQL.
import { cpSync } from 'node:fs'
import type pg from 'pg'
import { Cluster, type OpenOptions } from '../../src-ts/index.ts'
import { amcheck, checkVisibilityMaps, Oracle } from './oracle.ts'
import { temporaryPath } from './temporary-directory.ts'

/** Each table of a database by name: how many rows it has, and a digest of them. */
export type Contents = Record<string, string>

export async function contentsOf(client: pg.Client): Promise<Contents> {
  const { rows } = await client.query<{ name: string; kind: string }>(
    `select oid::regclass::text as name, relkind as kind from pg_class
      where oid >= 16384 and relkind in ('r', 'm', 'S') and relpersistence <> 't' order by 1`,
  )
  const contents: Contents = {}
  for (const { name, kind } of rows) {
    // A sequence has no row type.
    const row = kind === 'S' ? 'row(last_value, is_called)::text' : 't::text'
    const digest = await client.query<{ digest: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(md5(${row}), '' order by md5(${row}))), '') as digest
         from ${name} t`,
    )
    contents[name] = digest.rows[0]?.digest ?? ''
  }
  const state = await client.query<{ state: string }>(
    `select coalesce((select string_agg(gid, ' ' order by gid) from pg_prepared_xacts), '') as state`,
  )
  contents['prepared transactions'] = state.rows[0]?.state ?? ''
  return contents
}

export function copyOf(directory: string, name = 'image'): string {
  const copy = temporaryPath(name)
  cpSync(directory, copy, { recursive: true, verbatimSymlinks: true })
  return copy
}

/** What stock makes of a directory that it recovers, by database. The directory is gone afterwards. */
export async function openedByStock(
  directory: string,
  databases: readonly string[] = ['postgres'],
  settings: Record<string, string | number | boolean> = {},
): Promise<{ contents: Record<string, Contents>; complaints: string[]; log: string }> {
  await using oracle = Oracle.adopt(directory)
  await oracle.start({ max_prepared_transactions: 10, ...settings })
  const contents: Record<string, Contents> = {}
  const complaints: string[] = []
  for (const database of databases) {
    const client = await oracle.client(database)
    contents[database] = await contentsOf(client)
    // Their locks would keep amcheck waiting.
    const { rows } = await client.query<{ gid: string }>(
      'select gid from pg_prepared_xacts where database = current_database() order by gid',
    )
    for (const { gid } of rows) await client.query(`rollback prepared '${gid}'`)
    complaints.push(...(await amcheck(client)), ...(await checkVisibilityMaps(client)))
  }
  const log = oracle.log()
  await oracle.stop()
  return { contents, complaints, log }
}

/** Opens a directory in pgdata, which recovers it, and closes it again. */
export async function recoverByUs(directory: string, options: OpenOptions = {}): Promise<void> {
  const settings = { max_prepared_transactions: 10, ...options.settings }
  const cluster = await Cluster.open(directory, { ...options, settings })
  await cluster.close()
}
