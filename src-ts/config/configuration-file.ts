// ConfigurationFile: postgresql.conf and what it includes, taken apart. A caller may rely on entries in the order in which
// they count, each with its file and line, and on errors that say the same; what is wrong does not hide what follows.
// Source: src/backend/utils/misc/guc-file.l, src/backend/utils/misc/conffiles.c, PostgreSQL 18.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'

/** One line of a file that gives a setting a value. */
export interface ConfigurationEntry {
  name: string
  value: string
  file: string
  line: number
}

/** What is wrong with a file, a line of it, or a value in it. */
export interface ConfigurationError {
  /** SQLSTATE. */
  code: string
  message: string
  hint?: string | undefined
  /** Undefined when it is the main file that cannot be read. */
  file: string | undefined
  line: number
}

export interface Configuration {
  entries: ConfigurationEntry[]
  errors: ConfigurationError[]
}

const depthMax = 10
const errorsMax = 100

type Kind = 'id' | 'qualified' | 'string' | 'unquoted' | 'number' | 'equals' | 'end' | 'error'
interface Token {
  kind: Kind
  text: string
}

// The longest match counts, and of equally long ones the first. Letters are also all bytes from 128 on.
const patterns: readonly (readonly [Kind, RegExp])[] = [
  ['id', /[A-Za-z_\x80-\uffff][A-Za-z_0-9\x80-\uffff]*/y],
  [
    'qualified',
    /[A-Za-z_\x80-\uffff][A-Za-z_0-9\x80-\uffff]*\.[A-Za-z_\x80-\uffff][A-Za-z_0-9\x80-\uffff]*/y,
  ],
  ['string', /'(?:[^'\\\n]|\\[^\n]|'')*'/y],
  ['unquoted', /[A-Za-z_\x80-\uffff][-A-Za-z_0-9\x80-\uffff._:/]*/y],
  ['number', /[-+]?(?:0x[0-9a-fA-F]+|\d+)[a-zA-Z]*/y],
  ['number', /[-+]?\d*\.\d*(?:[Ee][-+]?\d+)?/y],
  ['equals', /=/y],
]

// The tokens of one line, without white space and the comment.
function tokensOf(line: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < line.length; ) {
    const character = line[at] as string
    if (' \t\r'.includes(character)) {
      at++
      continue
    }
    if (character === '#') break
    let best: Token = { kind: 'error', text: '' }
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at
      const text = pattern.exec(line)?.[0] ?? ''
      if (text.length > best.text.length) best = { kind, text }
    }
    if (best.text === '') best.text = character
    tokens.push(best)
    at += best.text.length
  }
  return tokens
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

// What a quoted value stands for.
function unquote(text: string): string {
  return text
    .slice(1, -1)
    .replace(/''|\\([0-7]{1,3})|\\(.)/g, (_, octal: string | undefined, letter: string) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
      return letter === undefined ? "'" : (escapes[letter] ?? letter)
    })
}

function isBlank(text: string): boolean {
  return /^[ \t\n\v\f\r]*$/.test(text)
}

// The SQLSTATE of a file that cannot be read, and what the system calls it.
function accessFailure(error: unknown): { code: string; reason: string } {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return { code: '58P01', reason: 'No such file or directory' }
    case 'EACCES':
    case 'EPERM':
      return { code: '42501', reason: 'Permission denied' }
    case 'EISDIR':
      return { code: '42809', reason: 'Is a directory' }
    case 'ENOTDIR':
      return { code: '42809', reason: 'Not a directory' }
    default:
      return { code: 'F0000', reason: (error as Error).message }
  }
}

class Reader {
  readonly configuration: Configuration = { entries: [], errors: [] }

