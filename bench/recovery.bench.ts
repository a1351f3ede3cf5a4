// How fast is the log replayed after a crash, beside stock PostgreSQL on the same directory?
//
// Predicted: twice stock's speed. A record that changes one page costs a hash lookup, a pin and a lock without any
// system call in both; stock spends more on its buffer headers, relation cache and memory contexts.
//
// Both replay copies of one crash image of stock's, in turn; elapsed time is from the first record to the last, as
// stock's log states it and as onProgress tells it. The best of a few rounds counts.
import { rmSync } from 'node:fs'
import { Cluster } from 'pgdata'
import { copyOf } from '../test/support/crash-images.ts'
import { Oracle } from '../test/support/oracle.ts'

const rounds = 3
const workloads: Record<string, { setup: string; work: string }> = {
  'inserts into a table with two indexes': {
    setup: 'create table t (id int primary key, v text, n int); create index on t (n);',
    work: "insert into t select i, 'value ' || i, (i::int8 * 7919 % 1000003)::int4 from generate_series(1, 600000) i",
  },
  'updates and deletes': {
    setup: `create table t (id int primary key, v text, n int);
            insert into t select i, 'value ' || i, i from generate_series(1, 300000) i;`,
    work: 'update t set n = n + 1; delete from t where id % 3 = 0; update t set n = n + 1',
  },
}

async function crashImage(setup: string, work: string): Promise<string> {
  const oracle = await Oracle.initdb()
  await oracle.start({ autovacuum: false, max_wal_size: '4GB', checkpoint_timeout: '1h' })
  const client = await oracle.client()
  await client.query(setup)
  await client.query('checkpoint')
  await client.query(work)
  await oracle.kill9()
  return oracle.dir
}

interface Replay {
  bytes: number
  seconds: number
}

async function byUs(directory: string): Promise<Replay> {
  let start: number | undefined
  let end = 0
  let bytes = 0
  const cluster = await Cluster.open(directory, {
    settings: { shared_buffers: '512MB', fsync: false },
    onProgress: ({ replayedBytes }) => {
      end = performance.now()
      start ??= end
      bytes = replayedBytes
    },
  })
  await cluster.close()
  return { bytes, seconds: (end - (start ?? end)) / 1000 }
}

function lsn(text: string): number {
  const [high, low] = text.split('/') as [string, string]
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16)
}

async function byStock(directory: string): Promise<Replay> {
  await using oracle = Oracle.adopt(directory)
  await oracle.start({ shared_buffers: '512MB', fsync: false })
  const log = oracle.log()
  const from = /redo starts at ([0-9A-F/]+)/.exec(log)?.[1] ?? '0/0'
  const done = /redo done at ([0-9A-F/]+) .*elapsed: ([0-9.]+) s/.exec(log)
  await oracle.stop('immediate')
  return { bytes: lsn(done?.[1] ?? '0/0') - lsn(from), seconds: Number(done?.[2]) }
}

function speed({ bytes, seconds }: Replay): number {
  return bytes / 1e6 / seconds
}

for (const [name, { setup, work }] of Object.entries(workloads)) {
  const image = await crashImage(setup, work)
  let ours = 0
  let theirs = 0
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    for (const replay of [byUs, byStock]) {
      const copy = copyOf(image)
      const measured = await replay(copy)
      rmSync(copy, { recursive: true, force: true })
      if (replay === byUs) ours = Math.max(ours, speed(measured))
      else theirs = Math.max(theirs, speed(measured))
      bytes = measured.bytes
    }
  }
  rmSync(image, { recursive: true })
  console.log(
    `replay of ${name}, ${(bytes / 1e6).toFixed(0)} MB: pgdata ${ours.toFixed(0)} MB/s, ` +
      `stock ${theirs.toFixed(0)} MB/s, ratio ${(ours / theirs).toFixed(2)}`,
  )
}
