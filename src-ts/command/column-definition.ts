// Column definitions: 'varchar(20) not null', 'text collate "C" unique', as they stand in CREATE TABLE.
import type { CatalogRow } from '../catalog/define-catalog.ts'
import { pgCollation } from '../catalog/pg_collation.ts'
import { pgType } from '../catalog/pg_type.ts'
import { PgError } from '../errors/pg-error.ts'
import { formatType, parseTypeName } from '../types/index.ts'
import { type CommandContext, catalogNamespace } from './command-context.ts'
import { checkIdentifier } from './identifier.ts'
import { parseQualifiedName } from './qualified-name.ts'

/** What a column's text says, before any catalog is asked. */
export interface ColumnText {
  type: string
  notNull: boolean
  primaryKey: boolean
  unique: boolean
  /** As written: a name that may be quoted and qualified. */
  collation: string | undefined
}

/** A column of a new table. */
export interface ColumnDefinition {
  name: string
  type: CatalogRow<typeof pgType>
  typmod: number
  /** attndims. */
  dimensions: number
  /** 0 for a type without collation. */
  collation: number
  notNull: boolean
}

// The words that end the type's name: column constraints and what else may follow it.
const clauseWords = new Set([
  'not',
  'null',
  'primary',
  'unique',
  'collate',
  'constraint',
  'default',
  'check',
  'references',
  'generated',
  'storage',
  'compression',
  'deferrable',
  'initially',
  'options',
])

// Words, quoted names, and other characters one by one.
const token = /"(?:[^"]|"")*"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\s+|./gs

/** Takes the text of a column apart. Throws 42601, and 0A000 for the clauses that are not supported. */
export function parseColumnText(table: string, column: string, text: string): ColumnText {
  const tokens = text.match(token) ?? []
  const wordAt = (i: number) => (tokens[i] ?? '').toLowerCase()
  const skipSpaces = (i: number) => (/^\s/.test(tokens[i] ?? '') ? i + 1 : i)
  const syntaxError = (i: number) =>
    new PgError(
      '42601',
      tokens[i] === undefined
        ? 'syntax error at end of input'
        : `syntax error at or near "${tokens[i]}"`,
      {
        column,
      },
    )

  let at = 0
  while (at < tokens.length && !clauseWords.has(wordAt(at))) at++
  const parsed: ColumnText = {
    type: tokens.slice(0, at).join('').trim(),
    notNull: false,
    primaryKey: false,
    unique: false,
    collation: undefined,
  }
  let isNull = false
  const expectWord = (word: string) => {
    at = skipSpaces(at)
    if (wordAt(at) !== word) throw syntaxError(at)
    at++
  }
  for (at = skipSpaces(at); at < tokens.length; at = skipSpaces(at)) {
    const word = wordAt(at)
    at++
    switch (word) {
      case 'not':
        expectWord('null')
        parsed.notNull = true
        break
      case 'null':
        isNull = true
        break
      case 'primary':
        expectWord('key')
        parsed.primaryKey = true
        break
      case 'unique':
        parsed.unique = true
        break
      case 'collate': {
        at = skipSpaces(at)
        const from = at
        while (at < tokens.length && !/^\s/.test(tokens[at] as string)) at++
        if (at === from) throw syntaxError(at)
        parsed.collation = tokens.slice(from, at).join('')
        break
      }
      default:
        if (!clauseWords.has(word)) throw syntaxError(at - 1)
        throw new PgError('0A000', `column clause "${word}" is not supported`, {
          detail:
            'Of the clauses after a type, NOT NULL, NULL, PRIMARY KEY, UNIQUE and COLLATE are.',
          column,
        })
    }
  }
  if (isNull && (parsed.notNull || parsed.primaryKey)) {
    throw new PgError(
      '42601',
      `conflicting NULL/NOT NULL declarations for column "${column}" of table "${table}"`,
      { table, column },
    )
  }
  return parsed
}

/** The OID of a collation for this database's encoding, by a name that may be qualified. Throws 42704. */
export function collationOid(context: CommandContext, written: string, encoding: number): number {
  const { schema, name } = parseQualifiedName(written)
  const { catalogs, session, relations } = context
  const namespaces = written.includes('.')
    ? [relations.namespaceOid(session, schema)]
    : [catalogNamespace, relations.namespaceOid(session, schema)]
  for (const namespace of namespaces) {
    for (const wanted of [encoding, -1]) {
      const key = [name, wanted, namespace]
      const row = catalogs.findOne(session, pgCollation, 'pg_collation_name_enc_nsp_index', key)
      if (row !== undefined) return row.oid
    }
  }
  throw new PgError('42704', `collation ${written} does not exist`)
}

/** The collation that a column or index column of the type gets. Throws 42804 for a type that has none. */
export function resolveCollation(
  context: CommandContext,
  type: CatalogRow<typeof pgType>,
  inherited: number,
  written: string | undefined,
  encoding: number,
): number {
  if (written === undefined) return inherited
  if (type.typcollation === 0) {
    throw new PgError('42804', `collations are not supported by type ${formatType(type.oid)}`)
  }
  return collationOid(context, written, encoding)
}

// The system columns' names. Source: src/backend/catalog/heap.c, PostgreSQL 18.
export const systemColumnNames: readonly string[] = [
  'ctid',
  'xmin',
  'cmin',
  'xmax',
  'cmax',
  'tableoid',
]

// Source: src/include/access/htup_details.h, PostgreSQL 18.
const columnsMax = 1600

/** Refuses too many columns, names used twice, and those of system columns. Throws 54011, 42701. */
export function checkColumnNames(names: readonly string[]): void {
  if (names.length > columnsMax)
    throw new PgError('54011', `tables can have at most ${columnsMax} columns`)
  const seen = new Set<string>()
  for (const column of names) {
    checkIdentifier(column)
    if (systemColumnNames.includes(column)) {
      throw new PgError('42701', `column name "${column}" conflicts with a system column name`, {
        column,
      })
    }
    if (seen.has(column)) {
      throw new PgError('42701', `column "${column}" specified more than once`, { column })
    }
    seen.add(column)
  }
}

/** Resolves type and collation. Throws 42601, 42704, 42P16, 0A000. */
export function defineColumn(
  context: CommandContext,
  name: string,
  text: ColumnText,
  encoding: number,
): ColumnDefinition {
  const { oid, typmod, arrayDims } = parseTypeName(text.type)
  const type = context.catalogs.findOne(context.session, pgType, 'pg_type_oid_index', [oid])
  if (type === undefined)
    throw new PgError('42704', `type "${text.type}" does not exist`, { column: name })
  if (type.typtype === 'p') {
    throw new PgError('42P16', `column "${name}" has pseudo-type ${formatType(oid)}`, {
      column: name,
    })
  }
  return {
    name,
    type,
    typmod,
    dimensions: arrayDims,
    collation: resolveCollation(context, type, type.typcollation, text.collation, encoding),
    notNull: text.notNull || text.primaryKey,
  }
}
