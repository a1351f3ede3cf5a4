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
  // A library of one-byte characters without blanks is read and compiled in two thirds of the time, at each start of a
  // process. Names stay, for stack traces.
  esbuildOptions(options) {
    options.charset = 'ascii'
    options.minifyWhitespace = true
    options.minifySyntax = true
  },
  dts: { entry: { index: 'src-ts/index.ts' } },
})
