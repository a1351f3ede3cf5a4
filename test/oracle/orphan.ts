// A process for oracle.test.ts: starts a server, prints its process id and its directory, and waits to be killed.
import { Oracle } from '../support/oracle.ts'

const oracle = await Oracle.initdb()
await oracle.start()
console.log(JSON.stringify({ pid: oracle.pid, dir: oracle.dir }))
setInterval(() => undefined, 1000)
