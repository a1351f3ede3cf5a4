// databaseDirectory: where a database's files are.

const defaultTablespace = 1663
/** The version directory inside a tablespace: major release and catalog version. */
export const tablespaceVersionDirectory = 'PG_18_202506291'

/** Below the data directory: "base/5", or "pg_tblspc/16400/PG_18_202506291/5". */
export function databaseDirectory(oid: number, tablespace: number): string {
  if (tablespace === defaultTablespace) return `base/${oid}`
  return `pg_tblspc/${tablespace}/${tablespaceVersionDirectory}/${oid}`
}
