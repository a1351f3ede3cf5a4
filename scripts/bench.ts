// Runs the benchmarks of bench/, one after the other, each in a process of its own; then the native ones.
//
//   tsx scripts/bench.ts              all
//   tsx scripts/bench.ts lookup       those whose file name contains the text
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { main, root, run, runTool } from './run.ts'

await main(() => {
  const filter = process.argv[2] ?? ''
  const files = existsSync(join(root, 'bench'))
    ? readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.bench.ts'))
    : []
  for (const file of files.sort().filter((name) => name.includes(filter))) {
    console.log(`== ${file}`)
    runTool('tsx', [join('bench', file)], { NODE_OPTIONS: '--expose-gc' })
  }
  run('scripts/native-bench.sh', filter === '' ? [] : [filter])
})
