// Goal: whatever a power failure leaves of the directory, recovery brings back every acknowledged commit and no half
// of any other. Method: a seeded workload runs once, its disk keeping a journal; then the disk dies at chosen moments,
// losing and tearing what was not synced, and each image is recovered and compared with the workload's ledger.
import { beforeAll, expect, test } from 'vitest'
import { Oracle } from '../support/oracle.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { type DiskModel, ImageDirectory, type Survival, survivalOf } from './disk-image.ts'
import { judgeByStock } from './judges.ts'
import { LaneJudge } from './ledger.ts'
import { type RecordedRun, recordRun } from './recorded-run.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? 18)
const stockImages = full ? 100 : 4

let run: RecordedRun

beforeAll(async () => {
  console.log(`crash sweep: PGDATA_SEED=${seed}`)
  run = await recordRun({ seed, lanes: 3, transactions: 40 })
}, 120_000)

// `count` moments of the run, evenly spread.
function moments(count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => run.cuts[Math.floor((run.cuts.length * (i + 1)) / (count + 1))] as number,
  )
}

interface Image {
  disk: DiskModel
  step: number
  survival: Survival
}

function* images(count: number): Generator<Image> {
  const disk = run.disk()
  for (const [i, step] of moments(count).entries()) {
    disk.advance(step)
    yield { disk, step, survival: survivalOf(seed * 100_000 + i) }
  }
}

test(`stock recovers ${stockImages} images`, {
  timeout: 60_000 + stockImages * 10_000,
}, async () => {
  const directory = new ImageDirectory(memoryDirectory('image'))
  const judges = run.lanes.map((lane) => new LaneJudge(lane))
  for (const { disk, step, survival } of images(stockImages)) {
    disk.write(directory, survival)
    const complaints = await judgeByStock(Oracle.adopt(directory.path), judges, step)
    expect(complaints, `record ${step}, ${JSON.stringify(survival)}`).toEqual([])
  }
})

test('a log that was not synced is found missing', { timeout: 60_000 }, async () => {
  // The same run on a disk that takes no sync of the log: then acknowledged commits must be lost.
  const disk = run.disk((record) => record.kind !== 'sync' || !record.path.includes('/pg_wal/'))
  const step = run.cuts.at(-1) as number
  const last = run.lanes.map((lane) => lane.commits.at(-1)?.acknowledged as number)
  expect(Math.min(...last)).toBeLessThanOrEqual(step)
  disk.advance(Math.max(...last))
  const directory = new ImageDirectory(memoryDirectory('image'))
  disk.write(directory, { mode: 'nothing', keep: 0, sectorBytes: 512, seed })
  const judges = run.lanes.map((lane) => new LaneJudge(lane))
  const complaints = await judgeByStock(
    Oracle.adopt(directory.path),
    judges,
    Math.max(...last),
  ).catch((error: Error) => [error.message])
  expect(complaints).not.toEqual([])
})
