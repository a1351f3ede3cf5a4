// The columns of a query's result: what each is called, and what it yields.
import { PgError } from '../errors/pg-error.ts'
import { analyzeExpression, type Names } from './analyze-expression.ts'
import { malformed, type Typed } from './expression.ts'
import { typed } from './operator-types.ts'
import type { OutputColumn } from './query.ts'

export interface NamedTyped extends Typed {
  name: string
}

export function outputColumn(names: Names, column: OutputColumn): NamedTyped {
  if (typeof column === 'string') {
    const found: Typed & { name?: string } = names.column(column)
    return { ...found, name: found.name ?? column }
  }
  const { as: name, ...expression } = column
  if (typeof name !== 'string') throw malformed('a computed column needs a name, "as"')
  return { ...typed(names.codecOf, analyzeExpression(names, expression)), name }
}

/** Throws 42701: the rows are objects, which have one member of a name. */
export function refuseDuplicates(columns: readonly { name: string }[]): void {
  const seen = new Set<string>()
  for (const { name } of columns) {
    if (seen.has(name)) {
      throw new PgError('42701', `column "${name}" specified more than once`, {
        column: name,
        hint: 'Give one of them another name with "as".',
      })
    }
    seen.add(name)
  }
}
