// What the system knows of processes: children of one, and whether one is alive.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

// The direct children of a process.
export function childrenOf(pid: number): number[] {
  return allProcesses()
    .filter((process) => process.parent === pid)
    .map((process) => process.pid)
}

function allProcesses(): { pid: number; parent: number }[] {
  if (process.platform !== 'linux') {
    const listing = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    return listing.stdout
      .trim()
      .split('\n')
      .map((line) => {
        const [pid, parent] = line.trim().split(/\s+/)
        return { pid: Number(pid), parent: Number(parent) }
      })
  }
  const processes: { pid: number; parent: number }[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(Number(name))
    if (parent !== undefined) processes.push({ pid: Number(name), parent })
  }
  return processes
}

// From /proc/<pid>/stat, where the fields after the parenthesised name are state and parent. Undefined for a
// process that ended meanwhile.
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

// Whether the process exists and is no zombie.
export function isAlive(pid: number): boolean {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return stat[stat.lastIndexOf(')') + 2] !== 'Z'
    } catch {
      return false
    }
  }
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

// Resolves when none of the processes is alive; throws after the time is over.
export async function allGone(pids: number[], timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs
  while (pids.some(isAlive)) {
    if (Date.now() > end) {
      throw new Error(
        `processes ${pids.filter(isAlive).join(', ')} still run after ${timeoutMs} ms`,
      )
    }
    await sleep(5)
  }
}
