// The SQL spelling of a type, as format_type gives it.

import { builtinType, unsupportedTypeName } from './builtin-types.ts'
import { printTypmod } from './type-modifier.ts'

/** The types whose SQL name is not their typname. */
const sqlNames: Readonly<Record<string, string>> = {
  bool: 'boolean',
  bpchar: 'character',
  char: '"char"',
  float4: 'real',
  float8: 'double precision',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  varchar: 'character varying',
  bit: '"bit"',
  varbit: 'bit varying',
}

const zonedSuffix = ' with time zone'
const unzonedSuffix = ' without time zone'

function formatElement(name: string, typmod: number): string {
  switch (name) {
    // Without a length, character would mean character(1).
    case 'bpchar':
      return typmod > 4 ? `character${printTypmod(name, typmod)}` : 'bpchar'
    case 'time':
    case 'timestamp':
      return name + printTypmod(name, typmod) + unzonedSuffix
    case 'timetz':
    case 'timestamptz':
      return name.substring(0, name.length - 2) + printTypmod(name, typmod) + zonedSuffix
    default:
      return (sqlNames[name] ?? name) + printTypmod(name, typmod)
  }
}

/** format_type(oid, typmod) of a built-in type; '???' for any other OID. */
export function formatType(oid: number, typmod = -1): string {
  const type = builtinType(oid)
  if (type === undefined) {
    const name = unsupportedTypeName(oid)
    if (name === undefined) return oid === 0 ? '-' : '???'
    const isArray = name.endsWith('[]')
    const base = isArray ? name.substring(0, name.length - 2) : name
    return (sqlNames[base] ?? base) + (isArray ? '[]' : '')
  }
  if (type.typelem === 0 || type.typstorage === 'p') return formatElement(type.name, typmod)
  const element = builtinType(type.typelem)
  return element === undefined ? '???' : `${formatElement(element.name, typmod)}[]`
}
