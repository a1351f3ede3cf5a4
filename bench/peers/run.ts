// The comparison: peers take turns, each sample in a Node process of its own.
//
//   npm run bench:peers                          all
//   npm run bench:peers -- --quick               under 5 minutes
//   npm run bench:peers -- --only lookup,range --peers pgdata,lmdb --rounds 3 --rows 100000
//
// Needs "npm install" in this directory; see README.md. Writes results.json, results.md and results.svg into
// bench/results/, or into --output.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'tsup'
import { compare } from './compare.ts'
import { peerNames } from './peers.ts'
import { plot } from './plot.ts'
import { machineFacts, rawLimits } from './raw.ts'
import { table } from './report.ts'
import { here, root, workDirectory } from './tools.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    peers: { type: 'string' },
    rounds: { type: 'string' },
    rows: { type: 'string' },
    sizes: { type: 'string' },
    output: { type: 'string' },
  },
})

// tsx keeps the names of closures at the cost of a call each; samples run what tsup makes, as users' code is.
async function bundle(): Promise<string> {
  const outDir = join(here, 'node_modules/.bench')
  await build({
    config: false,
    entry: ['sample', ...peerNames].map((name) => join(here, `${name}.ts`)),
    format: ['esm'],
    outExtension: () => ({ js: '.js' }),
    platform: 'node',
    target: 'node20',
    outDir,
    splitting: false,
    skipNodeModulesBundle: true,
    silent: true,
  })
  writeFileSync(join(outDir, 'package.json'), '{"type":"module"}\n')
  return outDir
}

const isQuick = values.quick
const rows = Number(values.rows ?? (isQuick ? 100_000 : 1_000_000))
const sizes =
  values.sizes?.split(',').filter(Boolean).map(Number) ??
  (isQuick ? [] : [10_000, 100_000, 10_000_000])
const programs = await bundle()
using directory = workDirectory()
const started = performance.now()
const limits = rawLimits(directory.path, isQuick)
const results = {
  date: new Date().toISOString(),
  command: ['npm run bench:peers --', ...process.argv.slice(2)].join(' '),
  machine: machineFacts(),
  limits,
  ...(await compare({
    programs,
    directory: directory.path,
    isQuick,
    peers: values.peers?.split(',') ?? peerNames,
    only: values.only?.split(','),
    rounds: Number(values.rounds ?? (isQuick ? 3 : 5)),
    rows,
    sizes: [rows, ...sizes.filter((size) => size !== rows)],
  })),
  seconds: Math.round((performance.now() - started) / 1000),
}
const output = values.output ?? join(root, 'bench/results')
mkdirSync(output, { recursive: true })
writeFileSync(join(output, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`)
const text = table(results)
writeFileSync(join(output, 'results.md'), text)
writeFileSync(join(output, 'results.svg'), await plot(results))
console.log(text)
