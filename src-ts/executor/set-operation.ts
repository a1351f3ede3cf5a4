// What a set operation consists of.
import { isPlainObject, malformed } from './expression.ts'
import type { Query, SetOperation } from './query.ts'

export type SetOperationKind = 'union' | 'intersect' | 'except'

const kinds: readonly SetOperationKind[] = ['union', 'intersect', 'except']
const otherMembers: readonly string[] = ['all', 'orderBy', 'limit', 'offset']

export function isSetOperation(query: Query): query is SetOperation {
  return kinds.some((kind) => kind in query)
}

/** Throws 42601. */
export function operandsOf(operation: SetOperation): {
  kind: SetOperationKind
  all: boolean
  queries: readonly Query[]
} {
  const kind = kinds.find((one) => one in operation) as SetOperationKind
  for (const name of Object.keys(operation)) {
    if (name !== kind && !otherMembers.includes(name))
      throw malformed(`"${kind}" does not go with "${name}"`)
  }
  const queries = (operation as unknown as Record<string, unknown>)[kind]
  const areQueries = Array.isArray(queries) && queries.length >= 2 && queries.every(isPlainObject)
  if (!areQueries) throw malformed(`"${kind}" takes two or more queries`)
  return { kind, all: operation.all === true, queries: queries as unknown as readonly Query[] }
}
