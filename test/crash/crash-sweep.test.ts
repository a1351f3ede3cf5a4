// Goal: whatever a power failure leaves of the directory, also one during recovery, recovery brings back every
// acknowledged commit and every prepared transaction, and no half of any other. Method: a seeded workload runs on a
// disk that keeps a journal; then the disk dies at chosen moments, losing and tearing what was not synced, and each
// image is recovered and compared with the workload's ledger. Of some images the recovery keeps a journal too, and the
// disk dies at moments of that.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { type DiskModel, ImageDirectory, type Survival, survivalOf } from './disk-image.ts'
import { judgeByStock, judgeByUs } from './judges.ts'
import { LaneJudge } from './ledger.ts'
import { type RecordedRun, recordRecovery, recordRun } from './recorded-run.ts'

const full = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? 18)
// One run is a workload and the images of it; those of recoveries are made from every few of them.
const runs = full ? 10 : 1
const imagesOfRun = full ? 600 : 240
const recoveriesOfRun = full ? 10 : 3
const imagesOfRecovery = full ? 12 : 20
const stockOfRun = full ? 8 : 2
const stockOfRecoveries = full ? 3 : 1
const keptImages = process.env.PGDATA_KEEP_IMAGES

const digests = new Set<string>()
const counts = { images: 0, ofRecoveries: 0, prepared: 0, byStock: 0 }
const recorded = new Map<number, Promise<RecordedRun>>()

function runOf(number: number): Promise<RecordedRun> {
  let run = recorded.get(number)
  if (run === undefined) {
    console.log(`crash sweep: PGDATA_SEED=${seed + number}`)
    run = recordRun({ seed: seed + number, lanes: 3, transactions: 60 })
    recorded.set(number, run)
    run.then(({ records, cuts }) => console.log(`${records.length} records, ${cuts.length} cuts`))
  }
  return run
}

afterAll(() => {
  console.log(
    `crash sweep: ${counts.images} images recovered, ${digests.size} of them distinct, ` +
      `${counts.ofRecoveries} of recoveries, ${counts.prepared} with prepared transactions; ` +
      `${counts.byStock} recovered by stock too`,
  )
})

// `count` of the cuts, evenly spread.
function moments(cuts: readonly number[], count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => cuts[Math.floor((cuts.length * (i + 1)) / (count + 1))] as number,
  )
}

interface Image {
  what: string
  disk: DiskModel
  /** In the journal of the workload. */
  step: number
  survival: Survival
}

function* images(run: RecordedRun, of: string, count: number, survivals: number): Generator<Image> {
  const disk = run.disk()
  for (const [i, step] of moments(run.cuts, count).entries()) {
    disk.advance(step)
    const survival = survivalOf(survivals + i)
    yield { what: `${of}, record ${step}, ${JSON.stringify(survival)}`, disk, step, survival }
  }
}

// What is wrong with the image after recovery; one that is wrong is kept if that was asked for.
async function complaintsOf(
  image: Image,
  directory: ImageDirectory,
  judges: readonly LaneJudge[],
  step: number,
): Promise<string[]> {
  digests.add(image.disk.write(directory, image.survival))
  // The catalogs are most of what verify reads: of every tenth image.
  const verified = counts.images % 10 === 0 ? 'everything' : 'tables'
  let complaints: string[]
  try {
    complaints = await judgeByUs(directory.path, judges, step, verified)
  } catch (error) {
    complaints = [error instanceof Error ? (error.stack ?? error.message) : `${error}`]
  }
  counts.images++
  if (judges.some(({ matchedPrepared }) => matchedPrepared.length > 0)) counts.prepared++
  if (complaints.length > 0 && keptImages !== undefined) {
    // As it was before anybody recovered it.
    const kept = new ImageDirectory(join(keptImages, `image${counts.images}`))
    image.disk.write(kept, image.survival)
    complaints.push(`kept in ${kept.path}`)
  }
  return complaints
}

