// Goal: the checker of histories finds each of Adya's anomalies, and nothing where there is none.
// Method: histories of a few transactions, written down by hand.
import { expect, test } from 'vitest'
import { anomalies, type History, type HistoryTransaction } from './dependency-graph.ts'

// 'r x 0' reads version 0 of x, 'p x 0' does as part of a range, 'w x 1' writes version 1.
function transaction(id: number, committed: boolean, ...steps: string[]): HistoryTransaction {
  const made: HistoryTransaction = { id, committed, reads: [], writes: [] }
  for (const step of steps) {
    const [action, object, version] = step.split(' ') as [string, string, string]
    if (action === 'w') made.writes.push({ object, version })
    else made.reads.push({ object, version, ofPredicate: action === 'p' })
  }
  return made
}

function namesIn(transactions: HistoryTransaction[], orders: Record<string, string>): string[] {
  const versionOrder = new Map(
    Object.entries(orders).map(([object, versions]) => [object, versions.split(' ')]),
  )
  const history: History = { transactions, versionOrder }
  return anomalies(history).map(({ name }) => name)
}

test('a serial history has none', () => {
  const names = namesIn(
    [
      transaction(1, true, 'r x 0', 'w x 1', 'w y 1'),
      transaction(2, true, 'r x 1', 'r y 1', 'w x 2'),
      transaction(3, true, 'r x 2', 'r y 1'),
      transaction(4, false, 'r x 2', 'w x 4'),
    ],
    { x: '0 1 2', y: '0 1' },
  )
  expect(names).toEqual([])
})

test('one conflict, and a chain of conflicts, are no anomaly', () => {
  const names = namesIn(
    [
      transaction(1, true, 'r x 0', 'w y 1'),
      transaction(2, true, 'r z 0', 'w x 2'),
      transaction(3, true, 'w z 3'),
    ],
    { x: '0 2', y: '0 1', z: '0 3' },
  )
  expect(names).toEqual([])
})

test('G0: dirty writes', () => {
  const names = namesIn(
    [transaction(1, true, 'w x 1', 'w y 1'), transaction(2, true, 'w x 2', 'w y 2')],
    { x: '0 1 2', y: '0 2 1' },
  )
  expect(names).toContain('G0')
  expect(names).toContain('G2')
})

test('G1a: aborted reads', () => {
  const names = namesIn([transaction(1, false, 'w x 1'), transaction(2, true, 'r x 1')], { x: '0' })
  expect(names).toEqual(['G1a'])
})

test('G1b: intermediate reads', () => {
  const names = namesIn([transaction(1, true, 'w x 1', 'w x 2'), transaction(2, true, 'r x 1')], {
    x: '0 2',
  })
  expect(names).toEqual(['G1b'])
})

test('G1c: circular information flow', () => {
  const names = namesIn(
    [transaction(1, true, 'w x 1', 'r y 2'), transaction(2, true, 'w y 2', 'r x 1')],
    { x: '0 1', y: '0 2' },
  )
  expect(names).toContain('G1c')
  expect(names).not.toContain('G0')
})

test('G-single: a lost update', () => {
  const names = namesIn(
    [transaction(1, true, 'r x 0', 'w x 1'), transaction(2, true, 'r x 0', 'w x 2')],
    { x: '0 1 2' },
  )
  expect(names).toEqual(['G-single', 'G-nonadjacent', 'G2-item', 'G2'])
})

test('G-single: read skew', () => {
  const names = namesIn(
    [transaction(1, true, 'r x 0', 'r y 2'), transaction(2, true, 'w x 2', 'w y 2')],
    { x: '0 2', y: '0 2' },
  )
  expect(names).toEqual(['G-single', 'G-nonadjacent', 'G2-item', 'G2'])
})

test('G2-item: write skew, which snapshots allow', () => {
  const names = namesIn(
    [
      transaction(1, true, 'r x 0', 'r y 0', 'w x 1'),
      transaction(2, true, 'r x 0', 'r y 0', 'w y 2'),
    ],
    { x: '0 1', y: '0 2' },
  )
  expect(names).toEqual(['G2-item', 'G2'])
})

test('G2: phantoms in ranges', () => {
  const names = namesIn(
    [
      transaction(1, true, 'p a absent', 'p b absent', 'w a 1'),
      transaction(2, true, 'p a absent', 'p b absent', 'w b 2'),
    ],
    { a: 'absent 1', b: 'absent 2' },
  )
  expect(names).toEqual(['G2'])
})

test('G2: the read-only anomaly', () => {
  const names = namesIn(
    [
      transaction(1, true, 'r x 0', 'r y 0', 'w x 1'),
      transaction(2, true, 'r y 0', 'w y 2'),
      transaction(3, true, 'r x 0', 'r y 2'),
    ],
    { x: '0 1', y: '0 2' },
  )
  expect(names).toEqual(['G2-item', 'G2'])
})

test('G-nonadjacent: a long fork, which snapshots do not allow', () => {
  const names = namesIn(
    [
      transaction(1, true, 'w x 1'),
      transaction(2, true, 'w y 2'),
      transaction(3, true, 'r x 1', 'r y 0'),
      transaction(4, true, 'r x 0', 'r y 2'),
    ],
    { x: '0 1', y: '0 2' },
  )
  expect(names).toEqual(['G-nonadjacent', 'G2-item', 'G2'])
})
