// Goal: a process may end in any orderly way with a cluster open and leave a directory that opens again.
// Method: child processes that write a row and then end: by running out of work, by process.exit, by a worker that is
// terminated; after each, this process opens the directory and counts. A killed one is refused, and says so.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Cluster } from '../../src-ts/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const root = join(import.meta.dirname, '..', '..')
const library = join(root, 'src-ts', 'index.ts')

async function makeCluster(): Promise<string> {
  const directory = join(temporaryDirectory('exit'), 'data')
  const cluster = await Cluster.open(directory, { create: true })
  const session = await cluster.connect()
  await session.createTable('t', { columns: { id: 'int8 not null' }, primaryKey: ['id'] })
  await cluster.close()
  return directory
}

// Runs a program that inserts row 1 and then does `ending`. Returns how it ended.
function runAndEnd(directory: string, ending: string) {
  const program = join(directory, '..', 'program.mts')
  writeFileSync(
    program,
    `import { Cluster } from ${JSON.stringify(library)}
const cluster = await Cluster.open(${JSON.stringify(directory)})
const session = await cluster.connect()
await session.table('t').insert({ id: 1 })
${ending}
`,
  )
  return spawnSync(join(root, 'node_modules', '.bin', 'tsx'), [program], {
    cwd: root,
    encoding: 'utf8',
  })
}

async function rowsOf(directory: string): Promise<unknown[]> {
  await using cluster = await Cluster.open(directory)
  const session = await cluster.connect()
  return [...session.table('t').scan()]
}

for (const [how, ending] of [
  ['by running out of work', ''],
  ['by process.exit', 'process.exit(0)'],
  [
    'by process.exit in the middle of a transaction',
    "void session.transaction(async (tx) => { tx.insert(session.table('t'), { id: 2 }); process.exit(0) })",
  ],
] as const) {
  it(`closes a cluster that is open when the process ends ${how}`, {
    timeout: 60_000,
  }, async () => {
    const directory = await makeCluster()
    const ended = runAndEnd(directory, ending)
    expect(ended.stderr).not.toContain('Error')
    expect(ended.status).toBe(0)
    expect(await rowsOf(directory)).toEqual([{ id: 1 }])
  })
}

it('recovers a directory whose process was killed', { timeout: 60_000 }, async () => {
  const directory = await makeCluster()
  const ended = runAndEnd(directory, "process.kill(process.pid, 'SIGKILL')")
  expect(ended.status).not.toBe(0)
  expect(await rowsOf(directory)).toEqual([{ id: 1 }])
})
