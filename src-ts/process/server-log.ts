// ServerLog: the server log of one process that has a cluster open: to files, to standard error, to a function of the
// user's.
//
// Nobody waits for it: what cannot be written is dropped, which the user is told once. Its files are opened when the
// cluster is known to be this process's, or to be another one's.
import { binding } from '../binding/addon.ts'
import type { NativeLogQueue } from '../binding/native.ts'
import type { Settings } from '../config/settings.ts'
import { PgError } from '../errors/pg-error.ts'
import { type FileDestination, forgetLogFiles, LogFiles } from './log-files.ts'
import {
  isLogged,
  jsonLine,
  type LogMessage,
  type LogRecord,
  LogRecorder,
  textLines,
} from './log-record.ts'

export interface ServerLogOptions {
  dataDirectory: string
  settings: Settings
  onLog: ((record: LogRecord) => void) | undefined
  /** What is open for reading only has no log. */
  isReader: boolean
  /** Told when the log cannot be written. */
  onFailure: (failure: PgError) => void
}

// Records that wait to be written, at most; a disk that hangs must not fill the memory.
const pendingMax = 10_000
// Bytes of one write.
const batchMax = 64 * 1024
const lookIntervalMs = 1000

/** Of log_destination, whose default is to write nothing to standard error. */
export function logDestinations(setting: string): FileDestination[] {
  const names = setting
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  for (const name of names) {
    if (name === 'stderr' || name === 'jsonlog') continue
    throw new PgError('22023', `invalid value for parameter "log_destination": "${setting}"`, {
      detail: `Unrecognized key word: "${name}".`,
      hint: 'Available values: stderr, jsonlog.',
    })
  }
  return [...new Set(names)].sort().reverse() as FileDestination[]
}

export class ServerLog {
  readonly #options: ServerLogOptions
  readonly #recorder = new LogRecorder()
  readonly #destinations: readonly FileDestination[]
  readonly #files: LogFiles | undefined
  readonly #toStandardError: boolean
  /** Where the engine's messages come from; undefined when nobody wants any. */
  readonly queue: NativeLogQueue | undefined
  #pending: LogRecord[] = []
  #dropped = 0
  #isReady = false
  // Whoever opens it again does so after a crash.
  #wasOpen = false
  #isClosed = false
  #hasFailed = false
  #work = Promise.resolve()
  #isScheduled = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: ServerLogOptions) {
    this.#options = options
    const { dataDirectory, settings, onLog, isReader } = options
    const given = logDestinations(settings.log_destination)
    const collects = settings.logging_collector && !isReader
    this.#destinations = collects && given.length === 0 ? ['stderr'] : given
    if (collects) this.#files = new LogFiles(dataDirectory, settings, this.#destinations)
    // Only a collector writes JSON; without one PostgreSQL, too, falls back.
    this.#toStandardError = !collects && given.length > 0
    if (!isReader && (collects || this.#toStandardError || onLog !== undefined))
      this.queue = new binding.LogQueue(() => this.#takeNative())
  }

  /**
   * The files can be opened: the cluster is this process's, or another one's that has opened them. `isOwner` tells which,
   * from here on.
   */
  begin(isOwner: () => boolean): void {
    this.#wasOpen = true
    this.#begin(isOwner)
  }

  /** The same, before the cluster is opened. */
  beginAsOwner(): void {
    const { dataDirectory } = this.#options
    if (this.#files === undefined) forgetLogFiles(dataDirectory)
    this.#begin(() => true)
    const message = this.#wasOpen
      ? 'all server processes terminated; reinitializing'
      : `starting pgdata ${binding.version()} on a cluster of PostgreSQL 18`
    this.write({ severity: 'LOG', backendType: 'postmaster', code: '00000', message })
  }

  #begin(isOwner: () => boolean): void {
    if (this.#files === undefined || this.#isClosed) return
    this.#files.isOwner = isOwner
    if (this.#isReady) return
    this.#isReady = true
    this.#timer = setInterval(() => this.#schedule(), lookIntervalMs)
    this.#timer.unref()
    this.#schedule()
  }

  /** Writes to none of its destinations before they are ready; never throws. */
  write(message: LogMessage): void {
    if (this.queue === undefined || this.#isClosed) return
    if (!isLogged(message.severity, this.#options.settings.log_min_messages)) return
    const record = this.#recorder.record(message)
    if (this.#toStandardError) process.stderr.write(textLines(record))
    if (this.#files !== undefined) {
      if (this.#pending.length < pendingMax) this.#pending.push(record)
      else this.#dropped++
      this.#schedule()
    }
    this.#tellUser(record)
  }

  /** After what was written until now. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#takeNative()
    this.#isClosed = true
    clearInterval(this.#timer)
    this.queue?.close()
    if (this.#isReady) this.#schedule()
    await this.#work
    await this.#files?.close().catch(() => undefined)
  }

  /** The same without waiting, at the end of the process. */
  closeSync(): void {
    if (this.#isClosed) return
    this.#takeNative()
    this.#isClosed = true
    clearInterval(this.#timer)
    this.queue?.close()
    try {
      this.#files?.appendSync(this.#linesOf(this.#pending.splice(0)))
    } catch {
      // Nobody is left to be told.
    }
  }

  #takeNative(): void {
    if (this.#isClosed) return
    for (const message of this.queue?.take() ?? []) this.write(message)
  }

  // What a user's function throws is the process's business, not the caller's who had something to tell.
  #tellUser(record: LogRecord): void {
    try {
      this.#options.onLog?.(record)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #schedule(): void {
    if (!this.#isReady || this.#isScheduled || this.#files === undefined) return
    this.#isScheduled = true
    const files = this.#files
    this.#work = this.#work.then(async () => {
      this.#isScheduled = false
      try {
        await this.#writePending(files)
        this.#hasFailed = false
      } catch (error) {
        await this.#giveUp(files, error as NodeJS.ErrnoException)
      }
    })
  }

  async #writePending(files: LogFiles): Promise<void> {
    if (this.#pending.length === 0) return files.maintain()
    while (this.#pending.length > 0) {
      const batch: LogRecord[] = []
      for (let bytes = 0; bytes < batchMax && this.#pending.length > 0; ) {
        const record = this.#pending.shift() as LogRecord
        bytes += record.message.length + (record.detail?.length ?? 0)
        batch.push(record)
      }
      await files.append(this.#linesOf(batch))
    }
  }

  #linesOf(records: readonly LogRecord[]): Map<FileDestination, string> {
    const format = { stderr: textLines, jsonlog: jsonLine }
    return new Map(
      this.#destinations.map((destination) => [
        destination,
        records.map(format[destination]).join(''),
      ]),
    )
  }

  // What is pending is lost; the files are opened anew for what comes next.
  async #giveUp(files: LogFiles, error: NodeJS.ErrnoException): Promise<void> {
    const lost = this.#pending.splice(0).length + this.#dropped
    this.#dropped = 0
    await files.close().catch(() => undefined)
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#options.onFailure(
      new PgError(
        error.code === 'ENOSPC' ? '53100' : '58030',
        `could not write to log file: ${error.message}`,
        { cause: error, ...(lost > 0 && { detail: `Messages that are lost: ${lost}.` }) },
      ),
    )
  }
}
