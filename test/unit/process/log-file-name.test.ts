// Names and times of log files.
// Goal: log_filename means what it means to PostgreSQL. Method: fixed times.
import { expect, test } from 'vitest'
import { logFileName, nextRotation } from '../../../src-ts/process/log-file-name.ts'

const time = Date.UTC(2026, 0, 5, 13, 4, 9)

test('conversions of strftime', () => {
  expect(logFileName('postgresql-%Y-%m-%d_%H%M%S.log', time)).toBe(
    'postgresql-2026-01-05_130409.log',
  )
  expect(logFileName('%a %A %b %B %d %e %j %y %I %p %u %w', time)).toBe(
    'Mon Monday Jan January 05  5 005 26 01 PM 1 1',
  )
  expect(logFileName('%F %T %R %s %z %Z %% %?', time)).toBe(
    '2026-01-05 13:04:09 13:04 1767618249 +0000 UTC % %?',
  )
})

test('JSON has an extension of its own', () => {
  expect(logFileName('a-%H.log', time, '.json')).toBe('a-13.json')
  expect(logFileName('a-%H', time, '.json')).toBe('a-13.json')
})

test('rotation is at multiples of the age', () => {
  expect(nextRotation(time, 3_600_000)).toBe(Date.UTC(2026, 0, 5, 14))
  expect(nextRotation(Date.UTC(2026, 0, 5, 14), 3_600_000)).toBe(Date.UTC(2026, 0, 5, 15))
  expect(nextRotation(time, 86_400_000)).toBe(Date.UTC(2026, 0, 6))
  expect(nextRotation(time, 0)).toBe(Number.POSITIVE_INFINITY)
})
