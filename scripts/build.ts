// Builds what the package needs to run: the addon, the catalog bundle, the JavaScript in dist/.
//
//   tsx scripts/build.ts              everything
//   tsx scripts/build.ts native       build/Release/pgdata.node
//   tsx scripts/build.ts bundle       the catalog bundle, by scripts/build-catalog-bundle.ts
//   tsx scripts/build.ts ts           dist/
//   tsx scripts/build.ts --if-stale   each part only when one of its inputs is newer than its output
import { copyFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { main, nodeHeadersDirectory, root, run, runTool } from './run.ts'

interface Part {
  name: string
  output: string
  inputs: string[]
  build: () => void
}

const addon = 'build/Release/pgdata.node'
const bundleScript = 'scripts/build-catalog-bundle.ts'

const parts: Part[] = [
  {
    name: 'native',
    output: addon,
    inputs: ['native', 'binding.gyp', 'package.json', 'package-lock.json'],
    build: buildNative,
  },
  {
    name: 'bundle',
    output: 'prebuilds/catalog-18.bundle',
    inputs: [bundleScript, 'src-ts/catalog'],
    build: () => {
      if (existsSync(join(root, bundleScript))) runTool('tsx', [bundleScript])
    },
  },
  {
    name: 'ts',
    output: 'dist/index.js',
    inputs: ['src-ts', 'tsup.config.ts', 'package.json', 'package-lock.json'],
    build: buildTypeScript,
  },
]

// node-gyp's own make knows which objects are stale; only a changed list of sources or changed flags need
// a new configuration.
function buildNative(): void {
  const headers = nodeHeadersDirectory()
  const nodedir = headers === undefined ? [] : [`--nodedir=${headers}`]
  const quiet = ['--loglevel=warn']
  const makefile = join(root, 'build', 'Makefile')
  const configured = existsSync(makefile) ? statSync(makefile).mtimeMs : 0
  if (newestChange(['binding.gyp', 'native/sources.txt', 'package.json']) >= configured) {
    runTool('node-gyp', ['configure', '--release', ...nodedir, ...quiet])
  }
  const jobs = process.env.JOBS ?? '2'
  runTool('node-gyp', ['build', '--release', '--jobs', jobs, ...nodedir, ...quiet], {
    MAKEFLAGS: '--no-print-directory',
  })
  // The loader takes a prebuilt binary first, and one from an earlier "npm run build:prebuild" is older.
  rmSync(join(root, 'prebuilds', `${process.platform}-${process.arch}`), {
    recursive: true,
    force: true,
  })
  // make leaves an up-to-date binary alone, though an input that it does not use may be newer.
  run('touch', [addon])
}

// The ESM entry re-exports the CommonJS one, so that a process which loads both has one PgError class and one
// addon. The library itself is a file behind both: Node reads through all of a CommonJS file that is imported for the names
// of its exports, which takes longer than compiling it.
function buildTypeScript(): void {
  runTool('tsup', ['--silent'])
  const library = createRequire(import.meta.url)(join(root, 'dist', 'library.cjs')) as object
  const names = Object.keys(library).sort()
  const commonJs = [
    '// The CommonJS entry: what the library exports, in a form in which Node finds the names at once.',
    "'use strict'",
    "const library = require('./library.cjs')",
    ...names.map((name) => `exports.${name} = library.${name}`),
  ]
  const esm = [
    '// The ESM entry: the same objects as the CommonJS one.',
    `export { ${names.join(', ')} } from './index.cjs'`,
  ]
  copyFileSync(join(root, 'dist', 'index.d.cts'), join(root, 'dist', 'index.d.ts'))
  writeFileSync(join(root, 'dist', 'index.cjs'), `${commonJs.join('\n')}\n`)
  writeFileSync(join(root, 'dist', 'index.js'), `${esm.join('\n')}\n`)
}

// The time of the latest change to any of these files, or to any file in these directories.
function newestChange(paths: string[]): number {
  let newest = 0
  for (const path of paths) {
    const full = join(root, path)
    if (!existsSync(full)) continue
    newest = Math.max(newest, statSync(full).mtimeMs)
    if (!statSync(full).isDirectory()) continue
    for (const entry of readdirSync(full, { recursive: true, encoding: 'utf8' })) {
      newest = Math.max(newest, statSync(join(full, entry)).mtimeMs)
    }
  }
  return newest
}

function isStale(part: Part): boolean {
  const output = join(root, part.output)
  return !existsSync(output) || newestChange(part.inputs) > statSync(output).mtimeMs
}

await main(() => {
  const names = process.argv.slice(2).filter((argument) => argument !== '--if-stale')
  const ifStale = process.argv.includes('--if-stale')
  for (const name of names) {
    if (!parts.some((part) => part.name === name)) throw new Error(`unknown part "${name}"`)
  }
  for (const part of parts) {
    if (names.length > 0 && !names.includes(part.name)) continue
    if (ifStale && !isStale(part)) continue
    part.build()
  }
})
