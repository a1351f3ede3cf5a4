// The address space: where the blocks of memory contexts come from, and how their bytes are reached.
//
// Memory is in ArrayBuffers outside JavaScript's heap, each of which takes one or more slots of 1 MiB. An address is a
// small integer, 0 for none: the slot in its upper bits, and in the lower 17 the position in units of 8 bytes. Views of
// each slot stand ready, so that reading a field allocates nothing. A view reaches from its slot to the end of the buffer.
//
//   int32Views[address >>> slotShift]![((address & unitMask) << 1) + i]    the i-th int32 behind an address
//   float64Views[address >>> slotShift]![(address & unitMask) + i]         the i-th float64
//   byteViews[address >>> slotShift]!                                      bytes, from (address & unitMask) * 8 on
//
// Blocks of up to 1 MiB are runs of 1 KiB pages in a segment that they share; larger ones have buffers of their own.

/** Bits of an address that are the position in its slot, in units of `unitBytes`. */
export const slotShift = 17
export const unitMask = (1 << slotShift) - 1
export const unitBytes = 8

const slotBytes = unitBytes << slotShift
const pageBytes = 1024
const pageShift = 7
const pagesPerSlot = slotBytes / pageBytes
// Addresses stay below 2^31: 16 GiB.
const slotsMax = 1 << (31 - slotShift)
// Memory that nobody uses and that is kept for the next who asks.
const idleSegmentsMax = 8
const idleBufferBytesMax = 32 * 1024 * 1024

const noInts = new Int32Array(0)
const noFloats = new Float64Array(0)
const noBytes = Buffer.alloc(0)
const noMarks = new Int16Array(0)

/** Views by slot. Only this file changes the lists. */
export const int32Views: Int32Array[] = []
export const float64Views: Float64Array[] = []
export const byteViews: Buffer[] = []

// For a segment: the length of a run of free pages at its first and at its last page, 0 elsewhere. For others: empty.
const marks: Int16Array[] = []
// Slots of a large buffer at its first slot; 0 elsewhere.
const largeSlots: number[] = []
const freeSlots: number[] = []
// Free runs by length, linked through their first page; which lengths there are.
const freeRuns = new Int32Array(pagesPerSlot + 1)
const freeLengths = new Int32Array((pagesPerSlot >>> 5) + 1)
let idleSegments = 0
const idleBuffers = new Map<number, Buffer[]>()
let idleBufferBytes = 0
let usedBytes = 0

// The links of a free run are the first two int32 of its first page.
const runNext = 0
const runPrevious = 1

function putView(slot: number, buffer: Buffer, offset: number): void {
  const { buffer: memory, length } = buffer
  int32Views[slot] = new Int32Array(memory, offset)
  float64Views[slot] = new Float64Array(memory, offset)
  byteViews[slot] = Buffer.from(memory, offset, length - offset)
}

function clearSlot(slot: number): void {
  int32Views[slot] = noInts
  float64Views[slot] = noFloats
  byteViews[slot] = noBytes
  marks[slot] = noMarks
  largeSlots[slot] = 0
}

/** `count` slots in a row, or -1. */
function takeSlots(count: number): number {
  if (count === 1 && freeSlots.length > 0) return freeSlots.pop() as number
  let first = int32Views.length
  if (count > 1 && freeSlots.length >= count) {
    freeSlots.sort((a, b) => a - b)
    for (let i = 0; i + count <= freeSlots.length; i++) {
      if (freeSlots[i + count - 1] !== (freeSlots[i] as number) + count - 1) continue
      first = freeSlots[i] as number
      freeSlots.splice(i, count)
      return first
    }
  }
  if (first + count > slotsMax) return -1
  for (let slot = first; slot < first + count; slot++) clearSlot(slot)
  return first
}

function int32At(address: number, index: number): number {
  return int32Views[address >>> slotShift]![((address & unitMask) << 1) + index] as number
}

function setInt32At(address: number, index: number, value: number): void {
  int32Views[address >>> slotShift]![((address & unitMask) << 1) + index] = value
}

function addRun(address: number, pages: number): void {
  const slotMarks = marks[address >>> slotShift]!
  const page = (address & unitMask) >>> pageShift
  slotMarks[page] = pages
  slotMarks[page + pages - 1] = pages
  const next = freeRuns[pages] as number
  setInt32At(address, runNext, next)
  setInt32At(address, runPrevious, 0)
  if (next !== 0) setInt32At(next, runPrevious, address)
  freeRuns[pages] = address
  freeLengths[pages >>> 5]! |= 1 << (pages & 31)
}

function removeRun(address: number, pages: number): void {
  const slotMarks = marks[address >>> slotShift]!
  const page = (address & unitMask) >>> pageShift
  slotMarks[page] = 0
  slotMarks[page + pages - 1] = 0
  const next = int32At(address, runNext)
  const previous = int32At(address, runPrevious)
  if (next !== 0) setInt32At(next, runPrevious, previous)
  if (previous !== 0) setInt32At(previous, runNext, next)
  else {
    freeRuns[pages] = next
    if (next === 0) freeLengths[pages >>> 5]! &= ~(1 << (pages & 31))
  }
}

