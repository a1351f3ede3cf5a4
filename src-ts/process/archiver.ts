// Archiver: gives complete log segments to archive_command, and keeps account in pg_wal/archive_status.
//
// NAME.ready says that a file is to be archived, NAME.done that it was. History files go first, then segments by
// name. Source: src/backend/postmaster/pgarch.c, src/backend/archive/shell_archive.c, PostgreSQL 18.
import { existsSync, promises } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PgError } from '../errors/pg-error.ts'
import type { LogSeverity } from './log-record.ts'
import type { WorkerHost } from './worker-host.ts'

// NUM_ARCHIVE_RETRIES, and how long to wait between them; PGARCH_AUTOWAKE_INTERVAL after the last one.
const attemptsMax = 3
const retryDelayMs = 1000
const restAfterFailureMs = 60_000
const lookIntervalMs = 500
const ready = '.ready'
const stderrMax = 2000

/** archive_command for a file: %p is its path from the data directory, %f its name, %% a per cent sign. */
export function archiveCommand(template: string, file: string): string {
  return template.replace(/%([pf%])/g, (_, letter: string) =>
    letter === 'p' ? `pg_wal/${file}` : letter === 'f' ? file : '%',
  )
}

export class Archiver {
  readonly #host: WorkerHost
  readonly #statusDirectory: string
  readonly #timer: NodeJS.Timeout
  #working: Promise<void> | undefined
  #restUntil = 0
  #stopped = false
  /** A command is under way. */
  #isRunning = false
  #toldOfNoCommand = false

  constructor(host: WorkerHost) {
    this.#host = host
    this.#statusDirectory = join(host.dataDirectory, 'pg_wal', 'archive_status')
    this.#timer = setInterval(() => this.#wake(), lookIntervalMs)
    this.#timer.unref()
    this.report()
  }

  /** Makes the archiver known to others as long as this process is the owner. */
  report(): void {
    if (!this.#isRunning) this.#host.native.reportWorker('archiver', true)
  }

  /** Archives what is ready, and ends. What cannot be archived is left for the next time. */
  async finish(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
    await this.#archiveAll()
    this.#stopped = true
  }

  /** Ends after the file that is being archived. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopped = true
    await this.#working
  }

  #wake(): void {
    if (this.#working !== undefined || performance.now() < this.#restUntil) return
    try {
      if (!this.#host.native.isOwner()) return
    } catch {
      // The cluster is poisoned, or being closed.
      return
    }
    this.#working = this.#archiveAll().finally(() => {
      this.#working = undefined
    })
  }

  async #archiveAll(): Promise<void> {
    try {
      for (;;) {
        const files = await this.#readyFiles()
        if (files.length === 0) return
        for (const file of files) {
          if (this.#stopped) return
          if (!(await this.#archiveWithRetries(file))) {
            this.#restUntil = performance.now() + restAfterFailureMs
            return
          }
        }
      }
    } catch (error) {
      this.#tell(
        new PgError('58030', `could not archive write-ahead log files: ${error}`, { cause: error }),
      )
    }
  }

  async #readyFiles(): Promise<string[]> {
    const names = await promises.readdir(this.#statusDirectory)
    const isHistory = (name: string) => name.endsWith('.history')
    return names
      .filter((name) => name.endsWith(ready))
      .map((name) => name.slice(0, -ready.length))
      .sort((a, b) => Number(isHistory(b)) - Number(isHistory(a)) || (a < b ? -1 : 1))
  }

  // False when it is to be tried later.
  async #archiveWithRetries(file: string): Promise<boolean> {
    const { native, settings, dataDirectory } = this.#host
    if (settings.archive_command === '') {
      if (!this.#toldOfNoCommand) {
        this.#toldOfNoCommand = true
        this.#tell(
          new PgError('01000', '"archive_mode" enabled, yet archiving is not configured', {
            detail: '"archive_command" is not set.',
          }),
        )
      }
      return false
    }
    if (!existsSync(join(dataDirectory, 'pg_wal', file))) {
      await promises.rm(join(this.#statusDirectory, file + ready), { force: true })
      this.#tell(new PgError('01000', `removed orphan archive status file "${file}${ready}"`))
      return true
    }
    for (let attempt = 1; ; attempt++) {
      native.reportWorker('archiver', false)
      this.#isRunning = true
      const failure = await this.#run(archiveCommand(settings.archive_command, file))
      this.#isRunning = false
      native.reportWorker('archiver', true)
      native.reportArchived(file, failure !== undefined)
      if (failure === undefined) {
        await this.#markDone(file)
        return true
      }
      this.#tell(failure, 'LOG')
      if (this.#stopped) return false
      if (attempt === attemptsMax) {
        this.#tell(
          new PgError(
            '01000',
            `archiving write-ahead log file "${file}" failed too many times, will try again later`,
          ),
        )
        return false
      }
      await sleep(retryDelayMs, undefined, { ref: false })
    }
  }

  #tell(notice: PgError, severity: LogSeverity = 'WARNING'): void {
    this.#host.notice(notice, 'archiver', severity)
  }

  async #run(command: string): Promise<PgError | undefined> {
    // Loading it takes a few milliseconds, and few archive.
    const { spawn } = await import('node:child_process')
    return new Promise((resolve) => {
      const child = spawn(command, {
        shell: true,
        cwd: this.#host.dataDirectory,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      // The process may end meanwhile: the file is then archived again.
      child.unref()
      const { stderr } = child
      ;(stderr as unknown as { unref: () => void }).unref()
      let output = ''
      stderr.on('data', (chunk: Buffer) => {
        if (output.length < stderrMax) output += chunk
      })
      const fail = (what: string) =>
        resolve(
          new PgError('58030', `archive command ${what}`, {
            detail: `The failed archive command was: ${command}${output === '' ? '' : `\n${output.trimEnd()}`}`,
          }),
        )
      child.on('error', ({ message }) => fail(`could not be run: ${message}`))
      child.on('close', (status, signal) => {
        if (status === 0) resolve(undefined)
        else if (signal !== null) fail(`was terminated by signal ${signal}`)
        else fail(`failed with exit code ${status}`)
      })
    })
  }

  // Durably, lest it be archived twice after a crash: many commands refuse that.
  async #markDone(file: string): Promise<void> {
    const path = join(this.#statusDirectory, file)
    await promises.rename(path + ready, `${path}.done`)
    const directory = await promises.open(this.#statusDirectory, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }
}
