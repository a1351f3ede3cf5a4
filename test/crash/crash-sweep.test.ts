// Goal: whatever a power failure leaves of the directory, recovery brings back every acknowledged commit and no half
// of any other. Method: a seeded workload runs once, its disk keeping a journal; then the disk dies at chosen moments,
// losing and tearing what was not synced, and each image is recovered and compared with the workload's ledger.
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { Oracle } from '../support/oracle.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { type DiskModel, ImageDirectory, type Survival, survivalOf } from './disk-image.ts'
import { judgeByStock, judgeByUs } from './judges.ts'
import { LaneJudge } from './ledger.ts'
import { type RecordedRun, recordRun } from './recorded-run.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? 18)
const ourImages = full ? 5000 : 300
// Without a recovery of our own every image costs a start of stock.
const imagesWithoutOurs = 3
const stockImages = full ? 100 : 3
const keptImages = process.env.PGDATA_KEEP_IMAGES

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

test(`every one of ${ourImages} images is recovered`, {
  timeout: 120_000 + ourImages * 2000,
}, async () => {
  const directory = new ImageDirectory(memoryDirectory('image'))
  const judges = run.lanes.map((lane) => new LaneJudge(lane))
  let byStock = 0
  let done = 0
  for (const { disk, step, survival } of images(ourImages)) {
    if (byStock > 0 && done >= imagesWithoutOurs) break
    const what = `record ${step}, ${JSON.stringify(survival)}`
    disk.write(directory, survival)
    // The catalogs are most of what verify reads: of every tenth image.
    const verified = done % 10 === 0 ? 'everything' : 'tables'
    let complaints: string[]
    try {
      complaints = await judgeByUs(directory.path, judges, step, verified, () => byStock++)
    } catch (error) {
      complaints = [error instanceof Error ? (error.stack ?? error.message) : `${error}`]
    }
    if (complaints.length > 0 && keptImages !== undefined) {
      // As it was before anybody recovered it.
      const kept = new ImageDirectory(join(keptImages, `${seed}-${step}`))
      disk.write(kept, survival)
    }
    expect(complaints, what).toEqual([])
    done++
  }
  if (byStock > 0)
    console.log(`only ${done} of ${ourImages} images, since stock had to recover them`)
  expect(done).toBeGreaterThanOrEqual(Math.min(ourImages, imagesWithoutOurs))
})

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
