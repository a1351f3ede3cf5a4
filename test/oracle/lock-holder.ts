// A process for lock.test.ts: opens the cluster whose directory is its argument, prints its process id, closes
// the cluster when its standard input ends.
import { once } from 'node:events'
import { Cluster } from '../../src-ts/index.ts'

const cluster = await Cluster.open(process.argv[2] as string)
console.log(process.pid)
process.stdin.resume()
await once(process.stdin, 'end')
await cluster.close()
