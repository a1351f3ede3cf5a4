// pgdata control: pg_control, as pg_controldata prints it.
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { formatControlFile, readControlFile } from '../inspect/control-file.ts'
import { write, writeJson } from './output.ts'

export function addControl(program: Command): void {
  program
    .command('control <dir>')
    .description('print the control file, as pg_controldata of the same release does')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, options: { json?: boolean }) => {
      const control = readControlFile(resolve(directory))
      if (options.json) await writeJson(control)
      else await write(`${formatControlFile(control)}\n`)
    })
}
