// Every check that a commit must pass. Runs all of them and ends with status 1 if any failed.
//
//   tsx scripts/check.ts               all
//   tsx scripts/check.ts tsc tidy      the named ones
import { main, nodeHeadersDirectory, run, runTool } from './run.ts'

const checks: Record<string, () => void> = {
  biome: () => runTool('biome', ['check', '--error-on-warnings', '.']),
  tsc: () => runTool('tsc', ['--project', '.']),
  'clang-format': () => runTool('tsx', ['scripts/clang-format.ts', '--check']),
  generate: () => runTool('tsx', ['scripts/generate.ts', '--check']),
  tidy: () => runTool('tsx', ['scripts/tidy.ts']),
  // cmake-js compiles the addon too, with every warning as an error.
  'native build': () => {
    const headers = nodeHeadersDirectory()
    const nodedir = headers === undefined ? {} : { npm_config_nodedir: headers }
    const options = ['--CDPGDATA_TESTS=OFF', '--CDPGDATA_WERROR=ON', '--parallel', '2']
    runTool('cmake-js', ['build', '--out', 'build-native-addon', ...options], nodedir)
  },
  'native tests': () => run('scripts/native-test.sh', []),
}

await main(() => {
  const named = process.argv.slice(2)
  const unknown = named.filter((name) => checks[name] === undefined)
  if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(', ')}`)
  const failed: string[] = []
  for (const [name, check] of Object.entries(checks)) {
    if (named.length > 0 && !named.includes(name)) continue
    const start = performance.now()
    console.log(`-- ${name}`)
    try {
      check()
      console.log(`   ${((performance.now() - start) / 1000).toFixed(1)} s`)
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
      failed.push(name)
    }
  }
  if (failed.length > 0) throw new Error(`check failed: ${failed.join(', ')}`)
  console.log('all checks passed')
})
