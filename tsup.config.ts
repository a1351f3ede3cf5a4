// Bundles src-ts/ into dist/: one CommonJS library with types for both module systems, an ESM entry that
// re-exports it, and the command line. The ESM entry wraps the CommonJS one so that a process which loads
// both has one PgError class and one addon.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { defineConfig } from 'tsup'

function writeEsmEntry(): void {
  const library = createRequire(import.meta.url)(resolve('dist/index.cjs')) as object
  const names = Object.keys(library).sort()
  const lines = [
    '// The ESM entry: the same objects as the CommonJS one.',
    "import library from './index.cjs'",
    `export const { ${names.join(', ')} } = library`,
  ]
  writeFileSync('dist/index.js', `${lines.join('\n')}\n`)
}

export default defineConfig({
  entry: { index: 'src-ts/index.ts', cli: 'src-ts/cli/main.ts' },
  format: ['cjs'],
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  clean: true,
  shims: true,
  splitting: true,
  sourcemap: false,
  dts: { entry: { index: 'src-ts/index.ts' } },
  onSuccess: async () => writeEsmEntry(),
})
