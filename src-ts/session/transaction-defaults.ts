// TransactionDefaults and MemoryLimits of a session: what its settings mean for its transactions and operations.
import type { MemoryLimits } from '../binding/native.ts'
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

/** For a session on a database whose tablespace is that one. */
export function memoryLimits(settings: SessionSettings, tablespace: number): MemoryLimits {
  const bytes = (name: SettingName) => {
    const kilobytes = Number(settings.get(name))
    return kilobytes < 0 ? -1 : kilobytes * 1024
  }
  return {
    workMem: bytes('work_mem'),
    hashMemMultiplier: Number(settings.get('hash_mem_multiplier')),
    maintenanceWorkMem: bytes('maintenance_work_mem'),
    tempFileLimit: bytes('temp_file_limit'),
    logTempFiles: bytes('log_temp_files'),
    tablespace,
  }
}
