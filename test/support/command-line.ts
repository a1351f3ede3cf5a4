// Runs the program as a user does, from its sources.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

export interface Outcome {
  status: number | null
  stdout: Buffer
  stderr: string
}

// Runs `pgdata` with these arguments to its end; `input` becomes its standard input.
export function pgdata(args: string[], input?: string | Buffer): Promise<Outcome> {
  const program = spawn(
    process.execPath,
    ['--import', 'tsx', join(root, 'src-ts', 'cli', 'main.ts'), ...args],
    { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const output: Buffer[] = []
  const errors: Buffer[] = []
  program.stdout.on('data', (piece: Buffer) => output.push(piece))
  program.stderr.on('data', (piece: Buffer) => errors.push(piece))
  program.stdin.on('error', () => undefined)
  program.stdin.end(input)
  return new Promise((resolve, reject) => {
    program.on('error', reject)
    program.on('close', (status) =>
      resolve({
        status,
        stdout: Buffer.concat(output),
        stderr: Buffer.concat(errors).toString(),
      }),
    )
  })
}
