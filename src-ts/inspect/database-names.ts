// DatabaseNames: names for the values of reg* types and aclitem, as a server with the search path
// "$user", public prints them. Read from the catalogs when first asked for.
import type { NameResolver } from '../types/index.ts'
import { formatType } from '../types/index.ts'
import { quoteIdentifier } from './identifier-quoting.ts'
import type { OfflineDatabase } from './offline-database.ts'

interface Named {
  oid: number
  name: string
  namespace: number
  /** OIDs of the types of the arguments; none for what has no arguments. 0: an operator's missing side. */
  arguments: readonly number[]
}

const pgAuthid = 1260
// Catalogs of things that live in schemas: OID of the catalog, columns of name, schema and types of arguments.
type CatalogOf = readonly [oid: number, name: string, namespace: string, ...arguments: string[]]
const functions: CatalogOf = [1255, 'proname', 'pronamespace', 'proargtypes']
const operators: CatalogOf = [2617, 'oprname', 'oprnamespace', 'oprleft', 'oprright']
const catalogs: Record<string, CatalogOf> = {
  regclass: [1259, 'relname', 'relnamespace'],
  regtype: [1247, 'typname', 'typnamespace'],
  regproc: functions,
  regprocedure: functions,
  regoper: operators,
  regoperator: operators,
  regcollation: [3456, 'collname', 'collnamespace'],
  regconfig: [3602, 'cfgname', 'cfgnamespace'],
  regdictionary: [3600, 'dictname', 'dictnamespace'],
}
// Types whose text is a bare name only where that alone, whatever the arguments, finds the object.
const namedWithoutArguments = new Set(['regproc', 'regoper'])
const searchPath = ['pg_catalog', 'public']
const unknownType = '???'

export class DatabaseNames implements NameResolver {
  readonly #database: OfflineDatabase
  readonly #byType = new Map<string, { byOid: Map<number, Named>; byName: Map<string, Named[]> }>()
  #roles: Map<number, string> | undefined

  constructor(database: OfflineDatabase) {
    this.#database = database
  }

  nameOf(typeName: string, oid: number): string | undefined {
    switch (typeName) {
      case 'aclitem':
        return this.#role(oid)
      case 'regrole': {
        const role = this.#role(oid)
        return role === undefined ? undefined : quoteIdentifier(role)
      }
      case 'regnamespace': {
        const name = this.#database.namespaces().get(oid)
        return name === undefined ? undefined : quoteIdentifier(name)
      }
      case 'regtype': {
        const builtin = formatType(oid)
        if (builtin !== unknownType) return builtin
        const element = this.#database.elementOfArray(oid)
        if (element !== undefined) return `${this.nameOf(typeName, element)}[]`
      }
    }
    return typeName in catalogs ? this.#qualified(typeName, oid) : undefined
  }

  #role(oid: number): string | undefined {
    this.#roles ??= new Map(
      this.#database
        .catalogRows<{ oid: number; rolname: string }>(pgAuthid, ['oid', 'rolname'])
        .map((row) => [row.oid, row.rolname]),
    )
    return this.#roles.get(oid)
  }

  // The name alone where it finds the object by the search path, else with its schema.
  #qualified(typeName: string, oid: number): string | undefined {
    const { byOid, byName } = this.#named(typeName)
    const found = byOid.get(oid)
    if (found === undefined) return undefined
    const namespaces = this.#database.namespaces()
    const schemaOf = ({ namespace }: Named) => namespaces.get(namespace) ?? ''
    const isOperator = catalogs[typeName] === operators
    const name = isOperator ? found.name : quoteIdentifier(found.name)
    const qualified = isFound(typeName, found, this.#visible(byName.get(found.name) ?? []))
      ? name
      : `${quoteIdentifier(schemaOf(found))}.${name}`
    if (typeName !== 'regprocedure' && typeName !== 'regoperator') return qualified
    const types = found.arguments.map((type) =>
      isOperator && type === 0 ? 'NONE' : (this.nameOf('regtype', type) ?? unknownType),
    )
    return `${qualified}(${types.join(',')})`
  }

  // Those that the search path reaches: of several with the same arguments the first one's.
  #visible(named: readonly Named[]): Named[] {
    const namespaces = this.#database.namespaces()
    const reached = new Map<string, Named>()
    for (const schema of searchPath) {
      for (const each of named) {
        const key = each.arguments.join()
        if (namespaces.get(each.namespace) === schema && !reached.has(key)) reached.set(key, each)
      }
    }
    return [...reached.values()]
  }

  #named(typeName: string) {
    let known = this.#byType.get(typeName)
    if (known === undefined) {
      const [catalogOid, nameColumn, namespaceColumn, ...argumentColumns] = catalogs[
        typeName
      ] as CatalogOf
      const columns = ['oid', nameColumn, namespaceColumn, ...argumentColumns]
      const rows = this.#database
        .catalogRows<Record<string, unknown>>(catalogOid, columns)
        .map((row) => ({
          oid: row.oid as number,
          name: row[nameColumn] as string,
          namespace: row[namespaceColumn] as number,
          arguments: argumentColumns.flatMap((column) => row[column] as number | number[]),
        }))
      const byName = new Map<string, Named[]>()
      for (const row of rows) byName.set(row.name, [...(byName.get(row.name) ?? []), row])
      known = { byOid: new Map(rows.map((row) => [row.oid, row])), byName }
      this.#byType.set(typeName, known)
    }
    return known
  }
}

// Does the bare name find `named`, of those that are visible under it?
function isFound(typeName: string, named: Named, visible: readonly Named[]): boolean {
  return visible.includes(named) && (visible.length === 1 || !namedWithoutArguments.has(typeName))
}
