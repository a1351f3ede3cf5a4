// BackgroundWorkers: those of a cluster that are driven from here, started and ended together.
//
// Every process has them ready; they work in the one that owns the cluster, whichever that is at the time.
// The checkpointer, the background writer and the WAL writer are threads of the engine.
import { Archiver } from './archiver.ts'
import { Autovacuum } from './autovacuum.ts'
import type { WorkerHost } from './worker-host.ts'

// As often as sessions that are busy add what they counted to the statistics (PGSTAT_MIN_INTERVAL).
const flushIntervalMs = 1000

export class BackgroundWorkers {
  readonly #host: WorkerHost
  readonly #flushTimer: NodeJS.Timeout
  readonly #autovacuum: Autovacuum
  readonly #archiver: Archiver | undefined

  constructor(host: WorkerHost) {
    this.#host = host
    this.#flushTimer = setInterval(() => this.#flush(), flushIntervalMs)
    this.#flushTimer.unref()
    this.#autovacuum = new Autovacuum(host)
    if (host.settings.archive_mode !== 'off') this.#archiver = new Archiver(host)
  }

  /** Before the sessions end. */
  async stop(): Promise<void> {
    clearInterval(this.#flushTimer)
    await this.#autovacuum.stop()
  }

  /** After the sessions have ended: whoever is the last one archives the log up to here. */
  async finish(): Promise<void> {
    const { native } = this.#host
    if (this.#archiver === undefined) return
    if (!native.isOwner() || native.processes().length > 1) return this.#archiver.stop()
    await native.switchSegment()
    await this.#archiver.finish()
  }

  /** The cluster has crashed: ends as soon as what goes on has failed. */
  async abandon(): Promise<void> {
    await this.stop()
    await this.#archiver?.stop()
  }

  // Source of the messages: ProcessLogMemoryContextInterrupt in src/backend/utils/mmgr/mcxt.c, PostgreSQL 18.
  #logMemoryContexts(): void {
    const { log, memoryContexts } = this.#host
    const first = `logging memory contexts of PID ${process.pid}`
    for (const message of [first, ...memoryContexts()])
      log({ severity: 'LOG', backendType: 'client backend', code: '00000', message })
  }

  #flush(): void {
    try {
      this.#host.native.flushStatistics()
      // It may have become the owner.
      this.#autovacuum.report()
      this.#archiver?.report()
      if (this.#host.native.takeMemoryContextRequest()) this.#logMemoryContexts()
    } catch {
      // The cluster is poisoned; whoever uses it is told.
      clearInterval(this.#flushTimer)
    }
  }
}
