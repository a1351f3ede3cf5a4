// How long until a new process has imported the package, and until it has the first row of a database that was closed?
//
// Predicted: 11 ms and 5 ms, as better-sqlite3 takes; what costs is JavaScript that runs for the first time, not the disk.
//
// Each sample is a plain Node process that loads what users load, contenders in turn; wall time, since both wait for the
// disk. "Import" ends when the module is there, "first row" begins then and ends with a row by its key.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { account, openPeers } from './accounts.ts'

const rounds = 21
const root = fileURLToPath(new URL('..', import.meta.url))
const key = 77_777

interface Sample {
  import: number
  row: number
}

// The body of a process that imports `module` and gets the row; `open` gives it as `balance`.
function program(module: string, open: string): string {
  return `
    const start = performance.now()
    const library = await import(${JSON.stringify(module)})
    const imported = performance.now()
    ${open}
    const end = performance.now()
    if (balance !== ${account(key).balance}) throw new Error('wrong answer')
    console.log(JSON.stringify({ import: imported - start, row: end - imported }))
    await close()`
}

function sample(source: string): Sample {
  const { NODE_OPTIONS: _, ...env } = process.env
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  return JSON.parse(output) as Sample
}

function summary(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (part: number) => (sorted[Math.floor(part * (sorted.length - 1))] as number).toFixed(1)
  return `${at(0.5)} ms (${at(0)} to ${at(1)})`
}

const peers = await openPeers({ filled: true })
await peers.session.vacuum('public.accounts')
await peers.cluster.close()
peers.sqlite?.close()

const programs: Record<string, string> = {
  pgdata: program(
    'pgdata',
    `const cluster = await library.Cluster.open(${JSON.stringify(peers.cluster.dataDirectory)}, {
       settings: { shared_buffers: '128MB' },
     })
     const session = await cluster.connect()
     const { balance } = session.table('public.accounts').get(${key})
     const close = () => cluster.close()`,
  ),
}
if (peers.sqlite !== undefined) {
  const require = createRequire(new URL('./peers/package.json', import.meta.url))
  programs['better-sqlite3'] = program(
    require.resolve('better-sqlite3'),
    `const db = new library.default(${JSON.stringify(join(peers.directory, 'peer.sqlite'))})
     db.pragma('synchronous = FULL')
     const { balance } = db.prepare('select * from accounts where id = ?').get(${key})
     const close = () => db.close()`,
  )
}

const samples = new Map<string, Sample[]>(Object.keys(programs).map((name) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (const [name, source] of Object.entries(programs)) samples.get(name)?.push(sample(source))
}
for (const what of ['import', 'row'] as const) {
  const figures = [...samples].map(
    ([name, taken]) => `${name} ${summary(taken.map((each) => each[what]))}`,
  )
  const title = what === 'import' ? 'import of the module' : 'open to the first row'
  console.log(`${title.padEnd(24)} ${figures.join(' | ')}`)
}
await peers.close()
