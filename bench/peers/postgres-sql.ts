// postgres-sql: what the two peers that speak PostgreSQL's SQL have in common.
import type { Account } from './accounts.ts'

export const tableSql = `
  create table accounts (id int8 primary key, email text not null, balance float8 not null,
    created timestamptz not null, note text);
  create table history (teller int8 not null, amount float8 not null)`

export const insertSql = 'insert into accounts values ($1, $2, $3, $4, $5)'

export function insertValues(row: Account): unknown[] {
  return [row.id, row.email, row.balance, row.created, row.note]
}

/** In one statement, which costs one round trip. */
export const transferSql = `
  with paying as (update accounts set balance = balance - $3 where id = $1),
    receiving as (update accounts set balance = balance + $3 where id = $2)
  insert into history values ($1, $3)`

/** Rows as COPY reads them; none of these values needs escaping. */
export function copyText(rows: readonly Account[]): string {
  let text = ''
  for (const { id, email, balance, created, note } of rows)
    text += `${id}\t${email}\t${balance}\t${created.toISOString()}\t${note}\n`
  return text
}
