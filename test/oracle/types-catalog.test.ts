// Tests of the table of built-in types and of type names against PostgreSQL.
// Goal: what we say of a type is what pg_type says, and a type's name means what the server takes it for. Method:
// compare the whole table; declare columns with each name and compare what the catalog then holds.
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PgError } from '../../src-ts/errors/pg-error.ts'
import { builtinTypes, codecFor, formatType, parseTypeName } from '../../src-ts/types/index.ts'
import { Oracle } from '../support/oracle.ts'

let oracle: Oracle
let client: pg.Client

beforeAll(async () => {
  oracle = await Oracle.initdb()
  await oracle.start({ timezone: 'UTC' })
  client = await oracle.client()
})

afterAll(async () => {
  await oracle[Symbol.asyncDispose]()
})

test('the table of built-in types is pg_type', async () => {
  const { rows } = await client.query<Record<string, unknown>>(
    `select oid::int, typname as name, typarray::int, typlen::int, typbyval, typalign, typstorage,
            case when typsubscript = 'array_subscript_handler'::regproc
                 then typelem::int else 0 end as typelem, typdelim
       from pg_type`,
  )
  const byOid = new Map(rows.map((row) => [row.oid, row]))
  let count = 0
  for (const type of builtinTypes()) {
    expect(type).toEqual(byOid.get(type.oid))
    expect(codecFor(type.oid)).toMatchObject({ oid: type.oid, name: type.name, typmod: -1 })
    count++
  }
  expect(count).toBeGreaterThan(80)
})

test('every other built-in type is refused by name', async () => {
  const { rows } = await client.query<{ oid: number; name: string }>(
    `select oid::int, format_type(oid, null) as name from pg_type
      where typtype in ('b', 'r', 'm') and oid < 10000 and typrelid = 0`,
  )
  const known = new Set([...builtinTypes()].map((type) => type.oid))
  const refused = rows.filter(({ oid }) => !known.has(oid))
  expect(refused.length).toBeGreaterThan(50)
  for (const { oid, name } of refused) {
    // Catalogs' own types are not told from unknown ones: they are in no user's table.
    const error = refusalOf(() => codecFor(oid))
    expect(error.code).toBe('0A000')
    if (!name.startsWith('pg_') && !name.startsWith('information_schema')) {
      expect(refusalOf(() => parseTypeName(name)).code).toBe('0A000')
    }
  }
})

function refusalOf(action: () => unknown): PgError {
  try {
    action()
  } catch (error) {
    if (error instanceof PgError) return error
    throw error
  }
  throw new Error('was not refused')
}

const goodNames = [
  'int',
  'INTEGER',
  'int4',
  'pg_catalog.int4',
  ' int8 ',
  'smallint',
  'bigint',
  'real',
  'double precision',
  'float',
  'float(1)',
  'float(24)',
  'float(25)',
  'float(53)',
  'boolean',
  'bool',
  'numeric',
  'numeric(10)',
  'numeric(10,2)',
  'numeric(3,-2)',
  'numeric(2,5)',
  'decimal(5,1)',
  'dec',
  'varchar',
  'varchar(20)',
  'character varying',
  'character varying(3)',
  'char',
  'char(3)',
  'character',
  'character(7)',
  'nchar',
  'nchar(2)',
  'national character varying(4)',
  'national char',
  'char varying(9)',
  'bpchar',
  'bpchar(3)',
  '"char"',
  '"varchar"(5)',
  'pg_catalog."char"',
  'text',
  'name',
  'bytea',
  'date',
  'time',
  'time(3)',
  'time with time zone',
  'time(2) with time zone',
  'time without time zone',
  'timetz',
  'timetz(1)',
  'timestamp',
  'timestamp(0)',
  'timestamp(3) with time zone',
  'timestamp with time zone',
  'timestamp without time zone',
  'timestamptz',
  'timestamptz(6)',
  'timestamp(9)',
  'interval',
  'interval(3)',
  'interval year',
  'interval month',
  'interval day',
  'interval hour',
  'interval minute',
  'interval second',
  'interval second(2)',
  'interval year to month',
  'interval day to hour',
  'interval day to minute',
  'interval day to second',
  'interval day to second(4)',
  'interval hour to minute',
  'interval hour to second',
  'interval minute to second(0)',
  'uuid',
  'json',
  'jsonb',
  'tid',
  'xid',
  'xid8',
  'cid',
  'oid',
  'pg_lsn',
  'aclitem',
  'oidvector',
  'int2vector',
  'regclass',
  'regproc',
  'regtype',
  'regnamespace',
  'regrole',
  'int[]',
  'int4[3]',
  'int[][]',
  'int8[2][3]',
  'text array',
  'text array[4]',
  'varchar(20)[]',
  'numeric(10,2)[]',
  'timestamp(3) with time zone[]',
  'interval day to second(2)[]',
  'char(3)[]',
  '"char"[]',
  '_int4',
  '_text',
  'oidvector[]',
  'double precision[]',
  'NUMERIC ( 10 , 2 ) [ ]',
  'TIMESTAMP\nWITH\tTIME ZONE',
  'refcursor',
  'aclitem[]',
  'interval(3)[]',
]

