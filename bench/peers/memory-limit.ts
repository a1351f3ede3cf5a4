// memory-limit: processes that may use only so much memory, page cache included: a control group of Linux, below the
// one that this process is in.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MemoryLimit {
  /** To which a process writes its id. */
  procs: string
  remove(): void
}

function ownGroup(): { directory: string; file: string } {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers?.split(',').includes('memory'))
      return { directory: join('/sys/fs/cgroup/memory', path ?? ''), file: 'memory.limit_in_bytes' }
  }
  const unified = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)?.[1] ?? '/'
  return { directory: join('/sys/fs/cgroup', unified), file: 'memory.max' }
}

/** A group with this limit, or why there can be none. */
export function limitMemory(bytes: number): MemoryLimit | string {
  try {
    const { directory, file } = ownGroup()
    const group = join(directory, `pgdata-peers-${process.pid}`)
    mkdirSync(group, { recursive: true })
    // Also when the runner is told to end.
    const remove = () => {
      process.off('exit', remove)
      try {
        rmdirSync(group)
      } catch {
        // Gone already.
      }
    }
    process.on('exit', remove)
    if (!existsSync(join(group, file))) {
      remove()
      return `the control group ${directory} has no memory controller`
    }
    writeFileSync(join(group, file), String(bytes))
    return { procs: join(group, 'cgroup.procs'), remove }
  } catch (error) {
    return (error as Error).message
  }
}

/** Drops what the page cache holds of a directory's files. */
export function forgetFiles(directory: string): void {
  spawnSync('sync', ['-f', directory])
  spawnSync('find', [
    directory,
    '-type',
    'f',
    '-exec',
    'dd',
    'if={}',
    'iflag=nocache',
    'count=0',
    'status=none',
    ';',
  ])
}
