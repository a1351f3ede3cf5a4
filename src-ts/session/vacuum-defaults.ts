// What the settings of a session mean for its VACUUM and ANALYZE, where no option says otherwise.
import type { VacuumOptions } from '../command/vacuum.ts'
import type { SessionSettings } from '../config/session-settings.ts'

const numbers = [
  'default_statistics_target',
  'vacuum_freeze_min_age',
  'vacuum_freeze_table_age',
  'vacuum_multixact_freeze_min_age',
  'vacuum_multixact_freeze_table_age',
  'vacuum_failsafe_age',
  'vacuum_multixact_failsafe_age',
  'autovacuum_freeze_max_age',
  'autovacuum_multixact_freeze_max_age',
  'vacuum_max_eager_freeze_failure_rate',
  'vacuum_cost_delay',
  'vacuum_cost_limit',
  'vacuum_cost_page_miss',
  'vacuum_cost_page_dirty',
] as const

export function vacuumDefaults(
  settings: SessionSettings,
): Omit<VacuumOptions, 'onProgress' | 'signal'> {
  return {
    ...Object.fromEntries(numbers.map((name) => [name, Number(settings.get(name))])),
    maintenanceWorkMem: Number(settings.get('maintenance_work_mem')) * 1024,
    vacuum_truncate: settings.get('vacuum_truncate') === 'on',
  }
}
