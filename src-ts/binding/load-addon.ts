// Finds and loads the native binary: a prebuilt one for this platform, else a local build. Fails with a
// PgError (58P01) that says which platform this is, what was looked for, and what to do.
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PgError } from '../errors/pg-error.ts'

type Libc = 'glibc' | 'musl'

// The parts of this process that decide which binary it can load.
export interface Platform {
  os: string
  arch: string
  // Linux only: the C library that Node is linked with.
  libc: Libc | undefined
}

// The C library that a 64-bit program is linked with, by the name of its interpreter: /lib64/ld-linux-x86-64.so.2 or
// /lib/ld-musl-x86_64.so.1. Undefined when that does not tell.
//
//   offset  size  field        of
//       32     8  e_phoff      the file's header: where the headers of its segments begin
//       54     2  e_phentsize
//       56     2  e_phnum
//        0     4  p_type       a segment's header: 3 is PT_INTERP
//        8     8  p_offset
//       32     8  p_filesz
//
// Little-endian. Source: elf(5).
export function libcOfProgram(path: string): Libc | undefined {
  const head = Buffer.alloc(4096)
  try {
    const file = openSync(path, 'r')
    try {
      readSync(file, head, 0, head.length, 0)
    } finally {
      closeSync(file)
    }
    const is64LittleEndian = head.readUInt32BE(0) === 0x7f454c46 && head.readUInt16BE(4) === 0x0201
    if (!is64LittleEndian) return undefined
    const start = Number(head.readBigUInt64LE(32))
    const size = head.readUInt16LE(54)
    for (let i = 0; i < head.readUInt16LE(56); i++) {
      const segment = start + i * size
      if (head.readUInt32LE(segment) !== 3) continue
      const at = Number(head.readBigUInt64LE(segment + 8))
      const name = head.toString('latin1', at, at + Number(head.readBigUInt64LE(segment + 32)))
      return name.includes('/ld-musl-') ? 'musl' : name.includes('/ld-linux') ? 'glibc' : undefined
    }
  } catch {
    // It cannot be read, or its headers are somewhere else.
  }
  return undefined
}

// Node's report names glibc's version where Node is linked with glibc. Making it takes milliseconds.
function libcOfReport(): Libc {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

// Which C library this Node uses.
export function currentPlatform(): Platform {
  const libc =
    process.platform === 'linux' ? (libcOfProgram(process.execPath) ?? libcOfReport()) : undefined
  return { os: process.platform, arch: process.arch, libc }
}

// Where a binary for the platform may be, best first. prebuildify names its files
// prebuilds/<os>-<arch>/<name>[.<libc>].node.
export function addonCandidates(packageRoot: string, platform: Platform): string[] {
  const tag = platform.libc === undefined ? '' : `.${platform.libc}`
  const prebuilds = join(packageRoot, 'prebuilds', `${platform.os}-${platform.arch}`)
  return [
    join(prebuilds, `pgdata${tag}.node`),
    join(packageRoot, 'build', 'Release', 'pgdata.node'),
  ]
}

// The nearest directory above this file that holds a package.json: the package itself, from src-ts/binding/
// as well as from dist/.
export function findPackageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory)
    if (parent === directory) throw new PgError('58P01', 'could not find the directory of pgdata')
    directory = parent
  }
  return directory
}

function describePlatform(platform: Platform): string {
  const libc = platform.libc === undefined ? '' : ` with ${platform.libc}`
  return `${platform.os}-${platform.arch}${libc}, Node ${process.version}`
}

function availablePrebuilds(packageRoot: string): string[] {
  const prebuilds = join(packageRoot, 'prebuilds')
  if (!existsSync(prebuilds)) return []
  return readdirSync(prebuilds, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.node'))
    .sort()
}

// The error for a package that has no binary for the platform, or one that the system refuses to load.
export function addonLoadError(
  packageRoot: string,
  platform: Platform,
  failures: { path: string; reason: string }[],
): PgError {
  const available = availablePrebuilds(packageRoot)
  const tried = failures.map(({ path, reason }) => `${path}: ${reason}`).join('; ')
  const offered = available.length === 0 ? 'none' : available.join(', ')
  return new PgError(
    '58P01',
    `could not load the native binary of pgdata for ${describePlatform(platform)}`,
    {
      detail: `Tried ${tried}. Prebuilt binaries in this package: ${offered}.`,
      hint:
        'If node_modules was copied from another machine or image, install it again on this one. ' +
        'If this platform has no prebuilt binary, build it from a checkout of the repository with ' +
        '"npm install && npm run build" (needs Python 3, make and a C++20 compiler).',
    },
  )
}

// Loads the binary. The first candidate that exists and loads is taken.
export function loadAddon(): unknown {
  const packageRoot = findPackageRoot()
  const platform = currentPlatform()
  const failures: { path: string; reason: string }[] = []
  for (const path of addonCandidates(packageRoot, platform)) {
    if (!existsSync(path)) {
      failures.push({ path, reason: 'no such file' })
      continue
    }
    try {
      // What require does in the end; the path needs no looking for.
      const module = { exports: {} }
      process.dlopen(module, path)
      return module.exports
    } catch (error) {
      failures.push({ path, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  throw addonLoadError(packageRoot, platform, failures)
}
