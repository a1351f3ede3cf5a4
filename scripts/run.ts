// Running other programs from the project's scripts: output passes through, a failure ends the script.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

// Runs a program in the project's root; throws when it cannot start or ends with another status than 0.
export function run(command: string, args: string[], env: Record<string, string> = {}): void {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (result.error !== undefined) {
    throw new Error(`could not run ${command}: ${result.error.message}`)
  }
  if (result.status !== 0) {
    const how = result.signal === null ? `exit status ${result.status}` : `signal ${result.signal}`
    throw new Error(`${command} ${args.join(' ')} ended with ${how}`)
  }
}

// Runs a program that npm installed, by the name of its command.
export function runTool(name: string, args: string[], env: Record<string, string> = {}): void {
  run(join(root, 'node_modules', '.bin', name), args, env)
}

// Runs a script's main function; an error becomes one line and exit status 1.
export async function main(body: () => void | Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

// The directory that holds include/node of the running Node, or nothing where a Node is installed without
// its headers (node-gyp then downloads them).
export function nodeHeadersDirectory(): string | undefined {
  const prefix = join(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? prefix : undefined
}
