// Identifiers: the names of objects, and how messages write them.
import { PgError } from '../errors/pg-error.ts'

// NAMEDATALEN less the terminating zero.
export const identifierBytesMax = 63

/** The name itself, if an object can have it. Throws 42602, or 42622 where PostgreSQL would silently truncate. */
export function checkIdentifier(name: string): string {
  if (name === '') throw new PgError('42602', 'zero-length identifier')
  if (name.includes('\0')) throw new PgError('42602', 'identifier contains a zero byte')
  const bytes = Buffer.byteLength(name)
  if (bytes > identifierBytesMax) {
    throw new PgError('42622', `identifier "${name}" is too long`, {
      detail: `It is ${bytes} bytes long, and at most ${identifierBytesMax} are possible.`,
    })
  }
  return name
}

/** The longest beginning of `text` that has at most `bytesMax` bytes in UTF-8 and ends between characters. */
export function clipToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= bytesMax) return text
  let end = bytesMax
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
