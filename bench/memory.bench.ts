// What does memory from memory contexts cost, beside Buffer.allocUnsafe and plain objects?
//
// Predicted: a small chunk in 5 to 10 ns, where Buffer.allocUnsafe takes ten times that, since it makes an object; and
// writing and reading 1,000,000 rows by sorted order in less time than plain objects, with next to no pauses of the garbage
// collector: rows in a Bump context are nothing that it looks at.
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import {
  byteViews,
  float64Views,
  int32Views,
  slotShift,
  unitMask,
} from '../src-ts/memory/address-space.ts'
import { AllocSet } from '../src-ts/memory/alloc-set.ts'
import { Bump } from '../src-ts/memory/bump.ts'
import { pfree } from '../src-ts/memory/chunk.ts'
import { Generation } from '../src-ts/memory/generation.ts'
import type { MemoryContext } from '../src-ts/memory/memory-context.ts'
import { Slab } from '../src-ts/memory/slab.ts'

const rounds = 3
const chunks = 200_000
const chunkBytes = 48
const aliveMax = 64
const rowCount = 1_000_000

interface Contender {
  name: string
  run: () => unknown
}

// Pauses of the collector are told some time after.
const toldAfterMs = 20
const pauses: { startTime: number; duration: number }[] = []
new PerformanceObserver((list) => pauses.push(...list.getEntries())).observe({ entryTypes: ['gc'] })

async function once(run: () => unknown): Promise<{ time: number; held: number[] }> {
  globalThis.gc?.()
  pauses.length = 0
  const begin = performance.now()
  run()
  const end = performance.now()
  await setTimeout(toldAfterMs)
  const within = pauses.filter(({ startTime }) => startTime >= begin && startTime < end)
  return { time: end - begin, held: within.map(({ duration }) => duration) }
}

