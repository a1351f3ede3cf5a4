// Generates the TypeScript copy of the disk layouts in native/layout/*.h: each struct's size and its fields' offsets
// and sizes, and each integral constant. The names are read from the headers, the values come from the compiler,
// by way of a small program that prints them.
//
// What is read, each from the start of its line: `struct Name {` with one field a line, `inline constexpr type NAME`
// with an initialiser, and enumerators of `enum … {` blocks with one a line.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../run.ts'

const directory = 'native/layout'

interface Struct {
  name: string
  fields: string[]
}

interface Declarations {
  structs: Struct[]
  // C++ expressions by the name that they get in TypeScript.
  constants: Map<string, string>
}

// Reads the declarations of one header; throws on two of the same name.
function readHeader(lines: string[], found: Declarations): void {
  let struct: Struct | undefined
  let scope: string | undefined
  for (const line of lines) {
    const structName = /^struct (\w+) \{$/.exec(line)?.[1]
    const enumeration = /^enum (class )?(\w+)?.*\{$/.exec(line)
    const constant = /^inline constexpr [\w:]+ (\w+)\s*(?:=|\{)/.exec(line)?.[1]
    if (structName !== undefined) {
      struct = { name: structName, fields: [] }
      found.structs.push(struct)
    } else if (enumeration !== null) {
      scope = enumeration[1] === undefined ? '' : `${enumeration[2]}::`
    } else if (line.startsWith('}')) {
      struct = undefined
      scope = undefined
    } else if (constant !== undefined) {
      addConstant(found, constant, constant)
    } else if (struct !== undefined) {
      // A field: a type, a name, perhaps an array bound or an initialiser; flexible arrays have no size.
      const field = /^ {2}[\w:<>]+ (\w+)(?:\[\w+\])*(?: = .*|\{.*\})?;/.exec(line)?.[1]
      if (field !== undefined && !/^ {2}(using|static|return|friend) /.test(line)) {
        struct.fields.push(field)
      }
    } else if (scope !== undefined) {
      const name = /^ {2}(\w+)(?: = .*?)?,?(?:\s*\/\/.*)?$/.exec(line)?.[1]
      if (name !== undefined) addConstant(found, `${scope.replace('::', '_')}${name}`, scope + name)
    }
  }
}

function addConstant(found: Declarations, name: string, expression: string): void {
  if (found.constants.has(name)) throw new Error(`${directory}: ${name} is declared twice`)
  found.constants.set(name, expression)
}

// A program that prints the generated text. Constants of other than integral types print nothing.
function printingProgram(headers: string[], { structs, constants }: Declarations): string {
  return `
${headers.map((header) => `#include "layout/${header}"`).join('\n')}
#include <cstddef>
#include <cstdio>
#include <type_traits>
using namespace pgdata;

template <typename T>
void print_constant(const char* name, T value) {
  if constexpr (std::is_enum_v<T>) {
    print_constant(name, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    std::printf("export const %s = %s\\n", name, value ? "true" : "false");
  } else if constexpr (std::is_integral_v<T>) {
    // Beyond 2^53 a number would lose digits.
    const bool is_exact = value <= static_cast<T>(0) || static_cast<unsigned long long>(value) <= (1ULL << 53);
    if constexpr (std::is_signed_v<T>) {
      std::printf("export const %s = %lld%s\\n", name, static_cast<long long>(value), is_exact ? "" : "n");
    } else {
      std::printf("export const %s = %llu%s\\n", name, static_cast<unsigned long long>(value), is_exact ? "" : "n");
    }
  } else {
    static_cast<void>(name);
  }
}

int main() {
${[...constants].map(([name, expression]) => `  print_constant("${name}", ${expression});`).join('\n')}
${structs.map(printStruct).join('\n')}
}
`
}

function printStruct({ name, fields }: Struct): string {
  const lines = [
    `  std::printf("\\nexport const ${name} = {\\n  size: %zu,\\n", sizeof(${name}));`,
    ...fields.map(
      (field) =>
        `  std::printf("  ${field}: { offset: %zu, size: %zu },\\n", offsetof(${name}, ${field}), sizeof(${name}::${field}));`,
    ),
    '  std::printf("} as const\\n");',
  ]
  return lines.join('\n')
}

function output(command: string, args: string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8' })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) throw new Error(`${command} failed:\n${result.stderr}`)
  return result.stdout
}

function compileAndRun(program: string): string {
  const work = mkdtempSync(join(tmpdir(), 'pgdata-generate-'))
  try {
    const source = join(work, 'layouts.cc')
    writeFileSync(source, program)
    const flags = ['-std=c++20', '-Wno-invalid-offsetof', `-I${join(root, 'native')}`]
    output(process.env.CXX ?? 'c++', [...flags, '-o', join(work, 'layouts'), source])
    return output(join(work, 'layouts'), [])
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

// The text of src-ts/binding/layouts.generated.ts.
export function generateLayouts(): string {
  const headers = readdirSync(join(root, directory))
    .filter((name) => name.endsWith('.h'))
    .sort()
  const found: Declarations = { structs: [], constants: new Map() }
  for (const header of headers) {
    readHeader(readFileSync(join(root, directory, header), 'utf8').split('\n'), found)
  }
  return [
    `// Generated by "npm run generate" from ${directory}/*.h; changes go there. Sizes and offsets are in bytes.`,
    '',
    compileAndRun(printingProgram(headers, found)),
  ].join('\n')
}
