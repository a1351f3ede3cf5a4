// Autovacuum: the launcher, which looks every autovacuum_naptime which databases are due, and starts a worker on each.
//
// It never keeps the process alive. Source: src/backend/postmaster/autovacuum.c, PostgreSQL 18.
import { PgError } from '../errors/pg-error.ts'
import { AutovacuumWorker, type SharedByWorkers } from './autovacuum-worker.ts'
import { freezeLimits, isAutovacuuming, isBeforeLimits } from './vacuum-need.ts'
import type { WorkerDatabase, WorkerHost } from './worker-host.ts'

export class Autovacuum {
  readonly #host: WorkerHost
  readonly #timer: NodeJS.Timeout
  /** By the OIDs of their databases. */
  readonly #running = new Map<number, { worker: AutovacuumWorker; ended: Promise<void> }>()
  readonly #shared: SharedByWorkers = { relations: new Set(), balanced: new Set() }
  #due: WorkerDatabase[] = []
  #stopped = false

  constructor(host: WorkerHost) {
    this.#host = host
    this.#timer = setInterval(() => this.#look(), host.settings.autovacuum_naptime)
    this.#timer.unref()
    this.report()
    if (host.settings.autovacuum && !host.settings.track_counts) this.#tellOfNoCounts()
  }

  /** Makes the launcher known to others as long as this process is the owner. */
  report(): void {
    if (isAutovacuuming(this.#host.settings))
      this.#host.native.reportWorker('autovacuum launcher', true)
  }

  // In a turn of its own, since whoever listens is just opening the cluster.
  #tellOfNoCounts(): void {
    const notice = new PgError('01000', 'autovacuum not started because of misconfiguration', {
      hint: 'Enable the "track_counts" option.',
    })
    setImmediate(() => this.#host.notice(notice, 'postmaster', 'WARNING'))
  }

  /** Ends the vacuums that are going on, and waits for that. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    const running = [...this.#running.values()]
    for (const { worker } of running) worker.stop()
    await Promise.all(running.map(({ ended }) => ended))
  }

  #look(): void {
    const { native } = this.#host
    try {
      if (!native.isOwner()) return
      native.flushStatistics()
      this.#due = this.#dueDatabases()
      this.report()
    } catch {
      // The cluster is poisoned, or being closed; whoever uses it is told.
      return
    }
    this.#startWorkers()
  }

  // Those whose ids run out first; then, those that were vacuumed longest ago.
  #dueDatabases(): WorkerDatabase[] {
    const { native, settings } = this.#host
    const bounds = native.idBounds()
    const limits = freezeLimits(
      bounds,
      settings.autovacuum_freeze_max_age,
      settings.autovacuum_multixact_freeze_max_age,
    )
    const databases = this.#host.databases()
    const isInDanger = ({ datfrozenxid, datminmxid }: WorkerDatabase) =>
      isBeforeLimits(datfrozenxid, datminmxid, limits)
    const endangered = databases.filter(isInDanger)
    if (!isAutovacuuming(settings)) return endangered
    // Nothing was done in a database that nothing was counted of.
    const lastTime = new Map<WorkerDatabase, number>()
    for (const database of databases) {
      const counters = native.databaseStatistics(database.oid)
      if (counters !== null) lastTime.set(database, counters.last_autovac_time as number)
    }
    const others = [...lastTime.entries()]
      .filter(([database]) => !isInDanger(database))
      .sort(([, a], [, b]) => a - b)
      .map(([database]) => database)
    return [...endangered, ...others]
  }

  #startWorkers(): void {
    while (!this.#stopped && this.#running.size < this.#host.settings.autovacuum_max_workers) {
      const database = this.#due.shift()
      if (database === undefined) return
      if (this.#running.has(database.oid)) continue
      const worker = new AutovacuumWorker(this.#host, database, this.#shared)
      const ended = worker.run().finally(() => {
        this.#running.delete(database.oid)
        this.#startWorkers()
      })
      this.#running.set(database.oid, { worker, ended })
    }
  }
}
