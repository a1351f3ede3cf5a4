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
  varbit: 'bit varying',
}

const zonedSuffix = ' with time zone'
const unzonedSuffix = ' without time zone'

function formatElement(name: string, given: number | undefined): string {
  const typmod = given ?? -1
  switch (name) {
    // Where a length is asked for and there is none, "character" would mean character(1).
    case 'bpchar':
      if (given === undefined) return 'character'
      return typmod > 4 ? `character${printTypmod(name, typmod)}` : 'bpchar'
    case 'time':
    case 'timestamp':
      return name + printTypmod(name, typmod) + unzonedSuffix
    case 'timetz':
    case 'timestamptz':
      return name.substring(0, name.length - 2) + printTypmod(name, typmod) + zonedSuffix
    default:
      return sqlName(name, given) + printTypmod(name, typmod)
  }
}

function sqlName(name: string, typmod: number | undefined): string {
  return name === 'bit' && typmod !== undefined ? '"bit"' : (sqlNames[name] ?? name)
}

/** format_type(oid, typmod) of a built-in type, NULL for the modifier when there is none; '???' for any other OID. */
export function formatType(oid: number, typmod?: number): string {
  const type = builtinType(oid)
  if (type === undefined) {
    const name = unsupportedTypeName(oid)
    if (name === undefined) return oid === 0 ? '-' : '???'
    const isArray = name.endsWith('[]')
    const base = isArray ? name.substring(0, name.length - 2) : name
    return sqlName(base, typmod) + (isArray ? '[]' : '')
  }
  if (type.typelem === 0 || type.typstorage === 'p') return formatElement(type.name, typmod)
  const element = builtinType(type.typelem)
  return element === undefined ? '???' : `${formatElement(element.name, typmod)}[]`
}
