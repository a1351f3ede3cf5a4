// Scenarios of read committed and repeatable read: what others' changes and locks do to a statement.
// Modelled on the behaviours that src/test/isolation/specs of PostgreSQL 18 covers.
import { type Scenario, session } from '../support/isolation.ts'

const [s1, s2, s3] = [session(1), session(2), session(3)]
const rr = 'repeatable read'
const rowLocks = ['for key share', 'for share', 'for no key update', 'for update'] as const

// Each lock against each other one: the second waits or not.
const lockPairs: Scenario[] = rowLocks.flatMap((held) =>
  rowLocks.map((wanted) => ({
    name: `${held} against ${wanted}`,
    steps: [s1.begin(), s2.begin(), s1.lock(1, held), s2.lock(1, wanted), s1.commit(), s2.commit()],
  })),
)

// Each lock against the three kinds of change.
const lockedChanges: Scenario[] = rowLocks.flatMap((held) => [
  {
    name: `${held} against an update of no key`,
    steps: [s1.begin(), s1.lock(1, held), s2.update(1, { v: 11 }), s1.commit(), s2.get(1)],
  },
  {
    name: `${held} against an update of a key`,
    steps: [s1.begin(), s1.lock(1, held), s2.update(1, { u: 101 }), s1.commit(), s2.get(1)],
  },
  {
    name: `${held} against a delete`,
    steps: [s1.begin(), s1.lock(1, held), s2.delete(1), s1.commit(), s2.get(1)],
  },
])

// The three kinds of change against each lock, with the change committed or rolled back.
const changedLocks: Scenario[] = rowLocks.flatMap((wanted) =>
  (['commit', 'rollback'] as const).flatMap((end) => [
    {
      name: `update of no key, ${end}, against ${wanted}`,
      steps: [
        s1.begin(),
        s1.update(1, { v: 11 }),
        s2.begin(),
        s2.lock(1, wanted),
        s1[end](),
        s2.update(1, { v: 12 }),
        s2.commit(),
      ],
    },
    {
      name: `update of a key, ${end}, against ${wanted}`,
      steps: [
        s1.begin(),
        s1.update(1, { u: 101 }),
        s2.begin(),
        s2.lock(1, wanted),
        s1[end](),
        s2.commit(),
      ],
    },
    {
      name: `delete, ${end}, against ${wanted}`,
      steps: [s1.begin(), s1.delete(1), s2.begin(), s2.lock(1, wanted), s1[end](), s2.commit()],
    },
  ]),
)

