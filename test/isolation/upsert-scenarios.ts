// Scenarios of INSERT … ON CONFLICT: who waits for whom, which row is met, what one snapshot refuses.
// Modelled on src/test/isolation/specs/insert-conflict-*.spec of PostgreSQL 18.
import type { OnConflict } from '../../src-ts/index.ts'
import { type Row, type Scenario, session } from '../support/isolation.ts'

const [s1, s2, s3] = [session(1), session(2), session(3)]
const snapshots = ['repeatable read', 'serializable'] as const

const addV: OnConflict<Row> = {
  columns: ['id'],
  update: { v: { add: ['v', { excluded: 'v' }] } },
}
const addVSql = '(id) do update set v = t.v + excluded.v'
const add = (of: typeof s1, id: number, v: number) => of.upsert([{ id, v, u: null }], addV, addVSql)
const ignore = (of: typeof s1, rows: Row[]) => of.upsert(rows, 'do nothing', 'do nothing')

const alone: Scenario[] = [
  {
    name: 'inserted or updated',
    steps: [
      s1.upsert(
        [
          { id: 1, v: 1, u: null },
          { id: 8, v: 8, u: null },
        ],
        addV,
        addVSql,
      ),
      ignore(s1, [
        { id: 2, v: 0, u: 7 },
        { id: 9, v: 0, u: 100 },
        { id: 10, v: 0, u: 7 },
      ]),
      s1.select(),
    ],
  },
  {
    name: 'only where the condition holds',
    steps: [
      s1.begin(),
      s1.upsert(
        [
          { id: 1, v: 5, u: null },
          { id: 3, v: 5, u: null },
        ],
        { ...addV, where: { v: { '>': 15 } } },
        `${addVSql} where t.v > 15`,
      ),
      s2.begin(),
      s2.lock(1, 'for update', 'skip locked'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'another key than the one meant',
    steps: [s1.upsert([{ id: 8, v: 1, u: 100 }], addV, addVSql), s1.select()],
  },
  {
    name: 'the same row twice in one statement',
    steps: [
      s1.upsert(
        [
          { id: 8, v: 1, u: null },
          { id: 8, v: 2, u: null },
        ],
        addV,
        addVSql,
      ),
      ignore(s1, [
        { id: 9, v: 1, u: null },
        { id: 9, v: 2, u: null },
      ]),
      s1.begin(),
      add(s1, 1, 1),
      add(s1, 1, 1),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'an update that changes the key',
    steps: [
      s1.upsert(
        [{ id: 1, v: null, u: 101 }],
        { columns: ['id'], update: { u: { excluded: 'u' }, id: { add: ['id', 10] } } },
        '(id) do update set u = excluded.u, id = t.id + 10',
      ),
      s1.select(),
    ],
  },
]

const concurrent: Scenario[] = (['commit', 'rollback'] as const).flatMap((end) => [
  {
    name: `do nothing, another inserts: ${end}`,
    steps: [
      s1.begin(),
      s1.insert({ id: 9, v: 1, u: 9 }),
      ignore(s2, [{ id: 9, v: 2, u: 9 }]),
      s1[end](),
      s2.select(),
    ],
  },
  {
    name: `do update, another inserts: ${end}`,
    // After a rollback both waiting ones may insert; who comes second takes its row back.
    isRace: end === 'rollback',
    steps: [s1.begin(), add(s1, 9, 1), add(s2, 9, 2), add(s3, 9, 4), s1[end](), s2.select()],
  },
  {
    name: `do update, another updates: ${end}`,
    steps: [
      s1.begin(),
      s1.updateWhere({ v: { add: ['v', 1] } }, { id: 1 }, 'v = v + 1 where id = 1'),
      add(s2, 1, 5),
      s1[end](),
      s2.select(),
    ],
  },
  {
    name: `do update, another deletes: ${end}`,
    steps: [s1.begin(), s1.delete(1), add(s2, 1, 5), s1[end](), s2.select()],
  },
  {
    name: `do update, another changes the key: ${end}`,
    steps: [
      s1.begin(),
      s1.updateWhere({ id: 11 }, { id: 1 }, 'id = 11 where id = 1'),
      add(s2, 1, 5),
      s1[end](),
      s2.select(),
    ],
  },
  {
    name: `do update where, the newest version decides: ${end}`,
    steps: [
      s1.begin(),
      s1.updateWhere({ v: 50 }, { id: 1 }, 'v = 50 where id = 1'),
      s2.upsert(
        [{ id: 1, v: 5, u: null }],
        { ...addV, where: { v: { '>': 40 } } },
        `${addVSql} where t.v > 40`,
      ),
      s1[end](),
      s2.select(),
    ],
  },
  {
    name: `do nothing, another deletes: ${end}`,
    steps: [
      s1.begin(),
      s1.delete(1),
      ignore(s2, [{ id: 1, v: 7, u: null }]),
      s1[end](),
      s2.select(),
    ],
  },
])

const taken: OnConflict<Row> = {
  columns: ['u'],
  update: { v: { add: ['v', { excluded: 'v' }] } },
}
// The row is in the heap when its key in the second index turns out to be taken.
const takenBack: Scenario[] = (['commit', 'rollback'] as const).map((end) => ({
  name: `an insertion that is taken back: ${end}`,
  steps: [
    s3.begin(),
    s3.insert({ id: 9, v: 1, u: 1 }),
    s1.begin(),
    s1.upsert([{ id: 9, v: 5, u: 7 }], taken, '(u) do update set v = t.v + excluded.v'),
    s2.insert({ id: 8, v: 2, u: 7 }),
    s3.rollback(),
    s1[end](),
    s2.select(),
  ],
}))

const refused: Scenario[] = snapshots.flatMap((isolation) => [
  {
    name: `${isolation}: do nothing for a row that is not in the snapshot`,
    steps: [
      s2.begin(isolation),
      s2.select(),
      s1.insert({ id: 9, v: 1, u: 9 }),
      ignore(s2, [{ id: 9, v: 2, u: null }]),
      s2.rollback(),
    ],
  },
  {
    name: `${isolation}: do update of a row that is not in the snapshot`,
    steps: [
      s2.begin(isolation),
      s2.select(),
      s1.insert({ id: 9, v: 1, u: 9 }),
      add(s2, 9, 1),
      s2.rollback(),
    ],
  },
  {
    name: `${isolation}: do update of a row that another updated`,
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(isolation),
      add(s2, 1, 1),
      s1.commit(),
      s2.rollback(),
    ],
  },
  {
    name: `${isolation}: rows of the own transaction`,
    steps: [
      s2.begin(isolation),
      s2.insert({ id: 9, v: 1, u: 9 }),
      ignore(s2, [{ id: 9, v: 2, u: null }]),
      add(s2, 9, 4),
      s2.commit(),
      s2.select(),
    ],
  },
])

export const upsertScenarios: Record<string, Scenario[]> = {
  'on conflict, alone': alone,
  'on conflict, with others': concurrent,
  'on conflict, speculative': takenBack,
  'on conflict, where there is one snapshot': refused,
}
