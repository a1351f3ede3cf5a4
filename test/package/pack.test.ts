// Tests of the packed package.
// Goal: what npm would publish works for a consumer who runs no install script, as ESM, as CommonJS, with types
// and as a command. Method: make this platform's prebuilt binary, pack, install the tarball into an empty folder
// with --ignore-scripts, and use it from there.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { currentPlatform } from '../../src-ts/binding/load-addon.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const staging = temporaryDirectory('staging')
const consumer = temporaryDirectory('consumer')
let tarball: string

// Runs a program and returns its output; throws with all of it when it fails.
function output(cwd: string, command: string, ...args: string[]): string {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`)
  }
  return result.stdout
}

function tool(cwd: string, name: string, ...args: string[]): string {
  return output(cwd, join(realpathSync(join(root, 'node_modules')), '.bin', name), ...args)
}

// The package as it is published: everything that package.json's `files` names, with a prebuilt binary of this
// platform where prebuildify would have put it.
beforeAll(() => {
  for (const name of ['package.json', 'README.md', 'LICENSE', 'dist', 'prebuilds']) {
    cpSync(join(root, name), join(staging, name), { recursive: true })
  }
  const { os, arch, libc } = currentPlatform()
  const directory = join(staging, 'prebuilds', `${os}-${arch}`)
  mkdirSync(directory, { recursive: true })
  const tag = libc === undefined ? '' : `.${libc}`
  cpSync(join(root, 'build', 'Release', 'pgdata.node'), join(directory, `pgdata${tag}.node`))

  output(staging, 'npm', 'pack', '--ignore-scripts', '--pack-destination', staging)
  const name = readdirSync(staging).find((file) => file.endsWith('.tgz'))
  tarball = join(staging, name!)
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true }\n')
  output(consumer, 'npm', 'install', '--ignore-scripts', '--prefer-offline', tarball)
}, 120_000)

test('the package holds no sources, no binding.gyp and no install script', () => {
  const installed = join(consumer, 'node_modules', 'pgdata')
  expect(readdirSync(installed).sort()).toEqual([
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
    'prebuilds',
  ])
  const { scripts, gypfile } = JSON.parse(
    readFileSync(join(installed, 'package.json'), 'utf8'),
  ) as typeof packageJson
  expect(gypfile).toBe(false)
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    expect(scripts).not.toHaveProperty(script)
  }
})

test('it loads as ESM and as CommonJS, with the same objects', () => {
  writeFileSync(
    join(consumer, 'both.mjs'),
    `import { createRequire } from 'node:module'
     import * as esm from 'pgdata'
     const cjs = createRequire(import.meta.url)('pgdata')
     const names = Object.keys(cjs).sort()
     if (String(Object.keys(esm).sort()) !== String(names)) throw new Error('exports differ')
     for (const name of names) {
       if (esm[name] !== cjs[name]) throw new Error(name + ' differs')
       if (cjs[name].name !== name) throw new Error(name + ' is called ' + cjs[name].name)
     }
     console.log(esm.version())`,
  )
  expect(output(consumer, 'node', 'both.mjs').trim()).toBe(packageJson.version)
  const commonjs = "console.log(require('pgdata').version())"
  expect(output(consumer, 'node', '-e', commonjs).trim()).toBe(packageJson.version)
})

test('the command runs', () => {
  const program = join(consumer, 'node_modules', '.bin', 'pgdata')
  expect(output(consumer, program, '--version').trim()).toBe(packageJson.version)
  expect(output(consumer, program, '--help')).toContain('Usage: pgdata')
})

test('a strict TypeScript consumer compiles in both module systems', () => {
  const source =
    "import { PgError } from 'pgdata'\nexport const code: string = new PgError('XX001', 'm').code\n"
  writeFileSync(join(consumer, 'esm.mts'), source)
  writeFileSync(join(consumer, 'cjs.cts'), source)
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext']
  const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node']
  tool(
    consumer,
    'tsc',
    ...options,
    ...types,
    '--lib',
    'es2023,esnext.disposable',
    'esm.mts',
    'cjs.cts',
  )
})

test('publint finds nothing', () => {
  expect(tool(staging, 'publint', '--strict', tarball)).toContain('All good!')
})

test('attw finds nothing', () => {
  tool(staging, 'attw', tarball, '--profile', 'node16')
})
