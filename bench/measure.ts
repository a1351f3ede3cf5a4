// measure: contenders do the same work in turn, in one run, and answer the same; what is printed is each one's
// best round and the ratio between them.
//
// CPU time (user and system, all threads of the process) is what a busy machine disturbs least. Where waiting for
// the device is the question, wall time is printed, too.

export interface Contender {
  name: string
  run: () => unknown
}

export interface Measurement {
  /** What is measured, for people. */
  name: string
  /** Operations in one run, and what one is. */
  units: number
  unit: string
  /** What every run must answer; a wrong answer ends the benchmark. */
  expected: unknown
  rounds?: number
  /** Print wall time too. */
  wall?: boolean
}

interface Best {
  cpu: number
  wall: number
}

const defaultRounds = 5

function perUnit(nanoseconds: number, units: number, unit: string): string {
  const value = nanoseconds / units
  if (value < 1000) return `${value.toPrecision(3)} ns/${unit}`
  if (value < 1_000_000) return `${(value / 1000).toFixed(2)} us/${unit}`
  return `${(value / 1_000_000).toFixed(1)} ms/${unit}`
}

async function once(contender: Contender, expected: unknown): Promise<Best> {
  globalThis.gc?.()
  const cpuBefore = process.cpuUsage()
  const wallBefore = process.hrtime.bigint()
  const answer = await contender.run()
  const wall = Number(process.hrtime.bigint() - wallBefore)
  const { user, system } = process.cpuUsage(cpuBefore)
  if (JSON.stringify(answer) !== JSON.stringify(expected)) {
    throw new Error(
      `${contender.name} answered ${JSON.stringify(answer)}, not ${JSON.stringify(expected)}`,
    )
  }
  return { cpu: (user + system) * 1000, wall }
}

/** Runs the contenders in turn, the first of them being us, and prints one line. */
export async function measure(what: Measurement, contenders: readonly Contender[]): Promise<void> {
  const best = contenders.map(
    (): Best => ({ cpu: Number.POSITIVE_INFINITY, wall: Number.POSITIVE_INFINITY }),
  )
  for (let round = 0; round < (what.rounds ?? defaultRounds); round++) {
    for (const [i, contender] of contenders.entries()) {
      const { cpu, wall } = await once(contender, what.expected)
      const kept = best[i] as Best
      kept.cpu = Math.min(kept.cpu, cpu)
      kept.wall = Math.min(kept.wall, wall)
    }
  }
  const ours = best[0] as Best
  const figures = contenders.map(({ name }, i) => {
    const { cpu, wall } = best[i] as Best
    const parts = [`${name} ${perUnit(cpu, what.units, what.unit)} CPU`]
    if (what.wall) parts.push(`${perUnit(wall, what.units, what.unit)} wall`)
    if (i > 0) {
      parts.push(`ratio ${(cpu / ours.cpu).toFixed(2)}`)
      if (what.wall) parts.push(`wall ratio ${(wall / ours.wall).toFixed(2)}`)
    }
    return parts.join(', ')
  })
  console.log(`${what.name.padEnd(34)} ${figures.join(' | ')}`)
}
