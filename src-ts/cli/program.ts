// The commands of the program and how they end.
import { Command, CommanderError } from 'commander'
import { version } from '../binding/addon.ts'
import { addCluster } from './cluster.ts'
import { addControl } from './control.ts'
import { addDump } from './dump.ts'
import { describeFailure, exitStatus } from './failure.ts'
import { addInit } from './init.ts'
import { addList } from './list.ts'
import { addLoad } from './load.ts'
import { addPage } from './page.ts'
import { addReindex } from './reindex.ts'
import { addVacuum } from './vacuum.ts'
import { addVerify } from './verify.ts'
import { addWal } from './wal.ts'

/** Runs one command line; resolves with its exit status. */
export async function runProgram(argv: string[]): Promise<number> {
  let status: number = exitStatus.done
  const program = new Command('pgdata')
    .description('Make, load, dump and inspect PostgreSQL data directories in-process')
    .version(version())
    .exitOverride()
    .configureOutput({ outputError: (text, print) => print(text.replace(/^error: /, 'pgdata: ')) })
  addInit(program)
  addLoad(program)
  addDump(program)
  addList(program)
  addControl(program)
  addPage(program)
  addVacuum(program)
  addCluster(program)
  addReindex(program)
  const report = (found: keyof typeof exitStatus) => {
    status = exitStatus[found]
  }
  addVerify(program, report)
  addWal(program, report)
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError(`HINT:  Try "pgdata ${command.name()} --help".`)
    command.configureOutput({
      outputError: (text, print) => print(text.replace(/^error: /, 'pgdata: ')),
    })
  }
  try {
    await program.parseAsync(argv)
    return status
  } catch (error) {
    // Commander has printed what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitStatus.failed
    console.error(describeFailure(error))
    return exitStatus.failed
  }
}
