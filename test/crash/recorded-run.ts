// RecordedRun: one run of a workload on a new cluster, with the journal of its disk and a copy of the directory from
// before; the images of all crashes during it are made from these.
import { cpSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { binding } from '../../src-ts/binding/addon.ts'
import { Cluster } from '../../src-ts/index.ts'
import { memoryDirectory } from '../support/temporary-directory.ts'
import { DiskModel, type JournalRecord, readJournal } from './disk-image.ts'
import type { Lane } from './ledger.ts'
import { initOptions, runWorkload, settings, type WorkloadOptions } from './workload.ts'

export interface RecordedRun {
  lanes: Lane[]
  records: JournalRecord[]
  journalBytes: number
  /** Numbers of the records after which the disk is another one than before: where to cut. */
  cuts: number[]
  /** A model of the disk at the beginning of the run; of one that does only some of what it is asked to. */
  disk: (does?: (record: JournalRecord) => boolean) => DiskModel
}

const changing = new Set(['write', 'sync', 'truncate', 'allocate', 'create', 'sync_directory'])

export async function recordRun(options: Omit<WorkloadOptions, 'now'>): Promise<RecordedRun> {
  const directory = memoryDirectory('sweep')
  const original = join(directory, 'original')
  const run = join(directory, 'run')
  const journal = join(directory, 'journal')
  await Cluster.init(original, initOptions)
  cpSync(original, run, { recursive: true })
  const disk = new binding.Disk(journal)
  const cluster = await Cluster.open(run, { settings, disk })
  const lanes = await runWorkload(cluster, { ...options, now: () => disk.journalRecords() })
  await cluster.close()
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
    disk: (does) => new DiskModel(records, run, original, does),
  }
}
