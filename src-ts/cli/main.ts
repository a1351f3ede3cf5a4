#!/usr/bin/env node
// The program behind `npx pgdata`.
import { Command } from 'commander'
import { version } from '../binding/addon.ts'

const program = new Command('pgdata')
  .description('Make, load, dump and inspect PostgreSQL 18 data directories in-process')
  .version(version())

program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
})
