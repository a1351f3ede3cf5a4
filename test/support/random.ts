// Random: a small generator that gives the same for the same seed.

/** A small deterministic generator (mulberry32). */
export class Random {
  private state: number

  constructor(readonly seed: number) {
    this.state = seed >>> 0
  }

  /** A number in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let bits = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)] as T
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  digits(length: number): string {
    let text = ''
    for (let index = 0; index < length; index++) text += this.int(0, 9)
    return text
  }

  text(alphabet: readonly string[], lengthMax: number): string {
    let text = ''
    for (let left = this.int(0, lengthMax); left > 0; left--) text += this.pick(alphabet)
    return text
  }

  /** The text with one character removed, repeated or replaced. */
  damage(text: string, alphabet: readonly string[]): string {
    const at = this.int(0, text.length)
    switch (this.int(0, 2)) {
      case 0:
        return text.substring(0, at) + text.substring(at + 1)
      case 1:
        return text.substring(0, at) + this.pick(alphabet) + text.substring(at)
      default:
        return text.substring(0, at) + this.pick(alphabet) + text.substring(at + 1)
    }
  }
}
