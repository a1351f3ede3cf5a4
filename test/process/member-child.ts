// The process behind a Member: opens the directory of its first argument, and runs what it is sent.
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster, PgError } from '../../src-ts/index.ts'
import type { MemberContext, MemberReply, MemberRequest } from './member.ts'

const [directory, settings] = process.argv.slice(2) as [string, string]
let context: MemberContext | undefined

async function reply(id: number, body: () => unknown): Promise<void> {
  let answer: MemberReply
  try {
    answer = { id, result: await body() }
  } catch (error) {
    const { message } = error as Error
    const { code, detail } = error instanceof PgError ? error : {}
    answer = { id, error: { message, ...(code && { code }), ...(detail && { detail }) } }
  }
  if (process.connected) process.send?.(answer)
}

process.on('message', ({ id, code, argument }: MemberRequest) => {
  // The text of a function of the test.
  const body = new Function(`return (${code})`)()
  void reply(id, () => body(context, argument))
})
process.on('disconnect', () => {
  void context?.cluster.close()
})

await reply(0, async () => {
  const cluster = await Cluster.open(directory, { settings: JSON.parse(settings) })
  const { stopAt } = binding
  context = { cluster, session: await cluster.connect(), kept: {}, stopAt }
})
