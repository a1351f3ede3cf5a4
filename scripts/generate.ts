// Writes the TypeScript copies of facts whose home is in C++ or in PostgreSQL. Each generated file has one entry in
// `outputs`.
//
//   tsx scripts/generate.ts            write them
//   tsx scripts/generate.ts --check    fail when a committed one is stale
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateErrorCodes } from './generate/error-codes.ts'
import { generateKnownSettings } from './generate/known-settings.ts'
import { generateLayouts } from './generate/layouts.ts'
import { main, root } from './run.ts'

interface Output {
  // Path from the root.
  file: string
  // The whole text of the file.
  generate: () => string | Promise<string>
  // A server must be asked: a test compares the committed file with it, not this check.
  asksServer?: boolean
}

const outputs: Output[] = [
  { file: 'src-ts/errors/codes.generated.ts', generate: generateErrorCodes },
  { file: 'src-ts/binding/layouts.generated.ts', generate: generateLayouts },
  {
    file: 'src-ts/config/known-settings.generated.ts',
    generate: generateKnownSettings,
    asksServer: true,
  },
]

await main(async () => {
  const stale: string[] = []
  const isCheck = process.argv.includes('--check')
  for (const output of outputs) {
    if (isCheck && output.asksServer) continue
    const path = join(root, output.file)
    const text = await output.generate()
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    stale.push(output.file)
    if (!isCheck) writeFileSync(path, text)
  }
  if (isCheck && stale.length > 0) {
    throw new Error(`stale generated files, run "npm run generate": ${stale.join(', ')}`)
  }
})
