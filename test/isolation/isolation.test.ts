// Goal: locks, waits, re-checks, refusals and deadlocks are PostgreSQL's. Method: each scenario's steps run on stock
// PostgreSQL and on ours, and every outcome, and what is left in the table, is compared; then stock reads our pages and
// finds the same tuple headers and multixact members.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IsolationTester } from '../support/isolation.ts'
import { changeScenarios } from './change-scenarios.ts'
import { scenarios } from './scenarios.ts'
import { upsertScenarios } from './upsert-scenarios.ts'

const tester = new IsolationTester()

beforeAll(() => tester.open())
afterAll(() => tester.close())

for (const [group, cases] of Object.entries({
  ...scenarios,
  ...changeScenarios,
  ...upsertScenarios,
})) {
  describe(group, () => {
    for (const scenario of cases) {
      // Whether a session waits is seen from outside, which a busy machine can delay.
      test(scenario.name, { retry: 2 }, async () => {
        const { ours, stock } = await tester.run(scenario)
        expect(ours).toEqual(stock)
      })
    }
  })
}

test('stock PostgreSQL finds the same in our pages as in its own', async () => {
  for (const { name, ours, stock } of await tester.comparePages())
    expect({ name, pages: ours }).toEqual({ name, pages: stock })
})