const lostUpdates: Scenario[] = [
  {
    name: 'read committed: the second update goes on with the newest version',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.get(1),
      s2.get(1),
      s1.update(1, { v: 11 }),
      s2.update(1, { v: 12 }),
      s1.commit(),
      s2.get(1),
      s2.commit(),
    ],
  },
  {
    name: 'repeatable read: the second update is refused',
    steps: [
      s1.begin(rr),
      s2.begin(rr),
      s1.get(1),
      s2.get(1),
      s1.update(1, { v: 11 }),
      s2.update(1, { v: 12 }),
      s1.commit(),
      s2.get(1),
      s2.commit(),
    ],
  },
  {
    name: 'repeatable read: the second update goes on when the first is rolled back',
    steps: [
      s1.begin(rr),
      s2.begin(rr),
      s2.get(1),
      s1.update(1, { v: 11 }),
      s2.update(1, { v: 12 }),
      s1.rollback(),
      s2.commit(),
    ],
  },
  {
    name: 'repeatable read: an update of a row that was updated since the snapshot',
    steps: [s1.begin(rr), s1.get(1), s2.update(1, { v: 12 }), s1.update(1, { v: 11 }), s1.commit()],
  },
  {
    name: 'repeatable read: a delete of a row that was updated since the snapshot',
    steps: [s1.begin(rr), s1.get(1), s2.update(1, { v: 12 }), s1.delete(1), s1.commit()],
  },
  {
    name: 'repeatable read: an update of a row that was deleted since the snapshot',
    steps: [s1.begin(rr), s1.get(1), s2.delete(1), s1.update(1, { v: 11 }), s1.commit()],
  },
  {
    name: 'repeatable read: a lock of a row that was updated since the snapshot',
    steps: [s1.begin(rr), s1.get(1), s2.update(1, { v: 12 }), s1.lock(1, 'for share'), s1.commit()],
  },
  {
    name: 'repeatable read: a key share of a row whose other columns changed since the snapshot',
    steps: [
      s1.begin(rr),
      s1.get(1),
      s2.update(1, { v: 12 }),
      s1.lock(1, 'for key share'),
      s1.commit(),
    ],
  },
  {
    name: 'repeatable read: a lock of a row that was deleted since the snapshot',
    steps: [s1.begin(rr), s1.get(1), s2.delete(1), s1.lock(1, 'for update'), s1.commit()],
  },
  {
    name: 'repeatable read: a lock of a row that was only locked meanwhile',
    steps: [
      s1.begin(rr),
      s1.get(1),
      s2.begin(),
      s2.lock(1, 'for update'),
      s2.commit(),
      s1.lock(1, 'for update'),
      s1.commit(),
    ],
  },
  {
    name: 'repeatable read sees nothing of what is committed later',
    steps: [
      s1.begin(rr),
      s1.select(),
      s2.update(1, { v: 11 }),
      s2.insert({ id: 4, v: 40, u: 400 }),
      s2.delete(2),
      s1.select(),
      s1.commit(),
      s1.select(),
    ],
  },
  {
    name: 'read committed sees each commit at its next statement',
    steps: [
      s1.begin(),
      s1.select(),
      s2.update(1, { v: 11 }),
      s1.select(),
      s2.insert({ id: 4, v: 40, u: 400 }),
      s1.select(),
      s1.commit(),
    ],
  },
  {
    name: 'write skew is possible under repeatable read',
    steps: [
      s1.begin(rr),
      s2.begin(rr),
      s1.select(),
      s2.select(),
      s1.update(1, { v: 0 }),
      s2.update(2, { v: 0 }),
      s1.commit(),
      s2.commit(),
    ],
  },
]

