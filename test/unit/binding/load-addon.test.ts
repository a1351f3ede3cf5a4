// Tests of the addon loader.
// Goal: the right file is looked for on each platform, and a failure tells the user platform, libc and the way
// out. Method: call its parts with platforms that this machine is not.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import { version } from '../../../src-ts/binding/addon.ts'
import {
  addonCandidates,
  addonLoadError,
  currentPlatform,
  libcOfProgram,
} from '../../../src-ts/binding/load-addon.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

test('the loaded binary is of this version of the package', () => {
  expect(version()).toBe(packageJson.version)
})

test('this platform is described', () => {
  const platform = currentPlatform()
  expect(platform.os).toBe(process.platform)
  expect(platform.arch).toBe(process.arch)
  if (process.platform === 'linux') expect(platform.libc).toMatch(/^(glibc|musl)$/)
  else expect(platform.libc).toBeUndefined()
})

// An ELF file with one segment that names an interpreter.
function program(interpreter: string): string {
  const bytes = Buffer.alloc(200)
  bytes.write('\x7fELF\x02\x01\x01', 'latin1')
  bytes.writeBigUInt64LE(64n, 32)
  bytes.writeUInt16LE(56, 54)
  bytes.writeUInt16LE(1, 56)
  bytes.writeUInt32LE(3, 64)
  bytes.writeBigUInt64LE(120n, 64 + 8)
  bytes.writeBigUInt64LE(BigInt(interpreter.length + 1), 64 + 32)
  bytes.write(`${interpreter}\0`, 120, 'latin1')
  const path = join(temporaryDirectory('program'), 'node')
  writeFileSync(path, bytes)
  return path
}

test("a program's interpreter tells its C library", () => {
  expect(libcOfProgram(program('/lib64/ld-linux-x86-64.so.2'))).toBe('glibc')
  expect(libcOfProgram(program('/lib/ld-musl-aarch64.so.1'))).toBe('musl')
  expect(libcOfProgram(program('/libexec/ld-elf.so.1'))).toBeUndefined()
  expect(libcOfProgram(import.meta.filename)).toBeUndefined()
  expect(libcOfProgram('/nonexistent')).toBeUndefined()
})

test.runIf(process.platform === 'linux')("this Node's report names the same C library", () => {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  expect(currentPlatform().libc).toBe(header.glibcVersionRuntime === undefined ? 'musl' : 'glibc')
})

test('a prebuilt binary comes before a local build', () => {
  expect(addonCandidates('/p', { os: 'linux', arch: 'x64', libc: 'musl' })).toEqual([
    '/p/prebuilds/linux-x64/pgdata.musl.node',
    '/p/build/Release/pgdata.node',
  ])
  expect(addonCandidates('/p', { os: 'darwin', arch: 'arm64', libc: undefined })[0]).toBe(
    '/p/prebuilds/darwin-arm64/pgdata.node',
  )
})

test('a missing binary is explained', () => {
  const root = temporaryDirectory('package')
  mkdirSync(join(root, 'prebuilds', 'linux-x64'), { recursive: true })
  writeFileSync(join(root, 'prebuilds', 'linux-x64', 'pgdata.glibc.node'), '')
  const platform = { os: 'linux', arch: 'riscv64', libc: 'musl' as const }
  const error = addonLoadError(root, platform, [{ path: '/p/a.node', reason: 'no such file' }])
  expect(error.code).toBe('58P01')
  expect(error.message).toContain('linux-riscv64 with musl')
  expect(error.detail).toBe(
    'Tried /p/a.node: no such file. Prebuilt binaries in this package: linux-x64/pgdata.glibc.node.',
  )
  expect(error.hint).toContain('npm run build')
})
