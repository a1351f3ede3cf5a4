// Member: another process that has a cluster open, and runs what a test tells it.
//
//   await using other = await Member.start(directory)
//   await other.run(async ({ session }, id) => { await session.table('t').insert({ id }) }, 1)
//
// Functions are sent as text: they may use what they are given, and nothing else of the test.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Cluster, Session } from '../../src-ts/index.ts'
import { PgError } from '../../src-ts/index.ts'

/**
 * What a member's functions work with; `kept` stays from one call to the next, and `stopAt` is the binding's, for stopping in
 * the middle of something.
 */
export interface MemberContext {
  cluster: Cluster
  session: Session
  kept: Record<string, unknown>
  stopAt: (point: string, skipped: number, report: string) => void
}

export interface MemberRequest {
  id: number
  code: string
  argument: unknown
}

export interface MemberReply {
  id: number
  result?: unknown
  error?: { code?: string; message: string; detail?: string }
}

const script = fileURLToPath(new URL('member-child.ts', import.meta.url))

export class Member {
  readonly process: ChildProcess
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >()
  #next = 1

  private constructor(child: ChildProcess) {
    this.process = child
    child.on('message', (reply: MemberReply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (reply.error === undefined) waiting?.resolve(reply.result)
      else waiting?.reject(errorOf(reply.error))
    })
    child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the process ended: ${signal ?? code}`))
      this.#waiting.clear()
    })
  }

  get pid(): number {
    return this.process.pid as number
  }

  /** Starts a process, perhaps under another program, and opens `directory` in it. */
  static async start(
    directory: string,
    settings: Record<string, unknown> = {},
    under: readonly string[] = [],
  ): Promise<Member> {
    const [execPath, ...execArgv] = [
      ...under,
      process.execPath,
      '--import',
      import.meta.resolve('tsx'),
    ]
    const child = fork(script, [directory, JSON.stringify(settings)], {
      execPath,
      execArgv,
      serialization: 'advanced',
    })
    const member = new Member(child)
    const opened = new Promise<unknown>((resolve, reject) =>
      member.#waiting.set(0, { resolve, reject }),
    )
    await opened
    return member
  }

  /** Runs `body` there; resolves with its result, rejects with its error. */
  run<A, R>(
    body: (context: MemberContext, argument: A) => R | Promise<R>,
    argument?: A,
  ): Promise<R> {
    const id = this.#next++
    const result = new Promise<unknown>((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject }),
    )
    this.process.send({ id, code: body.toString(), argument } satisfies MemberRequest)
    return result as Promise<R>
  }

  /** Kills it at a moment when it does not run the engine, as `cluster` tells of a process that is stopped. */
  async killOutside(cluster: Cluster): Promise<void> {
    for (;;) {
      this.process.kill('SIGSTOP')
      await sleep(10)
      if (cluster.processes().some(({ pid, isInside }) => pid === this.pid && isInside)) {
        this.process.kill('SIGCONT')
        await sleep(5)
      } else {
        return this.kill()
      }
    }
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    this.process.kill('SIGKILL')
    await once(this.process, 'exit')
  }

  /** Closes the cluster there; the process ends. */
  async close(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const exited = once(this.process, 'exit')
    this.process.disconnect()
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function errorOf({ code, message, detail }: NonNullable<MemberReply['error']>): Error {
  return code === undefined
    ? new Error(message)
    : new PgError(code, message, detail === undefined ? {} : { detail })
}