for (let number = 0; number < runs; number++) {
  const survivals = (seed + number) * 100_000

  test(`every image of run ${number} is recovered`, {
    timeout: 120_000 + imagesOfRun * 3000,
  }, async () => {
    const run = await runOf(number)
    const directory = new ImageDirectory(memoryDirectory('image'))
    const judges = run.lanes.map((lane) => new LaneJudge(lane))
    for (const image of images(run, `seed ${seed + number}`, imagesOfRun, survivals)) {
      const complaints = await complaintsOf(image, directory, judges, image.step)
      expect(complaints, image.what).toEqual([])
    }
    rmSync(directory.path, { recursive: true })
  })

  test(`every image of recoveries of run ${number} is recovered`, {
    timeout: 120_000 + recoveriesOfRun * imagesOfRecovery * 3000,
  }, async () => {
    const run = await runOf(number)
    const directory = new ImageDirectory(memoryDirectory('image'))
    const judges = run.lanes.map((lane) => new LaneJudge(lane))
    const random = new Random(survivals)
    const of = `seed ${seed + number}`
    for (const first of images(run, of, recoveriesOfRun, survivals + 50_000)) {
      const crashed = memoryDirectory('crashed')
      first.disk.write(new ImageDirectory(crashed), first.survival)
      const recovery = await recordRecovery(crashed)
      const seconds = random.int(0, 2 ** 30)
      for (const image of images(recovery, first.what, imagesOfRecovery, seconds)) {
        const complaints = await complaintsOf(image, directory, judges, first.step)
        expect(complaints, image.what).toEqual([])
        counts.ofRecoveries++
      }
      if (counts.byStock % (stockOfRun + stockOfRecoveries) < stockOfRecoveries)
        for (const image of images(recovery, first.what, 1, seconds + 1000)) {
          image.disk.write(directory, image.survival)
          const found = await judgeByStock(Oracle.adopt(directory.path), judges, first.step)
          expect(found, `stock, ${image.what}`).toEqual([])
          counts.byStock++
        }
      recovery.remove()
    }
    rmSync(directory.path, { recursive: true })
  })

  test(`stock recovers images of run ${number}`, {
    timeout: 60_000 + stockOfRun * 20_000,
  }, async () => {
    const run = await runOf(number)
    const directory = new ImageDirectory(memoryDirectory('image'))
    const judges = run.lanes.map((lane) => new LaneJudge(lane))
    for (const image of images(run, `seed ${seed + number}`, stockOfRun, survivals)) {
      image.disk.write(directory, image.survival)
      const complaints = await judgeByStock(Oracle.adopt(directory.path), judges, image.step)
      expect(complaints, image.what).toEqual([])
      counts.byStock++
    }
    rmSync(directory.path, { recursive: true })
    // The first is wanted once more.
    if (number > 0) run.remove()
  })
}

test('a log that was not synced is found missing', { timeout: 60_000 }, async () => {
  const run = await runOf(0)
  // The same run on a disk that takes no sync of the log: then acknowledged commits must be lost.
  const disk = run.disk((record) => {
    if (!record.path.includes('/pg_wal/')) return record
    return record.kind === 'sync' ? undefined : { ...record, lasts: false }
  })
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

test('the workload does everything that a crash could catch half done', async () => {
  const steps = new Map<string, number>()
  for (const run of await Promise.all(recorded.values()))
    for (const [what, count] of run.steps) steps.set(what, (steps.get(what) ?? 0) + count)
  console.log([...steps].map(([what, count]) => `${what}: ${count}`).join(', '))
  const wanted = [
    ...[
      'insertOne',
      'insertMany',
      'updateHot',
      'updateKey',
      'updateBig',
      'deleteFew',
      'deleteMany',
    ],
    ...['create', 'drop', 'truncate', 'index', 'lockFew', 'share', 'vacuum', 'checkpoint'],
    ...['savepoint', 'savepoint released', 'savepoint rolled back'],
    ...['prepare', 'commit prepared', 'rollback prepared'],
  ]
  // Of one short run chance may leave out something rare.
  const missing = wanted.filter((what) => !steps.has(what))
  expect(missing.length, `missing: ${missing}`).toBeLessThanOrEqual(full ? 0 : 2)
})