// Best of a few rounds, each contender in turn; the ratio is to the first.
async function measure(name: string, units: number, contenders: Contender[]): Promise<void> {
  console.log(`${name}:`)
  const best = contenders.map(() => ({ time: Number.POSITIVE_INFINITY, held: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of contenders.entries()) {
      const result = await once(run)
      if (result.time < (best[i] as typeof result).time) best[i] = result
    }
  }
  const ours = (best[0] as (typeof best)[0]).time
  for (const [i, { time, held }] of best.entries()) {
    const all = held.reduce((sum, pause) => sum + pause, 0)
    const perUnit = ((time * 1e6) / units).toFixed(1).padStart(7)
    const ratio = (time / ours).toFixed(2).padStart(6)
    const longest = Math.max(0, ...held).toFixed(1)
    const collector = `${held.length} pauses, ${all.toFixed(1)} ms, longest ${longest} ms`
    const contender = (contenders[i] as Contender).name.padEnd(26)
    console.log(`  ${contender} ${perUnit} ns, ratio ${ratio}; collector: ${collector}`)
  }
}

const set = new AllocSet(undefined, 'bench', { checking: false })
const slab = new Slab(undefined, 'bench', {
  checking: false,
  chunkSize: chunkBytes,
  blockSize: 65_536,
})
const generation = new Generation(undefined, 'bench', { checking: false })
const bump = new Bump(undefined, 'bench', { checking: false })
const addresses = new Int32Array(chunks)

function allocateAll(context: MemoryContext): void {
  for (let i = 0; i < chunks; i++) {
    const address = context.palloc(chunkBytes)
    float64Views[address >>> slotShift]![address & unitMask] = i
    addresses[i] = address
  }
  context.reset()
}

function allocateAndFree(context: MemoryContext): void {
  for (let i = 0; i < chunks; i++) {
    if (i >= aliveMax) pfree(addresses[i % aliveMax] as number)
    addresses[i % aliveMax] = context.palloc(chunkBytes)
  }
  context.reset()
}

const contextsWith = (run: (context: MemoryContext) => void, contexts: MemoryContext[]) =>
  contexts.map((context) => ({ name: context.type, run: () => run(context) }))

await measure(`allocate ${chunkBytes} bytes and write a number, all alive`, chunks, [
  ...contextsWith(allocateAll, [set, slab, generation, bump]),
  {
    name: 'Buffer.allocUnsafe',
    run: () => {
      const all: Buffer[] = new Array(chunks)
      for (let i = 0; i < chunks; i++) {
        const buffer = Buffer.allocUnsafe(chunkBytes)
        buffer.writeDoubleLE(i)
        all[i] = buffer
      }
    },
  },
  {
    name: 'objects of five fields',
    run: () => {
      const all: object[] = new Array(chunks)
      for (let i = 0; i < chunks; i++) all[i] = { a: i + 0.5, b: i, c: i, d: i, e: i }
    },
  },
])

await measure(`allocate ${chunkBytes} bytes and free them, ${aliveMax} alive`, chunks, [
  ...contextsWith(allocateAndFree, [set, slab, generation]),
  {
    name: 'Buffer.allocUnsafe',
    run: () => {
      const all: Buffer[] = new Array(aliveMax)
      for (let i = 0; i < chunks; i++) all[i % aliveMax] = Buffer.allocUnsafe(chunkBytes)
    },
  },
])

// Rows of a float8, two int4 and a short text, sorted by the float8 and read in that order.
const keys = new Float64Array(rowCount)
for (let i = 0, state = 1; i < rowCount; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  keys[i] = state / 7
}
const textOf = (i: number) => `row number ${i}`
const rowBytes = 8 + 4 + 4 + 4
const rowText = 20

function sortInContext(): number {
  const context = new Bump(undefined, 'sort', { checking: false })
  const rows = new Int32Array(rowCount)
  for (let i = 0; i < rowCount; i++) {
    const text = textOf(i)
    const row = context.palloc(rowBytes + text.length)
    const slot = row >>> slotShift
    const at = row & unitMask
    const ints = int32Views[slot]!
    float64Views[slot]![at] = keys[i] as number
    ints[at * 2 + 2] = i
    ints[at * 2 + 3] = i % 1000
    ints[at * 2 + 4] = byteViews[slot]!.write(text, at * 8 + rowText, 'latin1')
    rows[i] = row
  }
  const keyOf = (row: number) => float64Views[row >>> slotShift]![row & unitMask] as number
  rows.sort((a, b) => keyOf(a) - keyOf(b))
  let sum = 0
  for (let i = 0; i < rowCount; i++) {
    const row = rows[i] as number
    const slot = row >>> slotShift
    const at = (row & unitMask) * 2
    sum =
      (sum * 31 + (int32Views[slot]![at + 2] as number) + (int32Views[slot]![at + 4] as number)) %
      1000003
  }
  context.delete()
  return sum
}

function sortBuffers(): number {
  const rows: Buffer[] = new Array(rowCount)
  for (let i = 0; i < rowCount; i++) {
    const text = textOf(i)
    const row = Buffer.allocUnsafe(rowBytes + text.length)
    row.writeDoubleLE(keys[i] as number)
    row.writeInt32LE(i, 8)
    row.writeInt32LE(i % 1000, 12)
    row.writeInt32LE(row.write(text, rowText, 'latin1'), 16)
    rows[i] = row
  }
  rows.sort((a, b) => a.readDoubleLE() - b.readDoubleLE())
  let sum = 0
  for (const row of rows) sum = (sum * 31 + row.readInt32LE(8) + row.readInt32LE(16)) % 1000003
  return sum
}

function sortObjects(): number {
  const rows: { key: number; id: number; kind: number; text: string }[] = new Array(rowCount)
  for (let i = 0; i < rowCount; i++) {
    rows[i] = { key: keys[i] as number, id: i, kind: i % 1000, text: textOf(i) }
  }
  rows.sort((a, b) => a.key - b.key)
  let sum = 0
  for (const row of rows) sum = (sum * 31 + row.id + row.text.length) % 1000003
  return sum
}

const answers = [sortInContext(), sortBuffers(), sortObjects()]
if (new Set(answers).size !== 1) throw new Error(`different orders: ${answers.join(', ')}`)
await measure(`sort ${rowCount} rows`, rowCount, [
  { name: 'rows in a Bump context', run: sortInContext },
  { name: 'rows in Buffers', run: sortBuffers },
  { name: 'plain objects', run: sortObjects },
])
