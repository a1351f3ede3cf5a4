// StorageParameters: what CREATE TABLE … WITH and CREATE INDEX … WITH set, as pg_class.reloptions has it.
import { parseBoolean } from '../config/setting-value.ts'

/** A parameter by its name without "toast."; undefined when it is not set. */
export type StorageParameters = (name: string) => string | undefined

export function storageParameters(reloptions: readonly string[] | null): StorageParameters {
  return (name) =>
    reloptions?.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1)
}

/** Undefined as well where it is no boolean ("auto"). */
export function booleanParameter(parameters: StorageParameters, name: string): boolean | undefined {
  const value = parameters(name)
  return value === undefined ? undefined : parseBoolean(value)
}
