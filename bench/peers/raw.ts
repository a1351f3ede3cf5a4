// raw: what the machine itself can do, measured beside the databases: the medians of a few rounds.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, freemem, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Summary, summary } from './statistics.ts'
import { here } from './tools.ts'

interface Addon {
  empty(): void
  writeAndSync(times: number, path: string): number
  sequentialWrite(megabytes: number, path: string): number
  sequentialRead(megabytes: number, path: string): number
  memoryBandwidth(bytes: number): number
  dependentLoad(bytes: number): number
  crc32c(times: number): number
}

export interface Limit extends Summary {
  title: string
  unit: string
}

const megabyte = 2 ** 20

function compile(): Addon {
  const directory = join(here, 'node_modules/.bench')
  mkdirSync(directory, { recursive: true })
  const require = createRequire(join(here, 'package.json'))
  const { include_dir } = require('node-api-headers') as { include_dir: string }
  const output = join(directory, 'raw.node')
  const options = ['-std=c++20', '-O2', '-msse4.2', '-shared', '-fPIC', `-I${include_dir}`]
  const compiler = process.env.CXX ?? 'g++'
  const [program = 'g++', ...before] = compiler.split(' ')
  const result = spawnSync(program, [...before, ...options, join(here, 'raw.cc'), '-o', output], {
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(`could not compile raw.cc: ${result.stderr}`)
  return require(output) as Addon
}

function emptyCall(addon: Addon): number {
  const calls = 2_000_000
  const start = performance.now()
  for (let i = 0; i < calls; i++) addon.empty()
  return ((performance.now() - start) * 1e6) / calls
}

export function rawLimits(directory: string, isQuick: boolean): Limit[] {
  let addon: Addon
  try {
    addon = compile()
  } catch (error) {
    // Not an x86-64 Linux with a compiler.
    console.log(`no raw limits: ${(error as Error).message}`)
    return []
  }
  const path = join(directory, 'raw')
  const megabytes = isQuick ? 128 : 512
  const bytes = (isQuick ? 256 : 1024) * megabyte
  const limits: [string, string, () => number][] = [
    ['write and sync of 8 kB to zeroes', '1/s', () => addon.writeAndSync(500, path)],
    ['sequential write', 'MB/s', () => addon.sequentialWrite(megabytes, path) / 1e6],
    ['sequential read', 'MB/s', () => addon.sequentialRead(megabytes, path) / 1e6],
    ['memory read in order', 'GB/s', () => addon.memoryBandwidth(bytes) / 1e9],
    ['dependent random load', 'ns', () => addon.dependentLoad(bytes)],
    ['CRC-32C', 'GB/s', () => addon.crc32c(20_000) / 1e9],
    ['empty Node-API call', 'ns', () => emptyCall(addon)],
  ]
  const measured = limits.map(([title, unit, measure]) => ({
    title,
    unit,
    ...summary([measure(), measure(), measure()]),
  }))
  rmSync(path, { force: true })
  return measured
}

export function machineFacts(): Record<string, string> {
  return {
    processor: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GB, ${(freemem() / 2 ** 30).toFixed(1)} free`,
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
  }
}
