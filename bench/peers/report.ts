// report: the figures as a table for people. Only contenders of one class of durability are compared.
import type { Comparison, Figure } from './compare.ts'
import { outcomes } from './goals.ts'
import type { Limit } from './raw.ts'

export interface Results extends Comparison {
  date: string
  command: string
  machine: Record<string, string>
  limits: Limit[]
  seconds: number
}

export function number(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

function spread({ median, min, max }: { median: number; min: number; max: number }): string {
  return `${number(median)} (${number(min)} to ${number(max)})`
}

/** How many times as fast `ours` is as `theirs`. */
export function times(ours: Figure, theirs: Figure): number {
  const [a, b] = [ours.result?.median ?? Number.NaN, theirs.result?.median ?? Number.NaN]
  return ours.better === 'more' ? a / b : b / a
}

/** Figures of the same work: of one workload, number of rows and class of durability. */
export function groups(figures: readonly Figure[]): Figure[][] {
  const found = new Map<string, Figure[]>()
  for (const figure of figures) {
    const key = `${figure.workload} ${figure.rows} ${figure.durability ?? ''}`
    found.set(key, [...(found.get(key) ?? []), figure])
  }
  return [...found.values()].filter((group) => group.some(({ result }) => result !== undefined))
}

function section(group: readonly Figure[], peers: readonly string[]): string[] {
  const [first] = group as [Figure]
  const ours = group.find(({ peer, result }) => peer === 'pgdata' && result !== undefined)
  const cells = peers.map((peer) => {
    const figure = group.find((each) => each.peer === peer)
    if (figure === undefined) return '-'
    if (figure.result === undefined) return figure.reason ?? '-'
    const ratio =
      ours === undefined || figure === ours ? '' : `, × ${times(ours, figure).toPrecision(2)}`
    return `${spread(figure.result)}${ratio}`
  })
  const kind = first.durability === undefined ? '' : `, outlives a ${first.durability}`
  return [`${first.title}, ${number(first.rows)} rows${kind} (${first.unit})`, ...cells]
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** After lookups, and after the load. */
function sizes(figures: readonly Figure[]): string[] {
  const found = figures.flatMap(({ workload, rows, peer, result }) => {
    if (workload === 'load' && result?.diskBytes !== undefined)
      return [row([peer, number(rows), 'on disk', number(result.diskBytes / 1e6)])]
    if (workload === 'lookup' && result !== undefined)
      return [row([peer, number(rows), 'in memory after lookups', number(result.residentKb / 1e3)])]
    return []
  })
  return [row(['peer', 'rows', 'what', 'MB']), row(['---', '---', '---', '---']), ...found]
}

function latencyRows(latencies: Results['latencies']): string[] {
  const head = ['peer', 'operation', 'beside', 'p50', 'p99', 'p99.9', 'event loop p99', 'worst']
  return [
    row(head.map((cell, i) => (i > 2 ? `${cell} (us)` : cell))),
    row(head.map(() => '---')),
    ...Object.entries(latencies).flatMap(([peer, all]) =>
      all.map((one) => {
        const times = [one.p50, one.p99, one.p999, one.eventLoopP99, one.eventLoopMax]
        return row([peer, one.operation, one.background, ...times.map(number)])
      }),
    ),
  ]
}

function goalRows(figures: readonly Figure[]): string[] {
  const main = figures.filter(({ rows }) => rows === figures[0]?.rows)
  return [
    row(['to reach', 'reached', 'of what is wanted']),
    row(['---', '---', '---']),
    ...outcomes(main).map(({ goal, reached, share }) =>
      row([
        goal,
        reached === undefined ? 'not measured' : number(reached),
        share === undefined ? '-' : `${number(share * 100)} %`,
      ]),
    ),
  ]
}

export function table(results: Results): string {
  // A peer may stand there twice, with other settings.
  const peers = [...new Set(results.figures.map(({ peer }) => peer))]
  const lines = [
    `\`${results.command}\`, ${results.date}, ${results.rounds} rounds, ${results.seconds} s. ` +
      Object.values(results.machine).join('; '),
    '',
    'Median (least to greatest), × how many times as fast pgdata is.',
    '',
    row(['work', ...peers]),
    row(['---', ...peers.map(() => '---')]),
    ...groups(results.figures).map((group) => row(section(group, peers))),
    '',
    ...goalRows(results.figures),
    '',
    ...sizes(results.figures),
    '',
    ...latencyRows(results.latencies),
    '',
    row(['limit of the machine', 'median (least to greatest)']),
    row(['---', '---']),
    ...results.limits.map((limit) => row([`${limit.title} (${limit.unit})`, spread(limit)])),
    '',
    row(['peer', 'version', 'class', 'what has outlived a commit']),
    row(['---', '---', '---', '---']),
    ...peers.flatMap((peer) =>
      Object.entries(results.peers[peer]?.durability ?? {}).map(([kind, text]) =>
        row([peer, results.peers[peer]?.version ?? '', kind, text]),
      ),
    ),
  ]
  return `${lines.join('\n')}\n`
}
