// The tables that command.test.ts makes in both engines, and the SQL that says the same as their options.
import { quoteIdentifier } from '../../src-ts/access/quote-identifier.ts'
import type { CreateIndexOptions, IndexColumn } from '../../src-ts/command/create-index.ts'
import type { CreateTableOptions } from '../../src-ts/command/create-table.ts'

export interface Shape {
  /** As both parseQualifiedName and SQL read it. */
  table: string
  options: CreateTableOptions
  indexes?: CreateIndexOptions[]
}

const long = 'l'.repeat(63)

export const shapes: Shape[] = [
  { table: 'plain', options: { columns: { a: 'int4', b: 'int2', c: 'float8' } } },
  { table: 'empty', options: { columns: {} } },
  {
    table: 'accounts',
    options: {
      columns: {
        id: 'int8 not null',
        email: 'varchar(20) unique',
        balance: 'numeric(10,2)',
        tags: 'text[]',
        at: 'timestamptz(3)',
        code: 'text collate "C"',
      },
      primaryKey: ['id'],
      unique: [['balance', 'at']],
    },
    indexes: [
      { columns: ['code'] },
      { columns: ['code'] },
      { columns: [{ column: 'code', desc: true, nulls: 'last' }, 'id'], include: ['balance'] },
    ],
  },
  {
    table: 'not_null_order',
    options: {
      columns: {
        a: 'int4',
        b: 'int4 not null',
        c: 'int4',
        d: 'int4 not null',
        e: 'int4 not null',
      },
      primaryKey: ['c', 'a', 'e'],
    },
  },
  {
    table: 'column_keys',
    options: {
      columns: { a: 'int4 not null unique', b: 'int2 primary key', c: 'int4 unique' },
      unique: [['b'], ['a'], ['c', 'b'], ['b', 'c']],
    },
  },
  {
    table: 'all_types',
    options: {
      columns: {
        c_bool: 'bool',
        c_int2: 'smallint',
        c_int4: 'integer',
        c_int8: 'bigint',
        c_oid: 'oid',
        c_regclass: 'regclass',
        c_regtype: 'regtype',
        c_float4: 'real',
        c_float8: 'double precision',
        c_numeric: 'numeric',
        c_text: 'text',
        c_varchar: 'varchar',
        c_bpchar: 'char(7)',
        c_bpchar1: 'char',
        c_name: 'name',
        c_char: '"char"',
        c_bytea: 'bytea',
        c_date: 'date',
        c_time: 'time(2)',
        c_timetz: 'time with time zone',
        c_timestamp: 'timestamp',
        c_timestamptz: 'timestamp(6) with time zone',
        c_interval: 'interval',
        c_interval3: 'interval day to second(3)',
        c_uuid: 'uuid',
        c_json: 'json',
        c_jsonb: 'jsonb',
        c_tid: 'tid',
        c_xid: 'xid',
        c_xid8: 'xid8',
        c_pg_lsn: 'pg_lsn',
        c_oidvector: 'oidvector',
        c_int2vector: 'int2vector',
      },
    },
    indexes: [
      { columns: ['c_bool', 'c_int2', 'c_int4', 'c_int8', 'c_oid', 'c_float4', 'c_float8'] },
      { columns: ['c_numeric', 'c_text', 'c_varchar', 'c_bpchar', 'c_name', 'c_char', 'c_bytea'] },
      { columns: ['c_date', 'c_time', 'c_timetz', 'c_timestamp', 'c_timestamptz', 'c_interval'] },
      { columns: ['c_uuid', 'c_jsonb', 'c_tid', 'c_xid8', 'c_pg_lsn', 'c_oidvector'] },
      { columns: ['c_regclass', 'c_regtype'], include: ['c_name', 'c_json', 'c_name'] },
      { columns: ['c_name', 'c_name', 'c_varchar'] },
    ],
  },
  {
    table: 'arrays',
    options: {
      columns: {
        a: 'int4[]',
        b: 'varchar(3)[][]',
        c: 'numeric(5,1)[] not null',
        d: 'timestamptz[3]',
        e: 'name[]',
      },
    },
    indexes: [{ columns: ['a', 'b', { column: 'c', desc: true }, 'd'] }],
  },
  {
    table: 'collated',
    options: {
      columns: { a: 'text collate "C" not null', b: 'text[]', c: 'varchar collate "ucs_basic"' },
    },
    indexes: [
      {
        columns: [
          { column: 'b', collation: '"C"' },
          { column: 'a', collation: '"default"' },
        ],
      },
    ],
  },
  {
    table: 'filled',
    options: { columns: { a: 'int4', b: 'text' }, fillfactor: 70 },
    indexes: [{ columns: ['a'], fillfactor: 55 }],
  },
  {
    table: long,
    options: {
      columns: {
        [`c${long.slice(1)}`]: 'int4 primary key',
        d: 'int4 not null',
        [`e${long.slice(1)}`]: 'text unique',
      },
      unique: [['d', `e${long.slice(1)}`]],
    },
    indexes: [
      { columns: [`e${long.slice(1)}`] },
      { columns: [`e${long.slice(1)}`, `e${long.slice(1)}`] },
    ],
  },
  { table: 'n9', options: { columns: { a: 'int4' } } },
  { table: '_n9', options: { columns: { a: 'int4 not null' } } },
  { table: '__n9', options: { columns: { a: 'int4' } } },
  {
    table: '"Mixed Case"',
    options: { columns: { 'A b': 'int4 primary key', order: 'text not null', ü: 'int8' } },
    indexes: [
      { columns: ['order', 'ü'] },
      { columns: ['ü'], name: 'My index', unique: true, nullsNotDistinct: true },
    ],
  },
  {
    table: 's1.inside',
    options: { columns: { id: 'int4 primary key', t: 'text' } },
    indexes: [{ columns: ['t'] }],
  },
  { table: 's1.plain', options: { columns: { a: 'int4' } } },
  // Rows that could just be, and just not be, longer than a quarter of a page.
  { table: 'toast_yes', options: { columns: { a: 'varchar(500)', b: 'int8' } } },
  { table: 'toast_no', options: { columns: { a: 'varchar(499)', b: 'int4' } } },
  {
    table: 'toast_numeric',
    options: { columns: { a: 'numeric(1000,3)', b: 'numeric(1000)', c: 'char(300)' } },
  },
  {
    table: 'toast_numeric_no',
    options: { columns: { a: 'numeric(1000,3)', b: 'numeric(100)', c: 'char(300)' } },
  },
  { table: 'toast_plain', options: { columns: { a: 'name', b: 'uuid', c: 'int2vector' } } },
  { table: 'toast_interval', options: { columns: { a: 'interval(3)', b: 'varchar(10)[]' } } },
  {
    table: 'patterns',
    options: { columns: { a: 'text', b: 'varchar(9)', c: 'char(4)' } },
    indexes: [
      {
        columns: [
          { column: 'a', opclass: 'text_pattern_ops' },
          { column: 'b', opclass: 'varchar_ops', desc: true, nulls: 'first' },
          { column: 'c', nulls: 'first' },
        ],
      },
    ],
  },
  {
    table: 'in_tablespace',
    options: { columns: { id: 'int4 primary key', t: 'text' }, tablespace: 'space' },
    indexes: [{ columns: ['t'], tablespace: 'space' }],
  },
]

