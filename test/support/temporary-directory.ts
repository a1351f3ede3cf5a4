// Directories for tests, under one root in /tmp that goes away with the process: a watchdog shell waits for the
// end of its standard input, which comes however this process ends, then stops every registered server and
// removes the root. Paths are short, because socket paths are limited to 107 bytes, and other users may pass
// through the root, because PostgreSQL does not run as root.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// $1 is the root. Servers are registered as files <n>.server that hold a process id. A server that was killed
// with SIGKILL leaves its System V segment, whose id is on line 7 of postmaster.pid.
const watchdogScript = `
cat >/dev/null
for file in "$1"/*.server; do
  if [ -f "$file" ]; then kill -QUIT "$(cat "$file")" 2>/dev/null; fi
done
for file in "$1"/*.server; do
  if [ -f "$file" ]; then
    tries=0
    while kill -0 "$(cat "$file")" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "$(cat "$file")" 2>/dev/null
  fi
done
for file in "$1"/*/postmaster.pid "$1"/*/*/postmaster.pid; do
  if [ -f "$file" ]; then
    id="$(sed -n '7s/^ *[0-9]* *//p' "$file")"
    if [ -n "$id" ]; then ipcrm -m "$id" 2>/dev/null; fi
  fi
done
rm -rf "$1"
`

let root: string | undefined
let memoryRoot: string | undefined
let count = 0

function temporaryRoot(): string {
  if (root !== undefined) return root
  root = makeRoot('/tmp')
  watch(root)
  return root
}

function makeRoot(below: string): string {
  const path = mkdtempSync(join(below, 'pgdata-'))
  chmodSync(path, 0o711)
  return path
}

function watch(path: string): void {
  const watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'pgdata-test-watchdog', path], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.unref()
  const pipe = watchdog.stdin as typeof watchdog.stdin & { unref?: () => void }
  pipe.unref?.()
}

// Makes a new empty directory, mode 0700. The name is a hint for people who look into it.
export function temporaryDirectory(name = 'd'): string {
  count += 1
  const path = join(temporaryRoot(), `${name}${count}`)
  mkdirSync(path, { mode: 0o700 })
  return path
}

function freeBytes(path: string): number {
  try {
    const { bsize, bavail } = statfsSync(path)
    return bsize * bavail
  } catch {
    return 0
  }
}

// As temporaryDirectory, in memory where there is room for what a test of many directories needs: containers often
// have 64 MB there.
export function memoryDirectory(name = 'd', bytesNeeded = 2 * 1024 ** 3): string {
  if (memoryRoot === undefined) {
    const free = freeBytes('/dev/shm')
    if (free < bytesNeeded) return temporaryDirectory(name)
    memoryRoot = makeRoot('/dev/shm')
    watch(memoryRoot)
  }
  count += 1
  const path = join(memoryRoot, `${name}${count}`)
  mkdirSync(path, { mode: 0o700 })
  return path
}

// A path for a new directory or file that does not exist yet.
export function temporaryPath(name = 'p'): string {
  count += 1
  return join(temporaryRoot(), `${name}${count}`)
}

// Has the process stopped with SIGQUIT should this one end first. Returns what takes the registration back.
export function stopServerAtExit(pid: number): () => void {
  const file = `${temporaryPath('s')}.server`
  writeFileSync(file, String(pid))
  return () => rmSync(file, { force: true })
}
