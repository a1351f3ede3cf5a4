// Progress bars: on standard error, and only where that is a terminal and standard output is not.
import { Presets, SingleBar } from 'cli-progress'

export interface Progress {
  add(amount: number): void
  stop(): void
}

const silent: Progress = { add: () => undefined, stop: () => undefined }

/** A bar that counts `unit` up to an estimated `total`. */
export function progressBar(unit: string, total: number, besideOutput = false): Progress {
  if (!process.stderr.isTTY || (process.stdout.isTTY && !besideOutput)) return silent
  const bar = new SingleBar(
    {
      format: `{bar} {percentage}% | {value}/{total} ${unit} | {duration_formatted}`,
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      etaBuffer: 100,
    },
    Presets.shades_classic,
  )
  let done = 0
  let expected = Math.max(total, 1)
  bar.start(expected, 0)
  return {
    add(amount) {
      done += amount
      if (done > expected) {
        expected = done
        bar.setTotal(expected)
      }
      bar.update(done)
    },
    stop: () => bar.stop(),
  }
}
