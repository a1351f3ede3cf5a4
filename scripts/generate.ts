// Writes the TypeScript copies of facts whose home is in C++. Each generated file has one entry in `outputs`.
//
//   tsx scripts/generate.ts            write them
//   tsx scripts/generate.ts --check    fail when a committed one is stale
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateErrorCodes } from './generate/error-codes.ts'
import { generateLayouts } from './generate/layouts.ts'
import { main, root } from './run.ts'

interface Output {
  // Path from the root.
  file: string
  // The whole text of the file.
  generate: () => string
}

const outputs: Output[] = [
  { file: 'src-ts/errors/codes.generated.ts', generate: generateErrorCodes },
  { file: 'src-ts/binding/layouts.generated.ts', generate: generateLayouts },
]

await main(() => {
  const stale: string[] = []
  for (const output of outputs) {
    const path = join(root, output.file)
    const text = output.generate()
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    stale.push(output.file)
    if (!process.argv.includes('--check')) writeFileSync(path, text)
  }
  if (process.argv.includes('--check') && stale.length > 0) {
    throw new Error(`stale generated files, run "npm run generate": ${stale.join(', ')}`)
  }
})