/** The shortest length of at least `pages` of which there is a free run; 0 when there is none. */
function freeLength(pages: number): number {
  let word = pages >>> 5
  let bits = (freeLengths[word] as number) & (-1 << (pages & 31))
  while (bits === 0) {
    if (++word === freeLengths.length) return 0
    bits = freeLengths[word] as number
  }
  return (word << 5) + 31 - Math.clz32(bits & -bits)
}

function addSegment(): boolean {
  const slot = takeSlots(1)
  if (slot < 0) return false
  putView(slot, Buffer.allocUnsafeSlow(slotBytes), 0)
  marks[slot] = new Int16Array(pagesPerSlot)
  if (slot === 0) {
    // Address 0 is none.
    addRun(1 << pageShift, pagesPerSlot - 1)
  } else {
    idleSegments++
    addRun(slot << slotShift, pagesPerSlot)
  }
  return true
}

function acquireRun(pages: number): number {
  let length = freeLength(pages)
  if (length === 0) {
    if (!addSegment()) return 0
    length = freeLength(pages)
    // The first segment lacks a page.
    if (length === 0) return acquireRun(pages)
  }
  const address = freeRuns[length] as number
  removeRun(address, length)
  if (length === pagesPerSlot) idleSegments--
  if (length > pages) addRun(address + (pages << pageShift), length - pages)
  return address
}

function releaseRun(address: number, pages: number): void {
  const slot = address >>> slotShift
  const slotMarks = marks[slot]!
  let first = (address & unitMask) >>> pageShift
  let length = pages
  const before = first === 0 ? 0 : (slotMarks[first - 1] as number)
  if (before > 0) {
    first -= before
    length += before
    removeRun((slot << slotShift) + (first << pageShift), before)
  }
  const end = first + length
  const after = end === pagesPerSlot ? 0 : (slotMarks[end] as number)
  if (after > 0) {
    removeRun((slot << slotShift) + (end << pageShift), after)
    length += after
  }
  if (length === pagesPerSlot) {
    if (idleSegments >= idleSegmentsMax) {
      clearSlot(slot)
      freeSlots.push(slot)
      return
    }
    idleSegments++
  }
  addRun((slot << slotShift) + (first << pageShift), length)
}

function acquireLarge(bytes: number): number {
  const count = Math.ceil(bytes / slotBytes)
  const slot = takeSlots(count)
  if (slot < 0) return 0
  let buffer = idleBuffers.get(bytes)?.pop()
  if (buffer !== undefined) idleBufferBytes -= bytes
  else {
    try {
      buffer = Buffer.allocUnsafeSlow(bytes)
    } catch {
      for (let i = 0; i < count; i++) freeSlots.push(slot + i)
      return 0
    }
  }
  for (let i = 0; i < count; i++) putView(slot + i, buffer, i * slotBytes)
  largeSlots[slot] = count
  return slot << slotShift
}

function releaseLarge(address: number): void {
  const slot = address >>> slotShift
  const count = largeSlots[slot] as number
  const buffer = byteViews[slot] as Buffer
  if (idleBufferBytes + buffer.length <= idleBufferBytesMax) {
    idleBufferBytes += buffer.length
    const idle = idleBuffers.get(buffer.length)
    if (idle === undefined) idleBuffers.set(buffer.length, [buffer])
    else idle.push(buffer)
  } else if (idleBufferBytes > 0) {
    // Of sizes that are not asked for any more: what comes next may fit.
    idleBuffers.clear()
    idleBufferBytes = 0
  }
  for (let i = 0; i < count; i++) {
    clearSlot(slot + i)
    freeSlots.push(slot + i)
  }
}

const roundToUnits = (bytes: number): number => Math.ceil(bytes / unitBytes) * unitBytes

/** A block of that many bytes, with whatever it held before; 0 when there is no memory. */
export function acquireBlock(bytes: number): number {
  const address =
    bytes <= slotBytes
      ? acquireRun(Math.ceil(bytes / pageBytes))
      : acquireLarge(roundToUnits(bytes))
  if (address !== 0) usedBytes += bytes
  return address
}

/** Gives back a block that was acquired with that many bytes. */
export function releaseBlock(address: number, bytes: number): void {
  usedBytes -= bytes
  if (bytes <= slotBytes) releaseRun(address, Math.ceil(bytes / pageBytes))
  else releaseLarge(address)
}

/** Bytes of all blocks that are in use, in this thread. */
export function addressSpaceBytes(): number {
  return usedBytes
}

/** A view of that many bytes. It must not be used once they are freed. */
export function bytesAt(address: number, bytes: number): Buffer {
  const from = (address & unitMask) * unitBytes
  return byteViews[address >>> slotShift]!.subarray(from, from + bytes)
}

/** Fills bytes from `offset` behind an address on. */
export function fillBytes(address: number, offset: number, bytes: number, value: number): void {
  const from = (address & unitMask) * unitBytes + offset
  byteViews[address >>> slotShift]!.fill(value, from, from + bytes)
}

/** Copies bytes between two addresses. */
export function copyBytes(to: number, from: number, bytes: number): void {
  const start = (from & unitMask) * unitBytes
  byteViews[from >>> slotShift]!.copy(
    byteViews[to >>> slotShift]!,
    (to & unitMask) * unitBytes,
    start,
    start + bytes,
  )
}
