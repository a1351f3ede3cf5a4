// The files of a relation's forks: names, sizes, and reading single blocks from them.
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const forkSuffixes = { main: '', fsm: '_fsm', vm: '_vm', init: '_init' } as const
export type Fork = keyof typeof forkSuffixes

// No relation has more segments than 32-bit block numbers can name with the smallest segment that init makes.
const segmentsMax = 1 << 16

/** Bytes of one fork, over all of its segment files; undefined when it does not exist. `path` is its main fork's. */
export function forkBytes(dataDirectory: string, path: string, fork: Fork): number | undefined {
  const base = join(dataDirectory, path + forkSuffixes[fork])
  if (!existsSync(base)) return undefined
  let bytes = 0
  for (let segment = 0; segment < segmentsMax; segment++) {
    const file = segment === 0 ? base : `${base}.${segment}`
    if (!existsSync(file)) break
    bytes += statSync(file).size
  }
  return bytes
}

/** Bytes of all forks. */
export function relationBytes(dataDirectory: string, path: string): number {
  const forks = Object.keys(forkSuffixes) as Fork[]
  return forks.reduce((sum, fork) => sum + (forkBytes(dataDirectory, path, fork) ?? 0), 0)
}

/** One block, or undefined when the fork ends before it. */
export function readBlock(
  dataDirectory: string,
  path: string,
  fork: Fork,
  block: number,
  blockSize: number,
  segmentBlocks: number,
): Buffer | undefined {
  const segment = Math.floor(block / segmentBlocks)
  const base = join(dataDirectory, path + forkSuffixes[fork])
  const file = segment === 0 ? base : `${base}.${segment}`
  if (!existsSync(file)) return undefined
  const descriptor = openSync(file, 'r')
  try {
    const page = Buffer.alloc(blockSize)
    const read = readSync(descriptor, page, 0, blockSize, (block % segmentBlocks) * blockSize)
    return read === blockSize ? page : undefined
  } finally {
    closeSync(descriptor)
  }
}
