// The type aclitem: what one role may do, and who granted it.
//
//   offset  size  field       meaning
//        0     4  ai_grantee  OID of the role, 0 for PUBLIC
//        4     4  ai_grantor  OID of the role that granted
//        8     8  ai_privs    bits 0-31 the privileges, bits 32-63 their grant options
//
// Little-endian. Source: src/include/utils/acl.h, PostgreSQL 18.

import type { BuiltinType } from './builtin-types.ts'
import { readUint32, writeInt32 } from './byte-text.ts'
import { isDigit, isLetter, skipSpaces } from './character.ts'
import type { NameResolver, TypeCodec } from './codec.ts'
import { isAllDigits } from './integer.ts'
import { checkText, corrupted, refusal, wrongKind } from './refusal.ts'

const ACL_ITEM_BYTES = 16
/** The letter of each privilege, from bit 0. */
const PRIVILEGE_LETTERS = 'arwdDxtXUCTcsAm'
const BOOTSTRAP_SUPERUSER = 10
const NAME_BYTES_MAX = 63

function isPlainNameCharacter(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 95
}

function printName(name: string): string {
  for (let at = 0; at < name.length; at++) {
    if (!isPlainNameCharacter(name.charCodeAt(at))) return `"${name.replace(/"/g, '""')}"`
  }
  return name
}

function printAclItem(raw: Uint8Array, names: NameResolver | undefined): string {
  if (raw.length !== ACL_ITEM_BYTES) throw corrupted('aclitem')
  const role = (oid: number) => printName(names?.nameOf?.('aclitem', oid) ?? `${oid}`)
  const grantee = readUint32(raw, 0)
  const privileges = readUint32(raw, 8)
  const options = readUint32(raw, 12)
  let text = grantee === 0 ? '' : role(grantee)
  text += '='
  for (let bit = 0; bit < PRIVILEGE_LETTERS.length; bit++) {
    if (privileges & (1 << bit)) text += PRIVILEGE_LETTERS[bit]
    if (options & (1 << bit)) text += '*'
  }
  return `${text}/${role(readUint32(raw, 4))}`
}

class AclItemReader {
  private at = 0

  constructor(
    private readonly text: string,
    private readonly names: NameResolver | undefined,
  ) {}

  read(): Uint8Array {
    let name = this.readName()
    if (this.text.charAt(this.at) !== '=') {
      if (name !== 'group' && name !== 'user') {
        throw refusal(
          '22P02',
          `unrecognized key word: "${name}"`,
          undefined,
          'ACL key word must be "group" or "user".',
        )
      }
      name = this.readName()
      if (name === '') {
        throw refusal(
          '22P02',
          'missing name',
          undefined,
          'A name must follow the "group" or "user" key word.',
        )
      }
    }
    if (this.text.charAt(this.at) !== '=') throw refusal('22P02', 'missing "=" sign')
    this.at++
    let privileges = 0
    let options = 0
    let last = 0
    for (; ; this.at++) {
      const letter = this.text.charAt(this.at)
      if (letter === '*') {
        options |= last
      } else if (isLetter(letter.charCodeAt(0))) {
        const bit = PRIVILEGE_LETTERS.indexOf(letter)
        if (bit < 0 && letter !== 'R') {
          throw refusal('22P02', `invalid mode character: must be one of "${PRIVILEGE_LETTERS}"`)
        }
        last = bit < 0 ? 0 : 1 << bit
      } else {
        break
      }
      privileges |= last
    }
    const grantee = name === '' ? 0 : this.roleOf(name)
    let grantor = BOOTSTRAP_SUPERUSER
    if (this.text.charAt(this.at) === '/') {
      this.at++
      const grantorName = this.readName()
      if (grantorName === '') throw refusal('22P02', 'a name must follow the "/" sign')
      grantor = this.roleOf(grantorName)
    }
    if (skipSpaces(this.text, this.at) !== this.text.length) {
      throw refusal('22P02', 'extra garbage at the end of the ACL specification')
    }
    const bytes = new Uint8Array(ACL_ITEM_BYTES)
    writeInt32(bytes, 0, grantee)
    writeInt32(bytes, 4, grantor)
    writeInt32(bytes, 8, privileges)
    writeInt32(bytes, 12, options)
    return bytes
  }

  private readName(): string {
    this.at = skipSpaces(this.text, this.at)
    let name = ''
    let isQuoted = false
    for (; this.at < this.text.length; this.at++) {
      const character = this.text.charAt(this.at)
      if (character === '"') {
        if (this.text.charAt(this.at + 1) !== '"') {
          isQuoted = !isQuoted
          continue
        }
        this.at++
      } else if (!isQuoted && !isPlainNameCharacter(character.charCodeAt(0))) {
        break
      }
      name += character
      if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
        throw refusal(
          '42622',
          'identifier too long',
          `Identifier must be less than ${NAME_BYTES_MAX + 1} characters.`,
        )
      }
    }
    this.at = skipSpaces(this.text, this.at)
    return name
  }

  private roleOf(name: string): number {
    const oid = this.names?.oidOf?.('aclitem', name)
    if (oid !== undefined) return oid
    if (this.names?.oidOf === undefined && isAllDigits(name)) return Number(name) >>> 0
    throw refusal('42704', `role "${name}" does not exist`)
  }
}

/** In JavaScript its text. Without a resolver roles are numbers. */
export function aclItemCodec(
  type: BuiltinType,
  names: NameResolver | undefined,
): TypeCodec<string, Uint8Array> {
  const print = (raw: Uint8Array) => printAclItem(raw, names)
  const parse = (text: string) => new AclItemReader(checkText(text), names).read()
  return {
    ...type,
    typmod: -1,
    lane: 'bytes',
    isIdentity: false,
    fromLane: print,
    toLane(value) {
      if (typeof value === 'string') return parse(value)
      throw wrongKind('aclitem', value)
    },
    toText: print,
    fromText: parse,
  }
}
