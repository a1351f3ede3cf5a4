// Scenarios for SERIALIZABLE: what a few transactions do, step by step. Their steps are run in many orders, on pgdata and
// on stock PostgreSQL, and must come to the same ends.
//
// The situations are those of PostgreSQL's own tests of serializable snapshot isolation (src/test/isolation/specs,
// release 18), told with reads and writes that both sides have, and some more about ranges, splits and granularity.

export type Row = Record<string, number | string | null>

/** What a step may do. Reads by key and by range go through the index, `scan` and `count` through the whole table. */
export interface Actor {
  get(table: string, key: number): Promise<Row | undefined>
  /** Rows of an index's range, both ends included; the primary key's when no index is named. */
  range(table: string, from: number, to: number, index?: string): Promise<Row[]>
  scan(table: string, column: string, value: number | string): Promise<Row[]>
  count(table: string): Promise<number>
  insert(table: string, ...rows: Row[]): Promise<void>
  update(table: string, key: number, changes: Row): Promise<boolean>
  delete(table: string, key: number): Promise<boolean>
}

export interface ScenarioTable {
  name: string
  columns: Record<string, string>
  /** Index name to column. */
  indexes?: Record<string, string>
  rows: Row[]
}

export interface Participant {
  isolation?: 'repeatable read'
  readOnly?: boolean
  /** Rolls back at its end instead of committing. */
  rollsBack?: boolean
  /** Its steps; beginning is part of the first, the end follows the last as a step of its own. */
  steps: ((actor: Actor) => Promise<unknown>)[]
}

export interface Scenario {
  name: string
  tables: ScenarioTable[]
  participants: Participant[]
  /**
   * For rows that more than one participant writes, or keys that they insert: per step, as 'participant.step', which. An
   * order of steps in which one would have to wait for another is left out.
   */
  writes?: Record<string, string>
}

const numbered = (name: string, rows: Row[], indexes?: Record<string, string>): ScenarioTable => ({
  name,
  columns: { id: 'int4 primary key', v: 'int4' },
  ...(indexes && { indexes }),
  rows,
})
const rows = (from: number, to: number, v = (id: number) => id): Row[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ id: from + i, v: v(from + i) }))
const setWhere =
  (table: string, from: number, to: number) =>
  async (actor: Actor): Promise<number> => {
    const found = await actor.scan(table, 'v', from)
    for (const { id } of found) await actor.update(table, id as number, { v: to })
    return found.length
  }