  // `from` is the line that includes the file.
  readFile(path: string, depth: number, from?: { file: string; line: number }, lenient = false) {
    if (isBlank(path)) {
      this.#refuse('22023', `empty configuration file name: "${path}"`, from)
      return
    }
    if (depth > depthMax) {
      this.#refuse(
        '54000',
        `could not open configuration file "${path}": maximum nesting depth exceeded`,
        from,
      )
      return
    }
    const absolute = absolutePath(path, from?.file)
    if (absolute === from?.file) {
      this.#refuse('22023', `configuration file recursion in "${absolute}"`, from)
      return
    }
    let text: string
    try {
      text = readFileSync(absolute, 'utf8')
    } catch (error) {
      if (lenient && (error as NodeJS.ErrnoException).code === 'ENOENT') return
      const { code, reason } = accessFailure(error)
      this.#refuse(code, `could not open configuration file "${absolute}": ${reason}`, from)
      return
    }
    this.#readText(text, absolute, depth)
  }

  #readText(text: string, file: string, depth: number): void {
    const lines = text.split('\n')
    // What follows the last line's end is a line of its own only when there is something.
    const ended = lines.at(-1) === ''
    if (ended) lines.pop()
    let errors = 0
    for (const [index, content] of lines.entries()) {
      const line = index + 1
      const tokens = tokensOf(content)
      if (tokens.length === 0) continue
      const wrong = firstWrong(tokens)
      if (wrong === undefined) {
        this.#take(tokens, file, line, depth)
        continue
      }
      if (wrong === 'end') {
        // PostgreSQL counts a line when it sees its end.
        const counted = ended || index < lines.length - 1 ? line : line - 1
        this.#syntaxError(file, counted, 'near end of line')
      } else this.#syntaxError(file, line, `near token "${wrong.text}"`)
      if (++errors < errorsMax) continue
      this.#refuse('54000', `too many syntax errors found, abandoning file "${file}"`, {
        file,
        line,
      })
      return
    }
  }

  #take(tokens: Token[], file: string, line: number, depth: number): void {
    const [first, second, third] = tokens as [Token, Token, Token | undefined]
    const given = second.kind === 'equals' ? (third as Token) : second
    const name = first.text
    const value = given.kind === 'string' ? unquote(given.text) : given.text
    const from = { file, line }
    switch (name.toLowerCase()) {
      case 'include':
        this.readFile(value, depth + 1, from)
        break
      case 'include_if_exists':
        this.readFile(value, depth + 1, from, true)
        break
      case 'include_dir':
        this.#readDirectory(value, depth + 1, from)
        break
      default:
        this.configuration.entries.push({ name, value, file, line })
    }
  }

  // The files of a directory that end with ".conf", in the order of their bytes.
  #readDirectory(path: string, depth: number, from: { file: string; line: number }): void {
    if (isBlank(path)) {
      this.#refuse('22023', `empty configuration directory name: "${path}"`, from)
      return
    }
    const absolute = absolutePath(path, from.file)
    try {
      const names = readdirSync(absolute, 'buffer').sort(Buffer.compare).map(String)
      for (const name of names) {
        if (name.startsWith('.') || !name.endsWith('.conf') || name.length < 6) continue
        const file = join(absolute, name)
        if (statSync(file).isDirectory()) continue
        const errors = this.configuration.errors.length
        this.readFile(file, depth, from)
        // Those that follow a bad one are not read.
        if (this.configuration.errors.length > errors) return
      }
    } catch (error) {
      const { code, reason } = accessFailure(error)
      this.#refuse(code, `could not open configuration directory "${absolute}": ${reason}`, from)
    }
  }

  #syntaxError(file: string, line: number, where: string): void {
    this.#refuse('42601', `syntax error in file "${file}" line ${line}, ${where}`, { file, line })
  }

  #refuse(code: string, message: string, at: { file: string; line: number } | undefined): void {
    this.configuration.errors.push({ code, message, file: at?.file, line: at?.line ?? 0 })
  }
}

// The token with which a line goes wrong, or 'end' when it ends too early.
function firstWrong(tokens: readonly Token[]): Token | 'end' | undefined {
  const rest = [...tokens]
  const name = rest.shift() as Token
  if (name.kind !== 'id' && name.kind !== 'qualified') return name
  if (rest[0]?.kind === 'equals') rest.shift()
  const value = rest.shift()
  if (value === undefined) return 'end'
  // A value with a dot must be quoted, unless it is a number or begins like a path.
  const isValue = ['id', 'string', 'number', 'unquoted'].includes(value.kind)
  if (!isValue) return value
  return rest[0]
}

function absolutePath(path: string, from: string | undefined): string {
  return isAbsolute(path) || from === undefined ? path : join(dirname(from), path)
}

/**
 * The entries of the directory's postgresql.conf and postgresql.auto.conf. Unless the former is required, a directory may
 * have neither: a base backup of a server whose files are elsewhere.
 */
export function readConfiguration(dataDirectory: string, isRequired = false): Configuration {
  const own = readConfigurationFile(join(dataDirectory, 'postgresql.conf'), isRequired)
  const auto = readConfigurationFile(join(dataDirectory, 'postgresql.auto.conf'))
  return {
    entries: [...own.entries, ...auto.entries],
    errors: [...own.errors, ...auto.errors],
  }
}

/** The entries of one file, which may be missing unless it is required, and of what it includes. */
export function readConfigurationFile(path: string, isRequired = false): Configuration {
  const reader = new Reader()
  reader.readFile(path, 0, undefined, !isRequired)
  return reader.configuration
}
