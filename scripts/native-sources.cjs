// Prints the native sources of native/sources.txt for binding.gyp, one path a line, from the root.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

const list = readFileSync(join(__dirname, '..', 'native', 'sources.txt'), 'utf8')
const sources = list.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
process.stdout.write(sources.map((source) => `native/${source}\n`).join(''))
