// Names that PostgreSQL makes up: of indexes, constraints, array types and index columns.
// Source: src/backend/commands/indexcmds.c, src/backend/catalog/{pg_constraint.c,pg_type.c}, PostgreSQL 18.
import { pgClass } from '../catalog/pg_class.ts'
import { pgConstraint } from '../catalog/pg_constraint.ts'
import { pgType } from '../catalog/pg_type.ts'
import type { CommandContext } from './command-context.ts'
import { clipToBytes, identifierBytesMax } from './identifier.ts'

/** "name1_name2_label", where the longer name gives way until all fits. */
export function joinNames(name1: string, name2: string | undefined, label: string): string {
  let overhead = 0
  if (name2 !== undefined) overhead++
  if (label !== '') overhead += Buffer.byteLength(label) + 1
  const room = identifierBytesMax - overhead
  let bytes1 = Buffer.byteLength(name1)
  let bytes2 = name2 === undefined ? 0 : Buffer.byteLength(name2)
  while (bytes1 + bytes2 > room) {
    if (bytes1 > bytes2) bytes1--
    else bytes2--
  }
  let joined = clipToBytes(name1, bytes1)
  if (name2 !== undefined) joined += `_${clipToBytes(name2, bytes2)}`
  return label === '' ? joined : `${joined}_${label}`
}

function constraintExists(context: CommandContext, name: string, namespace: number): boolean {
  const key = [name, namespace]
  return (
    context.catalogs.find(context.session, pgConstraint, 'pg_constraint_conname_nsp_index', key)
      .length > 0
  )
}

/** A free name for an index; with `isConstraint` free among constraints too. */
export function chooseRelationName(
  context: CommandContext,
  table: string,
  columns: string | undefined,
  label: string,
  namespace: number,
  isConstraint: boolean,
): string {
  const { catalogs, session } = context
  for (let pass = 0; ; pass++) {
    const name = joinNames(table, columns, pass === 0 ? label : `${label}${pass}`)
    if (
      catalogs.findOne(session, pgClass, 'pg_class_relname_nsp_index', [name, namespace]) !==
      undefined
    )
      continue
    if (!isConstraint || !constraintExists(context, name, namespace)) return name
  }
}

/** A name for a constraint that neither the schema nor `taken` has. */
export function chooseConstraintName(
  context: CommandContext,
  table: string,
  column: string,
  label: string,
  namespace: number,
  taken: readonly string[],
): string {
  for (let pass = 0; ; pass++) {
    const name = joinNames(table, column, pass === 0 ? label : `${label}${pass}`)
    if (!taken.includes(name) && !constraintExists(context, name, namespace)) return name
  }
}

/** A free name for the array type over `typeName`. */
export function chooseArrayTypeName(
  context: CommandContext,
  typeName: string,
  namespace: number,
): string {
  const { catalogs, session } = context
  for (let pass = 0; ; pass++) {
    const name = joinNames('', typeName, pass === 0 ? '' : `${pass}`)
    if (
      catalogs.findOne(session, pgType, 'pg_type_typname_nsp_index', [name, namespace]) ===
      undefined
    )
      return name
  }
}

/** The names of an index's columns: those of the table, made different where one comes twice. */
export function chooseIndexColumnNames(columns: readonly string[]): string[] {
  const chosen: string[] = []
  for (const column of columns) {
    let name = column
    for (let pass = 1; chosen.includes(name); pass++) {
      const suffix = `${pass}`
      name = clipToBytes(column, identifierBytesMax - suffix.length) + suffix
    }
    chosen.push(name)
  }
  return chosen
}

/** What an index's name says of its columns. */
export function indexNameAddition(columnNames: readonly string[]): string {
  let joined = ''
  for (const name of columnNames) {
    joined += joined === '' ? name : `_${name}`
    if (Buffer.byteLength(joined) > identifierBytesMax) break
  }
  return joined
}
