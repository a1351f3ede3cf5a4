// Ways to find rows by bitmaps: by one index, by what several of them have in common, or, for an `or`, by one for each of its
// operands.
//
// Source: generate_bitmap_or_paths, group_similar_or_args, make_bitmap_paths_for_or_group and choose_bitmap_and in
// src/backend/optimizer/path/indxpath.c, cost_bitmap_and_node and cost_bitmap_or_node in costsize.c, create_bitmap_subplan in
// src/backend/optimizer/plan/createplan.c, PostgreSQL 18.
import type { IndexDescriptor } from '../binding/native.ts'
import { bareColumn } from './column-variable.ts'
import type { BoundExpression } from './expression.ts'
import { expressionKey } from './expression-list.ts'
import { isSame } from './implied-conditions.ts'
import { type IndexKey, matchIndex } from './index-match.ts'

interface Priced {
  /** Of the addresses alone. */
  cost: number
  /** Fraction of the table's rows. */
  selectivity: number
}

export interface BitmapIndexPath extends Priced {
  kind: 'index'
  index: number
  keys: readonly IndexKey[]
  /** Of a scan that gives the rows, too. */
  scanCost: number
}

export interface BitmapJunctionPath extends Priced {
  kind: 'and' | 'or'
  paths: readonly BitmapPath[]
}

export type BitmapPath = BitmapIndexPath | BitmapJunctionPath

/** What is known of the table. */
export interface BitmapTable {
  table: number
  /** Those that may be used, by their places. */
  indexes: readonly (readonly [number, IndexDescriptor])[]
  price(index: number, keys: readonly IndexKey[]): Omit<BitmapIndexPath, 'kind' | 'index' | 'keys'>
  /** Of reading the rows that a bitmap leads to. */
  readingCost(bitmap: Priced): number
  /** Of putting two bitmaps together. */
  junctionCost: number
}

// With more conditions it is not looked at which they are.
const comparedMax = 100

export class BitmapPaths {
  readonly #of: BitmapTable

  constructor(of: BitmapTable) {
    this.#of = of
  }