const list = (columns: readonly string[]) => columns.map(quoteIdentifier).join(', ')

export function createTableSql({ table, options }: Shape): string {
  const { columns, primaryKey, unique = [], fillfactor, tablespace } = options
  const parts = Object.entries(columns as Record<string, string>).map(
    ([name, type]) => `${quoteIdentifier(name)} ${type}`,
  )
  if (primaryKey !== undefined) parts.push(`primary key (${list(primaryKey)})`)
  for (const key of unique) parts.push(`unique (${list(key)})`)
  const parameters = fillfactor === undefined ? '' : ` with (fillfactor = ${fillfactor})`
  return `create table ${table} (${parts.join(', ')})${parameters}${tablespace === undefined ? '' : ` tablespace ${tablespace}`}`
}

function indexColumnSql(given: string | IndexColumn): string {
  const { column, desc, nulls, opclass, collation }: IndexColumn =
    typeof given === 'string' ? { column: given } : given
  return [
    quoteIdentifier(column),
    collation && `collate ${collation}`,
    opclass,
    desc && 'desc',
    nulls && `nulls ${nulls}`,
  ]
    .filter(Boolean)
    .join(' ')
}

export function createIndexSql(table: string, options: CreateIndexOptions): string {
  const { name, columns, unique, include, nullsNotDistinct, fillfactor, tablespace } = options
  return [
    `create ${unique ? 'unique ' : ''}index ${name === undefined ? '' : quoteIdentifier(name)}`,
    `on ${table} (${columns.map(indexColumnSql).join(', ')})`,
    include && `include (${list(include)})`,
    nullsNotDistinct && 'nulls not distinct',
    fillfactor !== undefined && `with (fillfactor = ${fillfactor})`,
    tablespace && `tablespace ${tablespace}`,
  ]
    .filter(Boolean)
    .join(' ')
}
