// Whether autovacuum vacuums a relation, and whether it analyzes it.
// Goal: thresholds, scale factors, ages and storage parameters decide as in PostgreSQL 18. Method: sizes and counts just
// below and just above each threshold.
import { describe, expect, test } from 'vitest'
import { resolveSettings } from '../../../src-ts/config/settings.ts'
import {
  needsAnalyze,
  type RelationSizes,
  vacuumNeed,
} from '../../../src-ts/process/vacuum-need.ts'
import { storageParameters } from '../../../src-ts/relation/storage-parameters.ts'

const sizes: RelationSizes = {
  relpages: 100,
  reltuples: 1000,
  relallfrozen: 0,
  relfrozenxid: 1000,
  relminmxid: 10,
}
const next = { nextXid: 5000, nextMulti: 20 }

function need(
  changes: { dead_tuples?: number; ins_since_vacuum?: number } | undefined,
  options: {
    sizes?: Partial<RelationSizes>
    parameters?: string[]
    settings?: Record<string, string | number | boolean>
    next?: typeof next
  } = {},
) {
  return vacuumNeed(
    { ...sizes, ...options.sizes },
    changes && { dead_tuples: 0, ins_since_vacuum: 0, ...changes },
    resolveSettings(options.settings),
    storageParameters(options.parameters ?? null),
    options.next ?? next,
  )
}

describe('autovacuum is needed', () => {
  test('when more rows are dead than the threshold and a share of the table', () => {
    expect(need({ dead_tuples: 250 })).toBeUndefined()
    expect(need({ dead_tuples: 251 })).toEqual({ wraparound: false })
    expect(need({ dead_tuples: 51 }, { sizes: { reltuples: -1 } })).toEqual({ wraparound: false })
    expect(need(undefined)).toBeUndefined()
  })

  test('in a big table when more are dead than the maximum', () => {
    const big = { sizes: { reltuples: 1e9 } }
    expect(need({ dead_tuples: 100_000_000 }, big)).toBeUndefined()
    expect(need({ dead_tuples: 100_000_001 }, big)).toEqual({ wraparound: false })
    const without = { ...big, settings: { autovacuum_vacuum_max_threshold: -1 } }
    expect(need({ dead_tuples: 100_000_001 }, without)).toBeUndefined()
  })

  test('when many rows were inserted into what is not frozen', () => {
    expect(need({ ins_since_vacuum: 1200 })).toBeUndefined()
    expect(need({ ins_since_vacuum: 1201 })).toEqual({ wraparound: false })
    expect(need({ ins_since_vacuum: 1101 }, { sizes: { relallfrozen: 50 } })).toEqual({
      wraparound: false,
    })
    const off = { settings: { autovacuum_vacuum_insert_threshold: -1 } }
    expect(need({ ins_since_vacuum: 1e9 }, off)).toBeUndefined()
  })

  test('as the storage parameters say', () => {
    const parameters = ['autovacuum_vacuum_threshold=5', 'autovacuum_vacuum_scale_factor=0']
    expect(need({ dead_tuples: 5 }, { parameters })).toBeUndefined()
    expect(need({ dead_tuples: 6 }, { parameters })).toEqual({ wraparound: false })
    expect(
      need({ dead_tuples: 6 }, { parameters: [...parameters, 'autovacuum_enabled=false'] }),
    ).toBeUndefined()
  })

  test('when ids run out, whatever else was said', () => {
    const old = { next: { nextXid: 200_001_001, nextMulti: 20 } }
    expect(need(undefined, old)).toEqual({ wraparound: true })
    expect(need(undefined, { ...old, settings: { autovacuum: false } })).toEqual({
      wraparound: true,
    })
    expect(need(undefined, { ...old, parameters: ['autovacuum_enabled=off'] })).toEqual({
      wraparound: true,
    })
    expect(need(undefined, { next: { nextXid: 200_001_000, nextMulti: 20 } })).toBeUndefined()
    expect(need(undefined, { next: { nextXid: 5000, nextMulti: 400_000_011 } })).toEqual({
      wraparound: true,
    })
    // The age of a table may be less than the setting's, not more.
    const parameters = ['autovacuum_freeze_max_age=3000']
    expect(need(undefined, { parameters })).toEqual({ wraparound: true })
    const more = { ...old, parameters: ['autovacuum_freeze_max_age=2000000000'] }
    expect(need(undefined, more)).toEqual({ wraparound: true })
  })

  test('over the point where ids wrap around', () => {
    const wrapped = { sizes: { relfrozenxid: 4_294_900_000 } }
    expect(need(undefined, { ...wrapped, next: { nextXid: 1000, nextMulti: 20 } })).toBeUndefined()
    expect(need(undefined, { ...wrapped, next: { nextXid: 200_000_000, nextMulti: 20 } })).toEqual({
      wraparound: true,
    })
  })
})

describe('an analyze is needed', () => {
  const needed = (
    changes: number | undefined,
    parameters: string[] | null = null,
    settings: Record<string, string | number | boolean> = {},
    reltuples = 1000,
  ) =>
    needsAnalyze(
      { ...sizes, reltuples },
      changes,
      resolveSettings(settings),
      storageParameters(parameters),
    )

  test('when more rows changed than the threshold and a share of the table', () => {
    expect(needed(150)).toBe(false)
    expect(needed(151)).toBe(true)
    expect(needed(51, null, {}, -1)).toBe(true)
    expect(needed(undefined)).toBe(false)
    expect(needed(11, null, { autovacuum_analyze_threshold: 10 }, 0)).toBe(true)
  })

  test('as the storage parameters say', () => {
    const parameters = ['autovacuum_analyze_threshold=5', 'autovacuum_analyze_scale_factor=0']
    expect(needed(5, parameters)).toBe(false)
    expect(needed(6, parameters)).toBe(true)
    expect(needed(1e6, ['autovacuum_enabled=off'])).toBe(false)
  })

  test('never while autovacuum is off', () => {
    expect(needed(1e6, null, { autovacuum: false })).toBe(false)
    expect(needed(1e6, null, { track_counts: false })).toBe(false)
  })
})