export const scenarios: Scenario[] = [
  {
    name: 'write skew by key',
    tables: [numbered('t', rows(1, 2))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 2, { v: 0 })] },
      { steps: [(a) => a.get('t', 2), (a) => a.update('t', 1, { v: 0 })] },
    ],
  },
  {
    name: 'write skew by key, one rolls back',
    tables: [numbered('t', rows(1, 2))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 2, { v: 0 })] },
      { rollsBack: true, steps: [(a) => a.get('t', 2), (a) => a.update('t', 1, { v: 0 })] },
    ],
  },
  {
    name: 'write skew with a neighbour under repeatable read is not noticed',
    tables: [numbered('t', rows(1, 2))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 2, { v: 0 })] },
      {
        isolation: 'repeatable read',
        steps: [(a) => a.get('t', 2), (a) => a.update('t', 1, { v: 0 })],
      },
    ],
  },
  {
    name: 'simple write skew: each turns the one colour into the other',
    tables: [
      numbered(
        't',
        rows(1, 10, (id) => id % 2),
      ),
    ],
    participants: [{ steps: [setWhere('t', 0, 1)] }, { steps: [setWhere('t', 1, 0)] }],
  },
  {
    name: 'doctors on call: each leaves if another one stays',
    tables: [
      numbered(
        't',
        rows(1, 3, () => 1),
      ),
    ],
    participants: [
      { steps: [(a) => a.scan('t', 'v', 1), (a) => a.update('t', 1, { v: 0 })] },
      { steps: [(a) => a.scan('t', 'v', 1), (a) => a.update('t', 2, { v: 0 })] },
    ],
  },
  {
    name: 'total cash: each sees a total that covers a withdrawal',
    tables: [
      numbered('t', [
        { id: 1, v: 500 },
        { id: 2, v: 500 },
      ]),
    ],
    participants: [
      { steps: [(a) => a.update('t', 1, { v: 300 }), (a) => a.range('t', 1, 2)] },
      { steps: [(a) => a.update('t', 2, { v: 300 }), (a) => a.range('t', 1, 2)] },
    ],
  },
  {
    name: 'receipt report: a day is closed, a receipt comes, a report is made',
    tables: [
      numbered('control', [{ id: 1, v: 20 }]),
      numbered('receipts', [
        { id: 1, v: 20 },
        { id: 2, v: 20 },
      ]),
    ],
    participants: [
      {
        steps: [
          async (a) => [await a.get('control', 1), await a.insert('receipts', { id: 3, v: 20 })],
        ],
      },
      { steps: [(a) => a.update('control', 1, { v: 21 })] },
      { readOnly: true, steps: [(a) => a.get('control', 1), (a) => a.scan('receipts', 'v', 20)] },
    ],
  },
  {
    name: 'temporal range integrity: an offence must fall within the time of its statute',
    tables: [numbered('statute', [{ id: 1, v: 2000 }]), numbered('offence', [{ id: 1, v: 2009 }])],
    participants: [
      { steps: [(a) => a.get('statute', 1), (a) => a.insert('offence', { id: 2, v: 2010 })] },
      { steps: [(a) => a.range('offence', 1, 100), (a) => a.update('statute', 1, { v: 2011 })] },
    ],
  },
  {
    name: 'project manager: who loses the role must have no project',
    tables: [
      numbered(
        'person',
        rows(1, 2, () => 1),
      ),
      numbered('project', [{ id: 101, v: 2 }]),
    ],
    participants: [
      { steps: [(a) => a.get('person', 1), (a) => a.insert('project', { id: 102, v: 1 })] },
      { steps: [(a) => a.scan('project', 'v', 1), (a) => a.update('person', 1, { v: 0 })] },
    ],
  },
  {
    name: 'classroom scheduling: a room is free in a range of hours',
    tables: [
      numbered(
        'hours',
        [
          { id: 13, v: 1 },
          { id: 8, v: 2 },
        ],
        { by_v: 'v' },
      ),
    ],
    participants: [
      { steps: [(a) => a.range('hours', 9, 12), (a) => a.insert('hours', { id: 10, v: 3 })] },
      {
        steps: [
          (a) => a.range('hours', 10, 11),
          async (a) => [await a.delete('hours', 13), await a.insert('hours', { id: 11, v: 1 })],
        ],
      },
    ],
  },
  {
    name: 'two ids: a value is copied from one to another and read from there',
    tables: [numbered('d1', [{ id: 1, v: 1 }]), numbered('d2', [{ id: 1, v: 0 }])],
    participants: [
      { steps: [(a) => a.update('d1', 1, { v: 2 })] },
      {
        steps: [
          async (a) => {
            const row = await a.get('d1', 1)
            return a.update('d2', 1, { v: row?.v ?? null })
          },
        ],
      },
      { steps: [(a) => a.get('d2', 1), (a) => a.get('d1', 1)] },
    ],
  },
  {
    name: 'read-only anomaly: the reader is declared read-only',
    tables: [
      numbered('t', [
        { id: 1, v: 0 },
        { id: 2, v: 0 },
      ]),
    ],
    participants: [
      { steps: [(a) => a.range('t', 1, 2), (a) => a.update('t', 1, { v: -11 })] },
      { steps: [(a) => a.get('t', 2), (a) => a.update('t', 2, { v: 20 })] },
      { readOnly: true, steps: [(a) => a.range('t', 1, 2)] },
    ],
  },
  {
    name: 'read-only anomaly: the reader only happens to write nothing',
    tables: [
      numbered('t', [
        { id: 1, v: 0 },
        { id: 2, v: 0 },
      ]),
    ],
    participants: [
      { steps: [(a) => a.range('t', 1, 2), (a) => a.update('t', 1, { v: -11 })] },
      { steps: [(a) => a.get('t', 2), (a) => a.update('t', 2, { v: 20 })] },
      { steps: [(a) => a.get('t', 1), (a) => a.get('t', 2)] },
    ],
  },
  {
    // The rows lie on different pages, of the table and of the index.
    name: 'multiple row versions: the reader of a first version, writers of later ones',
    tables: [
      numbered(
        't',
        rows(1, 1800, (id) => id % 7),
      ),
    ],
    participants: [
      { steps: [(a) => a.get('t', 1700), (a) => a.update('t', 1, { v: -1 })] },
      { steps: [(a) => a.update('t', 1700, { v: -2 })] },
      { steps: [(a) => a.update('t', 1700, { v: -3 }), (a) => a.get('t', 900)] },
      { steps: [(a) => a.update('t', 900, { v: -4 }), (a) => a.get('t', 1)] },
    ],
    writes: { '1.0': 't 1700', '2.0': 't 1700' },
  },
  {
    name: 'index-only reads: each takes the first of one table out of the other',
    tables: [numbered('x', rows(1, 5)), numbered('y', rows(1, 5))],
    participants: [
      { steps: [(a) => a.range('x', 1, 2), (a) => a.delete('y', 1)] },
      { steps: [(a) => a.range('y', 1, 2), (a) => a.delete('x', 1)] },
    ],
  },
  {
    name: 'rows leave an index range that others read',
    tables: [
      numbered(
        't',
        rows(1, 6, (id) => (id <= 3 ? 1 : 2)),
        { by_v: 'v' },
      ),
    ],
    participants: [
      { steps: [(a) => a.range('t', 1, 1, 'by_v'), (a) => a.update('t', 4, { v: 1 })] },
      { steps: [(a) => a.range('t', 2, 2, 'by_v'), (a) => a.update('t', 1, { v: 2 })] },
    ],
  },
  {
    name: 'null in an index, as with a partial one',
    tables: [
      numbered(
        't',
        rows(1, 4, () => 1),
        { by_v: 'v' },
      ),
    ],
    participants: [
      { steps: [(a) => a.range('t', 1, 1, 'by_v'), (a) => a.update('t', 1, { v: null })] },
      { steps: [(a) => a.range('t', 1, 1, 'by_v'), (a) => a.update('t', 2, { v: null })] },
    ],
  },
  {
    name: 'referential integrity by hand: a parent goes while a child comes',
    tables: [numbered('parent', rows(1, 1)), numbered('child', [], { by_v: 'v' })],
    participants: [
      { steps: [(a) => a.get('parent', 1), (a) => a.insert('child', { id: 1, v: 1 })] },
      { steps: [(a) => a.range('child', 1, 1, 'by_v'), (a) => a.delete('parent', 1)] },
    ],
  },
  {
    name: 'read, then write a unique key: the loser hears of the conflict, not of a duplicate',
    tables: [numbered('t', [])],
    participants: [
      { steps: [(a) => a.get('t', 42), (a) => a.insert('t', { id: 42, v: 1 })] },
      { steps: [(a) => a.get('t', 42), (a) => a.insert('t', { id: 42, v: 2 })] },
    ],
    writes: { '0.1': 't 42', '1.1': 't 42' },
  },
  {
    name: 'write a unique key without reading: a duplicate is a duplicate',
    tables: [numbered('t', rows(1, 3))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.insert('t', { id: 42, v: 1 })] },
      { steps: [(a) => a.get('t', 2), (a) => a.insert('t', { id: 42, v: 2 })] },
    ],
    writes: { '0.1': 't 42', '1.1': 't 42' },
  },
  {
    name: 'each takes the next number after the highest',
    tables: [numbered('t', rows(1, 3))],
    participants: [
      { steps: [(a) => a.range('t', 3, 1000), (a) => a.insert('t', { id: 4, v: 0 })] },
      { steps: [(a) => a.range('t', 3, 1000), (a) => a.insert('t', { id: 5, v: 0 })] },
    ],
  },
  {
    name: 'phantoms in an empty table, by index',
    tables: [numbered('t', []), numbered('u', [])],
    participants: [
      { steps: [(a) => a.range('t', 1, 10), (a) => a.insert('u', { id: 5, v: 0 })] },
      { steps: [(a) => a.range('u', 1, 10), (a) => a.insert('t', { id: 5, v: 0 })] },
    ],
  },
  {
    name: 'phantoms in an empty table, by scan',
    tables: [numbered('t', [])],
    participants: [
      { steps: [(a) => a.scan('t', 'v', 1), (a) => a.insert('t', { id: 1, v: 1 })] },
      { steps: [(a) => a.scan('t', 'v', 1), (a) => a.insert('t', { id: 2, v: 1 })] },
    ],
  },
  {
    name: 'counts: each adds a row if there are few',
    tables: [numbered('t', rows(1, 50))],
    participants: [
      { steps: [(a) => a.count('t'), (a) => a.insert('t', { id: 51, v: 0 }), (a) => a.count('t')] },
      { steps: [(a) => a.count('t'), (a) => a.insert('t', { id: 52, v: 0 }), (a) => a.count('t')] },
    ],
  },
  {
    name: 'counts: a row is counted while it is taken away',
    tables: [numbered('t', rows(1, 50)), numbered('u', rows(1, 2))],
    participants: [
      { steps: [(a) => a.count('t'), (a) => a.update('u', 1, { v: 50 })] },
      { steps: [(a) => a.get('u', 1), (a) => a.delete('t', 7)] },
    ],
  },
  {
    name: 'deletes in ranges that the other reads',
    tables: [numbered('t', rows(1, 20))],
    participants: [
      { steps: [(a) => a.range('t', 1, 2), (a) => a.delete('t', 11)] },
      { steps: [(a) => a.range('t', 11, 12), (a) => a.delete('t', 1)] },
    ],
  },
  {
    name: 'ranges on different leaves of a large index do not meet',
    tables: [numbered('t', rows(1, 2000))],
    participants: [
      { steps: [(a) => a.range('t', 10, 12), (a) => a.insert('t', { id: 3000, v: 0 })] },
      { steps: [(a) => a.range('t', 1500, 1502), (a) => a.insert('t', { id: 0, v: 0 })] },
    ],
  },
  {
    name: 'a leaf that was read is split by who writes',
    tables: [
      numbered(
        't',
        rows(1, 300, () => 1).map((row) => ({ ...row, id: (row.id as number) * 10 })),
      ),
    ],
    participants: [
      { steps: [(a) => a.range('t', 100, 110), (a) => a.update('t', 3000, { v: 2 })] },
      {
        steps: [
          (a) => a.get('t', 3000),
          (a) =>
            a.insert(
              't',
              ...rows(1, 200).map((row) => ({ ...row, id: 1000 + (row.id as number) * 10 + 1 })),
            ),
          (a) => a.insert('t', { id: 105, v: 0 }),
        ],
      },
    ],
  },
  {
    name: 'many rows of one page are one lock',
    tables: [numbered('t', rows(1, 20))],
    participants: [
      { steps: [(a) => a.range('t', 1, 5), (a) => a.update('t', 20, { v: 0 })] },
      { steps: [(a) => a.range('t', 11, 15), (a) => a.update('t', 8, { v: 0 })] },
    ],
  },
  {
    name: 'a chain of three conflicts is no circle',
    tables: [numbered('t', rows(1, 3))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 3, { v: 0 })] },
      { steps: [(a) => a.get('t', 2), (a) => a.update('t', 1, { v: 0 })] },
    ],
  },
  {
    name: 'a circle of three',
    tables: [numbered('t', rows(1, 3))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 2, { v: 0 })] },
      { steps: [(a) => a.get('t', 2), (a) => a.update('t', 3, { v: 0 })] },
      { steps: [(a) => a.get('t', 3), (a) => a.update('t', 1, { v: 0 })] },
    ],
  },
  {
    name: 'a lost update is found before all that',
    tables: [numbered('t', rows(1, 2))],
    participants: [
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 1, { v: 5 })] },
      { steps: [(a) => a.get('t', 1), (a) => a.update('t', 1, { v: 6 })] },
    ],
    writes: { '0.1': 't 1', '1.1': 't 1' },
  },
  {
    name: 'who reads back what it wrote holds no lock for it',
    tables: [numbered('t', rows(1, 2))],
    participants: [
      { steps: [(a) => a.update('t', 1, { v: 5 }), (a) => a.get('t', 1), (a) => a.get('t', 2)] },
      { steps: [(a) => a.get('t', 2), (a) => a.update('t', 2, { v: 6 })] },
    ],
  },
]
