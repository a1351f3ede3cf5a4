// Scenarios of statements that change rows by condition: what others' changes do to their conditions and new values.
// Modelled on src/test/isolation/specs/eval-plan-qual.spec of PostgreSQL 18.
import type { Conditions } from '../../src-ts/index.ts'
import { type Scenario, session } from '../support/isolation.ts'

const [s1, s2, s3] = [session(1), session(2), session(3)]
const snapshots = ['repeatable read', 'serializable'] as const

const plusOne = (where: Conditions, condition: string) =>
  s2.updateWhere({ v: { add: ['v', 1] } }, where, `v = v + 1 where ${condition}`)

const updates: Scenario[] = [
  {
    name: 'an update computes with the newest version',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: { add: ['v', 100] } }, { id: 1 }, 'v = v + 100 where id = 1'),
      plusOne({ v: { '<': 25 } }, 'v < 25'),
      s1.rollback(),
      s1.begin(),
      s1.updateWhere({ v: { add: ['v', 4] } }, { id: 1 }, 'v = v + 4 where id = 1'),
      plusOne({ v: { '<': 25 } }, 'v < 25'),
      s1.commit(),
    ],
  },
  {
    name: 'a row whose newest version does not meet the condition is left out',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: 99 }, { id: { in: [1, 3] } }, 'v = 99 where id in (1, 3)'),
      plusOne({ v: { between: [5, 35] } }, 'v between 5 and 35'),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'a row that comes to meet the condition by another change is not found',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: 5 }, { id: 3 }, 'v = 5 where id = 3'),
      plusOne({ v: { '<': 15 } }, 'v < 15'),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'an update of rows that another deletes',
    steps: [
      s1.begin(),
      s1.deleteWhere({ id: { '<': 3 } }, 'id < 3'),
      plusOne({}, 'true'),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'a chain of versions',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: 11 }, { id: 1 }, 'v = 11 where id = 1'),
      s1.updateWhere({ v: 12 }, { id: 1 }, 'v = 12 where id = 1'),
      s1.updateWhere({ u: 13 }, { id: 1 }, 'u = 13 where id = 1'),
      plusOne({ id: 1 }, 'id = 1'),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'an update of a key waits for who inserts it',
    steps: [
      s1.begin(),
      s1.insert({ id: 9, v: 9, u: 999 }),
      s2.begin(),
      s2.updateWhere({ u: { add: ['u', 799] } }, { id: 2 }, 'u = u + 799 where id = 2'),
      s1.commit(),
      s2.commit(),
      s1.select(),
    ],
  },
  {
    name: 'an update of a key goes on once the other insertion is undone',
    steps: [
      s1.begin(),
      s1.insert({ id: 9, v: 9, u: 999 }),
      s2.updateWhere({ u: { add: ['u', 799] } }, { id: 2 }, 'u = u + 799 where id = 2'),
      s1.rollback(),
      s1.select(),
    ],
  },
  {
    name: 'a statement does not see its own rows, the next one does',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: { add: ['v', 10] } }, { v: { '>': 5 } }, 'v = v + 10 where v > 5'),
      s1.updateWhere({ v: { add: ['v', 10] } }, { v: { '>': 30 } }, 'v = v + 10 where v > 30'),
      s1.savepoint(),
      s1.deleteWhere({ v: { '>': 20 } }, 'v > 20'),
      s1.select(),
      s1.rollbackTo(),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'two that update all rows meet at the first',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.updateWhere({ v: { add: ['v', 1] } }, {}, 'v = v + 1 where true'),
      s2.updateWhere({ v: { multiply: ['v', 2] } }, {}, 'v = v * 2 where true'),
      s1.commit(),
      s2.commit(),
      s3.select(),
    ],
  },
]

const deletes: Scenario[] = [
  {
    name: 'a deletion whose row is changed so that it stays',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: 1 }, { id: 3 }, 'v = 1 where id = 3'),
      s2.deleteWhere({ v: { '>=': 20 } }, 'v >= 20'),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'a deletion whose row is changed and still goes',
    steps: [
      s1.begin(),
      s1.updateWhere({ v: 31 }, { id: 3 }, 'v = 31 where id = 3'),
      s2.deleteWhere({ v: { '>=': 20 } }, 'v >= 20'),
      s1.commit(),
      s1.select(),
    ],
  },
]

const refused: Scenario[] = snapshots.flatMap((isolation) => [
  {
    name: `${isolation}: an update of a row that was updated`,
    steps: [
      s2.begin(isolation),
      s2.select(),
      s1.updateWhere({ v: 11 }, { id: 1 }, 'v = 11 where id = 1'),
      plusOne({}, 'true'),
      s2.rollback(),
    ],
  },
  {
    name: `${isolation}: a deletion of a row that is being deleted`,
    steps: [
      s1.begin(),
      s1.deleteWhere({ id: 2 }, 'id = 2'),
      s2.begin(isolation),
      s2.deleteWhere({ v: { '>': 5 } }, 'v > 5'),
      s1.commit(),
      s2.rollback(),
    ],
  },
])

export const changeScenarios: Record<string, Scenario[]> = {
  'update where': updates,
  'delete where': deletes,
  'where there is one snapshot': refused,
}
