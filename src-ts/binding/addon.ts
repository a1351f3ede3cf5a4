// The native addon, loaded once.
import { PgError } from '../errors/pg-error.ts'
import { loadAddon } from './load-addon.ts'
import type { NativeBinding } from './native.ts'

export const binding = loadAddon() as NativeBinding
binding.setErrorClass(PgError)

/** The version of the package that the native binary was built for. */
export function version(): string {
  return binding.version()
}

/** CRC-32C (Castagnoli) of the bytes, as PostgreSQL computes it. */
export function crc32c(bytes: Uint8Array): number {
  return binding.crc32c(bytes)
}
