#!/usr/bin/env node
// The program behind `npx pgdata`.
import { describeFailure, exitStatus } from './failure.ts'

async function main(): Promise<void> {
  // A reader that closes the pipe early, such as head, has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitStatus.done : exitStatus.failed)
  })
  // Loaded here, so that a native binary that cannot be loaded is told like any other failure.
  const { runProgram } = await import('./program.ts')
  process.exitCode = await runProgram(process.argv)
}

main().catch((error: unknown) => {
  console.error(describeFailure(error))
  process.exitCode = exitStatus.failed
})
