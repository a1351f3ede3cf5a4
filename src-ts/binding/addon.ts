// The native addon, loaded once.
import { loadAddon } from './load-addon.ts'

// What the addon exports.
interface Addon {
  version(): string
}

const addon = loadAddon() as Addon

// The version of the package that the native binary was built for.
export function version(): string {
  return addon.version()
}
