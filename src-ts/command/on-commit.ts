// What ON COMMIT says of the session's temporary tables: done right before each commit, as part of the transaction.
// Source: PreCommit_on_commit_actions in src/backend/commands/tablecmds.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { type CommitAction, temporaryClaimOf } from '../relation/temporary-schema.ts'
import { findClassRow } from './class-row.ts'
import type { CommandContext } from './command-context.ts'
import { relationAddress } from './dependency.ts'
import { dropObject } from './drop-object.ts'

/** What a table is made with. */
export type OnCommit = 'preserve rows' | CommitAction

/** Does it to all tables that are still there. */
export function actOnCommit(context: CommandContext): void {
  const { session } = context
  const claim = temporaryClaimOf(session)
  for (const { table, action } of claim.atCommit) {
    if (findClassRow(context, table) === undefined) continue
    if (action === 'drop') dropObject(context, relationAddress(table), true)
    else emptyTable(context, table)
  }
}

// Not undone if the transaction is rolled back after all: what it had was to go.
function emptyTable({ session, relations }: CommandContext, oid: number): void {
  const { access } = relations.openByOid(session, oid)
  if (session.temporaryBlocks(access.locator) === 0) return
  if (temporaryClaimOf(session).inUse.has(oid)) {
    const { name } = access.descriptor
    const reason = 'because it is being used by active queries in this session'
    throw new PgError('55006', `cannot truncate "${name}" ${reason}`, { table: name })
  }
  session.emptyTemporary(access.native)
  relations.forget(oid)
}
