// Memory contexts: what the property test does not fix in detail.
// Goal: block sizes, lists, limits, accounts, callbacks and misuse behave as PostgreSQL's contexts do.
// Method: small trees, looked at through their statistics.
import { describe, expect, test } from 'vitest'
import {
  addressSpaceBytes,
  bytesAt,
  float64Views,
  int32Views,
  slotShift,
  unitMask,
} from '../../../src-ts/memory/address-space.ts'
import { AllocSet } from '../../../src-ts/memory/alloc-set.ts'
import { Bump } from '../../../src-ts/memory/bump.ts'
import { chunkContext, chunkSpace, pfree, repalloc } from '../../../src-ts/memory/chunk.ts'
import { Generation } from '../../../src-ts/memory/generation.ts'
import { smallSizes } from '../../../src-ts/memory/growing-context.ts'
import { Slab } from '../../../src-ts/memory/slab.ts'

const kB = 1024

describe('AllocSet', () => {
  test('blocks double from the initial size to the maximum', () => {
    using context = new AllocSet(undefined, 'a', { initBlockSize: kB, maxBlockSize: 8 * kB })
    const sizes: number[] = []
    let before = 0
    while (sizes.length < 7) {
      context.palloc(504)
      if (context.ownBytes === before) continue
      sizes.push(context.ownBytes - before)
      before = context.ownBytes
    }
    expect(sizes).toEqual([kB, kB, 2 * kB, 4 * kB, 8 * kB, 8 * kB, 8 * kB])
  })

  test('a freed chunk is the next of its size', () => {
    using context = new AllocSet(undefined, 'a')
    const first = context.palloc(100)
    const second = context.palloc(100)
    pfree(first)
    pfree(second)
    expect(context.statistics().freechunks).toBe(2)
    expect(context.palloc(64)).not.toBe(second)
    expect(context.palloc(65)).toBe(second)
    expect(context.palloc(128)).toBe(first)
  })

  test('sizes are rounded up to powers of two, beyond the limit to 8 bytes', () => {
    using context = new AllocSet(undefined, 'a')
    const space = (size: number) => chunkSpace(context.palloc(size))
    expect([0, 1, 8, 9, 16, 17, 1000, 8192].map(space)).toEqual([
      16, 16, 16, 24, 24, 40, 1032, 8200,
    ])
    // Alone in its block, with the longer header.
    expect(space(8193)).toBe(8200 + 16)
  })

  test('what is left in a full block goes to the lists', () => {
    using context = new AllocSet(undefined, 'a', { initBlockSize: kB, maxBlockSize: 64 * kB })
    context.palloc(512)
    context.palloc(512)
    // 1024 - 32 - 520 = 472 bytes: chunks of 256, 128 and 64 bytes with their headers.
    expect(context.statistics().freechunks).toBe(3)
  })

  test('the keeper block stays over a reset, others go', () => {
    using context = new AllocSet(undefined, 'a', { initBlockSize: kB })
    const first = context.palloc(16)
    for (let i = 0; i < 1000; i++) context.palloc(100)
    context.palloc(100_000)
    expect(context.statistics().nblocks).toBeGreaterThan(5)
    context.reset()
    expect(context.statistics()).toMatchObject({ nblocks: 1, totalspace: kB, freechunks: 0 })
    expect(context.palloc(16)).toBe(first)
  })

  test('a large chunk has a block of its own, which goes when it is freed', () => {
    using context = new AllocSet(undefined, 'a')
    const before = context.ownBytes
    const chunk = context.palloc(5_000_000)
    expect(context.ownBytes - before).toBe(5_000_000 + 48)
    const slot = chunk >>> slotShift
    // Reached through its first slot as far as it goes.
    float64Views[slot]![(chunk & unitMask) + 624_999] = 0.5
    const moved = repalloc(chunk, 6_000_000)
    expect(float64Views[moved >>> slotShift]![(moved & unitMask) + 624_999]).toBe(0.5)
    pfree(moved)
    expect(context.ownBytes).toBe(before)
  })
})

test('Slab gives blocks back that became empty, and has one size', () => {
  using context = new Slab(undefined, 's', { chunkSize: 40, blockSize: kB })
  const perBlock = Math.floor((kB - 32) / 48)
  const chunks = Array.from({ length: perBlock * 20 }, () => context.palloc(40))
  expect(context.statistics()).toMatchObject({ nblocks: 20, freechunks: 0 })
  for (const chunk of chunks) pfree(chunk)
  // Ten are kept.
  expect(context.statistics()).toMatchObject({ nblocks: 10, freechunks: 0, used: 0 })
  expect(() => context.palloc(41)).toThrow('unexpected alloc chunk size 41 (expected 40)')
  expect(repalloc(context.palloc(40), 40)).toBeGreaterThan(0)
  expect(() => repalloc(context.palloc(40), 48)).toThrow(
    'slab allocator does not support realloc()',
  )
  expect(() => new Slab(undefined, 's', { chunkSize: 2000, blockSize: kB })).toThrow(
    'block size 1024 for slab is too small for 2000-byte chunks',
  )
})

