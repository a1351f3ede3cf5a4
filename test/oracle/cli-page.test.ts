// `pgdata page` and `pgdata list`: goal: what is decoded is what pageinspect and the catalogs say. Method: a stock
// server's table and index, compared item by item after a checkpoint.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgdata } from '../support/command-line.ts'
import { Oracle } from '../support/oracle.ts'

interface Page {
  items: Record<string, unknown>[]
  special?: Record<string, unknown>
  entries?: { slot: number; value: unknown }[]
}

describe('page and list', () => {
  let oracle: Oracle
  let client: Awaited<ReturnType<Oracle['client']>>

  beforeAll(async () => {
    oracle = await Oracle.initdb()
    await oracle.start()
    client = await oracle.client()
    await client.query(`
      create extension pageinspect;
      create table t (a int, b text, c numeric, d bool);
      insert into t select i, case when i % 3 > 0 then 'text ' || i end, i / 7.0, i % 2 = 0 from generate_series(1, 100) i;
      insert into t values (101, repeat('compressed ', 500), 1, true);
      create index t_b on t (b);
      create index t_d on t (d);
    `)
    await client.query('delete from t where a % 10 = 0')
    await client.query("update t set b = 'new' where a % 25 = 1")
    await client.query('vacuum t')
    await client.query('checkpoint')
  }, 120_000)
  afterAll(() => oracle[Symbol.asyncDispose]())

  async function page(...args: string[]): Promise<Page> {
    const { stdout, stderr, status } = await pgdata(['page', oracle.dir, ...args, '--json'])
    expect(stderr).toBe('')
    expect(status).toBe(0)
    return JSON.parse(stdout.toString()) as Page
  }

  it('shows heap tuples as heap_page_items does', async () => {
    const { items } = await page('t', '0')
    const { rows } = await client.query<Record<string, unknown>>(
      `select lp as offset, lp_off, lp_len, t_xmin::text::int8::int4, t_xmax::text::int8::int4, t_ctid::text, t_hoff,
              (array['LP_UNUSED','LP_NORMAL','LP_REDIRECT','LP_DEAD'])[lp_flags + 1] as lp_flags,
              (select coalesce(array_agg(f order by f), '{}') from heap_tuple_infomask_flags(t_infomask, t_infomask2),
                      unnest(raw_flags) f) as flags
         from heap_page_items(get_raw_page('t', 0))`,
    )
    const ours = items.map(
      ({ offset, lp_off, lp_len, t_xmin, t_xmax, t_ctid, t_hoff, lp_flags, flags }) => ({
        offset,
        lp_off,
        lp_len,
        t_xmin: t_xmin ?? null,
        t_xmax: t_xmax ?? null,
        t_ctid: t_ctid ?? null,
        t_hoff: t_hoff ?? null,
        lp_flags,
        flags: ((flags as string[] | undefined) ?? []).sort(),
      }),
    )
    const theirs = rows.map((row) => ({ ...row, flags: [...(row.flags as string[])].sort() }))
    expect(ours).toEqual(theirs)
    expect(items[1]?.values).toEqual({ a: '2', b: 'text 2', c: '0.28571428571428571429', d: 't' })
    expect(items[2]?.values).toMatchObject({ a: '3', b: null, d: 'f' })
  }, 60_000)

  it('shows B-tree pages as bt_page_items and bt_metap do', async () => {
    const leaf = await page('t_d', '1')
    const { rows } = await client.query<{ offset: number; tids: number | null; size: number }>(
      `select itemoffset as offset, array_length(tids, 1) as tids, itemlen as size from bt_page_items('t_d', 1)`,
    )
    expect(
      leaf.items.map(({ offset, tids, lp_len }) => ({
        offset,
        tids: (tids as string[] | undefined)?.length ?? null,
        size: lp_len,
      })),
    ).toEqual(rows.map((row) => ({ ...row })))
    const meta = await page('t_b', '0')
    const metap = await client.query('select magic, version, root, level from bt_metap($1)', [
      't_b',
    ])
    expect(meta.special).toMatchObject({
      btm_magic: Number(metap.rows[0]?.magic),
      btm_version: Number(metap.rows[0]?.version),
      btm_root: Number(metap.rows[0]?.root),
      btm_level: Number(metap.rows[0]?.level),
    })
  }, 60_000)

  it('shows the visibility map, and refuses a block that is not there', async () => {
    const { entries } = await page('t', '0', '--fork', 'vm')
    expect(entries?.[0]?.slot).toBe(0)
    const outside = await pgdata(['page', oracle.dir, 't', '99'])
    expect(outside.status).toBe(2)
    expect(outside.stderr).toContain('pgdata: block 99 is out of range for relation "t"\nDETAIL:')
  }, 60_000)

  it('lists relations with their files and sizes', async () => {
    const { stdout } = await pgdata(['list', oracle.dir, '--database', 'postgres', '--json'])
    const listed = JSON.parse(stdout.toString()) as {
      databases: { relations: { name: string; file: string | null; bytes: number }[] }[]
    }
    const { rows } = await client.query<{ name: string; file: string; bytes: string }>(
      `select relname as name, pg_relation_filepath(oid) as file,
              pg_relation_size(oid) + pg_relation_size(oid, 'fsm') + pg_relation_size(oid, 'vm') as bytes
         from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i') order by relname`,
    )
    const ours = listed.databases[0]?.relations.map(({ name, file, bytes }) => ({
      name,
      file,
      bytes,
    }))
    expect(ours).toEqual(rows.map((row) => ({ ...row, bytes: Number(row.bytes) })))
  }, 60_000)
})
