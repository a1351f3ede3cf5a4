// The errors of type input and output, each with the SQLSTATE and wording of PostgreSQL 18.

import { PgError } from '../errors/pg-error.ts'

export function refusal(code: string, message: string, detail?: string, hint?: string): PgError {
  return new PgError(code, message, { detail, hint })
}

/** 22P02: the input function does not understand the text. */
export function invalidText(typeName: string, text: string, detail?: string): PgError {
  return refusal('22P02', `invalid input syntax for type ${typeName}: "${text}"`, detail)
}

/** 22003 as the integer input functions word it. */
export function valueOutOfRange(typeName: string, text: string): PgError {
  return refusal('22003', `value "${text}" is out of range for type ${typeName}`)
}

/** 0A000: PostgreSQL has this, we do not. */
export function notSupported(what: string): PgError {
  return refusal('0A000', `${what} is not supported`)
}

/** 42804: a JavaScript value of a kind that the type has no meaning for. */
export function wrongKind(typeName: string, value: unknown): PgError {
  const kind =
    value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
  return refusal('42804', `cannot use ${kind} as ${typeName}`)
}

/** XX001: bytes from disk that no input function could have written. */
export function corrupted(typeName: string): PgError {
  return refusal('XX001', `invalid binary value of type ${typeName}`)
}

/** Refuses text that a UTF-8 database cannot hold: NUL characters and unpaired surrogates. */
export function checkText(text: string): string {
  if (text.includes('\0')) {
    throw refusal('22021', 'invalid byte sequence for encoding "UTF8": 0x00')
  }
  // Node 20 has isWellFormed; TypeScript's ES2023 library does not know it.
  if (!(text as string & { isWellFormed(): boolean }).isWellFormed()) {
    throw refusal('22021', 'invalid byte sequence for encoding "UTF8": unpaired surrogate')
  }
  return text
}
