// LockFile: postmaster.pid, which keeps two engines out of one data directory.
//
// The lines are PostgreSQL's, so that a stock server and pg_ctl understand them: pid, data directory, start
// time, port, socket directory, listen address, shared memory key, status. Two lines of ours follow: boot id and
// process start time, by which a pid that was used again is told from the one that wrote the file.
// Source: src/include/utils/pidfile.h, src/backend/utils/init/miscinit.c, PostgreSQL 18.
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { binding } from '../binding/addon.ts'
import { PgError } from '../errors/pg-error.ts'

const fileName = 'postmaster.pid'
const linesOfPostgres = 8
const segmentLine = 6
const statusLine = 7
const starting = 'starting'
const ready = 'ready   '
const segmentWidth = 20

interface Holder {
  pid: number
  bootId: string | undefined
  startTime: string | undefined
  /** Number of its shared memory segment; undefined while it starts, and when nobody can attach. */
  segment: number | undefined
  isStarting: boolean
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

// "key id", as PostgreSQL prints them.
function segmentOf(line: string): number | undefined {
  const id = line.trim().split(/\s+/)[1]
  return id === undefined ? undefined : Number(id)
}

function parseHolder(contents: string): Holder | undefined {
  const lines = contents.split('\n')
  // A standalone backend writes its pid negated.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10))
  if (!Number.isInteger(pid) || pid === 0) return undefined
  const isStarting = lines[statusLine]?.trim() === starting
  return {
    pid,
    bootId: lines[linesOfPostgres] || undefined,
    startTime: lines[linesOfPostgres + 1] || undefined,
    // While it starts, it may just be writing it.
    segment: isStarting ? undefined : segmentOf(lines[segmentLine] ?? ''),
    isStarting,
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

/** What to do about a directory that somebody has. */
export interface Held {
  /** The shared memory segment to attach to; undefined: its holder is only starting, or not to be seen from here. */
  segment: number | undefined
  isUnseen?: boolean
  /** F0001, for when attaching comes to nothing. */
  refusal: PgError
}

export class LockFile {
  readonly #path: string
  readonly #directory: string
  /** In seconds. */
  readonly #started = Math.floor(Date.now() / 1000)

  private constructor(directory: string) {
    this.#directory = directory
    this.#path = join(directory, fileName)
  }

  /**
   * Takes the lock, or says who has it. A file whose writer is proved dead is replaced, unless others are attached to
   * the memory that it names: that is told by `isGone`, the number of a segment to which attaching was tried in vain. Throws
   * F0001 naming the process that holds it when that lets nobody attach. `directory` is absolute.
   */
  static take(directory: string, isGone?: number): LockFile | Held {
    const lock = new LockFile(directory)
    // The complete file is linked into place, so that nobody ever reads a half of it.
    const temporary = join(directory, `${fileName}.${process.pid}.${chance()}`)
    writeDurably(temporary, lock.#contents())
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        try {
          linkSync(temporary, lock.#path)
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
        const { segment } = holder
        const isOurs = holder.bootId !== undefined
        const refusal = lock.#refusal(holder)
        if (isHeld(holder)) {
          if (!isOurs || (segment === undefined && !holder.isStarting)) throw refusal
          return { segment, refusal }
        }
        if (isOurs && segment !== undefined && segment !== isGone) return { segment, refusal }
        // Its process number may mean nothing here, as in a container.
        if (binding.isDirectoryLocked(directory)) {
          return { segment: undefined, refusal: lock.#refusal(holder), isUnseen: true }
        }
        lock.#removeDead(contents)
      }
      throw new PgError('F0001', `could not create lock file "${lock.#path}"`)
    } finally {
      unlinkSync(temporary)
    }
  }

  // Another process may be doing the same, and have put its own file in place meanwhile: that one goes back.
  #removeDead(contents: string): void {
    const aside = `${this.#path}.dead.${process.pid}.${chance()}`
    try {
      renameSync(this.#path, aside)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return
    }
    try {
      if (readText(aside) !== contents) linkSync(aside, this.#path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      unlinkSync(aside)
    }
  }

  /**
   * The cluster is open; others can attach to the segment, unless its number is negative. Written in place, as PostgreSQL
   * does: a new file would wait for the file system's journal. The status comes last, and only then does the number count.
   */
  publish(segment: number): void {
    const keyAndId = segment < 0 ? '' : `${'0'.padStart(9)} ${`${segment}`.padStart(9)}`
    const segmentAt = Buffer.byteLength(`${this.#firstLines().join('\n')}\n`)
    const file = openSync(this.#path, 'r+')
    try {
      writeSync(file, keyAndId.padEnd(segmentWidth), segmentAt)
      writeSync(file, ready, segmentAt + segmentWidth + 1)
      fdatasyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** Throws F0001 when a running process has the directory; takes nothing, changes nothing. */
  static refuseHeld(directory: string): void {
    const lock = new LockFile(resolve(directory))
    const holder = parseHolder(readText(lock.#path) ?? '')
    if (holder !== undefined && isHeld(holder)) throw lock.#refusal(holder)
  }

  /** Removes the file, if it is this process's. */
  static release(directory: string): void {
    const path = join(directory, fileName)
    const holder = parseHolder(readText(path) ?? '')
    if (holder?.pid === process.pid) unlinkSync(path)
  }

  /** Those before the segment's. */
  #firstLines(): string[] {
    return [`${process.pid}`, this.#directory, `${this.#started}`, '0', '', '']
  }

  #contents(): string {
    const lines = [...this.#firstLines(), ' '.repeat(segmentWidth), starting]
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

// In the names of files that several threads of this process may be writing.
function chance(): string {
  return Math.random().toString(36).slice(2)
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
