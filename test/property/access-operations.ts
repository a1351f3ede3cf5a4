// The operations of the access layer's property test: made from a seed as plain data that depends on no state, so that
// any part of a failing list can be run again.
import type { Random } from '../support/random.ts'
import {
  type Bounds,
  type Column,
  type Filter,
  type IndexDefinition,
  otherIndexes,
  primaryKey,
  type Row,
  uniqueIndex,
  type Value,
} from './access-model.ts'

export type Write =
  | { kind: 'insert'; rows: Row[] }
  | { kind: 'update'; id: number; changes: Partial<Row> }
  | { kind: 'delete'; id: number }
  | { kind: 'deleteRun'; from: number; count: number }

export type Read =
  | { kind: 'get'; ids: number[] }
  | { kind: 'scan'; filters: Filter[] }
  | { kind: 'aggregate'; filters: Filter[] }
  | {
      kind: 'range'
      index: IndexDefinition
      bounds: Bounds
      filters: Filter[]
      reverse: boolean
      limit?: number
    }

export type Step = Write | Read | { kind: 'truncate' }

export type Operation =
  | Step
  | { kind: 'transaction'; steps: Step[]; commits: boolean; isolation: Isolation }
  | { kind: 'index'; index: IndexDefinition }
  | { kind: 'checkpoint' | 'snapshot' | 'reopen' | 'crash' }

export type Isolation = 'read committed' | 'repeatable read'

const idsMax = 400

export function makeOperations(random: Random, count: number): Operation[] {
  return Array.from({ length: count }, () => makeOperation(random))
}

function makeOperation(random: Random): Operation {
  const chance = random.next()
  if (chance < 0.003) return { kind: 'truncate' }
  if (chance < 0.01) return { kind: 'index', index: random.pick(otherIndexes) }
  if (chance < 0.013) return { kind: 'checkpoint' }
  if (chance < 0.0145) return { kind: 'reopen' }
  if (chance < 0.016) return { kind: 'crash' }
  if (chance < 0.04) return { kind: 'snapshot' }
  if (chance < 0.15) {
    return {
      kind: 'transaction',
      steps: Array.from({ length: random.int(1, 8) }, () =>
        random.chance(0.02) ? { kind: 'truncate' } : makeStep(random),
      ),
      commits: random.chance(0.7),
      isolation: random.pick(['read committed', 'repeatable read']),
    }
  }
  return makeStep(random)
}

function makeStep(random: Random): Write | Read {
  switch (random.pick(['insert', 'insert', 'update', 'update', 'delete', 'read', 'read', 'read'])) {
    case 'insert':
      return { kind: 'insert', rows: makeRows(random) }
    case 'update':
      return { kind: 'update', id: random.int(1, idsMax), changes: makeChanges(random) }
    case 'delete':
      return random.chance(0.06)
        ? { kind: 'deleteRun', from: random.int(1, idsMax), count: random.int(20, 200) }
        : { kind: 'delete', id: random.int(1, idsMax) }
    default:
      return makeRead(random)
  }
}

function makeRead(random: Random): Read {
  switch (random.pick(['get', 'get', 'scan', 'aggregate', 'range', 'range', 'range'])) {
    case 'get':
      return {
        kind: 'get',
        ids: Array.from({ length: random.int(1, 5) }, () => random.int(1, idsMax)),
      }
    case 'scan':
      return { kind: 'scan', filters: makeFilters(random) }
    case 'aggregate':
      return { kind: 'aggregate', filters: makeFilters(random) }
    default: {
      const index = random.pick([primaryKey, uniqueIndex, ...otherIndexes])
      return {
        kind: 'range',
        index,
        bounds: makeBounds(random, index),
        filters: random.chance(0.3) ? makeFilters(random) : [],
        reverse: random.chance(0.5),
        ...(random.chance(0.3) && { limit: random.int(0, 20) }),
      }
    }
  }
}

function makeRows(random: Random): Row[] {
  const count = random.chance(0.1) ? random.int(20, 80) : 1
  const first = random.int(1, idsMax)
  // Runs of ids, most of which are free or none is.
  return Array.from({ length: count }, (_, n) => ({ id: first + n, ...makeValues(random) }))
}

function makeValues(random: Random): Omit<Row, 'id'> {
  return {
    a: makeA(random),
    b: makeB(random),
    c: makeC(random),
    u: makeU(random),
    big: makeBig(random),
  }
}

const makeA = (random: Random) => (random.chance(0.15) ? null : random.int(-20, 20))
const makeC = (random: Random) => random.int(-1000, 1000) / 4
const makeU = (random: Random) => (random.chance(0.6) ? null : random.int(1, 5000))

function makeB(random: Random): string | null {
  if (random.chance(0.15)) return null
  const word = random.pick(['', 'a', 'ab', 'b', 'ä', 'z', 'zz', '漢', '😀', 'A'])
  // Wide keys split pages.
  return random.chance(0.3) ? word + '-'.repeat(random.int(50, 400)) : word + random.int(0, 30)
}

// Stored out of line, most of it; some compresses, some does not.
function makeBig(random: Random): string | null {
  if (random.chance(0.95)) return null
  return random.chance(0.5)
    ? 'long '.repeat(random.int(100, 3000))
    : noise(random, random.int(100, 6000))
}

function noise(random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += random.int(0, 2 ** 31).toString(36)
  return text
}

function makeChanges(random: Random): Partial<Row> {
  const changes: Partial<Row> = {}
  if (random.chance(0.4)) changes.a = makeA(random)
  if (random.chance(0.3)) changes.b = makeB(random)
  if (random.chance(0.5)) changes.c = makeC(random)
  if (random.chance(0.15)) changes.u = makeU(random)
  if (random.chance(0.1)) changes.big = makeBig(random)
  if (random.chance(0.05)) changes.id = random.int(1, idsMax)
  if (Object.keys(changes).length === 0) changes.c = makeC(random)
  return changes
}

function makeValue(random: Random, column: Column): NonNullable<Value> {
  switch (column) {
    case 'id':
      return random.int(1, idsMax)
    case 'a':
      return random.int(-22, 22)
    case 'c':
      return makeC(random)
    case 'u':
      return random.int(1, 5000)
    case 'b':
      return makeB(random) ?? 'm'
    case 'big':
      return 'm'
  }
}

function makeFilters(random: Random): Filter[] {
  const filters: Filter[] = []
  for (let left = random.int(0, 2); left > 0; left--) {
    const column = random.pick(['id', 'a', 'b', 'c', 'u', 'big'] as const)
    const operator = random.pick([
      '=',
      '<>',
      '<',
      '<=',
      '>',
      '>=',
      'is null',
      'is not null',
    ] as const)
    if (filters.some((other) => other.column === column)) continue
    if (operator === 'is null' || operator === 'is not null') filters.push({ column, operator })
    else filters.push({ column, operator, value: makeValue(random, column) })
  }
  return filters
}

function makeBounds(random: Random, index: IndexDefinition): Bounds {
  const bound = () =>
    index.columns
      .slice(0, random.int(1, index.columns.length))
      .map(({ column }) => makeValue(random, column))
  const bounds: Bounds = {}
  if (random.chance(0.6)) bounds[random.pick(['from', 'after'] as const)] = bound()
  if (random.chance(0.6)) bounds[random.pick(['to', 'before'] as const)] = bound()
  return bounds
}
