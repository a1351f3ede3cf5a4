// Order of transaction ids and multixacts, which are used again and again: half of the numbers come before any one.

/** Does one come before the other, modulo 2^32? */
export function idPrecedes(left: number, right: number): boolean {
  return ((left - right) | 0) < 0
}

export function olderId(left: number, right: number): number {
  return idPrecedes(left, right) ? left : right
}