  /** The best of all for rows that meet the conditions; undefined if no index is of use. */
  best(conditions: readonly BoundExpression[]): BitmapPath | undefined {
    const paths = [...this.#byIndex(conditions, []), ...this.#byJunction(conditions, [])]
    return paths.length === 0 ? undefined : this.#choose(paths)
  }

  // Those that test some of the conditions; what else is known to be true they may test, too.
  #byIndex(
    conditions: readonly BoundExpression[],
    others: readonly BoundExpression[],
  ): BitmapIndexPath[] {
    const all = [...new Set([...conditions, ...others])]
    return this.#of.indexes.flatMap(([number, index]): BitmapIndexPath[] => {
      const keys = matchIndex(this.#of.table, index, all)
      if (!keys.some((key) => conditions.includes(key.of))) return []
      return [{ kind: 'index', index: number, keys, ...this.#of.price(number, keys) }]
    })
  }

  // One for each `or` among the conditions of whose operands each has an index.
  #byJunction(
    conditions: readonly BoundExpression[],
    others: readonly BoundExpression[],
  ): BitmapPath[] {
    const all = [...conditions, ...others]
    return conditions.flatMap((condition): BitmapPath[] => {
      if (condition.kind !== 'or' || condition.operands.length === 0) return []
      const rest = all.filter((one) => one !== condition)
      const paths: BitmapPath[] = []
      for (const group of this.#groups(condition.operands)) {
        const found = group.length > 1 ? this.#ofGroup(group, rest) : this.#ofOperand(group, all)
        if (found.length === 0) return []
        paths.push(...found)
      }
      return [this.#junction('or', paths)]
    })
  }

  #ofOperand([operand]: readonly BoundExpression[], all: readonly BoundExpression[]): BitmapPath[] {
    if (operand === undefined) return []
    const isAnd = operand.kind === 'and'
    const conditions = isAnd ? operand.operands : [operand]
    const paths = [
      ...this.#byIndex(conditions, all),
      ...(isAnd ? this.#byJunction(conditions, all) : []),
    ]
    return paths.length === 0 ? [] : [this.#choose(paths)]
  }

  // Equalities of one column: by one search for all of the values, or by one for each.
  #ofGroup(group: readonly BoundExpression[], others: readonly BoundExpression[]): BitmapPath[] {
    const together = this.#byIndex([{ kind: 'or', operands: [...group] }], others)
    const joint = together.length === 0 ? [] : [this.#choose(together)]
    if (joint.length > 0 && others.length === 0) return joint
    const apart: BitmapPath[] = []
    for (const operand of group) {
      const paths = this.#byIndex([operand], others)
      if (paths.length === 0) return joint
      apart.push(this.#choose(paths))
    }
    if (joint.length === 0) return apart
    const cost = (paths: readonly BitmapPath[]) =>
      paths.reduce((sum, one) => sum + (one.kind === 'index' ? one.scanCost : one.cost), 0)
    return cost(joint) < cost(apart) ? joint : apart
  }

  // The operands, those together that are equalities of one column of an index.
  #groups(operands: readonly BoundExpression[]): BoundExpression[][] {
    const groups = new Map<string | BoundExpression, BoundExpression[]>()
    for (const operand of operands) {
      const key = this.#groupKey(operand) ?? operand
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [operand])
      else group.push(operand)
    }
    return [...groups.values()]
  }

  #groupKey(operand: BoundExpression): string | undefined {
    if (operand.kind !== 'comparison' || operand.operator !== '=') return undefined
    const sides = [operand.left, operand.right]
    const [side, ...more] = sides.filter((one) => bareColumn(one) !== undefined)
    const column = side && bareColumn(side)
    if (column?.kind !== 'column' || more.length > 0) return undefined
    const { attribute } = column
    const isKey = this.#of.indexes.some(([, { columns, keyCount }]) =>
      columns.slice(0, keyCount).some((key) => key.attribute === attribute),
    )
    return isKey ? expressionKey(column) : undefined
  }

  #junction(kind: 'and' | 'or', paths: readonly BitmapPath[]): BitmapJunctionPath {
    // What an index gives goes into the bitmap of an `or` at once.
    const junctions = paths.slice(1).filter((one) => kind === 'and' || one.kind !== 'index').length
    const selectivity =
      kind === 'and'
        ? paths.reduce((product, one) => product * one.selectivity, 1)
        : paths.reduce((sum, one) => sum + one.selectivity, 0)
    return {
      kind,
      paths,
      cost: paths.reduce((sum, { cost }) => sum + cost, 0) + junctions * this.#of.junctionCost,
      selectivity: Math.min(selectivity, 1),
    }
  }

  // The cheapest of them, or of several of which no two test the same conditions.
  #choose(paths: readonly BitmapPath[]): BitmapPath {
    const uses: { path: BitmapPath; tested: ReadonlySet<string> | undefined }[] = []
    for (const path of paths) {
      const tested = testedKeys(path)
      const same = uses.find((one) => tested && one.tested && isSameSet(tested, one.tested))
      if (same === undefined) uses.push({ path, tested })
      else if (path.cost < same.path.cost) same.path = path
    }
    uses.sort(({ path: a }, { path: b }) => a.cost - b.cost || a.selectivity - b.selectivity)
    let best = uses[0]?.path as BitmapPath
    let bestCost = Number.POSITIVE_INFINITY
    for (const [i, first] of uses.entries()) {
      let { path } = first
      let cost = this.#of.readingCost(path)
      const taken = [path]
      const tested = new Set(first.tested)
      for (const next of uses.slice(i + 1)) {
        if ([...(next.tested ?? [])].some((one) => tested.has(one))) continue
        const joined = this.#junction('and', [...taken, next.path])
        const joinedCost = this.#of.readingCost(joined)
        if (joinedCost >= cost) continue
        path = joined
        cost = joinedCost
        taken.push(next.path)
        for (const one of next.tested ?? []) tested.add(one)
      }
      if (cost < bestCost) {
        best = path
        bestCost = cost
      }
    }
    return best
  }
}

// The conditions that its indexes stand for; undefined for too many.
function testedKeys(path: BitmapPath): Set<string> | undefined {
  const conditions = conditionsOf(path)
  return conditions.length > comparedMax ? undefined : new Set(conditions.map(expressionKey))
}

function conditionsOf(path: BitmapPath): BoundExpression[] {
  if (path.kind !== 'index') return path.paths.flatMap(conditionsOf)
  return [...new Set(path.keys.map((key) => key.of))]
}

function isSameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((key) => other.has(key))
}

/**
 * What is true of the rows that a path leads to, put together of what `ofKey` says of each key: conditions of which all hold.
 */
export function truthOf(
  path: BitmapPath,
  ofKey: (key: IndexKey) => BoundExpression,
): BoundExpression[] {
  if (path.kind === 'index') return [...new Set(path.keys.map(ofKey))]
  const truths = path.paths.map((one) => truthOf(one, ofKey))
  if (path.kind === 'and') {
    const all = truths.flat()
    return all.filter((one, i) => !all.slice(0, i).some((earlier) => isSame(earlier, one)))
  }
  const operands = truths.map((all): BoundExpression => {
    const [first] = all
    return all.length === 1 && first ? first : { kind: 'and', operands: all }
  })
  const [only] = operands
  return operands.length === 1 && only ? [only] : [{ kind: 'or', operands }]
}
