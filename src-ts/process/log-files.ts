// LogFiles: the files of the server log, which several processes append to.
//
// The owner of the cluster begins new files, by time and by size, and names them in current_logfiles; the others write to
// what that names. Lines are appended by whole batches (O_APPEND), so that those of different processes never mix.
// Source: src/backend/postmaster/syslogger.c, PostgreSQL 18.
import { promises, unlinkSync, writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Settings } from '../config/settings.ts'
import { logFileName, nextRotation } from './log-file-name.ts'

export type FileDestination = 'stderr' | 'jsonlog'

const extensions: Record<FileDestination, string | undefined> = {
  stderr: undefined,
  jsonlog: '.json',
}
const namesFile = 'current_logfiles'
const directoryMode = 0o700
const fileMode = 0o600

type FileNames = Map<FileDestination, string>

/** The lines of current_logfiles. */
export function parseFileNames(text: string): FileNames {
  const names: FileNames = new Map()
  for (const line of text.split('\n')) {
    const [, destination, name] = /^(stderr|jsonlog) (.+)$/.exec(line) ?? []
    if (destination !== undefined) names.set(destination as FileDestination, name as string)
  }
  return names
}

export class LogFiles {
  readonly #directory: string
  readonly #settings: Settings
  readonly #destinations: readonly FileDestination[]
  /** Whether this process begins new files. */
  isOwner = () => false
  readonly #open = new Map<FileDestination, { name: string; handle: FileHandle }>()
  /** What tells whether current_logfiles is still the one that was read. */
  #namesVersion = ''
  #nextRotation = Number.POSITIVE_INFINITY
  #wasOwner = false
  /** Names of files of which the last write was cut short. */
  readonly #torn = new Set<string>()

  constructor(dataDirectory: string, settings: Settings, destinations: readonly FileDestination[]) {
    this.#directory = dataDirectory
    this.#settings = settings
    this.#destinations = destinations
  }

  /** Appends whole lines, for each destination. */
  async append(lines: ReadonlyMap<FileDestination, string>): Promise<void> {
    await this.maintain()
    for (const [destination, text] of lines) {
      const file = this.#open.get(destination)
      if (file === undefined) continue
      const bytes = Buffer.from(this.#torn.has(file.name) ? `\n${text}` : text)
      this.#torn.add(file.name)
      const { bytesWritten } = await file.handle.write(bytes)
      if (bytesWritten === bytes.length) this.#torn.delete(file.name)
    }
  }

  /** The same without waiting, to what is open, at the end of the process. */
  appendSync(lines: ReadonlyMap<FileDestination, string>): void {
    for (const [destination, text] of lines) {
      const file = this.#open.get(destination)
      if (file !== undefined) writeSync(file.handle.fd, text)
    }
  }

  /** Has the right files open: the owner begins new ones when it is time, the others follow. */
  async maintain(): Promise<void> {
    const isOwner = this.isOwner()
    const becameOwner = isOwner && !this.#wasOwner
    this.#wasOwner = isOwner
    if (!isOwner) return this.#follow()
    if (this.#open.size === 0) return this.#begin(Date.now(), false)
    if (becameOwner) this.#nextRotation = nextRotation(Date.now(), this.#settings.log_rotation_age)
    const due = this.#nextRotation
    if (Date.now() >= due) return this.#begin(due, true)
    if (await this.#isFull()) await this.#begin(Date.now(), false)
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(files.map(({ handle }) => handle.close()))
  }

  async #isFull(): Promise<boolean> {
    const { log_rotation_size: most } = this.#settings
    if (most === 0) return false
    for (const { handle } of this.#open.values()) {
      if ((await handle.stat()).size >= most) return true
    }
    return false
  }

  // New files with the names of `time`. Those that exist are added to, unless time alone was the reason.
  async #begin(time: number, byTime: boolean): Promise<void> {
    const { log_directory, log_filename, log_truncate_on_rotation } = this.#settings
    const names: FileNames = new Map()
    let isSame = true
    await promises.mkdir(this.#path(log_directory), { recursive: true, mode: directoryMode })
    for (const destination of this.#destinations) {
      const name = join(log_directory, logFileName(log_filename, time, extensions[destination]))
      const before = this.#open.get(destination)?.name
      const truncate = byTime && log_truncate_on_rotation && before !== undefined && before !== name
      if (before !== name) isSame = false
      await this.#use(destination, name, truncate)
      names.set(destination, name)
    }
    this.#nextRotation = nextRotation(Date.now(), this.#settings.log_rotation_age)
    if (!isSame) await this.#publish(names)
  }

  // What another process has begun; what none has begun yet, this one does.
  async #follow(): Promise<void> {
    const version = await this.#version()
    if (version === this.#namesVersion && this.#open.size > 0) return
    const names = version === '' ? new Map() : parseFileNames(await this.#read())
    if (this.#destinations.some((destination) => !names.has(destination))) {
      if (this.#open.size === 0) await this.#begin(Date.now(), false)
      return
    }
    this.#namesVersion = version
    for (const destination of this.#destinations)
      await this.#use(destination, names.get(destination) as string, false)
  }

  async #use(destination: FileDestination, name: string, truncate: boolean): Promise<void> {
    const before = this.#open.get(destination)
    if (before?.name === name && !truncate) return
    const path = this.#path(name)
    // 'w' would write at a place of its own instead of at the end.
    if (truncate) await promises.rm(path, { force: true })
    const handle = await promises.open(path, 'a', fileMode)
    this.#open.set(destination, { name, handle })
    await before?.handle.close()
  }

  async #publish(names: FileNames): Promise<void> {
    const path = this.#path(namesFile)
    const lines = [...names].map(([destination, name]) => `${destination} ${name}\n`)
    const temporary = `${path}.tmp`
    await promises.writeFile(temporary, lines.join(''), { mode: fileMode })
    await promises.rename(temporary, path)
    this.#namesVersion = await this.#version()
  }

  // Empty when there is no current_logfiles.
  async #version(): Promise<string> {
    try {
      const { ino, mtimeNs } = await promises.stat(this.#path(namesFile), { bigint: true })
      return `${ino} ${mtimeNs}`
    } catch {
      return ''
    }
  }

  #read(): Promise<string> {
    return promises.readFile(this.#path(namesFile), 'utf8').catch(() => '')
  }

  #path(name: string): string {
    return isAbsolute(name) ? name : join(this.#directory, name)
  }
}

/** As a server does when it starts: names that nobody writes to any more are forgotten. */
export function forgetLogFiles(dataDirectory: string): void {
  try {
    unlinkSync(join(dataDirectory, namesFile))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
