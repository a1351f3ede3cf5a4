// Operator classes for types: the default one, or a B-tree's by name.
// Source: GetDefaultOpClass and ResolveOpClass, src/backend/commands/indexcmds.c, PostgreSQL 18.
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgOpclass } from '../catalog/pg_opclass.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType } from '../types/index.ts'
import { btreeAccessMethod, type CommandContext, catalogNamespace } from './command-context.ts'
import { parseQualifiedName } from './qualified-name.ts'
import type { TypeRow } from './relation-rows.ts'

type OperatorClass = CatalogRow<typeof pgOpclass>

const oidType = 26
// Types whose values are, byte for byte, such of another type (pg_cast, method b): varchar and pg_node_tree of text, cidr of
// inet; pg_ndistinct, pg_dependencies and pg_mcv_list of bytea.
const sameBytes = new Map([
  [1043, 25],
  [194, 25],
  [650, 869],
  [3361, 17],
  [3402, 17],
  [5017, 17],
])
const anyArrayType = 2277
const arraySubscriptHandler = 6179
// regproc, regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary, regnamespace, regrole, regcollation.
const regTypes = new Set([24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191])
// Pseudo-types that stand for all types of a pg_type.typtype: anyenum, anyrange, anymultirange, record.
const anyTypes: Readonly<Record<string, number>> = { e: 3500, r: 3831, m: 4537, c: 2249 }

// The type whose operators serve the type without a change of its bytes.
function coercedType(type: TypeRow): number | undefined {
  const same = sameBytes.get(type.oid)
  if (same !== undefined) return same
  if (regTypes.has(type.oid)) return oidType
  if (type.typelem !== 0 && type.typsubscript === arraySubscriptHandler) return anyArrayType
  return anyTypes[type.typtype]
}

/** The default operator class of an access method for the type; undefined when it has none. */
export function defaultOperatorClass(
  { catalogs, session }: CommandContext,
  type: TypeRow,
  accessMethod: number,
): OperatorClass | undefined {
  const all = catalogs.find(session, pgOpclass, 'pg_opclass_am_name_nsp_index', [accessMethod])
  for (const wanted of [type.oid, coercedType(type)]) {
    const found = all.find(({ opcdefault, opcintype }) => opcdefault && opcintype === wanted)
    if (found !== undefined) return found
  }
  return undefined
}

/** The operator class for an index column of the type. Throws 42704, 42804. */
export function resolveOperatorClass(
  context: CommandContext,
  type: TypeRow,
  written?: string,
): OperatorClass {
  if (written !== undefined) {
    const { catalogs, session } = context
    const { name } = parseQualifiedName(written)
    const key = [btreeAccessMethod, name, catalogNamespace]
    const named = catalogs.findOne(session, pgOpclass, 'pg_opclass_am_name_nsp_index', key)
    if (named === undefined) {
      throw new PgError(
        '42704',
        `operator class "${written}" does not exist for access method "btree"`,
      )
    }
    if (![type.oid, coercedType(type)].includes(named.opcintype)) {
      throw new PgError(
        '42804',
        `operator class "${name}" does not accept data type ${formatType(type.oid)}`,
      )
    }
    return named
  }
  const found = defaultOperatorClass(context, type, btreeAccessMethod)
  if (found !== undefined) return found
  throw new PgError(
    '42704',
    `data type ${formatType(type.oid)} has no default operator class for access method "btree"`,
    {
      hint: 'You must specify an operator class for the index or define a default operator class for the data type.',
    },
  )
}
