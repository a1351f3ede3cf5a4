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

export type LockMode = 'for update' | 'for no key update' | 'for share' | 'for key share'

export type Step =
  | Write
  | Read
  | { kind: 'truncate' }
  | { kind: 'lock'; ids: number[]; lock: LockMode }
  | { kind: 'savepoint'; steps: Step[]; releases: boolean }

export type Operation =
  | Write
  | Read
  | { kind: 'truncate' }
  | { kind: 'transaction'; steps: Step[]; commits: boolean; isolation: Isolation }
  /** Two transactions side by side on rows and keys of their own: the second while the first is half done. */
  | {
      kind: 'pair'
      before: Write[]
      second: Write[]
      after: Write[]
      commits: boolean
      secondCommits: boolean
      isolation: 'read committed' | 'repeatable read'
    }
  /** Two transactions lock the same rows; the second changes them beside the first one's lock, then the first does. */
  | {
      kind: 'share'
      ids: number[]
      lock: LockMode
      changes: Partial<Row>
      commits: boolean
      secondCommits: boolean
      changesToo: boolean
    }
  | { kind: 'prepare'; steps: Step[]; commits: boolean; meanwhile: Meanwhile }
  | { kind: 'crashWithin'; steps: Step[] }
  | { kind: 'vacuum'; freeze: boolean; indexCleanup: 'on' | 'auto' }
  | { kind: 'index'; index: IndexDefinition }
  | { kind: 'checkpoint' | 'snapshot' | 'reopen' | 'crash' }

export type Isolation = 'read committed' | 'repeatable read' | 'serializable'
export type Meanwhile = 'nothing' | 'checkpoint' | 'reopen' | 'crash' | 'checkpoint, then crash'

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
  if (chance < 0.017) return { kind: 'crashWithin', steps: makeSteps(random, 0) }
  if (chance < 0.021) {
    return {
      kind: 'vacuum',
      freeze: random.chance(0.3),
      indexCleanup: random.pick(['on', 'auto'] as const),
    }
  }
  if (chance < 0.04) return { kind: 'snapshot' }
  if (chance < 0.045) {
    return {
      kind: 'prepare',
      steps: withoutTruncates(makeSteps(random, 0)),
      commits: random.chance(0.6),
      meanwhile: random.pick([
        'nothing',
        'nothing',
        'checkpoint',
        'reopen',
        'crash',
        'checkpoint, then crash',
      ]),
    }
  }
  if (chance < 0.07) {
    return {
      kind: 'pair',
      before: makeOwnWrites(random, 0),
      second: makeOwnWrites(random, 1),
      after: makeOwnWrites(random, 0),
      commits: random.chance(0.7),
      secondCommits: random.chance(0.7),
      isolation: random.pick(['read committed', 'repeatable read'] as const),
    }
  }
  if (chance < 0.085) {
    return {
      kind: 'share',
      ids: makeIds(random, 6),
      lock: random.pick(['for share', 'for key share', 'for no key update'] as const),
      changes: makeChangesOfNoKey(random),
      commits: random.chance(0.7),
      secondCommits: random.chance(0.7),
      changesToo: random.chance(0.4),
    }
  }
  if (chance < 0.18) {
    return {
      kind: 'transaction',
      steps: makeSteps(random, 0),
      commits: random.chance(0.7),
      isolation: random.pick(['read committed', 'repeatable read', 'serializable'] as const),
    }
  }
  return makeStep(random)
}

function makeSteps(random: Random, depth: number): Step[] {
  return Array.from({ length: random.int(1, depth === 0 ? 8 : 4) }, (): Step => {
    const chance = random.next()
    if (chance < 0.02) return { kind: 'truncate' }
    if (chance < 0.17 && depth < 4) {
      return {
        kind: 'savepoint',
        steps: makeSteps(random, depth + 1),
        releases: random.chance(0.6),
      }
    }
    if (chance < 0.27) {
      return {
        kind: 'lock',
        ids: makeIds(random, 5),
        lock: random.pick([
          'for update',
          'for no key update',
          'for share',
          'for key share',
        ] as const),
      }
    }
    return makeStep(random)
  })
}

// Its lock would keep everybody from reading while the transaction is prepared.
function withoutTruncates(steps: readonly Step[]): Step[] {
  return steps
    .filter(({ kind }) => kind !== 'truncate')
    .map((step) =>
      step.kind === 'savepoint' ? { ...step, steps: withoutTruncates(step.steps) } : step,
    )
}

const makeIds = (random: Random, max: number) =>
  Array.from({ length: random.int(1, max) }, () => random.int(1, idsMax))

// On ids and unique keys of one parity, so that two transactions never wait for each other.
function makeOwnWrites(random: Random, parity: 0 | 1): Write[] {
  const own = (value: number) => value - (value % 2) + parity
  return Array.from({ length: random.int(0, 4) }, (): Write => {
    const id = own(random.int(2, idsMax))
    const withOwn = <T extends Partial<Row>>(row: T): T => ({
      ...row,
      ...(typeof row.u === 'number' && { u: own(row.u) }),
      ...(row.id !== undefined && { id: own(row.id) }),
    })
    switch (random.pick(['insert', 'insert', 'update', 'update', 'delete'])) {
      case 'insert': {
        const count = random.chance(0.2) ? random.int(2, 30) : 1
        const rows = Array.from({ length: count }, (_, n) => ({
          id: id + 2 * n,
          ...makeValues(random),
        }))
        return { kind: 'insert', rows: rows.map(withOwn) }
      }
      case 'update':
        return { kind: 'update', id, changes: withOwn(makeChanges(random)) }
      default:
        return { kind: 'delete', id }
    }
  })
}

function makeChangesOfNoKey(random: Random): Partial<Row> {
  const { a, b, c, big } = makeValues(random)
  return random.pick([{ c }, { a, c }, { b }, { a, b, c, big }])
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
