// Memory contexts against a model allocator.
// Goal: whatever is allocated, resized, freed, reset, deleted and reparented, no two chunks overlap, every chunk keeps its
// bytes, and accounts are the sums of what there is.
// Method: seeded random operations on trees of contexts of all four kinds, which check. The model is a list of live chunks,
// each with a pattern of its own; whole trees are compared now and then. PGDATA_TEST_FULL=1 runs over a million operations.
import { describe, expect, test } from 'vitest'
import { byteViews, slotShift, unitMask } from '../../src-ts/memory/address-space.ts'
import { AllocSet } from '../../src-ts/memory/alloc-set.ts'
import { Bump } from '../../src-ts/memory/bump.ts'
import { chunkContext, chunkSpace, pfree, repalloc } from '../../src-ts/memory/chunk.ts'
import { Generation } from '../../src-ts/memory/generation.ts'
import type { MemoryContext } from '../../src-ts/memory/memory-context.ts'
import { Slab } from '../../src-ts/memory/slab.ts'
import { Random } from '../support/random.ts'

const seed = Number(process.env.PGDATA_SEED ?? 18)
const full = process.env.PGDATA_TEST_FULL === '1'
// Of each of three runs.
const operations = full ? 350_000 : 15_000
const comparedEvery = full ? 20_000 : 5000
const liveMax = 4000
const slabChunkSize = 56

interface Chunk {
  address: number
  size: number
  tag: number
  alignment: number
  context: MemoryContext
}

// Every chunk is filled with its tag, which differs from its neighbours'.
function write(chunk: Chunk, from = 0): void {
  const at = (chunk.address & unitMask) * 8
  byteViews[chunk.address >>> slotShift]!.fill(chunk.tag, at + from, at + chunk.size)
}

// All of a small chunk; of a large one both ends, and a byte of each 64 between them.
function verify(chunk: Chunk, bytes = chunk.size): void {
  const at = (chunk.address & unitMask) * 8
  const view = byteViews[chunk.address >>> slotShift]!
  for (let i = 0; i < bytes; i += i < 256 || i >= bytes - 320 ? 1 : 64) {
    if (view[at + i] !== chunk.tag) {
      throw new Error(
        `byte ${i} of ${bytes} at ${chunk.address} is ${view[at + i]}, not ${chunk.tag}`,
      )
    }
  }
}

class Model {
  readonly random: Random
  readonly top: AllocSet
  contexts: MemoryContext[] = []
  live: Chunk[] = []
  tag = 0

  constructor(modelSeed: number, checking: boolean) {
    this.random = new Random(modelSeed)
    this.top = new AllocSet(undefined, 'Top', { checking })
    this.contexts.push(this.top)
  }

  size(): number {
    const { random } = this
    if (random.chance(0.7)) return random.int(0, 200)
    if (random.chance(0.9)) return random.int(0, 9000)
    return random.chance(0.95) ? random.int(8000, 70_000) : random.int(70_000, 3_000_000)
  }

  newContext(): void {
    const { random } = this
    const parent = random.pick(this.contexts)
    const { checking } = this.top
    const initBlockSize = 1024 << random.int(0, 4)
    const options = { checking, initBlockSize, maxBlockSize: initBlockSize << random.int(0, 6) }
    const makers = [
      () => new AllocSet(parent, 'set', options),
      () => new Generation(parent, 'generation', options),
      () => new Bump(parent, 'bump', options),
      () => new Slab(parent, 'slab', { checking, chunkSize: slabChunkSize, blockSize: 1024 }),
    ]
    this.contexts.push(random.pick(makers)())
  }

  allocate(): void {
    const { random } = this
    const context = random.pick(this.contexts)
    const isSlab = context instanceof Slab
    const size = isSlab ? slabChunkSize : this.size()
    this.tag = (this.tag + 1) % 251
    const chunk: Chunk = { address: 0, size, tag: this.tag, alignment: 8, context }
    if (!isSlab && random.chance(0.05)) {
      chunk.alignment = 8 << random.int(0, 9)
      chunk.address = context.pallocAligned(size, chunk.alignment)
    } else if (random.chance(0.2)) {
      chunk.address = context.palloc0(size)
      verify({ ...chunk, tag: 0 })
    } else chunk.address = random.chance(0.1) ? context.tryPalloc(size) : context.palloc(size)
    this.expectAligned(chunk)
    write(chunk)
    this.live.push(chunk)
  }

  expectAligned({ address, alignment }: Chunk): void {
    if (((address & unitMask) * 8) % alignment === 0) return
    throw new Error(`${address} is not aligned to ${alignment}`)
  }