test('Slab takes chunks from the fullest block', () => {
  using context = new Slab(undefined, 's', { chunkSize: 40, blockSize: kB })
  const perBlock = Math.floor((kB - 32) / 48)
  const chunks = Array.from({ length: perBlock * 2 }, () => context.palloc(40))
  const full = chunks.slice(0, perBlock)
  const other = chunks.slice(perBlock)
  for (const chunk of other.slice(1)) pfree(chunk)
  pfree(full[3] as number)
  expect(context.palloc(40)).toBe(full[3])
})

test('Generation uses a block again when all of its chunks were freed', () => {
  using context = new Generation(undefined, 'g', { initBlockSize: kB, maxBlockSize: kB })
  const queue: number[] = []
  let blocksMax = 0
  for (let i = 0; i < 10_000; i++) {
    queue.push(context.palloc(56))
    if (queue.length > 20) pfree(queue.shift() as number)
    blocksMax = Math.max(blocksMax, context.statistics().nblocks)
  }
  expect(blocksMax).toBeLessThanOrEqual(5)
  for (const chunk of queue) pfree(chunk)
  expect(context.statistics().used).toBeLessThanOrEqual(3 * 32)
})

test('Bump has no headers and frees nothing', () => {
  using context = new Bump(undefined, 'b', { checking: false })
  const first = context.palloc(24)
  expect(context.palloc(20) - first).toBe(3)
  expect(context.palloc(1) - first).toBe(6)
  using checked = new Bump(undefined, 'b', { checking: true })
  const chunk = checked.palloc(8)
  expect(() => pfree(chunk)).toThrow('pfree is not supported by the bump memory allocator')
  expect(() => repalloc(chunk, 9)).toThrow('repalloc is not supported by the bump memory allocator')
})

describe('limits and accounts', () => {
  test('a limit is for a context and all below it; what fails changes nothing', () => {
    using top = new AllocSet(undefined, 'TopMemoryContext')
    const query = new AllocSet(top, 'ExecutorState', { limit: 100_000 })
    const sort = new Bump(query, 'sort', { initBlockSize: kB })
    let rows = 0
    let refusal: unknown
    try {
      for (;;) {
        sort.palloc(100)
        rows++
      }
    } catch (error) {
      refusal = error
    }
    expect(refusal).toMatchObject({
      code: '53200',
      message: 'out of memory',
      detail:
        'Failed on request of size 100 in memory context "sort". ' +
        'Memory context "ExecutorState" is limited to 100000 bytes.',
    })
    expect(query.treeBytes).toBeLessThanOrEqual(100_000)
    // Smaller blocks near the limit: most of it can be used.
    expect(rows * 104).toBeGreaterThan(85_000)
    expect(sort.tryPalloc(100)).toBe(0)
    sort.reset()
    expect(sort.tryPalloc(100)).toBeGreaterThan(0)
    expect(() => new AllocSet(query, 'more', { initBlockSize: 128 * kB })).toThrow('out of memory')
    expect([...query.children()]).toEqual([sort])
    query.limit = 300_000
    expect(new AllocSet(query, 'more', { initBlockSize: 128 * kB }).parent).toBe(query)
  })

  test('a chunk that cannot grow stays as it is', () => {
    using context = new AllocSet(undefined, 'a', { limit: 100_000 })
    const chunk = context.palloc(50_000)
    bytesAt(chunk, 50_000).fill(7)
    expect(() => repalloc(chunk, 100_000)).toThrow('out of memory')
    expect(bytesAt(chunk, 50_000).every((byte) => byte === 7)).toBe(true)
    expect(repalloc(chunk, 80_000)).toBeGreaterThan(0)
  })

  test('bytes move with a context to its new parent', () => {
    const before = addressSpaceBytes()
    const top = new AllocSet(undefined, 'top', smallSizes)
    const left = new AllocSet(top, 'left', smallSizes)
    const right = new AllocSet(top, 'right', { ...smallSizes, limit: 50_000 })
    const child = new AllocSet(left, 'child', smallSizes)
    child.palloc(20_000)
    const { treeBytes } = child
    child.setParent(right)
    expect([left.treeBytes, right.treeBytes]).toEqual([kB, kB + treeBytes])
    expect(top.treeBytes).toBe(3 * kB + treeBytes)
    child.setParent(top)
    child.palloc(30_000)
    expect(() => child.setParent(right)).toThrow('out of memory')
    expect(child.parent).toBe(top)
    expect(() => top.setParent(child)).toThrow('context "child" is below "top"')
    top.delete()
    expect(addressSpaceBytes()).toBe(before)
  })
})

