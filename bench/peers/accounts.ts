// accounts: the rows and the keys of the comparison, the same for every peer.

export interface Account {
  id: number
  email: string
  balance: number
  created: Date
  note: string
}

const firstDay = Date.UTC(2024, 0, 1)

/** Balances are quarters, so that they add up exactly in any order. */
export function balanceOf(id: number): number {
  return (id % 1000) / 4
}

export function account(id: number): Account {
  const digits = String(id).padStart(8, '0')
  return {
    id,
    email: `user${digits}@example.com`,
    balance: balanceOf(id),
    created: new Date(firstDay + id * 1000),
    note: `opened at the counter, number ${digits}, checked twice and filed`,
  }
}

export function accounts(first: number, count: number): Account[] {
  return Array.from({ length: count }, (_, i) => account(first + i))
}

export function sumOfBalances(count: number): number {
  let sum = 0
  for (let id = 1; id <= count; id++) sum += balanceOf(id)
  return sum
}

/** Numbers from 0 up to 1, the same for the same seed (xorshift128 of Marsaglia). */
export function random(seed: number): () => number {
  let [x, y, z, w] = [123456789, 362436069, 521288629, (seed * 2654435761) | 1]
  const next = () => {
    const t = x ^ (x << 11)
    x = y
    y = z
    z = w
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
    return (w >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

export type Distribution = 'uniform' | 'zipfian'

/** Keys from 1 to `rows`. Zipfian: constant 0.99, scattered over the table (Gray et al., SIGMOD 1994). */
export function keys(
  count: number,
  rows: number,
  seed: number,
  distribution: Distribution = 'uniform',
): number[] {
  const next = random(seed)
  const drawn: number[] = []
  if (distribution === 'uniform') {
    for (let i = 0; i < count; i++) drawn.push(1 + Math.floor(next() * rows))
    return drawn
  }
  const theta = 0.99
  let zeta = 0
  for (let i = 1; i <= rows; i++) zeta += 1 / i ** theta
  const zeta2 = 1 + 0.5 ** theta
  const eta = (1 - (2 / rows) ** (1 - theta)) / (1 - zeta2 / zeta)
  for (let i = 0; i < count; i++) {
    const u = next()
    let rank = Math.floor(rows * (eta * u - eta + 1) ** (1 / (1 - theta)))
    if (u * zeta < 1) rank = 0
    else if (u * zeta < zeta2) rank = 1
    drawn.push(1 + ((rank * 7919) % rows))
  }
  return drawn
}