  // A chunk that can be freed, and where it is in the list.
  take(): { chunk: Chunk; at: number } | undefined {
    const { random, live } = this
    if (live.length === 0) return undefined
    // Bump cannot free: its chunks stay until a reset.
    const at = random.chance(0.3) ? 0 : random.int(0, live.length - 1)
    const chunk = live[at] as Chunk
    if (chunk.context instanceof Bump) return undefined
    verify(chunk)
    return { chunk, at }
  }

  free(): void {
    const taken = this.take()
    if (taken === undefined) return
    const { address, context, size } = taken.chunk
    if (chunkContext(address) !== context) throw new Error(`${address} is of another context`)
    if (chunkSpace(address) < size + 8) throw new Error(`${address} has too little space`)
    pfree(address)
    this.live[taken.at] = this.live.at(-1) as Chunk
    this.live.pop()
  }

  resize(): void {
    const taken = this.take()
    if (taken === undefined) return
    const { chunk } = taken
    const size = chunk.context instanceof Slab ? slabChunkSize : this.size()
    chunk.address = repalloc(chunk.address, size)
    this.expectAligned(chunk)
    const kept = Math.min(size, chunk.size)
    verify(chunk, kept)
    chunk.size = size
    write(chunk, kept)
  }

  resetOrDelete(): void {
    const { random } = this
    const context = random.pick(this.contexts)
    for (const chunk of this.live) if (chunk.context === context) verify(chunk)
    const what = random.int(0, 3)
    if (what === 0) context.resetOnly()
    else if (what === 1) context.resetChildren()
    else if (what === 2 || context === this.top) context.reset()
    else context.delete()
    const isBelow = (one: MemoryContext) => {
      for (let above = one.parent; above; above = above.parent) if (above === context) return true
      return false
    }
    const isReset = (one: MemoryContext) =>
      (one === context && what !== 1) || (what === 1 && isBelow(one))
    this.contexts = this.contexts.filter((one) => !one.deleted)
    this.live = this.live.filter((chunk) => !chunk.context.deleted && !isReset(chunk.context))
  }

  reparent(): void {
    const context = this.random.pick(this.contexts)
    const parent = this.random.pick(this.contexts)
    for (let above: MemoryContext | undefined = parent; above; above = above.parent) {
      if (above === context) return
    }
    context.setParent(parent)
  }

  compare(): void {
    const expected = new Map<MemoryContext, number>()
    for (const chunk of this.live) {
      verify(chunk)
      expected.set(chunk.context, (expected.get(chunk.context) ?? 0) + chunk.size)
    }
    // Live chunks by place: none begins before the one before it ends.
    const places = this.live.filter(({ size }) => size > 0)
    places.sort((a, b) => a.address - b.address)
    places.slice(1).forEach((chunk, i) => {
      const before = places[i] as Chunk
      if (chunk.address * 8 < before.address * 8 + before.size) throw new Error('chunks overlap')
    })
    let sum = 0
    for (const context of this.contexts) {
      context.check()
      const { totalspace, freespace, used, nblocks } = context.statistics()
      expect(totalspace).toBe(context.ownBytes)
      expect(used).toBe(totalspace - freespace)
      expect(freespace).toBeGreaterThanOrEqual(0)
      expect(used).toBeGreaterThanOrEqual(expected.get(context) ?? 0)
      expect(nblocks === 0).toBe(totalspace === 0)
      let below = context.ownBytes
      for (const child of context.children()) {
        expect(child.parent).toBe(context)
        below += child.treeBytes
      }
      expect(context.treeBytes).toBe(below)
      sum += context.ownBytes
    }
    expect(this.top.treeBytes).toBe(sum)
  }

  step(): void {
    const { random } = this
    const roll = random.next()
    if (roll < 0.001) this.resetOrDelete()
    else if (roll < 0.003 && this.contexts.length < 12) this.newContext()
    else if (roll < 0.004) this.reparent()
    else if (this.live.length > liveMax || roll > 0.65) this.free()
    else if (roll > 0.55) this.resize()
    else this.allocate()
    if (this.live.length > 2 * liveMax) {
      this.top.reset()
      this.contexts = [this.top]
      this.live = []
    }
  }
}

describe(`memory contexts do as the model, seed ${seed}`, () => {
  test.for([
    { name: 'checking', checking: true, offset: 0 },
    { name: 'checking, other choices', checking: true, offset: 1 },
    { name: 'plain', checking: false, offset: 2 },
  ])('$name', { timeout: 600_000 }, ({ checking, offset }) => {
    const model = new Model(seed + offset * 1000, checking)
    for (let i = 0; i < operations; i++) {
      model.step()
      if (i % comparedEvery === 0) model.compare()
    }
    model.compare()
    model.top.delete()
    expect(model.top.treeBytes).toBe(0)
    expect(model.top.ownBytes).toBe(0)
  })
})
