// sampling: runs one sample in a process of its own, and ends it when it takes too long.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Answer, Job } from './sample.ts'

const sampleTimeoutMs = 180_000

/** `procs`: the file of a control group that the process joins before it becomes Node. */
export async function sample<A = Answer>(
  { programs }: { programs: string },
  job: Job,
  procs?: string,
): Promise<A> {
  const options = ['--expose-gc', '--max-old-space-size=8192']
  const script = `echo $$ > "${procs}" && exec "${process.execPath}" "$@"`
  const child = fork(join(programs, 'sample.js'), [JSON.stringify(job)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...(procs === undefined
      ? { execArgv: options }
      : { execPath: '/bin/sh', execArgv: ['-c', script, 'sample', ...options] }),
  })
  let errors = ''
  child.stderr?.on('data', (text) => {
    errors += text
  })
  let answer: A | undefined
  child.on('message', (message) => {
    answer = message as A
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), sampleTimeoutMs)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(timer)
  if (answer === undefined || code !== 0) {
    const lines = errors.split('\n').filter((line) => /^\w*error/i.test(line))
    throw new Error(lines[0]?.slice(0, 200) ?? `ended with ${signal ?? `status ${code}`}`)
  }
  return answer
}
