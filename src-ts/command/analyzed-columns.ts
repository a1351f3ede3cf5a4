// Analyzed columns: which columns of a table ANALYZE looks at, and what the operators of their types allow it to tell.
//
// Source: examine_attribute and std_typanalyze in src/backend/commands/analyze.c, lookup_type_cache in
// src/backend/utils/cache/typcache.c, PostgreSQL 18.
import type { AnalyzedColumn } from '../binding/native.ts'
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgAmop } from '../catalog/pg_amop.ts'
import { pgAttribute } from '../catalog/pg_attribute.ts'
import { pgCollation } from '../catalog/pg_collation.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { btreeAccessMethod, type CommandContext } from './command-context.ts'
import { defaultOperatorClass } from './operator-class.ts'
import type { TypeRow } from './relation-rows.ts'

type AttributeRow = CatalogRow<typeof pgAttribute>

export interface ColumnToAnalyze {
  row: AttributeRow
  request: AnalyzedColumn
  /** The operators < and =, for pg_statistic.staopN; 0 where there is none. */
  less: number
  equal: number
}

/** What the default operator classes of a type give. */
interface TypeOperators {
  family: number
  operandType: number
  elementType: number
  less: number
  equal: number
}

const hashAccessMethod = 405
const lessStrategy = 1
const equalStrategy = { btree: 3, hash: 1 } as const
const anyArrayType = 2277
const recordType = 2249
const noOperators = { family: 0, operandType: 0, elementType: 0, less: 0, equal: 0 }
// pg_type.typanalyze: 0 and array_typanalyze, whose columns are first looked at as all others are.
const ordinaryAnalyze = new Set([0, 3816])
// Types whose order native code does not know, of which equal values have equal bytes: xid, cid, aclitem, inet, cidr,
// macaddr, macaddr8, bit, varbit.
const equalImageTypes = new Set([28, 29, 1033, 869, 650, 829, 774, 1560, 1562])
const virtualColumn = 'v'

/** The columns named, or all, without those that are not to be analyzed. Throws 42703, 42701. */
export function columnsToAnalyze(
  context: CommandContext,
  info: RelationInfo,
  names: readonly string[] | undefined,
  defaultTarget: number,
): ColumnToAnalyze[] {
  const all = context.catalogs
    .find(context.session, pgAttribute, 'pg_attribute_relid_attnum_index', [info.oid])
    .filter(({ attnum, attisdropped }) => attnum > 0 && !attisdropped)
  const rows = names === undefined ? all : namedColumns(info, all, names)
  const types = new TypesOfColumns(context)
  const found: ColumnToAnalyze[] = []
  for (const row of rows) {
    const target = row.attstattarget ?? defaultTarget
    if (target === 0 || row.attgenerated === virtualColumn) continue
    const type = types.type(row.atttypid)
    if (!ordinaryAnalyze.has(type.typanalyze)) continue
    const base = types.base(type)
    const { less, equal, ...order } = types.operators(base)
    const method = equal === 0 ? 'trivial' : less === 0 ? 'distinct' : 'scalar'
    const request = {
      attribute: row.attnum,
      target,
      method,
      ...order,
      collation: row.attcollation,
      isDeterministic: types.isDeterministic(row.attcollation),
      hasEqualImage: equalImageTypes.has(base.oid) || base.typtype === 'e',
    } as const
    found.push({ row, request, less, equal })
  }
  return found
}

function namedColumns(
  info: RelationInfo,
  rows: readonly AttributeRow[],
  names: readonly string[],
): AttributeRow[] {
  const where = { schema: info.schema, table: info.name }
  return names.map((name, i) => {
    const row = rows.find(({ attname }) => attname === name)
    if (row === undefined) {
      throw new PgError('42703', `column "${name}" of relation "${info.name}" does not exist`, {
        ...where,
        column: name,
      })
    }
    if (names.indexOf(name) < i) {
      throw new PgError(
        '42701',
        `column "${name}" of relation "${info.name}" appears more than once`,
        {
          ...where,
          column: name,
        },
      )
    }
    return row
  })
}

// What the catalogs say of types and collations, looked up once.
class TypesOfColumns {
  readonly #context: CommandContext
  readonly #types = new Map<number, TypeRow>()
  readonly #operators = new Map<number, TypeOperators>()
  readonly #deterministic = new Map<number, boolean>([[0, true]])

  constructor(context: CommandContext) {
    this.#context = context
  }

  type(oid: number): TypeRow {
    let row = this.#types.get(oid)
    if (row === undefined) {
      const { catalogs, session } = this.#context
      row = catalogs.findOne(session, pgType, 'pg_type_oid_index', [oid])
      if (row === undefined) throw new PgError('XX000', `cache lookup failed for type ${oid}`)
      this.#types.set(oid, row)
    }
    return row
  }

  /** What a domain is one of. */
  base(type: TypeRow): TypeRow {
    return type.typtype === 'd' ? this.base(this.type(type.typbasetype)) : type
  }

  operators(type: TypeRow): TypeOperators {
    let found = this.#operators.get(type.oid)
    if (found === undefined) {
      found = this.#operatorsOf(type)
      this.#operators.set(type.oid, found)
    }
    return found
  }

  isDeterministic(collation: number): boolean {
    let known = this.#deterministic.get(collation)
    if (known === undefined) {
      const { catalogs, session } = this.#context
      const row = catalogs.findOne(session, pgCollation, 'pg_collation_oid_index', [collation])
      known = row?.collisdeterministic ?? false
      this.#deterministic.set(collation, known)
    }
    return known
  }

  #operatorsOf(type: TypeRow): TypeOperators {
    const btree = defaultOperatorClass(this.#context, type, btreeAccessMethod)
    if (btree === undefined) {
      const hash = defaultOperatorClass(this.#context, type, hashAccessMethod)
      if (hash === undefined) return noOperators
      const equal = this.#operator(hash.opcfamily, hash.opcintype, equalStrategy.hash)
      return { ...noOperators, equal }
    }
    const { opcfamily: family, opcintype: operandType } = btree
    // Whether rows have an order depends on their columns, and native code has none.
    if (operandType === recordType) return noOperators
    const found = {
      family,
      operandType,
      elementType: 0,
      less: this.#operator(family, operandType, lessStrategy),
      equal: this.#operator(family, operandType, equalStrategy.btree),
    }
    if (operandType !== anyArrayType) return found
    // Arrays are as good as their elements; a column of type anyarray holds arrays of any.
    if (type.typelem === 0) return noOperators
    const element = this.base(this.type(type.typelem))
    const { less, equal } = this.operators(element)
    return {
      ...found,
      elementType: element.oid,
      less: less === 0 ? 0 : found.less,
      equal: equal === 0 ? 0 : found.equal,
    }
  }

  #operator(family: number, type: number, strategy: number): number {
    const { catalogs, session } = this.#context
    const key = [family, type, type, strategy]
    return catalogs.findOne(session, pgAmop, 'pg_amop_fam_strat_index', key)?.amopopr ?? 0
  }
}
