// Storage parameters, as pg_class.reloptions keeps them.
import { PgError } from '../errors/pg-error.ts'

/** reloptions for a fill factor, null for the default. Throws 22023. */
export function fillfactorOptions(fillfactor: number | undefined): string[] | null {
  if (fillfactor === undefined) return null
  if (!Number.isInteger(fillfactor) || fillfactor < 10 || fillfactor > 100) {
    throw new PgError('22023', `value ${fillfactor} out of bounds for option "fillfactor"`, {
      detail: 'Valid values are between "10" and "100".',
    })
  }
  return [`fillfactor=${fillfactor}`]
}
