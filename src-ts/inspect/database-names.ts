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
}

const pgAuthid = 1260
// Catalogs of things that live in schemas: OID of the catalog, columns of name and schema.
const catalogs: Record<string, [oid: number, name: string, namespace: string]> = {
  regclass: [1259, 'relname', 'relnamespace'],
  regtype: [1247, 'typname', 'typnamespace'],
  regproc: [1255, 'proname', 'pronamespace'],
  regcollation: [3456, 'collname', 'collnamespace'],
  regconfig: [3602, 'cfgname', 'cfgnamespace'],
  regdictionary: [3600, 'dictname', 'dictnamespace'],
}
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
        const builtin = formatType(oid, -1)
        if (builtin !== unknownType) return builtin
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
    const visible = (byName.get(found.name) ?? []).filter((named) =>
      searchPath.includes(schemaOf(named)),
    )
    // A function's name may be shared; then it alone does not find it.
    const first =
      typeName === 'regproc' && visible.length !== 1
        ? undefined
        : visible.sort(
            (a, b) => searchPath.indexOf(schemaOf(a)) - searchPath.indexOf(schemaOf(b)),
          )[0]
    const name = quoteIdentifier(found.name)
    return first === found ? name : `${quoteIdentifier(schemaOf(found))}.${name}`
  }

  #named(typeName: string) {
    let known = this.#byType.get(typeName)
    if (known === undefined) {
      const [catalogOid, nameColumn, namespaceColumn] = catalogs[typeName] as [
        number,
        string,
        string,
      ]
      const rows = this.#database
        .catalogRows<Record<string, unknown>>(catalogOid, ['oid', nameColumn, namespaceColumn])
        .map((row) => ({
          oid: row.oid as number,
          name: row[nameColumn] as string,
          namespace: row[namespaceColumn] as number,
        }))
      const byName = new Map<string, Named[]>()
      for (const row of rows) byName.set(row.name, [...(byName.get(row.name) ?? []), row])
      known = { byOid: new Map(rows.map((row) => [row.oid, row])), byName }
      this.#byType.set(typeName, known)
    }
    return known
  }
}
