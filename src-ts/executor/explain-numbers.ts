// Numbers as EXPLAIN shows them.
import type { NativeOperatorReport } from '../binding/native.ts'

/** As printf does: what lies between two goes to the even one. */
export function rounded(value: number, digits: number): number {
  const scaled = value * 10 ** digits
  const isBetween = scaled % 1 === 0.5 && Number.isInteger(value * 2 ** (digits + 1))
  if (isBetween && Math.floor(scaled) % 2 === 0) return Math.floor(scaled) / 10 ** digits
  return Number(value.toFixed(digits))
}

/** What an operator that ran gave, and how long that took. */
export function doneProperties({ startupMs, totalMs, rows, loops }: NativeOperatorReport) {
  const times = Math.max(loops, 1)
  return {
    'Actual Startup Time': rounded(startupMs / times, 3),
    'Actual Total Time': rounded(totalMs / times, 3),
    'Actual Rows': rounded(rows / times, 2),
    'Actual Loops': loops,
  }
}