const badNames = [
  '',
  ' ',
  'foo',
  'int(3)',
  'text(5)',
  'uuid(1)',
  'varchar(0)',
  'varchar(-1)',
  'varchar(10485761)',
  'char(0)',
  'numeric(0)',
  'numeric(1001)',
  'numeric(10,1001)',
  'numeric(10,-1001)',
  'numeric(1,2,3)',
  'numeric()',
  'float(0)',
  'float(54)',
  'double',
  'double foo',
  'timestamp(3',
  'timestamp with',
  'timestamp with time',
  'timestamp(-1)',
  'int[',
  'int]',
  'int[a]',
  'int[-1]',
  'int array[',
  'int array[]',
  'interval foo',
  'interval day to year',
  'interval(3) day',
  'interval year(2)',
  '"int"',
  '"Int4"',
  '3',
  'int int',
  'pg_catalog.',
  '.int4',
  'public.int4',
  '"',
  'national',
  'varchar(a)',
  'varchar 20',
  'int4;',
  'name(3)',
  'date(3)',
  'varchar(1,2)',
  'time(1,2)',
  'bool(1)',
  '_foo',
  'character varying(0)',
  'interval(-1)',
  'numeric(99999999999)',
]

test('type names mean what PostgreSQL takes them for', async () => {
  for (const name of goodNames) {
    await client.query('begin')
    await client.query(`create table named (value ${name})`)
    const { rows } = await client.query<{
      oid: number
      typmod: number
      dims: number
      text: string
    }>(
      `select atttypid::int as oid, atttypmod as typmod, attndims::int as dims,
              format_type(atttypid, atttypmod) as text
         from pg_attribute where attrelid = 'named'::regclass and attnum = 1`,
    )
    await client.query('rollback')
    const row = rows[0] as (typeof rows)[0]
    const ours = parseTypeName(name)
    expect({ name, ...ours }).toEqual({
      name,
      oid: row.oid,
      typmod: row.typmod,
      // PostgreSQL counts a dimension for an array type that is named without brackets, too.
      arrayDims: name.startsWith('_') ? 0 : row.dims,
    })
    expect(formatType(ours.oid, ours.typmod)).toBe(row.text)
    // What format_type prints is read back as the same type.
    expect(parseTypeName(row.text)).toMatchObject({ oid: ours.oid, typmod: ours.typmod })
    expect(codecFor(ours.oid, ours.typmod).oid).toBe(ours.oid)
  }
})

test('what is no type name is refused as PostgreSQL refuses it', async () => {
  const differences: string[] = []
  for (const name of badNames) {
    await client.query('begin')
    const theirs = await client.query(`create table named (value ${name})`).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    )
    await client.query('rollback')
    let ours = 'accepted'
    try {
      parseTypeName(name)
    } catch (error) {
      if (!(error instanceof PgError)) throw error
      ours = error.code
    }
    if (ours !== theirs) differences.push(`${name}: ${ours}, PostgreSQL ${theirs}`)
  }
  expect(differences).toEqual([])
})
