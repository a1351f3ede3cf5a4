// Cuts the text of a date, time or interval into fields.

import { isDigit, isLetter, isPunctuation, isSpace } from './character.ts'
import { dateWord } from './date-time-words.ts'

/**
 * What a field looks like.
 *
 *   number    digits and perhaps a decimal point
 *   string    letters
 *   date      digits and delimiters, or digits and letters; also zone names with punctuation
 *   time      digits and colons, and perhaps a decimal point
 *   zone      a sign and digits, and perhaps ':', '.', '-'
 *   special   a sign and letters
 */
export type TokenKind = 'number' | 'string' | 'date' | 'time' | 'zone' | 'special'

export interface Token {
  kind: TokenKind
  /** In lower case. */
  text: string
}

const FIELDS_MAX = 25

function isAlphanumeric(code: number): boolean {
  return isDigit(code) || isLetter(code)
}

/**
 * The fields of a text, or undefined if it cannot be cut. `room` is how many characters PostgreSQL
 * has for the fields, each with its terminator: longer text is refused, not read.
 */
export function cutTokens(text: string, room: number): Token[] | undefined {
  const tokens: Token[] = []
  let used = 0
  let at = 0
  const code = () => text.charCodeAt(at)
  const skipDigits = () => {
    while (isDigit(code())) at++
  }
  while (at < text.length) {
    const first = code()
    if (isSpace(first)) {
      at++
      continue
    }
    if (tokens.length >= FIELDS_MAX) return undefined
    const start = at
    let kind: TokenKind
    let word: string | undefined
    if (isDigit(first)) {
      skipDigits()
      const delimiter = code()
      if (delimiter === 58) {
        kind = 'time'
        at++
        while (isDigit(code()) || code() === 58 || code() === 46) at++
      } else if (delimiter === 45 || delimiter === 47 || delimiter === 46) {
        at++
        if (isDigit(code())) {
          kind = delimiter === 46 ? 'number' : 'date'
          skipDigits()
          // Three fields make a date only when both delimiters are the same.
          if (code() === delimiter) {
            kind = 'date'
            at++
            while (isDigit(code()) || code() === delimiter) at++
          }
        } else {
          kind = 'date'
          while (isAlphanumeric(code()) || code() === delimiter) at++
        }
      } else {
        kind = 'number'
      }
    } else if (first === 46) {
      kind = 'number'
      at++
      skipDigits()
    } else if (isLetter(first)) {
      kind = 'string'
      while (isLetter(code())) at++
      const next = code()
      // A zone name may hold punctuation and digits; a date, its month in letters.
      const isDate =
        next === 45 || next === 47 || next === 46
          ? true
          : next === 43 || isDigit(next)
            ? dateWord(text.substring(start, at).toLowerCase()) === undefined
            : false
      if (isDate) {
        kind = 'date'
        do at++
        while (isAlphanumeric(code()) || '+-/_.:'.includes(text.charAt(at) || ' '))
      }
    } else if (first === 43 || first === 45) {
      at++
      while (isSpace(code())) at++
      const afterSign = at
      if (isDigit(code())) {
        kind = 'zone'
        while (isDigit(code()) || code() === 58 || code() === 46 || code() === 45) at++
      } else if (isLetter(code())) {
        kind = 'special'
        while (isLetter(code())) at++
      } else {
        return undefined
      }
      word = text.charAt(start) + text.substring(afterSign, at)
    } else if (isPunctuation(first)) {
      at++
      continue
    } else {
      return undefined
    }
    word ??= text.substring(start, at)
    // A field's last character may not take the last place, and a terminator follows each field.
    if (used + word.length >= room) return undefined
    used += word.length + 1
    tokens.push({ kind, text: word.toLowerCase() })
  }
  return tokens
}
