// TransactionDefaults of a session: what its settings mean for transactions that do not say otherwise.
import type { SessionSettings } from '../config/session-settings.ts'
import type { SettingName } from '../config/settings.ts'
import type { SynchronousCommit, TransactionDefaults } from '../transaction/transaction-queue.ts'

export function transactionDefaults(settings: SessionSettings): TransactionDefaults {
  const milliseconds = (name: SettingName) => Number(settings.get(name))
  const isolation = settings.get('default_transaction_isolation')
  return {
    limits: {
      lock: milliseconds('lock_timeout'),
      deadlock: milliseconds('deadlock_timeout'),
      statement: milliseconds('statement_timeout'),
      idleInTransaction: milliseconds('idle_in_transaction_session_timeout'),
      transaction: milliseconds('transaction_timeout'),
    },
    synchronousCommit: settings.get('synchronous_commit') as SynchronousCommit,
    isolation:
      isolation === 'serializable' || isolation === 'repeatable read'
        ? isolation
        : 'read committed',
    readOnly: settings.get('default_transaction_read_only') === 'on',
  }
}
