// Patterns of `like`: what all matching texts begin with.
//
// Source: pattern_fixed_prefix and make_greater_string in src/backend/utils/adt/like_support.c, PostgreSQL 18.

export interface LikePrefix {
  prefix: string
  /** What follows the prefix; empty: matching texts are equal to it. */
  rest: string
}

export function likePrefix(pattern: string): LikePrefix {
  let prefix = ''
  let at = 0
  while (at < pattern.length) {
    const character = pattern[at] as string
    if (character === '%' || character === '_') break
    if (character === '\\') {
      at++
      if (at >= pattern.length) break
    }
    prefix += pattern[at]
    at++
  }
  return { prefix, rest: pattern.slice(at) }
}

/** A text that is greater, in the order of code points, than all that begin with this one; undefined if there is none. */
export function greaterThanPrefix(prefix: string): string | undefined {
  const characters = [...prefix]
  while (characters.length > 0) {
    const last = characters.pop() as string
    const next = (last.codePointAt(0) as number) + 1
    if (next > 0x10ffff) continue
    // Surrogates are no characters.
    return characters.join('') + String.fromCodePoint(next === 0xd800 ? 0xe000 : next)
  }
  return undefined
}

/** Undefined for a pattern that is none. */
export function likeMatcher(pattern: string): RegExp | undefined {
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    let character = pattern[i] as string
    if (character === '%') source += '.*'
    else if (character === '_') source += '.'
    else {
      if (character === '\\') {
        i++
        if (i >= pattern.length) return undefined
        character = pattern[i] as string
      }
      source += character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&')
    }
  }
  return new RegExp(`^(?:${source})$`, 's')
}
