// Bundles src-ts/ into dist/: one CommonJS library with its types, and the command line. scripts/build.ts adds
// the entries for require and import.
import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { library: 'src-ts/index.ts', cli: 'src-ts/cli/main.ts' },
  format: ['cjs'],
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  clean: true,
  shims: true,
  // With splitting, tsup would rewrite class fields and "?." into slow old forms; keepNames costs each closure a call.
  splitting: false,
  sourcemap: false,
  dts: { entry: { index: 'src-ts/index.ts' } },
})
