// What the settings of a session mean for its VACUUM and ANALYZE, where no option says otherwise.
import { type VacuumOptions, vacuumSettingNames } from '../command/vacuum.ts'
import type { SessionSettings } from '../config/session-settings.ts'

const numbers = [...vacuumSettingNames, 'default_statistics_target'] as const

export function vacuumDefaults(
  settings: SessionSettings,
): Omit<VacuumOptions, 'onProgress' | 'signal'> {
  return {
    ...Object.fromEntries(numbers.map((name) => [name, Number(settings.get(name))])),
    maintenanceWorkMem: Number(settings.get('maintenance_work_mem')) * 1024,
    vacuum_truncate: settings.get('vacuum_truncate') === 'on',
  }
}
