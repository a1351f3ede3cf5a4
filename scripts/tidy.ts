// The rules of the tree that no other tool knows: room order, a README per room, first comments, headers that
// compile alone, the list of native sources, names, forbidden phrases. Prints each breach as file:line and fails.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { nativeFiles, nativeRooms } from './native-files.ts'
import { main, nodeHeadersDirectory, root } from './run.ts'

// The rooms of src-ts/ in order: one imports only from those before it.
const typescriptRooms = [
  'errors',
  'binding',
  'memory',
  'config',
  'types',
  'catalog',
  'transaction',
  'access',
  'relation',
  'command',
  'executor',
  'session',
  'process',
  'cluster',
  'inspect',
  'cli',
]

// Rooms that stand side by side in the order and do not see each other.
const nativeSiblings = [['heap', 'btree']]

// Headers that only native/addon may include.
const nodeHeaders = /^(napi|node_api|js_native_api|node|v8|uv)\.h$/

const forbiddenNames = /^(utils?|helpers?|common|managers?|misc)$/

// Each phrase is split, so that this file does not contain it.
const forbiddenPhrases: { pattern: RegExp; reason: string }[] = [
  {
    pattern: new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|HA${'CK'}|XX${'X'})\\b`),
    reason: 'unfinished work belongs in an issue',
  },
  { pattern: new RegExp(`\\bfor ${'now'}\\b`, 'i'), reason: 'say what holds, or open an issue' },
  { pattern: new RegExp(`\\bplace${'holder'}\\b`, 'i'), reason: 'finish it or leave it out' },
  { pattern: new RegExp(`\\b(keep|kept) in ${'sync'}\\b`, 'i'), reason: 'give the fact one home' },
  {
    pattern: new RegExp(`biome-${'ignore'}|@ts-${'ignore'}|@ts-${'nocheck'}|eslint-${'disable'}`),
    reason: 'mend the code, not the check',
  },
]

const breaches: string[] = []

function breach(file: string, line: number, what: string): void {
  breaches.push(`${file}:${line}: ${what}`)
}

function linesOf(file: string): string[] {
  return readFileSync(join(root, file), 'utf8').split('\n')
}

// Every file of the project that git does not ignore, committed or not.
function projectFiles(): string[] {
  const listing = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (listing.status !== 0) throw new Error(`git ls-files failed: ${listing.stderr}`)
  return listing.stdout
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(root, file)))
    .sort()
}

// A relative import of a TypeScript room may only reach rooms before it. src-ts/index.ts is after all of them.
function checkTypescriptOrder(files: string[]): void {
  for (const file of files.filter((name) => /^src-ts\/.+\/.+\.ts$/.test(name))) {
    const room = file.split('/')[1]!
    const place = typescriptRooms.indexOf(room)
    if (place < 0) {
      breach(file, 1, `room "${room}" is not in the list of rooms`)
      continue
    }
    linesOf(file).forEach((line, index) => {
      const target = /(?:from|import|import\()\s*'(\.[^']*)'/.exec(line)?.[1]
      if (target === undefined) return
      const path = normalize(join(dirname(file), target))
      const [top, targetRoom, ...rest] = path.split('/')
      if (top !== 'src-ts') breach(file, index + 1, `imports ${path}, outside src-ts/`)
      else if (rest.length === 0)
        breach(file, index + 1, `imports ${path}, which is above all rooms`)
      else if (typescriptRooms.indexOf(targetRoom!) > place) {
        breach(file, index + 1, `room "${room}" imports from the later room "${targetRoom}"`)
      }
    })
  }
}

// Includes of native rooms follow the same rule, and name their file from native/.
function checkNativeOrder(rooms: string[]): void {
  for (const file of nativeFiles().filter((name) => name.startsWith('native/'))) {
    const room = file.split('/')[1]!
    const place = rooms.indexOf(room)
    if (place < 0) {
      breach(file, 1, `room "${room}" is not in native/sources.txt`)
      continue
    }
    linesOf(file).forEach((line, index) => {
      const match = /^\s*#\s*include\s+(["<])([^">]+)[">]/.exec(line)
      if (match === null) return
      const [, bracket, target] = match as unknown as [string, string, string]
      if (nodeHeaders.test(target) && room !== 'addon') {
        breach(file, index + 1, `only native/addon may include ${target}`)
      }
      if (bracket === '<') return
      const targetRoom = target.split('/')[0]!
      if (!existsSync(join(root, 'native', target))) {
        breach(file, index + 1, `"${target}" is no path from native/`)
      } else if (rooms.indexOf(targetRoom) > place) {
        breach(file, index + 1, `room "${room}" includes from the later room "${targetRoom}"`)
      } else if (
        targetRoom !== room &&
        nativeSiblings.some((siblings) => siblings.includes(room) && siblings.includes(targetRoom))
      ) {
        breach(file, index + 1, `rooms "${room}" and "${targetRoom}" are siblings`)
      }
    })
  }
}

// native/sources.txt lists each source that ships, under its own room.
function checkSourceList(rooms: Map<string, string[]>): void {
  const listed = new Set<string>()
  for (const [room, sources] of rooms) {
    for (const source of sources) {
      if (!source.startsWith(`${room}/`)) {
        breach('native/sources.txt', 1, `${source} is listed under room "${room}"`)
      }
      if (!existsSync(join(root, 'native', source))) {
        breach('native/sources.txt', 1, `${source} does not exist`)
      }
      if (listed.has(source)) breach('native/sources.txt', 1, `${source} is listed twice`)
      listed.add(source)
    }
  }
  for (const file of nativeFiles()) {
    if (!file.startsWith('native/') || !file.endsWith('.cc')) continue
    const source = file.slice('native/'.length)
    if (source.endsWith('_test.cc') || source === 'base/test_main.cc') continue
    if (/\/faulty_\w+\.cc$/.test(source)) continue // A double for tests; CMakeLists.txt finds it by name.
    if (!listed.has(source)) breach(file, 1, 'is not listed in native/sources.txt')
  }
}

function checkReadmes(): void {
  for (const top of ['src-ts', 'native']) {
    for (const room of readdirSync(join(root, top))) {
      if (!statSync(join(root, top, room)).isDirectory()) continue
      const readme = join(top, room, 'README.md')
      if (!existsSync(join(root, readme))) breach(readme, 1, 'the room has no README')
    }
  }
}

// Code files open by saying what they are.
function checkFirstComments(files: string[]): void {
  for (const file of files.filter((name) => /\.(ts|cc|h|inc|cjs|mjs)$/.test(name))) {
    const [first, second] = linesOf(file)
    const opening = first?.startsWith('#!') ? second : first
    if (!opening?.startsWith('//'))
      breach(file, 1, 'the first line is no comment that says what this is')
  }
}

function checkNames(files: string[]): void {
  for (const file of files.filter((name) => /^(src-ts|native|test|scripts|bench)\//.test(name))) {
    for (const part of file.split('/')) {
      const stem = part.split('.')[0]!
      if (forbiddenNames.test(stem)) breach(file, 1, `"${stem}" does not say what is in it`)
    }
    const stem = basename(file).split('.')[0]!
    if (/\.(cc|h)$/.test(file) && !/^[a-z0-9_]+$/.test(stem))
      breach(file, 1, 'the name is not snake_case')
    const isCatalog = /^pg_[a-z0-9_]+$/.test(stem)
    if (file.endsWith('.ts') && !/^[a-z0-9-]+$/.test(stem) && !isCatalog) {
      breach(file, 1, 'the name is not kebab-case')
    }
  }
}

function checkPhrases(files: string[]): void {
  const isText = /\.(ts|cc|h|inc|cjs|mjs|js|sh|md|txt|json|yml|gyp)$/
  for (const file of files) {
    if (!isText.test(file) || file.endsWith('package-lock.json')) continue
    linesOf(file).forEach((line, index) => {
      for (const { pattern, reason } of forbiddenPhrases) {
        const found = pattern.exec(line)
        if (found !== null) breach(file, index + 1, `"${found[0]}": ${reason}`)
      }
    })
  }
}

// A library never ends its host. Unit tests and what they share (*_fixture.h) may end child processes.
function checkNoAbort(): void {
  for (const file of nativeFiles()) {
    const isShipped =
      file.startsWith('native/') && !/_test\.cc$|_fixture\.h$|\/test(_main)?\.(cc|h)$/.test(file)
    if (!isShipped || file === 'native/base/invariant.cc') continue
    linesOf(file).forEach((line, index) => {
      if (
        /(?<!\w)(std)?::(abort|_?exit|_Exit|terminate|quick_exit)\(/.test(
          line.replace(/\/\/.*/, ''),
        )
      ) {
        breach(file, index + 1, 'ends the process')
      }
    })
  }
}

// Compiles a header as the only include of a file; resolves to the compiler's complaints, empty when it has none.
function compileHeader(header: string): Promise<string> {
  const includes = ['native', join('node_modules', 'node-addon-api')]
  const node = nodeHeadersDirectory()
  if (node !== undefined) includes.push(join(node, 'include', 'node'))
  const compiler = spawn(
    process.env.CXX ?? 'c++',
    [
      ...['-std=c++20', '-fsyntax-only', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64'],
      ...['-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNAPI_VERSION=8'],
      ...includes.flatMap((directory) => ['-isystem', directory]),
      ...['-x', 'c++', '-'],
    ],
    { cwd: root, stdio: ['pipe', 'ignore', 'pipe'] },
  )
  compiler.stdin.end(`#include "${header.slice('native/'.length)}"\n`)
  let complaints = ''
  compiler.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  return new Promise((resolve, reject) => {
    compiler.on('error', reject)
    compiler.on('close', (status) => resolve(status === 0 ? '' : complaints))
  })
}

async function checkHeadersCompileAlone(): Promise<void> {
  const headers = nativeFiles().filter((file) => /^native\/.*\.h$/.test(file))
  const worker = async () => {
    for (let header = headers.shift(); header !== undefined; header = headers.shift()) {
      const complaints = await compileHeader(header)
      if (complaints !== '') breach(header, 1, `does not compile alone:\n${complaints}`)
    }
  }
  await Promise.all([worker(), worker()])
}

await main(async () => {
  const files = projectFiles()
  const rooms = nativeRooms()
  checkTypescriptOrder(files)
  checkNativeOrder([...rooms.keys()])
  checkSourceList(rooms)
  checkReadmes()
  checkFirstComments(files)
  checkNames(files)
  checkPhrases(files)
  checkNoAbort()
  await checkHeadersCompileAlone()
  if (breaches.length > 0) throw new Error(`${breaches.join('\n')}\n${breaches.length} breaches`)
})
