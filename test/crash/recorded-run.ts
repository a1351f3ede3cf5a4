// RecordedRun: one run of a workload on a new cluster, or one recovery, with the journal of its disk and a copy of the
// directory from before; the images of all crashes during it are made from these.
import { cpSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster } from '../../src-ts/index.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { DiskModel, type JournalRecord, readJournal } from './disk-image.ts'
import type { Lane } from './ledger.ts'
import { initOptions, runWorkload, settings, type WorkloadOptions } from './workload.ts'

export interface RecordedRun {
  /** None of a recovery. */
  lanes: Lane[]
  records: JournalRecord[]
  journalBytes: number
  /** Numbers of the records after which the disk is another one than before: where to cut. */
  cuts: number[]
  /** A model of the disk at the beginning of the run; of one that does other things than it is asked to. */
  disk: (does?: (record: JournalRecord) => JournalRecord | undefined) => DiskModel
  /** How often the workload did what. */
  steps: Map<string, number>
  /** Gives the directories back; the models are not to be used any more. */
  remove: () => void
}

const changing = new Set(['write', 'sync', 'truncate', 'allocate', 'create', 'sync_directory'])

export async function recordRun(options: Omit<WorkloadOptions, 'now'>): Promise<RecordedRun> {
  const directory = memoryDirectory('sweep')
  await Cluster.init(join(directory, 'original'), initOptions)
  const steps = new Map<string, number>()
  const onStep = (what: string) => {
    const kind = what.replace(/^l\d+ /, '').split(' l')[0] as string
    steps.set(kind, (steps.get(kind) ?? 0) + 1)
  }
  const recorded = await record(directory, async (cluster, now) => {
    const lanes = await runWorkload(cluster, { ...options, now, onStep })
    await cluster.close()
    return lanes
  })
  return { ...recorded, steps }
}

/** The recovery of a directory after a crash, which is moved into the run. */
export async function recordRecovery(crashed: string): Promise<RecordedRun> {
  const directory = memoryDirectory('recovery')
  cpSync(crashed, join(directory, 'original'), { recursive: true })
  rmSync(crashed, { recursive: true })
  return record(directory, async (cluster) => {
    await cluster.close()
    return []
  })
}

// Runs `work` on a copy of the directory `original` in `directory`.
async function record(
  directory: string,
  work: (cluster: Cluster, now: () => number) => Promise<Lane[]>,
): Promise<RecordedRun> {
  const original = join(directory, 'original')
  const run = join(directory, 'run')
  const journal = join(directory, 'journal')
  cpSync(original, run, { recursive: true })
  const disk = new binding.Disk(journal)
  const cluster = await Cluster.open(run, { settings, disk })
  const lanes = await work(cluster, () => disk.journalRecords())
  disk.flushJournal()
  const records = readJournal(journal)
  const cuts = records.flatMap(({ kind }, number) =>
    changing.has(kind) || kind.startsWith('remove') || kind === 'rename' ? [number + 1] : [],
  )
  return {
    lanes,
    records,
    journalBytes: statSync(journal).size,
    cuts,
    steps: new Map(),
    disk: (does) => new DiskModel(records, run, original, does),
    remove: () => rmSync(directory, { recursive: true }),
  }
}
