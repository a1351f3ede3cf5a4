// A process that appends to a cluster's server log without opening the cluster: directory, settings, how many messages,
// whether it is the owner.
import { resolveSettings } from '../../src-ts/config/settings.ts'
import { ServerLog } from '../../src-ts/process/server-log.ts'

const [dataDirectory, settings, count, role] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
]
const log = new ServerLog({
  dataDirectory,
  settings: resolveSettings(JSON.parse(settings)),
  onLog: undefined,
  isReader: false,
  onFailure: (failure) => {
    throw failure
  },
})
log.begin(() => role === 'owner')
for (let i = 0; i < Number(count); i++) {
  log.write({
    severity: 'LOG',
    backendType: 'client backend',
    code: '00000',
    message: `message ${i}\nof ${role}`,
    detail: 'x'.repeat((i * 37) % 3000),
  })
  if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 50))
}
await log.close()