test('callbacks: the last first, once; children before parents; before the memory goes', () => {
  const calls: string[] = []
  const top = new AllocSet(undefined, 'top')
  const child = new AllocSet(top, 'child')
  const grandchild = new AllocSet(child, 'grandchild')
  const chunk = child.palloc(8)
  int32Views[chunk >>> slotShift]![(chunk & unitMask) << 1] = 4711
  const note = (name: string) => () => {
    calls.push(`${name} ${int32Views[chunk >>> slotShift]![(chunk & unitMask) << 1] === 4711}`)
  }
  child.onReset(note('first'))
  child.onReset(note('second'))
  grandchild.onReset(note('below'))
  child.reset()
  expect(calls).toEqual(['below true', 'second true', 'first true'])
  expect(grandchild.deleted).toBe(true)
  child.reset()
  expect(calls.length).toBe(3)
  top.onReset(note('top'))
  child.onReset(note('child'))
  top.delete()
  expect(calls.slice(3).map((call) => call.split(' ')[0])).toEqual(['child', 'top'])
  expect(() => child.palloc(8)).toThrow('memory context "child" was deleted')
  expect(() => child.reset()).toThrow('memory context "child" was deleted')
  expect(() => new AllocSet(top, 'late')).toThrow('memory context "top" was deleted')
})

test('resetChildren keeps the children', () => {
  using top = new AllocSet(undefined, 'top')
  const child = new AllocSet(top, 'child')
  const grandchild = new Bump(child, 'grandchild')
  const kept = top.palloc(8)
  child.palloc(100_000)
  grandchild.palloc(100_000)
  top.resetChildren()
  expect(chunkContext(kept)).toBe(top)
  expect([child.statistics().nblocks, grandchild.statistics().nblocks]).toEqual([1, 1])
  expect([...top.children()]).toEqual([child])
})

test('impossible sizes are refused', () => {
  using context = new AllocSet(undefined, 'a')
  for (const size of [-1, 1.5, Number.NaN, 0x40000000, 2 ** 40]) {
    expect(() => context.palloc(size)).toThrow(`invalid memory alloc request size ${size}`)
  }
  expect(() => context.pallocAligned(8, 24)).toThrow('invalid alignment: 24')
  expect(() => new AllocSet(undefined, 'a', { initBlockSize: 100 })).toThrow(
    'invalid block size of a memory context: 100',
  )
})

describe('a context that checks', () => {
  const kinds = {
    AllocSet: () => new AllocSet(undefined, 'it', { checking: true }),
    Generation: () => new Generation(undefined, 'it', { checking: true }),
    Slab: () => new Slab(undefined, 'it', { checking: true, chunkSize: 20 }),
  }
  for (const [kind, make] of Object.entries(kinds)) {
    test(`${kind}: double free, write past the end, write after free`, () => {
      using context = make()
      const others = [context.palloc(20), context.palloc(20)]
      const chunk = context.palloc(20)
      bytesAt(chunk, 20).fill(1)
      bytesAt(chunk, 21)[20] = 1
      expect(() => pfree(chunk)).toThrow(/detected write past chunk end in it 0x/)
      expect(() => context.check()).toThrow(/detected write past chunk end in it 0x/)
      bytesAt(chunk, 21)[20] = 0x7e
      pfree(chunk)
      expect(() => pfree(chunk)).toThrow(/detected double pfree in it 0x/)
      expect([...bytesAt(chunk, 20).subarray(4)].every((byte) => byte === 0x7f)).toBe(true)
      bytesAt(chunk, 20)[10] = 1
      expect(() => context.check()).toThrow(/detected write to freed chunk in it 0x/)
      bytesAt(chunk, 20)[10] = 0x7f
      context.check()
      expect(chunkContext(others[0] as number)).toBe(context)
    })
  }

  test('use after reset and after deletion', () => {
    const context = new AllocSet(undefined, 'it', { checking: true })
    const chunk = context.palloc(20)
    const large = context.palloc(20_000)
    context.reset()
    expect(bytesAt(chunk, 20).every((byte) => byte === 0x7f)).toBe(true)
    expect(() => pfree(chunk)).toThrow(/pfree called with invalid pointer 0x.* \(header 0x7f7f7f7f/)
    expect(() => repalloc(large, 8)).toThrow(/repalloc called with invalid pointer/)
    const again = context.palloc(20)
    context.delete()
    expect(() => pfree(again)).toThrow(
      expect.objectContaining({
        code: 'XX000',
        hint: 'Its context was reset or deleted, or it was freed.',
      }),
    )
  })

  test('an overrun is found at the reset', () => {
    const context = new Bump(undefined, 'it', { checking: true })
    const chunk = context.palloc(5)
    bytesAt(chunk, 6)[5] = 0
    expect(() => context.reset()).toThrow(/detected write past chunk end in it 0x/)
    bytesAt(chunk, 6)[5] = 0x7e
    context.delete()
  })
})
