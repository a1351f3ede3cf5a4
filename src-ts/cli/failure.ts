// How a command that could not run says so: `pgdata: message`, then DETAIL, CONTEXT and HINT lines.

interface ErrorLike {
  message: string
  detail?: string | undefined
  hint?: string | undefined
  context?: string | undefined
}

export const exitStatus = { done: 0, problems: 1, failed: 2 } as const

export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `pgdata: ${error}`
  const { message, detail, hint, context } = error as ErrorLike
  const lines = [`pgdata: ${message}`]
  if (detail !== undefined) lines.push(`DETAIL:  ${detail}`)
  if (hint !== undefined) lines.push(`HINT:  ${hint}`)
  if (context !== undefined) lines.push(`CONTEXT:  ${context}`)
  return lines.join('\n')
}
