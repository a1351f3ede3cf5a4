// Opens a directory in a crash and kills itself once so many records are replayed.
import { Cluster } from '../../src-ts/index.ts'

const [directory, records] = process.argv.slice(2) as [string, string]
await Cluster.open(directory, {
  settings: { shared_buffers: '2MB' },
  onProgress: (progress) => {
    if (progress.records >= Number(records) || progress.replayedBytes === progress.totalBytes) {
      process.kill(process.pid, 'SIGKILL')
    }
  },
})
