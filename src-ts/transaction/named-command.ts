// namedCommand: runs a command of many operations under a name of its own, as Cluster.activity shows it.
import type { NativeSession } from '../binding/native.ts'

/** `relation` is the OID of what it works on, if that is one thing. */
export function namedCommand<T>(
  native: NativeSession,
  name: string,
  action: () => T | Promise<T>,
  relation = 0,
): T | Promise<T> {
  native.beginCommand(name, relation)
  let result: T | Promise<T>
  try {
    result = action()
  } catch (error) {
    native.endCommand()
    throw error
  }
  if (result instanceof Promise) return result.finally(() => native.endCommand())
  native.endCommand()
  return result
}