const rechecks: Scenario[] = [
  {
    name: 'an update finds its row deleted',
    steps: [s1.begin(), s1.delete(1), s2.update(1, { v: 12 }), s1.commit()],
  },
  {
    name: 'an update finds its row still there after a rolled back delete',
    steps: [s1.begin(), s1.delete(1), s2.update(1, { v: 12 }), s1.rollback()],
  },
  {
    name: 'an update finds its key changed',
    steps: [s1.begin(), s1.update(1, { id: 9 }), s2.update(1, { v: 12 }), s1.commit()],
  },
  {
    name: 'a delete finds its key changed',
    steps: [s1.begin(), s1.update(1, { id: 9 }), s2.delete(1), s1.commit()],
  },
  {
    name: 'a delete takes the newest version',
    steps: [s1.begin(), s1.update(1, { v: 11 }), s2.delete(1), s1.commit()],
  },
  {
    name: 'an update follows a chain of several versions',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s1.update(1, { v: 12 }),
      s1.update(1, { v: 13 }),
      s2.update(1, { u: 150 }),
      s1.commit(),
    ],
  },
  {
    name: 'an update waits again for who came between',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(),
      s2.update(1, { v: 12 }),
      s3.update(1, { v: 13 }),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a chain ends in a delete',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s1.delete(1),
      s2.update(1, { v: 12 }),
      s1.commit(),
    ],
  },
  {
    name: 'a chain whose last version was rolled back',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s1.savepoint(),
      s1.update(1, { v: 12 }),
      s1.rollbackTo(),
      s2.update(1, { u: 150 }),
      s1.commit(),
    ],
  },
  {
    name: 'locked rows are looked at again by the condition',
    steps: [
      s1.begin(),
      s1.update(1, { v: 99 }),
      s2.begin(),
      s2.lockWhere({ v: 10 }, 'for update'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a locked row that still meets the condition is given in its newest version',
    steps: [
      s1.begin(),
      s1.update(1, { u: 150 }),
      s2.begin(),
      s2.lockWhere({ v: 10 }, 'for update'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a row that comes to meet the condition is not found',
    steps: [
      s1.begin(),
      s1.update(2, { v: 10 }),
      s1.update(1, { u: 150 }),
      s2.begin(),
      s2.lockWhere({ v: 10 }, 'for share'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a range of locked rows, one of which leaves it',
    steps: [
      s1.begin(),
      s1.update(2, { id: 20 }),
      s2.begin(),
      s2.lockRange(1, 3, 'for no key update'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a range of locked rows, one of which is deleted',
    steps: [
      s1.begin(),
      s1.delete(2),
      s2.begin(),
      s2.lockRange(1, 3, 'for update'),
      s1.commit(),
      s2.commit(),
    ],
  },
]

const impatient: Scenario[] = [
  {
    name: 'nowait fails on a locked row',
    steps: [
      s1.begin(),
      s1.lock(1, 'for update'),
      s2.begin(),
      s2.lock(1, 'for update', 'nowait'),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'nowait passes locks that do not conflict',
    steps: [
      s1.begin(),
      s1.lock(1, 'for share'),
      s2.begin(),
      s2.lock(1, 'for share', 'nowait'),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'nowait fails on several lockers',
    steps: [
      s1.begin(),
      s1.lock(1, 'for share'),
      s2.begin(),
      s2.lock(1, 'for share'),
      s3.begin(),
      s3.lock(1, 'for update', 'nowait'),
      s3.rollback(),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'nowait fails behind one who waits for the row',
    steps: [
      s1.begin(),
      s1.lock(1, 'for update'),
      s2.begin(),
      s2.lock(1, 'for update'),
      s3.begin(),
      s3.lock(1, 'for update', 'nowait'),
      s3.rollback(),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'nowait fails on an updated row',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(),
      s2.lock(1, 'for no key update', 'nowait'),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'skip locked leaves out what is locked',
    steps: [
      s1.begin(),
      s1.lock(1, 'for update'),
      s2.begin(),
      s2.lockWhere({}, 'for update', { wait: 'skip locked' }),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'skip locked takes one after the other from a queue',
    steps: [
      s1.begin(),
      s2.begin(),
      s3.begin(),
      s1.lockWhere({}, 'for update', { wait: 'skip locked', limit: 1 }),
      s2.lockWhere({}, 'for update', { wait: 'skip locked', limit: 1 }),
      s3.lockWhere({}, 'for update', { wait: 'skip locked', limit: 1 }),
      s1.commit(),
      s2.commit(),
      s3.commit(),
    ],
  },
  {
    name: 'skip locked of several lockers',
    steps: [
      s1.begin(),
      s1.lock(1, 'for share'),
      s2.begin(),
      s2.lock(1, 'for share'),
      s3.begin(),
      s3.lockWhere({}, 'for update', { wait: 'skip locked' }),
      s3.commit(),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'skip locked leaves out what is updated',
    steps: [
      s1.begin(),
      s1.update(2, { v: 21 }),
      s2.begin(),
      s2.lockRange(1, 3, 'for share', 'skip locked'),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'a lock timeout ends a wait for a row',
    lockTimeout: { 2: 20 },
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(),
      s2.update(1, { v: 12 }),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'a lock timeout ends a wait for a table',
    lockTimeout: { 2: 20 },
    steps: [
      s1.begin(),
      s1.lockTable('access exclusive'),
      s2.begin(),
      s2.lockTable('access share'),
      s2.rollback(),
      s1.commit(),
    ],
  },
]

const multixacts: Scenario[] = [
  {
    name: 'two shares, then an update by one of them waits for the other',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lock(1, 'for share'),
      s2.lock(1, 'for share'),
      s1.update(1, { v: 11 }),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'two key shares, then an update of no key by one of them does not wait',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lock(1, 'for key share'),
      s2.lock(1, 'for key share'),
      s1.update(1, { v: 11 }),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a key share survives an update of no key on the new version',
    steps: [
      s1.begin(),
      s1.lock(1, 'for key share'),
      s2.update(1, { v: 11 }),
      s3.delete(1),
      s1.commit(),
    ],
  },
  {
    name: 'a key share of an updated row locks its new version, too',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(),
      s2.lock(1, 'for key share'),
      s1.commit(),
      s3.delete(1),
      s2.commit(),
    ],
  },
  {
    name: 'an own lock grows from key share to update beside another key share',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lock(1, 'for key share'),
      s2.lock(1, 'for key share'),
      s1.lock(1, 'for no key update'),
      s1.lock(1, 'for update'),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'three share a row, the fourth statement deletes it',
    steps: [
      s1.begin(),
      s2.begin(),
      s3.begin(),
      s1.lock(1, 'for share'),
      s2.lock(1, 'for share'),
      s3.lock(1, 'for key share'),
      s1.commit(),
      s2.delete(1),
      s3.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a locker is gone, the other one stays',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lock(1, 'for share'),
      s2.lock(1, 'for share'),
      s1.rollback(),
      s3.begin(),
      s3.lock(1, 'for key share'),
      s2.commit(),
      s3.update(1, { u: 150 }),
      s3.commit(),
    ],
  },
  {
    name: 'an update beside a key share is rolled back, and made by another',
    steps: [
      s1.begin(),
      s1.lock(1, 'for key share'),
      s2.begin(),
      s2.update(1, { v: 11 }),
      s2.rollback(),
      s3.update(1, { v: 12 }),
      s1.commit(),
    ],
  },
  {
    name: 'an update beside a key share is awaited by a second update',
    steps: [
      s1.begin(),
      s1.lock(1, 'for key share'),
      s2.begin(),
      s2.update(1, { v: 11 }),
      s3.update(1, { v: 12 }),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'a stronger lock of the same transaction needs no multixact',
    steps: [
      s1.begin(),
      s1.lock(1, 'for key share'),
      s1.lock(1, 'for share'),
      s1.lock(1, 'for update'),
      s1.lock(1, 'for key share'),
      s1.commit(),
    ],
  },
  {
    name: 'an own lock, then an own update',
    steps: [
      s1.begin(),
      s1.lock(1, 'for update'),
      s1.update(1, { v: 11 }),
      s1.delete(1),
      s1.commit(),
    ],
  },
]

const deadlocks: Scenario[] = [
  {
    name: 'deadlock of two updates',
    deadlockTimeout: { 2: 10 },
    steps: [
      s1.begin(),
      s2.begin(),
      s1.update(1, { v: 11 }),
      s2.update(2, { v: 22 }),
      s1.update(2, { v: 21 }),
      s2.update(1, { v: 12 }),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'deadlock of two shares that become updates',
    deadlockTimeout: { 2: 10 },
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lock(1, 'for share'),
      s2.lock(1, 'for share'),
      s1.update(1, { v: 11 }),
      s2.update(1, { v: 12 }),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'deadlock of three',
    deadlockTimeout: { 3: 10 },
    steps: [
      s1.begin(),
      s2.begin(),
      s3.begin(),
      s1.update(1, { v: 11 }),
      s2.update(2, { v: 22 }),
      s3.update(3, { v: 33 }),
      s1.update(2, { v: 21 }),
      s2.update(3, { v: 32 }),
      s3.update(1, { v: 13 }),
      s3.rollback(),
      s2.commit(),
      s1.commit(),
    ],
  },
  {
    name: 'deadlock of a table lock and a row',
    deadlockTimeout: { 2: 10 },
    steps: [
      s1.begin(),
      s2.begin(),
      s1.update(1, { v: 11 }),
      s2.lockTable('share update exclusive'),
      s1.lockTable('share'),
      s2.update(1, { v: 12 }),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'two upgrades of a table lock are a deadlock at once',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lockTable('share'),
      s2.lockTable('share'),
      s1.lockTable('exclusive'),
      s2.lockTable('exclusive'),
      s2.rollback(),
      s1.commit(),
    ],
  },
  {
    name: 'a holder that asks for more passes who waits for it',
    steps: [
      s1.begin(),
      s2.begin(),
      s1.lockTable('access share'),
      s2.lockTable('access exclusive'),
      s1.lockTable('row exclusive'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a deadlock in a savepoint is over when that is rolled back',
    deadlockTimeout: { 2: 10 },
    steps: [
      s1.begin(),
      s2.begin(),
      s1.update(1, { v: 11 }),
      s2.update(3, { v: 33 }),
      s2.savepoint(),
      s2.update(2, { v: 22 }),
      s1.update(2, { v: 21 }),
      s2.update(1, { v: 12 }),
      s2.rollbackTo(),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'deadlock of two inserts of the same keys',
    deadlockTimeout: { 2: 10 },
    steps: [
      s1.begin(),
      s2.begin(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.insert({ id: 5, v: 50, u: 500 }),
      s1.insert({ id: 5, v: 51, u: 501 }),
      s2.insert({ id: 4, v: 41, u: 401 }),
      s2.rollback(),
      s1.commit(),
    ],
  },
]

const uniqueKeys: Scenario[] = [
  {
    name: 'an insert waits for another one of the key, which is committed',
    steps: [
      s1.begin(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.begin(),
      s2.insert({ id: 4, v: 41, u: 401 }),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'an insert waits for another one of the key, which is rolled back',
    steps: [
      s1.begin(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.begin(),
      s2.insert({ id: 4, v: 41, u: 401 }),
      s1.rollback(),
      s2.commit(),
    ],
  },
  {
    name: 'an insert waits for the second unique key',
    steps: [
      s1.begin(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.begin(),
      s2.insert({ id: 5, v: 41, u: 400 }),
      s1.rollback(),
      s2.commit(),
    ],
  },
  {
    name: 'an insert waits for a delete of the key, which is committed',
    steps: [s1.begin(), s1.delete(1), s2.insert({ id: 1, v: 41, u: 401 }), s1.commit()],
  },
  {
    name: 'an insert waits for a delete of the key, which is rolled back',
    steps: [s1.begin(), s1.delete(1), s2.insert({ id: 1, v: 41, u: 401 }), s1.rollback()],
  },
  {
    name: 'an update to a key waits for its insert',
    steps: [
      s1.begin(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.begin(),
      s2.update(1, { u: 400 }),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'an update to a key waits for its insert, which is rolled back',
    steps: [
      s1.begin(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.begin(),
      s2.update(1, { u: 400 }),
      s1.rollback(),
      s2.commit(),
    ],
  },
  {
    name: 'an insert in a savepoint that is rolled back frees its key',
    steps: [
      s1.begin(),
      s1.savepoint(),
      s1.insert({ id: 4, v: 40, u: 400 }),
      s2.insert({ id: 4, v: 41, u: 401 }),
      s1.rollbackTo(),
      s1.commit(),
    ],
  },
  {
    name: 'a locked row is no obstacle to a conflict',
    steps: [s1.begin(), s1.lock(1, 'for update'), s2.insert({ id: 1, v: 41, u: 401 }), s1.commit()],
  },
]

const savepoints: Scenario[] = [
  {
    name: 'a lock taken in a savepoint goes with its rollback',
    steps: [
      s1.begin(),
      s1.savepoint(),
      s1.lock(1, 'for update'),
      s2.update(1, { v: 12 }),
      s1.rollbackTo(),
      s1.commit(),
    ],
  },
  {
    name: 'a lock taken in a savepoint stays with its release',
    steps: [
      s1.begin(),
      s1.savepoint(),
      s1.lock(1, 'for update'),
      s1.release(),
      s2.update(1, { v: 12 }),
      s1.commit(),
    ],
  },
  {
    name: 'a stronger lock of a savepoint that is rolled back leaves the weaker one',
    steps: [
      s1.begin(),
      s1.lock(1, 'for key share'),
      s1.savepoint(),
      s1.lock(1, 'for update'),
      s1.rollbackTo(),
      s2.update(1, { v: 12 }),
      s3.delete(1),
      s1.commit(),
    ],
  },
  {
    name: 'an update in a savepoint that is rolled back after a lock before it',
    steps: [
      s1.begin(),
      s1.lock(1, 'for no key update'),
      s1.savepoint(),
      s1.update(1, { v: 11 }),
      s1.rollbackTo(),
      s2.update(1, { v: 12 }),
      s1.commit(),
    ],
  },
  {
    name: 'an update in a savepoint is awaited by who waits for the row',
    steps: [
      s1.begin(),
      s1.savepoint(),
      s1.update(1, { v: 11 }),
      s1.release(),
      s2.update(1, { u: 150 }),
      s1.commit(),
    ],
  },
  {
    name: 'a table lock of a savepoint goes with its rollback',
    steps: [
      s1.begin(),
      s1.savepoint(),
      s1.lockTable('exclusive'),
      s2.update(1, { v: 12 }),
      s1.rollbackTo(),
      s1.commit(),
    ],
  },
]

const definitions: Scenario[] = [
  {
    name: 'truncate waits for a writer',
    steps: [s1.begin(), s1.update(1, { v: 11 }), s2.truncate(), s1.commit()],
  },
  {
    name: 'truncate waits for a reader in a transaction',
    steps: [s1.begin(), s1.get(1), s2.truncate(), s1.commit()],
  },
  {
    name: 'a writer waits for a truncate',
    steps: [s1.begin(), s1.truncate(), s2.insert({ id: 7, v: 70, u: 700 }), s1.commit(), s2.get(7)],
  },
  {
    name: 'a writer waits for a truncate that is rolled back',
    steps: [s1.begin(), s1.truncate(), s2.update(1, { v: 12 }), s1.rollback()],
  },
  {
    name: 'an index waits for a writer',
    steps: [s1.begin(), s1.update(1, { v: 11 }), s2.createIndex('v'), s1.commit()],
  },
  {
    name: 'a writer waits for an index, a reader does not',
    steps: [s1.begin(), s1.createIndex('v'), s2.get(1), s2.update(1, { v: 12 }), s1.commit()],
  },
  {
    name: 'drop waits for a writer, and a second writer waits behind it',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(),
      s2.truncate(),
      s3.insert({ id: 8, v: 80, u: 800 }),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'a lock on the table keeps rows from being locked',
    steps: [
      s1.begin(),
      s1.lockTable('exclusive'),
      s2.begin(),
      s2.lock(1, 'for key share'),
      s1.commit(),
      s2.commit(),
    ],
  },
  {
    name: 'lock table nowait',
    steps: [
      s1.begin(),
      s1.update(1, { v: 11 }),
      s2.begin(),
      s2.lockTable('share', 'nowait'),
      s2.rollback(),
      s1.commit(),
    ],
  },
]

export const scenarios: Record<string, Scenario[]> = {
  'row locks against each other': lockPairs,
  'changes of locked rows': lockedChanges,
  'locks of changed rows': changedLocks,
  'lost updates': lostUpdates,
  'looking again at changed rows': rechecks,
  'nowait, skip locked, timeouts': impatient,
  multixacts,
  deadlocks,
  'unique keys': uniqueKeys,
  savepoints,
  'definitions beside writers': definitions,
}
