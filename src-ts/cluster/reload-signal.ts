// ReloadSignal: how the processes that have one directory open tell each other to read its configuration files again. The
// one that is asked to touches postgresql.auto.conf; the others are told by the system that its times have changed.
// A file that is put in its place, as alterSystem does, tells nobody.
import { type FSWatcher, statSync, utimesSync, watch } from 'node:fs'
import { join } from 'node:path'

const fileName = 'postgresql.auto.conf'
// What the system tells of one touch comes in pieces.
const settleMs = 20

// Undefined for a file that is gone, or may not be looked at.
function timeOf(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs
  } catch {
    return undefined
  }
}

export class ReloadSignal {
  readonly #directory: string
  readonly #onReload: () => unknown
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  /** Time of the file when this process last touched it. */
  #sent: number | undefined
  readonly #onHangup: (() => unknown) | undefined

  /** `onSighup`: also when this process gets the signal SIGHUP, which then does not end it. */
  constructor(directory: string, onReload: () => unknown, onSighup: (() => unknown) | undefined) {
    this.#directory = directory
    this.#onReload = onReload
    this.#onHangup = onSighup
    if (onSighup !== undefined) process.on('SIGHUP', onSighup)
    try {
      this.#watcher = watch(directory, { persistent: false }, (event, name) => {
        if (event === 'change' && name === fileName) this.#schedule()
      })
      // A directory that is removed has nothing to tell.
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // The system has no watch left to give: others cannot tell this process.
    }
  }

  /** Tells the other processes. */
  send(): void {
    const path = join(this.#directory, fileName)
    const now = new Date()
    try {
      utimesSync(path, now, now)
      this.#sent = statSync(path).mtimeMs
    } catch (error) {
      // A base copy may have been made without the file.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
    if (this.#onHangup !== undefined) process.off('SIGHUP', this.#onHangup)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const time = timeOf(join(this.#directory, fileName))
      if (time !== undefined && time !== this.#sent) this.#onReload()
    }, settleMs)
    this.#timer.unref()
  }
}
