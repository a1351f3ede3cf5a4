// How long does making a cluster take?
//
// Predicted: under 0.3 s, half of the real initdb; most of it writing pages and 900 files.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from 'pgdata'
import { measure } from './measure.ts'

await measure(
  { name: 'Cluster.init', units: 1, unit: 'cluster', expected: true, rounds: 3, wall: true },
  [
    {
      name: 'pgdata',
      run: async () => {
        const directory = mkdtempSync(join(tmpdir(), 'pgdata-bench-'))
        await Cluster.init(join(directory, 'data'))
        rmSync(directory, { recursive: true, force: true })
        return true
      },
    },
  ],
)
