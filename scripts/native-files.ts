// Which C++ files there are, and in which rooms. The home of the list of rooms and of shipped sources is
// native/sources.txt.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.ts'

const sourceList = 'native/sources.txt'

// Every C++ file of the project, as paths from the root.
export function nativeFiles(): string[] {
  const directories = ['native', 'bench/native', 'test/fuzz'].filter((directory) =>
    existsSync(join(root, directory)),
  )
  return directories
    .flatMap((directory) =>
      readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(directory, file),
      ),
    )
    .filter((file) => /\.(cc|h)$/.test(file))
    .sort()
}

// The rooms of native/, in order, with the sources that each lists, as paths from native/.
export function nativeRooms(): Map<string, string[]> {
  const rooms = new Map<string, string[]>()
  let current: string[] | undefined
  for (const line of readFileSync(join(root, sourceList), 'utf8').split('\n')) {
    const heading = /^# ([a-z_]+)$/.exec(line)
    if (heading?.[1] !== undefined) {
      current = []
      rooms.set(heading[1], current)
    } else if (line !== '' && !line.startsWith('#')) {
      if (current === undefined) throw new Error(`${sourceList}: ${line} stands before any room`)
      current.push(line)
    }
  }
  return rooms
}
