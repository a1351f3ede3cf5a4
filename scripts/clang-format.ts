// Formats the C++ sources, or checks that they are formatted. The version matters, because each formats a
// little differently: this project uses 14, Debian's package clang-format-14.
//
//   tsx scripts/clang-format.ts --check
//   tsx scripts/clang-format.ts --write [file ...]
import { spawnSync } from 'node:child_process'
import { nativeFiles } from './native-files.ts'
import { main, run } from './run.ts'

const major = 14

function findClangFormat(): string {
  const candidates = [process.env.CLANG_FORMAT, `clang-format-${major}`, 'clang-format']
  for (const command of candidates) {
    if (command === undefined) continue
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' })
    if (stdout?.includes(`version ${major}.`)) return command
  }
  throw new Error(
    `clang-format ${major} is not installed: "apt-get install clang-format-${major}", or name it in CLANG_FORMAT`,
  )
}

await main(() => {
  const [mode, ...named] = process.argv.slice(2)
  const files = named.length > 0 ? named : nativeFiles()
  if (mode === '--write') run(findClangFormat(), ['-i', ...files])
  else if (mode === '--check') run(findClangFormat(), ['--dry-run', '-Werror', ...files])
  else throw new Error('usage: clang-format.ts --check | --write [file ...]')
})
