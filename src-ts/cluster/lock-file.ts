// LockFile: postmaster.pid, which keeps two engines out of one data directory.
//
// The lines are PostgreSQL's, so that a stock server and pg_ctl understand them: pid, data directory, start
// time, port, socket directory, listen address, shared memory key, status. Two lines of ours follow: boot id and
// process start time, by which a pid that was used again is told from the one that wrote the file.
// Source: src/include/utils/pidfile.h, src/backend/utils/init/miscinit.c, PostgreSQL 18.
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { PgError } from '../errors/pg-error.ts'

const fileName = 'postmaster.pid'
const linesOfPostgres = 8

interface Holder {
  pid: number
  bootId: string | undefined
  startTime: string | undefined
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function bootId(): string | undefined {
  return readText('/proc/sys/kernel/random/boot_id')?.trim()
}

// When the process started, in clock ticks since boot: field 22 of /proc/PID/stat, the 20th after the command.
function processStartTime(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function processName(pid: number): string | undefined {
  return readText(`/proc/${pid}/comm`)?.trim()
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function parseHolder(contents: string): Holder | undefined {
  const lines = contents.split('\n')
  // A standalone backend writes its pid negated.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10))
  if (!Number.isInteger(pid) || pid === 0) return undefined
  return {
    pid,
    bootId: lines[linesOfPostgres] || undefined,
    startTime: lines[linesOfPostgres + 1] || undefined,
  }
}

// Does the process that wrote the file still run? Proof is asked for that it does not.
function isHeld(holder: Holder): boolean {
  if (holder.bootId !== undefined && holder.bootId !== bootId()) return false
  if (!isAlive(holder.pid)) return false
  if (holder.startTime !== undefined) {
    return holder.startTime === processStartTime(holder.pid)
  }
  // A file of stock PostgreSQL names no start time; our own pid or our parent's cannot be the server's.
  return holder.pid !== process.pid && holder.pid !== process.ppid
}

const locksOfThisProcess = new Set<string>()

export class LockFile {
  readonly #path: string
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
    this.#path = join(directory, fileName)
  }

  /**
   * Takes the lock; a file whose writer is proved dead is replaced. Throws F0001 naming the process that
   * holds it. `directory` is absolute.
   */
  static take(directory: string): LockFile {
    const lock = new LockFile(directory)
    if (locksOfThisProcess.has(directory)) throw lock.#refusal({ pid: process.pid } as Holder)
    // The complete file is linked into place, so that nobody ever reads a half of it.
    const temporary = join(directory, `${fileName}.${process.pid}`)
    writeDurably(temporary, lock.#contents())
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        try {
          linkSync(temporary, lock.#path)
          locksOfThisProcess.add(directory)
          return lock
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        }
        const contents = readText(lock.#path)
        if (contents === undefined) continue
        const holder = parseHolder(contents)
        if (holder === undefined) {
          throw new PgError('F0001', `bogus data in lock file "${lock.#path}"`)
        }
        if (isHeld(holder)) throw lock.#refusal(holder)
        unlinkSync(lock.#path)
      }
      throw new PgError('F0001', `could not create lock file "${lock.#path}"`)
    } finally {
      unlinkSync(temporary)
    }
  }

  /** Throws F0001 when a running process has the directory; takes nothing, changes nothing. */
  static refuseHeld(directory: string): void {
    const lock = new LockFile(resolve(directory))
    const holder = parseHolder(readText(lock.#path) ?? '')
    if (holder !== undefined && isHeld(holder)) throw lock.#refusal(holder)
  }

  release(): void {
    locksOfThisProcess.delete(this.#directory)
    const holder = parseHolder(readText(this.#path) ?? '')
    if (holder?.pid === process.pid) unlinkSync(this.#path)
  }

  #contents(): string {
    const started = Math.floor(Date.now() / 1000)
    const lines = [process.pid, this.#directory, started, 0, '', '', '', 'ready   ']
    return `${[...lines, bootId() ?? '', processStartTime(process.pid) ?? ''].join('\n')}\n`
  }

  #refusal(holder: Holder): PgError {
    const name = processName(holder.pid)
    const who = name === undefined ? '' : ` (${name})`
    return new PgError('F0001', `lock file "${fileName}" already exists`, {
      detail: `Process ${holder.pid}${who} is using data directory "${this.#directory}".`,
      hint: 'Close the cluster there, or stop the server, before opening it here.',
    })
  }
}

function writeDurably(path: string, contents: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, contents)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
